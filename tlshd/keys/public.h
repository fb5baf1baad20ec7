/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Public keys: which kinds we serve, and their SubjectPublicKeyInfo.
 */
#ifndef TLSHD_KEYS_PUBLIC_H
#define TLSHD_KEYS_PUBLIC_H

#include <stddef.h>
#include <stdint.h>
#include <gnutls/abstract.h>

#include "protocol.h"
#include "words.h"

#define KEYS_MIN_RSA_BITS 2048
#define KEYS_MAX_RSA_BITS 4096

struct keys_public {
	uint32_t kind; /* enum keys_kind */
	uint32_t bits;
	size_t spki_len;
	uint8_t spki[KEYS_MAX_SPKI]; /* SubjectPublicKeyInfo, DER */
};

/* -EINVAL with words for a kind or size that is not served. */
int public_describe(gnutls_pubkey_t pub, struct keys_public *ret_public, struct keys_words *words);
/* The way back; the caller frees the result with gnutls_pubkey_deinit(). */
int public_import(const struct keys_public *public, gnutls_pubkey_t *ret_pub);

#endif /* TLSHD_KEYS_PUBLIC_H */
