// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RFC 8446 5 and 5.1 for records without protection: change_cipher_spec is one byte 1
 * and comes behind a ClientHello; a hello message ends its record.
 */
#include <string.h>

#include "failure.h"
#include "wire.h"

#define RECORD_HEADER		  5
#define RECORD_CHANGE_CIPHER_SPEC 20
#define RECORD_ALERT		  21
#define RECORD_HANDSHAKE	  22
#define MESSAGE_CLIENT_HELLO	  1
#define MESSAGE_SERVER_HELLO	  2

void wire_start(struct wire *wire, bool client)
{
	*wire = (struct wire){ .hello = client, .alert = ALERT_NONE };
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes of @bytes that belong to the message that is going by. */
static size_t follow_message(struct wire *wire, const uint8_t *bytes, size_t size)
{
	size_t part;

	if (wire->header_length < WIRE_MESSAGE_HEADER) {
		part = min_size(size, WIRE_MESSAGE_HEADER - wire->header_length);
		memcpy(wire->header + wire->header_length, bytes, part);
		wire->header_length += part;
		if (wire->header_length == WIRE_MESSAGE_HEADER)
			wire->rest = (size_t)wire->header[1] << 16 | (size_t)wire->header[2] << 8 |
				     wire->header[3];
		return part;
	}
	part = min_size(size, wire->rest);
	wire->rest -= part;
	return part;
}

static void look_at_messages(struct wire *wire, const uint8_t *bytes, size_t size)
{
	size_t part;

	while (size) {
		part = follow_message(wire, bytes, size);
		bytes += part;
		size -= part;
		if (wire->header_length < WIRE_MESSAGE_HEADER || wire->rest)
			continue;
		wire->header_length = 0;
		if (wire->header[0] != MESSAGE_CLIENT_HELLO &&
		    wire->header[0] != MESSAGE_SERVER_HELLO)
			continue;
		wire->hello = true;
		/* keys change behind it (5.1) */
		if (size)
			wire->violation = true;
	}
}

static void look_at_body(struct wire *wire, const uint8_t *bytes, size_t size)
{
	switch (wire->type) {
	case RECORD_ALERT:
		if (size == 2)
			wire->alert = bytes[1];
		break;
	case RECORD_CHANGE_CIPHER_SPEC:
		if (size != 1 || bytes[0] != 1 || !wire->hello)
			wire->violation = true;
		break;
	case RECORD_HANDSHAKE:
		look_at_messages(wire, bytes, size);
		break;
	default:
		break;
	}
}

void wire_look(struct wire *wire, const uint8_t *bytes, size_t size)
{
	if (wire->lost)
		return;
	if (wire->body == 0 && size == RECORD_HEADER) {
		wire->type = bytes[0];
		wire->body = (size_t)bytes[3] << 8 | bytes[4];
		wire->alert = ALERT_NONE;
	} else if (size == wire->body) {
		look_at_body(wire, bytes, size);
		wire->body = 0;
	} else {
		wire->lost = true;
	}
}
