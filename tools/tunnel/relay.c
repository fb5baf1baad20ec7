// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes from one socket to another through a pipe, see relay.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "handoff.h"
#include "relay.h"

#define RELAY_HELD   131072 /* bytes in a pipe at which it is emptied first */
#define RELAY_ROUNDS 4	    /* times that a pipe is filled before it is somebody else's turn */
#define RELAY_PIECES 18	    /* slots of a pipe that one record may take, MAX_SKB_FRAGS + 1 */

/* Whether the peer closed without close_notify and between two records: an end for those who
 * say so. */
static bool is_cut(int fd)
{
	struct tls_handoff_info info;

	return handoff_info(fd, &info) == 0 && info.flags & TLS_HANDOFF_F_TRUNCATED &&
	       !(info.flags & TLS_HANDOFF_F_PARTIAL);
}

/* Receives into the pipe: whatever plain TCP has is one call, of TLS each record is one. */
static int fill(struct flow *flow, bool eof)
{
	struct end *from = flow->from;
	unsigned int pieces = 0;
	ssize_t n;

	do {
		n = splice(from->watch.fd, NULL, flow->pipe->in, NULL, RELAY_HELD,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			/* A full pipe says the same */
			if (pieces < flow->pipe->slots)
				from->readable = false;
			return 0;
		}
		if (n < 0) {
			if (errno != ECONNABORTED || !eof || !is_cut(from->watch.fd))
				return -errno;
			flow->cut = true;
		}
		if (n <= 0) {
			flow->ended = true;
			return 0;
		}
		flow->held += n;
		pieces += RELAY_PIECES;
	} while (from->secure && flow->held < RELAY_HELD);
	return 0;
}

static bool has_room(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	return poll(&wait, 1, 0) > 0 && wait.revents & POLLOUT;
}

static int empty(struct flow *flow)
{
	ssize_t n;

	while (flow->held && flow->to->writable) {
		n = splice(flow->pipe->out, NULL, flow->to->watch.fd, NULL, flow->held,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0) {
			flow->held -= n;
			flow->starved = false;
		} else if (n < 0 && errno == EAGAIN) {
			flow->to->writable = false;
			/* It is the kernel that has no room, and nobody will say when it has */
			flow->starved = has_room(flow->to->watch.fd);
		} else if (n == 0 || errno != EINTR) {
			return n == 0 ? -EPIPE : -errno;
		}
	}
	return 0;
}

int relay_flow(struct flow *flow, struct pipes *pipes, bool eof, struct end **ret_failed)
{
	int r;

	for (int round = 0; round < RELAY_ROUNDS; round++) {
		if (!flow->held && !flow->ended && flow->from->readable) {
			r = flow->pipe ? 0 : pipes_take(pipes, &flow->pipe);
			if (r == 0)
				r = fill(flow, eof);
			if (r < 0) {
				*ret_failed = flow->from;
				return r;
			}
		}
		r = empty(flow);
		if (r < 0) {
			*ret_failed = flow->to;
			return r;
		}
		if (flow->held)
			return 0;
		if (flow->pipe && (flow->ended || !flow->from->readable)) {
			pipes_give(pipes, flow->pipe);
			flow->pipe = NULL;
		}
		if (flow->ended && !flow->shut) {
			/* A peer that is gone already needs no end */
			shutdown(flow->to->watch.fd, SHUT_WR);
			flow->shut = true;
		}
		if (flow->ended || !flow->from->readable)
			return 0;
	}
	return 1;
}

void flow_clear(struct flow *flow)
{
	pipe_free(flow->pipe);
	flow->pipe = NULL;
	flow->held = 0;
}
