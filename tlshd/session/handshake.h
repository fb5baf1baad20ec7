/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running handshake: one coroutine, one GnuTLS session, until DONE or FAIL.
 */
#ifndef TLSHD_SESSION_HANDSHAKE_H
#define TLSHD_SESSION_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <gnutls/gnutls.h>

#include "failure.h"
#include "hello.h"
#include "names.h"
#include "narrow.h"
#include "profile.h"
#include "resume.h"
#include "session.h"
#include "wire.h"

struct coroutine;

struct handshake {
	struct session *session;
	struct parameters parameters;
	struct coroutine *coroutine;
	gnutls_session_t tls;
	gnutls_psk_server_credentials_t psk_server; /* or NULL */
	gnutls_psk_client_credentials_t psk_client; /* or NULL */
	struct failure failure;
	bool closed; /* the agent or the channel is gone: callbacks give up */

	/* transport.c: one read of GnuTLS, answered in parts */
	uint8_t *read_buffer;	    /* GnuTLS's; NULL while nothing is wanted */
	size_t read_want, read_got; /* bytes */
	size_t read_credit;	    /* bytes that READ asked for and that did not come yet */
	struct wire wire;	    /* what went by */
	bool encrypted_sent;	    /* the peer can decrypt what we send */

	/* The last application traffic secrets that GnuTLS told, TLS 1.3 */
	uint8_t secret[SESSION_DIRECTIONS][SECRETS_MAX];
	size_t secret_length[SESSION_DIRECTIONS];
	uint8_t exporter_secret[SECRETS_MAX];
	size_t exporter_length;

	struct hello hello; /* the peer's */
	struct resume_attempt resume;

	char identity[NAMES_IDENTITY]; /* of the peer, or empty */
	uint8_t *peer_certificate;     /* DER of the leaf, or NULL */
	size_t peer_certificate_length;
	time_t peer_expires; /* what that certificate says; (time_t)-1 if it cannot be told */
	bool verified;	     /* verify_peer() was content with what it saw */
	bool psk_used;	     /* the key was handed to GnuTLS */
	uint32_t psk_key;    /* serial of that key, if it is the kernel's */
	struct keyclient_key *kernel_key;  /* of a client's certificate of the kernel's, or NULL */
	struct profile_chain kernel_chain; /* with that certificate, or empty */
};

/* Starts the handshake of @session.  It ends with session_established() or session_fail(),
 * possibly before this returns.  0 or -ENOMEM, then nothing was started. */
int handshake_start(struct session *session, const struct parameters *parameters);

/* Unwinds a running handshake without a word to anybody and frees it. */
void handshake_abort(struct handshake *handshake);

/* The handshake whose coroutine runs, or NULL. */
struct handshake *handshake_current(void);

/* BYTES from the agent.  0, or -EPROTO if nobody asked for them. */
int handshake_bytes(struct handshake *handshake, const uint8_t *bytes, size_t length)
	__attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_HANDSHAKE_H */
