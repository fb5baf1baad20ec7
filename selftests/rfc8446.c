// SPDX-License-Identifier: GPL-2.0-only
/*
 * What RFC 8446 4.6 and 5 tell a receiver to do with records, by the numbers of
 * Documentation/rfc8446.md: the module's part of it. The peer seals by hand.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "expect.h"
#include "lib.h"
#include "program.h"
#include "seal.h"

/* RFC 8446 5.1, 5.4: of one record's content; with its type and padding, one more */
#define MAX_CONTENT	16384

FIXTURE(record)
{
	struct pair pair;
	struct seal seal;
	char in[20000], out[20000];
};

FIXTURE_SETUP(record)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET));
	ASSERT_EQ(0, seal_finish(&self->pair, &self->seal, false));
	pattern_fill(self->out, sizeof(self->out), 0);
}

FIXTURE_TEARDOWN(record)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* The peer sends a record; what follows a failure waits for the next connection */
#define SAY(type, content, length, padding)						\
	ASSERT_EQ(0, seal_send(&self->seal, self->pair.peer, type, content, length, padding))

#define AGAIN() do {									\
	pair_close_sockets(&self->pair);						\
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET));					\
	ASSERT_EQ(0, seal_finish(&self->pair, &self->seal, false));			\
} while (0)

/* Nothing to read, for poll() and for recv() */
static void expect_quiet(struct __test_metadata *_metadata, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDHUP };
	char byte;

	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, recv(fd, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

static void expect_taken(struct __test_metadata *_metadata, struct pair *p, uint8_t type,
			 const void *data, long length)
{
	static char record[TLS_HANDOFF_MAX_RECORD];
	uint8_t got = 0xff;

	ASSERT_EQ(length, next_record(p->session, &got, record, sizeof(record)));
	EXPECT_EQ(type, got);
	EXPECT_EQ(0, memcmp(record, data, length));
}

static int resume(struct pair *p, uint32_t how)
{
	return set_u32(p->session, TLS_HANDOFF_CONTINUE, how);
}

/* A look, so that what waits for one is diverted: the program polls */
static void look(struct pair *p)
{
	struct pollfd pfd[2] = { { .fd = p->app, .events = POLLIN },
				 { .fd = p->session, .events = POLLIN } };
	long long end = now_ms() + TEST_DEADLINE_MS;

	while (now_ms() < end && poll(pfd, 2, 0) >= 0 && !pfd[1].revents)
		;
}

/* The program gets @error, now and later; the session handler is told and its alert goes out */
static void expect_refused(struct __test_metadata *_metadata, struct pair *p, int error,
			   uint8_t alert)
{
	struct tls_handoff_event event = {};
	uint8_t type = 0xff, got[100] = {};
	char byte;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, recv(p->app, &byte, 1, 0));
		EXPECT_EQ(error, errno);
	}
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	EXPECT_EQ(error, get_info(p->app).error);
	EXPECT_NE(0, strlen(get_error(p->app)));
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(TLS_HANDOFF_EVENT_FAILED, event.event);
	EXPECT_EQ(error, event.error);
	EXPECT_EQ(0, send_alert(p->session, 2, alert));
	ASSERT_EQ(2, recv_record(p->peer, &type, got, sizeof(got), 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(2, got[0]);
	EXPECT_EQ(alert, got[1]);
	EXPECT_EQ(0, recv(p->peer, &byte, 1, 0));
	EXPECT_EQ(alert, get_info(p->app).alert_sent);
}

enum { UNEXPECTED_MESSAGE = 10, BAD_RECORD_MAC = 20, RECORD_OVERFLOW = 22 };

TEST_F(record, rfc8446_5_1_7_empty_data_records_are_no_data_and_no_end)
{
	struct pair *p = &self->pair;

	SAY(RECORD_DATA, NULL, 0, 0);
	expect_quiet(_metadata, p->app);
	for (int i = 0; i < 100; i++)
		SAY(RECORD_DATA, NULL, 0, i);
	expect_quiet(_metadata, p->app);
	SAY(RECORD_DATA, "data", 4, 0);
	EXPECT_EQ(POLLIN, wait_for(p->app, POLLIN));
	expect_data(_metadata, p->app, "data");
	SAY(RECORD_DATA, NULL, 0, 0);
	SAY(RECORD_DATA, "more", 4, 0);
	expect_data(_metadata, p->app, "more");
	expect_quiet(_metadata, p->app);
}

TEST_F(record, rfc8446_5_1_7_a_sleeping_reader_sleeps_on_across_empty_data_records)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct task task;

	for (int i = 0; i < 2; i++) {
		call.flags = i ? MSG_PEEK : 0;
		ASSERT_EQ(0, task_start(&task, call_recv, &call));
		ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
		SAY(RECORD_DATA, NULL, 0, 0);
		SAY(RECORD_DATA, NULL, 0, 50);
		EXPECT_TRUE(task_sleeps(&task, SYS_recvfrom));
		SAY(RECORD_DATA, "data", 4, 0);
		EXPECT_EQ(4, task_end(&task));
		if (i)
			expect_data(_metadata, p->app, "data");
	}
}

TEST_F(record, rfc8446_5_1_7_empty_data_records_hide_no_other_record)
{
	struct pair *p = &self->pair;

	/* Seen by poll() first, or by recv() */
	for (int i = 0; i < 4; i++) {
		SAY(RECORD_DATA, NULL, 0, i & 1);
		if (i < 2)
			expect_quiet(_metadata, p->app);
		SAY(RECORD_HANDSHAKE, "\4ticket", 7, 0);
		SAY(RECORD_DATA, NULL, 0, 0);
		SAY(RECORD_DATA, "data", 4, 0);
		look(p);
		expect_quiet(_metadata, p->app);
		expect_taken(_metadata, p, RECORD_HANDSHAKE, "\4ticket", 7);
		ASSERT_EQ(0, resume(p, TLS_HANDOFF_CONTINUE_DONE));
		expect_data(_metadata, p->app, "data");
	}
	SAY(RECORD_DATA, NULL, 0, 0);
	expect_quiet(_metadata, p->app);
	SAY(RECORD_ALERT, "\1\0", 2, 0);
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, get_info(p->app).alert_received);
}

TEST_F(record, rfc8446_5_1_7_splice_and_waitall_pass_over_empty_data_records)
{
	struct pair *p = &self->pair;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	SAY(RECORD_DATA, NULL, 0, 0);
	SAY(RECORD_DATA, "data", 4, 0);
	ASSERT_EQ(4, splice(p->app, NULL, pipes[1], NULL, 100, 0));
	ASSERT_EQ(4, read(pipes[0], self->in, 100));
	SAY(RECORD_DATA, "one", 3, 0);
	SAY(RECORD_DATA, NULL, 0, 9);
	SAY(RECORD_DATA, "two", 3, 0);
	ASSERT_EQ(6, recv(p->app, self->in, 6, MSG_WAITALL));
	EXPECT_EQ(0, memcmp("onetwo", self->in, 6));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(record, rfc8446_5_1_8_the_borders_of_data_records_mean_nothing)
{
	struct pair *p = &self->pair;
	long sent = 0;

	for (int size = 1; sent + size <= 5000; size += 7) {
		SAY(RECORD_DATA, self->out + sent, size, 0);
		sent += size;
	}
	ASSERT_EQ(sent, read_all(p->app, self->in, sent));
	EXPECT_EQ(0, memcmp(self->out, self->in, sent));
}

TEST_F(record, rfc8446_5_4_2_padding_is_taken_off)
{
	static const size_t paddings[] = { 1, 2, 15, 16, 255, 4000, MAX_CONTENT - 5 };
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(paddings); i++) {
		SAY(RECORD_DATA, "data", 4, paddings[i]);
		EXPECT_EQ(POLLIN, wait_for(p->app, POLLIN));
		expect_data(_metadata, p->app, "data");
		SAY(RECORD_HANDSHAKE, "\4ticket", 7, paddings[i] - (i == 6 ? 3 : 0));
		SAY(RECORD_DATA, "after", 5, 0);
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		look(p);
		expect_taken(_metadata, p, RECORD_HANDSHAKE, "\4ticket", 7);
		ASSERT_EQ(0, resume(p, TLS_HANDOFF_CONTINUE_DONE));
		expect_data(_metadata, p->app, "after");
	}
	/* Zeros that end the content are content */
	SAY(RECORD_DATA, "\0\0\0\0", 4, 3);
	EXPECT_EQ(4, recv(p->app, self->in, 100, 0));
	SAY(RECORD_ALERT, "\1\0", 2, 100);
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, get_info(p->app).alert_received);
}

TEST_F(record, rfc8446_5_1_10_as_much_as_a_record_may_hold_is_taken)
{
	struct pair *p = &self->pair;

	SAY(RECORD_DATA, self->out, MAX_CONTENT, 0);
	ASSERT_EQ(MAX_CONTENT, read_all(p->app, self->in, MAX_CONTENT));
	EXPECT_EQ(0, memcmp(self->out, self->in, MAX_CONTENT));
	self->out[0] = 4;
	SAY(RECORD_HANDSHAKE, self->out, MAX_CONTENT, 0);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	look(p);
	expect_taken(_metadata, p, RECORD_HANDSHAKE, self->out, MAX_CONTENT);
}

/* Padding counts (5.4); 2^14 + 256 is the limit for what is encrypted (5.2) */
TEST_F(record, rfc8446_5_2_1_and_5_4_4_a_record_that_is_too_long_is_record_overflow)
{
	static const struct { size_t content, padding; } cases[] = {
		{ MAX_CONTENT + 1, 0 },
		{ MAX_CONTENT, 1 },
		{ 10, MAX_CONTENT - 9 },
		{ 0, MAX_CONTENT + 1 },
		{ MAX_CONTENT + 256 - 16, 0 },
		{ MAX_CONTENT + 256, 0 },
		{ SEAL_MAX_PLAINTEXT - 1, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i)
			AGAIN();
		SAY(RECORD_DATA, self->out, cases[i].content, cases[i].padding);
		expect_refused(_metadata, &self->pair, EMSGSIZE, RECORD_OVERFLOW);
	}
}

TEST_F(record, rfc8446_5_4_1_an_empty_handshake_record_is_unexpected)
{
	for (int padding = 0; padding < 40; padding += 13) {
		if (padding)
			AGAIN();
		SAY(RECORD_HANDSHAKE, NULL, 0, padding);
		expect_refused(_metadata, &self->pair, EPROTO, UNEXPECTED_MESSAGE);
	}
}

TEST_F(record, rfc8446_5_4_1_an_empty_record_of_any_other_type_is_unexpected)
{
	static const uint8_t types[] = { 1, 20, 21, 24, 99, 255 };

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		if (i)
			AGAIN();
		SAY(types[i], NULL, 0, i & 1);
		expect_refused(_metadata, &self->pair, EPROTO, UNEXPECTED_MESSAGE);
	}
}

TEST_F(record, rfc8446_5_4_1_an_empty_record_behind_data_is_refused_after_the_data)
{
	struct pair *p = &self->pair;

	SAY(RECORD_DATA, "data", 4, 0);
	SAY(RECORD_HANDSHAKE, NULL, 0, 0);
	expect_data(_metadata, p->app, "data");
	expect_refused(_metadata, p, EPROTO, UNEXPECTED_MESSAGE);
}

/* kTLS says of such a record what it says of a wrong tag */
TEST_F(record, rfc8446_5_4_3_a_record_of_nothing_but_zeros_ends_the_connection)
{
	static const size_t sizes[] = { 0, 1, 16, MAX_CONTENT };
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (i)
			AGAIN();
		/* Type 0 is one more zero */
		SAY(0, NULL, 0, sizes[i]);
		expect_refused(_metadata, p, EBADMSG, BAD_RECORD_MAC);
	}
}

TEST_F(record, rfc8446_5_2_2_what_does_not_decrypt_is_bad_record_mac)
{
	static const int places[] = { 5, 8, 9, 24 };
	struct pair *p = &self->pair;
	uint8_t record[64];
	size_t length;

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		if (i)
			AGAIN();
		length = seal_record(&self->seal, "data\x17", 5, record);
		ASSERT_EQ(26, length);
		record[places[i]] ^= 1;
		ASSERT_EQ(26, send(p->peer, record, length, 0));
		expect_refused(_metadata, p, EBADMSG, BAD_RECORD_MAC);
	}
	/* One that came twice, one that was left out */
	for (int i = 0; i < 2; i++) {
		AGAIN();
		SAY(RECORD_DATA, "data", 4, 0);
		expect_data(_metadata, p->app, "data");
		self->seal.sequence += i ? 1 : -1;
		SAY(RECORD_DATA, "data", 4, 0);
		expect_refused(_metadata, p, EBADMSG, BAD_RECORD_MAC);
	}
}

/* A record as it is on the wire */
struct plain { const char *bytes; size_t length; };

static void expect_plain_refused(struct __test_metadata *_metadata, struct pair *p,
				 const struct plain *record, int error, int alert)
{
	ASSERT_EQ((long)record->length, send(p->peer, record->bytes, record->length, 0));
	expect_refused(_metadata, p, error, alert);
}

/* With the key there, nothing that is not protected counts */
TEST_F(record, rfc8446_5_1_11_what_is_not_protected_is_never_taken)
{
	static const struct plain records[] = {
		{ "\x17\3\3\0\30data without protection.", 29 },
		{ "\x17\3\3\0\4data", 9 },
	};
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(records); i++) {
		if (i)
			AGAIN();
		expect_plain_refused(_metadata, p, &records[i], EBADMSG, BAD_RECORD_MAC);
	}
}

/* change_cipher_spec behind Finished, alerts and handshake messages without protection */
TEST_F(record, rfc8446_5_0_3_a_record_whose_outer_type_is_not_data_is_unexpected)
{
	static const struct plain records[] = {
		{ "\x14\3\3\0\1\1", 6 },
		{ "\x15\3\3\0\2\1\0", 7 },
		{ "\x15\3\3\0\2\2\x28", 7 },
		{ "\x16\3\3\0\5\x18\0\0\1\0", 10 },
		{ "\x14\3\3\0\24a longer one of them", 25 },
	};
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < ARRAY_SIZE(records); i++) {
		if (i)
			AGAIN();
		expect_plain_refused(_metadata, p, &records[i], EPROTO, UNEXPECTED_MESSAGE);
		EXPECT_EQ(-1, get_info(p->app).alert_received);
	}
}

TEST_F(record, rfc8446_5_1_9_another_version_in_the_header_ends_the_connection)
{
	struct pair *p = &self->pair;
	uint8_t record[64];

	for (int version = 0x300; version < 0x306; version++) {
		if (version == 0x303)
			continue;
		ASSERT_EQ(26, seal_record(&self->seal, "data\x17", 5, record));
		record[2] = version;
		ASSERT_EQ(26, send(p->peer, record, 26, 0));
		expect_refused(_metadata, p, EINVAL, 50);
		AGAIN();
	}
}

TEST_F(record, rfc8446_5_0_4_records_of_unknown_types_hold_the_program_until_they_are_judged)
{
	struct pair *p = &self->pair;

	for (int type = 1; type < 256; type++) {
		if (type >= RECORD_ALERT && type <= RECORD_DATA)
			continue;
		SAY(type, "other", 5, 0);
		SAY(RECORD_DATA, "data", 4, 0);
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		look(p);
		expect_quiet(_metadata, p->app);
		expect_taken(_metadata, p, type, "other", 5);
		ASSERT_EQ(0, resume(p, TLS_HANDOFF_CONTINUE_DONE));
		expect_data(_metadata, p->app, "data");
	}
}

/* The first part of a message has come, and the session handler said so */
static void begin_message(struct __test_metadata *_metadata, struct pair *p, struct seal *seal)
{
	char byte;

	ASSERT_EQ(0, seal_send(seal, p->peer, RECORD_HANDSHAKE, KEY_UPDATE, 2, 0));
	EXPECT_EQ(-1, recv(p->app, &byte, 1, MSG_DONTWAIT));
	look(p);
	expect_taken(_metadata, p, RECORD_HANDSHAKE, KEY_UPDATE, 2);
	ASSERT_EQ(0, resume(p, TLS_HANDOFF_CONTINUE_MORE));
}

TEST_F(record, rfc8446_5_1_3_data_between_the_parts_of_a_message_is_never_delivered)
{
	struct pair *p = &self->pair;
	int pipes[2];

	begin_message(_metadata, p, &self->seal);
	SAY(RECORD_DATA, "data", 4, 0);
	expect_refused(_metadata, p, EPROTO, UNEXPECTED_MESSAGE);

	AGAIN();
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	begin_message(_metadata, p, &self->seal);
	SAY(RECORD_DATA, "data", 4, 100);
	EXPECT_EQ(-1, splice(p->app, NULL, pipes[1], NULL, 100, 0));
	EXPECT_EQ(EPROTO, errno);
	EXPECT_EQ(-1, read(pipes[0], self->in, 100));
	expect_refused(_metadata, p, EPROTO, UNEXPECTED_MESSAGE);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(record, rfc8446_5_1_3_an_empty_data_record_between_the_parts_is_one_too_many)
{
	struct pair *p = &self->pair;

	for (int padding = 0; padding < 2; padding++) {
		if (padding)
			AGAIN();
		begin_message(_metadata, p, &self->seal);
		SAY(RECORD_DATA, NULL, 0, padding);
		SAY(RECORD_HANDSHAKE, KEY_UPDATE + 2, 3, 0);
		expect_refused(_metadata, p, EPROTO, UNEXPECTED_MESSAGE);
	}
}

TEST_F(record, rfc8446_5_1_3_close_notify_between_the_parts_is_not_the_end_of_the_data)
{
	struct pair *p = &self->pair;

	begin_message(_metadata, p, &self->seal);
	SAY(RECORD_ALERT, "\1\0", 2, 0);
	expect_refused(_metadata, p, EPROTO, UNEXPECTED_MESSAGE);
}

TEST_F(record, rfc8446_5_1_2_parts_of_a_message_may_be_padded_and_as_small_as_a_byte)
{
	struct pair *p = &self->pair;

	for (int i = 0; i < 5; i++) {
		SAY(RECORD_HANDSHAKE, KEY_UPDATE + i, 1, i * 7);
		EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
		look(p);
		expect_taken(_metadata, p, RECORD_HANDSHAKE, KEY_UPDATE + i, 1);
		if (i < 4)
			ASSERT_EQ(0, resume(p, TLS_HANDOFF_CONTINUE_MORE));
	}
	seal_start(&self->seal, 1, 1);
	ASSERT_EQ(0, keys_install(p->session, NULL, &self->seal.keys));
	SAY(RECORD_DATA, "data", 4, 0);
	expect_data(_metadata, p->app, "data");
}

TEST_F(record, rfc8446_4_6_3_8_a_new_key_without_a_key_update_is_refused)
{
	seal_start(&self->seal, 1, 1);
	SAY(RECORD_DATA, "data", 4, 0);
	expect_refused(_metadata, &self->pair, EBADMSG, BAD_RECORD_MAC);
}

TEST_F(record, rfc8446_4_6_3_8_the_old_key_after_a_key_update_is_refused)
{
	struct pair *p = &self->pair;
	struct keys keys;

	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1, 1);
	SAY(RECORD_HANDSHAKE, KEY_UPDATE, KEY_UPDATE_LENGTH, 0);
	SAY(RECORD_DATA, "data", 4, 0);
	EXPECT_EQ(-1, recv(p->app, self->in, 1, MSG_DONTWAIT));
	look(p);
	expect_taken(_metadata, p, RECORD_HANDSHAKE, KEY_UPDATE, KEY_UPDATE_LENGTH);
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	expect_refused(_metadata, p, EBADMSG, BAD_RECORD_MAC);
}

TEST_HARNESS_MAIN
