// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OpenSSL peers with one setup, see party.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <openssl/err.h>

#include <cmocka.h>

#include "party.h"
#include "test_peer_internal.h"

struct party {
	SSL_CTX *ctx;
	bool server;
};

struct member {
	struct peer peer; /* first: what the rig knows */
	SSL *ssl;
	BIO *in, *out;
	SSL_SESSION **session;
};

static struct member *member_of(const struct peer *peer)
{
	return (struct member *)(uintptr_t)peer;
}

static void feed(struct member *m)
{
	uint8_t bytes[4096];
	size_t n;

	while ((n = queue_take(&m->peer.in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(m->in, bytes, (int)n), n);
}

static bool finish(struct member *m, int r)
{
	int error = SSL_get_error(m->ssl, r);
	uint8_t bytes[4096];
	int n;

	while ((n = BIO_read(m->out, bytes, sizeof(bytes))) > 0)
		queue_put(&m->peer.out, bytes, (size_t)n);
	if (r <= 0 && error != SSL_ERROR_WANT_READ)
		m->peer.failed = true;
	ERR_clear_error();
	return r > 0;
}

static bool member_handshake(struct peer *peer)
{
	struct member *m = member_of(peer);

	feed(m);
	return finish(m, SSL_do_handshake(m->ssl));
}

static void member_write(struct peer *peer, const void *data, size_t length)
{
	struct member *m = member_of(peer);

	assert_true(finish(m, SSL_write(m->ssl, data, (int)length)));
}

static int member_read(struct peer *peer, void *data, size_t max)
{
	struct member *m = member_of(peer);
	int r;

	feed(m);
	r = SSL_read(m->ssl, data, (int)max);
	return finish(m, r) ? r : m->peer.failed ? -1 : 0;
}

static void member_free(struct peer *peer)
{
	struct member *m = member_of(peer);

	/* without this its session would be marked as one not to be resumed */
	SSL_set_shutdown(m->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(m->ssl);
	free(m);
}

static const struct peer_ops member_ops = {
	.handshake = member_handshake,
	.write = member_write,
	.read = member_read,
	.free = member_free,
};

/* The newest ticket is the one to use; ours to free with 1. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct member *m = SSL_get_app_data(ssl);

	if (!m->session)
		return 0;
	SSL_SESSION_free(*m->session);
	*m->session = session;
	return 1;
}

struct party *party_new(bool server, const char *certificate, const char *key, const char *ask)
{
	struct party *party = calloc(1, sizeof(*party));

	assert_non_null(party);
	party->server = server;
	party->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	assert_non_null(party->ctx);
	SSL_CTX_set_min_proto_version(party->ctx, TLS1_3_VERSION);
	/* OpenSSL would also make an ML-KEM key for each connection, which nobody here uses */
	assert_int_equal(SSL_CTX_set1_groups_list(party->ctx, "X25519:P-256"), 1);
	if (certificate) {
		assert_int_equal(SSL_CTX_use_certificate_chain_file(party->ctx, certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(party->ctx, key, SSL_FILETYPE_PEM), 1);
	}
	if (ask) {
		assert_int_equal(SSL_CTX_load_verify_locations(party->ctx, ask, NULL), 1);
		SSL_CTX_set_verify(party->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
		assert_int_equal(SSL_CTX_set_session_id_context(party->ctx,
								(const unsigned char *)"bench", 5),
				 1);
	}
	if (!server) {
		SSL_CTX_set_session_cache_mode(party->ctx,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(party->ctx, keep_session);
	}
	return party;
}

void party_free(struct party *party)
{
	SSL_CTX_free(party->ctx);
	free(party);
}

struct peer *party_connect(struct party *party, SSL_SESSION **session)
{
	struct member *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->peer.ops = &member_ops;
	m->peer.alert = -1;
	m->session = session;
	m->ssl = SSL_new(party->ctx);
	assert_non_null(m->ssl);
	SSL_set_app_data(m->ssl, m);
	m->in = BIO_new(BIO_s_mem());
	m->out = BIO_new(BIO_s_mem());
	assert_true(m->in && m->out);
	SSL_set_bio(m->ssl, m->in, m->out);
	if (session && *session)
		assert_int_equal(SSL_set_session(m->ssl, *session), 1);
	if (party->server)
		SSL_set_accept_state(m->ssl);
	else
		SSL_set_connect_state(m->ssl);
	return &m->peer;
}

bool party_resumed(const struct peer *peer)
{
	return SSL_session_reused(member_of(peer)->ssl);
}
