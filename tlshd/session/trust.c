// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trust anchors on a GnuTLS trust list.  GnuTLS looks certificates up in
 * revocation lists but not at the age of a list: that is done here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "failure.h"
#include "file.h"
#include "trust.h"

#define PEM_CERTIFICATE "-----BEGIN CERTIFICATE-----"
#define PEM_PUBLIC_KEY	"-----BEGIN PUBLIC KEY-----"
#define MAX_CHAIN	16 /* certificates of a peer */

/* At least 112 bits: no RSA below 2048 bits, no SHA-1 */
#define VERIFY_FLAGS GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM)

struct trust {
	unsigned int references;
	char *truststore; /* NULL: the system's */
	char *crl;	  /* NULL: none */
	gnutls_x509_trust_list_t list;
	gnutls_datum_t file;	 /* of the truststore, to announce it */
	gnutls_x509_crl_t *crls; /* owned by the list */
	unsigned int crl_count;
	gnutls_datum_t *public_keys; /* SPKI, DER */
	size_t public_key_count;
	uint8_t fingerprint[TRUST_FINGERPRINT];
};

static void say(char **ret_mistake, const char *path, const char *words)
{
	if (asprintf(ret_mistake, "%s: %s", path, words) < 0)
		*ret_mistake = NULL;
}

static int load_certificates(struct trust *trust)
{
	if (!strstr((const char *)trust->file.data, PEM_CERTIFICATE))
		return 0;
	return gnutls_x509_trust_list_add_trust_mem(trust->list, &trust->file, NULL,
						    GNUTLS_X509_FMT_PEM, 0, 0);
}

/* One PUBLIC KEY block; @text starts with it. */
static int load_public_key(struct trust *trust, const char *text)
{
	const gnutls_datum_t pem = { (void *)(uintptr_t)text, (unsigned int)strlen(text) };
	gnutls_datum_t *keys, spki = { NULL, 0 };
	gnutls_pubkey_t key;
	int r;

	r = gnutls_pubkey_init(&key);
	if (r < 0)
		return r;
	r = gnutls_pubkey_import(key, &pem, GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		r = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki);
	gnutls_pubkey_deinit(key);
	if (r < 0)
		return r;
	keys = reallocarray(trust->public_keys, trust->public_key_count + 1, sizeof(*keys));
	if (!keys) {
		gnutls_free(spki.data);
		return GNUTLS_E_MEMORY_ERROR;
	}
	trust->public_keys = keys;
	keys[trust->public_key_count++] = spki;
	return 0;
}

static int load_truststore(struct trust *trust, char **ret_mistake)
{
	const char *block;
	int certificates, r;

	if (!trust->truststore) {
		/* A machine without anchors trusts nobody; that is no mistake in the file. */
		gnutls_x509_trust_list_add_system_trust(trust->list, 0, 0);
		return 0;
	}
	r = file_read(trust->truststore, TRUST_MAX_FILE, &trust->file, ret_mistake);
	if (r < 0)
		return r;
	certificates = load_certificates(trust);
	if (certificates < 0) {
		say(ret_mistake, trust->truststore, gnutls_strerror(certificates));
		return -EINVAL;
	}
	block = (const char *)trust->file.data;
	while ((block = strstr(block, PEM_PUBLIC_KEY))) {
		r = load_public_key(trust, block);
		if (r < 0) {
			say(ret_mistake, trust->truststore, "a PUBLIC KEY entry cannot be read");
			return -EINVAL;
		}
		block += strlen(PEM_PUBLIC_KEY);
	}
	if (certificates == 0 && trust->public_key_count == 0) {
		say(ret_mistake, trust->truststore,
		    "neither a certificate nor a public key in PEM");
		return -EINVAL;
	}
	return 0;
}

static int load_crl(struct trust *trust, char **ret_mistake)
{
	gnutls_datum_t data = { NULL, 0 };
	int added, r;

	r = file_read(trust->crl, TRUST_MAX_FILE, &data, ret_mistake);
	if (r < 0)
		return r;
	r = gnutls_x509_crl_list_import2(&trust->crls, &trust->crl_count, &data,
					 GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		r = gnutls_x509_crl_list_import2(&trust->crls, &trust->crl_count, &data,
						 GNUTLS_X509_FMT_DER, 0);
	free(data.data);
	if (r < 0) {
		trust->crls = NULL;
		trust->crl_count = 0;
		say(ret_mistake, trust->crl, gnutls_strerror(r));
		return -EINVAL;
	}
	/* The file is as trusted as the truststore: it may come from an intermediate CA, which
	 * only the peers know.  The list owns what it takes; a stale one refuses peers later. */
	added = gnutls_x509_trust_list_add_crls(trust->list, trust->crls, trust->crl_count, 0, 0);
	if (added < 0 || (unsigned int)added != trust->crl_count)
		return -ENOMEM;
	return 0;
}

static void hash_datum(gnutls_hash_hd_t hash, const gnutls_datum_t *datum)
{
	uint64_t length = datum->size;

	gnutls_hash(hash, &length, sizeof(length));
	gnutls_hash(hash, datum->data, datum->size);
}

static int hash_anchors(const struct trust *trust, gnutls_hash_hd_t hash)
{
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_datum_t der = { NULL, 0 };
	gnutls_x509_crt_t anchor;
	int r;

	while ((r = gnutls_x509_trust_list_iter_get_ca(trust->list, &iter, &anchor)) == 0) {
		r = gnutls_x509_crt_export2(anchor, GNUTLS_X509_FMT_DER, &der);
		gnutls_x509_crt_deinit(anchor);
		if (r < 0)
			break;
		hash_datum(hash, &der);
		gnutls_free(der.data);
		der.data = NULL;
	}
	gnutls_x509_trust_list_iter_deinit(iter);
	return r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : r;
}

static int hash_crls(const struct trust *trust, gnutls_hash_hd_t hash)
{
	gnutls_datum_t der = { NULL, 0 };
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < trust->crl_count; i++) {
		r = gnutls_x509_crl_export2(trust->crls[i], GNUTLS_X509_FMT_DER, &der);
		if (r == 0)
			hash_datum(hash, &der);
		gnutls_free(der.data);
		der.data = NULL;
	}
	return r;
}

static int make_fingerprint(struct trust *trust)
{
	gnutls_hash_hd_t hash;
	int r;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return -ENOMEM;
	r = hash_anchors(trust, hash);
	for (size_t i = 0; i < trust->public_key_count; i++)
		hash_datum(hash, &trust->public_keys[i]);
	if (r == 0)
		r = hash_crls(trust, hash);
	gnutls_hash_deinit(hash, trust->fingerprint);
	return r < 0 ? -ENOMEM : 0;
}

const uint8_t *trust_fingerprint(const struct trust *trust)
{
	return trust->fingerprint;
}

int trust_load(const char *truststore, const char *crl, struct trust **ret_trust,
	       char **ret_mistake, bool *ret_in_crl)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	int r;

	if (!trust)
		return -ENOMEM;
	trust->references = 1;
	trust->truststore = truststore ? strdup(truststore) : NULL;
	trust->crl = crl ? strdup(crl) : NULL;
	if ((truststore && !trust->truststore) || (crl && !trust->crl) ||
	    gnutls_x509_trust_list_init(&trust->list, 0) < 0) {
		trust_free(trust);
		return -ENOMEM;
	}
	*ret_in_crl = false;
	r = load_truststore(trust, ret_mistake);
	if (r == 0 && crl) {
		*ret_in_crl = true;
		r = load_crl(trust, ret_mistake);
	}
	if (r == 0)
		r = make_fingerprint(trust);
	if (r < 0) {
		trust_free(trust);
		return r;
	}
	*ret_trust = trust;
	return 0;
}

struct trust *trust_ref(struct trust *trust)
{
	trust->references++;
	return trust;
}

void trust_free(struct trust *trust)
{
	if (!trust || --trust->references)
		return;
	for (size_t i = 0; i < trust->public_key_count; i++)
		gnutls_free(trust->public_keys[i].data);
	free(trust->public_keys);
	if (trust->list)
		gnutls_x509_trust_list_deinit(trust->list, 1);
	gnutls_free(trust->crls);
	free(trust->file.data);
	free(trust->truststore);
	free(trust->crl);
	free(trust);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool trust_is(const struct trust *trust, const char *truststore, const char *crl)
{
	return same(trust->truststore, truststore) && same(trust->crl, crl);
}

/* Whether @crl covers certificates that issued @certificate's, by the issuer's name. */
static bool crl_covers(gnutls_x509_crl_t crl, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t of_crl = { NULL, 0 }, of_certificate = { NULL, 0 };
	bool covers;

	covers = gnutls_x509_crl_get_raw_issuer_dn(crl, &of_crl) >= 0 &&
		 gnutls_x509_crt_get_raw_issuer_dn(certificate, &of_certificate) >= 0 &&
		 of_crl.size == of_certificate.size &&
		 memcmp(of_crl.data, of_certificate.data, of_crl.size) == 0;
	gnutls_free(of_crl.data);
	gnutls_free(of_certificate.data);
	return covers;
}

/* A list without nextUpdate never says that it is out of date: it is not trusted to be new. */
static bool crl_is_stale(gnutls_x509_crl_t crl, time_t now)
{
	time_t next = gnutls_x509_crl_get_next_update(crl);
	time_t this = gnutls_x509_crl_get_this_update(crl);

	return next == (time_t)-1 || next < now || this == (time_t)-1 || this > now;
}

static bool any_crl_is_stale(const struct trust *trust, gnutls_x509_crt_t *chain,
			     unsigned int count)
{
	time_t now = time(NULL);

	for (unsigned int i = 0; i < trust->crl_count; i++)
		for (unsigned int j = 0; j < count; j++)
			if (crl_covers(trust->crls[i], chain[j]) &&
			    crl_is_stale(trust->crls[i], now))
				return true;
	return false;
}

static const struct {
	unsigned int gnutls;
	uint32_t ours;
} status_bits[] = {
	{ GNUTLS_CERT_REVOKED, TLS_HANDOFF_VERIFY_REVOKED },
	{ GNUTLS_CERT_EXPIRED, TLS_HANDOFF_VERIFY_EXPIRED },
	{ GNUTLS_CERT_NOT_ACTIVATED, TLS_HANDOFF_VERIFY_NOT_YET_VALID },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, TLS_HANDOFF_VERIFY_UNTRUSTED },
	{ GNUTLS_CERT_SIGNER_NOT_CA, TLS_HANDOFF_VERIFY_UNTRUSTED },
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, TLS_HANDOFF_VERIFY_UNTRUSTED },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, TLS_HANDOFF_VERIFY_SIGNATURE },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, TLS_HANDOFF_VERIFY_SIGNATURE },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, TLS_HANDOFF_VERIFY_PURPOSE },
	{ GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, TLS_HANDOFF_VERIFY_CRL_STALE },
	{ GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, TLS_HANDOFF_VERIFY_CRL_STALE },
};

static uint32_t status_of(unsigned int gnutls)
{
	uint32_t status = 0;

	gnutls &= ~(unsigned int)GNUTLS_CERT_INVALID; /* the sum of the others */
	for (size_t i = 0; i < sizeof(status_bits) / sizeof(status_bits[0]); i++) {
		if (gnutls & status_bits[i].gnutls)
			status |= status_bits[i].ours;
		gnutls &= ~status_bits[i].gnutls;
	}
	return gnutls ? status | (uint32_t)TLS_HANDOFF_VERIFY_OTHER : status;
}

int trust_verify(const struct trust *trust, gnutls_x509_crt_t *chain, unsigned int count,
		 const char *purpose, uint32_t *ret_status)
{
	gnutls_typed_vdata_st data = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (void *)(uintptr_t)purpose,
	};
	unsigned int raw = 0;
	uint32_t status;
	int r;

	if (count > MAX_CHAIN) {
		*ret_status = TLS_HANDOFF_VERIFY_OTHER;
		return 0;
	}
	r = gnutls_x509_trust_list_verify_crt2(trust->list, chain, count, &data, 1, VERIFY_FLAGS,
					       &raw, NULL);
	if (r < 0)
		return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	status = status_of(raw);
	if (raw && !status)
		status = TLS_HANDOFF_VERIFY_UNTRUSTED;
	if (any_crl_is_stale(trust, chain, count))
		status |= TLS_HANDOFF_VERIFY_CRL_STALE;
	*ret_status = status;
	return 0;
}

bool trust_has_public_key(const struct trust *trust, const uint8_t *spki, size_t length)
{
	for (size_t i = 0; i < trust->public_key_count; i++)
		if (trust->public_keys[i].size == length &&
		    memcmp(trust->public_keys[i].data, spki, length) == 0)
			return true;
	return false;
}

int trust_announce(const struct trust *trust, gnutls_certificate_credentials_t credentials)
{
	gnutls_x509_crt_t *anchors = NULL;
	unsigned int count = 0;
	int r;

	if (!trust->file.data || !strstr((const char *)trust->file.data, PEM_CERTIFICATE))
		return 0;
	r = gnutls_x509_crt_list_import2(&anchors, &count, &trust->file, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		return -EINVAL;
	if (count <= TRUST_MAX_ANNOUNCED)
		r = gnutls_certificate_set_x509_trust(credentials, anchors, (int)count);
	for (unsigned int i = 0; i < count; i++)
		gnutls_x509_crt_deinit(anchors[i]);
	gnutls_free(anchors);
	return r < 0 ? -EINVAL : 0;
}
