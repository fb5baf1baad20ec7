// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a program learns of something: poll, select, epoll and SIGIO on handed-off
 * sockets beside plain TCP and raw kTLS, and START without waiting beside connect().
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

#include "semantics.h"

/* The events that epoll tells of now; 0: none */
static uint32_t epoll_now(int epoll, int timeout)
{
	struct epoll_event event = {};

	return epoll_wait(epoll, &event, 1, timeout) == 1 ? event.events : 0;
}

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	return epoll;
}

TEST_F(semantics, edge_triggered_epoll_tells_of_room_once)
{
	int epoll = epoll_of(self->app, EPOLLOUT | EPOLLET);
	long sent, got = 0, ret;

	ASSERT_LE(0, epoll);
	EXPECT_EQ(EPOLLOUT, epoll_now(epoll, 0));
	EXPECT_EQ(0, epoll_now(epoll, 0));
	ASSERT_EQ(0, set_nonblock(self->app, true));
	sent = fill(self->app, 'x');
	ASSERT_LT(0, sent);
	while (got < sent) {
		ret = recv(self->peer, self->in, sizeof(self->in), 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	EXPECT_EQ(EPOLLOUT, epoll_now(epoll, TEST_DEADLINE_MS));
	EXPECT_EQ(1, send(self->app, "y", 1, 0));
	close(epoll);
}

TEST_F(semantics, oneshot_epoll_tells_once_and_again_after_mod)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	int epoll = epoll_of(self->app, event.events);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	EXPECT_EQ(EPOLLIN, epoll_now(epoll, TEST_DEADLINE_MS));
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(0, epoll_now(epoll, 0));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_MOD, self->app, &event));
	EXPECT_EQ(EPOLLIN, epoll_now(epoll, TEST_DEADLINE_MS));
	EXPECT_EQ(10, read_all(self->app, self->in, 10));
	close(epoll);
}

TEST_F(semantics, edge_triggered_epoll_tells_of_the_end)
{
	int epoll = epoll_of(self->app, EPOLLIN | EPOLLRDHUP | EPOLLET);
	long ret;

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, set_nonblock(self->app, true));
	EXPECT_EQ(0, epoll_now(epoll, 0));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	/* Data and end may be told of in one or two events; reading to the end must do */
	do {
		ASSERT_NE(0, epoll_now(epoll, TEST_DEADLINE_MS));
		while ((ret = recv(self->app, self->in, 3, 0)) > 0)
			;
	} while (ret < 0 && errno == EAGAIN);
	EXPECT_EQ(0, ret);
	EXPECT_TRUE(wait_for(self->app, POLLRDHUP) & POLLRDHUP);
	close(epoll);
}

TEST_F(semantics, the_end_is_readable_and_both_ends_are_a_hang_up)
{
	struct pollfd pfd = { .fd = self->app, .events = POLLIN | POLLOUT | POLLRDHUP };

	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	EXPECT_TRUE(wait_for(self->app, POLLRDHUP) & POLLRDHUP);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, pfd.revents);
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	/* Level: still so after it was read, and writing goes on */
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, pfd.revents);
	EXPECT_EQ(2, send(self->app, "on", 2, 0));
	EXPECT_EQ(2, read_all(self->peer, self->in, 2));
	ASSERT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP, pfd.revents);
}

TEST_F(semantics, poll_tells_of_a_reset)
{
	struct linger linger = { .l_onoff = 1 };
	short events;

	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, close(self->peer));
	self->pair.peer = -1;
	events = wait_for(self->app, POLLERR);
	EXPECT_EQ(POLLERR | POLLHUP, events & (POLLERR | POLLHUP));
	EXPECT_EQ(ECONNRESET, socket_error(self->app));
	EXPECT_EQ(0, socket_error(self->app));
}

TEST_F(semantics, recv_tells_of_a_reset)
{
	struct linger linger = { .l_onoff = 1 };

	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, close(self->peer));
	self->pair.peer = -1;
	EXPECT_EQ(-1, recv(self->app, self->in, 10, 0));
	EXPECT_EQ(ECONNRESET, errno);
	/* Raw kTLS takes the byte, and loses it */
	if (variant->kind != KIND_KTLS) {
		EXPECT_EQ(-1, send(self->app, "x", 1, MSG_NOSIGNAL));
		EXPECT_EQ(EPIPE, errno);
	}
}

/* Documented: SO_RCVLOWAT is recv()'s affair; poll() tells of the first record, as on kTLS */
TEST_F(semantics, so_rcvlowat_makes_recv_wait_and_poll_only_on_plain_tcp)
{
	struct pollfd pfd = { .fd = self->app, .events = POLLIN };
	int low = 10;

	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	if (variant->kind == KIND_PLAIN)
		EXPECT_EQ(0, poll(&pfd, 1, 0));
	if (variant->kind != KIND_PLAIN)
		EXPECT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	EXPECT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(10, recv(self->app, self->in, 100, 0));
}

/* The next SIGIO of @fd that tells of any of @band; false after @seconds */
static bool signal_within(int fd, long band, int seconds)
{
	struct timespec deadline = { .tv_sec = seconds };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (sigtimedwait(&set, &info, &deadline) == SIGRTMIN)
		if (info.si_fd == fd && info.si_band & band)
			return true;
	return false;
}

static bool signal_of(int fd, long band)
{
	return signal_within(fd, band, TEST_DEADLINE_MS / 1000);
}

static int want_signals(int fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (fcntl(fd, F_SETSIG, SIGRTMIN) || fcntl(fd, F_SETOWN, getpid()) ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK))
		return -errno;
	return 0;
}

/* Documented: kTLS, ours or not, does not tell of room by SIGIO every time */
static bool told_of_room(struct _test_data_semantics *self, enum kind kind)
{
	for (int round = 0; round < 10; round++) {
		long sent = fill(self->app, 'x');

		while (sent > 0)
			sent -= recv(self->peer, self->in, sizeof(self->in), 0);
		if (signal_within(self->app, POLLOUT, kind == KIND_PLAIN ?
				  TEST_DEADLINE_MS / 1000 : 1))
			return true;
		if (kind == KIND_PLAIN || !(wait_for(self->app, POLLOUT) & POLLOUT))
			return false;
	}
	return false;
}

TEST_F(semantics, sigio_tells_of_data_room_and_end)
{
	ASSERT_EQ(0, want_signals(self->app));
	EXPECT_EQ(getpid(), fcntl(self->app, F_GETOWN));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
		ASSERT_TRUE(signal_of(self->app, POLLIN));
		ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
		EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
	}
	EXPECT_TRUE(told_of_room(self, variant->kind));
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	EXPECT_TRUE(signal_of(self->app, POLLIN | POLLHUP));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
}

TEST_F(semantics, fioasync_turns_sigio_on_and_off)
{
	struct timespec none = {};
	int on = 1, off = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, fcntl(self->app, F_SETOWN, getpid()));
	ASSERT_EQ(0, ioctl(self->app, FIOASYNC, &on));
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(SIGIO, sigtimedwait(&set, NULL, &none));
	ASSERT_EQ(0, ioctl(self->app, FIOASYNC, &off));
	while (sigtimedwait(&set, NULL, &none) == SIGIO)
		;
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	EXPECT_EQ(10, read_all(self->app, self->in, 10));
	EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
}

/*
 * What happens without waiting: connect() of TCP and START, which promises to be to
 * the handshake what connect() is to the connection.
 */
FIXTURE(beginning)
{
	struct pair pair;
	struct sockaddr_in address;
	int fd, listener;
};

FIXTURE_VARIANT(beginning)
{
	bool handoff;
};

FIXTURE_VARIANT_ADD(beginning, connect)
{
};

FIXTURE_VARIANT_ADD(beginning, handoff_start)
{
	.handoff = true,
};

FIXTURE_SETUP(beginning)
{
	struct pair *p = &self->pair;
	socklen_t length = sizeof(self->address);

	ASSERT_EQ(0, net_enter());
	*p = PAIR_NONE;
	p->version = TLS_1_3_VERSION;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	self->listener = -1;
	if (variant->handoff) {
		ASSERT_EQ(0, pair_prepare(p, AF_INET));
		self->fd = p->app;
	} else {
		self->address.sin_family = AF_INET;
		self->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ASSERT_EQ(0, bind(self->listener, (void *)&self->address, length));
		ASSERT_EQ(0, getsockname(self->listener, (void *)&self->address, &length));
		self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		p->app = self->fd;
	}
	ASSERT_EQ(0, set_nonblock(self->fd, true));
}

FIXTURE_TEARDOWN(beginning)
{
	if (self->listener >= 0)
		close(self->listener);
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

static int begin(struct _test_data_beginning *self, bool handoff)
{
	if (handoff)
		return start(self->fd, TLS_HANDOFF_CLIENT);
	return connect(self->fd, (void *)&self->address, sizeof(self->address)) ? -errno : 0;
}

/* EINPROGRESS; what the other side does to let it succeed or fail, is up to finish() */
static void begun(struct __test_metadata *_metadata, struct _test_data_beginning *self,
		  bool handoff, bool good)
{
	if (!handoff && good)
		ASSERT_EQ(0, listen(self->listener, 1));
	EXPECT_EQ(-EINPROGRESS, begin(self, handoff));
	if (!handoff)
		return;
	ASSERT_EQ(0, pair_accept(&self->pair));
}

static void finish(struct __test_metadata *_metadata, struct _test_data_beginning *self,
		   bool handoff, int status)
{
	struct done done = { .status = status, .id = self->pair.id };

	if (handoff)
		ASSERT_EQ(0, status ? agent_done(self->pair.agent, &done) :
				      pair_finish(&self->pair, NULL));
}

TEST_F(beginning, that_succeeds_becomes_writable_for_poll_select_and_epoll)
{
	struct timeval deadline = { .tv_sec = TEST_DEADLINE_MS / 1000 };
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN | POLLOUT };
	int level, edge;
	fd_set in, out;

	begun(_metadata, self, variant->handoff, true);
	level = epoll_of(self->fd, EPOLLIN | EPOLLOUT);
	edge = epoll_of(self->fd, EPOLLIN | EPOLLOUT | EPOLLET);
	ASSERT_TRUE(level >= 0 && edge >= 0);
	if (variant->handoff) {
		EXPECT_EQ(0, poll(&pfd, 1, 0));
		EXPECT_EQ(0, epoll_now(level, 0));
		EXPECT_EQ(0, epoll_now(edge, 0));
		EXPECT_EQ(-EALREADY, begin(self, true));
		EXPECT_EQ(0, socket_error(self->fd));
	}
	finish(_metadata, self, variant->handoff, 0);
	EXPECT_EQ(EPOLLOUT, epoll_now(edge, TEST_DEADLINE_MS));
	EXPECT_EQ(0, epoll_now(edge, 0));
	EXPECT_EQ(EPOLLOUT, epoll_now(level, TEST_DEADLINE_MS));
	EXPECT_EQ(EPOLLOUT, epoll_now(level, TEST_DEADLINE_MS));
	EXPECT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(POLLOUT, pfd.revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	EXPECT_EQ(1, select(self->fd + 1, &in, &out, NULL, &deadline));
	EXPECT_TRUE(FD_ISSET(self->fd, &out));
	EXPECT_EQ(0, socket_error(self->fd));
	/* connect(2) tells once more that it is done; then, as START, that it was */
	if (!variant->handoff)
		EXPECT_EQ(0, begin(self, false));
	EXPECT_EQ(-EISCONN, begin(self, variant->handoff));
	close(level);
	close(edge);
}

TEST_F(beginning, that_fails_is_an_error_for_poll_select_and_epoll_and_in_so_error)
{
	struct timeval deadline = { .tv_sec = TEST_DEADLINE_MS / 1000 };
	int status = variant->handoff ? EKEYREJECTED : ECONNREFUSED;
	const short all = POLLIN | POLLOUT | POLLERR | POLLHUP;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN | POLLOUT };
	int level, edge;
	fd_set in, out;

	begun(_metadata, self, variant->handoff, false);
	level = epoll_of(self->fd, EPOLLIN | EPOLLOUT);
	edge = epoll_of(self->fd, EPOLLIN | EPOLLOUT | EPOLLET);
	ASSERT_TRUE(level >= 0 && edge >= 0);
	finish(_metadata, self, variant->handoff, status);
	EXPECT_EQ(all, epoll_now(edge, TEST_DEADLINE_MS) & all);
	EXPECT_EQ(all, epoll_now(level, TEST_DEADLINE_MS) & all);
	EXPECT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(all, pfd.revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	EXPECT_EQ(2, select(self->fd + 1, &in, &out, NULL, &deadline));
	EXPECT_EQ(status, socket_error(self->fd));
	EXPECT_EQ(0, socket_error(self->fd));
	close(level);
	close(edge);
}

TEST_F(beginning, is_told_by_sigio)
{
	struct _test_data_beginning *b = self;

	ASSERT_EQ(0, want_signals(self->fd));
	begun(_metadata, b, variant->handoff, true);
	finish(_metadata, b, variant->handoff, 0);
	EXPECT_TRUE(signal_of(self->fd, POLLOUT));
	EXPECT_EQ(0, socket_error(self->fd));
}

TEST_HARNESS_MAIN
