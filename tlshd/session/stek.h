/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session ticket encryption keys: random roots of each profile, which live for one
 * rotation and the lifetime of the tickets under them, and are wiped then.
 */
#ifndef TLSHD_SESSION_STEK_H
#define TLSHD_SESSION_STEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

struct event_base;
struct profile;
struct room;
struct state_writer;

#define STEK_KEY       64 /* bytes of a root and of the key that GnuTLS gets */
#define STEK_NAME      16 /* bytes of the key's name, with which a ticket starts */
#define STEK_MAX_ROOTS 9  /* of one profile: its newest, and those that tickets still need */

struct stek;

/* The key for one connection */
struct stek_choice {
	uint8_t key[STEK_KEY];
	uint8_t names[2][STEK_NAME]; /* that tickets under it have, now and in the last period */
	bool known;		     /* a ticket of the client's is under it */
	bool newest;		     /* tickets may be issued under it */
};

int stek_new(struct event_base *base, struct stek **ret_stek);
void stek_free(struct stek *stek);

/*
 * Chooses the root of @profile that one of the client's tickets is under, by their @names;
 * else the newest, which is made if there is none or if it is old.  The key is derived from
 * it and @binding.  0, -EAGAIN while the machine's clock was not set, or -errno; the caller
 * wipes the choice.
 */
int stek_choose(struct stek *stek, const struct profile *profile, const void *binding,
		size_t binding_length, const uint8_t (*names)[STEK_NAME], size_t name_count,
		struct stek_choice *ret_choice) __attribute__((warn_unused_result));

/* A ticket was just issued under @choice with @name: if that is not as expected, names tell
 * nothing, and from now on only the newest root of each profile is used. */
void stek_check_name(struct stek *stek, const struct profile *profile,
		     const struct stek_choice *choice, const uint8_t name[STEK_NAME]);

/* Wipes every root: no ticket that is out is of use any more. */
void stek_flush(struct stek *stek);
/* New roots from now on; the old ones live on as usual. */
void stek_rotate(struct stek *stek);

/* Roots that live */
size_t stek_count(const struct stek *stek);

/* For the successor: STATE_STEK, see state.h. */
void stek_save(struct room *room, struct state_writer *writer);
int stek_restore(struct room *room, const uint8_t *payload, size_t length);

#endif /* TLSHD_SESSION_STEK_H */
