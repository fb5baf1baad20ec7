// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Certificate policy: path, time, revocation, purpose, name; raw public keys
 * against the truststore.  Each refusal has its alert and its words here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "handshake.h"
#include "log.h"
#include "profile.h"
#include "trust.h"
#include "verify.h"

#define MAX_CHAIN  32  /* certificates of a peer that are looked at */
#define SHOWN_NAME 100 /* bytes of a peer's identity in a sentence */

/* The first reason that applies is the one that is told, the gravest first. */
static const struct {
	uint32_t status;
	int alert;
	const char *words;
} reasons[] = {
	{ TLS_HANDOFF_VERIFY_REVOKED, ALERT_CERTIFICATE_REVOKED, "is revoked" },
	{ TLS_HANDOFF_VERIFY_SIGNATURE, ALERT_BAD_CERTIFICATE,
	  "has a signature in its chain that is wrong or too weak" },
	{ TLS_HANDOFF_VERIFY_EXPIRED, ALERT_CERTIFICATE_EXPIRED, "has expired" },
	{ TLS_HANDOFF_VERIFY_NOT_YET_VALID, ALERT_BAD_CERTIFICATE, "is not yet valid" },
	{ TLS_HANDOFF_VERIFY_UNTRUSTED, ALERT_UNKNOWN_CA,
	  "is not trusted: no path leads to a trust anchor" },
	{ TLS_HANDOFF_VERIFY_CRL_STALE, ALERT_CERTIFICATE_UNKNOWN,
	  "cannot be checked: the revocation list is out of date" },
	{ TLS_HANDOFF_VERIFY_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
	  "is not meant for this role (extended key usage)" },
	{ TLS_HANDOFF_VERIFY_NAME, ALERT_BAD_CERTIFICATE, "is for another name" },
	{ (uint32_t)TLS_HANDOFF_VERIFY_OTHER, ALERT_CERTIFICATE_UNKNOWN, "cannot be verified" },
};

static int refuse(struct handshake *handshake, uint32_t status)
{
	const struct parameters *p = &handshake->parameters;
	size_t i = 0;

	while (!(reasons[i].status & status) && i + 1 < sizeof(reasons) / sizeof(reasons[0]))
		i++;
	handshake->failure.verify = status;
	if (p->peer_name[0])
		failure_set(&handshake->failure, EKEYREJECTED, reasons[i].alert,
			    "The certificate of %.*s (%.*s) %s; profile \"%s\".", SHOWN_NAME / 2,
			    p->peer_name, SHOWN_NAME / 2, handshake->identity, reasons[i].words,
			    handshake->session->profile->name);
	else
		failure_set(&handshake->failure, EKEYREJECTED, reasons[i].alert,
			    "The peer's certificate (%.*s) %s; profile \"%s\".", SHOWN_NAME,
			    handshake->identity, reasons[i].words,
			    handshake->session->profile->name);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int malformed(struct handshake *handshake)
{
	handshake->failure.verify = (uint32_t)TLS_HANDOFF_VERIFY_OTHER;
	failure_set(&handshake->failure, EKEYREJECTED, ALERT_BAD_CERTIFICATE,
		    "The peer's certificate cannot be read.");
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* INFO's PEER_CERT: the leaf as it came */
static int keep_certificate(struct handshake *handshake, const gnutls_datum_t *leaf)
{
	if (leaf->size == 0 || leaf->size > TLS_HANDOFF_MAX_CERT)
		return malformed(handshake);
	free(handshake->peer_certificate);
	handshake->peer_certificate = malloc(leaf->size);
	if (!handshake->peer_certificate)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(handshake->peer_certificate, leaf->data, leaf->size);
	handshake->peer_certificate_length = leaf->size;
	return 0;
}

static int import_chain(const gnutls_datum_t *certificates, unsigned int count,
			gnutls_x509_crt_t *ret_chain)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < count; i++) {
		r = gnutls_x509_crt_init(&ret_chain[i]);
		if (r < 0)
			break;
		r = gnutls_x509_crt_import(ret_chain[i], &certificates[i], GNUTLS_X509_FMT_DER);
		if (r < 0) {
			gnutls_x509_crt_deinit(ret_chain[i]);
			break;
		}
	}
	if (r < 0)
		while (i-- > 0)
			gnutls_x509_crt_deinit(ret_chain[i]);
	return r;
}

/* What is asked of the name, beyond the chain */
static uint32_t check_name(struct handshake *handshake, gnutls_x509_crt_t leaf)
{
	const struct parameters *p = &handshake->parameters;

	names_of_certificate(leaf, handshake->identity);
	if (p->role != TLS_HANDOFF_CLIENT)
		return 0;
	if (!p->peer_name[0])
		return TLS_HANDOFF_VERIFY_NAME;
	return names_match_certificate(leaf, p->peer_name, handshake->identity) ?
		       0 :
		       TLS_HANDOFF_VERIFY_NAME;
}

static int verify_chain(struct handshake *handshake, gnutls_x509_crt_t *chain, unsigned int count)
{
	const struct parameters *p = &handshake->parameters;
	uint32_t status = 0, name;
	int r;

	name = check_name(handshake, chain[0]);
	r = trust_verify(handshake->session->profile->trust, chain, count,
			 p->role == TLS_HANDOFF_CLIENT ? GNUTLS_KP_TLS_WWW_SERVER :
							 GNUTLS_KP_TLS_WWW_CLIENT,
			 &status);
	if (r < 0)
		status = (uint32_t)TLS_HANDOFF_VERIFY_OTHER;
	status |= name;
	if (status == 0)
		return 0;
	if (p->auth != TLS_HANDOFF_AUTH_UNAUTH)
		return refuse(handshake, status);
	/* Told, not enforced; and nobody's name is vouched for. */
	handshake->failure.verify = status;
	handshake->identity[0] = 0;
	return 0;
}

static int verify_x509(struct handshake *handshake, const gnutls_datum_t *certificates,
		       unsigned int count)
{
	gnutls_x509_crt_t chain[MAX_CHAIN];
	int r;

	r = keep_certificate(handshake, &certificates[0]);
	if (r < 0)
		return r;
	if (count > MAX_CHAIN)
		return malformed(handshake);
	if (import_chain(certificates, count, chain) < 0)
		return malformed(handshake);
	handshake->peer_expires = gnutls_x509_crt_get_expiration_time(chain[0]);
	r = verify_chain(handshake, chain, count);
	for (unsigned int i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	return r;
}

/* RFC 7250: the "certificate" is a SubjectPublicKeyInfo, and it is known or it is not. */
static int verify_raw(struct handshake *handshake, const gnutls_datum_t *spki)
{
	names_of_public_key(spki->data, spki->size, handshake->identity);
	if (trust_has_public_key(handshake->session->profile->trust, spki->data, spki->size))
		return 0;
	handshake->failure.verify = TLS_HANDOFF_VERIFY_UNTRUSTED;
	failure_set(&handshake->failure, EKEYREJECTED, ALERT_CERTIFICATE_UNKNOWN,
		    "The peer's public key (%.*s) is not in the truststore of profile \"%s\".",
		    failure_cut(handshake->identity, SHOWN_NAME), handshake->identity,
		    handshake->session->profile->name);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int verify_shown(struct handshake *handshake, gnutls_certificate_type_t type,
			const gnutls_datum_t *certificates, unsigned int count)
{
	if (handshake->parameters.auth == TLS_HANDOFF_AUTH_RAWPK)
		return type == GNUTLS_CRT_RAWPK ? verify_raw(handshake, &certificates[0]) :
						  malformed(handshake);
	return type == GNUTLS_CRT_X509 ? verify_x509(handshake, certificates, count) :
					 malformed(handshake);
}

int verify_peer(gnutls_session_t tls)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	const struct parameters *p = &handshake->parameters;
	const gnutls_datum_t *certificates;
	unsigned int count = 0;
	int r;

	certificates = gnutls_certificate_get_peers(tls, &count);
	if (!certificates || count == 0) {
		/* a client may have none, if it was only requested */
		if (p->role == TLS_HANDOFF_SERVER && p->client_cert != TLS_HANDOFF_CERT_REQUIRE)
			return 0;
		return GNUTLS_E_CERTIFICATE_REQUIRED;
	}
	r = verify_shown(handshake, gnutls_certificate_type_get2(tls, GNUTLS_CTYPE_PEERS),
			 certificates, count);
	handshake->verified = r == 0;
	return r;
}
