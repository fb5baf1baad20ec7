// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One use of each key when it is loaded, so that a key that cannot sign what TLS
 * needs is refused with a clear line and not in the first handshake.
 */
#include <errno.h>
#include <gnutls/abstract.h>
#include <string.h>

#include "backend.h"
#include "public.h"
#include "scheme.h"

static const uint8_t digest[KEYS_MAX_DIGEST] = "tls-handoff: does this key sign?";

static int try_scheme(struct keys_object *object, gnutls_pubkey_t pub, uint16_t scheme,
		      uint16_t hash, struct keys_words *words)
{
	size_t digest_len = keys_hash_length(hash), length = 0;
	uint8_t signature[KEYS_MAX_SIGNATURE];
	gnutls_datum_t input, output;
	int ret;

	ret = object->backend->sign(object, scheme, hash, digest, digest_len, signature, &length,
				    words);
	if (ret < 0)
		return ret;
	input = (gnutls_datum_t){ (unsigned char *)digest, (unsigned int)digest_len };
	output = (gnutls_datum_t){ signature, (unsigned int)length };
	ret = gnutls_pubkey_verify_hash2(pub, keys_scheme_gnutls(scheme, hash), 0, &input, &output);
	if (ret >= 0)
		return 0;
	/* GnuTLS demands the salt that TLS 1.3 does: as long as the hash. */
	if (scheme == KEYS_SCHEME_RSA_PSS)
		return keys_fail(
			words, EOPNOTSUPP,
			"makes %s signatures that TLS refuses (is its salt as long as the hash?)",
			keys_scheme_name(scheme, hash));
	return keys_fail(words, EINVAL, "makes %s signatures that its public key does not verify",
			 keys_scheme_name(scheme, hash));
}

static int try_key(struct keys_object *object, struct keys_words *words)
{
	gnutls_pubkey_t pub;
	int ret;

	if (public_import(&object->public, &pub) < 0)
		return keys_fail(words, EINVAL, "has a public key that cannot be decoded");
	switch (object->public.kind) {
	case KEYS_KIND_EC_P256:
		ret = try_scheme(object, pub, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, words);
		break;
	case KEYS_KIND_EC_P384:
		ret = try_scheme(object, pub, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA384, words);
		break;
	default:
		ret = try_scheme(object, pub, KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA256, words);
		if (ret == 0)
			ret = try_scheme(object, pub, KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA256,
					 words);
		break;
	}
	gnutls_pubkey_deinit(pub);
	return ret;
}

static int try_psk(struct keys_object *object, struct keys_words *words)
{
	uint8_t secret[KEYS_MAX_PSK];
	size_t length = 0;
	int ret;

	ret = object->backend->unseal(object, secret, &length, words);
	explicit_bzero(secret, sizeof(secret));
	if (ret < 0)
		return ret;
	if (length < KEYS_MIN_PSK)
		return keys_fail(words, EINVAL, "has %zu bytes of PSK, at least %d are needed",
				 length, KEYS_MIN_PSK);
	return 0;
}

int keys_self_test(struct keys_object *object, struct keys_words *words)
{
	return object->backend->sign ? try_key(object, words) : try_psk(object, words);
}

void keys_object_free(struct keys_object *object)
{
	if (object)
		object->backend->free(object);
}
