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

#define RECORD_HANDSHAKE 22
#define RECORD_DATA	 23
#define RECORD_HEADER	 5
#define SERVER_HELLO	 2
#define RANDOM_AT	 6 /* in ServerHello: behind type, length and version */

/* RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest */
static const uint8_t retry_random[] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

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

/* Whether the record at @bytes makes a TLS 1.3 client expect encrypted ones: it is one, or the
 * ServerHello that the keys follow from. */
static bool begins_encryption(const uint8_t *bytes, size_t size)
{
	const uint8_t *hello = bytes + RECORD_HEADER;

	if (size && bytes[0] == RECORD_DATA)
		return true;
	return size >= RECORD_HEADER + RANDOM_AT + sizeof(retry_random) &&
	       bytes[0] == RECORD_HANDSHAKE && hello[0] == SERVER_HELLO &&
	       memcmp(hello + RANDOM_AT, retry_random, sizeof(retry_random)) != 0;
}

static ssize_t transport_push(gnutls_transport_ptr_t arg, const void *buffer, size_t size)
{
	struct handshake *handshake = arg;
	const uint8_t *bytes = buffer;
	size_t part;

	handshake->encrypted_sent |= begins_encryption(bytes, size);
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
