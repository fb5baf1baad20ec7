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

/* HKDF-Expand-Label (RFC 8446 7.1) with an empty context */
static int expand_label(gnutls_mac_algorithm_t mac, const uint8_t *secret, size_t secret_len,
			const char *label, uint8_t *out, size_t length)
{
	uint8_t info[2 + 1 + sizeof(LABEL_PREFIX) + 16 + 1];
	const gnutls_datum_t key = { (void *)(uintptr_t)secret, (unsigned int)secret_len };
	gnutls_datum_t info_datum = { info, 0 };
	size_t prefix_len = strlen(LABEL_PREFIX);
	size_t label_len = strlen(label);

	if (2 + 1 + prefix_len + label_len + 1 > sizeof(info))
		return -EINVAL;
	info[0] = (uint8_t)(length >> 8);
	info[1] = (uint8_t)length;
	info[2] = (uint8_t)(prefix_len + label_len);
	memcpy(info + 3, LABEL_PREFIX, prefix_len);
	memcpy(info + 3 + prefix_len, label, label_len);
	info[3 + prefix_len + label_len] = 0;
	info_datum.size = (unsigned int)(3 + prefix_len + label_len + 1);

	return gnutls_hkdf_expand(mac, &key, &info_datum, out, length) < 0 ? -EIO : 0;
}

int secrets_record_key(uint16_t cipher, const uint8_t *secret, uint8_t *ret_key, uint8_t *ret_iv)
{
	size_t length = secrets_length(cipher);
	uint8_t key[SECRETS_MAX_KEY], iv[SECRETS_IV];
	int r;

	if (!length)
		return -EINVAL;
	r = expand_label(secrets_mac(cipher), secret, length, "key", key,
			 keyinfo_key_length(cipher));
	if (r == 0)
		r = expand_label(secrets_mac(cipher), secret, length, "iv", iv, sizeof(iv));
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
	r = expand_label(secrets_mac(cipher), secret, length, "traffic upd", next, length);
	if (r == 0)
		memcpy(secret, next, length);
	explicit_bzero(next, sizeof(next));
	return r;
}
