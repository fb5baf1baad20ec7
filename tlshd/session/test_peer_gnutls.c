// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer on GnuTLS.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/gnutls.h>

#include <cmocka.h>

#include "test_peer_internal.h"

struct gnutls_peer {
	struct peer peer;
	gnutls_session_t tls;
	gnutls_certificate_credentials_t credentials;
};

static struct gnutls_peer *gnutls_of(struct peer *peer)
{
	return (struct gnutls_peer *)peer;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t max)
{
	struct gnutls_peer *p = arg;
	size_t n = queue_take(&p->peer.in, data, max);

	if (n)
		return (ssize_t)n;
	gnutls_transport_set_errno(p->tls, EAGAIN);
	return -1;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t length)
{
	struct gnutls_peer *p = arg;

	queue_put(&p->peer.out, data, length);
	return (ssize_t)length;
}

/* 0, 1 for "wants bytes", or -1 and the peer has failed */
static int outcome(struct gnutls_peer *p, ssize_t r)
{
	if (r >= 0)
		return 0;
	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		p->peer.alert = (int)gnutls_alert_get(p->tls);
	if (!gnutls_error_is_fatal((int)r))
		return 1;
	p->peer.failed = true;
	gnutls_alert_send_appropriate(p->tls, (int)r);
	return -1;
}

static bool handshake(struct peer *peer)
{
	struct gnutls_peer *p = gnutls_of(peer);

	return outcome(p, gnutls_handshake(p->tls)) == 0;
}

static void write_data(struct peer *peer, const void *data, size_t length)
{
	assert_int_equal(gnutls_record_send(gnutls_of(peer)->tls, data, length), length);
}

static int read_data(struct peer *peer, void *data, size_t max)
{
	struct gnutls_peer *p = gnutls_of(peer);
	ssize_t r;
	int how;

	/* a KeyUpdate ends a call without data */
	do {
		r = gnutls_record_recv(p->tls, data, max);
	} while (r < 0 && !gnutls_error_is_fatal((int)r) && p->peer.in.length);
	how = outcome(p, r);
	if (how == 0)
		return r ? (int)r : -1;
	return how == 1 ? 0 : -1;
}

static void key_update(struct peer *peer, bool request)
{
	assert_int_equal(
		gnutls_session_key_update(gnutls_of(peer)->tls, request ? GNUTLS_KU_PEER : 0), 0);
}

static void renegotiate(struct peer *peer)
{
	assert_int_equal(gnutls_rehandshake(gnutls_of(peer)->tls), 0);
}

static void free_peer(struct peer *peer)
{
	struct gnutls_peer *p = gnutls_of(peer);

	gnutls_deinit(p->tls);
	gnutls_certificate_free_credentials(p->credentials);
	free(p);
}

static bool resumed(const struct peer *peer)
{
	return gnutls_session_is_resumed(((const struct gnutls_peer *)peer)->tls);
}

/* Counted, for of several tickets in a row only the last one is kept. */
static int note_ticket(gnutls_session_t tls, unsigned int type, unsigned int when,
		       unsigned int incoming, const gnutls_datum_t *message)
{
	struct gnutls_peer *p = gnutls_session_get_ptr(tls);

	p->peer.memory->tickets += incoming;
	return 0;
}

static void remember(struct peer *peer)
{
	struct peer_memory *memory = peer->memory;
	gnutls_datum_t data;

	assert_int_equal(gnutls_session_get_data2(gnutls_of(peer)->tls, &data), 0);
	free(memory->gnutls);
	memory->gnutls = malloc(data.size);
	assert_non_null(memory->gnutls);
	memcpy(memory->gnutls, data.data, data.size);
	memory->length = data.size;
	gnutls_free(data.data);
}

static void export_material(struct peer *peer, const struct peer_export *export, uint8_t *ret)
{
	assert_int_equal(gnutls_prf_rfc5705(gnutls_of(peer)->tls, strlen(export->label),
					    export->label, export->context_length,
					    (const char *)export->context, export->length,
					    (char *)ret),
			 0);
}

void peer_binding(struct peer *peer, uint8_t *ret)
{
	gnutls_datum_t binding;

	assert_int_equal(gnutls_session_channel_binding(gnutls_of(peer)->tls,
							GNUTLS_CB_TLS_EXPORTER, &binding),
			 0);
	assert_int_equal(binding.size, 32);
	memcpy(ret, binding.data, binding.size);
	gnutls_free(binding.data);
}

static const struct peer_ops gnutls_ops = {
	handshake, write_data, read_data,	key_update, renegotiate,
	resumed,   remember,   export_material, free_peer,
};

static void set_memory(struct gnutls_peer *p, const struct peer_setup *setup)
{
	struct peer_memory *memory = setup->memory;
	const gnutls_datum_t key = { memory->stek, sizeof(memory->stek) };

	p->peer.memory = memory;
	gnutls_session_set_ptr(p->tls, p);
	gnutls_handshake_set_hook_function(p->tls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_POST, note_ticket);
	if (setup->server)
		assert_int_equal(gnutls_session_ticket_enable_server(p->tls, &key), 0);
	else if (memory->gnutls)
		assert_int_equal(gnutls_session_set_data(p->tls, memory->gnutls, memory->length),
				 0);
}

static void set_priority(struct gnutls_peer *p, const struct peer_setup *setup)
{
	char text[256];

	snprintf(text, sizeof(text), "NORMAL:-VERS-ALL%s%s%s%s",
		 setup->version != 12 ? ":+VERS-TLS1.3" : "",
		 setup->version != 13 ? ":+VERS-TLS1.2" : "", setup->ciphers ? ":-CIPHER-ALL:" : "",
		 setup->ciphers ? setup->ciphers : "");
	assert_int_equal(gnutls_priority_set_direct(p->tls, text, NULL), 0);
}

static void set_credentials(struct gnutls_peer *p, const struct peer_setup *setup)
{
	assert_int_equal(gnutls_certificate_allocate_credentials(&p->credentials), 0);
	if (setup->certificate)
		assert_int_equal(
			gnutls_certificate_set_x509_key_file(p->credentials, setup->certificate,
							     setup->key, GNUTLS_X509_FMT_PEM),
			0);
	if (setup->ca) {
		assert_int_equal(gnutls_certificate_set_x509_trust_file(p->credentials, setup->ca,
									GNUTLS_X509_FMT_PEM),
				 1);
		gnutls_session_set_verify_cert(p->tls, setup->server ? NULL : setup->server_name,
					       0);
		if (setup->server)
			gnutls_certificate_server_set_request(p->tls, setup->require_certificate ?
									      GNUTLS_CERT_REQUIRE :
									      GNUTLS_CERT_REQUEST);
	}
	assert_int_equal(gnutls_credentials_set(p->tls, GNUTLS_CRD_CERTIFICATE, p->credentials), 0);
}

struct peer *peer_gnutls(const struct peer_setup *setup)
{
	struct gnutls_peer *p = calloc(1, sizeof(*p));
	gnutls_datum_t alpn;

	assert_non_null(p);
	assert_false(setup->raw || setup->psk_identity || setup->max_fragment ||
		     setup->no_master_secret);
	p->peer.ops = &gnutls_ops;
	p->peer.alert = -1;
	assert_int_equal(gnutls_init(&p->tls, setup->server ? GNUTLS_SERVER : GNUTLS_CLIENT), 0);
	gnutls_transport_set_ptr(p->tls, p);
	gnutls_transport_set_pull_function(p->tls, pull);
	gnutls_transport_set_push_function(p->tls, push);
	set_priority(p, setup);
	set_credentials(p, setup);
	if (setup->server_name && !setup->server)
		assert_int_equal(gnutls_server_name_set(p->tls, GNUTLS_NAME_DNS, setup->server_name,
							strlen(setup->server_name)),
				 0);
	if (setup->alpn) {
		alpn = (gnutls_datum_t){ (void *)(uintptr_t)setup->alpn,
					 (unsigned int)strlen(setup->alpn) };
		assert_int_equal(gnutls_alpn_set_protocols(p->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY),
				 0);
	}
	if (setup->memory)
		set_memory(p, setup);
	if (setup->record_size_limit)
		assert_int_equal(gnutls_record_set_max_recv_size(p->tls, setup->record_size_limit),
				 0);
	return &p->peer;
}
