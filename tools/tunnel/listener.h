/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets of services: our own, and those that systemd made.
 */
#ifndef TUNNEL_LISTENER_H
#define TUNNEL_LISTENER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "address.h"
#include "loop.h"
#include "names.h"

/**
 * struct listener - one of them
 * @service: whose connections it accepts; NULL while it waits for a service
 * @name: of one that systemd made, else NULL
 * @address: of one of our own
 * @used: by the configuration that is being put into force
 * @listening: it is in the loop
 */
struct listener {
	struct watch watch;
	struct service *service;
	char *name;
	struct address address;
	bool used, listening;
	TAILQ_ENTRY(listener) entry;
};

TAILQ_HEAD(listener_list, listener);

/* A socket that listens at @address.  0 or -errno. */
int listener_bind(const struct address *address, struct listener **ret_listener);
/* The sockets that systemd made, at the end of @list.  0 or -errno. */
int listeners_inherit(struct listener_list *list);
/* Closes it; one of our own that has a path is removed there. */
void listener_free(struct loop *loop, struct listener *listener);

/* A connection and who it is from.  Its file descriptor, or -errno. */
int listener_accept(struct listener *listener, char peer[ADDRESS_MAX]);

#endif /* TUNNEL_LISTENER_H */
