// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets: what accept() returns before and after START, with and without
 * ACCEPT_READY, whose credentials count, and that stalled handshakes keep nobody out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define OTHER_UID 1000

FIXTURE(listen)
{
	struct agent *agent;
	int listener;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	socklen_t length;
};

FIXTURE_VARIANT(listen)
{
	int family;
};

FIXTURE_VARIANT_ADD(listen, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(listen, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(listen)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, agent_open(&self->agent));
	memset(&self->address, 0, sizeof(self->address));
	if (variant->family == AF_INET6)
		self->address.in6.sin6_addr = in6addr_loopback;
	else
		self->address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	self->address.any.sa_family = variant->family;
	self->length = sizeof(self->address);
	self->listener = socket(variant->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(self->listener, &self->address.any,
			  variant->family == AF_INET6 ? sizeof(self->address.in6) :
							sizeof(self->address.in)));
	ASSERT_EQ(0, listen(self->listener, 8));
	ASSERT_EQ(0, getsockname(self->listener, &self->address.any, &self->length));
}

FIXTURE_TEARDOWN(listen)
{
	if (self->listener >= 0)
		close(self->listener);
	agent_close(self->agent);
	EXPECT_TRUE(nothing_left());
}

#define FIX FIXTURE_DATA(listen)

static int dial(FIX *self)
{
	int fd = socket(self->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &self->address.any, self->length))
		return -errno;
	return fd;
}

static int listener_start(FIX *self, bool ready)
{
	int err = take_over(self->listener);

	if (!err && ready)
		err = set_u32(self->listener, TLS_HANDOFF_ACCEPT_READY, 1);
	return err ? err : start(self->listener, TLS_HANDOFF_SERVER);
}

struct waiting {
	FIX *self;
	struct accepted accepted;
	int error;
};

static bool handshake_waits(void *arg)
{
	struct waiting *waiting = arg;

	waiting->error = agent_accept(waiting->self->agent, &waiting->accepted);
	return waiting->error != -EAGAIN;
}

/* The agent takes the next handshake, which a worker may have yet to start */
static int serve(FIX *self, struct pair *pair, struct accepted *ret_accepted)
{
	struct waiting waiting = { self, .error = 0 };

	if (!until(handshake_waits, &waiting))
		return -ETIME;
	if (waiting.error)
		return waiting.error;
	pair->agent = self->agent;
	pair->version = TLS_1_3_VERSION;
	pair->cipher = TLS_CIPHER_AES_GCM_128;
	pair->id = waiting.accepted.id;
	pair->session = waiting.accepted.fd;
	if (ret_accepted)
		*ret_accepted = waiting.accepted;
	return 0;
}

/* A connection whose handshake succeeds; with ACCEPT_READY accept() may follow */
static int dial_and_serve(FIX *self, struct pair *pair)
{
	int err;

	*pair = PAIR_NONE;
	pair->peer = dial(self);
	if (pair->peer < 0)
		return pair->peer;
	err = serve(self, pair, NULL);
	return err ? err : pair_finish(pair, NULL);
}

static void close_pair(struct pair *pair)
{
	pair->agent = NULL;
	pair_close(pair);
}

static int accept_flags(FIX *self, int flags)
{
	int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

static void expect_data(struct __test_metadata *_metadata, const struct pair *p)
{
	char buffer[8] = {};

	EXPECT_EQ(4, send(p->peer, "ping", 4, 0));
	EXPECT_EQ(4, recv(p->app, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("ping", buffer);
	EXPECT_EQ(4, send(p->app, "pong", 4, 0));
	EXPECT_EQ(4, recv(p->peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("pong", buffer);
}

static long call_accept(void *arg)
{
	return accept_flags(arg, 0);
}

TEST_F(listen, before_start_connections_are_plain)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	struct pair p = PAIR_NONE;

	ASSERT_EQ(0, take_over(self->listener));
	p.peer = dial(self);
	ASSERT_LE(0, p.peer);
	/* With an address: accept(2) asks the listening socket's ops for it */
	p.app = accept(self->listener, (void *)&peer, &length);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(variant->family, peer.ss_family);
	expect_data(_metadata, &p);
	/* It may be handed off by itself */
	EXPECT_EQ(0, take_over(p.app));
	close_pair(&p);
}

TEST_F(listen, a_blocked_accept_from_before_start_returns_a_plain_connection)
{
	struct task task = { .run = NULL };
	struct pair p = PAIR_NONE;

	ASSERT_EQ(0, take_over(self->listener));
	ASSERT_EQ(0, task_start(&task, call_accept, self));
	ASSERT_TRUE(task_sleeps(&task, SYS_accept4));
	ASSERT_EQ(0, start(self->listener, TLS_HANDOFF_SERVER));
	p.peer = dial(self);
	p.app = task_end(&task);
	ASSERT_LE(0, p.app);
	expect_data(_metadata, &p);
	close_pair(&p);
}

TEST_F(listen, after_start_the_handshake_is_under_way)
{
	struct accepted accepted;
	struct pair p = PAIR_NONE;
	char byte;

	ASSERT_EQ(0, take_over(self->listener));
	ASSERT_EQ(0, set_string(self->listener, TLS_HANDOFF_PROFILE, "web"));
	ASSERT_EQ(0, set_u32(self->listener, TLS_HANDOFF_TIMEOUT, 4321));
	ASSERT_EQ(0, start(self->listener, TLS_HANDOFF_SERVER));
	EXPECT_EQ(TLS_HANDOFF_SERVER, get_info(self->listener).role);
	p.peer = dial(self);
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p.app).state);
	EXPECT_EQ(-1, recv(p.app, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, serve(self, &p, &accepted));
	EXPECT_EQ(TLS_HANDOFF_SERVER, accepted.role);
	EXPECT_STREQ("web", accepted.profile);
	EXPECT_EQ(4321, accepted.timeout);
	EXPECT_EQ(getpid(), accepted.pid);
	ASSERT_EQ(0, pair_finish(&p, NULL));
	expect_data(_metadata, &p);
	EXPECT_EQ(-EBUSY, set_u32(p.app, TLS_HANDOFF_TIMEOUT, 1));
	EXPECT_EQ(-EISCONN, start(p.app, TLS_HANDOFF_SERVER));
	close_pair(&p);
}

TEST_F(listen, connections_that_waited_before_start_are_handed_off_too)
{
	struct pair p = PAIR_NONE;

	p.peer = dial(self);
	ASSERT_EQ(0, listener_start(self, false));
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p.app).state);
	close_pair(&p);
}

TEST_F(listen, without_an_agent_connections_have_failed)
{
	struct pair p = PAIR_NONE;
	char byte;

	ASSERT_EQ(0, listener_start(self, false));
	agent_close(self->agent);
	self->agent = NULL;
	p.peer = dial(self);
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p.app).state);
	EXPECT_EQ(ESRCH, socket_error(p.app));
	EXPECT_EQ(-1, recv(p.app, &byte, 1, 0));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(-1, send(p.app, "secret", 6, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(0, recv(p.peer, &byte, 1, 0));
	close_pair(&p);
}

TEST_F(listen, a_connection_that_is_gone_already_is_not_returned)
{
	struct linger reset = { .l_onoff = 1 };
	long long dropped = stat_read("HandoffAcceptDropped");
	struct pair p = PAIR_NONE;
	int gone;

	ASSERT_EQ(0, listener_start(self, false));
	gone = dial(self);
	ASSERT_EQ(0, shutdown(gone, SHUT_WR));
	p.peer = dial(self);
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p.app).state);
	EXPECT_EQ(dropped + 1, stat_read("HandoffAcceptDropped"));
	ASSERT_EQ(0, setsockopt(gone, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	close(gone);
	EXPECT_EQ(-EAGAIN, (set_nonblock(self->listener, true), accept_flags(self, 0)));
	close_pair(&p);
}

TEST_F(listen, start_takes_a_server_once_and_then_nothing_changes)
{
	int one = 1, other;

	ASSERT_EQ(0, take_over(self->listener));
	EXPECT_EQ(-EINVAL, start(self->listener, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EINVAL, set_u32(self->listener, TLS_HANDOFF_ACCEPT_READY, 2));
	ASSERT_EQ(0, set_u32(self->listener, TLS_HANDOFF_ACCEPT_READY, 1));
	ASSERT_EQ(0, start(self->listener, TLS_HANDOFF_SERVER));
	EXPECT_EQ(-EALREADY, start(self->listener, TLS_HANDOFF_SERVER));
	EXPECT_EQ(-EBUSY, set_string(self->listener, TLS_HANDOFF_PROFILE, "web"));
	EXPECT_EQ(-EBUSY, set_u32(self->listener, TLS_HANDOFF_ACCEPT_READY, 0));
	/* As on any listening socket */
	EXPECT_EQ(0, listen(self->listener, 16));
	EXPECT_EQ(-1, send(self->listener, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(-1, connect(self->listener, &self->address.any, self->length));
	EXPECT_EQ(EISCONN, errno);
	EXPECT_EQ(-1, setsockopt(self->listener, SOL_TCP, TCP_FASTOPEN, &one, sizeof(one)));
	EXPECT_EQ(EOPNOTSUPP, errno);

	/* Connections that come before they are established are not for us */
	other = socket(variant->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, listen(other, 1));
	ASSERT_EQ(0, setsockopt(other, SOL_TCP, TCP_FASTOPEN, &one, sizeof(one)));
	ASSERT_EQ(0, take_over(other));
	EXPECT_EQ(-EOPNOTSUPP, start(other, TLS_HANDOFF_SERVER));
	close(other);
}

TEST_F(listen, accept_ready_is_for_listening_sockets)
{
	struct pair p = PAIR_NONE;

	p.peer = dial(self);
	p.app = accept_flags(self, 0);
	ASSERT_EQ(0, take_over(p.app));
	EXPECT_EQ(-EOPNOTSUPP, set_u32(p.app, TLS_HANDOFF_ACCEPT_READY, 1));
	EXPECT_EQ(-1, accept(p.app, NULL, NULL));
	EXPECT_EQ(EINVAL, errno);
	close_pair(&p);
}

TEST_F(listen, accept_ready_returns_only_ready_connections)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pair stalled = PAIR_NONE, p;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct stat named;

	ASSERT_EQ(0, listener_start(self, true));
	ASSERT_EQ(0, set_nonblock(self->listener, true));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->listener, &event));
	stalled.peer = dial(self);
	ASSERT_EQ(0, serve(self, &stalled, NULL));
	EXPECT_EQ(-EAGAIN, accept_flags(self, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, dial_and_serve(self, &p));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p.app).state);
	EXPECT_EQ(p.id, get_info(p.app).session_id);
	/* The socket is the program's now, with its inode */
	ASSERT_EQ(0, fstat(p.app, &named));
	EXPECT_TRUE(S_ISSOCK(named.st_mode));
	expect_data(_metadata, &p);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(-EAGAIN, accept_flags(self, 0));
	close(epoll);
	close_pair(&p);
	close_pair(&stalled);
}

TEST_F(listen, accept_ready_wakes_a_blocked_accept)
{
	struct task task = { .run = NULL };
	struct pair p;

	ASSERT_EQ(0, listener_start(self, true));
	ASSERT_EQ(0, task_start(&task, call_accept, self));
	ASSERT_TRUE(task_sleeps(&task, SYS_accept4));
	ASSERT_EQ(0, dial_and_serve(self, &p));
	p.app = task_end(&task);
	ASSERT_LE(0, p.app);
	expect_data(_metadata, &p);
	close_pair(&p);
}

TEST_F(listen, accept_ready_ends_with_the_listening_state)
{
	struct task task = { .run = NULL };

	ASSERT_EQ(0, listener_start(self, true));
	ASSERT_EQ(0, task_start(&task, call_accept, self));
	ASSERT_TRUE(task_sleeps(&task, SYS_accept4));
	ASSERT_EQ(0, shutdown(self->listener, SHUT_RD));
	EXPECT_EQ(-EINVAL, task_end(&task));
}

TEST_F(listen, accept_ready_waits_as_long_as_so_rcvtimeo_says)
{
	struct timeval timeout = { .tv_usec = 50000 };

	ASSERT_EQ(0, listener_start(self, true));
	ASSERT_EQ(0, setsockopt(self->listener, SOL_SOCKET, SO_RCVTIMEO, &timeout,
				sizeof(timeout)));
	EXPECT_EQ(-EAGAIN, accept_flags(self, 0));
}

struct dropped {
	long long before;
	int count;
};

static bool were_dropped(void *arg)
{
	struct dropped *dropped = arg;

	return stat_read("HandoffAcceptDropped") >= dropped->before + dropped->count;
}

TEST_F(listen, accept_ready_drops_and_counts_what_failed)
{
	struct dropped dropped = { stat_read("HandoffAcceptDropped"), 3 };
	struct pair refused = PAIR_NONE, left = PAIR_NONE, gone = PAIR_NONE, p;
	struct done done = { .status = EKEYREJECTED, .error = "no" };
	char byte;

	ASSERT_EQ(0, listener_start(self, true));
	refused.peer = dial(self);
	ASSERT_EQ(0, serve(self, &refused, NULL));
	done.id = refused.id;
	ASSERT_EQ(0, agent_done(self->agent, &done));
	/* The agent loses interest */
	left.peer = dial(self);
	ASSERT_EQ(0, serve(self, &left, NULL));
	close(left.session);
	left.session = -1;
	/* The peer does, before its handshake could be started */
	gone.peer = dial(self);
	ASSERT_EQ(0, serve(self, &gone, NULL));
	done.id = gone.id;
	done.status = ECONNRESET;
	close(gone.peer);
	gone.peer = -1;
	ASSERT_EQ(0, agent_done(self->agent, &done));
	ASSERT_EQ(0, dial_and_serve(self, &p));
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	EXPECT_EQ(p.id, get_info(p.app).session_id);
	expect_data(_metadata, &p);
	EXPECT_TRUE(until(were_dropped, &dropped));
	EXPECT_EQ(dropped.before + dropped.count, stat_read("HandoffAcceptDropped"));
	EXPECT_EQ(0, recv(refused.peer, &byte, 1, 0));
	close_pair(&refused);
	close_pair(&left);
	close_pair(&gone);
	close_pair(&p);
}

TEST_F(listen, accept_ready_closes_what_nobody_accepted)
{
	struct pair ready, running = PAIR_NONE, fresh = PAIR_NONE;
	char byte;

	ASSERT_EQ(0, listener_start(self, true));
	ASSERT_EQ(0, dial_and_serve(self, &ready));
	running.peer = dial(self);
	ASSERT_EQ(0, serve(self, &running, NULL));
	fresh.peer = dial(self);
	close(self->listener);
	self->listener = -1;
	/* close_notify for the one, the end of TCP for the others */
	EXPECT_EQ(-1, recv(ready.peer, &byte, 1, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_GE(0, recv(running.peer, &byte, 1, 0));
	EXPECT_GE(0, recv(fresh.peer, &byte, 1, 0));
	close_pair(&ready);
	close_pair(&running);
	close_pair(&fresh);
}

TEST_F(listen, accept_ready_stops_taking_connections_at_the_backlog)
{
	struct pair ready[12], p;
	int waiting, fd;

	ASSERT_EQ(0, listener_start(self, true));
	/* A backlog of 8 is 9 connections, as in TCP */
	for (int i = 0; i < 9; i++)
		ASSERT_EQ(0, dial_and_serve(self, &ready[i]));
	waiting = dial(self);
	ASSERT_LE(0, waiting);
	/* Nothing is started for it until there is room */
	EXPECT_EQ(9, stat_read("HandoffCurrEstablished"));
	EXPECT_EQ(0, stat_read("HandoffCurrPending"));
	for (int i = 0; i < 9; i++) {
		fd = accept_flags(self, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(ready[i].id, get_info(fd).session_id);
		ready[i].app = fd;
	}
	p = PAIR_NONE;
	p.peer = waiting;
	ASSERT_EQ(0, serve(self, &p, NULL));
	ASSERT_EQ(0, pair_finish(&p, NULL));
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	expect_data(_metadata, &p);
	close_pair(&p);
	for (int i = 0; i < 9; i++)
		close_pair(&ready[i]);
}

static int sysctl(const char *name, unsigned int value)
{
	char path[96], text[16];
	int fd, length, ret = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/tls_handoff/%s", name);
	length = snprintf(text, sizeof(text), "%u", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, length) != length)
		ret = -errno;
	close(fd);
	return ret;
}

TEST_F(listen, accept_ready_lets_the_oldest_handshake_make_room)
{
	struct dropped dropped = { stat_read("HandoffAcceptDropped"), 2 };
	struct pair stalled[5], p;
	char byte;

	ASSERT_EQ(0, sysctl("max_pending_per_user", 3));
	ASSERT_EQ(0, listener_start(self, true));
	for (int i = 0; i < 5; i++) {
		stalled[i] = PAIR_NONE;
		stalled[i].peer = dial(self);
		ASSERT_EQ(0, serve(self, &stalled[i], NULL));
	}
	EXPECT_TRUE(until(were_dropped, &dropped));
	EXPECT_EQ(3, stat_read("HandoffCurrPending"));
	EXPECT_EQ(0, recv(stalled[0].peer, &byte, 1, 0));
	EXPECT_EQ(-1, recv(stalled[2].peer, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, dial_and_serve(self, &p));
	p.app = accept_flags(self, 0);
	ASSERT_LE(0, p.app);
	expect_data(_metadata, &p);
	close_pair(&p);
	for (int i = 0; i < 5; i++)
		close_pair(&stalled[i]);
}

/* What another user's program sees: its exit status is the errno of START, 0 if it went on */
static int start_as_other(FIX *self, int connections)
{
	int fd, status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (setgid(OTHER_UID) || setuid(OTHER_UID))
			_exit(255);
		for (int i = 0; i < connections && !status; i++) {
			fd = dial(self);
			set_nonblock(fd, true);
			status = take_over(fd);
			if (!status)
				status = set_string(fd, TLS_HANDOFF_PEER_NAME, "localhost");
			if (!status)
				status = start(fd, TLS_HANDOFF_CLIENT);
			status = status == -EINPROGRESS ? 0 : -status;
		}
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

TEST_F(listen, pending_handshakes_are_limited_per_user_and_in_all)
{
	struct pair p = PAIR_NONE;

	ASSERT_EQ(0, sysctl("max_pending_per_user", 2));
	EXPECT_EQ(0, start_as_other(self, 2));
	EXPECT_TRUE(nothing_left());
	EXPECT_EQ(ENOBUFS, start_as_other(self, 3));
	EXPECT_TRUE(nothing_left());

	/* Nor does one user's flood keep another out */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pair_prepare(&p, variant->family));
		set_nonblock(p.app, true);
		EXPECT_EQ(-EINPROGRESS, start(p.app, TLS_HANDOFF_CLIENT));
		if (i == 0)
			EXPECT_EQ(0, start_as_other(self, 2));
		close_pair(&p);
	}
	EXPECT_TRUE(nothing_left());
	ASSERT_EQ(0, sysctl("max_pending", 1));
	EXPECT_EQ(ENOBUFS, start_as_other(self, 2));
	EXPECT_EQ(-EINVAL, sysctl("max_pending", 0));
	EXPECT_EQ(-EINVAL, sysctl("max_pending_per_user", 65537));
}

static long start_and_listen_as_other(void *arg)
{
	FIX *self = arg;

	/* Only this thread's: the credentials of START count, not those of accept() */
	if (syscall(SYS_setresuid, OTHER_UID, OTHER_UID, OTHER_UID))
		return -errno;
	return start(self->listener, TLS_HANDOFF_SERVER);
}

TEST_F(listen, credentials_are_those_of_start_on_the_listening_socket)
{
	struct accepted accepted;
	struct task task = { .run = NULL };
	struct pair p;

	for (int ready = 0; ready < 2; ready++) {
		p = PAIR_NONE;
		if (ready) {
			close(self->listener);
			self->listener = socket(variant->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
			ASSERT_EQ(0, listen(self->listener, 8));
			self->length = sizeof(self->address);
			ASSERT_EQ(0, getsockname(self->listener, &self->address.any,
						 &self->length));
		}
		ASSERT_EQ(0, take_over(self->listener));
		ASSERT_EQ(0, set_u32(self->listener, TLS_HANDOFF_ACCEPT_READY, ready));
		ASSERT_EQ(0, task_start(&task, start_and_listen_as_other, self));
		ASSERT_EQ(0, task_end(&task));
		p.peer = dial(self);
		if (!ready)
			p.app = accept_flags(self, 0);
		ASSERT_EQ(0, serve(self, &p, &accepted));
		EXPECT_EQ(OTHER_UID, accepted.uid);
		close_pair(&p);
	}
}

TEST_F(listen, accept_ready_by_many_threads_while_many_connect)
{
	struct task tasks[4];
	struct pair p[16];
	long got;

	ASSERT_EQ(0, listener_start(self, true));
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4; i++) {
			tasks[i] = (struct task){ .run = NULL };
			ASSERT_EQ(0, task_start(&tasks[i], call_accept, self));
		}
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(0, dial_and_serve(self, &p[round * 4 + i]));
		for (int i = 0; i < 4; i++) {
			got = task_end(&tasks[i]);
			ASSERT_LE(0, got);
			for (int k = 0; k < 4; k++)
				if (p[round * 4 + k].id == get_info(got).session_id)
					p[round * 4 + k].app = got;
		}
	}
	for (int i = 0; i < 16; i++) {
		EXPECT_LE(0, p[i].app);
		expect_data(_metadata, &p[i]);
		close_pair(&p[i]);
	}
}

TEST_HARNESS_MAIN
