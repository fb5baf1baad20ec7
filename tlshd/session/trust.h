/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trust anchors: the certificates, raw public keys and revocation lists that a
 * profile names.  Profiles that name the same files share one.
 */
#ifndef TLSHD_SESSION_TRUST_H
#define TLSHD_SESSION_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define TRUST_MAX_FILE	    (8 * 1024 * 1024) /* bytes of a file */
#define TRUST_MAX_ANNOUNCED 64		      /* anchors named to the clients of a server */

struct trust;

/*
 * Reads @truststore (NULL: the system's anchors) and @crl (NULL: none).  On failure
 * *ret_mistake (caller frees) says what is wrong and *ret_in_crl in which of the two.
 * 0 or -errno.
 */
int trust_load(const char *truststore, const char *crl, struct trust **ret_trust,
	       char **ret_mistake, bool *ret_in_crl);
struct trust *trust_ref(struct trust *trust);
void trust_free(struct trust *trust); /* drops one reference */

/* Whether it was loaded from these two. */
bool trust_is(const struct trust *trust, const char *truststore, const char *crl);

/*
 * Verifies @chain (leaf first) for @purpose (GNUTLS_KP_*) now.  *ret_status: 0 or
 * TLS_HANDOFF_VERIFY_* bits, names not looked at.  0 or -errno if it cannot be told.
 */
int trust_verify(const struct trust *trust, gnutls_x509_crt_t *chain, unsigned int count,
		 const char *purpose, uint32_t *ret_status) __attribute__((warn_unused_result));

/* Whether this SubjectPublicKeyInfo (DER) is one of the truststore's PUBLIC KEY entries. */
bool trust_has_public_key(const struct trust *trust, const uint8_t *spki, size_t length);

/* SHA-256 over its anchors, keys and lists: other content, other fingerprint. */
#define TRUST_FINGERPRINT 32 /* bytes */
const uint8_t *trust_fingerprint(const struct trust *trust);

/* Lets a server name its anchors in CertificateRequest, unless they are the system's. */
int trust_announce(const struct trust *trust, gnutls_certificate_credentials_t credentials);

#endif /* TLSHD_SESSION_TRUST_H */
