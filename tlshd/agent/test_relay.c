// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between session fd and session handler: nothing is read that was not asked for,
 * order is kept, and a session handler that misbehaves costs its session.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "attr.h"
#include "session.h"
#include "test_kernel.h"
#include "test_relay_rig.h"

static void open_says_who_asks_for_what(void **state)
{
	struct fixture *f = *state;
	struct attr_table table;

	loop_until(f->base, f->count == 1);
	assert_int_equal(f->messages[0].type, CHANNEL_OPEN);
	assert_int_equal(f->messages[0].session, ID);
	assert_int_equal(
		attr_parse(CHANNEL_OPEN, f->messages[0].payload, f->messages[0].length, &table), 0);
	assert_int_equal(attr_u32(&table, CHANNEL_A_ROLE, 0), TLS_HANDOFF_CLIENT);
	assert_int_equal(attr_u32(&table, CHANNEL_A_UID, 0), 1000);
	assert_int_equal(table.view[CHANNEL_A_PEER_NAME].length, strlen("www.example"));
	assert_memory_equal(table.view[CHANNEL_A_REMOTE].value, "0.0.0.0:443", 11);
	assert_false(attr_has(&table, CHANNEL_A_RESUME));
}

static void no_byte_is_read_that_was_not_asked_for(void **state)
{
	struct fixture *f = *state;
	size_t i, bytes = 0;

	assert_int_equal(write(f->wire, "0123456789", 10), 10);
	settle(f);
	assert_int_equal(f->count, 1);
	say_u32(f, CHANNEL_READ, 4);
	loop_until(f->base, f->count == 2);
	settle(f);
	assert_int_equal(f->count, 2);
	assert_int_equal(f->messages[1].type, CHANNEL_BYTES);
	assert_memory_equal(f->messages[1].payload, "0123", 4);
	say_u32(f, CHANNEL_READ, 100);
	loop_until(f->base, f->count == 3);
	assert_int_equal(f->messages[2].length, 6);
	/* The rest of the hundred comes when the peer sends it, and no more. */
	static char more[200];
	assert_int_equal(write(f->wire, more, sizeof(more)), sizeof(more));
	settle(f);
	for (i = 1; i < f->count; i++)
		bytes += f->messages[i].length;
	assert_int_equal(bytes, 104);
}

static void bytes_reach_the_wire_and_keys_come_after_them(void **state)
{
	static char block[CHANNEL_MAX_BYTES];
	struct fixture *f = *state;
	int size = 4096, i;
	size_t seen = 0;
	char buffer[4096];
	ssize_t n;

	/* A wire that takes little at a time */
	setsockopt(f->wire, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (i = 0; i < 4; i++)
		say(f, CHANNEL_BYTES, block, sizeof(block));
	for (i = 0; i < 4; i++) {
		settle(f);
		say(f, CHANNEL_BYTES, block, 1);
	}
	say_keys(f, CHANNEL_KEYS_TX, 1023);
	loop_until(f->base, (event_base_loop(f->base, EVLOOP_NONBLOCK),
			     n = recv(f->wire, buffer, sizeof(buffer), MSG_DONTWAIT),
			     seen += n > 0 ? n : 0, test_call_count == 2));
	while ((n = recv(f->wire, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		seen += n;
	assert_int_equal(seen, 4 * sizeof(block) + 4);
	assert_int_equal(test_calls[0].kind, CALL_KEYS);
	assert_int_equal(test_calls[0].number, CHANNEL_KEYS_TX);
	assert_int_equal(test_calls[0].bytes[0], 0x60 + CHANNEL_KEYS_TX);
	assert_int_equal(test_calls[1].kind, CALL_MAX_PAYLOAD);
	assert_int_equal(test_calls[1].number, 1023);
}

static void a_finished_handshake_is_told_to_the_kernel(void **state)
{
	struct fixture *f = *state;

	say(f, CHANNEL_BYTES, "finished", 8);
	say_keys(f, CHANNEL_KEYS_TX, 0);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	say_done(f);
	loop_until(f->base, test_call_count == 3);
	assert_int_equal(test_calls[0].on_wire, 8);
	assert_int_equal(test_calls[1].number, CHANNEL_KEYS_RX);
	assert_int_equal(test_calls[2].kind, CALL_DONE);
	assert_int_equal(test_calls[2].number, 0);
	assert_string_equal((char *)test_calls[2].bytes, "dns:www.example");
	assert_int_equal(sessions_count(f->sessions), 1);
	assert_true(f->idle);
}

static void keys_that_the_kernel_refuses_end_the_handshake(void **state)
{
	struct fixture *f = *state;

	test_keys_result = -EINVAL;
	say_keys(f, CHANNEL_KEYS_TX, 0);
	expect_broken(f, EINVAL, "refused the sending keys");
}

static void a_result_that_comes_too_late_ends_the_session(void **state)
{
	struct fixture *f = *state;

	test_done_result = -ENOENT;
	say_keys(f, CHANNEL_KEYS_TX, 0);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	say_done(f);
	loop_until(f->base, sessions_count(f->sessions) == 0);
	loop_until(f->base, last(f)->type == CHANNEL_CLOSE);
}

static void a_peer_that_closes_ends_the_handshake(void **state)
{
	struct fixture *f = *state;

	say_u32(f, CHANNEL_READ, 5);
	assert_int_equal(write(f->wire, "abc", 3), 3);
	loop_until(f->base, f->count == 2);
	close(f->wire);
	f->wire = -1;
	expect_broken(f, ECONNRESET, "closed the connection");
	assert_int_equal(last(f)->length, 4);
}

static void an_alert_is_read_although_writing_failed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->wire, "alert", 5), 5);
	shutdown(f->wire, SHUT_RD);
	say(f, CHANNEL_BYTES, "certificate", 11);
	say_u32(f, CHANNEL_READ, 5);
	loop_until(f->base, f->count == 2);
	assert_memory_equal(f->messages[1].payload, "alert", 5);
	say_fail(f, EPROTO, "fatal alert received");
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(test_calls[0].number, EPROTO);
}

static void keys_are_not_installed_on_a_lost_connection(void **state)
{
	struct fixture *f = *state;

	shutdown(f->wire, SHUT_RD);
	say(f, CHANNEL_BYTES, "finished", 8);
	say_keys(f, CHANNEL_KEYS_TX, 0);
	expect_broken(f, ECONNRESET, "lost");
	assert_int_equal(test_call_count, 1);
}

static void fail_sends_the_alert_and_tells_the_kernel_why(void **state)
{
	struct fixture *f = *state;
	char alert[7];

	say(f, CHANNEL_BYTES, "\x15\3\3\0\2\2\x2a", 7);
	say_fail(f, EKEYREJECTED, "the certificate is expired");
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(recv(f->wire, alert, sizeof(alert), MSG_DONTWAIT), 7);
	assert_int_equal(test_call_count, 1);
	assert_int_equal(test_calls[0].kind, CALL_DONE);
	assert_int_equal(test_calls[0].number, EKEYREJECTED);
	assert_string_equal((char *)test_calls[0].bytes, "the certificate is expired");
	/* Who failed it needs no CLOSE. */
	settle(f);
	assert_int_equal(f->count, 1);
	assert_true(f->idle);
}

static void a_message_out_of_place_ends_the_session(void **state)
{
	static const uint8_t zeros[CHANNEL_MAX_BYTES + 1];
	static const struct {
		uint16_t type;
		bool established;
		size_t length;
	} cases[] = {
		{ CHANNEL_OPEN, false, 0 },	{ CHANNEL_RECORD, false, 5 },
		{ CHANNEL_CONTINUE, false, 4 }, { CHANNEL_EXPORTED, false, 8 },
		{ CHANNEL_DONE, false, 0 },	{ CHANNEL_READ, false, 4 }, /* zero bytes */
		{ CHANNEL_READ, false, 3 },	{ CHANNEL_BYTES, false, 0 },
		{ CHANNEL_KEYS, false, 8 },	{ CHANNEL_BYTES, false, CHANNEL_MAX_BYTES + 1 },
		{ CHANNEL_FAIL, false, 3 },	{ 99, false, 4 },
		{ CHANNEL_READ, true, 4 },	{ CHANNEL_BYTES, true, 4 },
		{ CHANNEL_DONE, true, 4 },	{ CHANNEL_CONTINUE, true, 3 },
		{ CHANNEL_RECORD, true, 2 },	{ CHANNEL_RECORD, true, 3 },
		{ CHANNEL_EXPORTED, true, 8 },	{ CHANNEL_KEYS, true, 48 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;

		relay_setup((void **)&f);
		if (cases[i].established)
			establish(f);
		say(f, cases[i].type, zeros, cases[i].length);
		loop_until(f->base, sessions_count(f->sessions) == 0);
		assert_int_equal(test_calls[test_call_count - 1].kind, CALL_DONE);
		assert_int_equal(test_calls[test_call_count - 1].number, EPROTO);
		assert_non_null(strstr((char *)test_calls[test_call_count - 1].bytes, "protocol"));
		relay_teardown((void **)&f);
	}
}

static void keys_twice_or_wrong_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[64];
	size_t length = keys(buffer, CHANNEL_KEYS_RX, 0);

	say_keys(f, CHANNEL_KEYS_TX, 0);
	say_keys(f, CHANNEL_KEYS_TX, 0);
	expect_broken(f, EPROTO, "twice");
	relay_teardown(state);

	relay_setup(state);
	f = *state;
	say(f, CHANNEL_KEYS, buffer, length - 1);
	expect_broken(f, EPROTO, "malformed KEYS");
	relay_teardown(state);

	relay_setup(state);
	f = *state;
	buffer[0] = 3;
	say(f, CHANNEL_KEYS, buffer, length);
	expect_broken(f, EPROTO, "malformed KEYS");
}

static void bytes_behind_the_sending_keys_are_refused(void **state)
{
	struct fixture *f = *state;

	say_keys(f, CHANNEL_KEYS_TX, 0);
	say(f, CHANNEL_BYTES, "finished", 8);
	expect_broken(f, EPROTO, "behind the sending keys");
}

static void a_second_wish_before_the_first_was_answered_is_refused(void **state)
{
	struct fixture *f = *state;

	say_u32(f, CHANNEL_READ, 5);
	say_u32(f, CHANNEL_READ, 5);
	expect_broken(f, EPROTO, "READ");
}

static void more_bytes_than_the_window_end_the_session(void **state)
{
	static char block[CHANNEL_MAX_BYTES];
	struct fixture *f = *state;
	int i;

	/* Nobody reads the wire. */
	for (i = 0; i < 200 && sessions_count(f->sessions); i++) {
		say(f, CHANNEL_BYTES, block, sizeof(block));
		settle(f);
	}
	expect_broken(f, EPROTO, "window");
	assert_in_range(i, CHANNEL_WINDOW / CHANNEL_MAX_BYTES, 199);
}

static void messages_about_another_handlers_session_are_dropped(void **state)
{
	struct fixture *f = *state;
	const struct channel_message message = { CHANNEL_FAIL, ID, NULL, 0, -1 };

	assert_int_equal(sessions_message(f->sessions, &f->other, &message), 0);
	settle(f);
	assert_int_equal(sessions_count(f->sessions), 1);
	assert_int_equal(test_call_count, 0);
}

static void records_go_to_the_session_handler_and_its_answers_to_the_kernel(void **state)
{
	struct fixture *f = *state;
	size_t before;

	establish(f);
	before = f->count;
	divert(f, 22, "ticket", 6);
	loop_until(f->base, f->count == before + 1);
	assert_int_equal(last(f)->type, CHANNEL_RECORD);
	assert_int_equal(last(f)->length, 7);
	assert_memory_equal(last(f)->payload, "\x16ticket", 7);
	say_u32(f, CHANNEL_CONTINUE, TLS_HANDOFF_CONTINUE_DONE);
	loop_until(f->base, test_call_count == 1);
	assert_int_equal(test_calls[0].kind, CALL_CONTINUE);

	divert(f, 22, "update", 6);
	loop_until(f->base, f->count == before + 2);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	say_record(f, 22, "update", true);
	loop_until(f->base, test_call_count == 3);
	assert_int_equal(test_calls[1].kind, CALL_KEYS);
	assert_int_equal(test_calls[1].number, CHANNEL_KEYS_RX);
	assert_int_equal(test_calls[2].kind, CALL_TX_UPDATE);
	assert_int_equal(test_calls[2].length, 6 + 40);
	assert_int_equal(test_calls[2].bytes[6], 0x60 + CHANNEL_KEYS_TX);
	say_record(f, 21, "\1\0", false);
	loop_until(f->base, test_call_count == 4);
	assert_int_equal(test_calls[3].kind, CALL_SEND);
	assert_int_equal(test_calls[3].number, 21);
}

static bool was_called(enum test_call_kind kind)
{
	size_t i;

	for (i = 0; i < TEST_KERNEL_CALLS; i++)
		if (i < test_call_count && test_calls[i].kind == kind)
			return true;
	return false;
}

static void receiving_goes_on_while_a_record_cannot_be_sent(void **state)
{
	struct fixture *f = *state;

	establish(f);
	test_send_result = -EAGAIN;
	say_record(f, 22, "ticket", false);
	loop_until(f->base, test_call_count >= 1);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	loop_until(f->base, was_called(CALL_KEYS));
	/* And is sent when the session fd takes it. */
	test_kernel_reset(f->wire);
	loop_until(f->base, test_call_count == 1);
	assert_int_equal(test_calls[0].kind, CALL_SEND);
	settle(f);
	assert_int_equal(test_call_count, 1);
}

static void say_last_words(struct fixture *f)
{
	establish(f);
	test_send_result = -EAGAIN;
	say_record(f, 21, "\2\12", false);
	say_fail(f, EPROTO, "the peer broke the protocol");
	/* Tried again whenever the socket can be written to */
	loop_until(f->base, test_call_count > 10);
	assert_false(was_called(CALL_DONE));
}

static void last_words_wait_for_a_sender(void **state)
{
	struct fixture *f = *state;

	say_last_words(f);
	test_kernel_reset(f->wire);
	loop_until(f->base, was_called(CALL_DONE));
	assert_int_equal(test_calls[0].kind, CALL_SEND);
	assert_int_equal(test_calls[0].number, 21);
	assert_int_equal(test_calls[1].kind, CALL_DONE);
	assert_int_equal(test_calls[1].number, EPROTO);
}

static void last_words_do_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	say_last_words(f);
	loop_until(f->base, was_called(CALL_DONE));
	assert_int_equal(sessions_count(f->sessions), 0);
}

static void the_session_handler_hears_when_a_key_update_is_out(void **state)
{
	struct fixture *f = *state;
	size_t before;

	establish(f);
	before = f->count;
	test_keys_result = -EAGAIN;
	say_record(f, 22, "update", true);
	loop_until(f->base, test_call_count > 2);
	assert_int_equal(f->count, before);
	test_kernel_reset(f->wire);
	loop_until(f->base, f->count == before + 1);
	assert_int_equal(last(f)->type, CHANNEL_SENT);
	assert_int_equal(last(f)->session, ID);
	assert_int_equal(last(f)->length, 0);
	/* Of other records it hears nothing. */
	say_record(f, 22, "ticket", false);
	loop_until(f->base, was_called(CALL_SEND));
	settle(f);
	assert_int_equal(f->count, before + 1);
}

static void a_key_update_behind_close_notify_waits_and_receiving_goes_on(void **state)
{
	struct fixture *f = *state;
	size_t before;

	establish(f);
	before = f->count;
	test_keys_result = -EPIPE;
	say_record(f, 22, "update", true);
	loop_until(f->base, was_called(CALL_TX_UPDATE));
	settle(f);
	/* Asked once: the socket would always say that it can be written to */
	assert_int_equal(test_call_count, 1);
	assert_int_equal(f->count, before);
	test_kernel_reset(f->wire);
	divert(f, 22, "update", 6);
	loop_until(f->base, f->count == before + 1);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	loop_until(f->base, was_called(CALL_KEYS));
	assert_false(was_called(CALL_DONE));
	/* What the session handler says at an end is not held up by it. */
	say_fail(f, ECONNRESET, "the peer sent an alert");
	loop_until(f->base, was_called(CALL_DONE));
}

static void application_data_cannot_be_forged(void **state)
{
	static const uint8_t types[] = { 0, 20, 23, 24, 255 };
	size_t i;

	for (i = 0; i < sizeof(types); i++) {
		struct fixture *f;

		relay_setup((void **)&f);
		establish(f);
		say_record(f, types[i], "payload", false);
		expect_broken(f, EPROTO, "malformed RECORD");
		assert_int_equal(test_call_count, 1);
		relay_teardown((void **)&f);
	}
}

static void a_closed_program_closes_the_session(void **state)
{
	struct tls_handoff_event event = { TLS_HANDOFF_EVENT_CLOSED, 0 };
	struct fixture *f = *state;

	establish(f);
	divert(f, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
	loop_until(f->base, sessions_count(f->sessions) == 0);
	loop_until(f->base, last(f)->type == CHANNEL_CLOSE);
	assert_memory_equal(last(f)->payload, "\0\0\0\0", 4);
	assert_int_equal(test_call_count, 0);
	assert_true(f->idle);
}

static void a_failed_record_waits_for_its_alert(void **state)
{
	struct tls_handoff_event event = { TLS_HANDOFF_EVENT_FAILED, EBADMSG };
	struct fixture *f = *state;
	size_t before;

	establish(f);
	before = f->count;
	divert(f, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
	shutdown(f->wire, SHUT_WR);
	loop_until(f->base, f->count == before + 1);
	assert_int_equal(last(f)->length, 9);
	settle(f);
	assert_int_equal(sessions_count(f->sessions), 1);
	say_record(f, 21, "\2\x14", false);
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(test_call_count, 1);
	assert_int_equal(test_calls[0].kind, CALL_SEND);
}

static void a_failed_record_does_not_wait_for_ever(void **state)
{
	struct tls_handoff_event event = { TLS_HANDOFF_EVENT_FAILED, EBADMSG };
	struct fixture *f = *state;

	establish(f);
	divert(f, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
	shutdown(f->wire, SHUT_WR);
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(test_call_count, 0);
}

static void fail_of_an_established_session_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	establish(f);
	say_record(f, 21, "\2\x0a", false);
	say_fail(f, EPROTO, "a KeyUpdate was not the last message of its record");
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(test_call_count, 2);
	assert_int_equal(test_calls[0].kind, CALL_SEND);
	assert_int_equal(test_calls[1].kind, CALL_DONE);
	assert_int_equal(test_calls[1].number, EPROTO);
}

/* As the kernel asks for keying material: label "abc", context "de", 16 bytes. */
static void divert_export(struct fixture *f, uint32_t request, size_t missing)
{
	const struct tls_handoff_event event = { TLS_HANDOFF_EVENT_EXPORT, request };
	const struct tls_handoff_exporter wish = { 3, 2, 16, 1 };
	uint8_t question[sizeof(event) + sizeof(wish) + 5];

	memcpy(question, &event, sizeof(event));
	memcpy(question + sizeof(event), &wish, sizeof(wish));
	memcpy(question + sizeof(event) + sizeof(wish), "abcde", 5);
	divert(f, TLS_HANDOFF_RECORD_EVENT, question, sizeof(question) - missing);
}

static void keying_material_is_asked_for_and_answered(void **state)
{
	struct channel_export export;
	struct fixture *f = *state;
	uint8_t answer[8 + 16] = { 7 };
	size_t before;

	establish(f);
	before = f->count;
	divert_export(f, 7, 0);
	loop_until(f->base, f->count == before + 1);
	assert_int_equal(last(f)->type, CHANNEL_EXPORT);
	assert_int_equal(last(f)->length, sizeof(export) + 5);
	memcpy(&export, last(f)->payload, sizeof(export));
	assert_int_equal(le32toh(export.request), 7);
	assert_int_equal(le16toh(export.label_len), 3);
	assert_int_equal(le16toh(export.context_len), 2);
	assert_int_equal(le16toh(export.out_len), 16);
	assert_int_equal(le16toh(export.flags), 1);
	assert_memory_equal(last(f)->payload + sizeof(export), "abcde", 5);
	memset(answer + 8, 0x5a, 16);
	say(f, CHANNEL_EXPORTED, answer, sizeof(answer));
	loop_until(f->base, test_call_count == 1);
	assert_int_equal(test_calls[0].kind, CALL_EXPORTED);
	assert_int_equal(test_calls[0].number, 7);
	assert_memory_equal(test_calls[0].bytes, "\0\0\0\0ZZZZZZZZZZZZZZZZ", 20);
	/* An errno comes without any. */
	answer[4] = EOPNOTSUPP;
	say(f, CHANNEL_EXPORTED, answer, 8);
	loop_until(f->base, test_call_count == 2);
	assert_int_equal(test_calls[1].bytes[0], EOPNOTSUPP);
	say(f, CHANNEL_EXPORTED, answer, 9);
	expect_broken(f, EPROTO, "malformed EXPORTED");
}

static void without_a_handler_there_is_no_keying_material(void **state)
{
	struct fixture *f = *state;

	establish(f);
	sessions_orphan(f->sessions, &f->handler, "tlshd-session ended unexpectedly (signal 9)");
	divert_export(f, 9, 0);
	loop_until(f->base, test_call_count == 1);
	assert_int_equal(test_calls[0].kind, CALL_EXPORTED);
	assert_int_equal(test_calls[0].number, 9);
	assert_int_equal(test_calls[0].bytes[0], ESRCH);
	assert_int_equal(sessions_count(f->sessions), 1);
}

static void a_question_that_is_cut_short_ends_the_session(void **state)
{
	struct fixture *f = *state;

	establish(f);
	divert_export(f, 9, 1);
	expect_broken(f, EPROTO, "malformed event");
}

static void a_dead_handler_fails_its_handshakes_at_once(void **state)
{
	struct fixture *f = *state;

	sessions_orphan(f->sessions, &f->handler, "tlshd-session ended unexpectedly (signal 9)");
	assert_int_equal(sessions_count(f->sessions), 0);
	assert_int_equal(test_call_count, 1);
	assert_int_equal(test_calls[0].number, ECONNRESET);
	assert_non_null(strstr((char *)test_calls[0].bytes, "signal 9"));
}

static void established_sessions_outlive_their_handler_until_they_need_one(void **state)
{
	struct fixture *f = *state;

	establish(f);
	sessions_orphan(f->sessions, &f->handler, "tlshd-session ended unexpectedly (signal 9)");
	settle(f);
	assert_int_equal(sessions_count(f->sessions), 1);
	assert_int_equal(test_call_count, 0);
	/* close_notify: the kernel has acted on it */
	divert(f, 21, "\1\0", 2);
	settle(f);
	assert_int_equal(sessions_count(f->sessions), 1);
	assert_int_equal(test_call_count, 0);
	divert(f, 22, "ticket", 6);
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_int_equal(test_calls[0].kind, CALL_DONE);
	assert_int_equal(test_calls[0].number, ESRCH);
}

static void a_refused_handshake_never_reaches_the_session_handler(void **state)
{
	struct fixture *f = *state;
	struct handshake handshake = { .id = 43, .role = TLS_HANDOFF_SERVER, .profile = "x" };
	int fds[2];

	loop_until(f->base, f->count == 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	handshake.fd = fds[0];
	sessions_refuse(f->sessions, &handshake, EACCES, "not yours");
	close(fds[1]);
	settle(f);
	assert_int_equal(f->count, 1);
	assert_int_equal(test_calls[0].number, EACCES);
	assert_int_equal(test_calls[0].id, 43);
	assert_string_equal((char *)test_calls[0].bytes, "not yours");
}

static void an_option_out_of_range_is_refused_here(void **state)
{
	struct fixture *f = *state;
	struct handshake handshake = {
		.id = 43, .role = TLS_HANDOFF_SERVER, .profile = "default", .auth = 99
	};
	int fds[2];

	loop_until(f->base, f->count == 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	handshake.fd = fds[0];
	sessions_open(f->sessions, &f->handler, &handshake);
	close(fds[1]);
	assert_int_equal(test_calls[0].number, EINVAL);
	assert_int_equal(sessions_count(f->sessions), 1);
}

#define relay_test(name) cmocka_unit_test_setup_teardown(name, relay_setup, relay_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		relay_test(open_says_who_asks_for_what),
		relay_test(no_byte_is_read_that_was_not_asked_for),
		relay_test(bytes_reach_the_wire_and_keys_come_after_them),
		relay_test(a_finished_handshake_is_told_to_the_kernel),
		relay_test(keys_that_the_kernel_refuses_end_the_handshake),
		relay_test(a_result_that_comes_too_late_ends_the_session),
		relay_test(a_peer_that_closes_ends_the_handshake),
		relay_test(an_alert_is_read_although_writing_failed),
		relay_test(keys_are_not_installed_on_a_lost_connection),
		relay_test(fail_sends_the_alert_and_tells_the_kernel_why),
		cmocka_unit_test(a_message_out_of_place_ends_the_session),
		relay_test(keys_twice_or_wrong_are_refused),
		relay_test(bytes_behind_the_sending_keys_are_refused),
		relay_test(a_second_wish_before_the_first_was_answered_is_refused),
		relay_test(more_bytes_than_the_window_end_the_session),
		relay_test(messages_about_another_handlers_session_are_dropped),
		relay_test(records_go_to_the_session_handler_and_its_answers_to_the_kernel),
		relay_test(receiving_goes_on_while_a_record_cannot_be_sent),
		relay_test(last_words_wait_for_a_sender),
		relay_test(last_words_do_not_wait_for_ever),
		relay_test(the_session_handler_hears_when_a_key_update_is_out),
		relay_test(a_key_update_behind_close_notify_waits_and_receiving_goes_on),
		cmocka_unit_test(application_data_cannot_be_forged),
		relay_test(a_closed_program_closes_the_session),
		relay_test(a_failed_record_waits_for_its_alert),
		relay_test(a_failed_record_does_not_wait_for_ever),
		relay_test(fail_of_an_established_session_ends_the_connection),
		relay_test(keying_material_is_asked_for_and_answered),
		relay_test(without_a_handler_there_is_no_keying_material),
		relay_test(a_question_that_is_cut_short_ends_the_session),
		relay_test(a_dead_handler_fails_its_handshakes_at_once),
		relay_test(established_sessions_outlive_their_handler_until_they_need_one),
		relay_test(a_refused_handshake_never_reaches_the_session_handler),
		relay_test(an_option_out_of_range_is_refused_here),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
