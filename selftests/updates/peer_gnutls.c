// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer on GnuTLS. It takes eight KeyUpdates a second, and breaks when its request
 * for one crosses another: so it must never make one.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

#define PKI "/etc/tlshd/pki/"

static int see_message(gnutls_session_t session, unsigned int type, unsigned int post,
		       unsigned int incoming, const gnutls_datum_t *message)
{
	struct peer *peer = gnutls_session_get_ptr(session);

	peer->sent += !incoming;
	peer->received += !!incoming;
	return 0;
}

static ssize_t result(struct peer *peer, ssize_t ret)
{
	peer->wants_out = false;
	if (ret >= 0)
		return ret;
	if (ret == GNUTLS_E_WARNING_ALERT_RECEIVED || ret == GNUTLS_E_FATAL_ALERT_RECEIVED)
		peer->alert = gnutls_alert_get(peer->tls);
	if (!gnutls_error_is_fatal((int)ret)) {
		peer->wants_out = gnutls_record_get_direction(peer->tls);
		return -EAGAIN;
	}
	peer->wrong = gnutls_strerror((int)ret);
	return -EPROTO;
}

static void set_up(struct peer *peer, gnutls_session_t tls)
{
	const struct options *options = peer->options;
	gnutls_certificate_credentials_t credentials;
	char priority[256];

	snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-TLS1.%d%s%s",
		 options->tls12 ? 2 : 3, options->cipher ? ":-CIPHER-ALL:+" : "",
		 options->cipher ? options->cipher : "");
	if (gnutls_priority_set_direct(tls, priority, NULL))
		give_up("no such cipher", 0);
	if (gnutls_certificate_allocate_credentials(&credentials))
		give_up("no memory", 0);
	if (options->server &&
	    gnutls_certificate_set_x509_key_file(credentials, PKI "peer.pem", PKI "peer.key",
						 GNUTLS_X509_FMT_PEM))
		give_up("no certificate", 0);
	if (gnutls_certificate_set_x509_trust_file(credentials, PKI "ca.pem",
						   GNUTLS_X509_FMT_PEM) < 1)
		give_up("no trust anchor", 0);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials);
	if (!options->server) {
		gnutls_session_set_verify_cert(tls, options->name, 0);
		gnutls_server_name_set(tls, GNUTLS_NAME_DNS, options->name,
				       strlen(options->name));
	}
}

static int handshake(struct peer *peer)
{
	gnutls_session_t tls;
	int ret;

	if (gnutls_init(&tls, (peer->options->server ? GNUTLS_SERVER : GNUTLS_CLIENT) |
			      GNUTLS_NO_AUTO_REKEY))
		give_up("no memory", 0);
	set_up(peer, tls);
	peer->tls = tls;
	gnutls_session_set_ptr(tls, peer);
	gnutls_handshake_set_hook_function(tls, GNUTLS_HANDSHAKE_KEY_UPDATE, GNUTLS_HOOK_POST,
					   see_message);
	gnutls_transport_set_int(tls, peer->fd);
	do {
		ret = gnutls_handshake(tls);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	return result(peer, ret) < 0 ? -EPROTO : 0;
}

static ssize_t read_data(struct peer *peer, void *data, size_t size)
{
	return result(peer, gnutls_record_recv(peer->tls, data, size));
}

static ssize_t write_data(struct peer *peer, const void *data, size_t size)
{
	return result(peer, gnutls_record_send(peer->tls, data, size));
}

static int update(struct peer *peer, bool request)
{
	return (int)result(peer, gnutls_session_key_update(peer->tls,
							   request ? GNUTLS_KU_PEER : 0));
}

static int close_notify(struct peer *peer)
{
	return (int)result(peer, gnutls_bye(peer->tls, GNUTLS_SHUT_WR));
}

/* A server only asks. A client starts, once; the answer comes among the data. */
static int renegotiate(struct peer *peer)
{
	static bool started;
	int ret;

	if (peer->options->server)
		return (int)result(peer, gnutls_rehandshake(peer->tls));
	if (!started) {
		started = true;
		ret = gnutls_handshake(peer->tls);
		if (ret != GNUTLS_E_GOT_APPLICATION_DATA && result(peer, ret) != -EAGAIN)
			return -EPROTO;
	}
	return peer->alert == GNUTLS_A_NO_RENEGOTIATION ? 0 : -EAGAIN;
}

int main(int argc, char **argv)
{
	static const struct peer_library library = {
		"gnutls", handshake, read_data, write_data, update, close_notify,
		renegotiate,
	};

	return peer_main(&library, argc, argv);
}
