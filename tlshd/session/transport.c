// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * READ asks for exactly the bytes that GnuTLS wants next, a record's header or
 * its body: so nothing behind the peer's Finished is ever taken from the socket.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <gnutls/gnutls.h>

#include "channel.h"
#include "coroutine.h"
#include "handshake.h"
#include "transport.h"

#define RECORD_DATA 23

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int ask(struct handshake *handshake)
{
	size_t want = min_size(handshake->read_want - handshake->read_got, CHANNEL_MAX_READ);
	uint32_t wire = htole32((uint32_t)want);
	int r;

	r = session_send(handshake->session, CHANNEL_READ, &wire, sizeof(wire));
	if (r == 0)
		handshake->read_credit = want;
	return r;
}

static ssize_t give_up(struct handshake *handshake)
{
	handshake->read_buffer = NULL;
	gnutls_transport_set_errno(handshake->tls, ECONNABORTED);
	return -1;
}

static ssize_t transport_pull(gnutls_transport_ptr_t arg, void *buffer, size_t size)
{
	struct handshake *handshake = arg;

	handshake->read_buffer = buffer;
	handshake->read_want = size;
	handshake->read_got = 0;
	while (handshake->read_got < size) {
		if (handshake->closed || (handshake->read_credit == 0 && ask(handshake) < 0))
			return give_up(handshake);
		coroutine_yield();
	}
	handshake->read_buffer = NULL;
	wire_look(&handshake->wire, buffer, size);
	return (ssize_t)size;
}

/* The pull function waits itself. */
static int transport_pull_timeout(gnutls_transport_ptr_t arg, unsigned int ms)
{
	return 1;
}

static ssize_t transport_push(gnutls_transport_ptr_t arg, const void *buffer, size_t size)
{
	struct handshake *handshake = arg;
	const uint8_t *bytes = buffer;
	size_t part;

	handshake->encrypted_sent |= size && bytes[0] == RECORD_DATA;
	for (size_t sent = 0; sent < size; sent += part) {
		part = min_size(size - sent, CHANNEL_MAX_BYTES);
		if (handshake->closed ||
		    session_send(handshake->session, CHANNEL_BYTES, bytes + sent, part) < 0)
			return give_up(handshake);
	}
	return (ssize_t)size;
}

int handshake_bytes(struct handshake *handshake, const uint8_t *bytes, size_t length)
{
	if (!handshake->read_buffer || length == 0 || length > handshake->read_credit)
		return -EPROTO;
	memcpy(handshake->read_buffer + handshake->read_got, bytes, length);
	handshake->read_got += length;
	handshake->read_credit -= length;
	if (handshake->read_credit == 0)
		coroutine_resume(handshake->coroutine);
	return 0;
}

void transport_attach(struct handshake *handshake)
{
	wire_start(&handshake->wire, handshake->parameters.role == TLS_HANDOFF_CLIENT);
	gnutls_transport_set_ptr(handshake->tls, handshake);
	gnutls_transport_set_pull_function(handshake->tls, transport_pull);
	gnutls_transport_set_pull_timeout_function(handshake->tls, transport_pull_timeout);
	gnutls_transport_set_push_function(handshake->tls, transport_push);
}
