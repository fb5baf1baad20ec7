/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one connection may do: the profile, narrowed by the program's options.
 * An option that would loosen the profile is refused.
 */
#ifndef TLSHD_SESSION_NARROW_H
#define TLSHD_SESSION_NARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "failure.h"
#include "profile.h"
#include "protocol.h"

#define NARROW_MAX_ALPN_NAME 31	 /* bytes; GnuTLS takes no longer ones */
#define NARROW_REMOTE	     128 /* bytes, with the NUL */

struct parameters {
	uint32_t role;	      /* TLS_HANDOFF_CLIENT, _SERVER */
	uint32_t auth;	      /* TLS_HANDOFF_AUTH_* */
	uint32_t client_cert; /* TLS_HANDOFF_CERT_*: asked for by a server, shown by a client */
	uint32_t uid;
	uint16_t min_version, max_version;
	uint16_t ciphers[TLS_HANDOFF_MAX_CIPHERS]; /* preference first */
	size_t cipher_count;
	uint8_t alpn[TLS_HANDOFF_MAX_ALPN]; /* length-prefixed, preference first */
	size_t alpn_length;
	char peer_name[TLS_HANDOFF_MAX_PEER_NAME + 1]; /* client; A-labels or address; or empty */
	bool peer_is_address;
	char psk_identity[TLS_HANDOFF_MAX_PSK_IDENTITY + 1]; /* or empty */
	bool resume;		    /* with certificates or unauthenticated only */
	bool resume_tls12;	    /* in TLS 1.2, too */
	char remote[NARROW_REMOTE]; /* address and port, as the agent writes them; or empty */
	/* For a kernel consumer, whose PSKs are those of kernel keyrings.  Serials, 0: none */
	bool kernel;
	uint32_t keyring;
	uint32_t psk_keys[CHANNEL_MAX_PSK_KEYS]; /* client: its identities, preference first */
	size_t psk_key_count;
	uint32_t cert_key, private_key; /* instead of the profile's; both or none */
};

/* 0, or -1 with @failure set: EACCES and which option exceeds what, or EINVAL. */
int narrow_parameters(const struct profile *profile, const struct attr_table *options,
		      struct parameters *ret_parameters, struct failure *failure)
	__attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_NARROW_H */
