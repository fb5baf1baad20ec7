// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer on OpenSSL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cmocka.h>

#include "test_peer_internal.h"

struct openssl_peer {
	struct peer peer;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	char psk_identity[PSK_MAX_IDENTITY_LEN + 1];
	unsigned char psk[64];
	size_t psk_length;
	unsigned char alpn[64];
	unsigned int alpn_length;
	char key_log[4096];
	unsigned int hellos;
};

static struct openssl_peer *openssl_of(struct peer *peer)
{
	return (struct openssl_peer *)peer;
}

static void feed(struct openssl_peer *p)
{
	uint8_t bytes[4096];
	size_t n;

	while ((n = queue_take(&p->peer.in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(p->in, bytes, (int)n), n);
}

static void drain(struct openssl_peer *p)
{
	uint8_t bytes[4096];
	int n;

	while ((n = BIO_read(p->out, bytes, sizeof(bytes))) > 0)
		queue_put(&p->peer.out, bytes, (size_t)n);
}

static void note_info(const SSL *ssl, int where, int value)
{
	struct openssl_peer *p = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value >> 8) == SSL3_AL_FATAL)
		p->peer.alert = value & 0xff;
}

static void note_secret(const SSL *ssl, const char *line)
{
	struct openssl_peer *p = SSL_get_app_data(ssl);
	size_t used = strlen(p->key_log);

	snprintf(p->key_log + used, sizeof(p->key_log) - used, "%s\n", line);
}

static void note_hello(int outgoing, int version, int type, const void *message, size_t length,
		       SSL *ssl, void *arg)
{
	struct openssl_peer *p = arg;

	if (type == SSL3_RT_HANDSHAKE && length &&
	    *(const uint8_t *)message == SSL3_MT_CLIENT_HELLO)
		p->hellos++;
}

unsigned int peer_hellos(const struct peer *peer)
{
	return ((const struct openssl_peer *)peer)->hellos;
}

bool peer_secret(const struct peer *peer, const char *label, uint8_t *ret, size_t length)
{
	const struct openssl_peer *p = (const struct openssl_peer *)peer;
	const char *line = strstr(p->key_log, label);
	unsigned int byte;

	/* LABEL client-random secret, in hexadecimal */
	for (int i = 0; line && i < 2; i++)
		line = strchr(line + 1, ' ');
	for (size_t i = 0; line && i < length; i++) {
		if (sscanf(line + 1 + 2 * i, "%2x", &byte) != 1)
			return false;
		ret[i] = (uint8_t)byte;
	}
	return line;
}

/* 0, 1 for "wants bytes", or -1 and the peer has failed */
static int outcome(struct openssl_peer *p, int r)
{
	int error = SSL_get_error(p->ssl, r);

	drain(p);
	ERR_clear_error();
	if (r > 0)
		return 0;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 1;
	p->peer.failed = error != SSL_ERROR_ZERO_RETURN;
	return -1;
}

static bool openssl_handshake(struct peer *peer)
{
	struct openssl_peer *p = openssl_of(peer);

	feed(p);
	return outcome(p, SSL_do_handshake(p->ssl)) == 0;
}

static void openssl_write(struct peer *peer, const void *data, size_t length)
{
	struct openssl_peer *p = openssl_of(peer);

	assert_int_equal(SSL_write(p->ssl, data, (int)length), length);
	drain(p);
}

static int openssl_read(struct peer *peer, void *data, size_t max)
{
	struct openssl_peer *p = openssl_of(peer);
	int r, how;

	feed(p);
	r = SSL_read(p->ssl, data, (int)max);
	how = outcome(p, r);
	return how == 0 ? r : how == 1 ? 0 : -1;
}

static void openssl_key_update(struct peer *peer, bool request)
{
	struct openssl_peer *p = openssl_of(peer);

	assert_int_equal(SSL_key_update(p->ssl, request ? SSL_KEY_UPDATE_REQUESTED :
							  SSL_KEY_UPDATE_NOT_REQUESTED),
			 1);
	assert_int_equal(SSL_do_handshake(p->ssl), 1);
	drain(p);
}

static void openssl_renegotiate(struct peer *peer)
{
	struct openssl_peer *p = openssl_of(peer);

	assert_int_equal(SSL_renegotiate(p->ssl), 1);
	SSL_do_handshake(p->ssl);
	ERR_clear_error();
	drain(p);
}

static void openssl_free(struct peer *peer)
{
	struct openssl_peer *p = openssl_of(peer);

	/* else its session would not be resumed again */
	SSL_set_shutdown(p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	free(p);
}

static bool openssl_resumed(const struct peer *peer)
{
	return SSL_session_reused(((const struct openssl_peer *)peer)->ssl);
}

void peer_openssl_forget(struct peer_memory *memory)
{
	SSL_SESSION_free(memory->openssl);
	memory->openssl = NULL;
}

static void openssl_remember(struct peer *peer)
{
	peer_openssl_forget(peer->memory);
	peer->memory->openssl = SSL_get1_session(openssl_of(peer)->ssl);
	assert_non_null(peer->memory->openssl);
}

static void openssl_export(struct peer *peer, const struct peer_export *export, uint8_t *ret)
{
	assert_int_equal(SSL_export_keying_material(openssl_of(peer)->ssl, ret, export->length,
						    export->label, strlen(export->label),
						    export->context, export->context_length,
						    export->context != NULL),
			 1);
}

static const struct peer_ops openssl_ops = {
	openssl_handshake,  openssl_write,	 openssl_read,
	openssl_key_update, openssl_renegotiate, openssl_resumed,
	openssl_remember,   openssl_export,	 openssl_free,
};

static int note_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct openssl_peer *p = SSL_get_app_data(ssl);

	p->peer.memory->tickets++;
	return 0;
}

/* A copy: OpenSSL offers a session of TLS 1.3 only once. */
static void offer(SSL *ssl, const SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	assert_non_null(copy);
	assert_int_equal(SSL_set_session(ssl, copy), 1);
	SSL_SESSION_free(copy);
}

static void set_memory(struct openssl_peer *p, const struct peer_setup *setup)
{
	static const unsigned char context[] = "test";

	p->peer.memory = setup->memory;
	SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(p->ctx, note_ticket);
	if (!setup->server)
		return;
	assert_int_equal(SSL_CTX_set_session_id_context(p->ctx, context, sizeof(context)), 1);
	assert_int_equal(SSL_CTX_set_tlsext_ticket_keys(p->ctx, p->peer.memory->key,
							sizeof(p->peer.memory->key)),
			 1);
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
		       const unsigned char *in, unsigned int length, void *arg)
{
	struct openssl_peer *p = arg;

	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_length, p->alpn,
				  p->alpn_length, in, length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static unsigned int psk_for_client(SSL *ssl, const char *hint, char *identity,
				   unsigned int max_identity, unsigned char *psk,
				   unsigned int max_psk)
{
	struct openssl_peer *p = SSL_get_app_data(ssl);

	assert_true(strlen(p->psk_identity) < max_identity && p->psk_length <= max_psk);
	memcpy(identity, p->psk_identity, strlen(p->psk_identity) + 1);
	memcpy(psk, p->psk, p->psk_length);
	return (unsigned int)p->psk_length;
}

static unsigned int psk_for_server(SSL *ssl, const char *identity, unsigned char *psk,
				   unsigned int max_psk)
{
	struct openssl_peer *p = SSL_get_app_data(ssl);

	if (strcmp(identity, p->psk_identity) != 0)
		return 0;
	memcpy(psk, p->psk, p->psk_length);
	return (unsigned int)p->psk_length;
}

static void set_algorithms(SSL_CTX *ctx, const struct peer_setup *setup)
{
	SSL_CTX_set_min_proto_version(ctx, setup->version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, setup->version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (setup->ciphers && setup->version == 13)
		assert_int_equal(SSL_CTX_set_ciphersuites(ctx, setup->ciphers), 1);
	else if (setup->ciphers)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, setup->ciphers), 1);
	if (setup->signatures)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, setup->signatures), 1);
	if (setup->groups)
		assert_int_equal(SSL_CTX_set1_groups_list(ctx, setup->groups), 1);
}

static void set_certificate(SSL_CTX *ctx, const char *certificate, const char *key)
{
	if (!certificate)
		return;
	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
}

static int accept_any(int ok, X509_STORE_CTX *ctx)
{
	return 1;
}

static void set_verification(SSL_CTX *ctx, const struct peer_setup *setup)
{
	int mode = SSL_VERIFY_NONE;

	if (setup->ca) {
		assert_int_equal(SSL_CTX_load_verify_locations(ctx, setup->ca, NULL), 1);
		mode = SSL_VERIFY_PEER;
		if (setup->server)
			SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(setup->ca));
	}
	if (setup->require_certificate)
		mode |= SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, setup->raw ? accept_any : NULL);
}

static void set_psk(struct openssl_peer *p, const struct peer_setup *setup)
{
	unsigned char *psk;
	long length;

	if (!setup->psk_identity)
		return;
	snprintf(p->psk_identity, sizeof(p->psk_identity), "%s", setup->psk_identity);
	psk = OPENSSL_hexstr2buf(setup->psk_hex, &length);
	assert_true(psk && (size_t)length <= sizeof(p->psk));
	memcpy(p->psk, psk, (size_t)length);
	p->psk_length = (size_t)length;
	OPENSSL_free(psk);
	SSL_CTX_set_psk_client_callback(p->ctx, psk_for_client);
	SSL_CTX_set_psk_server_callback(p->ctx, psk_for_server);
}

static void set_alpn(struct openssl_peer *p, const struct peer_setup *setup)
{
	if (!setup->alpn)
		return;
	p->alpn[0] = (unsigned char)strlen(setup->alpn);
	memcpy(p->alpn + 1, setup->alpn, p->alpn[0]);
	p->alpn_length = 1u + p->alpn[0];
	if (setup->server)
		SSL_CTX_set_alpn_select_cb(p->ctx, choose_alpn, p);
	else
		assert_int_equal(SSL_CTX_set_alpn_protos(p->ctx, p->alpn, p->alpn_length), 0);
}

static void set_raw(SSL_CTX *ctx)
{
	static const unsigned char types[] = { TLSEXT_cert_type_rpk };

	assert_int_equal(SSL_CTX_set1_client_cert_type(ctx, types, sizeof(types)), 1);
	assert_int_equal(SSL_CTX_set1_server_cert_type(ctx, types, sizeof(types)), 1);
}

static void set_max_fragment(SSL *ssl, unsigned int bytes)
{
	uint8_t code = bytes == 512  ? TLSEXT_max_fragment_length_512 :
		       bytes == 1024 ? TLSEXT_max_fragment_length_1024 :
		       bytes == 2048 ? TLSEXT_max_fragment_length_2048 :
				       TLSEXT_max_fragment_length_4096;

	assert_int_equal(SSL_set_tlsext_max_fragment_length(ssl, code), 1);
}

struct peer *peer_openssl(const struct peer_setup *setup)
{
	struct openssl_peer *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->peer.ops = &openssl_ops;
	p->peer.alert = -1;
	p->ctx = SSL_CTX_new(setup->server ? TLS_server_method() : TLS_client_method());
	assert_non_null(p->ctx);
	SSL_CTX_clear_options(p->ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_OFF);
	set_algorithms(p->ctx, setup);
	set_certificate(p->ctx, setup->certificate, setup->key);
	set_certificate(p->ctx, setup->second_certificate, setup->second_key);
	set_verification(p->ctx, setup);
	set_psk(p, setup);
	set_alpn(p, setup);
	if (setup->raw)
		set_raw(p->ctx);
	if (setup->memory)
		set_memory(p, setup);
	if (setup->no_master_secret)
		SSL_CTX_set_options(p->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	p->ssl = SSL_new(p->ctx);
	assert_non_null(p->ssl);
	if (!setup->server && setup->memory && setup->memory->openssl)
		offer(p->ssl, setup->memory->openssl);
	SSL_set_app_data(p->ssl, p);
	SSL_set_info_callback(p->ssl, note_info);
	SSL_set_msg_callback(p->ssl, note_hello);
	SSL_set_msg_callback_arg(p->ssl, p);
	SSL_CTX_set_keylog_callback(p->ctx, note_secret);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	assert_true(p->in && p->out);
	SSL_set_bio(p->ssl, p->in, p->out);
	if (setup->server_name)
		assert_int_equal(SSL_set_tlsext_host_name(p->ssl, setup->server_name), 1);
	if (setup->max_fragment)
		set_max_fragment(p->ssl, setup->max_fragment);
	if (setup->server)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
	return &p->peer;
}
