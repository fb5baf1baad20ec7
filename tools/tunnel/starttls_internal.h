/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine of starttls.c and the protocols share.
 */
#ifndef TUNNEL_STARTTLS_INTERNAL_H
#define TUNNEL_STARTTLS_INTERNAL_H

#include "starttls.h"

#define STARTTLS_BUFFER 2048 /* bytes of the longest line, and of all that is said at once */
#define STARTTLS_LINES	100  /* that the other side may take */
#define STARTTLS_NAME	256  /* bytes of this machine's name */

struct starttls {
	const struct starttls_ops *ops;
	enum starttls_part part;
	unsigned int step, lines;
	bool done; /* after what is in @out, TLS is next */
	bool over; /* after what is in @out, the connection ends */
	size_t in_length, out_length, greeting_length;
	char in[STARTTLS_BUFFER], out[STARTTLS_BUFFER], greeting[STARTTLS_BUFFER];
	char name[STARTTLS_NAME]; /* of this machine */
	const char *error;
};

/**
 * struct starttls_ops - one protocol
 * @begin: before anything was received
 * @line: gets one line without its CRLF, printable or not but without NUL; NULL: @raw
 * @raw: gets all that is in @in; takes what it can with starttls_took()
 *
 * All return 0, or -errno with starttls_refuse().
 */
struct starttls_ops {
	int (*begin)(struct starttls *starttls);
	int (*line)(struct starttls *starttls, const char *line);
	int (*raw)(struct starttls *starttls);
};

extern const struct starttls_ops starttls_smtp, starttls_imap, starttls_postgres;

/* -EPROTO, with words that live for ever. */
int starttls_refuse(struct starttls *starttls, const char *why);
/* To be sent; 0 or -errno. */
int starttls_say(struct starttls *starttls, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int starttls_send(struct starttls *starttls, const void *bytes, size_t length);
/* Drops the first @length bytes of what was received. */
void starttls_took(struct starttls *starttls, size_t length);
/* Adds a line to the greeting; 0 or -errno. */
int starttls_keep(struct starttls *starttls, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* TUNNEL_STARTTLS_INTERNAL_H */
