// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop, see loop.h.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define LOOP_EVENTS 256 /* taken from the kernel at a time */

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int loop_open(struct loop *loop)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	loop->epoll = fd;
	loop->now = milliseconds();
	return 0;
}

void loop_close(struct loop *loop)
{
	close(loop->epoll);
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
}

void loop_end(struct loop *loop, struct watch *watch)
{
	if (watch->fd < 0)
		return;
	/* Closing the last reference takes it out of epoll's set, too */
	close(watch->fd);
	watch->fd = -1;
}

int loop_turn(struct loop *loop, int timeout)
{
	struct epoll_event events[LOOP_EVENTS];
	int count;

	count = epoll_wait(loop->epoll, events, LOOP_EVENTS, timeout);
	if (count < 0 && errno != EINTR)
		return -errno;
	loop->now = milliseconds();
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		/* It may have ended in this very turn */
		if (watch->fd >= 0)
			watch->ready(watch, events[i].events);
	}
	return 0;
}
