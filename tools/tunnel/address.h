/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a service accepts and where it connects: "[HOST:]PORT" or "unix:PATH", resolved once.
 */
#ifndef TUNNEL_ADDRESS_H
#define TUNNEL_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 8 /* of one name, the others are left out */

struct address {
	socklen_t length;
	struct sockaddr_storage storage;
};

/**
 * struct addresses - what a text names
 * @local: a UNIX socket: it cannot talk TLS
 * @host: what stands before the port; empty if nothing does
 */
struct addresses {
	bool local;
	char host[NI_MAXHOST];
	size_t count; /* of the next field */
	struct address list[ADDRESSES_MAX];
};

/* @passive: to accept at; without a host that is every address of this machine, else it is
 * localhost.  NULL, or what is wrong with @text. */
const char *addresses_resolve(const char *text, bool passive, struct addresses *ret_addresses);

bool address_same(const struct address *a, const struct address *b);

#endif /* TUNNEL_ADDRESS_H */
