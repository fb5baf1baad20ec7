// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records that are not data, handshake records first: they go to the session
 * handler, hold readers until it says so, and are never seen by the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(records)
{
	struct pair pair;
	char in[20000], ticket[4000];
};

FIXTURE_VARIANT(records)
{
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(records, ipv4_tls13)
{
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(records, ipv6_tls12)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_SETUP(records)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	*p = PAIR_NONE;
	ASSERT_EQ(0, pair_open(p, variant->family, variant->version, variant->cipher));
	pattern_fill(self->ticket, sizeof(self->ticket), 4);
	/* NewSessionTicket */
	self->ticket[0] = 4;
}

FIXTURE_TEARDOWN(records)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* Polls the program's socket, which is never to be readable, until the session fd is */
static void poll_until_diverted(struct __test_metadata *_metadata, struct pair *p)
{
	struct pollfd pfd[2] = { { .fd = p->app, .events = POLLIN | POLLRDHUP },
				 { .fd = p->session, .events = POLLIN } };
	long long end = now_ms() + TEST_DEADLINE_MS;

	while (now_ms() < end) {
		ASSERT_LE(0, poll(pfd, 2, 0));
		ASSERT_EQ(0, pfd[0].revents);
		if (pfd[1].revents)
			return;
	}
	ASSERT_TRUE(!"nothing was diverted");
}

static void expect_record(struct __test_metadata *_metadata, struct pair *p, uint8_t type,
			  const void *data, long size)
{
	char record[TLS_HANDOFF_MAX_RECORD];
	uint8_t got = 0xff;

	EXPECT_EQ(size, next_record(p->session, &got, record, sizeof(record)));
	EXPECT_EQ(type, got);
	EXPECT_EQ(0, memcmp(record, data, size));
}

static void expect_held(struct __test_metadata *_metadata, struct pair *p)
{
	struct pollfd pfd = { .fd = p->app, .events = POLLIN };
	char byte;

	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, recv(p->app, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, recv(p->app, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
	EXPECT_EQ(EAGAIN, errno);
}

static int resume(struct pair *p)
{
	return set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE);
}

TEST_F(records, a_lone_ticket_never_makes_the_socket_readable)
{
	static const int sizes[] = { 1, 50, 230, 4000 };
	struct pair *p = &self->pair;

	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, set_nonblock(p->app, i & 4));
		ASSERT_EQ(sizes[i & 3], send_record(p->peer, RECORD_HANDSHAKE, self->ticket,
						    sizes[i & 3]));
		poll_until_diverted(_metadata, p);
		expect_held(_metadata, p);
		expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, sizes[i & 3]);
		expect_held(_metadata, p);
		ASSERT_EQ(0, resume(p));
		expect_held(_metadata, p);
	}
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	EXPECT_EQ(POLLIN, wait_for(p->app, POLLIN));
	EXPECT_EQ(4, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(8, get_info(p->app).records_diverted);
	EXPECT_EQ(8, stat_read("HandoffRecordsDiverted"));
}

TEST_F(records, recv_takes_a_lone_ticket_away_and_gives_eagain)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, set_nonblock(p->app, true));
	ASSERT_EQ(200, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 200));
	do {
		EXPECT_EQ(-1, recv(p->app, self->in, 100, 0));
		ASSERT_EQ(EAGAIN, errno);
	} while (!get_info(p->app).records_diverted);
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 200);
}

TEST_F(records, a_reader_is_held_until_continue)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(200, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 200));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 200);
	EXPECT_TRUE(task_sleeps(&task, SYS_recvfrom));
	expect_held(_metadata, p);
	ASSERT_EQ(0, resume(p));
	EXPECT_EQ(4, task_end(&task));
	EXPECT_EQ(0, memcmp("data", self->in, 4));
}

TEST_F(records, a_sleeping_poll_is_woken_by_continue)
{
	struct pair *p = &self->pair;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, p->app, &event));
	ASSERT_EQ(200, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 200));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	poll_until_diverted(_metadata, p);
	while (epoll_wait(epoll, &event, 1, 0))
		EXPECT_EQ(0, event.events & EPOLLIN);
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 200);
	ASSERT_EQ(0, resume(p));
	/* The edge: kTLS announced this record long ago */
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
	EXPECT_TRUE(event.events & EPOLLIN);
	EXPECT_EQ(4, recv(p->app, self->in, 100, MSG_DONTWAIT));
	close(epoll);
}

TEST_F(records, tickets_between_data_are_taken_out_of_it)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(3, send(p->peer, "one", 3, 0));
	ASSERT_EQ(100, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 100));
	ASSERT_EQ(3, send(p->peer, "two", 3, 0));
	ASSERT_EQ(3, send(p->peer, "six", 3, 0));
	ASSERT_EQ(101, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 101));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("one", self->in, 3));
	poll_until_diverted(_metadata, p);
	expect_held(_metadata, p);
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 100);
	ASSERT_EQ(0, resume(p));
	ASSERT_EQ(6, recv(p->app, self->in, 6, MSG_WAITALL));
	EXPECT_EQ(0, memcmp("twosix", self->in, 6));
	poll_until_diverted(_metadata, p);
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 101);
	ASSERT_EQ(0, resume(p));
	expect_held(_metadata, p);
}

TEST_F(records, waitall_waits_across_a_ticket)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 6,
			     .flags = MSG_WAITALL };
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_EQ(3, send(p->peer, "one", 3, 0));
	ASSERT_EQ(100, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 100));
	ASSERT_EQ(3, send(p->peer, "two", 3, 0));
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 100);
	EXPECT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, resume(p));
	EXPECT_EQ(6, task_end(&task));
	EXPECT_EQ(0, memcmp("onetwo", self->in, 6));
}

TEST_F(records, splice_diverts_too)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .size = 100 };
	struct task task;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	call.to = pipes[1];
	ASSERT_EQ(0, task_start(&task, call_splice, &call));
	ASSERT_EQ(100, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 100));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 100);
	EXPECT_TRUE(task_sleeps(&task, SYS_splice));
	ASSERT_EQ(0, resume(p));
	EXPECT_EQ(4, task_end(&task));
	EXPECT_EQ(4, read(pipes[0], self->in, 100));
	EXPECT_EQ(0, memcmp("data", self->in, 4));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(records, the_session_fd_gives_whole_records_or_nothing)
{
	struct pair *p = &self->pair;
	uint8_t type = 0xff;

	EXPECT_EQ(-EAGAIN, recv_record(p->session, &type, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(200, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 200));
	poll_until_diverted(_metadata, p);
	/* Too small a buffer, none at all, nowhere to put the type: it stays */
	EXPECT_EQ(-EMSGSIZE, recv_record(p->session, &type, self->in, 199, 0));
	EXPECT_EQ(-EMSGSIZE, recv_record(p->session, &type, self->in, 0, 0));
	EXPECT_EQ(-1, recv(p->session, self->in, 1000, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EFAULT, recv_record(p->session, &type, (void *)8, 1000, 0));
	EXPECT_EQ(-EOPNOTSUPP, recv_record(p->session, &type, self->in, 1000, MSG_PEEK));
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 200);
	EXPECT_EQ(-EAGAIN, recv_record(p->session, &type, self->in, 1000, MSG_DONTWAIT));
}

TEST_F(records, data_between_handshake_records_is_told_of)
{
	struct pair *p = &self->pair;
	struct tls_handoff_event event = {};
	uint8_t type = 0xff;

	/* No data before the first, none between it and the second */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(10, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 10));
		poll_until_diverted(_metadata, p);
		ASSERT_EQ(10, recv_record(p->session, &type, self->in, 1000, 0));
		EXPECT_EQ(RECORD_HANDSHAKE, type);
		ASSERT_EQ(0, resume(p));
	}
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	ASSERT_EQ(10, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 10));
	poll_until_diverted(_metadata, p);
	ASSERT_EQ(sizeof(event), recv_record(p->session, &type, &event, sizeof(event), 0));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(TLS_HANDOFF_EVENT_DATA, event.event);
	ASSERT_EQ(10, recv_record(p->session, &type, self->in, 1000, 0));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
}

TEST_F(records, continue_needs_a_record_that_was_taken)
{
	struct pair *p = &self->pair;
	struct keys keys;
	uint64_t wide = 0;

	keys_fill(&keys, variant->version, variant->cipher, 1, 1);
	EXPECT_EQ(-EINVAL, resume(p));
	EXPECT_EQ(-EINVAL, keys_install(p->session, NULL, &keys));
	EXPECT_EQ(-EINVAL, keys_install(p->session, &keys, NULL));
	ASSERT_EQ(10, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 10));
	poll_until_diverted(_metadata, p);
	EXPECT_EQ(-EINVAL, set_u32(p->session, TLS_HANDOFF_CONTINUE, 2));
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TLS_HANDOFF, TLS_HANDOFF_CONTINUE, &wide, 8));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, resume(p));
	EXPECT_EQ(-EINVAL, resume(p));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	EXPECT_EQ(4, recv(p->app, self->in, 100, 0));
}

/* The session handler: every handshake record is followed by CONTINUE; the count */
static long continue_all(void *arg)
{
	struct pair *p = arg;
	char record[TLS_HANDOFF_MAX_RECORD];
	long count = 0, ret;
	uint8_t type;

	for (;;) {
		ret = next_record(p->session, &type, record, sizeof(record));
		if (ret <= 0)
			return ret ? ret : count;
		if (type == RECORD_ALERT)
			return count;
		if (type != RECORD_HANDSHAKE || resume(p))
			return -EPROTO;
		count++;
	}
}

struct counted {
	struct task task;
	int fd;
	bool poll;
	long sum;
};

/* Until close_notify, with poll() before every read or without */
static long read_and_count(void *arg)
{
	struct counted *counted = arg;
	struct pollfd pfd = { .fd = counted->fd, .events = POLLIN };
	uint8_t buffer[300];
	long total = 0, ret;

	do {
		if (counted->poll && poll(&pfd, 1, TEST_DEADLINE_MS) != 1)
			return -ETIME;
		ret = recv(counted->fd, buffer, sizeof(buffer), counted->poll ? MSG_DONTWAIT : 0);
		for (long i = 0; i < ret; i++)
			counted->sum += buffer[i];
		total += ret > 0 ? ret : 0;
	} while (ret > 0 || (ret < 0 && errno == EAGAIN));
	return ret ? -errno : total;
}

TEST_F_TIMEOUT(records, several_readers_and_many_tickets_lose_nothing, 60)
{
	struct pair *p = &self->pair;
	struct counted readers[4] = {};
	long total = 0, sum = 0, sent = 0, sent_sum = 0;
	struct task handler;

	ASSERT_EQ(0, task_start(&handler, continue_all, p));
	for (int i = 0; i < 4; i++) {
		readers[i].fd = p->app;
		readers[i].poll = i & 1;
		ASSERT_EQ(0, task_start(&readers[i].task, read_and_count, &readers[i]));
	}
	for (int i = 0; i < 300; i++) {
		long size = 1 + i * 7 % 900;

		pattern_fill(self->in, size, sent);
		for (long k = 0; k < size; k++)
			sent_sum += (uint8_t)self->in[k];
		ASSERT_EQ(size, write_all(p->peer, self->in, size));
		sent += size;
		if (i % 3 == 0)
			ASSERT_LT(0, send_record(p->peer, RECORD_HANDSHAKE, self->ticket,
						 1 + i));
	}
	ASSERT_EQ(0, send_alert(p->peer, 1, 0));
	for (int i = 0; i < 4; i++) {
		long ret = task_end(&readers[i].task);

		ASSERT_LE(0, ret);
		total += ret;
		sum += readers[i].sum;
	}
	EXPECT_EQ(sent, total);
	EXPECT_EQ(sent_sum, sum);
	EXPECT_EQ(100, task_end(&handler));
	EXPECT_EQ(101, get_info(p->app).records_diverted);
}

TEST_F(records, unknown_types_go_to_the_session_handler_too)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(5, send_record(p->peer, 99, "other", 5));
	poll_until_diverted(_metadata, p);
	expect_record(_metadata, p, 99, "other", 5);
	expect_held(_metadata, p);
	ASSERT_EQ(0, resume(p));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	EXPECT_EQ(4, recv(p->app, self->in, 100, 0));
}

TEST_F(records, the_session_handler_sends_records)
{
	struct pair *p = &self->pair;
	uint8_t type = 0;

	ASSERT_EQ(3, send(p->app, "one", 3, 0));
	ASSERT_EQ(4000, send_record(p->session, RECORD_HANDSHAKE, self->ticket, 4000));
	ASSERT_EQ(3, send(p->app, "two", 3, 0));
	ASSERT_EQ(3, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	EXPECT_EQ(RECORD_DATA, type);
	ASSERT_EQ(4000, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	EXPECT_EQ(0, memcmp(self->ticket, self->in, 4000));
	ASSERT_EQ(3, recv_record(p->peer, &type, self->in, sizeof(self->in), 0));
	EXPECT_EQ(RECORD_DATA, type);
	EXPECT_EQ(-EMSGSIZE, send_record(p->session, RECORD_HANDSHAKE, self->in,
					 TLS_HANDOFF_MAX_RECORD + 1));
	EXPECT_EQ(-EMSGSIZE, send_record(p->session, RECORD_HANDSHAKE, self->in, 0));
	EXPECT_EQ(-EINVAL, send_record(p->session, RECORD_ALERT, self->in, 3));
	EXPECT_EQ(-EFAULT, send_record(p->session, RECORD_ALERT, (void *)8, 2));
	ASSERT_EQ(3, send(p->app, "six", 3, 0));
	ASSERT_EQ(3, read_all(p->peer, self->in, 3));
}

TEST_F(records, without_a_session_fd_readers_wait_and_data_before_comes)
{
	struct pair *p = &self->pair;

	close(p->session);
	p->session = -1;
	ASSERT_EQ(3, send(p->peer, "one", 3, 0));
	ASSERT_EQ(100, send_record(p->peer, RECORD_HANDSHAKE, self->ticket, 100));
	ASSERT_EQ(3, send(p->peer, "two", 3, 0));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("one", self->in, 3));
	expect_held(_metadata, p);
	ASSERT_EQ(0, agent_attach(p->agent, p->id, &p->session));
	expect_record(_metadata, p, RECORD_HANDSHAKE, self->ticket, 100);
	ASSERT_EQ(0, resume(p));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("two", self->in, 3));
}

TEST_HARNESS_MAIN
