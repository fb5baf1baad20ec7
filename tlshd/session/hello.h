/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading hello messages for what GnuTLS does not tell, or not in time: the largest
 * record that the peer wants to receive, and what a client offers and asks for.
 */
#ifndef TLSHD_SESSION_HELLO_H
#define TLSHD_SESSION_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "stek.h"
#include "../../uapi/linux/tls_handoff.h"

#define HELLO_MAX_TICKETS 8  /* of one client that are looked at */
#define HELLO_SESSION_ID  32 /* bytes at most */

/* Names of the keys that a client's tickets are under */
struct hello_tickets {
	uint8_t names[HELLO_MAX_TICKETS][STEK_NAME];
	size_t count;
};

/* What the extensions of one hello message say; 0 where they say nothing. */
struct hello {
	uint16_t record_size_limit; /* RFC 8449, as sent */
	uint16_t max_fragment;	    /* RFC 6066 4, in bytes */

	uint8_t session_id[HELLO_SESSION_ID], session_id_length;

	/* server */
	bool selects_tls13;
	bool selects_psk; /* TLS 1.3 */

	/* client */
	bool offers_tls13;
	bool extended_master_secret; /* RFC 7627 */
	bool psk_dhe_ke;	     /* RFC 8446 4.2.9: resumption with a fresh key exchange */
	char server_name[TLS_HANDOFF_MAX_PEER_NAME + 1]; /* as sent; empty: none, or no host name */
	struct hello_tickets psk;    /* TLS 1.3; external keys' identities are there, too */
	struct hello_tickets ticket; /* TLS 1.2, at most one */
};

/* @type is GNUTLS_HANDSHAKE_CLIENT_HELLO, _SERVER_HELLO or _ENCRYPTED_EXTENSIONS, @message its
 * body.  Anything malformed leaves zeros: GnuTLS refuses it. */
void hello_parse(unsigned int type, const gnutls_datum_t *message, struct hello *ret_hello);

/* Plaintext bytes of the largest record we may send, 0 for no limit; @version is TLS_1_x. */
uint16_t hello_max_payload(const struct hello *hello, uint16_t version);

#endif /* TLSHD_SESSION_HELLO_H */
