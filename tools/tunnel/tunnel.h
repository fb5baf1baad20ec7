/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All services: what accepts for whom, limits, the configuration that is in force.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include <stdbool.h>

#include "connection.h"
#include "listener.h"
#include "settings.h"

struct service;
TAILQ_HEAD(service_list, service);

/**
 * struct tunnel - the program
 * @path, @text: the configuration, see settings_load()
 * @services: those of the configuration, and those that only have connections left
 * @most: connections that there are file descriptors for
 * @retry: when accepting is tried again after the machine had no room, in milliseconds of the
 *	loop's clock; 0: it has
 */
struct tunnel {
	const char *path, *text;
	struct connections connections;
	struct service_list services;
	struct listener_list listeners;
	unsigned int most;
	uint64_t retry;
	bool stopping;
};

/* Reads the configuration and listens.  0, or -errno after the log line. */
int tunnel_open(struct tunnel *tunnel, const char *path, const char *text);
void tunnel_close(struct tunnel *tunnel);

/* Reads the configuration again.  If it is not good, or a new address cannot be had, everything
 * stays as it is.  0, or -errno after the log line; -EINVAL is a mistake in the configuration. */
int tunnel_reload(struct tunnel *tunnel);

/* Accepts no more. */
void tunnel_stop(struct tunnel *tunnel);

/* Waits, at most @timeout milliseconds (-1: for ever), and serves.  0 or -errno. */
int tunnel_turn(struct tunnel *tunnel, int timeout);

#endif /* TUNNEL_TUNNEL_H */
