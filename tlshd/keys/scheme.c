// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables behind scheme.h.
 */
#include "scheme.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	uint16_t scheme, hash;
	gnutls_sign_algorithm_t gnutls;
	const char *name;
} schemes[] = {
	{ KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, GNUTLS_SIGN_ECDSA_SHA256, "ecdsa sha256" },
	{ KEYS_SCHEME_ECDSA, KEYS_HASH_SHA384, GNUTLS_SIGN_ECDSA_SHA384, "ecdsa sha384" },
	{ KEYS_SCHEME_ECDSA, KEYS_HASH_SHA512, GNUTLS_SIGN_ECDSA_SHA512, "ecdsa sha512" },
	{ KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
	  "rsa_pss sha256" },
	{ KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384,
	  "rsa_pss sha384" },
	{ KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512,
	  "rsa_pss sha512" },
	{ KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA256, GNUTLS_SIGN_RSA_SHA256, "rsa_pkcs1 sha256" },
	{ KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA384, GNUTLS_SIGN_RSA_SHA384, "rsa_pkcs1 sha384" },
	{ KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA512, GNUTLS_SIGN_RSA_SHA512, "rsa_pkcs1 sha512" },
};

size_t keys_hash_length(uint16_t hash)
{
	switch (hash) {
	case KEYS_HASH_SHA256:
		return 32;
	case KEYS_HASH_SHA384:
		return 48;
	case KEYS_HASH_SHA512:
		return 64;
	default:
		return 0;
	}
}

bool keys_scheme_fits(uint32_t kind, uint16_t scheme)
{
	switch (kind) {
	case KEYS_KIND_EC_P256:
	case KEYS_KIND_EC_P384:
		return scheme == KEYS_SCHEME_ECDSA;
	case KEYS_KIND_RSA:
		return scheme == KEYS_SCHEME_RSA_PSS || scheme == KEYS_SCHEME_RSA_PKCS1;
	default:
		return false;
	}
}

const char *keys_scheme_name(uint16_t scheme, uint16_t hash)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (schemes[i].scheme == scheme && schemes[i].hash == hash)
			return schemes[i].name;
	return "unknown";
}

const char *keys_kind_name(uint32_t kind)
{
	switch (kind) {
	case KEYS_KIND_EC_P256:
		return "P-256";
	case KEYS_KIND_EC_P384:
		return "P-384";
	case KEYS_KIND_RSA:
		return "RSA";
	default:
		return "unknown";
	}
}

gnutls_sign_algorithm_t keys_scheme_gnutls(uint16_t scheme, uint16_t hash)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (schemes[i].scheme == scheme && schemes[i].hash == hash)
			return schemes[i].gnutls;
	return GNUTLS_SIGN_UNKNOWN;
}
