/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signature schemes and hashes of protocol.h: their sizes, their names in logs,
 * which key may use which, and what GnuTLS calls them.
 */
#ifndef TLSHD_KEYS_SCHEME_H
#define TLSHD_KEYS_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "protocol.h"

#define KEYS_MAX_DIGEST 64 /* bytes: SHA-512 */

/* Bytes of a digest; 0 if @hash is none of enum keys_hash. */
size_t keys_hash_length(uint16_t hash);
/* Whether a key of @kind signs with @scheme; false for anything unknown. */
bool keys_scheme_fits(uint32_t kind, uint16_t scheme);
/* For people: "ecdsa sha256"; "unknown" for what is not in the tables. */
const char *keys_scheme_name(uint16_t scheme, uint16_t hash);
const char *keys_kind_name(uint32_t kind);
/* GNUTLS_SIGN_UNKNOWN for a combination that does not exist. */
gnutls_sign_algorithm_t keys_scheme_gnutls(uint16_t scheme, uint16_t hash);

#endif /* TLSHD_KEYS_SCHEME_H */
