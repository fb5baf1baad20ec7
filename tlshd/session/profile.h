/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles: what tlshd.conf allows, the session handler's part of it.  Read once,
 * before the sandbox; constant afterwards.
 */
#ifndef TLSHD_SESSION_PROFILE_H
#define TLSHD_SESSION_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>

#include "../../uapi/linux/tls_handoff.h"
#include "config.h"

struct keyclient;
struct trust;

#define PROFILE_MAX_CHAIN  16 /* certificates of one chain */
#define PROFILE_MAX_CHAINS CONFIG_MAX_LIST
#define PROFILE_MAX_KEYS   CONFIG_MAX_LIST
#define PROFILE_CONTENT	   32 /* bytes */

/* No chain of resumptions is longer: GnuTLS ends it one ticket_lifetime after the full
 * handshake that it began with. */
#define PROFILE_MAX_LIFETIME 86400 /* seconds */

/* A certificate chain of ours, leaf first; usable once its key was announced. */
struct profile_chain {
	char *path;
	gnutls_pcert_st *certificates;
	unsigned int count;
	gnutls_x509_crt_t leaf;
	gnutls_datum_t spki;	 /* of the leaf, DER */
	gnutls_datum_t *issuers; /* raw DN of each certificate's issuer */
	gnutls_privkey_t key;	 /* NULL: no key for it */
};

struct profile {
	char *name;
	uint16_t min_version, max_version;	   /* TLS_1_x_VERSION */
	uint16_t ciphers[TLS_HANDOFF_MAX_CIPHERS]; /* TLS_CIPHER_*, preference first */
	size_t cipher_count;
	uint8_t alpn[TLS_HANDOFF_MAX_ALPN]; /* length-prefixed; empty: any */
	size_t alpn_length;
	uint32_t client_cert; /* TLS_HANDOFF_CERT_* */
	bool unauth;
	bool resume;
	bool resume_tls12; /* in TLS 1.2, too */
	bool truncation_eof;
	uint64_t rekey_records;	  /* 0: the kernel's default */
	uint64_t rekey_seconds;	  /* 0: never for age */
	uint64_t update_rate;	  /* key updates of a peer, a second */
	uint64_t handler_timeout; /* seconds that the kernel waits for us; 0: its default */
	uint64_t ticket_lifetime; /* seconds; as configured, but at most PROFILE_MAX_LIFETIME */
	uint64_t stek_rotation;	  /* seconds */
	struct trust *trust;
	uint8_t content[PROFILE_CONTENT]; /* SHA-256 of what its files hold, keys aside */

	struct profile_chain *chains;
	size_t chain_count;
	size_t raw_key_count; /* in @raw: every key of the profile is one */

	/* What GnuTLS works with; made by profile_attach_keys() */
	gnutls_certificate_credentials_t client, server, raw;
};

struct profiles {
	struct profile *profiles;
	size_t count;
};

/* Reads every profile and the files it names.  Each mistake is given to @report as
 * "FILE:LINE: mistake"; all are looked for.  0, or -EINVAL if there was one, or -ENOMEM. */
int profiles_load(const struct config *config, void (*report)(const char *mistake),
		  struct profiles *ret_profiles);
void profiles_free(struct profiles *profiles);

/* NULL if there is none */
const struct profile *profiles_find(const struct profiles *profiles, const char *name);

/* Pairs certificates with announced keys and builds the credentials.  A certificate without
 * a key, or the reverse, is logged.  0 or -errno. */
int profiles_attach_keys(struct profiles *profiles, struct keyclient *keys);

#endif /* TLSHD_SESSION_PROFILE_H */
