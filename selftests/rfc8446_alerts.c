// SPDX-License-Identifier: GPL-2.0-only
/*
 * What RFC 8446 6 tells both sides to do with alerts and ends, by the numbers of
 * Documentation/rfc8446.md: the module's part of it, in every state of a connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "expect.h"
#include "lib.h"
#include "program.h"
#include "seal.h"

enum {
	WARNING = 1, FATAL = 2,
	CLOSE_NOTIFY = 0, HANDSHAKE_FAILURE = 40, INTERNAL_ERROR = 80, USER_CANCELED = 90,
};

FIXTURE(alert)
{
	struct pair pair;
	struct seal seal;
	char in[20000];
};

FIXTURE_SETUP(alert)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET6));
	ASSERT_EQ(0, seal_finish(&self->pair, &self->seal, false));
}

FIXTURE_TEARDOWN(alert)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

#define SAY(type, content, length)							\
	ASSERT_EQ(0, seal_send(&self->seal, self->pair.peer, type, content, length, 0))

#define SAY_ALERT(level, description) do {						\
	uint8_t said_alert[2] = { level, description };					\
											\
	SAY(RECORD_ALERT, said_alert, 2);						\
} while (0)

#define AGAIN(eof) do {									\
	pair_close_sockets(&self->pair);						\
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET6));				\
	ASSERT_EQ(0, seal_finish(&self->pair, &self->seal, eof));			\
} while (0)

/* ECONNRESET, its number in INFO and in the sentence; TCP ends without a word in return */
static void expect_told(struct __test_metadata *_metadata, struct pair *p, int alert)
{
	char number[16];
	uint8_t type;
	char byte;

	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(alert, get_info(p->app).alert_received);
	EXPECT_EQ(-1, get_info(p->app).alert_sent);
	snprintf(number, sizeof(number), "(%d)", alert);
	EXPECT_NE(NULL, strstr(get_error(p->app), number));
	EXPECT_EQ(-EPIPE, send_alert(p->session, FATAL, INTERNAL_ERROR));
	EXPECT_EQ(0, recv_record(p->peer, &type, &byte, 1, 0));
}

static void expect_taken(struct __test_metadata *_metadata, struct pair *p, uint8_t type,
			 const void *data, long length)
{
	char record[100];
	uint8_t got = 0xff;

	ASSERT_EQ(length, next_record(p->session, &got, record, sizeof(record)));
	EXPECT_EQ(type, got);
	EXPECT_EQ(0, memcmp(record, data, length));
}

static void look(struct pair *p)
{
	struct pollfd pfd[2] = { { .fd = p->app, .events = POLLIN },
				 { .fd = p->session, .events = POLLIN } };
	long long end = now_ms() + TEST_DEADLINE_MS;

	while (now_ms() < end && poll(pfd, 2, 0) >= 0 && !pfd[1].revents)
		;
}

TEST_F_TIMEOUT(alert, rfc8446_6_0_4_and_5_every_alert_is_fatal_whatever_its_level, 120)
{
	static const uint8_t levels[] = { WARNING, FATAL, 0, 255 };
	struct pair *p = &self->pair;

	for (int alert = 1; alert < 256; alert++) {
		if (alert == USER_CANCELED)
			continue;
		SAY_ALERT(levels[alert % 4], alert);
		expect_told(_metadata, p, alert);
		AGAIN(false);
	}
}

TEST_F(alert, rfc8446_6_2_4_the_sentence_has_the_name_of_an_alert)
{
	static const struct { uint8_t alert; const char *name; } alerts[] = {
		{ 10, "unexpected_message" }, { 40, "handshake_failure" },
		{ 48, "unknown_ca" }, { 116, "certificate_required" }, { 100, "no_renegotiation" },
	};
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(alerts); i++) {
		SAY_ALERT(FATAL, alerts[i].alert);
		EXPECT_EQ(-1, recv(p->app, self->in, 1, 0));
		EXPECT_NE(NULL, strstr(get_error(p->app), alerts[i].name));
		AGAIN(false);
	}
}

TEST_F_TIMEOUT(alert, rfc8446_6_0_4_in_tls12_the_level_says_what_an_alert_means, 120)
{
	struct pair *p = &self->pair;

	pair_close_sockets(p);
	ASSERT_EQ(0, pair_open(p, AF_INET, TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128));
	for (int alert = 1; alert < 256; alert++) {
		ASSERT_EQ(0, send_alert(p->peer, WARNING, alert));
		ASSERT_EQ(4, send(p->peer, "data", 4, 0));
		while (recv(p->app, self->in, 4, MSG_PEEK | MSG_DONTWAIT) != 4)
			ASSERT_EQ(EAGAIN, errno);
		ASSERT_EQ(4, recv(p->app, self->in, 4, 0));
		ASSERT_EQ(2, next_record(p->session, &(uint8_t){}, self->in, 10));
		EXPECT_EQ(alert, (uint8_t)self->in[1]);
	}
	EXPECT_EQ(0, get_info(p->app).error);
	EXPECT_EQ(-1, get_info(p->app).alert_received);
	for (int alert = 1; alert < 256; alert += 2) {
		ASSERT_EQ(0, send_alert(p->peer, FATAL, alert));
		expect_told(_metadata, p, alert);
		pair_close_sockets(p);
		ASSERT_EQ(0, pair_open(p, AF_INET, TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128));
	}
}

TEST_F(alert, rfc8446_6_0_2_data_before_an_error_alert_is_delivered_and_none_behind_it)
{
	struct pair *p = &self->pair;

	SAY(RECORD_DATA, "before", 6);
	SAY_ALERT(FATAL, HANDSHAKE_FAILURE);
	SAY(RECORD_DATA, "behind", 6);
	expect_data(_metadata, p->app, "before");
	expect_told(_metadata, p, HANDSHAKE_FAILURE);
}

TEST_F(alert, rfc8446_6_0_2_an_error_alert_ends_a_sleeping_reader_and_a_stuck_sender)
{
	static char big[8 << 20];
	struct pair *p = &self->pair;
	struct call receiving = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct call sending = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	struct task reader, sender;
	int room = 65536;

	/* No more than that: buffers that grow by themselves may take all of it in time */
	ASSERT_EQ(0, setsockopt(p->peer, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	ASSERT_EQ(0, task_start(&sender, call_send, &sending));
	ASSERT_TRUE(task_sleeps(&sender, SYS_sendto));
	ASSERT_EQ(0, task_start(&reader, call_recv, &receiving));
	ASSERT_TRUE(task_sleeps(&reader, SYS_recvfrom));
	SAY_ALERT(FATAL, INTERNAL_ERROR);
	EXPECT_EQ(-ECONNRESET, task_end(&reader));
	EXPECT_GT((long)sizeof(big), task_end(&sender));
	expect_failed(_metadata, p, ECONNRESET);
}

TEST_F(alert, rfc8446_6_0_2_behind_a_ticket_it_is_told_when_the_ticket_was_read)
{
	struct pair *p = &self->pair;

	SAY(RECORD_HANDSHAKE, "\4ticket", 7);
	SAY_ALERT(FATAL, HANDSHAKE_FAILURE);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	look(p);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
	expect_taken(_metadata, p, RECORD_HANDSHAKE, "\4ticket", 7);
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
	expect_told(_metadata, p, HANDSHAKE_FAILURE);
}

TEST_F(alert, rfc8446_6_0_2_between_the_parts_of_a_message_an_error_alert_is_told)
{
	struct pair *p = &self->pair;

	SAY(RECORD_HANDSHAKE, KEY_UPDATE, 3);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	look(p);
	expect_taken(_metadata, p, RECORD_HANDSHAKE, KEY_UPDATE, 3);
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_MORE));
	SAY_ALERT(FATAL, INTERNAL_ERROR);
	expect_told(_metadata, p, INTERNAL_ERROR);
}

TEST_F(alert, rfc8446_6_0_2_while_a_new_sending_key_is_due_senders_learn_of_it)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = "data", .size = 4 };
	struct task task;

	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	SAY_ALERT(FATAL, INTERNAL_ERROR);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(-EPIPE, task_end(&task));
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(INTERNAL_ERROR, get_info(p->app).alert_received);
}

TEST_F(alert, rfc8446_6_0_2_after_our_close_notify_an_error_alert_is_told)
{
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
	ASSERT_EQ(2, recv_record(p->peer, &type, self->in, 10, 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(CLOSE_NOTIFY, self->in[1]);
	SAY_ALERT(FATAL, HANDSHAKE_FAILURE);
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(HANDSHAKE_FAILURE, get_info(p->app).alert_received);
	EXPECT_EQ(CLOSE_NOTIFY, get_info(p->app).alert_sent);
}

TEST_F(alert, rfc8446_6_1_1_whatever_comes_behind_close_notify_is_ignored)
{
	struct pair *p = &self->pair;
	struct tls_handoff_info info;

	SAY(RECORD_DATA, "last", 4);
	SAY_ALERT(WARNING, CLOSE_NOTIFY);
	SAY(RECORD_DATA, "data", 4);
	SAY(RECORD_HANDSHAKE, "\4ticket", 7);
	SAY_ALERT(FATAL, HANDSHAKE_FAILURE);
	ASSERT_EQ(26, write_all(p->peer, "\x17\3\3\0\x15 not even a record...", 26));
	expect_data(_metadata, p->app, "last");
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, recv(p->app, self->in, 100, i == 1 ? MSG_PEEK : 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, wait_for(p->app, POLLIN | POLLRDHUP));
	info = get_info(p->app);
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_RECEIVED, info.flags);
	EXPECT_EQ(CLOSE_NOTIFY, info.alert_received);
	EXPECT_EQ(0, info.error);
	EXPECT_EQ(1, info.records_diverted);
	ASSERT_EQ(4, send(p->app, "more", 4, 0));
	ASSERT_EQ(4, recv_record(p->peer, &(uint8_t){}, self->in, 100, 0));
}

TEST_F(alert, rfc8446_6_1_1_a_broken_end_behind_close_notify_is_no_truncation)
{
	struct pair *p = &self->pair;

	SAY_ALERT(FATAL, CLOSE_NOTIFY);
	ASSERT_EQ(3, write_all(p->peer, "\x17\3\3", 3));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_RECEIVED, get_info(p->app).flags);
	EXPECT_EQ(0, get_info(p->app).error);
}

TEST_F(alert, rfc8446_6_1_2_a_fin_without_close_notify_is_truncation_in_every_state)
{
	struct pair *p = &self->pair;

	/* Nothing before; data; our close_notify; empty data; in the middle of a message */
	for (int i = 0; i < 5; i++) {
		if (i == 1)
			SAY(RECORD_DATA, "data", 4);
		if (i == 2)
			ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
		if (i == 3)
			SAY(RECORD_DATA, NULL, 0);
		if (i == 4) {
			SAY(RECORD_HANDSHAKE, KEY_UPDATE, 2);
			EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
			look(p);
			expect_taken(_metadata, p, RECORD_HANDSHAKE, KEY_UPDATE, 2);
			ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE,
					     TLS_HANDOFF_CONTINUE_MORE));
		}
		ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
		if (i == 1)
			expect_data(_metadata, p->app, "data");
		expect_failed(_metadata, p, ECONNABORTED);
		EXPECT_TRUE(get_info(p->app).flags & TLS_HANDOFF_F_TRUNCATED);
		EXPECT_EQ(-1, get_info(p->app).alert_received);
		AGAIN(false);
	}
}

TEST_F(alert, rfc8446_6_1_2_a_fin_behind_a_ticket_waits_for_its_reading)
{
	struct pair *p = &self->pair;

	for (int eof = 0; eof < 2; eof++) {
		AGAIN(eof);
		SAY(RECORD_HANDSHAKE, "\4ticket", 7);
		ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
		EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
		look(p);
		EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		expect_taken(_metadata, p, RECORD_HANDSHAKE, "\4ticket", 7);
		ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE,
				     TLS_HANDOFF_CONTINUE_DONE));
		if (!eof)
			expect_failed(_metadata, p, ECONNABORTED);
		EXPECT_EQ(eof ? 0 : -1, recv(p->app, self->in, 1, 0));
		EXPECT_EQ(eof ? 0 : TLS_HANDOFF_F_TRUNCATED, get_info(p->app).flags);
	}
}

/* At every byte of a record, with truncation = eof and without */
TEST_F_TIMEOUT(alert, rfc8446_6_1_2_a_part_of_a_record_is_truncation_even_where_a_fin_is_not, 60)
{
	struct pair *p = &self->pair;
	uint8_t record[64];

	for (size_t cut = 0; cut < 26; cut++) {
		for (int eof = 0; eof < 2; eof++) {
			AGAIN(eof);
			SAY(RECORD_DATA, "whole", 5);
			ASSERT_EQ(26, seal_record(&self->seal, "data\x17", 5, record));
			ASSERT_EQ((long)cut, write_all(p->peer, record, cut));
			ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
			expect_data(_metadata, p->app, "whole");
			if (!cut && eof) {
				EXPECT_EQ(0, recv(p->app, self->in, 1, 0));
				EXPECT_EQ(0, get_info(p->app).flags);
				continue;
			}
			expect_failed(_metadata, p, ECONNABORTED);
			EXPECT_EQ(TLS_HANDOFF_F_TRUNCATED | (cut ? TLS_HANDOFF_F_PARTIAL : 0),
				  get_info(p->app).flags);
		}
	}
}

TEST_F(alert, rfc8446_6_1_3_close_notify_comes_before_our_fin_and_not_behind_an_error_alert)
{
	struct pair *p = &self->pair;
	uint8_t type = 0;

	ASSERT_EQ(0, close(p->app));
	p->app = -1;
	ASSERT_EQ(2, recv_record(p->peer, &type, self->in, 10, 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(WARNING, self->in[0]);
	EXPECT_EQ(CLOSE_NOTIFY, self->in[1]);
	EXPECT_EQ(0, recv_record(p->peer, &type, self->in, 10, 0));

	AGAIN(false);
	ASSERT_EQ(0, send_alert(p->session, FATAL, INTERNAL_ERROR));
	ASSERT_EQ(0, agent_done(p->agent, &(struct done){ .id = p->id, .status = EPROTO }));
	ASSERT_EQ(0, close(p->app));
	p->app = -1;
	ASSERT_EQ(2, recv_record(p->peer, &type, self->in, 10, 0));
	EXPECT_EQ(FATAL, self->in[0]);
	EXPECT_EQ(INTERNAL_ERROR, self->in[1]);
	EXPECT_EQ(0, recv_record(p->peer, &type, self->in, 10, 0));
}

/* TLS 1.2 would drop what is not yet sent */
TEST_F(alert, rfc8446_6_1_5_close_notify_of_the_peer_drops_nothing_that_we_send)
{
	static char big[4 << 20], got[70000];
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	long total = 0, ret;
	struct task task;
	uint8_t type;

	pattern_fill(big, sizeof(big), 0);
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	SAY_ALERT(WARNING, CLOSE_NOTIFY);
	EXPECT_EQ(0, recv(p->app, self->in, 1, 0));
	EXPECT_TRUE(task_sleeps(&task, SYS_sendto));
	while (total < (long)sizeof(big)) {
		ret = recv_record(p->peer, &type, got, sizeof(got), 0);
		ASSERT_LT(0, ret);
		ASSERT_EQ(RECORD_DATA, type);
		ASSERT_TRUE(pattern_check(got, ret, total));
		total += ret;
	}
	EXPECT_EQ(sizeof(big), task_end(&task));
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_RECEIVED, get_info(p->app).flags);
}

TEST_F(alert, rfc8446_6_1_6_user_canceled_is_followed_by_close_notify_or_by_data)
{
	struct pair *p = &self->pair;

	for (int level = 0; level < 3; level++) {
		SAY_ALERT(level, USER_CANCELED);
		SAY(RECORD_DATA, "data", 4);
		expect_data(_metadata, p->app, "data");
	}
	SAY_ALERT(WARNING, USER_CANCELED);
	SAY_ALERT(WARNING, CLOSE_NOTIFY);
	EXPECT_EQ(0, recv(p->app, self->in, 1, 0));
	EXPECT_EQ(CLOSE_NOTIFY, get_info(p->app).alert_received);
	EXPECT_EQ(0, get_info(p->app).error);
}

/* Cut (the second record is one alert's second byte), joined, too long: none is believed */
TEST_F(alert, rfc8446_5_1_6_an_alert_record_holds_one_alert)
{
	static const char alerts[] = "\2\x28\2\x28\1\0";
	struct pair *p = &self->pair;
	uint8_t type = 0;

	for (int length = 1; length < 7; length++) {
		if (length == 2)
			continue;
		SAY(RECORD_ALERT, alerts, length);
		if (length == 1)
			SAY(RECORD_ALERT, alerts + 1, 1);
		EXPECT_EQ(-1, recv(p->app, self->in, 1, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, get_info(p->app).alert_received);
		EXPECT_EQ(0, send_alert(p->session, FATAL, 50));
		ASSERT_EQ(2, recv_record(p->peer, &type, self->in, 10, 0));
		EXPECT_EQ(50, self->in[1]);
		EXPECT_EQ(0, recv_record(p->peer, &type, self->in, 10, 0));
		expect_failed(_metadata, p, EINVAL);
		AGAIN(false);
	}
}

TEST_HARNESS_MAIN
