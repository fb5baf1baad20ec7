/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ticket is bound to: whatever has a say in whether its connection may be
 * resumed.  One thing changed, and the ticket is simply not found.
 */
#ifndef TLSHD_SESSION_BINDING_H
#define TLSHD_SESSION_BINDING_H

#include <stddef.h>
#include <stdint.h>

#include "narrow.h"
#include "profile.h"

#define BINDING_HASH 32 /* bytes, SHA-256 */
#define BINDING_MAX  (BINDING_HASH + 2 + TLS_HANDOFF_MAX_PEER_NAME)

/* Server: profile, content of its files, and policy, hashed with the version that this connection
 * will have; then the name that the client asked for, with its length.  Bytes written, or -EIO.
 *
 * With a key for both versions GnuTLS would take a ticket of TLS 1.2 in a handshake of TLS 1.3:
 * as if the client had proven that it has the secret in it, which it has not. */
int binding_of_server(const struct profile *profile, const struct parameters *parameters,
		      bool tls13, const char *server_name, uint8_t ret_binding[BINDING_MAX]);

/* Client: the same, and user, peer and where it is, hashed.  0 or -EIO. */
int binding_of_client(const struct profile *profile, const struct parameters *parameters,
		      uint8_t ret_key[BINDING_HASH]);

#endif /* TLSHD_SESSION_BINDING_H */
