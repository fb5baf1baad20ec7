/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What protocols say in plain before TLS begins.  Each conversation is bounded in bytes and
 * lines, and is refused if a byte comes behind the last word that was asked for: such a byte
 * would otherwise count as if TLS had protected it (CVE-2011-0411, CVE-2021-23222).
 */
#ifndef TUNNEL_STARTTLS_H
#define TUNNEL_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>

enum starttls_protocol {
	STARTTLS_NONE,
	STARTTLS_SMTP,	   /* RFC 3207 */
	STARTTLS_IMAP,	   /* RFC 9051 */
	STARTTLS_POSTGRES, /* SSLRequest */
};

/* By protocol, without STARTTLS_NONE, NULL-terminated. */
extern const char *const starttls_names[];

enum starttls_part {
	STARTTLS_OFFER, /* the server's side, to a client */
	STARTTLS_ASK,	/* the client's side, to a server */
	STARTTLS_GREET, /* takes what the server behind says to a new connection: the client has
			 * heard it before TLS */
};

struct starttls;

/* NULL without memory. */
struct starttls *starttls_new(enum starttls_protocol protocol, enum starttls_part part);
void starttls_free(struct starttls *starttls); /* accepts NULL */

/* Goes on with the conversation on the non-blocking @fd, which must not be read by others.
 * 1: it is over and TLS is next; 0: wait until @fd becomes readable or writable; -errno, with
 * words of starttls_error() unless it is the socket's. */
int starttls_run(struct starttls *starttls, int fd);
const char *starttls_error(const struct starttls *starttls);

/* ASK: what the server said to a new connection, for the client that waits for it; may be
 * empty. */
const char *starttls_greeting(const struct starttls *starttls, size_t *ret_length);

#endif /* TUNNEL_STARTTLS_H */
