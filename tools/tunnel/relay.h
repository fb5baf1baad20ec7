/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes from one socket to another through a pipe, without a copy through this program's
 * memory (splice(2)).
 */
#ifndef TUNNEL_RELAY_H
#define TUNNEL_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"
#include "pipes.h"

/**
 * struct end - one of the two sockets of a connection
 * @watch: first, so that the loop's watch is the end
 * @readable, @writable: nobody heard EAGAIN since epoll said so
 * @failed: epoll said that there is an error
 * @secure: the one that talks TLS
 */
struct end {
	struct watch watch;
	struct connection *connection;
	bool readable, writable, failed, secure;
};

/**
 * struct flow - one direction of a connection
 * @pipe: what was received and not yet sent, NULL if that is nothing
 * @held: bytes in it
 * @ended: @from has sent its end
 * @cut: and did so without a word; nothing can be sent to it any more
 * @shut: the end was passed on to @to
 * @starved: the kernel had no memory for sending what is held; no event says when it has
 */
struct flow {
	struct end *from, *to;
	struct pipe *pipe;
	size_t held;
	bool ended, cut, shut, starved;
};

/*
 * Moves what there is, and then the end.  0: nothing can be done until @from or @to becomes
 * readable or writable, or for some time if it is @starved, or the flow has ended; 1: there is
 * more to do, others first; -errno with the end whose fault it is.  @eof: a TLS peer that closes
 * without close_notify has ended, too.
 */
int relay_flow(struct flow *flow, struct pipes *pipes, bool eof, struct end **ret_failed);

void flow_clear(struct flow *flow);

#endif /* TUNNEL_RELAY_H */
