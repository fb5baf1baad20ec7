/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading hello messages for what GnuTLS does not tell: the largest record that
 * the peer wants to receive, and the versions that a client offers.
 */
#ifndef TLSHD_SESSION_HELLO_H
#define TLSHD_SESSION_HELLO_H

#include <stdbool.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

/* What the extensions of one hello message say; 0 where they say nothing. */
struct hello {
	uint16_t record_size_limit; /* RFC 8449, as sent */
	uint16_t max_fragment;	    /* RFC 6066 4, in bytes */
	bool offers_tls13;	    /* client */
};

/* @type is GNUTLS_HANDSHAKE_CLIENT_HELLO, _SERVER_HELLO or _ENCRYPTED_EXTENSIONS, @message its
 * body.  Anything malformed leaves zeros: GnuTLS refuses it. */
void hello_parse(unsigned int type, const gnutls_datum_t *message, struct hello *ret_hello);

/* Plaintext bytes of the largest record we may send, 0 for no limit; @version is TLS_1_x. */
uint16_t hello_max_payload(const struct hello *hello, uint16_t version);

#endif /* TLSHD_SESSION_HELLO_H */
