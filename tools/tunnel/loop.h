/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: file descriptors that are watched by epoll(7), and what time it is.
 */
#ifndef TUNNEL_LOOP_H
#define TUNNEL_LOOP_H

#include <stdint.h>

/**
 * struct watch - a file descriptor and who is told about it
 * @fd: -1 while it has none
 * @ready: gets the EPOLL* events; may close any file descriptor, but must leave the memory of
 *	every watch alone until the turn of the loop has ended
 */
struct watch {
	int fd;
	void (*ready)(struct watch *watch, uint32_t events);
};

struct loop {
	int epoll;
	uint64_t now; /* milliseconds, of this turn */
};

/* 0 or -errno. */
int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* 0 or -errno. */
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);
void loop_remove(struct loop *loop, struct watch *watch);
/* Removes @watch and closes its file descriptor, if it has one. */
void loop_end(struct loop *loop, struct watch *watch);

/* One turn: waits up to @timeout milliseconds, -1 for ever, and tells who is ready. */
int loop_turn(struct loop *loop, int timeout);

#endif /* TUNNEL_LOOP_H */
