/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tunnel.c and reload.c share.
 */
#ifndef TUNNEL_SERVICE_H
#define TUNNEL_SERVICE_H

#include "tunnel.h"

/**
 * struct service - one of the configuration; it stays the same when that is read again
 * @refs: its connections, and the configuration while it has such a service
 * @settings: what new connections get
 * @connections: that are open
 */
struct service {
	struct tunnel *tunnel;
	unsigned int refs;
	struct settings *settings;
	unsigned int connections;
	bool configured;
	TAILQ_ENTRY(service) entry;
};

void service_put(struct tunnel *tunnel, struct service *service);
/* Frees those that nobody has; all of them if @all. */
void services_drop(struct tunnel *tunnel, bool all);

/* Listens where there is room for connections, and nowhere else. */
void tunnel_update(struct tunnel *tunnel);
/* The watch of listeners. */
void tunnel_accept(struct watch *watch, uint32_t events);

#endif /* TUNNEL_SERVICE_H */
