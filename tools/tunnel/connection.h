/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection through a service: what was accepted, what was connected to, and the way from
 * there to two flows of bytes.
 */
#ifndef TUNNEL_CONNECTION_H
#define TUNNEL_CONNECTION_H

#include <sys/queue.h>

#include "loop.h"
#include "names.h"
#include "pipes.h"
#include "relay.h"
#include "settings.h"

struct connection;
TAILQ_HEAD(connection_list, connection);

/**
 * struct connections - all of them, and what they share
 * @loop, @pipes: owned by it
 * @all: the open ones
 * @busy: those that have more to do than one turn allows
 * @dead: to be freed at the end of the turn
 * @count: of @all
 * @next_look: when the next time limit may be reached, in milliseconds of the loop's clock
 * @ended: called for each that ends, with what connection_new() got
 */
struct connections {
	struct loop loop;
	struct pipes pipes;
	struct connection_list all, busy, dead;
	unsigned int count;
	uint64_t next_look;
	void (*ended)(void *data);
};

int connections_open(struct connections *connections);
/* Ends all of them. */
void connections_close(struct connections *connections);

/* Milliseconds until connections_turn_end() is wanted; -1: no matter when. */
int connections_timeout(const struct connections *connections);
/* To be called after each turn of the loop. */
void connections_turn_end(struct connections *connections);

/*
 * Takes over @fd, which @settings' service accepted from @peer, and everything from here on:
 * what goes wrong is logged.  @data is for connections.ended().
 */
void connection_new(struct connections *connections, struct settings *settings, int fd,
		    const char *peer, void *data);

#endif /* TUNNEL_CONNECTION_H */
