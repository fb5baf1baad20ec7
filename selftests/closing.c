// SPDX-License-Identifier: GPL-2.0-only
/*
 * The close_notify that we send: by shutdown() and close(), with room in the
 * send buffer and without, beside a sender that is stuck.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(closing)
{
	struct pair pair;
};

FIXTURE_VARIANT(closing)
{
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(closing, ipv4_tls13)
{
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_VARIANT_ADD(closing, ipv6_tls12)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_CCM_128,
};

FIXTURE_SETUP(closing)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_open(&self->pair, variant->family, variant->version, variant->cipher));
}

FIXTURE_TEARDOWN(closing)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* The peer gets @data bytes of data, close_notify, and the end */
static void expect_close_after(struct __test_metadata *_metadata, int peer, long data)
{
	static uint8_t buffer[70000];
	uint8_t type = RECORD_DATA;
	long got = 0, ret;

	while ((ret = recv_record(peer, &type, buffer, sizeof(buffer), 0)) > 0 &&
	       type == RECORD_DATA)
		got += ret;
	EXPECT_EQ(data, got);
	EXPECT_EQ(2, ret);
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(1, buffer[0]);
	EXPECT_EQ(0, buffer[1]);
	EXPECT_EQ(0, recv_record(peer, &type, buffer, sizeof(buffer), 0));
}

TEST_F(closing, shutdown_sends_close_notify_and_reading_goes_on)
{
	struct pair *p = &self->pair;
	struct tls_handoff_info info;
	char buffer[5];

	ASSERT_EQ(4, send(p->app, "last", 4, 0));
	ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
	EXPECT_EQ(0, shutdown(p->app, SHUT_WR));
	info = get_info(p->app);
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_SENT, info.flags);
	EXPECT_EQ(0, info.alert_sent);
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, info.state);
	expect_close_after(_metadata, p->peer, 4);
	ASSERT_EQ(5, send(p->peer, "reply", 5, 0));
	ASSERT_EQ(5, read_all(p->app, buffer, 5));
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	/* Nor does the session handler say more */
	EXPECT_EQ(-EPIPE, send_alert(p->session, 2, 80));
	EXPECT_EQ(1, stat_read("HandoffCloseSent"));
	/* The peer's end after ours is in order */
	ASSERT_EQ(0, send_alert(p->peer, 1, 0));
	EXPECT_EQ(0, recv(p->app, buffer, 5, 0));
	EXPECT_EQ(TLS_HANDOFF_STATE_CLOSED, get_info(p->app).state);
}

TEST_F(closing, close_sends_close_notify_and_tells_the_session_handler)
{
	struct pair *p = &self->pair;
	struct tls_handoff_event event = {};
	uint8_t type = 0xff;

	ASSERT_EQ(4, send(p->app, "last", 4, 0));
	ASSERT_EQ(0, close(p->app));
	p->app = -1;
	expect_close_after(_metadata, p->peer, 4);
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLHUP);
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(TLS_HANDOFF_EVENT_CLOSED, event.event);
	EXPECT_EQ(0, recv_record(p->session, &type, &event, sizeof(event), 0));
	EXPECT_EQ(-EPIPE, send_alert(p->session, 1, 0));
	EXPECT_EQ(-EPIPE, set_u32(p->session, TLS_HANDOFF_CONTINUE, 0));
	EXPECT_EQ(0, stat_read("HandoffCurrSockets"));
	EXPECT_EQ(1, stat_read("HandoffCurrSessionFds"));
}

TEST_F(closing, the_last_of_several_descriptors_sends_close_notify)
{
	struct pair *p = &self->pair;
	int copy = dup(p->app);

	ASSERT_EQ(0, close(p->app));
	p->app = copy;
	ASSERT_EQ(4, send(copy, "last", 4, 0));
	ASSERT_EQ(0, close(copy));
	p->app = -1;
	expect_close_after(_metadata, p->peer, 4);
}

TEST_F(closing, shutdown_of_both_sends_close_notify)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, shutdown(p->app, SHUT_RDWR));
	expect_close_after(_metadata, p->peer, 0);
	EXPECT_EQ(0, recv(p->app, sink, 1, 0));
	EXPECT_EQ(0, get_info(p->app).error);
}

TEST_F(closing, linger_of_zero_is_a_reset)
{
	struct linger linger = { .l_onoff = 1 };
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, close(p->app));
	p->app = -1;
	EXPECT_EQ(-ECONNRESET, recv_record(p->peer, &type, sink, 10, 0));
}

TEST_F(closing, with_a_full_send_buffer_shutdown_and_close_still_send_it)
{
	struct pair *p = &self->pair;

	for (int i = 0; i < 2; i++) {
		long sent;

		if (i)
			ASSERT_EQ(0, pair_open(p, variant->family, variant->version,
					       variant->cipher));
		sent = fill(p->app, 'x');
		ASSERT_LT(0, sent);
		if (i) {
			ASSERT_EQ(0, close(p->app));
			p->app = -1;
		} else {
			ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
			EXPECT_TRUE(get_info(p->app).flags & TLS_HANDOFF_F_CLOSE_SENT);
		}
		expect_close_after(_metadata, p->peer, sent);
		pair_close_sockets(p);
	}
}

TEST_F(closing, beside_a_stuck_sender_shutdown_returns_and_it_is_sent_last)
{
	static char big[8 << 20];
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	static uint8_t buffer[70000];
	uint8_t type = RECORD_DATA;
	long got = 0, ret, sent;
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
	EXPECT_TRUE(errno == EPIPE || errno == EAGAIN);
	while ((ret = recv_record(p->peer, &type, buffer, sizeof(buffer), 0)) > 0 &&
	       type == RECORD_DATA)
		got += ret;
	EXPECT_EQ(2, ret);
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(0, recv_record(p->peer, &type, buffer, sizeof(buffer), 0));
	/* What it says it sent is what came */
	sent = task_end(&task);
	EXPECT_EQ(got, sent > 0 ? sent : 0);
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
}

TEST_F(closing, the_session_handler_speaks_when_the_stuck_sender_is_gone)
{
	static char big[8 << 20];
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	struct pollfd pfd = { .fd = p->session, .events = POLLOUT };
	static uint8_t buffer[70000];
	uint8_t type = RECORD_DATA;
	long got = 0, ret, record = -EAGAIN;
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	EXPECT_EQ(-EAGAIN, send_record(p->session, RECORD_HANDSHAKE, "ticket", 6));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	/* Long sends are taken in turns, so its turn comes before the end */
	while ((ret = recv_record(p->peer, &type, buffer, sizeof(buffer), 0)) > 0 &&
	       type == RECORD_DATA) {
		got += ret;
		if (record == -EAGAIN && poll(&pfd, 1, 0) == 1)
			record = send_record(p->session, RECORD_HANDSHAKE, "ticket", 6);
		if (got == sizeof(big)) {
			ASSERT_EQ(POLLOUT, wait_for(p->session, POLLOUT));
			if (record == -EAGAIN)
				record = send_record(p->session, RECORD_HANDSHAKE, "ticket", 6);
		}
	}
	EXPECT_EQ(6, record);
	EXPECT_EQ(6, ret);
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	while (got < (long)sizeof(big)) {
		ret = recv(p->peer, buffer, sizeof(buffer), 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	EXPECT_EQ(sizeof(big), task_end(&task));
}

TEST_HARNESS_MAIN
