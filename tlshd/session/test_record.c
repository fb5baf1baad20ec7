// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Record protection on OpenSSL's AEADs, written from RFC 8446 5.2, RFC 5246
 * 6.2.3.3, RFC 5288, RFC 6655 and RFC 7905.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <openssl/evp.h>

#include <cmocka.h>

#include "test_record.h"

#define TAG 16

struct cipher_view {
	const EVP_CIPHER *evp;
	const uint8_t *key;
	uint8_t nonce[12];
	size_t explicit_length; /* bytes of nonce in the record */
};

static void parts(const struct record_keys *keys, const EVP_CIPHER **evp, const uint8_t **key,
		  const uint8_t **salt, const uint8_t **iv, const uint8_t **sequence)
{
	const union keyinfo *info = &keys->info;

	switch (info->info.cipher_type) {
#define CASE(type, member, cipher)                \
	case type:                                \
		*evp = cipher;                    \
		*key = info->member.key;          \
		*salt = info->member.salt;        \
		*iv = info->member.iv;            \
		*sequence = info->member.rec_seq; \
		break
		CASE(TLS_CIPHER_AES_GCM_128, aes_gcm_128, EVP_aes_128_gcm());
		CASE(TLS_CIPHER_AES_GCM_256, aes_gcm_256, EVP_aes_256_gcm());
		CASE(TLS_CIPHER_AES_CCM_128, aes_ccm_128, EVP_aes_128_ccm());
	case TLS_CIPHER_CHACHA20_POLY1305:
		*evp = EVP_chacha20_poly1305();
		*key = info->chacha20_poly1305.key;
		*salt = NULL;
		*iv = info->chacha20_poly1305.iv;
		*sequence = info->chacha20_poly1305.rec_seq;
		break;
	default:
		fail_msg("no such cipher: %u", info->info.cipher_type);
	}
}

void record_keys_set(struct record_keys *keys, const void *info, size_t length)
{
	const EVP_CIPHER *evp;
	const uint8_t *key, *salt, *iv, *sequence;

	memset(keys, 0, sizeof(*keys));
	assert_true(length <= sizeof(keys->info) && length >= sizeof(keys->info.info));
	memcpy(&keys->info, info, length);
	parts(keys, &evp, &key, &salt, &iv, &sequence);
	memcpy(&keys->sequence, sequence, sizeof(keys->sequence));
	keys->sequence = be64toh(keys->sequence);
}

/* @explicit_nonce: of a received TLS 1.2 record, or NULL to make one as the kernel does */
static struct cipher_view view(const struct record_keys *keys, const uint8_t *explicit_nonce)
{
	const uint8_t *salt, *iv, *sequence;
	uint64_t number = htobe64(keys->sequence);
	struct cipher_view v = { 0 };
	bool tls12 = keys->info.info.version == TLS_1_2_VERSION;

	parts(keys, &v.evp, &v.key, &salt, &iv, &sequence);
	if (!salt) {
		memcpy(v.nonce, iv, 12);
	} else {
		memcpy(v.nonce, salt, 4);
		memcpy(v.nonce + 4, iv, 8);
	}
	if (tls12 && salt) {
		v.explicit_length = 8;
		memcpy(v.nonce + 4, explicit_nonce ? explicit_nonce : (uint8_t *)&number, 8);
	} else {
		for (int i = 0; i < 8; i++)
			v.nonce[4 + i] ^= ((uint8_t *)&number)[i];
	}
	return v;
}

static size_t additional_data(const struct record_keys *keys, const uint8_t *header, size_t plain,
			      uint8_t *ret)
{
	uint64_t number = htobe64(keys->sequence);

	if (keys->info.info.version == TLS_1_3_VERSION) {
		memcpy(ret, header, 5);
		return 5;
	}
	memcpy(ret, &number, 8);
	memcpy(ret + 8, header, 3);
	ret[11] = (uint8_t)(plain >> 8);
	ret[12] = (uint8_t)plain;
	return 13;
}

/* Both ways: @tag is written or checked.  Whether it went well. */
static bool crypt(const struct cipher_view *v, bool seal, const uint8_t *aad, size_t aad_length,
		  const uint8_t *in, size_t length, uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ccm = EVP_CIPHER_get_mode(v->evp) == EVP_CIPH_CCM_MODE;
	int n, good;

	assert_non_null(ctx);
	assert_int_equal(EVP_CipherInit_ex(ctx, v->evp, NULL, NULL, NULL, seal), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL), 1);
	if (ccm || !seal)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, seal ? NULL : tag);
	assert_int_equal(EVP_CipherInit_ex(ctx, NULL, NULL, v->key, v->nonce, seal), 1);
	if (ccm)
		assert_int_equal(EVP_CipherUpdate(ctx, NULL, &n, NULL, (int)length), 1);
	assert_int_equal(EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_length), 1);
	good = EVP_CipherUpdate(ctx, out, &n, in, (int)length);
	if (good == 1 && !ccm)
		good = EVP_CipherFinal_ex(ctx, out + n, &n);
	if (good == 1 && seal)
		good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag);
	EVP_CIPHER_CTX_free(ctx);
	return good == 1;
}

size_t record_seal(struct record_keys *keys, uint8_t type, const void *data, size_t length,
		   uint8_t *ret)
{
	bool tls13 = keys->info.info.version == TLS_1_3_VERSION;
	struct cipher_view v = view(keys, NULL);
	uint8_t plain[16385], aad[13];
	size_t plain_length = length, body, aad_length;

	assert_true(length < sizeof(plain));
	memcpy(plain, data, length);
	if (tls13)
		plain[plain_length++] = type;
	body = v.explicit_length + plain_length + TAG;
	ret[0] = tls13 ? 23 : type;
	ret[1] = 3;
	ret[2] = 3;
	ret[3] = (uint8_t)(body >> 8);
	ret[4] = (uint8_t)body;
	memcpy(ret + 5, v.nonce + 4, v.explicit_length);
	aad_length = additional_data(keys, ret, plain_length, aad);
	assert_true(crypt(&v, true, aad, aad_length, plain, plain_length,
			  ret + 5 + v.explicit_length, ret + 5 + v.explicit_length + plain_length));
	keys->sequence++;
	return 5 + body;
}

int record_open(struct record_keys *keys, const uint8_t *record, size_t length, uint8_t *ret_type,
		uint8_t *ret)
{
	bool tls13 = keys->info.info.version == TLS_1_3_VERSION;
	struct cipher_view v = view(keys, record + 5);
	uint8_t aad[13], tag[TAG];
	size_t plain, aad_length;

	if (length < 5 + v.explicit_length + TAG)
		return -1;
	plain = length - 5 - v.explicit_length - TAG;
	memcpy(tag, record + length - TAG, TAG);
	aad_length = additional_data(keys, record, plain, aad);
	if (!crypt(&v, false, aad, aad_length, record + 5 + v.explicit_length, plain, ret, tag))
		return -1;
	keys->sequence++;
	*ret_type = record[0];
	if (tls13) {
		while (plain && !ret[plain - 1])
			plain--;
		if (!plain)
			return -1;
		*ret_type = ret[--plain];
	}
	return (int)plain;
}
