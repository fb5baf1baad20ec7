// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What RFC 8446 4.6, 5 and 6 tell a receiver to do after Finished, by the numbers of
 * Documentation/rfc8446.md: the session handler's part of it.  RFC 5246 where TLS 1.2
 * differs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failure.h"
#include "test_fixture.h"

#define HANDSHAKE     22
#define ALERT	      21
#define HELLO_REQUEST "\0\0\0\0"

/* It ended with @alert, which the peer has got, too */
static void expect_refused_with(struct connection *c, uint32_t status, int alert, const char *what)
{
	char byte;

	connection_await_failure(c);
	if (c->alert_record != alert || c->alert_sent != alert || c->alert_level != 2 ||
	    c->status != status)
		fail_msg("%s: errno %u, alert %d of level %d, expected alert %d: %s", what,
			 c->status, c->alert_record, c->alert_level, alert, c->words);
	assert_int_equal(peer_read(c->peer, &byte, 1), -1);
	assert_int_equal(peer_alert(c->peer), alert);
	connection_close(c);
}

static void expect_refused(struct connection *c, int alert, const char *what)
{
	expect_refused_with(c, EPROTO, alert, what);
}

static void handshake_is_refused(uint32_t role, int version, const void *data, size_t length,
				 int alert, const char *what)
{
	struct connection c;

	establish(&c, role, NULL, version, peer_openssl);
	connection_record(&c, HANDSHAKE, data, length);
	expect_refused(&c, alert, what);
}

/* NewSessionTicket: lifetime, age_add, nonce, ticket, extensions as given */
static size_t make_ticket(uint8_t *message, uint32_t lifetime, const void *extensions,
			  size_t length)
{
	static const uint8_t middle[] = { 1, 2, 3, 4, 1, 0, 0, 4, 't', 'i', 'c', 'k' };
	size_t size = 4 + sizeof(middle) + 2 + length;

	message[0] = 4;
	message[1] = 0;
	message[2] = (uint8_t)(size >> 8);
	message[3] = (uint8_t)size;
	for (int i = 0; i < 4; i++)
		message[4 + i] = (uint8_t)(lifetime >> (24 - 8 * i));
	memcpy(message + 8, middle, sizeof(middle));
	message[8 + sizeof(middle)] = (uint8_t)(length >> 8);
	message[9 + sizeof(middle)] = (uint8_t)length;
	if (length)
		memcpy(message + 10 + sizeof(middle), extensions, length);
	return 4 + size;
}

static void ticket_is_taken(struct connection *c, uint32_t lifetime, const void *extensions,
			    size_t length)
{
	uint8_t message[1024];

	feed(c, HANDSHAKE, message, make_ticket(message, lifetime, extensions, length));
	if (c->failed)
		fail_msg("lifetime %u, %zu bytes of extensions: %s", lifetime, length, c->words);
	assert_int_equal(c->last_continue, TLS_HANDOFF_CONTINUE_DONE);
}

static void rfc8446_4_6_1_1_tickets_come_at_any_time(void **state)
{
	uint8_t two[256];
	struct connection c;
	size_t length;

	establish_client(&c, 13);
	ticket_is_taken(&c, 3600, NULL, 0);
	connection_exchange(&c);
	length = make_ticket(two, 3600, NULL, 0);
	length += make_ticket(two + length, 3600, NULL, 0);
	feed(&c, HANDSHAKE, two, length);
	assert_false(c.failed);
	for (int i = 0; i < 40; i++)
		ticket_is_taken(&c, 3600, NULL, 0);
	connection_exchange(&c);
	connection_close(&c);
}

/* How long they are kept is the cache's affair, that they are no mistake is shown here */
static void rfc8446_4_6_1_2_and_3_any_lifetime_is_taken(void **state)
{
	static const uint32_t lifetimes[] = { 0, 1, 604800, 604801, 0x7fffffff, 0xffffffff };
	struct connection c;

	for (size_t i = 0; i < sizeof(lifetimes) / sizeof(lifetimes[0]); i++) {
		establish_client(&c, 13);
		ticket_is_taken(&c, lifetimes[i], NULL, 0);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void rfc8446_4_6_1_4_unknown_extensions_are_passed_over(void **state)
{
	static const char extensions[] = "\xff\xfe\0\3abc\x0a\x0a\0\0\0\x2a\0\4\0\0\x40\0";
	struct connection c;

	establish_client(&c, 13);
	ticket_is_taken(&c, 3600, extensions, 7);
	ticket_is_taken(&c, 3600, extensions, 11);
	ticket_is_taken(&c, 3600, extensions, SIZE(extensions));
	connection_exchange(&c);
	connection_close(&c);
}

static void rfc8446_4_6_1_8_a_ticket_of_a_client_is_unexpected(void **state)
{
	uint8_t message[64];
	size_t length = make_ticket(message, 3600, NULL, 0);

	handshake_is_refused(TLS_HANDOFF_SERVER, 13, message, length, ALERT_UNEXPECTED_MESSAGE,
			     "ticket");
}

static void rfc8446_4_6_2_1_a_request_for_a_certificate_is_unexpected(void **state)
{
	static const char request[] = "\x0d\0\0\x0f\4abcd\0\x08\0\x0d\0\4\0\2\4\3";

	handshake_is_refused(TLS_HANDOFF_CLIENT, 13, request, SIZE(request),
			     ALERT_UNEXPECTED_MESSAGE, "CertificateRequest");
}

static void rfc8446_4_6_2_2_a_certificate_that_nobody_asked_for_is_unexpected(void **state)
{
	static const char certificate[] = "\x0b\0\0\4\0\0\0\0";

	handshake_is_refused(TLS_HANDOFF_SERVER, 13, certificate, SIZE(certificate),
			     ALERT_UNEXPECTED_MESSAGE, "Certificate");
}

/* RFC 8446 4: whatever else there is */
static void rfc8446_4_6_0_1_other_handshake_messages_are_unexpected(void **state)
{
	uint8_t message[5] = { 0, 0, 0, 1, 0 };
	char what[32];

	for (int type = 0; type < 256; type++) {
		if (type == 4 || type == 24)
			continue;
		message[0] = (uint8_t)type;
		snprintf(what, sizeof(what), "message %d", type);
		handshake_is_refused(type & 1 ? TLS_HANDOFF_SERVER : TLS_HANDOFF_CLIENT, 13,
				     message, sizeof(message), ALERT_UNEXPECTED_MESSAGE, what);
	}
}

static void rfc8446_4_6_3_2_what_follows_a_key_update_has_the_next_key(void **state)
{
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		establish(&c, role, NULL, 13, peer_openssl);
		for (unsigned int i = 1; i <= 3; i++) {
			peer_key_update(c.peer, false);
			connection_exchange(&c);
			assert_int_equal(c.rx_updates, i);
			assert_int_equal(c.tx_updates, 0);
		}
		connection_close(&c);
	}
}

static void rfc8446_4_6_3_3_another_request_is_an_illegal_parameter(void **state)
{
	uint8_t message[] = { 24, 0, 0, 1, 0 };

	for (int value = 2; value < 256; value++) {
		message[4] = (uint8_t)value;
		handshake_is_refused(TLS_HANDOFF_CLIENT, 13, message, sizeof(message),
				     ALERT_ILLEGAL_PARAMETER, "KeyUpdate");
	}
}

/* The peer decrypts what comes after it; a second answer would be a request */
static void rfc8446_4_6_3_4_a_request_is_answered_before_more_data(void **state)
{
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		establish(&c, role, NULL, 13, peer_openssl);
		/* tickets first */
		connection_exchange(&c);
		peer_key_update(c.peer, true);
		connection_divert(&c);
		connection_await_updates(&c, 1);
		connection_exchange(&c);
		assert_int_equal(c.rx_updates, 1);
		assert_int_equal(c.tx_updates, 1);
		connection_close(&c);
	}
}

static void rfc8446_4_6_3_7_requests_that_cross_are_both_answered(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	peer_key_update(c.peer, true);
	connection_divert(&c);
	connection_await_updates(&c, 2);
	connection_exchange(&c);
	connection_close(&c);
}

static void rfc8446_5_1_1_messages_in_one_record_are_all_read(void **state)
{
	uint8_t record[256];
	struct connection c;
	size_t length;

	establish_client(&c, 13);
	length = make_ticket(record, 3600, NULL, 0);
	length += make_ticket(record + length, 3600, NULL, 0);
	memcpy(record + length, UPDATE, SIZE(UPDATE));
	feed(&c, HANDSHAKE, record, length + SIZE(UPDATE));
	assert_int_equal(c.rx_updates, 1);
	assert_int_equal(c.continues, 0);
	connection_close(&c);
}

static void rfc8446_5_1_2_a_message_may_be_cut_anywhere(void **state)
{
	uint8_t message[256];
	struct connection c;
	size_t length = make_ticket(message, 3600, NULL, 0);

	establish_client(&c, 13);
	memcpy(message + length, UPDATE, SIZE(UPDATE));
	/* the rest of the ticket comes with the KeyUpdate */
	for (size_t cut = 1; cut < length; cut++) {
		feed(&c, HANDSHAKE, message, cut);
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_MORE);
		feed(&c, HANDSHAKE, message + cut, length - cut);
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_DONE);
	}
	for (size_t i = 0; i < length + SIZE(UPDATE); i++) {
		assert_int_equal(c.rx_updates, 0);
		feed(&c, HANDSHAKE, message + i, 1);
	}
	assert_int_equal(c.rx_updates, 1);
	connection_close(&c);
}

static void rfc8446_5_1_3_nothing_comes_between_the_parts_of_a_message(void **state)
{
	static const struct {
		uint8_t type;
		const char *data;
	} between[] = { { ALERT, "\1\0" }, { ALERT, "\1\x5a" }, { 20, "\1\0" }, { 24, "ab" } };
	struct connection c;

	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		for (size_t cut = 1; cut < SIZE(UPDATE); cut++) {
			establish_client(&c, 13);
			feed(&c, HANDSHAKE, UPDATE, cut);
			connection_record(&c, between[i].type, between[i].data, 2);
			expect_refused(&c, ALERT_UNEXPECTED_MESSAGE, "between");
		}
	}
}

static void rfc8446_5_1_4_a_key_update_ends_its_record(void **state)
{
	static const struct {
		const char *data;
		size_t length;
	} records[] = {
		{ UPDATE UPDATE, 10 }, { UPDATE "\x04", 6 },	 { UPDATE_ASKING UPDATE, 10 },
		{ UPDATE "\0", 6 },    { UPDATE "\x18\0\0", 8 },
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		handshake_is_refused(i & 1 ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, 13,
				     records[i].data, records[i].length, ALERT_UNEXPECTED_MESSAGE,
				     "behind a KeyUpdate");
}

static void rfc8446_5_1_4_a_cut_key_update_ends_its_record(void **state)
{
	struct connection c;

	establish_client(&c, 13);
	feed(&c, HANDSHAKE, UPDATE, 3);
	connection_record(&c, HANDSHAKE, &(UPDATE UPDATE)[3], 4);
	expect_refused(&c, ALERT_UNEXPECTED_MESSAGE, "behind its last part");
}

static void rfc8446_5_1_6_an_alert_record_holds_one_alert(void **state)
{
	static const char alerts[] = "\2\x28\2\x28\1\0";
	struct connection c;

	for (size_t length = 1; length <= SIZE(alerts); length++) {
		if (length == 2)
			continue;
		for (int version = 12; version <= 13; version++) {
			establish_client(&c, version);
			connection_record(&c, ALERT, alerts, length);
			/* As the kernel has it, which may be first */
			expect_refused_with(&c, EINVAL, ALERT_DECODE_ERROR, "alert");
		}
	}
}

static void rfc8446_5_0_4_records_of_other_types_are_unexpected(void **state)
{
	struct connection c;
	char what[32];

	/* 0 is the kernel's own word */
	for (int type = 1; type < 256; type++) {
		if (type == ALERT || type == HANDSHAKE)
			continue;
		establish_client(&c, type & 1 ? 13 : 12);
		connection_record(&c, (uint8_t)type, "\1", 1);
		snprintf(what, sizeof(what), "type %d", type);
		expect_refused(&c, ALERT_UNEXPECTED_MESSAGE, what);
	}
}

static void rfc8446_5_4_1_an_empty_handshake_record_is_unexpected(void **state)
{
	struct connection c;

	handshake_is_refused(TLS_HANDOFF_CLIENT, 13, NULL, 0, ALERT_UNEXPECTED_MESSAGE, "empty");
	/* between the parts of a message, too */
	establish_client(&c, 13);
	feed(&c, HANDSHAKE, UPDATE, 2);
	connection_record(&c, HANDSHAKE, NULL, 0);
	expect_refused(&c, ALERT_UNEXPECTED_MESSAGE, "empty");
}

static void expect_told(struct connection *c, int alert)
{
	char number[16];

	connection_await_failure(c);
	snprintf(number, sizeof(number), "(%d)", alert);
	if (c->status != ECONNRESET || c->alert_received != alert || c->alert_sent != -1 ||
	    c->alert_record != -1 || !strstr(c->words, number))
		fail_msg("alert %d: errno %u, received %d, sent %d, \"%s\"", alert, c->status,
			 c->alert_received, c->alert_record, c->words);
	connection_close(c);
}

static void rfc8446_6_0_4_and_5_every_alert_is_fatal_whatever_its_level(void **state)
{
	static const uint8_t levels[] = { 1, 2, 0, 255 };
	struct connection c;

	for (int alert = 1; alert < 256; alert++) {
		const uint8_t record[] = { levels[alert % 4], (uint8_t)alert };

		if (alert == ALERT_USER_CANCELED)
			continue;
		establish(&c, alert & 1 ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, NULL, 13,
			  peer_openssl);
		connection_record(&c, ALERT, record, sizeof(record));
		expect_told(&c, alert);
	}
}

/* RFC 5246 7.2: in TLS 1.2 the level says it */
static void rfc8446_6_0_4_tls_1_2_warnings_go_on(void **state)
{
	struct connection c;

	establish_client(&c, 12);
	for (int alert = 0; alert < 256; alert++) {
		const uint8_t record[] = { 1, (uint8_t)alert };

		connection_record(&c, ALERT, record, sizeof(record));
	}
	connection_exchange(&c);
	feed(&c, HANDSHAKE, HELLO_REQUEST, SIZE(HELLO_REQUEST));
	assert_false(c.failed);
	connection_close(&c);
	for (int alert = 1; alert < 256; alert += 3) {
		const uint8_t record[] = { 2, (uint8_t)alert };

		if (alert == ALERT_USER_CANCELED)
			continue;
		establish_server(&c, 12);
		connection_record(&c, ALERT, record, sizeof(record));
		expect_told(&c, alert);
	}
}

static void rfc8446_6_1_6_user_canceled_goes_on(void **state)
{
	struct connection c;

	for (int version = 12; version <= 13; version++) {
		establish_server(&c, version);
		connection_record(&c, ALERT, "\1\x5a", 2);
		connection_record(&c, ALERT, "\2\x5a", 2);
		connection_exchange(&c);
		/* it is still known here */
		connection_record(&c, ALERT, "\2\x50", 2);
		expect_told(&c, 80);
	}
}

/* An error alert ends it; nothing is said in return */
static void rfc8446_6_2_1_an_alert_between_the_parts_of_a_message_is_told(void **state)
{
	struct connection c;

	establish_client(&c, 13);
	feed(&c, HANDSHAKE, UPDATE, 2);
	connection_record(&c, ALERT, "\2\x50", 2);
	expect_told(&c, 80);
}

static void rfc8446_6_0_6_what_cannot_be_parsed_is_a_decode_error(void **state)
{
	static const struct {
		const char *name, *data;
		size_t length;
	} cases[] = {
#define CASE(name, data) { name, data, SIZE(data) }
		CASE("KeyUpdate without a body", "\x18\0\0\0"),
		CASE("KeyUpdate of two bytes", "\x18\0\0\2\0\0"),
		CASE("KeyUpdate of 255 bytes at least", "\x18\xff\xff\xff"),
		CASE("message of 16 MiB", "\4\xff\xff\xff"),
		CASE("ticket without anything", "\4\0\0\0"),
		CASE("ticket of a lifetime only", "\4\0\0\4\0\0\x0e\x10"),
		CASE("ticket that is empty", "\4\0\0\x0e\0\0\x0e\x10\1\2\3\4\1\0\0\0\0\0"),
		CASE("ticket without extensions", "\4\0\0\x10\0\0\x0e\x10\1\2\3\4\1\0\0\4tick"),
		CASE("ticket and a byte", "\4\0\0\x13\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\0x"),
		CASE("ticket with half an extension",
		     "\4\0\0\x14\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\2\xff\xfe"),
		CASE("ticket with an extension beyond its end",
		     "\4\0\0\x16\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\4\xff\xfe\0\1"),
		CASE("ticket that ends early", "\4\0\0\x0a\0\0\x0e\x10\1\2\3\4\1\0"),
		CASE("ticket with a nonce beyond its end", "\4\0\0\x0a\0\0\x0e\x10\1\2\3\4\xff\0"),
#undef CASE
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		handshake_is_refused(TLS_HANDOFF_CLIENT, 13, cases[i].data, cases[i].length,
				     ALERT_DECODE_ERROR, cases[i].name);
}

static void rfc8446_6_2_3_a_record_that_fails_in_the_kernel_has_its_alert(void **state)
{
	static const struct {
		uint32_t error;
		int alert;
	} cases[] = { { EBADMSG, ALERT_BAD_RECORD_MAC },
		      { EMSGSIZE, ALERT_RECORD_OVERFLOW },
		      { EINVAL, ALERT_DECODE_ERROR },
		      { EPROTO, ALERT_UNEXPECTED_MESSAGE } };
	struct connection c;
	char byte;

	for (size_t i = 0; i < 16; i++) {
		struct tls_handoff_event event = { TLS_HANDOFF_EVENT_FAILED, cases[i / 4].error };

		establish(&c, i & 1 ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, NULL,
			  i & 2 ? 12 : 13, peer_openssl);
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
		connection_await_failure(&c);
		assert_int_equal(c.status, cases[i / 4].error);
		assert_int_equal(c.alert_sent, cases[i / 4].alert);
		assert_int_equal(peer_read(c.peer, &byte, 1), -1);
		assert_int_equal(peer_alert(c.peer), cases[i / 4].alert);
		connection_close(&c);
	}
}

/* Gives the peer's @message in parts: it is declined with a warning, and reading goes on. */
static void expect_declined(uint32_t role, const uint8_t *message, size_t length, size_t part)
{
	struct connection c;

	establish(&c, role, NULL, 12, peer_openssl);
	for (unsigned int again = 0; again < 2; again++) {
		c.alert_record = -1;
		for (size_t at = 0; at < length; at += part) {
			assert_int_equal(c.alert_record, -1);
			feed(&c, HANDSHAKE, message + at, part < length - at ? part : length - at);
			assert_false(c.failed);
		}
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_DONE);
		assert_int_equal(c.alert_record, ALERT_NO_RENEGOTIATION);
		assert_int_equal(c.alert_level, 1);
	}
	connection_close(&c);
}

static void rfc5246_7_4_1_1_a_hello_request_is_declined_whole_and_in_parts(void **state)
{
	for (size_t part = 1; part <= 4; part++)
		expect_declined(TLS_HANDOFF_CLIENT, (const uint8_t *)HELLO_REQUEST, 4, part);
}

static void rfc5246_7_4_1_2_a_client_hello_is_declined_whole_and_in_parts(void **state)
{
	const uint8_t hello[4 + 300] = { 1, 0, 1, 44, 3, 3 };

	for (size_t part = 1; part < 400; part *= 7)
		expect_declined(TLS_HANDOFF_SERVER, hello, sizeof(hello), part);
}

static void rfc5246_7_4_1_other_messages_are_unexpected(void **state)
{
	uint8_t message[4] = { 0 };

	for (int type = 0; type < 256; type++) {
		message[0] = (uint8_t)type;
		if (type != 0)
			handshake_is_refused(TLS_HANDOFF_CLIENT, 12, message, sizeof(message),
					     ALERT_UNEXPECTED_MESSAGE, "to a client");
		if (type != 1)
			handshake_is_refused(TLS_HANDOFF_SERVER, 12, message, sizeof(message),
					     ALERT_UNEXPECTED_MESSAGE, "to a server");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8446_4_6_1_1_tickets_come_at_any_time),
		cmocka_unit_test(rfc8446_4_6_1_2_and_3_any_lifetime_is_taken),
		cmocka_unit_test(rfc8446_4_6_1_4_unknown_extensions_are_passed_over),
		cmocka_unit_test(rfc8446_4_6_1_8_a_ticket_of_a_client_is_unexpected),
		cmocka_unit_test(rfc8446_4_6_2_1_a_request_for_a_certificate_is_unexpected),
		cmocka_unit_test(rfc8446_4_6_2_2_a_certificate_that_nobody_asked_for_is_unexpected),
		cmocka_unit_test(rfc8446_4_6_0_1_other_handshake_messages_are_unexpected),
		cmocka_unit_test(rfc8446_4_6_3_2_what_follows_a_key_update_has_the_next_key),
		cmocka_unit_test(rfc8446_4_6_3_3_another_request_is_an_illegal_parameter),
		cmocka_unit_test(rfc8446_4_6_3_4_a_request_is_answered_before_more_data),
		cmocka_unit_test(rfc8446_4_6_3_7_requests_that_cross_are_both_answered),
		cmocka_unit_test(rfc8446_5_1_1_messages_in_one_record_are_all_read),
		cmocka_unit_test(rfc8446_5_1_2_a_message_may_be_cut_anywhere),
		cmocka_unit_test(rfc8446_5_1_3_nothing_comes_between_the_parts_of_a_message),
		cmocka_unit_test(rfc8446_5_1_4_a_key_update_ends_its_record),
		cmocka_unit_test(rfc8446_5_1_4_a_cut_key_update_ends_its_record),
		cmocka_unit_test(rfc8446_5_1_6_an_alert_record_holds_one_alert),
		cmocka_unit_test(rfc8446_5_0_4_records_of_other_types_are_unexpected),
		cmocka_unit_test(rfc8446_5_4_1_an_empty_handshake_record_is_unexpected),
		cmocka_unit_test(rfc8446_6_0_4_and_5_every_alert_is_fatal_whatever_its_level),
		cmocka_unit_test(rfc8446_6_0_4_tls_1_2_warnings_go_on),
		cmocka_unit_test(rfc8446_6_1_6_user_canceled_goes_on),
		cmocka_unit_test(rfc8446_6_2_1_an_alert_between_the_parts_of_a_message_is_told),
		cmocka_unit_test(rfc8446_6_0_6_what_cannot_be_parsed_is_a_decode_error),
		cmocka_unit_test(rfc8446_6_2_3_a_record_that_fails_in_the_kernel_has_its_alert),
		cmocka_unit_test(rfc5246_7_4_1_1_a_hello_request_is_declined_whole_and_in_parts),
		cmocka_unit_test(rfc5246_7_4_1_2_a_client_hello_is_declined_whole_and_in_parts),
		cmocka_unit_test(rfc5246_7_4_1_other_messages_are_unexpected),
	};

	return cmocka_run_group_tests(tests, fixture_set_up(client_and_server), fixture_tear_down);
}
