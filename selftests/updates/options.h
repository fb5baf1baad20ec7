/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of these tests have in common: options, a connection over
 * loopback, a last word to the script that started them.
 */
#ifndef SELFTESTS_UPDATES_OPTIONS_H
#define SELFTESTS_UPDATES_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

struct options {
	bool server;		/* listens for one connection */
	bool tls12;
	bool no_requests;	/* never asks the peer for an update of its own */
	bool only_requests;	/* asks every time */
	bool at_once;		/* all updates before the first byte */
	bool at_end;		/* all of them behind the last one, before close_notify */
	bool reads_last;	/* receives nothing before all is sent */
	bool edges;		/* waits by edge-triggered epoll; a peer */
	bool renegotiates;	/* once, in the middle */
	bool half_close;	/* sends its close_notify before it has received everything */
	uint64_t port;
	uint64_t bytes;		/* to send */
	uint64_t updates;	/* of the sending key */
	uint64_t pause;		/* milliseconds from one of them to the next, at least */
	uint64_t seconds;	/* after which all is given up */
	uint64_t threads;	/* that send; the program's */
	const char *profile;	/* the program's */
	const char *name;	/* of the server */
	const char *cipher;	/* as the library writes it */
	const char *senders;	/* the program's kinds of sending, comma separated */
};

/* Ends the process with what is wrong if it cannot. */
void options_parse(struct options *options, int argc, char **argv);
/* A connected TCP socket: to the port, or the first that comes to it */
int options_connect(const struct options *options);
/* Ends the process with @words, and those of @error if it is not 0, on standard error */
noreturn void give_up(const char *words, int error);
/* What give_up() calls first, if set */
extern void (*last_words)(void);
/* Monotonic */
uint64_t now_ms(void);

#endif /* SELFTESTS_UPDATES_OPTIONS_H */
