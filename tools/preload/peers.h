/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By what name the program knows an address: the one that it resolved last to it.
 */
#ifndef TLS_HANDOFF_PEERS_H
#define TLS_HANDOFF_PEERS_H

#include <sys/socket.h>

#include <linux/tls_handoff.h>

#define PEERS_MAX 512 /* addresses; the one learned first gives way */

/* Called once, before any other. */
void peers_init(void);

/* @name was resolved to @address.  An address literal, or a name that TLS cannot ask for,
 * makes the name that was there forgotten. */
void peers_learn(const struct sockaddr *address, const char *name);

/* The name of @address, or the address itself as a literal.  Safe in a signal handler. */
void peers_name(const struct sockaddr *address, char name[TLS_HANDOFF_MAX_PEER_NAME + 1]);

#endif /* TLS_HANDOFF_PEERS_H */
