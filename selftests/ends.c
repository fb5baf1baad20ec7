// SPDX-License-Identifier: GPL-2.0-only
/*
 * How connections end, and who may end them: shutdown each way, SO_LINGER, close() with
 * data that nobody read or sent yet, descriptors in other processes and on their way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "semantics.h"

/* All data until the end of the stream, whatever else is said at the end; bytes or -errno */
static long data_until_end(int fd)
{
	static uint8_t buffer[70000];
	long total = 0, ret;
	uint8_t type;

	do {
		type = RECORD_DATA;
		ret = recv_record(fd, &type, buffer, sizeof(buffer), 0);
		if (ret > 0 && type == RECORD_DATA)
			total += ret;
	} while (ret > 0);
	return ret ? ret : total;
}

static void close_app(struct __test_metadata *_metadata, struct _test_data_semantics *self)
{
	ASSERT_EQ(0, close(self->app));
	self->pair.app = -1;
}

TEST_F(semantics, shutdown_of_writing_lets_the_peer_answer)
{
	ASSERT_EQ(5000, send(self->app, self->out, 5000, 0));
	ASSERT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(5000, data_until_end(self->peer));
	ASSERT_EQ(5000, send(self->peer, self->out, 5000, 0));
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	ASSERT_EQ(5000, read_all(self->app, self->in, 5000));
	EXPECT_TRUE(pattern_check(self->in, 5000, 0));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(0, socket_error(self->app));
}

TEST_F(semantics, shutdown_of_reading_is_an_end_at_once_and_data_that_came_is_kept)
{
	struct pollfd pfd = { .fd = self->app, .events = POLLIN | POLLRDHUP };

	ASSERT_EQ(0, shutdown(self->app, SHUT_RD));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, pfd.revents);
	EXPECT_EQ(5, send(self->app, "hello", 5, 0));
	EXPECT_EQ(5, read_all(self->peer, self->in, 5));
}

TEST_F(semantics, shutdown_twice_and_of_nonsense)
{
	EXPECT_EQ(-1, shutdown(self->app, 3));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, shutdown(self->app, -1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(0, shutdown(self->app, SHUT_RD));
	EXPECT_EQ(0, shutdown(self->app, SHUT_RDWR));
	EXPECT_EQ(0, data_until_end(self->peer));
}

TEST_F(semantics, shutdown_from_another_thread_ends_a_sleeping_sender)
{
	static char big[8 << 20];
	struct call call = { .fd = self->app, .buffer = big, .size = sizeof(big) };
	struct task task;
	long got, sent;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: the sender goes on behind the FIN");
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	ASSERT_EQ(0, shutdown(self->app, SHUT_WR));
	got = data_until_end(self->peer);
	EXPECT_LT(0, got);
	sent = task_end(&task);
	/* What it says it sent is what came */
	EXPECT_EQ(got, sent);
	EXPECT_GT(sizeof(big), got);
}

TEST_F(semantics, close_with_unsent_data_sends_it)
{
	long sent;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: may lose the record that waits for room");
	sent = fill(self->app, 'x');
	ASSERT_LT(0, sent);
	close_app(_metadata, self);
	EXPECT_EQ(sent, data_until_end(self->peer));
}

TEST_F(semantics, close_with_unread_data_is_a_reset)
{
	say(_metadata, self->peer, self->app, "unread");
	ASSERT_EQ(5, recv(self->app, self->in, 5, MSG_PEEK));
	close_app(_metadata, self);
	/* kTLS took the record off TCP's queue when it was peeked at: an end like any other */
	EXPECT_EQ(variant->kind == KIND_PLAIN ? -ECONNRESET : 0, data_until_end(self->peer));
}

TEST_F(semantics, linger_waits_for_the_peer_and_then_no_longer)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 1 };
	long long begin;
	long sent;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: loses the record that waits for room");
	sent = fill(self->app, 'x');
	ASSERT_LT(0, sent);
	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	begin = now_ms();
	close_app(_metadata, self);
	/* Ticks of a virtual machine are not exact */
	EXPECT_LE(500, now_ms() - begin);
	EXPECT_EQ(sent, data_until_end(self->peer));
}

static long call_data_until_end(void *arg)
{
	return data_until_end(*(int *)arg);
}

TEST_F(semantics, linger_ends_when_the_peer_has_it_all)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 60 };
	struct task task;
	long long begin;
	long sent;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: loses the record that waits for room");
	sent = fill(self->app, 'x');
	ASSERT_LT(0, sent);
	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, task_start(&task, call_data_until_end, &self->peer));
	begin = now_ms();
	close_app(_metadata, self);
	EXPECT_GE(TEST_DEADLINE_MS, now_ms() - begin);
	EXPECT_EQ(sent, task_end(&task));
}

TEST_F(semantics, linger_of_zero_is_a_reset)
{
	struct linger linger = { .l_onoff = 1 };

	ASSERT_EQ(5, send(self->app, "hello", 5, 0));
	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close_app(_metadata, self);
	EXPECT_EQ(-ECONNRESET, data_until_end(self->peer));
}

TEST_F(semantics, a_child_that_exits_or_execs_ends_nothing)
{
	int status;

	for (int exec = 0; exec < 2; exec++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child && exec)
			execl("/bin/true", "true", NULL);
		if (!child)
			_exit(0);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		expect_unharmed(_metadata, self->app, self->peer);
	}
}

/* Who closed its own descriptor may still have a child that talks */
TEST_F(semantics, a_child_goes_on_when_its_parent_has_closed)
{
	int go[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(read(go[0], &byte, 1) != 1 || send(self->app, "child", 5, 0) != 5);
	close_app(_metadata, self);
	ASSERT_EQ(1, write(go[1], "g", 1));
	EXPECT_EQ(5, data_until_end(self->peer));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
}

TEST_F(semantics, shutdown_in_a_child_is_everybodys)
{
	pid_t child = fork();
	int status;

	ASSERT_LE(0, child);
	if (!child)
		_exit(shutdown(self->app, SHUT_WR));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, data_until_end(self->peer));
	if (variant->kind != KIND_KTLS) {
		EXPECT_EQ(-1, send(self->app, "x", 1, MSG_NOSIGNAL));
		EXPECT_EQ(EPIPE, errno);
	}
}

/* A descriptor in a message that nobody takes lives as long as the message */
TEST_F(semantics, a_descriptor_on_its_way_keeps_the_connection_until_it_is_dropped)
{
	struct pollfd pfd = { .fd = self->peer, .events = POLLIN };
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	ASSERT_EQ(0, pass_fd(ends[0], self->app));
	close_app(_metadata, self);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	close(ends[0]);
	close(ends[1]);
	EXPECT_EQ(0, data_until_end(self->peer));
}

/* pidfd_getfd() and /proc: another process with the right takes the same socket */
TEST_F(semantics, pidfd_getfd_gives_the_same_socket)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0), copy;

	ASSERT_LE(0, pidfd);
	copy = syscall(SYS_pidfd_getfd, pidfd, self->app, 0);
	ASSERT_LE(0, copy);
	expect_unharmed(_metadata, copy, self->peer);
	close(copy);
	expect_unharmed(_metadata, self->app, self->peer);
	close(pidfd);
}

TEST_HARNESS_MAIN
