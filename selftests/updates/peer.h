/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer on a TLS library: sends and receives at the same time in one thread, and
 * changes its sending key as often as its options say, while data flows.
 */
#ifndef SELFTESTS_UPDATES_PEER_H
#define SELFTESTS_UPDATES_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "options.h"

struct peer {
	const struct options *options;
	int fd;			/* does not block */
	int edges;		/* edge-triggered epoll, or 0 for poll() */
	void *tls;		/* the library's */
	bool wants_out;		/* the library has something to write before it can go on */
	unsigned int updates, requested;	/* of its own; requested: that ask for one */
	unsigned int sent, received;	/* KeyUpdates on the wire, answers too */
	int alert;		/* received; -1 none */
	const char *wrong;	/* the library's word for a failure */
};

/*
 * A library. read, write: bytes, or -EAGAIN, or -EPROTO and peer->wrong; read: 0 at
 * close_notify. update, close: 0, or as those.
 */
struct peer_library {
	const char *name;
	int (*handshake)(struct peer *peer);	/* may block; 0 or -EPROTO */
	ssize_t (*read)(struct peer *peer, void *data, size_t size);
	ssize_t (*write)(struct peer *peer, const void *data, size_t size);
	int (*update)(struct peer *peer, bool request);
	int (*close)(struct peer *peer);
	/* TLS 1.2: asks for another handshake; 0 when the wish is out, or declined */
	int (*renegotiate)(struct peer *peer);
};

/* The whole life of a peer; its exit status */
int peer_main(const struct peer_library *library, int argc, char **argv);

#endif /* SELFTESTS_UPDATES_PEER_H */
