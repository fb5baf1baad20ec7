// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket calls on a handed-off connection mean what they mean on plain TCP:
 * flags, time limits, poll and its relatives, bad arguments.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "semantics.h"

TEST_F(semantics, dontwait_with_nothing_to_read_is_eagain)
{
	EXPECT_EQ(-1, recv(self->app, self->in, 10, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, set_nonblock(self->app, true));
	EXPECT_EQ(-1, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, recv(self->app, self->in, 10, MSG_PEEK));
	EXPECT_EQ(EAGAIN, errno);
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(-1, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(semantics, dontwait_with_a_full_buffer_is_eagain_and_pollout_comes_back)
{
	struct pollfd pfd = { .fd = self->app, .events = POLLOUT };
	long sent = fill(self->app, 'x'), got = 0, ret;

	ASSERT_LT(0, sent);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	while (got < sent) {
		ret = recv(self->peer, self->in, sizeof(self->in), 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	EXPECT_TRUE(wait_for(self->app, POLLOUT) & POLLOUT);
	EXPECT_EQ(1, send(self->app, "y", 1, MSG_DONTWAIT));
}

TEST_F(semantics, dontwait_does_not_wait_behind_a_sender_that_does)
{
	static char big[8 << 20];
	struct call call = { .fd = self->app, .buffer = big, .size = sizeof(big) };
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct task task;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: MSG_DONTWAIT waits for the other sender's lock");
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	EXPECT_EQ(-1, send(self->app, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->app, &event));
	epoll_wait(epoll, &event, 1, 0);
	for (long ret, got = 0; got < (long)sizeof(big); got += ret) {
		ret = recv(self->peer, self->in, sizeof(self->in), 0);
		ASSERT_LT(0, ret);
	}
	EXPECT_EQ(sizeof(big), task_end(&task));
	/* Who was turned away is told */
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(1, send(self->app, "x", 1, MSG_DONTWAIT));
	close(epoll);
}

TEST_F(semantics, peek_takes_nothing_away)
{
	say(_metadata, self->peer, self->app, "hello");
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(2, recv(self->app, self->in, 2, MSG_PEEK));
		EXPECT_EQ(0, memcmp("he", self->in, 2));
		EXPECT_EQ(5, recv(self->app, self->in, 100, MSG_PEEK));
		EXPECT_EQ(0, memcmp("hello", self->in, 5));
	}
	EXPECT_EQ(2, recv(self->app, self->in, 2, 0));
	EXPECT_EQ(3, recv(self->app, self->in, 100, MSG_PEEK));
	EXPECT_EQ(0, memcmp("llo", self->in, 3));
	EXPECT_EQ(3, recv(self->app, self->in, 100, 0));
	EXPECT_EQ(-1, recv(self->app, self->in, 100, MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(semantics, waitall_waits_for_all_of_it)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 5000,
			     .flags = MSG_WAITALL };
	struct task task;
	char word[1000];

	memset(word, 'w', sizeof(word));
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	for (int i = 0; i < 5; i++) {
		ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
		ASSERT_EQ(1000, send(self->peer, word, 1000, 0));
	}
	EXPECT_EQ(5000, task_end(&task));
	EXPECT_EQ('w', self->in[4999]);
}

TEST_F(semantics, waitall_returns_what_there_is_at_the_end)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 5000,
			     .flags = MSG_WAITALL };
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_EQ(7, send(self->peer, "the end", 7, 0));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	EXPECT_EQ(7, task_end(&task));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
}

TEST_F(semantics, peek_with_waitall_waits_and_takes_nothing_away)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 10,
			     .flags = MSG_WAITALL | MSG_PEEK };
	struct task task;

	say(_metadata, self->peer, self->app, "hello");
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	EXPECT_EQ(10, task_end(&task));
	EXPECT_EQ(0, memcmp("helloworld", self->in, 10));
	memset(self->in, 0, 10);
	EXPECT_EQ(10, recv(self->app, self->in, 10, MSG_WAITALL));
	EXPECT_EQ(0, memcmp("helloworld", self->in, 10));
}

TEST_F(semantics, rcvtimeo_bounds_recv)
{
	struct timeval timeout = { .tv_usec = 100000 };
	long long begin = now_ms();

	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	EXPECT_EQ(-1, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(EAGAIN, errno);
	/* Ticks of a virtual machine are not exact */
	EXPECT_LE(40, now_ms() - begin);
	/* MSG_WAITALL then returns what it has */
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(5, recv(self->app, self->in, 10, MSG_WAITALL));
}

TEST_F(semantics, sndtimeo_bounds_send)
{
	struct timeval timeout = { .tv_usec = 60000 };
	long ret;

	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	ASSERT_LT(0, fill(self->app, 'x'));
	do {
		ret = send(self->app, self->in, sizeof(self->in), 0);
	} while (ret > 0);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(semantics, rcvlowat_keeps_a_reader_waiting)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 100 };
	int low = 10;
	struct task task;

	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	EXPECT_EQ(10, task_end(&task));
	EXPECT_EQ(0, memcmp("helloworld", self->in, 10));
}

static void on_signal(int number)
{
}

TEST_F(semantics, a_signal_interrupts_recv)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 100 };
	struct sigaction action = { .sa_handler = on_signal };
	struct task task;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, pthread_kill(task.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, task_end(&task));
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(5, recv(self->app, self->in, 100, 0));
}

TEST_F(semantics, poll_and_select_tell_of_data_and_room)
{
	struct pollfd pfd = { .fd = self->app, .events = POLLIN | POLLOUT };
	struct timeval now = {};
	fd_set in, out;

	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLOUT, pfd.revents);
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, pfd.revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->app, &in);
	FD_SET(self->app, &out);
	EXPECT_EQ(2, select(self->app + 1, &in, &out, NULL, &now));
	/* A part that was left over still counts */
	EXPECT_EQ(2, recv(self->app, self->in, 2, 0));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, pfd.revents);
	EXPECT_EQ(3, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLOUT, pfd.revents);
	FD_SET(self->app, &in);
	FD_ZERO(&out);
	EXPECT_EQ(0, select(self->app + 1, &in, NULL, NULL, &now));
}

TEST_F(semantics, a_sleeping_poll_is_woken_by_data)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->app, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	/* Level: as long as there is something */
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
		EXPECT_EQ(EPOLLIN, event.events);
	}
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

TEST_F(semantics, edge_triggered_epoll_tells_of_everything_new)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	ASSERT_EQ(0, set_nonblock(self->app, true));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->app, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (int i = 0; i < 50; i++) {
		long ret, got = 0;

		/* Several records, one event or more: then all must be there */
		ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
		ASSERT_EQ(5, send(self->peer, "world", 5, 0));
		while (got < 10) {
			ASSERT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
			while ((ret = recv(self->app, self->in, 3, 0)) > 0)
				got += ret;
			ASSERT_EQ(EAGAIN, errno);
		}
	}
	close(epoll);
}

TEST_F(semantics, fionread_counts_plaintext)
{
	int bytes = -1;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: FIONREAD counts ciphertext");
	ASSERT_EQ(0, ioctl(self->app, FIONREAD, &bytes));
	EXPECT_EQ(0, bytes);
	memset(self->in, 'x', 1000);
	ASSERT_EQ(1000, send(self->peer, self->in, 1000, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	ASSERT_EQ(0, ioctl(self->app, FIONREAD, &bytes));
	EXPECT_EQ(1000, bytes);
	ASSERT_EQ(400, recv(self->app, self->in, 400, 0));
	ASSERT_EQ(0, ioctl(self->app, FIONREAD, &bytes));
	EXPECT_EQ(600, bytes);
	ASSERT_EQ(600, recv(self->app, self->in, 1000, 0));
	ASSERT_EQ(0, ioctl(self->app, FIONREAD, &bytes));
	EXPECT_EQ(0, bytes);
}

TEST_F(semantics, nothing_sent_and_nothing_asked_is_nothing)
{
	EXPECT_EQ(0, send(self->app, "", 0, 0));
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(0, recv(self->app, self->in, 0, 0));
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(-1, recv(self->app, (void *)8, 10, MSG_DONTWAIT));
	EXPECT_EQ(-1, send(self->app, (void *)8, 10, 0));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(semantics, a_bad_buffer_is_efault_and_loses_nothing)
{
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(-1, recv(self->app, (void *)8, 10, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(5, recv(self->app, self->in, 10, MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp("hello", self->in, 5));
	ASSERT_EQ(2, send(self->app, "on", 2, 0));
	ASSERT_EQ(2, read_all(self->peer, self->in, 2));
}

TEST_F(semantics, names_and_tcp_options_are_those_of_the_socket)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct tcp_info info;
	int value = 0;

	EXPECT_EQ(0, getsockname(self->app, (void *)&address, &length));
	EXPECT_EQ(variant->family, address.ss_family);
	length = sizeof(address);
	EXPECT_EQ(0, getpeername(self->app, (void *)&address, &length));
	EXPECT_EQ(variant->family, address.ss_family);
	length = sizeof(info);
	EXPECT_EQ(0, getsockopt(self->app, SOL_TCP, TCP_INFO, &info, &length));
	EXPECT_EQ(1 /* TCP_ESTABLISHED */, info.tcpi_state);
	length = sizeof(value);
	EXPECT_EQ(0, getsockopt(self->app, SOL_TCP, TCP_NODELAY, &value, &length));
	EXPECT_EQ(1, value);
	value = 0;
	EXPECT_EQ(0, setsockopt(self->app, SOL_TCP, TCP_NODELAY, &value, sizeof(value)));
	EXPECT_EQ(0, getsockopt(self->app, SOL_SOCKET, SO_TYPE, &value, &length));
	EXPECT_EQ(SOCK_STREAM, value);
	EXPECT_EQ(0, getsockopt(self->app, SOL_SOCKET, SO_PROTOCOL, &value, &length));
	EXPECT_EQ(IPPROTO_TCP, value);
}

TEST_F(semantics, send_after_shutdown_is_epipe_and_sigpipe)
{
	sigset_t pipe_set;
	struct timespec none = {};

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: takes the bytes and loses them");
	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_BLOCK, &pipe_set, NULL);
	ASSERT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(-1, send(self->app, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, sigtimedwait(&pipe_set, NULL, &none));
	EXPECT_EQ(-1, send(self->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(SIGPIPE, sigtimedwait(&pipe_set, NULL, &none));
	EXPECT_EQ(-1, shutdown(self->app, 7));
	EXPECT_EQ(EINVAL, errno);
	/* The other direction goes on */
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
}

TEST_F(semantics, shutdown_of_reading_ends_a_sleeping_reader)
{
	struct call call = { .fd = self->app, .buffer = self->in, .size = 100 };
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, shutdown(self->app, SHUT_RD));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(2, send(self->app, "on", 2, 0));
	EXPECT_EQ(2, read_all(self->peer, self->in, 2));
}

TEST_F(semantics, more_keeps_the_record_open)
{
	uint8_t type;
	long ret;

	ASSERT_EQ(3, send(self->app, "one", 3, MSG_MORE));
	ASSERT_EQ(3, send(self->app, "two", 3, 0));
	if (variant->kind == KIND_PLAIN) {
		ASSERT_EQ(6, read_all(self->peer, self->in, 6));
	} else {
		/* One record */
		ret = recv_record(self->peer, &type, self->in, 100, 0);
		EXPECT_EQ(6, ret);
		EXPECT_EQ(RECORD_DATA, type);
	}
	EXPECT_EQ(0, memcmp("onetwo", self->in, 6));
}

TEST_F(semantics, close_with_unread_data_leaves_nothing)
{
	struct pollfd pfd = { .fd = self->peer, .events = POLLIN };
	uint8_t type = 0;
	long ret;

	say(_metadata, self->peer, self->app, "unread");
	memset(self->in, 'x', sizeof(self->in));
	ASSERT_EQ(sizeof(self->in), write_all(self->peer, self->in, sizeof(self->in)));
	ASSERT_EQ(0, close(self->app));
	self->pair.app = -1;
	ASSERT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	/* A reset, as TCP has it; close_notify may come before it */
	do {
		ret = recv_record(self->peer, &type, self->in, 100, 0);
	} while (ret > 0);
	EXPECT_TRUE(ret == -ECONNRESET || !ret);
}

TEST_HARNESS_MAIN
