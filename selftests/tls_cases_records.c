// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's own net/tls selftest checks of control records, key updates and
 * broken or unfinished records, on handed-off sockets. There the program sees them; here
 * the session handler does, and the program sees data only. The bodies are ours; which
 * case of tools/testing/selftests/net/tls.c one stands for:
 *
 *	a_program_sends_no_control_record		cmsg_msg_more, control_msg
 *	a_control_record_ends_the_open_record		msg_more_then_cmsg
 *	control_records_are_not_for_recv_and_splice	control_msg, data_control_data,
 *							splice_cmsg_to_pipe,
 *							splice_dec_cmsg_to_pipe
 *	control_records_are_not_merged			control_msg_nomerge
 *	key_update_of_both_sides			rekey, rekey_rx, rekey_tx,
 *							rekey_getsockopt
 *	key_update_that_fails_changes_nothing		rekey_fail
 *	key_update_and_peek				rekey_peek
 *	key_update_and_splice				splice_rekey, rekey_peek_splice
 *	key_update_wakes_poll_when_the_key_comes	rekey_poll_pending
 *	key_update_and_data_long_after			rekey_poll_delay
 *	a_part_of_a_record_is_nothing_yet		poll_partial_rec, epoll_partial_rec
 *	a_sleeping_poll_is_not_woken_by_a_part		poll_partial_rec_async
 *	what_is_no_record				bad_rec
 *	what_was_changed_on_its_way			bad_auth, bad_auth_splice
 *	records_before_a_bad_one_are_delivered		bad_in_large_read, bad_cmsg
 *	several_readers_with_a_time_limit		timeo
 *	urgent_data_of_the_peer				oob_pressure
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include "seal.h"

FIXTURE(control)
{
	struct pair pair;
	int pipes[2];
	char in[20000], out[20000];
};

FIXTURE_VARIANT(control)
{
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(control, tls13_aes_128_gcm)
{
	.version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(control, tls13_chacha20_poly1305)
{
	.version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_CHACHA20_POLY1305,
};

FIXTURE_VARIANT_ADD(control, tls12_aes_256_gcm)
{
	.version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_SETUP(control)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	pattern_fill(self->out, sizeof(self->out), 0);
	ASSERT_EQ(0, pipe2(self->pipes, O_CLOEXEC));
	ASSERT_EQ(0, pair_open(&self->pair, AF_INET, variant->version, variant->cipher));
}

FIXTURE_TEARDOWN(control)
{
	pair_close(&self->pair);
	close(self->pipes[0]);
	close(self->pipes[1]);
	EXPECT_TRUE(nothing_left());
}

static void expect_control(struct __test_metadata *_metadata, struct pair *p, const void *data,
			   long length)
{
	char record[100];
	uint8_t type = 0;

	ASSERT_EQ(length, next_record(p->session, &type, record, sizeof(record)));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	EXPECT_EQ(0, memcmp(data, record, length));
}

TEST_F(control, a_program_sends_no_control_record)
{
	struct pair *p = &self->pair;
	uint8_t type = 0;

	EXPECT_EQ(-EPERM, send_record(p->app, 100, "control", 7));
	EXPECT_EQ(-EPERM, send_record(p->app, RECORD_HANDSHAKE, KEY_UPDATE, KEY_UPDATE_LENGTH));
	EXPECT_EQ(-EPERM, send_record(p->app, RECORD_DATA, "data", 4));
	ASSERT_EQ(4, send(p->app, "data", 4, 0));
	ASSERT_EQ(4, recv_record(p->peer, &type, self->in, 100, 0));
	EXPECT_EQ(RECORD_DATA, type);
}

TEST_F(control, a_control_record_ends_the_open_record)
{
	struct pair *p = &self->pair;
	uint8_t type = 0;

	ASSERT_EQ(10, send(p->app, self->out, 10, MSG_MORE));
	EXPECT_EQ(-1, recv(p->peer, self->in, 10, MSG_DONTWAIT));
	ASSERT_EQ(6, send_record(p->session, RECORD_HANDSHAKE, "ticket", 6));
	ASSERT_EQ(10, recv_record(p->peer, &type, self->in, 100, 0));
	EXPECT_EQ(RECORD_DATA, type);
	EXPECT_TRUE(pattern_check(self->in, 10, 0));
	ASSERT_EQ(6, recv_record(p->peer, &type, self->in, 100, 0));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
}

TEST_F(control, control_records_are_not_for_recv_and_splice)
{
	struct pair *p = &self->pair;

	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(4, send(p->peer, "1111", 4, 0));
		ASSERT_EQ(4, send_record(p->peer, RECORD_HANDSHAKE, "2222", 4));
		ASSERT_EQ(4, send(p->peer, "3333", 4, 0));
		if (round == 0) {
			ASSERT_EQ(4, recv(p->app, self->in, 100, MSG_PEEK));
			ASSERT_EQ(4, recv(p->app, self->in, 100, MSG_PEEK));
			ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
		} else {
			ASSERT_EQ(4, splice(p->app, NULL, self->pipes[1], NULL, 100, 0));
			ASSERT_EQ(4, read(self->pipes[0], self->in, 100));
		}
		EXPECT_EQ(0, memcmp("1111", self->in, 4));
		/* The first to meet it looks, and all wait */
		EXPECT_EQ(-1, round == 1 ? recv(p->app, self->in, 100, MSG_DONTWAIT) :
			      splice(p->app, NULL, self->pipes[1], NULL, 100,
				     SPLICE_F_NONBLOCK));
		EXPECT_EQ(EAGAIN, errno);
		expect_control(_metadata, p, "2222", 4);
		ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
		ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("3333", self->in, 4));
	}
}

TEST_F(control, control_records_are_not_merged)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(4, send_record(p->peer, RECORD_HANDSHAKE, "1111", 4));
	ASSERT_EQ(4, send_record(p->peer, RECORD_HANDSHAKE, "2222", 4));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	expect_control(_metadata, p, "1111", 4);
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	expect_control(_metadata, p, "2222", 4);
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

/* The peer follows our KeyUpdate */
static void peer_follows(struct __test_metadata *_metadata, struct pair *p,
			 unsigned int generation)
{
	struct keys keys = pair_keys(p, TO_PEER, generation);
	char record[100];
	uint8_t type = 0;

	ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, record, sizeof(record), 0));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
}

TEST_F(control, key_update_of_both_sides)
{
	struct pair *p = &self->pair;

	if (variant->version != TLS_1_3_VERSION)
		SKIP(return, "TLS 1.2 has no key update");
	for (int generation = 1; generation <= 3; generation++) {
		ASSERT_EQ(6, send(p->peer, "before", 6, 0));
		ASSERT_EQ(6, recv(p->app, self->in, 100, 0));
		ASSERT_EQ(0, peer_updates(p, generation));
		ASSERT_EQ(5, send(p->peer, "after", 5, 0));
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, agent_follows(p, generation));
		ASSERT_EQ(5, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("after", self->in, 5));
		EXPECT_EQ(generation, get_info(p->app).rx_generation);

		ASSERT_EQ(0, agent_updates(p, generation));
		ASSERT_EQ(5, send(p->app, "after", 5, 0));
		EXPECT_EQ(generation, get_info(p->app).tx_generation);
		peer_follows(_metadata, p, generation);
		ASSERT_EQ(5, recv(p->peer, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("after", self->in, 5));
	}
}

TEST_F(control, key_update_that_fails_changes_nothing)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, TO_PEER, 1), other;
	int old = variant->version == TLS_1_2_VERSION;

	keys_fill(&other, old ? TLS_1_3_VERSION : TLS_1_2_VERSION, p->cipher, TO_PEER, 1);
	EXPECT_GT(0, tx_update(p->session, &other));
	keys_fill(&other, p->version, TLS_CIPHER_AES_CCM_128, TO_PEER, 1);
	EXPECT_GT(0, tx_update(p->session, &other));
	EXPECT_GT(0, keys_install(p->session, NULL, &other));
	if (old) {
		EXPECT_GT(0, tx_update(p->session, &keys));
		EXPECT_EQ(-1, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_REKEY, &(uint32_t){},
					 sizeof(uint32_t)));
		EXPECT_EQ(EOPNOTSUPP, errno);
	}
	ASSERT_EQ(5, send(p->app, "after", 5, 0));
	ASSERT_EQ(5, recv(p->peer, self->in, 100, 0));
	ASSERT_EQ(5, send(p->peer, "after", 5, 0));
	ASSERT_EQ(5, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, get_info(p->app).tx_generation + get_info(p->app).rx_generation);
}

TEST_F(control, key_update_and_peek)
{
	struct pair *p = &self->pair;

	if (variant->version != TLS_1_3_VERSION)
		SKIP(return, "TLS 1.2 has no key update");
	ASSERT_EQ(6, send(p->peer, "before", 6, 0));
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(5, send(p->peer, "after", 5, 0));
	ASSERT_EQ(6, recv(p->app, self->in, 100, MSG_PEEK));
	EXPECT_EQ(0, memcmp("before", self->in, 6));
	ASSERT_EQ(6, recv(p->app, self->in, 6, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, agent_follows(p, 1));
	ASSERT_EQ(5, recv(p->app, self->in, 100, MSG_PEEK));
	ASSERT_EQ(5, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("after", self->in, 5));
}

TEST_F(control, key_update_and_splice)
{
	struct pair *p = &self->pair;

	if (variant->version != TLS_1_3_VERSION)
		SKIP(return, "TLS 1.2 has no key update");
	for (int peek = 0; peek < 2; peek++) {
		ASSERT_EQ(8000, send(p->peer, self->out, 8000, 0));
		ASSERT_EQ(0, peer_updates(p, 1 + peek));
		ASSERT_EQ(8000, send(p->peer, self->out + 8000, 8000, 0));
		if (peek)
			ASSERT_EQ(8000, recv(p->app, self->in, sizeof(self->in), MSG_PEEK));
		ASSERT_EQ(8000, splice(p->app, NULL, self->pipes[1], NULL, 16000, 0));
		ASSERT_EQ(8000, read(self->pipes[0], self->in, 16000));
		EXPECT_EQ(-1, splice(p->app, NULL, self->pipes[1], NULL, 16000,
				     SPLICE_F_NONBLOCK));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, agent_follows(p, 1 + peek));
		ASSERT_EQ(8000, splice(p->app, NULL, self->pipes[1], NULL, 16000, 0));
		ASSERT_EQ(8000, read(self->pipes[0], self->in + 8000, 8001));
		EXPECT_TRUE(pattern_check(self->in, 16000, 0));
	}
}

static long poll_in(void *arg)
{
	struct call *call = arg;
	struct pollfd pfd = { .fd = call->fd, .events = POLLIN };

	return poll(&pfd, 1, TEST_DEADLINE_MS) == 1 ? pfd.revents : -ETIME;
}

TEST_F(control, key_update_wakes_poll_when_the_key_comes)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app };
	struct task task;

	if (variant->version != TLS_1_3_VERSION)
		SKIP(return, "TLS 1.2 has no key update");
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(5, send(p->peer, "after", 5, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(0, task_start(&task, poll_in, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_poll));
	ASSERT_EQ(0, agent_follows(p, 1));
	EXPECT_EQ(POLLIN, task_end(&task));
	ASSERT_EQ(5, recv(p->app, self->in, 100, 0));
}

TEST_F(control, key_update_and_data_long_after)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app };
	struct task task;

	if (variant->version != TLS_1_3_VERSION)
		SKIP(return, "TLS 1.2 has no key update");
	ASSERT_EQ(0, task_start(&task, poll_in, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_poll));
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(0, agent_follows(p, 1));
	/* The new key alone is nothing to read */
	ASSERT_TRUE(task_sleeps(&task, SYS_poll));
	ASSERT_EQ(5, send(p->peer, "after", 5, 0));
	EXPECT_EQ(POLLIN, task_end(&task));
	ASSERT_EQ(5, recv(p->app, self->in, 100, 0));
}

/* The peer's records are made by hand, to be sent in parts and spoiled */
FIXTURE(sealed)
{
	struct pair pair;
	struct seal seal;
	uint8_t record[SEAL_MAX_RECORD];
	char in[20000];
};

FIXTURE_SETUP(sealed)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET));
	ASSERT_EQ(0, seal_finish(&self->pair, &self->seal, false));
}

FIXTURE_TEARDOWN(sealed)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* A record of @size bytes of the pattern; its length on the wire */
static long make(struct _test_data_sealed *self, size_t size)
{
	char plaintext[1000];

	pattern_fill(plaintext, size, 0);
	plaintext[size] = RECORD_DATA;
	return seal_record(&self->seal, plaintext, size + 1, self->record);
}

TEST_F(sealed, a_part_of_a_record_is_nothing_yet)
{
	struct pollfd pfd = { .fd = self->pair.app, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	long length = make(self, 128);

	ASSERT_LT(128, length);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->pair.app, &event));
	for (long i = 0; i < length; i++) {
		ASSERT_EQ(0, poll(&pfd, 1, 0));
		ASSERT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		ASSERT_EQ(1, send(self->pair.peer, self->record + i, 1, 0));
	}
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	ASSERT_EQ(128, recv(self->pair.app, self->in, 1000, 0));
	EXPECT_TRUE(pattern_check(self->in, 128, 0));
	close(epoll);
}

TEST_F(sealed, a_sleeping_poll_is_not_woken_by_a_part)
{
	struct call call = { .fd = self->pair.app };
	long length = make(self, 128);
	struct task task;

	ASSERT_EQ(0, task_start(&task, poll_in, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_poll));
	ASSERT_EQ(100, send(self->pair.peer, self->record, 100, 0));
	ASSERT_TRUE(task_sleeps(&task, SYS_poll));
	ASSERT_EQ(length - 100, send(self->pair.peer, self->record + 100, length - 100, 0));
	EXPECT_EQ(POLLIN, task_end(&task));
	ASSERT_EQ(128, recv(self->pair.app, self->in, 1000, 0));
}

TEST_F(sealed, what_is_no_record)
{
	memset(self->record, 0xf0, 64);
	ASSERT_EQ(64, send(self->pair.peer, self->record, 64, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-1, recv(self->pair.app, self->in, 1000, 0));
		EXPECT_EQ(EMSGSIZE, errno);
	}
}

TEST_F(sealed, what_was_changed_on_its_way)
{
	long length = make(self, 128);
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	self->record[length - 1]++;
	ASSERT_EQ(length, send(self->pair.peer, self->record, length, 0));
	EXPECT_EQ(-1, splice(self->pair.app, NULL, pipes[1], NULL, 1000, 0));
	EXPECT_EQ(EBADMSG, errno);
	EXPECT_EQ(-1, recv(self->pair.app, self->in, 1000, 0));
	EXPECT_EQ(EBADMSG, errno);
	EXPECT_EQ(-1, splice(self->pair.app, NULL, pipes[1], NULL, 1000, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EBADMSG, errno);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(sealed, records_before_a_bad_one_are_delivered)
{
	for (int i = 0; i < 3; i++) {
		long length = make(self, 64);

		if (i == 2)
			self->record[length - 1]++;
		ASSERT_EQ(length, send(self->pair.peer, self->record, length, 0));
	}
	ASSERT_EQ(128, recv(self->pair.app, self->in, 1000, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 64, 0));
	EXPECT_TRUE(pattern_check(self->in + 64, 64, 0));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, recv(self->pair.app, self->in, 1000, 0));
		EXPECT_EQ(EBADMSG, errno);
	}
}

TEST_F(sealed, several_readers_with_a_time_limit)
{
	struct timeval limit = { .tv_usec = 20000 };
	struct call call = { .fd = self->pair.app, .buffer = self->in, .size = 100 };
	struct task tasks[3];

	ASSERT_EQ(0, setsockopt(self->pair.app, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, task_start(&tasks[i], call_recv, &call));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EAGAIN, task_end(&tasks[i]));
}

TEST_F(sealed, urgent_data_of_the_peer)
{
	static char much[1 << 16];

	/* Garbage with urgent marks in it: the end of the connection, never of the kernel */
	ASSERT_EQ(5, send(self->pair.peer, much, 5, MSG_OOB));
	EXPECT_LT(0, send(self->pair.peer, much, sizeof(much), MSG_DONTWAIT));
	for (int i = 0; i < 64; i++)
		send(self->pair.peer, much, 5, MSG_OOB | MSG_DONTWAIT);
	ASSERT_TRUE(wait_for(self->pair.app, POLLIN) & (POLLIN | POLLERR));
	EXPECT_EQ(-1, recv(self->pair.app, self->in, 1000, 0));
	EXPECT_TRUE(errno == EINVAL || errno == EPROTO || errno == EBADMSG || errno == EMSGSIZE);
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(self->pair.app).state);
}

TEST_HARNESS_MAIN
