// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Public keys, see public.h.
 */
#include <errno.h>
#include <string.h>

#include "public.h"

static int ecc_kind(gnutls_pubkey_t pub, uint32_t *ret_kind)
{
	gnutls_datum_t x = { 0 }, y = { 0 };
	gnutls_ecc_curve_t curve;

	if (gnutls_pubkey_export_ecc_raw2(pub, &curve, &x, &y, 0) < 0)
		return -EINVAL;
	gnutls_free(x.data);
	gnutls_free(y.data);
	switch (curve) {
	case GNUTLS_ECC_CURVE_SECP256R1:
		*ret_kind = KEYS_KIND_EC_P256;
		return 0;
	case GNUTLS_ECC_CURVE_SECP384R1:
		*ret_kind = KEYS_KIND_EC_P384;
		return 0;
	default:
		return -EINVAL;
	}
}

static int kind_of(gnutls_pubkey_t pub, uint32_t *ret_kind, uint32_t *ret_bits,
		   struct keys_words *words)
{
	unsigned int bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(pub, &bits);

	switch (algorithm) {
	case GNUTLS_PK_EC:
		if (ecc_kind(pub, ret_kind) < 0)
			return keys_fail(words, EINVAL, "is on another curve than P-256 and P-384");
		break;
	case GNUTLS_PK_RSA:
		if (bits < KEYS_MIN_RSA_BITS || bits > KEYS_MAX_RSA_BITS)
			return keys_fail(words, EINVAL,
					 "is an RSA key of %u bits; %d to %d are accepted", bits,
					 KEYS_MIN_RSA_BITS, KEYS_MAX_RSA_BITS);
		*ret_kind = KEYS_KIND_RSA;
		break;
	default:
		return keys_fail(words, EINVAL,
				 "is a key of kind %s; P-256, P-384 and RSA are served",
				 gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm) ?: "unknown");
	}
	*ret_bits = bits;
	return 0;
}

int public_describe(gnutls_pubkey_t pub, struct keys_public *ret_public, struct keys_words *words)
{
	gnutls_datum_t spki = { 0 };
	uint32_t kind = 0, bits = 0;
	int ret;

	ret = kind_of(pub, &kind, &bits, words);
	if (ret < 0)
		return ret;
	if (gnutls_pubkey_verify_params(pub) < 0)
		return keys_fail(words, EINVAL, "has a public key that cannot be one");
	if (gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki) < 0)
		return keys_fail(words, EINVAL, "has a public key that cannot be encoded");
	if (spki.size > sizeof(ret_public->spki)) {
		gnutls_free(spki.data);
		return keys_fail(words, EINVAL, "has a public key that is too long");
	}
	memcpy(ret_public->spki, spki.data, spki.size);
	ret_public->spki_len = spki.size;
	ret_public->kind = kind;
	ret_public->bits = bits;
	gnutls_free(spki.data);
	return 0;
}

int public_import(const struct keys_public *public, gnutls_pubkey_t *ret_pub)
{
	gnutls_datum_t spki = { (unsigned char *)public->spki, (unsigned int)public->spki_len };
	gnutls_pubkey_t pub;

	if (gnutls_pubkey_init(&pub) < 0)
		return -ENOMEM;
	if (gnutls_pubkey_import(pub, &spki, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_pubkey_deinit(pub);
		return -EINVAL;
	}
	*ret_pub = pub;
	return 0;
}
