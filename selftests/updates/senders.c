// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways to send; senders.h says what is promised.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "options.h"
#include "senders.h"
#include "stream.h"

#define FILE_SIZE	(64 * STREAM_MESSAGE)

static void sent(const char *how, ssize_t ret, size_t size)
{
	char words[128];

	if (ret > 0 && (size_t)ret == size)
		return;
	snprintf(words, sizeof(words), "%s of %zu bytes gave %zd", how, size, ret);
	give_up(words, ret < 0 ? errno : 0);
}

static void plainly(struct sender *sender, const char *data, size_t size)
{
	sent("send()", send(sender->fd, data, size, MSG_NOSIGNAL), size);
}

/* The record stays open in between. */
static void with_more(struct sender *sender, const char *data, size_t size)
{
	size_t first = size / 3;

	if (first)
		sent("send(MSG_MORE)", send(sender->fd, data, first, MSG_MORE | MSG_NOSIGNAL),
		     first);
	sent("send()", send(sender->fd, data + first, size - first, MSG_NOSIGNAL), size - first);
}

static void from_many(struct sender *sender, const char *data, size_t size)
{
	struct iovec parts[3] = {
		{ (char *)data, size / 2 },
		{ (char *)data + size / 2, size / 4 },
		{ (char *)data + size / 2 + size / 4, size - size / 2 - size / 4 },
	};

	sent("writev()", writev(sender->fd, parts, 3), size);
}

/* It may take less than all, and nothing while senders wait for a key. */
static void without_blocking(struct sender *sender, const char *data, size_t size)
{
	struct pollfd pfd = { .fd = sender->fd, .events = POLLOUT };
	ssize_t ret;

	while (size) {
		ret = send(sender->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret > 0) {
			data += ret;
			size -= ret;
		} else if (!ret || errno != EAGAIN) {
			sent("send(MSG_DONTWAIT)", ret, size);
		} else if (poll(&pfd, 1, -1) != 1 || pfd.revents & (POLLERR | POLLHUP)) {
			give_up("poll() says that nothing can be sent any more", 0);
		}
	}
}

static void by_sendfile(struct sender *sender, const char *data, size_t size)
{
	off_t offset = data - sender->memory;
	ssize_t ret;

	while (size) {
		ret = sendfile(sender->fd, sender->file, &offset, size);
		if (ret <= 0)
			sent("sendfile()", ret, size);
		size -= ret;
	}
}

static void by_splice(struct sender *sender, const char *data, size_t size)
{
	off_t offset = data - sender->memory;
	ssize_t in, ret;

	while (size) {
		in = splice(sender->file, &offset, sender->pipe[1], NULL, size, 0);
		if (in <= 0)
			sent("splice() from a file", in, size);
		size -= in;
		for (; in; in -= ret) {
			ret = splice(sender->pipe[0], NULL, sender->fd, NULL, in,
				     size ? SPLICE_F_MORE : 0);
			if (ret <= 0)
				sent("splice()", ret, in);
		}
	}
}

static void by_io_uring(struct sender *sender, const char *data, size_t size)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&sender->ring);
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_send(sqe, sender->fd, data, size, MSG_WAITALL | MSG_NOSIGNAL);
	do {
		ret = io_uring_submit_and_wait(&sender->ring, 1);
	} while (ret == -EINTR);
	if (ret < 0 || io_uring_peek_cqe(&sender->ring, &cqe))
		give_up("io_uring", -ret);
	errno = cqe->res < 0 ? -cqe->res : 0;
	sent("io_uring's send", cqe->res, size);
	io_uring_cqe_seen(&sender->ring, cqe);
}

static const struct {
	const char *name;
	void (*send)(struct sender *sender, const char *data, size_t size);
} kinds[] = {
	{ "send", plainly },	     { "more", with_more },	 { "writev", from_many },
	{ "dontwait", without_blocking }, { "sendfile", by_sendfile }, { "splice", by_splice },
	{ "io_uring", by_io_uring },
};

static void choose_kinds(struct sender *sender, const char *names)
{
	size_t length, kind;

	for (; *names; names += length + (names[length] == ',')) {
		length = strcspn(names, ",");
		for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
			if (strlen(kinds[kind].name) == length &&
			    !strncmp(kinds[kind].name, names, length))
				break;
		if (kind == ARRAY_SIZE(kinds) || sender->count == ARRAY_SIZE(sender->kinds))
			give_up("no such way to send", 0);
		sender->kinds[sender->count++] = kind;
	}
	if (!sender->count)
		give_up("no way to send", 0);
}

void sender_open(struct sender *sender, int fd, const char *names)
{
	int ret;

	*sender = (struct sender){ .fd = fd };
	choose_kinds(sender, names);
	sender->file = memfd_create("messages", MFD_CLOEXEC);
	if (sender->file < 0 || ftruncate(sender->file, FILE_SIZE))
		give_up("memfd_create", errno);
	sender->memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sender->file,
			      0);
	if (sender->memory == MAP_FAILED)
		give_up("mmap", errno);
	if (pipe2(sender->pipe, O_CLOEXEC))
		give_up("pipe2", errno);
	ret = io_uring_queue_init(4, &sender->ring, 0);
	if (ret)
		give_up("io_uring_queue_init", -ret);
}

void sender_close(struct sender *sender)
{
	io_uring_queue_exit(&sender->ring);
	close(sender->pipe[0]);
	close(sender->pipe[1]);
	munmap(sender->memory, FILE_SIZE);
	close(sender->file);
}

void *sender_message(struct sender *sender)
{
	if (sender->at + STREAM_MESSAGE > FILE_SIZE)
		sender->at = 0;
	return sender->memory + sender->at;
}

void sender_send(struct sender *sender, size_t size)
{
	unsigned int kind = sender->kinds[sender->turn++ % sender->count];

	kinds[kind].send(sender, sender->memory + sender->at, size);
	sender->at += size;
}
