/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All keys and PSKs that the configuration names, opened and tried once, with the
 * numbers under which the session handler asks for them.
 */
#ifndef TLSHD_KEYS_KEYSET_H
#define TLSHD_KEYS_KEYSET_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "open.h"

#define KEYS_MAX_IDENTITY 128 /* bytes of a PSK identity */

/**
 * struct keys_entry - a key or PSK in its place in a profile
 * @profile: NUL-terminated and padded, as announced
 * @index: place in the profile's private_key list, from 0
 * @identity: of a PSK, else NULL
 * @object: shared by all entries that name the same file
 *
 * Its number is its place in struct keyset's array.
 */
struct keys_entry {
	char profile[64];
	uint32_t index;
	char *identity;
	struct keys_object *object;
};

struct keyset {
	struct keys_entry *keys;
	size_t key_count;
	struct keys_entry *psks;
	size_t psk_count;
	struct keys_object **objects; /* owned */
	size_t object_count;
	struct keys_opener opener;
};

/* Takes one mistake: "FILE:LINE: words". */
typedef void keyset_report(const char *mistake);

/*
 * Opens everything.  What does not open is reported and left out: one bad file must not
 * take the other profiles down.  The number of mistakes, or -ENOMEM.
 */
int keyset_load(const struct config *config, keyset_report *report, struct keyset **ret_keyset);
void keyset_free(struct keyset *keyset);

#endif /* TLSHD_KEYS_KEYSET_H */
