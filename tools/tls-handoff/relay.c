// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Standard input to a secured connection and back: a thread for each direction, so
 * that neither ever waits for the other.  Plain send(2), recv(2) and sendfile(2): that
 * there is TLS inside shows nowhere here.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define CHUNK	   (64 * 1024)	 /* bytes: four full records */
#define FILE_CHUNK (1024 * 1024) /* bytes of a file that one sendfile(2) sends */

struct sender {
	int fd;
	int peer_closed; /* eventfd: wait for standard input no longer */
	int error;	 /* result: 0 or -errno */
	const char *where;
};

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= n;
		}
	}
	return 0;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= n;
		}
	}
	return 0;
}

/* True once standard input has something, or its end; false if the peer has closed and
 * there is nothing. */
static bool wait_for_input(const struct sender *sender)
{
	struct pollfd polled[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = sender->peer_closed, .events = POLLIN },
	};

	while (poll(polled, 2, -1) < 0 && errno == EINTR)
		;
	return polled[0].revents != 0;
}

/* A file goes from the page cache to the record without a copy of ours.  1 at its end,
 * 0 if standard input is no file that sendfile(2) takes, -errno. */
static int send_file(int fd)
{
	ssize_t n;

	do
		n = sendfile(fd, STDIN_FILENO, NULL, FILE_CHUNK);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (!n)
		return 1;
	return errno == EINVAL || errno == ENOSYS ? 0 : -errno;
}

static void send_input(struct sender *sender)
{
	char data[CHUNK];
	ssize_t n = 0;
	int r;

	r = send_file(sender->fd);
	while (!r && wait_for_input(sender)) {
		n = read(STDIN_FILENO, data, sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		r = send_all(sender->fd, data, n);
	}
	if (r < 0) {
		sender->where = "sending";
		sender->error = r;
	} else if (n < 0) {
		sender->where = "standard input";
		sender->error = -errno;
		shutdown(sender->fd, SHUT_RDWR); /* the peer waits for what will not come */
	} else {
		/* Our close_notify; the other direction stays open. */
		shutdown(sender->fd, SHUT_WR);
	}
}

static void *sender_main(void *argument)
{
	send_input(argument);
	return NULL;
}

static int receive(int fd, bool drop, const char **ret_where)
{
	char data[CHUNK];
	ssize_t n;
	int r;

	*ret_where = "receiving";
	while ((n = recv(fd, data, sizeof(data), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = drop ? 0 : write_all(STDOUT_FILENO, data, n);
		if (r < 0) {
			*ret_where = "standard output";
			return r;
		}
	}
	return 0;
}

int relay(int fd, bool recv_only, bool send_only, const char **ret_where)
{
	struct sender sender = { .fd = fd };
	pthread_t thread;
	int r;

	if (recv_only)
		return receive(fd, false, ret_where);

	*ret_where = "starting";
	sender.peer_closed = eventfd(0, EFD_CLOEXEC);
	if (sender.peer_closed < 0)
		return -errno;
	r = -pthread_create(&thread, NULL, sender_main, &sender);
	if (r < 0)
		goto out;

	r = receive(fd, send_only, ret_where);
	if (r < 0)
		shutdown(fd, SHUT_RDWR); /* ends a send that would wait for ever */
	if (r < 0 || !send_only)
		eventfd_write(sender.peer_closed, 1);
	pthread_join(thread, NULL);
	if (!r && sender.error < 0) {
		*ret_where = sender.where;
		r = sender.error;
	}
out:
	close(sender.peer_closed);
	return r;
}
