// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption: an agent takes over the socket of somebody who does not know of it, as a
 * kernel consumer, and has its session fd without START, REGISTER and ACCEPT. Here it
 * is the socket of this process, which then gets what a consumer would.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "expect.h"
#include "lib.h"
#include "program.h"

#define OTHER_UID 1236

FIXTURE(adopt)
{
	struct pair pair;
	char in[256];
};

FIXTURE_SETUP(adopt)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	*p = PAIR_NONE;
	p->version = TLS_1_3_VERSION;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	/* No agent is registered */
	ASSERT_EQ(0, agent_connect(&p->agent));
}

FIXTURE_TEARDOWN(adopt)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* Ready for data */
static int adopt_open(struct pair *p, int family, int role)
{
	int err = pair_adopt(p, family, role);

	return err ? err : pair_finish(p, NULL);
}

static void expect_data_both_ways(struct __test_metadata *_metadata, struct pair *p)
{
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	expect_data(_metadata, p->peer, "ping");
	ASSERT_EQ(4, send(p->peer, "pong", 4, 0));
	expect_data(_metadata, p->app, "pong");
}

TEST_F(adopt, is_start_and_accept_in_one_without_a_registered_agent)
{
	struct pair *p = &self->pair;

	for (int role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		ASSERT_EQ(0, pair_adopt(p, role == TLS_HANDOFF_CLIENT ? AF_INET : AF_INET6, role));
		EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
		EXPECT_EQ(role, get_info(p->app).role);
		EXPECT_NE(0, p->id);
		EXPECT_EQ(FD_CLOEXEC, fcntl(p->session, F_GETFD));
		EXPECT_EQ(1, stat_read("HandoffCurrPending"));

		ASSERT_EQ(6, send(p->session, "flight", 6, 0));
		expect_data(_metadata, p->peer, "flight");
		ASSERT_EQ(6, send(p->peer, "answer", 6, 0));
		EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
		expect_data(_metadata, p->session, "answer");

		ASSERT_EQ(0, pair_finish(p, NULL));
		EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
		EXPECT_EQ(0, stat_read("HandoffCurrPending"));
		expect_data_both_ways(_metadata, p);
		pair_close_sockets(p);
	}
}

TEST_F(adopt, needs_no_peer_name_and_keeps_what_was_set)
{
	struct pair *p = &self->pair;
	char name[32] = {};
	socklen_t length = sizeof(name);

	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PROFILE, "nfs"));
	ASSERT_EQ(0, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &p->session));
	EXPECT_EQ(0, getsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_PROFILE, name, &length));
	EXPECT_STREQ("nfs", name);
	EXPECT_EQ(-EBUSY, set_string(p->app, TLS_HANDOFF_PROFILE, "other"));
}

TEST_F(adopt, refuses_a_wrong_role_length_or_pointer_and_begins_nothing)
{
	static const int roles[] = { 0, 3, -1, 0x7fffffff };
	struct pair *p = &self->pair;
	socklen_t length;
	int role, fd = -1, next;
	int *page;

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++) {
		EXPECT_EQ(-EINVAL, agent_adopt(p->app, roles[i], &fd)) {
			TH_LOG("role %d", roles[i]);
		}
	}
	for (length = 0; length < 9; length++) {
		socklen_t given = length;
		int buffer[4] = { TLS_HANDOFF_CLIENT };

		if (length == sizeof(role))
			continue;
		EXPECT_EQ(-1, getsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_SESSION_FD, buffer,
					 &given));
		EXPECT_EQ(EINVAL, errno);
	}
	length = sizeof(role);
	EXPECT_EQ(-1, getsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_SESSION_FD, (void *)8,
				 &length));
	EXPECT_EQ(EFAULT, errno);

	/* It can be read, and the session fd not be written */
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	*page = TLS_HANDOFF_CLIENT;
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	next = dup(p->app);
	close(next);
	EXPECT_EQ(-1, getsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_SESSION_FD, page, &length));
	EXPECT_EQ(EFAULT, errno);
	munmap(page, 4096);
	EXPECT_EQ(-1, fcntl(next, F_GETFD));

	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(p->app).state);
	EXPECT_EQ(0, stat_read("HandoffStarted"));
	EXPECT_EQ(0, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &p->session));
}

TEST_F(adopt, needs_cap_net_admin)
{
	struct pair *p = &self->pair;
	int fd, status = -1;
	pid_t pid;

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	pid = fork();
	if (!pid) {
		if (syscall(SYS_setresuid, OTHER_UID, OTHER_UID, OTHER_UID))
			_exit(2);
		_exit(agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd) != -EPERM);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(p->app).state);
}

TEST_F(adopt, is_only_for_a_connection_and_only_once)
{
	struct pair *p = &self->pair;
	int listener, fd = -1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT_EQ(-ENOTCONN, take_over(fd));
	close(fd);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, take_over(listener));
	EXPECT_EQ(-ENOTCONN, agent_adopt(listener, TLS_HANDOFF_SERVER, &fd));
	EXPECT_EQ(0, start(listener, TLS_HANDOFF_SERVER));
	EXPECT_EQ(-ENOTCONN, agent_adopt(listener, TLS_HANDOFF_SERVER, &fd));
	close(listener);

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	ASSERT_TRUE(wait_for(p->app, POLLRDHUP) & POLLRDHUP);
	EXPECT_EQ(-ENOTCONN, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd));
	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(p->app).state);
	pair_close_sockets(p);

	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EALREADY, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-EISCONN, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd));
	ASSERT_EQ(0, send_alert(p->peer, 2, 80));
	EXPECT_EQ(-1, recv(p->app, self->in, 1, 0));
	EXPECT_EQ(-ECONNRESET, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd));
	pair_close_sockets(p);

	/* One that a program started is that program's */
	agent_close(p->agent);
	ASSERT_EQ(0, agent_open(&p->agent));
	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(-EALREADY, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &fd));
}

TEST_F(adopt, evicts_a_reader_that_came_before)
{
	struct pair *p = &self->pair;
	struct call call = { .buffer = self->in, .size = 16 };
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &p->session));
	EXPECT_EQ(-EPIPE, task_end(&task));
}

TEST_F(adopt, calls_wait_for_the_handshake)
{
	struct pair *p = &self->pair;
	struct call call = { .buffer = self->in, .size = 16 };
	struct task task;

	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	EXPECT_EQ(4, task_end(&task));
}

/* knfsd asks for its handshake before it has sent the answer to STARTTLS */
TEST_F(adopt, server_may_send_plaintext_until_it_hears_of_the_client)
{
	struct pair *p = &self->pair;

	for (int first = 0; first < 3; first++) {
		ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_SERVER));
		ASSERT_EQ(5, send(p->app, "go on", 5, 0));
		expect_data(_metadata, p->peer, "go on");
		if (!first) {
			ASSERT_EQ(5, send(p->peer, "hello", 5, 0));
			expect_data(_metadata, p->session, "hello");
		} else if (first == 1) {
			ASSERT_EQ(5, send(p->session, "hello", 5, 0));
			expect_data(_metadata, p->peer, "hello");
		} else {
			struct keys keys = pair_keys(p, TO_PEER, 0);

			ASSERT_EQ(0, keys_install(p->session, &keys, NULL));
		}
		EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		pair_close_sockets(p);
	}
}

static void count_session(uint64_t id, uint32_t state, void *arg)
{
	uint64_t *wanted = arg;

	if (id == *wanted && state == TLS_HANDOFF_STATE_ESTABLISHED)
		*wanted = 0;
}

TEST_F(adopt, is_listed_and_can_be_attached_again)
{
	struct pair *p = &self->pair;
	uint64_t id;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	id = p->id;
	EXPECT_EQ(0, agent_dump(p->agent, count_session, &id));
	EXPECT_EQ(0, id);
	close(p->session);
	ASSERT_EQ(0, agent_attach(p->agent, p->id, &p->session));
	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, agent_follows(p, 1));
	expect_data_both_ways(_metadata, p);
}

TEST_F(adopt, key_updates_of_both_sides_are_nothing_to_the_consumer)
{
	struct pair *p = &self->pair;
	struct call call = { .buffer = self->in, .size = sizeof(self->in) };
	struct task task;
	struct keys keys;
	uint8_t type;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	call.fd = p->app;
	for (unsigned int generation = 1; generation < 4; generation++) {
		/* A reader that waits is the one that finds it */
		ASSERT_EQ(0, task_start(&task, call_recv, &call));
		ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
		ASSERT_EQ(0, peer_updates(p, generation));
		ASSERT_EQ(4, send(p->peer, "pong", 4, 0));
		ASSERT_EQ(0, agent_follows(p, generation));
		EXPECT_EQ(4, task_end(&task));

		ASSERT_EQ(0, agent_updates(p, generation));
		ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, self->in,
							 sizeof(self->in), 0));
		keys = pair_keys(p, TO_PEER, generation);
		ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
		expect_data_both_ways(_metadata, p);
	}
	EXPECT_EQ(3, get_info(p->app).tx_generation);
	EXPECT_EQ(3, get_info(p->app).rx_generation);
}

TEST_F(adopt, ticket_goes_to_the_session_handler)
{
	struct pair *p = &self->pair;
	struct call call = { .buffer = self->in, .size = sizeof(self->in) };
	char record[64];
	struct task task;
	uint8_t type;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(8, send_record(p->peer, RECORD_HANDSHAKE, "\x04\x00\x00\x04tick", 8));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	ASSERT_EQ(8, next_record(p->session, &type, record, sizeof(record)));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
	EXPECT_EQ(4, task_end(&task));
}

TEST_F(adopt, sender_that_must_not_wait_is_told_when_it_may_go_on)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, poll(&(struct pollfd){ p->app, POLLOUT }, 1, 0));
	ASSERT_EQ(0, agent_updates(p, 1));
	EXPECT_TRUE(wait_for(p->app, POLLOUT) & POLLOUT);
	EXPECT_EQ(1, send(p->app, "x", 1, MSG_DONTWAIT));
}

/* Or a consumer would be called back for ever */
TEST_F(adopt, reader_that_finds_nothing_wakes_nobody)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct pair *p = &self->pair;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, p->app, &event));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
}

/* Not every consumer takes note of an end of file, but all of the end of TCP */
TEST_F(adopt, close_notify_ends_the_connection_in_both_directions)
{
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(4, send(p->peer, "last", 4, 0));
	ASSERT_EQ(0, send_alert(p->peer, 1, 0));
	expect_data(_metadata, p->app, "last");
	EXPECT_EQ(0, recv(p->app, self->in, 1, 0));
	EXPECT_EQ(2, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(0, self->in[1]);
	EXPECT_EQ(0, recv(p->peer, self->in, 1, 0));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(TLS_HANDOFF_STATE_CLOSED, get_info(p->app).state);
}

TEST_F(adopt, fatal_alert_ends_the_connection_without_a_signal)
{
	struct pair *p = &self->pair;

	/* Its default would end this process */
	signal(SIGPIPE, SIG_DFL);
	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, send_alert(p->peer, 2, 80));
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(ECONNRESET, socket_error(p->app));
}

TEST_F(adopt, record_is_sent_by_the_agent_only)
{
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EPERM, send_alert(p->app, 1, 0));
	EXPECT_EQ(-EPERM, send_alert(p->app, 2, 80));
	EXPECT_EQ(-EPERM, send_record(p->app, RECORD_HANDSHAKE, KEY_UPDATE, KEY_UPDATE_LENGTH));
	EXPECT_EQ(-EPERM, send_record(p->app, RECORD_DATA, "x", 1));
	EXPECT_EQ(0, send_alert(p->session, 1, 90));
	EXPECT_EQ(2, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	expect_data_both_ways(_metadata, p);
}

TEST_F(adopt, shutdown_ends_a_sender_that_is_stuck)
{
	static char much[32 << 20];
	struct pair *p = &self->pair;
	struct call call = { .buffer = much, .size = sizeof(much), .flags = MSG_NOSIGNAL };
	struct task task;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_LT(0, fill(p->app, 'x'));
	call.fd = p->app;
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	ASSERT_EQ(0, shutdown(p->app, SHUT_RDWR));
	EXPECT_NE(-ETIME, task_end(&task));
}

TEST_F(adopt, session_fd_that_is_closed_before_done_fails_the_handshake)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	close(p->session);
	p->session = -1;
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(0, recv(p->peer, self->in, 1, 0));
}

TEST_F(adopt, shutdown_in_the_handshake_fails_it_and_tells_the_agent)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, shutdown(p->app, SHUT_RDWR));
	EXPECT_TRUE(wait_for(p->session, POLLHUP) & POLLHUP);
	expect_failed(_metadata, p, ECONNABORTED);
}

/* sk_error_report() is what sends POLL_ERR; sunrpc would take its handshake for a success */
TEST_F(adopt, handshake_that_failed_is_no_error_report_of_the_socket)
{
	const struct timespec none = {};
	struct pair *p = &self->pair;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, fcntl(p->app, F_SETSIG, SIGRTMIN));
	ASSERT_EQ(0, fcntl(p->app, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(p->app, F_SETFL, O_RDWR | O_ASYNC));
	close(p->session);
	p->session = -1;
	ASSERT_TRUE(wait_for(p->app, POLLHUP | POLLERR) & (POLLHUP | POLLERR));
	while (sigtimedwait(&set, &info, &none) == SIGRTMIN)
		EXPECT_NE(POLL_ERR, info.si_code);
	expect_failed(_metadata, p, ECONNRESET);
}

TEST_F(adopt, handshake_ends_with_its_timeout)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, 50));
	ASSERT_EQ(0, agent_adopt(p->app, TLS_HANDOFF_CLIENT, &p->session));
	EXPECT_TRUE(wait_for(p->session, POLLHUP) & POLLHUP);
	expect_failed(_metadata, p, ETIMEDOUT);
	EXPECT_EQ(1, stat_read("HandoffTimedOut"));
}

TEST_F(adopt, done_with_a_status_fails_the_handshake)
{
	struct done done = { .status = EACCES, .error = "no path to a trust anchor" };
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	done.id = p->id;
	ASSERT_EQ(0, agent_done(p->agent, &done));
	expect_failed(_metadata, p, EACCES);
}

TEST_F(adopt, closing_the_socket_sends_close_notify_and_tells_the_agent)
{
	struct tls_handoff_event event = {};
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(0, adopt_open(p, AF_INET, TLS_HANDOFF_CLIENT));
	close(p->app);
	p->app = -1;
	ASSERT_EQ(2, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(0, self->in[1]);
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(TLS_HANDOFF_EVENT_CLOSED, event.event);
}

TEST_F(adopt, pending_ones_count_against_the_limit)
{
	struct pair other = PAIR_NONE, *p = &self->pair;
	int fd, knob;

	knob = open("/proc/sys/net/tls_handoff/max_pending", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, knob);
	ASSERT_EQ(1, write(knob, "1", 1));
	close(knob);
	ASSERT_EQ(0, pair_adopt(p, AF_INET, TLS_HANDOFF_CLIENT));
	other.agent = p->agent;
	ASSERT_EQ(0, pair_prepare(&other, AF_INET));
	EXPECT_EQ(-ENOBUFS, agent_adopt(other.app, TLS_HANDOFF_CLIENT, &fd));
	pair_close_sockets(&other);
}

TEST_HARNESS_MAIN
