/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 traffic secrets: the record keys under a secret and the secret that
 * follows it (RFC 8446 7.2, 7.3).  What a connection keeps for key updates.
 */
#ifndef TLSHD_SESSION_SECRETS_H
#define TLSHD_SESSION_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#define SECRETS_MAX	  48  /* bytes: SHA-384 */
#define SECRETS_MAX_KEY	  32  /* bytes: AES-256, ChaCha20 */
#define SECRETS_MAX_LABEL 249 /* bytes, without "tls13 " */
#define SECRETS_IV	  12  /* bytes, every AEAD of TLS 1.3 that kTLS has */

/* Length of a traffic secret under @cipher (TLS_CIPHER_*), or 0 for an unknown one. */
size_t secrets_length(uint16_t cipher);

/* Record key and iv under @secret, secrets_length() bytes.  @ret_key has room for
 * SECRETS_MAX_KEY bytes, @ret_iv for SECRETS_IV.  0 or -errno. */
int secrets_record_key(uint16_t cipher, const uint8_t *secret, uint8_t *ret_key, uint8_t *ret_iv)
	__attribute__((warn_unused_result));

/* application_traffic_secret_N+1 in place of N.  0 or -errno, then unchanged. */
int secrets_update(uint16_t cipher, uint8_t *secret) __attribute__((warn_unused_result));

/* HKDF-Expand-Label (RFC 8446 7.1) of @secret, secrets_length() bytes, with a context that is a
 * hash, as long as the secret.  @label_length <= SECRETS_MAX_LABEL.  0 or -errno. */
int secrets_expand(uint16_t cipher, const uint8_t *secret, const uint8_t *label,
		   size_t label_length, const uint8_t *hash, uint8_t *ret, size_t length)
	__attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_SECRETS_H */
