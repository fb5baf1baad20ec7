/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys in the kernel's keyrings, named by their serial numbers: what this process
 * possesses it may read.  Nothing here lets the kernel search: of type "psk" it finds
 * keys whose identity only begins with what is looked for.
 */
#ifndef TLSHD_KEYS_KERNEL_KEY_H
#define TLSHD_KEYS_KERNEL_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"

/* The caller wipes it. */
struct kernel_psk {
	uint32_t serial;
	size_t identity_length; /* bytes, at least 1 */
	char identity[KEYS_MAX_KERNEL_IDENTITY];
	size_t length; /* bytes, KEYS_MIN_PSK to KEYS_MAX_PSK */
	uint8_t secret[KEYS_MAX_PSK];
};

/*
 * A key of type "psk" or "user".  0 or -errno with words: -ENOKEY (there is none), -EACCES
 * (not possessed, or not readable), -EKEYREVOKED, -EKEYEXPIRED, -EINVAL (not a PSK).
 */
int kernel_psk_read(uint32_t serial, struct kernel_psk *ret_psk, struct keys_words *words);
/* The one with this identity among the members of @keyring itself.  -ENOKEY if there is none,
 * -E2BIG if the keyring has more than KEYS_MAX_KEYRING members. */
int kernel_psk_find(uint32_t keyring, const char *identity, size_t length,
		    struct kernel_psk *ret_psk, struct keys_words *words);

/* A private key of type "user", tried once.  Errors as above. */
int kernel_private_key_open(uint32_t serial, struct keys_object **ret_object,
			    struct keys_words *words);
/* What a key of type "user" holds, unread: the caller frees it. */
int kernel_certificate_read(uint32_t serial, uint8_t **ret_data, size_t *ret_length,
			    struct keys_words *words);

#endif /* TLSHD_KEYS_KERNEL_KEY_H */
