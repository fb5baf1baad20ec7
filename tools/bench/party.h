/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of many connections: OpenSSL, set up once for all of them, with
 * sessions that are kept for the next connection.
 */
#ifndef BENCH_PARTY_H
#define BENCH_PARTY_H

#include <stdbool.h>
#include <openssl/ssl.h>

#include "test_peer.h"

struct party;

/* @certificate and @key may be NULL for a client; @ask: a server wants a certificate of @ca. */
struct party *party_new(bool server, const char *certificate, const char *key, const char *ask);
void party_free(struct party *party);

/* One connection.  A client resumes *@session, if there is one, and leaves there what its tickets
 * are for; @session may be NULL. */
struct peer *party_connect(struct party *party, SSL_SESSION **session);
bool party_resumed(const struct peer *peer);

#endif /* BENCH_PARTY_H */
