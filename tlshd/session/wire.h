/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a handshake's peer sends without protection, looked at on its way to GnuTLS,
 * which is laxer than TLS 1.3 and silent about some of it.
 */
#ifndef TLSHD_SESSION_WIRE_H
#define TLSHD_SESSION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MESSAGE_HEADER 4 /* bytes of a handshake message's type and length */

struct wire {
	bool lost;	/* it was not read record by record: nothing is known any more */
	bool hello;	/* a ClientHello was sent or received */
	bool violation; /* of TLS 1.3; means nothing in TLS 1.2 */
	uint8_t type;	/* of the record whose body comes next */
	size_t body;	/* its bytes; 0: a header comes next */
	int alert;	/* description of the last record if it was an alert, or ALERT_NONE */

	/* the handshake message that is going by */
	uint8_t header[WIRE_MESSAGE_HEADER];
	size_t header_length;
	size_t rest; /* of its body, once the header is there */
};

/* @client: we are, and so ClientHello was sent. */
void wire_start(struct wire *wire, bool client);

/* One read of GnuTLS: a record's header, or its body. */
void wire_look(struct wire *wire, const uint8_t *bytes, size_t size);

#endif /* TLSHD_SESSION_WIRE_H */
