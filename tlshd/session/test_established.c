// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After the handshake: key updates in both directions, tickets, alerts and
 * everything a peer may do wrong with them.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_fixture.h"

/* lifetime 3600, age_add, nonce of 1, ticket of 4, no extensions */
#define TICKET "\4\0\0\x12\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\0"

static const char config[] = "[profile client]\n"
			     "truststore = ca.pem\n"
			     "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "[profile fast]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "rekey_seconds = 1\n";

static void key_update_of_the_peer_in_both_roles(void **state)
{
	struct connection c;

	for (size_t i = 0; i < 4; i++) {
		bool client = i % 2;

		establish(&c, client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, NULL, 13,
			  peers[i / 2]);
		connection_exchange(&c);
		for (unsigned int n = 1; n <= 5; n++) {
			peer_key_update(c.peer, false);
			connection_exchange(&c);
			assert_int_equal(c.rx_updates, n);
			assert_int_equal(c.tx_updates, 0);
		}
		connection_close(&c);
	}
}

static void key_update_with_every_cipher(void **state)
{
	struct peer_setup setup = peer_for(TLS_HANDOFF_SERVER, 13);
	struct connection c;

	for (size_t i = 0; i < SUITES; i++) {
		if (suites[i].version != setup.version)
			continue;
		setup.ciphers = suites[i].openssl;
		establish_with(&c, TLS_HANDOFF_SERVER, NULL, &setup, peer_openssl);
		peer_key_update(c.peer, true);
		connection_divert(&c);
		connection_await_updates(&c, 1);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void key_update_that_asks_for_ours(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	for (unsigned int n = 1; n <= 5; n++) {
		peer_key_update(c.peer, true);
		connection_divert(&c);
		connection_await_updates(&c, n);
		connection_exchange(&c);
		assert_int_equal(c.rx_updates, n);
	}
	connection_close(&c);
}

static void key_updates_that_cross(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	for (unsigned int n = 1; n <= 3; n++) {
		rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
		peer_key_update(c.peer, true);
		connection_divert(&c);
		connection_await_updates(&c, 2 * n);
		connection_exchange(&c);
	}
	connection_close(&c);
}

static void key_updates_wished_for_while_one_is_unsent_are_one(void **state)
{
	const struct tls_handoff_event event = { TLS_HANDOFF_EVENT_REKEY, 0 };
	struct connection c;

	establish_server(&c, 13);
	c.stuck = true;
	for (unsigned int n = 1; n <= 20; n++) {
		peer_key_update(c.peer, true);
		connection_divert(&c);
		while (c.rx_updates < n)
			assert_true(rig_step(&rig));
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
		rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	}
	connection_exchange(&c);
	assert_int_equal(c.tx_updates, 1);
	/* It is out: one more serves all of them, and then there is nothing left to say */
	c.stuck = false;
	rig_send(&rig, CHANNEL_SENT, c.id, NULL, 0);
	connection_await_updates(&c, 2);
	rig_send(&rig, CHANNEL_SENT, c.id, NULL, 0);
	connection_exchange(&c);
	assert_int_equal(c.tx_updates, 2);
	peer_key_update(c.peer, true);
	connection_divert(&c);
	connection_await_updates(&c, 3);
	connection_exchange(&c);
	connection_close(&c);
}

static void key_update_of_our_own(void **state)
{
	const struct tls_handoff_event event = { TLS_HANDOFF_EVENT_REKEY, 0 };
	struct connection c;

	establish(&c, TLS_HANDOFF_SERVER, "server", 13, peer_gnutls);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_updates(&c, 1);
	connection_exchange(&c);
	connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
	connection_await_updates(&c, 2);
	connection_exchange(&c);
	assert_int_equal(c.rx_updates, 0);
	connection_close(&c);
}

static void key_update_is_asked_of_a_peer_whose_key_is_used_up(void **state)
{
	const struct tls_handoff_event event = { TLS_HANDOFF_EVENT_PEER_REKEY, 0 };
	struct connection c;

	for (size_t i = 0; i < 2; i++) {
		establish(&c, TLS_HANDOFF_SERVER, "server", 13, peers[i]);
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
		connection_await_updates(&c, 1);
		connection_exchange(&c);
		connection_exchange(&c);
		assert_int_equal(c.rx_updates, 1);
		assert_int_equal(c.tx_updates, 1);
		connection_close(&c);
	}
}

static void resync(const struct connection *c, uint64_t tx, uint64_t rx)
{
	const struct channel_restored kernels = { htole64(tx), htole64(rx) };

	rig_send(&rig, CHANNEL_RESYNC, c->id, &kernels, sizeof(kernels));
}

/* As if the agent had been killed with the keys in its hand. */
static void key_update_that_was_lost_with_the_agent_is_sent_again(void **state)
{
	struct record_keys kernels;
	struct connection c;
	struct peer *peer;

	establish_server(&c, 13);
	kernels = c.rx;
	peer_key_update(c.peer, false);
	connection_divert(&c);
	assert_int_equal(c.rx_updates, 1);
	c.rx = kernels;
	resync(&c, 0, 0);
	while (c.rx_updates < 2)
		assert_true(rig_step(&rig));
	connection_exchange(&c);

	kernels = c.tx;
	peer = c.peer;
	c.peer = NULL;
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_updates(&c, 1);
	c.peer = peer;
	c.tx = kernels;
	resync(&c, 0, 1);
	connection_await_updates(&c, 2);
	connection_exchange(&c);
	/* And it goes on from there. */
	resync(&c, 1, 1);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_updates(&c, 3);
	connection_exchange(&c);
	assert_int_equal(c.rx_updates, 2);
	connection_close(&c);
}

static void key_updates_that_were_never_made_are_refused(void **state)
{
	static const uint64_t counts[][2] = { { 1, 0 }, { 0, 1 }, { UINT64_MAX, 7 } };
	struct connection c;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		establish_server(&c, 13);
		resync(&c, counts[i][0], counts[i][1]);
		connection_await_failure(&c);
		assert_int_equal(c.status, EPROTO);
		connection_close(&c);
	}
}

static void key_update_when_the_key_is_old(void **state)
{
	struct connection c;

	establish(&c, TLS_HANDOFF_SERVER, "fast", 13, peer_openssl);
	connection_await_updates(&c, 2);
	connection_exchange(&c);
	connection_close(&c);
}

static void a_used_up_tls_1_2_key_closes_the_connection(void **state)
{
	struct connection c;

	establish_server(&c, 12);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_failure(&c);
	assert_int_equal(c.status, EKEYEXPIRED);
	assert_int_equal(c.alert_record, 0);
	connection_close(&c);
}

static void expect_alert(struct connection *c, int alert, uint32_t status)
{
	connection_await_failure(c);
	assert_int_equal(c->alert_record, alert);
	assert_int_equal(c->alert_level, 2);
	assert_int_equal(c->alert_sent, alert);
	assert_int_equal(c->status, status);
	connection_close(c);
}

static void tickets_are_taken_and_reading_goes_on(void **state)
{
	static const char two[] = TICKET TICKET;
	struct connection c;

	establish_client(&c, 13);
	feed(&c, 22, TICKET, SIZE(TICKET));
	assert_int_equal(c.continues, 1);
	assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_DONE);
	feed(&c, 22, two, SIZE(two));
	assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_DONE);
	connection_close(&c);
}

static void a_key_update_behind_a_ticket_in_one_record_counts(void **state)
{
	static const char both[] = TICKET UPDATE;
	struct connection c;

	establish_client(&c, 13);
	feed(&c, 22, both, SIZE(both));
	assert_int_equal(c.rx_updates, 1);
	assert_int_equal(c.continues, 0);
	connection_close(&c);
}

static void fragments_are_put_together_wherever_they_are_cut(void **state)
{
	static const char message[] = TICKET UPDATE;
	struct connection c;

	for (size_t cut = 1; cut < SIZE(message); cut++) {
		/* a cut between the two messages leaves nothing to wait for */
		bool clean = cut == SIZE(TICKET);

		establish_client(&c, 13);
		feed(&c, 22, message, cut);
		assert_int_equal(c.last_continue,
				 clean ? TLS_HANDOFF_CONTINUE_DONE : TLS_HANDOFF_CONTINUE_MORE);
		assert_int_equal(c.rx_updates, 0);
		feed(&c, 22, message + cut, SIZE(message) - cut);
		assert_int_equal(c.rx_updates, 1);
		connection_close(&c);
	}
}

static void one_byte_a_record_is_put_together(void **state)
{
	struct connection c;

	establish_client(&c, 13);
	for (size_t i = 0; i + 1 < SIZE(UPDATE); i++) {
		feed(&c, 22, &UPDATE[i], 1);
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_MORE);
	}
	feed(&c, 22, &UPDATE[SIZE(UPDATE) - 1], 1);
	assert_int_equal(c.rx_updates, 1);
	connection_close(&c);
}

static void malformed_handshake_records_end_the_connection(void **state)
{
	static const struct {
		const char *name, *data;
		size_t length;
		int alert;
	} cases[] = {
#define CASE(name, data, alert) { name, data, SIZE(data), alert }
		CASE("empty record", "", 10),
		CASE("KeyUpdate that does not end its record", UPDATE TICKET, 10),
		CASE("two KeyUpdates in one record", UPDATE UPDATE, 10),
		CASE("unknown request", "\x18\0\0\1\2", 47),
		CASE("KeyUpdate without a body", "\x18\0\0\0", 50),
		CASE("KeyUpdate that is too long", "\x18\0\0\2\0\0", 50),
		CASE("ServerHello", "\2\0\0\0", 10),
		CASE("Finished", "\x14\0\0\1\0", 10),
		CASE("CertificateRequest", "\x0d\0\0\3\0\0\0", 10),
		CASE("message of 16 MiB", "\4\xff\xff\xff", 50),
		CASE("ticket that is empty", "\4\0\0\x0e\0\0\x0e\x10\1\2\3\4\1\0\0\0\0\0", 50),
		CASE("ticket with bytes behind it",
		     "\4\0\0\x13\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\0x", 50),
		CASE("ticket that ends early", "\4\0\0\x0a\0\0\x0e\x10\1\2\3\4\1\0", 50),
		CASE("ticket whose nonce is too long", "\4\0\0\x0a\0\0\x0e\x10\1\2\3\4\xff\0", 50),
#undef CASE
	};
	struct connection c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		establish_client(&c, 13);
		connection_record(&c, 22, cases[i].data, cases[i].length);
		connection_await_failure(&c);
		if (c.alert_record != cases[i].alert)
			fail_msg("%s: alert %d, expected %d", cases[i].name, c.alert_record,
				 cases[i].alert);
		expect_alert(&c, cases[i].alert, EPROTO);
	}
}

static void another_record_between_fragments_ends_the_connection(void **state)
{
	struct connection c;

	establish_client(&c, 13);
	feed(&c, 22, UPDATE, 2);
	connection_record(&c, 21, "\1\x5a", 2); /* user_canceled */
	expect_alert(&c, 10, EPROTO);
}

static void a_ticket_from_a_client_ends_the_connection(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	connection_record(&c, 22, TICKET, SIZE(TICKET));
	expect_alert(&c, 10, EPROTO);
}

static void records_of_other_types_end_the_connection(void **state)
{
	static const uint8_t types[] = { 20, 23, 24, 99 };
	struct connection c;

	for (size_t i = 0; i < sizeof(types); i++) {
		establish_client(&c, 13);
		connection_record(&c, types[i], "\1", 1);
		expect_alert(&c, 10, EPROTO);
	}
}

static void key_updates_without_data_between_them_are_limited(void **state)
{
	const struct tls_handoff_event data = { TLS_HANDOFF_EVENT_DATA, 0 };
	struct connection c;

	establish_client(&c, 13);
	for (int round = 0; round < 3; round++) {
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &data, sizeof(data));
		for (int i = 0; i < 32; i++)
			feed(&c, 22, UPDATE, SIZE(UPDATE));
	}
	assert_int_equal(c.rx_updates, 96);
	connection_record(&c, 22, UPDATE, SIZE(UPDATE));
	expect_alert(&c, 10, EPROTO);
}

static void alerts_of_the_peer(void **state)
{
	struct connection c;

	establish_client(&c, 13);
	connection_record(&c, 21, "\1\0", 2);	/* close_notify */
	connection_record(&c, 21, "\1\x5a", 2); /* user_canceled */
	feed(&c, 22, TICKET, SIZE(TICKET));	/* still there */
	connection_record(&c, 21, "\1\x50", 2); /* fatal whatever its level */
	connection_await_failure(&c);
	assert_int_equal(c.status, ECONNRESET);
	assert_int_equal(c.alert_received, 80);
	assert_int_equal(c.alert_record, -1);
	assert_non_null(strstr(c.words, "internal_error"));
	connection_close(&c);

	establish_client(&c, 13);
	connection_record(&c, 21, "\1", 1);
	expect_alert(&c, 50, EINVAL);

	establish_server(&c, 12);
	connection_record(&c, 21, "\1\x64", 2); /* a warning of TLS 1.2 */
	connection_record(&c, 21, "\2\x28", 2);
	connection_await_failure(&c);
	assert_int_equal(c.alert_received, 40);
	connection_close(&c);
}

static void records_that_fail_in_the_kernel_are_told_to_the_peer(void **state)
{
	static const struct {
		uint32_t error;
		int alert;
	} cases[] = {
		{ EBADMSG, 20 },
		{ EMSGSIZE, 22 },
		{ EINVAL, 50 },
		{ EPROTO, 10 },
	};
	struct connection c;
	char byte;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_handoff_event event = { TLS_HANDOFF_EVENT_FAILED, cases[i].error };

		establish_server(&c, i % 2 ? 12 : 13);
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));
		connection_await_failure(&c);
		assert_int_equal(peer_read(c.peer, &byte, 1), -1);
		assert_int_equal(peer_alert(c.peer), cases[i].alert);
		expect_alert(&c, cases[i].alert, cases[i].error);
	}
}

static void renegotiation_is_declined(void **state)
{
	struct connection c;

	for (size_t i = 0; i < 3; i++) {
		/* HelloRequest from both kinds of server, ClientHello from OpenSSL */
		bool client = i < 2;

		establish(&c, client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, NULL, 12,
			  peers[i % 2]);
		peer_renegotiate(c.peer);
		connection_divert(&c);
		while (c.alert_record < 0)
			assert_true(rig_step(&rig));
		assert_int_equal(c.alert_record, 100);
		assert_int_equal(c.alert_level, 1);
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_DONE);
		assert_false(c.failed);
		connection_close(&c);
	}
}

static void the_environment_cannot_ask_for_secrets(void **state)
{
	const struct peer_setup client = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");
	struct connection c;
	struct rig other;

	setenv("SSLKEYLOGFILE", "secrets", 1);
	setenv("GNUTLS_DEBUG_LEVEL", "99", 1);
	rig_start(&other, config);
	unsetenv("SSLKEYLOGFILE");
	unsetenv("GNUTLS_DEBUG_LEVEL");
	connection_open(&c, &other, &options, peer_openssl(&client));
	connection_run(&c);
	connection_exchange(&c);
	connection_close(&c);
	rig_stop(&other);
	assert_int_equal(access("secrets", F_OK), -1);
	/* of the library's start and the key holder's there may be lines, of a handshake none */
	assert_false(rig_log_has(&other, "HSK["));
	assert_false(rig_log_has(&other, "INT: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_update_of_the_peer_in_both_roles),
		cmocka_unit_test(key_update_with_every_cipher),
		cmocka_unit_test(key_update_that_asks_for_ours),
		cmocka_unit_test(key_updates_that_cross),
		cmocka_unit_test(key_updates_wished_for_while_one_is_unsent_are_one),
		cmocka_unit_test(key_update_of_our_own),
		cmocka_unit_test(key_update_is_asked_of_a_peer_whose_key_is_used_up),
		cmocka_unit_test(key_update_that_was_lost_with_the_agent_is_sent_again),
		cmocka_unit_test(key_updates_that_were_never_made_are_refused),
		cmocka_unit_test(key_update_when_the_key_is_old),
		cmocka_unit_test(a_used_up_tls_1_2_key_closes_the_connection),
		cmocka_unit_test(tickets_are_taken_and_reading_goes_on),
		cmocka_unit_test(a_key_update_behind_a_ticket_in_one_record_counts),
		cmocka_unit_test(fragments_are_put_together_wherever_they_are_cut),
		cmocka_unit_test(one_byte_a_record_is_put_together),
		cmocka_unit_test(malformed_handshake_records_end_the_connection),
		cmocka_unit_test(another_record_between_fragments_ends_the_connection),
		cmocka_unit_test(a_ticket_from_a_client_ends_the_connection),
		cmocka_unit_test(records_of_other_types_end_the_connection),
		cmocka_unit_test(key_updates_without_data_between_them_are_limited),
		cmocka_unit_test(alerts_of_the_peer),
		cmocka_unit_test(records_that_fail_in_the_kernel_are_told_to_the_peer),
		cmocka_unit_test(renegotiation_is_declined),
		cmocka_unit_test(the_environment_cannot_ask_for_secrets),
	};

	return cmocka_run_group_tests(tests, fixture_set_up(config), fixture_tear_down);
}
