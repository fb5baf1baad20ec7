// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session handler that is slow, gone, or replaced: how long a program waits for
 * it, and what a new session fd finds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define LIMIT_MS 300

FIXTURE(handler)
{
	struct pair pair;
	char in[4096];
};

/* Ready, with a limit of LIMIT_MS on waiting for the session handler */
static int pair_open_limited(struct pair *p, uint16_t version, uint64_t records)
{
	struct done done = { .version = version, .cipher = TLS_CIPHER_AES_GCM_128,
			     .auth = TLS_HANDOFF_AUTH_X509, .handler_timeout = LIMIT_MS,
			     .limit_records = records };
	int err;

	p->version = version;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	err = pair_start(p, AF_INET);
	done.id = p->id;
	return err ? err : pair_finish(p, &done);
}

FIXTURE_SETUP(handler)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_open_limited(&self->pair, TLS_1_3_VERSION, 0));
}

FIXTURE_TEARDOWN(handler)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(handler, that_never_answers_a_key_update_costs_its_readers_the_time_limit)
{
	struct pair *p = &self->pair;
	struct pair other = PAIR_NONE;
	long long before;

	other.agent = p->agent;
	ASSERT_EQ(0, pair_open(&other, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	before = now_ms();
	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_LE(LIMIT_MS, now_ms() - before);
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	EXPECT_EQ(ETIMEDOUT, get_info(p->app).error);
	EXPECT_NE(NULL, strstr(get_error(p->app), "time limit"));
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(1, stat_read("HandoffHandlerTimeouts"));

	/* Others know nothing of it */
	ASSERT_EQ(1, send(other.peer, "x", 1, 0));
	EXPECT_EQ(1, recv(other.app, self->in, 100, 0));
	ASSERT_EQ(1, send(other.app, "y", 1, 0));
	EXPECT_EQ(1, recv(other.peer, self->in, 100, 0));
	pair_close_sockets(&other);
}

TEST_F(handler, that_never_answers_is_noticed_by_poll_alone)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(0, poll(&(struct pollfd){ p->app, POLLIN }, 1, 0));
	EXPECT_TRUE(wait_for(p->app, POLLIN) & (POLLIN | POLLERR));
	EXPECT_EQ(ETIMEDOUT, socket_error(p->app));
}

TEST_F(handler, that_never_sends_a_key_costs_its_senders_the_time_limit)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(ETIMEDOUT, get_info(p->app).error);
}

TEST_F(handler, that_never_sends_a_key_costs_nothing_once_sending_is_over)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
	EXPECT_EQ(-EPIPE, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	EXPECT_EQ(0, poll(&(struct pollfd){ p->app, POLLIN }, 1, 2 * LIMIT_MS));
	ASSERT_EQ(1, send(p->peer, "x", 1, 0));
	EXPECT_EQ(1, recv(p->app, self->in, 100, 0));
}

TEST_F(handler, that_answers_in_time_costs_nothing)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, FROM_PEER, 1);
	struct pollfd pfd = { p->app, POLLIN };
	uint8_t type;

	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(KEY_UPDATE_LENGTH, next_record(p->session, &type, self->in, 100));
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	/* The limit of a hold that is over passes unnoticed */
	EXPECT_EQ(0, poll(&pfd, 1, 2 * LIMIT_MS));
	ASSERT_EQ(1, send(p->peer, "x", 1, 0));
	EXPECT_EQ(1, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, stat_read("HandoffHandlerTimeouts"));
}

TEST_F(handler, is_not_blamed_for_a_key_update_that_waits_for_a_stuck_sender)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, TO_PEER, 1);
	static char much[32 << 20];
	struct call call = { .fd = p->app, .buffer = much, .size = sizeof(much) };
	struct task task;

	ASSERT_LT(0, fill(p->app, 'x'));
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	EXPECT_EQ(-EAGAIN, tx_update(p->session, &keys));
	EXPECT_EQ(0, poll(&(struct pollfd){ p->app, POLLIN }, 1, 3 * LIMIT_MS));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
	pair_close_sockets(p);
	EXPECT_NE(-ETIME, task_end(&task));
}

TEST_F(handler, that_is_gone_leaves_a_record_to_its_successor)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, FROM_PEER, 1);
	uint8_t type;

	close(p->session);
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(3, send(p->peer, "new", 3, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, agent_attach(p->agent, p->id, &p->session));
	ASSERT_EQ(KEY_UPDATE_LENGTH, next_record(p->session, &type, self->in, 100));
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	EXPECT_EQ(3, recv(p->app, self->in, 100, 0));
}

TEST_F(handler, that_has_no_successor_in_time_ends_the_connection)
{
	struct pair *p = &self->pair;

	close(p->session);
	p->session = -1;
	ASSERT_EQ(1, send(p->peer, "x", 1, 0));
	EXPECT_EQ(1, recv(p->app, self->in, 100, 0));
	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(ETIMEDOUT, errno);
}

TEST_F(handler, is_told_once_that_the_peers_key_is_near_its_limit)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, FROM_PEER, 1);
	struct tls_handoff_event event = {};
	uint8_t type;

	pair_close_sockets(p);
	ASSERT_EQ(0, pair_open_limited(p, TLS_1_3_VERSION, 16));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(1, send(p->peer, "x", 1, 0));
		ASSERT_EQ(1, recv(p->app, self->in, 1, 0));
	}
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(TLS_HANDOFF_EVENT_PEER_REKEY, event.event);
	EXPECT_EQ(-1, recv(p->session, self->in, 100, MSG_DONTWAIT));

	/* The next key has its own limit */
	ASSERT_EQ(0, peer_updates(p, 1));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(KEY_UPDATE_LENGTH, next_record(p->session, &type, self->in, 100));
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(1, send(p->peer, "x", 1, 0));
		ASSERT_EQ(1, recv(p->app, self->in, 1, 0));
	}
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_EVENT_PEER_REKEY, event.event);
}

TEST(key_update_is_not_in_tls12_so_received_records_end_it_at_the_limit)
{
	struct pair pair = PAIR_NONE, *p = &pair;
	int received = 0;
	char in[1];

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, pair_open_limited(p, TLS_1_2_VERSION, 16));
	while (received < 100 && send(p->peer, "x", 1, 0) == 1 &&
	       recv(p->app, in, sizeof(in), 0) == 1)
		received++;
	EXPECT_GE(16, received);
	EXPECT_EQ(EKEYEXPIRED, get_info(p->app).error);
	EXPECT_EQ(0, get_info(p->app).alert_sent);
	pair_close(p);
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
