/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crypto_info: bulk keys in the form that kTLS takes, and the ciphers it has.
 */
#ifndef TLSHD_SESSION_KEYINFO_H
#define TLSHD_SESSION_KEYINFO_H

#include <stddef.h>
#include <stdint.h>
#include <linux/tls.h>

/* Any struct tls12_crypto_info_* that keyinfo_build() makes. */
union keyinfo {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes_gcm_128;
	struct tls12_crypto_info_aes_gcm_256 aes_gcm_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20_poly1305;
	struct tls12_crypto_info_aes_ccm_128 aes_ccm_128;
};

/* One row for every cipher that GnuTLS and kTLS share, strongest first. */
struct keyinfo_cipher {
	uint16_t cipher;    /* TLS_CIPHER_* */
	int gnutls;	    /* gnutls_cipher_algorithm_t */
	const char *name;   /* in tlshd.conf and GnuTLS's priority strings */
	size_t key_length;  /* bytes */
	size_t info_length; /* bytes of its crypto_info */
};

#define KEYINFO_CIPHERS 4
extern const struct keyinfo_cipher keyinfo_ciphers[KEYINFO_CIPHERS];

/* Rows by TLS_CIPHER_*, gnutls_cipher_algorithm_t or name in any case; NULL if none. */
const struct keyinfo_cipher *keyinfo_find(uint16_t cipher);
const struct keyinfo_cipher *keyinfo_find_gnutls(int algorithm);
const struct keyinfo_cipher *keyinfo_find_name(const char *name);

/* Bytes of @cipher's key, 0 for an unknown one. */
size_t keyinfo_key_length(uint16_t cipher);

/**
 * keyinfo_build() - fill a crypto_info
 * @version: TLS_1_2_VERSION or TLS_1_3_VERSION
 * @cipher: TLS_CIPHER_*
 * @key: keyinfo_key_length() bytes
 * @iv: the write IV; 12 bytes, for TLS 1.2 GCM and CCM the 4 bytes of the implicit part
 * @iv_length: bytes at @iv
 * @sequence: number of the first record under this key
 * @ret_info: the caller wipes it
 * @ret_length: bytes of it that count
 *
 * Return: 0, -EINVAL on a combination that kTLS does not have.
 */
int keyinfo_build(uint16_t version, uint16_t cipher, const uint8_t *key, const uint8_t *iv,
		  size_t iv_length, uint64_t sequence, union keyinfo *ret_info, size_t *ret_length)
	__attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_KEYINFO_H */
