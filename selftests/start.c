// SPDX-License-Identifier: GPL-2.0-only
/*
 * START: like connect(2). Its errno, what waits, what leaves the handshake
 * running, and that a failed handshake never falls back to plaintext.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(start)
{
	struct pair pair;
};

FIXTURE_VARIANT(start)
{
	int family;
};

FIXTURE_VARIANT_ADD(start, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(start, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(start)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(start)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* INTERFACE: recv gives the same errno, send EPIPE, TCP is shut down, no plaintext */
static void expect_failed(struct __test_metadata *_metadata, struct pair *p, int error)
{
	char byte;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, recv(p->app, &byte, 1, 0));
		EXPECT_EQ(error, errno);
		EXPECT_EQ(-1, recv(p->app, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
		EXPECT_EQ(error, errno);
		EXPECT_EQ(-1, send(p->app, "secret", 6, 0));
		EXPECT_EQ(EPIPE, errno);
	}
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	EXPECT_EQ(error, get_info(p->app).error);
	EXPECT_EQ(0, get_info(p->app).version);
	EXPECT_NE(0, strlen(get_error(p->app)));
	EXPECT_EQ(POLLERR | POLLHUP | POLLIN | POLLOUT,
		  wait_for(p->app, POLLIN | POLLOUT) & (POLLERR | POLLHUP | POLLIN | POLLOUT));
	EXPECT_EQ(-error, start(p->app, TLS_HANDOFF_CLIENT));
	/* What was sent went nowhere; the peer only sees the end */
	EXPECT_EQ(0, recv(p->peer, &byte, 1, 0));
}

TEST_F(start, without_an_agent_is_esrch_and_never_plaintext)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, tcp_pair(variant->family, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "peer.test"));
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_CLIENT));
	/* The caller has the errno already */
	EXPECT_EQ(0, socket_error(p->app));
	expect_failed(_metadata, p, ESRCH);
	EXPECT_EQ(1, stat_read("HandoffNoAgent"));
	EXPECT_EQ(1, stat_read("HandoffFailed"));
}

TEST_F(start, without_an_agent_is_esrch_when_nonblocking_too)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, tcp_pair(variant->family, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_SERVER));
	expect_failed(_metadata, p, ESRCH);
}

TEST_F(start, status_of_done_is_the_errno_of_everything_after)
{
	static const int statuses[] = { ENOENT, EACCES, EKEYREJECTED, EPROTO, ECONNRESET };
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct done done = { .status = statuses[i], .error = "because of the test",
				     .verify_status = TLS_HANDOFF_VERIFY_NAME };

		ASSERT_EQ(0, pair_start(p, variant->family));
		done.id = p->id;
		ASSERT_EQ(0, agent_done(p->agent, &done));
		EXPECT_EQ(statuses[i], socket_error(p->app));
		EXPECT_STREQ("because of the test", get_error(p->app));
		EXPECT_EQ(TLS_HANDOFF_VERIFY_NAME, get_info(p->app).verify_status);
		expect_failed(_metadata, p, statuses[i]);
		pair_close_sockets(p);
	}
	EXPECT_EQ((long long)ARRAY_SIZE(statuses), stat_read("HandoffFailed"));
}

TEST_F(start, blocking_returns_the_status_of_done)
{
	struct call call = { .role = TLS_HANDOFF_CLIENT };
	struct done done = { .status = EKEYREJECTED };
	struct pair *p = &self->pair;
	struct accepted accepted;
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_start, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_setsockopt));
	ASSERT_EQ(0, agent_accept(p->agent, &accepted));
	p->session = accepted.fd;
	done.id = accepted.id;
	ASSERT_EQ(0, agent_done(p->agent, &done));
	EXPECT_EQ(-EKEYREJECTED, task_end(&task));
	EXPECT_EQ(0, socket_error(p->app));
}

TEST_F(start, blocking_returns_when_ready)
{
	struct call call = { .role = TLS_HANDOFF_CLIENT };
	struct pair *p = &self->pair;
	struct task task;
	char buffer[4];

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_start, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_setsockopt));
	EXPECT_EQ(1, stat_read("HandoffCurrPending"));
	ASSERT_EQ(0, pair_accept(p));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
	EXPECT_EQ(TLS_HANDOFF_CLIENT, get_info(p->app).role);
	EXPECT_NE(0, get_info(p->app).handshake_usec);
	EXPECT_EQ(p->id, get_info(p->app).session_id);
	EXPECT_EQ(0, stat_read("HandoffCurrPending"));
	EXPECT_EQ(1, stat_read("HandoffCurrEstablished"));
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, buffer, 4));
	EXPECT_EQ(-EISCONN, start(p->app, TLS_HANDOFF_CLIENT));
}

TEST_F(start, nonblocking_becomes_writable_when_ready)
{
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	struct pair *p = &self->pair;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, pair_start(p, variant->family));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	EXPECT_EQ(-EALREADY, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(0, socket_error(p->app));
	pfd.fd = p->app;
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, p->app, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	/* What the peer says now is the agent's */
	ASSERT_EQ(5, send(p->peer, "hello", 5, 0));
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(5, recv(p->session, sink, 5, 0));

	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
	EXPECT_TRUE(event.events & EPOLLOUT);
	EXPECT_EQ(POLLOUT, wait_for(p->app, POLLIN | POLLOUT));
	EXPECT_EQ(0, socket_error(p->app));
	EXPECT_EQ(-EISCONN, start(p->app, TLS_HANDOFF_CLIENT));
	close(epoll);
}

TEST_F(start, send_and_recv_wait_until_ready)
{
	char buffer[4] = {}, word[4] = "ping";
	struct call out = { .buffer = word, .size = 4 }, in = { .buffer = buffer, .size = 4 };
	struct pair *p = &self->pair;
	struct task sender, reader;

	ASSERT_EQ(0, pair_start(p, variant->family));
	out.fd = p->app;
	in.fd = p->app;
	ASSERT_EQ(0, task_start(&sender, call_send, &out));
	ASSERT_EQ(0, task_start(&reader, call_recv, &in));
	ASSERT_TRUE(task_sleeps(&sender, SYS_sendto));
	ASSERT_TRUE(task_sleeps(&reader, SYS_recvfrom));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(4, task_end(&sender));
	ASSERT_EQ(4, send(p->peer, "pong", 4, 0));
	EXPECT_EQ(4, task_end(&reader));
	EXPECT_EQ(0, memcmp(buffer, "pong", 4));
	ASSERT_EQ(4, read_all(p->peer, buffer, 4));
	EXPECT_EQ(0, memcmp(buffer, "ping", 4));
}

TEST_F(start, so_rcvtimeo_and_so_sndtimeo_bound_the_wait_until_ready)
{
	struct timeval timeout = { .tv_usec = 50000 };
	struct pair *p = &self->pair;
	long long begin = now_ms();

	ASSERT_EQ(0, pair_start(p, variant->family));
	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	EXPECT_EQ(-1, recv(p->app, sink, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(80, now_ms() - begin);
	/* START that runs out of SO_SNDTIMEO says what connect(2) says */
	EXPECT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-EISCONN, start(p->app, TLS_HANDOFF_CLIENT));
}

static atomic_int signals;

static void on_signal(int number)
{
	atomic_fetch_add(&signals, 1);
}

static bool signal_came(void *arg)
{
	return atomic_load(&signals) > 0;
}

static void signal_sleeping_start(struct __test_metadata *_metadata, struct pair *p, int flags,
				  struct task *task, struct call *call)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
	call->fd = p->app;
	call->role = TLS_HANDOFF_CLIENT;
	ASSERT_EQ(0, task_start(task, call_start, call));
	ASSERT_TRUE(task_sleeps(task, SYS_setsockopt));
	ASSERT_EQ(0, pthread_kill(task->thread, SIGUSR1));
	ASSERT_TRUE(until(signal_came, NULL));
}

TEST_F(start, eintr_leaves_the_handshake_running_and_start_waits_again)
{
	struct pair *p = &self->pair;
	struct call call = {};
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	/* With a time-out no call is restarted: signal(7) */
	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_SNDTIMEO,
				&(struct timeval){ .tv_sec = 60 }, sizeof(struct timeval)));
	signal_sleeping_start(_metadata, p, 0, &task, &call);
	EXPECT_EQ(-EINTR, task_end(&task));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	EXPECT_EQ(1, stat_read("HandoffStarted"));

	ASSERT_EQ(0, task_start(&task, call_start, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_setsockopt));
	ASSERT_EQ(0, pair_accept(p));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ(1, stat_read("HandoffStarted"));
}

TEST_F(start, restarted_after_a_signal_it_waits_on)
{
	struct pair *p = &self->pair;
	struct call call = {};
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	signal_sleeping_start(_metadata, p, SA_RESTART, &task, &call);
	ASSERT_TRUE(task_sleeps(&task, SYS_setsockopt));
	ASSERT_EQ(0, pair_accept(p));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ(1, stat_read("HandoffStarted"));
}

TEST_F(start, timeout_ends_it_at_the_time_that_was_set)
{
	struct pair *p = &self->pair;
	long long begin, took;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, 300));
	begin = now_ms();
	EXPECT_EQ(-ETIMEDOUT, start(p->app, TLS_HANDOFF_CLIENT));
	took = now_ms() - begin;
	/* Ticks of a virtual machine are not exact */
	EXPECT_LE(200, took);
	EXPECT_GE(3000, took);
	EXPECT_EQ(1, stat_read("HandoffTimedOut"));
	EXPECT_EQ(0, socket_error(p->app));
	expect_failed(_metadata, p, ETIMEDOUT);
}

TEST_F(start, timeout_after_accept_tells_program_and_agent)
{
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128 };

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, 100));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_SERVER));
	EXPECT_TRUE(wait_for(p->app, POLLOUT) & POLLOUT);
	EXPECT_EQ(ETIMEDOUT, socket_error(p->app));
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLHUP);
	EXPECT_EQ(0, recv(p->session, sink, 16, 0));
	EXPECT_EQ(-1, send(p->session, "late", 4, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	done.id = p->id;
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
	expect_failed(_metadata, p, ETIMEDOUT);
}

TEST_F(start, shutdown_ends_a_handshake_that_another_thread_waits_for)
{
	struct call call = { .role = TLS_HANDOFF_CLIENT };
	struct pair *p = &self->pair;
	struct accepted accepted;
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_start, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_setsockopt));
	ASSERT_EQ(0, agent_accept(p->agent, &accepted));
	p->session = accepted.fd;
	EXPECT_EQ(0, shutdown(p->app, SHUT_WR));
	EXPECT_EQ(-ECONNABORTED, task_end(&task));
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLHUP);
	EXPECT_EQ(0, recv(p->session, sink, 16, 0));
	expect_failed(_metadata, p, ECONNABORTED);
}

TEST_F(start, close_during_the_handshake_tells_the_agent)
{
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128 };
	struct keys keys;

	ASSERT_EQ(0, pair_start(p, variant->family));
	EXPECT_EQ(0, close(p->app));
	p->app = -1;
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLHUP);
	EXPECT_EQ(0, recv(p->session, sink, 16, 0));
	EXPECT_EQ(-1, send(p->session, "late", 4, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	EXPECT_EQ(-EPIPE, keys_install(p->session, &keys, NULL));
	done.id = p->id;
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
	EXPECT_EQ(0, recv(p->peer, sink, 16, 0));
}

TEST_F(start, close_before_accept_leaves_nothing_to_accept)
{
	struct pair *p = &self->pair;
	struct accepted accepted;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	ASSERT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(0, close(p->app));
	p->app = -1;
	EXPECT_EQ(-EAGAIN, agent_accept(p->agent, &accepted));
}

TEST_F(start, reset_by_the_peer_reaches_the_agent_whose_word_counts)
{
	struct linger linger = { .l_onoff = 1 };
	struct pair *p = &self->pair;
	struct done done = { .status = ECONNRESET };

	ASSERT_EQ(0, pair_start(p, variant->family));
	ASSERT_EQ(0, setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(p->peer);
	p->peer = -1;
	EXPECT_TRUE(wait_for(p->session, POLLIN) & (POLLIN | POLLERR | POLLHUP));
	EXPECT_EQ(-1, recv(p->session, sink, 16, 0));
	EXPECT_EQ(ECONNRESET, errno);
	done.id = p->id;
	EXPECT_EQ(0, agent_done(p->agent, &done));
	EXPECT_EQ(ECONNRESET, socket_error(p->app));
	EXPECT_EQ(-1, recv(p->app, sink, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

TEST_F(start, what_the_program_says_wrong_leaves_the_socket_unchanged)
{
	struct pair *p = &self->pair;
	uint64_t wide = 1;
	char buffer[4];

	ASSERT_EQ(0, tcp_pair(variant->family, &p->app, &p->peer));
	ASSERT_EQ(0, agent_open(&p->agent));
	ASSERT_EQ(0, take_over(p->app));
	/* RFC 9525: a client that checks certificates must say whose */
	EXPECT_EQ(-EINVAL, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EINVAL, start(p->app, 0));
	EXPECT_EQ(-EINVAL, start(p->app, 3));
	EXPECT_EQ(-1, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &wide, 8));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &wide, 2));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_START, NULL, 4));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, set_u16(p->app, TLS_HANDOFF_MIN_VERSION, TLS_1_3_VERSION));
	ASSERT_EQ(0, set_u16(p->app, TLS_HANDOFF_MAX_VERSION, TLS_1_2_VERSION));
	EXPECT_EQ(-EINVAL, start(p->app, TLS_HANDOFF_SERVER));

	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(p->app).state);
	EXPECT_EQ(0, get_info(p->app).error);
	EXPECT_EQ(0, get_info(p->app).session_id);
	EXPECT_EQ(0, stat_read("HandoffStarted"));
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, buffer, 4));
	/* A server needs no name, nor does a client that checks no certificate */
	ASSERT_EQ(0, set_u16(p->app, TLS_HANDOFF_MAX_VERSION, TLS_1_3_VERSION));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_AUTH, TLS_HANDOFF_AUTH_PSK));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	EXPECT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EALREADY, start(p->app, TLS_HANDOFF_SERVER));
}

TEST_F(start, after_the_peer_closed_is_enotconn)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	EXPECT_TRUE(wait_for(p->app, POLLRDHUP) & POLLRDHUP);
	EXPECT_EQ(-ENOTCONN, start(p->app, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(p->app).state);
	EXPECT_EQ(0, recv(p->app, sink, 1, 0));
}

TEST_F(start, connecting_again_and_listening_are_refused)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_open(p, variant->family, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	EXPECT_EQ(-1, connect(p->app, &nowhere, sizeof(nowhere)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, listen(p->app, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, accept(p->app, NULL, NULL));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
}

TEST_HARNESS_MAIN
