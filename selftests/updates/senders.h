/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every way in which a program can send: the same bytes by send(), with MSG_MORE,
 * from several buffers, without blocking, by sendfile(), splice() and io_uring.
 */
#ifndef SELFTESTS_UPDATES_SENDERS_H
#define SELFTESTS_UPDATES_SENDERS_H

#include <liburing.h>
#include <stddef.h>

/*
 * One thread's. What is sent lies in a file in memory, around which the messages go:
 * the kernel may look at what sendfile() was given after it returned.
 */
struct sender {
	int fd;
	int file;
	char *memory;		/* @file, mapped */
	size_t at;		/* of the next message in it */
	int pipe[2];
	struct io_uring ring;
	unsigned int kinds[16], count;	/* to be used one after the other */
	unsigned int turn;
};

/* @kinds: names with commas between them */
void sender_open(struct sender *sender, int fd, const char *kinds);
void sender_close(struct sender *sender);
/* Where the next message is to be made, of at most STREAM_MESSAGE bytes */
void *sender_message(struct sender *sender);
/* Sends it, all of it; ends the process if that fails. */
void sender_send(struct sender *sender, size_t size);

#endif /* SELFTESTS_UPDATES_SENDERS_H */
