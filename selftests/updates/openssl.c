// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection on OpenSSL; openssl.h says what is promised.
 */
#include <errno.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "openssl.h"

#define PKI "/etc/tlshd/pki/"

/* Counts what goes over the wire, whoever in the library wanted it. */
static void see_message(int out, int version, int type, const void *data, size_t length, SSL *ssl,
			void *arg)
{
	const unsigned char *bytes = data;
	struct peer *peer = arg;

	if (type == SSL3_RT_ALERT && !out && length == 2 && bytes[1] != SSL_AD_CLOSE_NOTIFY)
		peer->alert = bytes[1];
	if (type == SSL3_RT_HANDSHAKE && length && bytes[0] == SSL3_MT_KEY_UPDATE) {
		peer->sent += !!out;
		peer->received += !out;
	}
}

static int result(struct peer *peer, int ret)
{
	peer->wants_out = false;
	switch (SSL_get_error(peer->tls, ret)) {
	case SSL_ERROR_NONE:
		return ret;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		peer->wants_out = true;
		return -EAGAIN;
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_SYSCALL:
		peer->wrong = ret ? strerrorname_np(errno) : "end of file without close_notify";
		return -EPROTO;
	default:
		peer->wrong = ERR_reason_error_string(ERR_peek_error());
		return -EPROTO;
	}
}

static void command(SSL_CONF_CTX *conf, const char *name, const char *value)
{
	if (value && SSL_CONF_cmd(conf, name, value) <= 0)
		give_up(name, 0);
}

static void set_up(struct peer *peer, SSL_CTX *context)
{
	const struct options *options = peer->options;
	const char *version = options->tls12 ? "TLSv1.2" : "TLSv1.3";
	SSL_CONF_CTX *conf = SSL_CONF_CTX_new();

	if (!conf)
		give_up("no memory", 0);
	SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CERTIFICATE |
				     (options->server ? SSL_CONF_FLAG_SERVER :
							SSL_CONF_FLAG_CLIENT));
	SSL_CONF_CTX_set_ssl_ctx(conf, context);
	command(conf, "MinProtocol", version);
	command(conf, "MaxProtocol", version);
	command(conf, options->tls12 ? "CipherString" : "Ciphersuites", options->cipher);
	command(conf, "Certificate", options->server ? PKI "peer.pem" : NULL);
	command(conf, "PrivateKey", options->server ? PKI "peer.key" : NULL);
	command(conf, "VerifyCAFile", PKI "ca.pem");
	command(conf, "VerifyMode", options->server ? NULL : "Peer");
	if (SSL_CONF_CTX_finish(conf) != 1)
		give_up("SSL_CONF_CTX_finish", 0);
	SSL_CONF_CTX_free(conf);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

int openssl_handshake(struct peer *peer)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	SSL *ssl;
	int ret;

	if (!context)
		give_up("no memory", 0);
	set_up(peer, context);
	ssl = SSL_new(context);
	SSL_CTX_free(context);
	if (!ssl || !SSL_set_fd(ssl, peer->fd))
		give_up("no memory", 0);
	if (!peer->options->server && (!SSL_set1_host(ssl, peer->options->name) ||
				       !SSL_set_tlsext_host_name(ssl, peer->options->name)))
		give_up("no such name", 0);
	SSL_set_msg_callback(ssl, see_message);
	SSL_set_msg_callback_arg(ssl, peer);
	peer->tls = ssl;
	ret = peer->options->server ? SSL_accept(ssl) : SSL_connect(ssl);
	if (ret == 1)
		return 0;
	result(peer, ret);
	return -EPROTO;
}

ssize_t openssl_read(struct peer *peer, void *data, size_t size)
{
	ERR_clear_error();
	return result(peer, SSL_read(peer->tls, data, (int)size));
}

ssize_t openssl_write(struct peer *peer, const void *data, size_t size)
{
	ERR_clear_error();
	return result(peer, SSL_write(peer->tls, data, (int)size));
}

/* Called again after -EAGAIN, it goes on where it was. */
int openssl_update(struct peer *peer, bool request)
{
	static bool begun;
	int ret;

	ERR_clear_error();
	/* An answer that is owed may be half written: that one first. */
	if (!begun && !SSL_is_init_finished(peer->tls)) {
		ret = result(peer, SSL_do_handshake(peer->tls));
		if (ret != 1)
			return ret;
	}
	if (!begun && SSL_get_key_update_type(peer->tls) == SSL_KEY_UPDATE_NONE &&
	    SSL_key_update(peer->tls, request ? SSL_KEY_UPDATE_REQUESTED :
						SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
		peer->wrong = ERR_reason_error_string(ERR_peek_error());
		return -EPROTO;
	}
	begun = true;
	ret = result(peer, SSL_do_handshake(peer->tls));
	if (ret != 1)
		return ret;
	begun = false;
	return 0;
}

int openssl_close(struct peer *peer)
{
	int ret;

	ERR_clear_error();
	ret = SSL_shutdown(peer->tls);
	return ret >= 0 ? 0 : result(peer, ret);
}

/*
 * Reading alone may go on with it: only there OpenSSL lets data come in between. Its end is
 * an error of reading.
 */
int openssl_renegotiate(struct peer *peer)
{
	static bool wished;

	ERR_clear_error();
	if (!wished && SSL_renegotiate(peer->tls) != 1) {
		peer->wrong = ERR_reason_error_string(ERR_peek_error());
		return -EPROTO;
	}
	wished = true;
	return -EAGAIN;
}
