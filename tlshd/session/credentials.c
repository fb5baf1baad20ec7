// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Certificates and keys of ours.  As server GnuTLS chooses among a profile's
 * chains by SNI, then by key type; as client the callback here does, unless the
 * kernel named a certificate.  A private key is a pair of callbacks that ask the
 * key holder.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "credentials.h"
#include "handshake.h"
#include "keyclient.h"
#include "log.h"
#include "trust.h"

#define MAX_DIGEST 64 /* bytes: SHA-512 */

static void mistake(char **ret_mistake, const char *path, const char *words)
{
	if (asprintf(ret_mistake, "%s: %s", path, words) < 0)
		*ret_mistake = NULL;
}

static int chain_issuers(struct profile_chain *chain)
{
	gnutls_x509_crt_t certificate;
	int r;

	chain->issuers = calloc(chain->count, sizeof(*chain->issuers));
	if (!chain->issuers)
		return -ENOMEM;
	r = gnutls_pcert_export_x509(&chain->certificates[0], &chain->leaf);
	for (unsigned int i = 0; r >= 0 && i < chain->count; i++) {
		r = gnutls_pcert_export_x509(&chain->certificates[i], &certificate);
		if (r < 0)
			break;
		r = gnutls_x509_crt_get_raw_issuer_dn(certificate, &chain->issuers[i]);
		gnutls_x509_crt_deinit(certificate);
	}
	return r < 0 ? -EINVAL : 0;
}

/* What pairing and choosing need to know of it */
static int describe_chain(struct profile_chain *chain)
{
	if (chain->count == 0 || gnutls_pubkey_export2(chain->certificates[0].pubkey,
						       GNUTLS_X509_FMT_DER, &chain->spki) < 0)
		return -EINVAL;
	return chain_issuers(chain);
}

int credentials_load_chain(const char *path, const gnutls_datum_t *data,
			   struct profile_chain *ret_chain, char **ret_mistake)
{
	struct profile_chain chain = { 0 };
	unsigned int count = PROFILE_MAX_CHAIN;
	gnutls_x509_crt_fmt_t format;
	int r;

	format = strstr((const char *)data->data, "-----BEGIN") ? GNUTLS_X509_FMT_PEM :
								  GNUTLS_X509_FMT_DER;
	chain.path = strdup(path);
	chain.certificates = calloc(PROFILE_MAX_CHAIN, sizeof(*chain.certificates));
	if (!chain.path || !chain.certificates) {
		credentials_free_chain(&chain);
		return -ENOMEM;
	}
	r = gnutls_pcert_list_import_x509_raw(chain.certificates, &count, data, format,
					      GNUTLS_X509_CRT_LIST_SORT);
	if (r < 0) {
		mistake(ret_mistake, path,
			r == GNUTLS_E_SHORT_MEMORY_BUFFER ? "more than 16 certificates" :
							    gnutls_strerror(r));
	} else {
		chain.count = count;
		r = describe_chain(&chain);
		if (r < 0)
			mistake(ret_mistake, path, "no certificate in it that can be read");
	}
	if (r < 0) {
		credentials_free_chain(&chain);
		return -EINVAL;
	}
	*ret_chain = chain;
	return 0;
}

void credentials_free_chain(struct profile_chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++) {
		gnutls_pcert_deinit(&chain->certificates[i]);
		if (chain->issuers)
			gnutls_free(chain->issuers[i].data);
	}
	free(chain->certificates);
	free(chain->issuers);
	gnutls_free(chain->spki.data);
	if (chain->leaf)
		gnutls_x509_crt_deinit(chain->leaf);
	if (chain->key)
		gnutls_privkey_deinit(chain->key);
	free(chain->path);
}

/* What a signature scheme is for the key holder; false for one we don't have. */
static const struct scheme {
	gnutls_sign_algorithm_t algorithm;
	enum keys_kind kind;
	enum keys_scheme scheme;
	enum keys_hash hash;
	unsigned int digest_length;
} schemes[] = {
	{ GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, KEYS_KIND_EC_P256, KEYS_SCHEME_ECDSA,
	  KEYS_HASH_SHA256, 32 },
	{ GNUTLS_SIGN_ECDSA_SHA256, KEYS_KIND_EC_P256, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, 32 },
	{ GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, KEYS_KIND_EC_P384, KEYS_SCHEME_ECDSA,
	  KEYS_HASH_SHA384, 48 },
	{ GNUTLS_SIGN_ECDSA_SHA384, KEYS_KIND_EC_P384, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA384, 48 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA256,
	  32 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA384,
	  48 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA512,
	  64 },
	{ GNUTLS_SIGN_RSA_SHA256, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA256, 32 },
	{ GNUTLS_SIGN_RSA_SHA384, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA384, 48 },
	{ GNUTLS_SIGN_RSA_SHA512, KEYS_KIND_RSA, KEYS_SCHEME_RSA_PKCS1, KEYS_HASH_SHA512, 64 },
};

static const struct scheme *find_scheme(gnutls_sign_algorithm_t algorithm, enum keys_kind kind)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].algorithm == algorithm && schemes[i].kind == kind)
			return &schemes[i];
	return NULL;
}

static int key_info(gnutls_privkey_t privkey, unsigned int flags, void *userdata)
{
	const struct keyclient_key *key = userdata;

	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) {
		gnutls_sign_algorithm_t algorithm = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);

		/* what RSA_SHA256 and its like become on their way to the callback */
		if (algorithm == GNUTLS_SIGN_RSA_RAW)
			return key->kind == KEYS_KIND_RSA;
		return !!find_scheme(algorithm, key->kind);
	}
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return key->kind == KEYS_KIND_RSA ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)key->bits;
	return -1;
}

/* PKCS#1 signatures arrive as RSA_RAW over a DigestInfo: back to scheme and digest. */
static const struct scheme *open_digest_info(const gnutls_datum_t *info, uint8_t *digest,
					     unsigned int *length)
{
	gnutls_digest_algorithm_t hash;

	if (gnutls_decode_ber_digest_info(info, &hash, digest, length) < 0)
		return NULL;
	switch (hash) {
	case GNUTLS_DIG_SHA256:
		return find_scheme(GNUTLS_SIGN_RSA_SHA256, KEYS_KIND_RSA);
	case GNUTLS_DIG_SHA384:
		return find_scheme(GNUTLS_SIGN_RSA_SHA384, KEYS_KIND_RSA);
	case GNUTLS_DIG_SHA512:
		return find_scheme(GNUTLS_SIGN_RSA_SHA512, KEYS_KIND_RSA);
	default:
		return NULL;
	}
}

static int sign_failed(struct handshake *handshake, const struct keyclient_key *key, int error,
		       const char *words)
{
	if (error == -EPIPE)
		words = "the key holder is gone; tlshd starts it again";
	if (!words || !words[0])
		words = strerror(-error);
	if (key->profile[0])
		failure_set(&handshake->failure, EIO, ALERT_INTERNAL_ERROR,
			    "Private key %u of profile \"%s\" cannot be used: %s.", key->index + 1,
			    key->profile, words);
	else
		failure_set(&handshake->failure, EIO, ALERT_INTERNAL_ERROR,
			    "The kernel's private key %u cannot be used: %s.",
			    handshake->parameters.private_key, words);
	return GNUTLS_E_PK_SIGN_FAILED;
}

static int sign_hash(gnutls_privkey_t privkey, gnutls_sign_algorithm_t algorithm, void *userdata,
		     unsigned int flags, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	struct handshake *handshake = handshake_current();
	struct keyclient_key *key = userdata;
	char words[KEYCLIENT_MAX_WORDS] = "";
	gnutls_datum_t answer = { NULL, 0 };
	struct keyclient_user user;
	const struct scheme *scheme;
	struct counts *counts; /* the session may be gone when there is an answer */
	uint8_t digest[MAX_DIGEST];
	unsigned int length = sizeof(digest);
	int r;

	if (!handshake)
		return GNUTLS_E_INVALID_REQUEST;
	if (algorithm == GNUTLS_SIGN_RSA_RAW) {
		scheme = open_digest_info(hash, digest, &length);
	} else {
		scheme = find_scheme(algorithm, key->kind);
		if (hash->size > sizeof(digest))
			return GNUTLS_E_INVALID_REQUEST;
		length = hash->size;
		memcpy(digest, hash->data, length);
	}
	if (!scheme || scheme->digest_length != length)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;

	user = (struct keyclient_user){ handshake->parameters.uid, handshake->session->id,
					&handshake->closed };
	counts = &handshake->session->room->resume->counts;
	r = keyclient_sign(key, &user, scheme->scheme, scheme->hash, digest, length, &answer,
			   words);
	counts->value[r < 0 ? COUNT_SIGNATURES_FAILED : COUNT_SIGNATURES]++;
	if (r < 0)
		return sign_failed(handshake, key, r, words);
	signature->data = gnutls_malloc(answer.size);
	if (signature->data) {
		memcpy(signature->data, answer.data, answer.size);
		signature->size = answer.size;
	}
	keyclient_answer_free(&answer);
	return signature->data ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int make_privkey(struct keyclient_key *key, gnutls_privkey_t *ret_privkey)
{
	gnutls_privkey_t privkey;
	int r;

	r = gnutls_privkey_init(&privkey);
	if (r < 0)
		return -ENOMEM;
	/* no decrypt callback: key exchange by RSA encryption does not exist here */
	r = gnutls_privkey_import_ext4(privkey, key, NULL, sign_hash, NULL, NULL, key_info, 0);
	if (r < 0) {
		gnutls_privkey_deinit(privkey);
		return -EINVAL;
	}
	*ret_privkey = privkey;
	return 0;
}

static bool same_datum(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool chain_is_from(const struct profile_chain *chain, const gnutls_datum_t *issuers,
			  unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int j = 0; j < chain->count; j++)
			if (same_datum(&issuers[i], &chain->issuers[j]))
				return true;
	return count == 0;
}

static int chain_type(const struct profile_chain *chain)
{
	return gnutls_pubkey_get_pk_algorithm(chain->certificates[0].pubkey, NULL);
}

static bool chain_has_type(const struct profile_chain *chain, const gnutls_pk_algorithm_t *types,
			   unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if ((int)types[i] == chain_type(chain))
			return true;
	return count == 0;
}

static void kernel_failed(struct handshake *handshake, int error, const char *words)
{
	failure_set(&handshake->failure, error, ALERT_NONE,
		    "The kernel's certificate %u cannot be used: %s.",
		    handshake->parameters.cert_key, words);
}

static int load_kernel_chain(struct handshake *handshake, const gnutls_datum_t *data)
{
	struct profile_chain *chain = &handshake->kernel_chain;
	char *mistake = NULL;
	int r;

	r = credentials_load_chain("its key", data, chain, &mistake);
	if (r < 0)
		kernel_failed(handshake, -r, mistake ? mistake : strerror(-r));
	free(mistake);
	if (r < 0)
		return -1;
	if (!same_datum(&chain->spki, &handshake->kernel_key->spki)) {
		kernel_failed(handshake, EINVAL, "it is not that of the private key named with it");
		return -1;
	}
	r = make_privkey(handshake->kernel_key, &chain->key);
	if (r < 0)
		kernel_failed(handshake, -r, "GnuTLS does not take its private key");
	return r < 0 ? -1 : 0;
}

int credentials_open_kernel(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	const struct keyclient_user user = { p->uid, handshake->session->id, &handshake->closed };
	char words[KEYCLIENT_MAX_WORDS] = "";
	gnutls_datum_t certificate = { NULL, 0 };
	int r;

	r = keyclient_open_kernel(handshake->session->room->keys, &user, p->cert_key,
				  p->private_key, &handshake->kernel_key, &certificate, words);
	if (r == -ECANCELED)
		return -1;
	if (r < 0) {
		kernel_failed(handshake, r == -EPIPE ? EIO : -r, words[0] ? words : strerror(-r));
		return -1;
	}
	r = load_kernel_chain(handshake, &certificate);
	keyclient_answer_free(&certificate);
	return r;
}

static void show(const struct profile_chain *chain, gnutls_pcert_st **certificates,
		 unsigned int *count, gnutls_privkey_t *key)
{
	*certificates = chain->certificates;
	*count = chain->count;
	*key = chain->key;
}

/* Client: the kernel's, whoever issued it; else the first chain whose issuer the server named and whose key it can check. */
static int choose_client_chain(gnutls_session_t tls, const struct gnutls_cert_retr_st *info,
			       gnutls_pcert_st **certificates, unsigned int *count,
			       gnutls_ocsp_data_st **ocsp, unsigned int *ocsp_length,
			       gnutls_privkey_t *key, unsigned int *flags)
{
	const struct handshake *handshake = gnutls_session_get_ptr(tls);
	const struct profile *profile = handshake->session->profile;

	*certificates = NULL;
	*count = 0;
	*ocsp = NULL;
	*ocsp_length = 0;
	*key = NULL;
	*flags = 0;
	if (handshake->parameters.client_cert == TLS_HANDOFF_CERT_NONE)
		return 0;
	if (handshake->kernel_key) {
		if (chain_has_type(&handshake->kernel_chain, info->pk_algos, info->pk_algos_length))
			show(&handshake->kernel_chain, certificates, count, key);
		return 0;
	}
	for (size_t i = 0; i < profile->chain_count; i++) {
		const struct profile_chain *chain = &profile->chains[i];

		if (!chain->key || !chain_is_from(chain, info->req_ca_rdn, info->nreqs) ||
		    !chain_has_type(chain, info->pk_algos, info->pk_algos_length))
			continue;
		show(chain, certificates, count, key);
		break;
	}
	return 0;
}

unsigned int credentials_key_types(const struct profile *profile, const char *server_name)
{
	char identity[NAMES_IDENTITY];
	unsigned int types = 0;

	for (size_t i = 0; i < profile->chain_count; i++) {
		const struct profile_chain *chain = &profile->chains[i];

		if (chain->key && names_match_certificate(chain->leaf, server_name, identity))
			types |= chain_type(chain) == GNUTLS_PK_RSA ? CREDENTIALS_RSA :
								      CREDENTIALS_ECDSA;
	}
	return types;
}

/* Server: GnuTLS owns what it is given, so it gets a second copy. */
static int add_server_chain(struct profile *profile, const struct profile_chain *chain,
			    struct keyclient_key *key)
{
	gnutls_pcert_st copies[PROFILE_MAX_CHAIN];
	gnutls_privkey_t privkey;
	unsigned int i;
	int r = 0;

	for (i = 0; i < chain->count; i++) {
		r = gnutls_pcert_import_x509_raw(&copies[i], &chain->certificates[i].cert,
						 GNUTLS_X509_FMT_DER, 0);
		if (r < 0)
			break;
	}
	if (r >= 0 && make_privkey(key, &privkey) == 0) {
		r = gnutls_certificate_set_key(profile->server, NULL, 0, copies, (int)i, privkey);
		if (r >= 0)
			return 0;
		gnutls_privkey_deinit(privkey);
	}
	while (i-- > 0)
		gnutls_pcert_deinit(&copies[i]);
	return -EINVAL;
}

static bool key_has_chain(const struct profile *profile, const struct keyclient_key *key)
{
	for (size_t i = 0; i < profile->chain_count; i++)
		if (same_datum(&profile->chains[i].spki, &key->spki))
			return true;
	return false;
}

static int attach_chains(struct profile *profile, struct keyclient_key *key)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < profile->chain_count; i++) {
		struct profile_chain *chain = &profile->chains[i];

		if (chain->key || !same_datum(&chain->spki, &key->spki))
			continue;
		r = make_privkey(key, &chain->key);
		if (r == 0)
			r = add_server_chain(profile, chain, key);
	}
	return r;
}

static int attach_raw_key(struct profile *profile, struct keyclient_key *key)
{
	gnutls_pcert_st copy;
	gnutls_privkey_t privkey;
	int r;

	if (profile->raw_key_count >= PROFILE_MAX_KEYS)
		return 0;
	if (gnutls_pcert_import_rawpk_raw(&copy, &key->spki, GNUTLS_X509_FMT_DER, 0, 0) < 0)
		return -EINVAL;
	r = make_privkey(key, &privkey);
	if (r == 0 && gnutls_certificate_set_key(profile->raw, NULL, 0, &copy, 1, privkey) < 0) {
		gnutls_privkey_deinit(privkey);
		r = -EINVAL;
	}
	if (r < 0)
		gnutls_pcert_deinit(&copy);
	else
		profile->raw_key_count++;
	return r;
}

static int new_credentials(gnutls_certificate_credentials_t *ret)
{
	if (gnutls_certificate_allocate_credentials(ret) < 0)
		return -ENOMEM;
	/* certificate and key were paired by public key; a test signature would wait for a TPM */
	gnutls_certificate_set_flags(*ret, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	return 0;
}

int credentials_attach_keys(struct profile *profile, struct keyclient *keys)
{
	if (new_credentials(&profile->client) < 0 || new_credentials(&profile->server) < 0 ||
	    new_credentials(&profile->raw) < 0)
		return -ENOMEM;
	gnutls_certificate_set_retrieve_function3(profile->client, choose_client_chain);
	if (trust_announce(profile->trust, profile->server) < 0)
		return -EINVAL;

	for (size_t i = 0; i < keyclient_key_count(keys); i++) {
		struct keyclient_key *key = keyclient_key(keys, i);

		if (strcmp(key->profile, profile->name) != 0)
			continue;
		if (attach_chains(profile, key) < 0 || attach_raw_key(profile, key) < 0)
			log_message(LOG_ERR, "profile \"%s\": GnuTLS does not take private key %u",
				    profile->name, key->index + 1);
		else if (!key_has_chain(profile, key))
			log_message(LOG_NOTICE,
				    "profile \"%s\": private key %u has no certificate "
				    "in this profile; it is used as raw public key only",
				    profile->name, key->index + 1);
	}
	for (size_t i = 0; i < profile->chain_count; i++)
		if (!profile->chains[i].key)
			log_message(LOG_WARNING,
				    "profile \"%s\": %s has no private key in this "
				    "profile and is not used; add its key to private_key",
				    profile->name, profile->chains[i].path);
	return 0;
}
