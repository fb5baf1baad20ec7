// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program with a handed-off socket that never blocks, as one with an event loop has
 * it. In the place of a library's peer, its KeyUpdates are what the kernel counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "handoff.h"
#include "peer.h"

static int fd;
static uint64_t generation = (uint64_t)-1; /* of the sending key at the last REKEY */

static void say(void)
{
	handoff_say(fd);
}

static int handshake(struct peer *peer)
{
	fd = peer->fd;
	last_words = say;
	handoff_start(fd, peer->options);
	return 0;
}

static ssize_t result(struct peer *peer, ssize_t ret)
{
	int error = errno;
	struct tls_handoff_info info = handoff_info(fd);

	peer->sent = info.tx_generation;
	peer->received = info.rx_generation;
	if (ret >= 0)
		return ret;
	if (error == EAGAIN)
		return -EAGAIN;
	peer->wrong = strerrorname_np(error);
	return -EPROTO;
}

static ssize_t read_data(struct peer *peer, void *data, size_t size)
{
	return result(peer, recv(fd, data, size, 0));
}

static ssize_t write_data(struct peer *peer, const void *data, size_t size)
{
	return result(peer, send(fd, data, size, MSG_NOSIGNAL));
}

/* Never a second wish before the first is fulfilled. Nothing can be sent until then. */
static int update(struct peer *peer, bool request)
{
	uint64_t now = handoff_info(fd).tx_generation;

	if (now == generation)
		return -EAGAIN;
	generation = now;
	handoff_rekey(fd);
	return 0;
}

static int close_notify(struct peer *peer)
{
	return (int)result(peer, shutdown(fd, SHUT_WR));
}

int main(int argc, char **argv)
{
	static const struct peer_library library = {
		"tls-handoff", handshake, read_data, write_data, update, close_notify,
	};

	return peer_main(&library, argc, argv);
}
