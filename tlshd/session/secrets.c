// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HKDF-Expand-Label over GnuTLS's HKDF, and the three labels that matter after
 * a handshake.
 */
#include <errno.h>
#include <string.h>
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <linux/tls.h>

#include "keyinfo.h"
#include "secrets.h"

#define LABEL_PREFIX "tls13 "

static gnutls_mac_algorithm_t secrets_mac(uint16_t cipher)
{
	return cipher == TLS_CIPHER_AES_GCM_256 ? GNUTLS_MAC_SHA384 : GNUTLS_MAC_SHA256;
}

size_t secrets_length(uint16_t cipher)
{
	if (!keyinfo_key_length(cipher))
		return 0;
	return cipher == TLS_CIPHER_AES_GCM_256 ? 48 : 32;
}

/* HKDF-Expand-Label (RFC 8446 7.1) */
static int expand(uint16_t cipher, const uint8_t *secret, const uint8_t *label, size_t label_len,
		  const uint8_t *context, size_t context_len, uint8_t *out, size_t length)
{
	uint8_t info[2 + 1 + UINT8_MAX + 1 + SECRETS_MAX];
	const gnutls_datum_t key = { (void *)(uintptr_t)secret,
				     (unsigned int)secrets_length(cipher) };
	gnutls_datum_t info_datum = { info, 0 };
	size_t prefix_len = strlen(LABEL_PREFIX), at = 0;

	if (label_len > SECRETS_MAX_LABEL || context_len > SECRETS_MAX || length > UINT16_MAX)
		return -EINVAL;
	info[at++] = (uint8_t)(length >> 8);
	info[at++] = (uint8_t)length;
	info[at++] = (uint8_t)(prefix_len + label_len);
	memcpy(info + at, LABEL_PREFIX, prefix_len);
	at += prefix_len;
	memcpy(info + at, label, label_len);
	at += label_len;
	info[at++] = (uint8_t)context_len;
	if (context_len)
		memcpy(info + at, context, context_len);
	info_datum.size = (unsigned int)(at + context_len);

	return gnutls_hkdf_expand(secrets_mac(cipher), &key, &info_datum, out, length) < 0 ? -EIO :
											     0;
}

static int expand_label(uint16_t cipher, const uint8_t *secret, const char *label, uint8_t *out,
			size_t length)
{
	return expand(cipher, secret, (const uint8_t *)label, strlen(label), NULL, 0, out, length);
}

int secrets_expand(uint16_t cipher, const uint8_t *secret, const uint8_t *label,
		   size_t label_length, const uint8_t *hash, uint8_t *ret, size_t length)
{
	if (!secrets_length(cipher))
		return -EINVAL;
	return expand(cipher, secret, label, label_length, hash, secrets_length(cipher), ret,
		      length);
}

int secrets_record_key(uint16_t cipher, const uint8_t *secret, uint8_t *ret_key, uint8_t *ret_iv)
{
	uint8_t key[SECRETS_MAX_KEY], iv[SECRETS_IV];
	int r;

	if (!secrets_length(cipher))
		return -EINVAL;
	r = expand_label(cipher, secret, "key", key, keyinfo_key_length(cipher));
	if (r == 0)
		r = expand_label(cipher, secret, "iv", iv, sizeof(iv));
	if (r == 0) {
		memcpy(ret_key, key, keyinfo_key_length(cipher));
		memcpy(ret_iv, iv, sizeof(iv));
	}
	explicit_bzero(key, sizeof(key));
	explicit_bzero(iv, sizeof(iv));
	return r;
}

int secrets_update(uint16_t cipher, uint8_t *secret)
{
	size_t length = secrets_length(cipher);
	uint8_t next[SECRETS_MAX];
	int r;

	if (!length)
		return -EINVAL;
	r = expand_label(cipher, secret, "traffic upd", next, length);
	if (r == 0)
		memcpy(secret, next, length);
	explicit_bzero(next, sizeof(next));
	return r;
}
