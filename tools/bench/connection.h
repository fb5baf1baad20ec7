/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections that are compared: plain TCP, kTLS whose keys the program sets
 * itself, and a handed-off socket whose agent sets the same keys.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib.h"

enum connection_kind {
	CONNECTION_PLAIN,
	CONNECTION_RAW_KTLS,
	CONNECTION_HANDOFF,
	CONNECTION_KINDS,
};

/* As in the names of figures */
extern const char *const connection_names[CONNECTION_KINDS];

/**
 * struct connection - one connection over loopback, both ends in this process
 * @app: the end under test
 * @peer: the other one; raw kTLS for both kinds of TLS
 * @session: the session fd of a handed-off one, else -1
 */
struct connection {
	int app, peer, session;
};

/* Keys and the rest of a finished handshake are the same for all: TLS 1.3, AES-128-GCM. */
#define CONNECTION_VERSION TLS_1_3_VERSION
#define CONNECTION_CIPHER  TLS_CIPHER_AES_GCM_128

/* TLS comes up on both ends of @connection, whose TCP sockets are there.  @agent is used for
 * CONNECTION_HANDOFF only.  0 or -errno. */
int connection_secure(struct connection *connection, enum connection_kind kind,
		      struct agent *agent);
/* A new one.  0 or -errno. */
int connection_open(struct connection *connection, enum connection_kind kind, struct agent *agent);
void connection_close(struct connection *connection);

/* Ends the program with a sentence if @result is a negative errno. */
void must(int result, const char *what);

#endif /* BENCH_CONNECTION_H */
