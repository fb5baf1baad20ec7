// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crypto_info building.  kTLS cuts the 12-byte nonce base into salt and iv for
 * GCM and CCM.  In TLS 1.3 both parts are derived; in TLS 1.2 only the salt is,
 * and the iv is the explicit nonce, for which the sequence number is used
 * (RFC 5288 3, RFC 6655 3).  ChaCha20-Poly1305 has the whole 12 bytes as iv.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <gnutls/gnutls.h>

#include "keyinfo.h"

#define NONCE	   12 /* bytes, RFC 8446 5.3 */
#define NONCE_SALT 4  /* bytes: the implicit part in TLS 1.2 GCM and CCM */

const struct keyinfo_cipher keyinfo_ciphers[KEYINFO_CIPHERS] = {
	{ TLS_CIPHER_AES_GCM_256, GNUTLS_CIPHER_AES_256_GCM, "AES-256-GCM",
	  TLS_CIPHER_AES_GCM_256_KEY_SIZE, sizeof(struct tls12_crypto_info_aes_gcm_256) },
	{ TLS_CIPHER_AES_GCM_128, GNUTLS_CIPHER_AES_128_GCM, "AES-128-GCM",
	  TLS_CIPHER_AES_GCM_128_KEY_SIZE, sizeof(struct tls12_crypto_info_aes_gcm_128) },
	{ TLS_CIPHER_CHACHA20_POLY1305, GNUTLS_CIPHER_CHACHA20_POLY1305, "CHACHA20-POLY1305",
	  TLS_CIPHER_CHACHA20_POLY1305_KEY_SIZE,
	  sizeof(struct tls12_crypto_info_chacha20_poly1305) },
	{ TLS_CIPHER_AES_CCM_128, GNUTLS_CIPHER_AES_128_CCM, "AES-128-CCM",
	  TLS_CIPHER_AES_CCM_128_KEY_SIZE, sizeof(struct tls12_crypto_info_aes_ccm_128) },
};

const struct keyinfo_cipher *keyinfo_find(uint16_t cipher)
{
	for (size_t i = 0; i < KEYINFO_CIPHERS; i++)
		if (keyinfo_ciphers[i].cipher == cipher)
			return &keyinfo_ciphers[i];
	return NULL;
}

const struct keyinfo_cipher *keyinfo_find_gnutls(int algorithm)
{
	for (size_t i = 0; i < KEYINFO_CIPHERS; i++)
		if (keyinfo_ciphers[i].gnutls == algorithm)
			return &keyinfo_ciphers[i];
	return NULL;
}

const struct keyinfo_cipher *keyinfo_find_name(const char *name)
{
	for (size_t i = 0; i < KEYINFO_CIPHERS; i++)
		if (strcasecmp(keyinfo_ciphers[i].name, name) == 0)
			return &keyinfo_ciphers[i];
	return NULL;
}

size_t keyinfo_key_length(uint16_t cipher)
{
	const struct keyinfo_cipher *row = keyinfo_find(cipher);

	return row ? row->key_length : 0;
}

/* salt and explicit part of a GCM or CCM nonce */
static int split_nonce(uint16_t version, const uint8_t *iv, size_t iv_length,
		       const uint8_t sequence[8], unsigned char *salt, unsigned char *explicit_part)
{
	if (version == TLS_1_3_VERSION && iv_length == NONCE) {
		memcpy(salt, iv, NONCE_SALT);
		memcpy(explicit_part, iv + NONCE_SALT, NONCE - NONCE_SALT);
		return 0;
	}
	if (version == TLS_1_2_VERSION && iv_length == NONCE_SALT) {
		memcpy(salt, iv, NONCE_SALT);
		memcpy(explicit_part, sequence, NONCE - NONCE_SALT);
		return 0;
	}
	return -EINVAL;
}

#define BUILD_SPLIT(member)                                                                     \
	do {                                                                                    \
		memcpy(info.member.key, key, sizeof(info.member.key));                          \
		memcpy(info.member.rec_seq, seq, sizeof(info.member.rec_seq));                  \
		r = split_nonce(version, iv, iv_length, seq, info.member.salt, info.member.iv); \
	} while (0)

int keyinfo_build(uint16_t version, uint16_t cipher, const uint8_t *key, const uint8_t *iv,
		  size_t iv_length, uint64_t sequence, union keyinfo *ret_info, size_t *ret_length)
{
	const struct keyinfo_cipher *row = keyinfo_find(cipher);
	union keyinfo info = { .info = { .version = version, .cipher_type = cipher } };
	uint64_t big_endian = htobe64(sequence);
	uint8_t seq[8];
	int r = 0;

	if (!row || (version != TLS_1_2_VERSION && version != TLS_1_3_VERSION))
		return -EINVAL;
	memcpy(seq, &big_endian, sizeof(seq));

	switch (cipher) {
	case TLS_CIPHER_AES_GCM_128:
		BUILD_SPLIT(aes_gcm_128);
		break;
	case TLS_CIPHER_AES_GCM_256:
		BUILD_SPLIT(aes_gcm_256);
		break;
	case TLS_CIPHER_AES_CCM_128:
		BUILD_SPLIT(aes_ccm_128);
		break;
	case TLS_CIPHER_CHACHA20_POLY1305:
		if (iv_length != NONCE) {
			r = -EINVAL;
			break;
		}
		memcpy(info.chacha20_poly1305.key, key, sizeof(info.chacha20_poly1305.key));
		memcpy(info.chacha20_poly1305.iv, iv, NONCE);
		memcpy(info.chacha20_poly1305.rec_seq, seq, sizeof(seq));
		break;
	}
	if (r == 0) {
		*ret_info = info;
		*ret_length = row->info_length;
	}
	explicit_bzero(&info, sizeof(info));
	return r;
}
