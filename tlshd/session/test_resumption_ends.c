// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As server: what makes a ticket useless, and that it then takes a full handshake.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "test_peer_internal.h"
#include "test_pki.h"
#include "test_resume.h"

#define HOUR 3600

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "resume_tls12 = yes\n"
			     "[profile other]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "resume_tls12 = yes\n"
			     "[profile request]\n"
			     "truststore = ca.pem\n"
			     "crl = crl.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = request\n"
			     "ticket_lifetime = 36000\n"
			     "[profile tls13]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "[profile none]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "resume = no\n";

static void with_peers(void (*body)(struct resume_test *test, struct peer_setup *setup))
{
	resume_with_peers(TLS_HANDOFF_SERVER, "server", body);
}

static void lifetime(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedExpired");

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		resume_expect(test, false);
		rig_pass(HOUR - 10);
		resume_expect_again(test, true);
		rig_pass(20);
		resume_expect_again(test, false);
		assert_int_equal(counted("RefusedExpired"), ++refused);
	}
}

static void a_ticket_is_not_resumed_after_its_lifetime(void **state)
{
	with_peers(lifetime);
}

static void keys(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedUnknownKey");

	resume_expect(test, false);
	assert_int_equal(counted("TicketKeys"), 1);
	rig_pass(2 * HOUR - 10);
	assert_int_equal(counted("TicketKeys"), 1);
	rig_pass(20);
	rig_count_becomes(&rig, "TicketKeys", 0);
	resume_expect_again(test, false);
	assert_int_equal(counted("RefusedUnknownKey"), refused + 1);
}

static void
ticket_keys_are_gone_a_rotation_and_a_lifetime_after_they_were_made_even_if_nothing_is_resumed(
	void **state)
{
	with_peers(keys);
}

static void flushed(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedUnknownKey");

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		resume_expect(test, false);
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		assert_int_equal(rig_count(&rig, "TicketKeys"), 0);
		resume_expect_again(test, false);
		assert_int_equal(counted("RefusedUnknownKey"), ++refused);
	}
}

static void a_ticket_is_not_resumed_after_a_flush(void **state)
{
	with_peers(flushed);
}

static void rotated(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long issued;

	resume_expect(test, false);
	rig_tickets(&rig, CHANNEL_TICKETS_ROTATE);
	issued = counted("TicketsIssued");
	resume_expect_again(test, true);
	resume_expect_again(test, true);
	assert_int_equal(counted("TicketsIssued"), issued);
	/* a full handshake gets tickets under the new key */
	test->profile = "server";
	peer_memory_free(setup->memory);
	setup->memory = peer_memory_new();
	resume_expect(test, false);
	assert_int_equal(counted("TicketKeys"), 2);
	assert_int_equal(counted("TicketsIssued"), issued + 2);
	resume_expect(test, true);
	assert_int_equal(counted("TicketsIssued"), issued + 3);
}

static void
after_a_rotation_old_tickets_are_resumed_and_new_ones_issued_only_under_the_new_key(void **state)
{
	with_peers(rotated);
}

static void rotation(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	rig_pass(HOUR / 2);
	resume_expect(test, true);
	assert_int_equal(counted("TicketKeys"), 1);
	/* the key's hour is over, but not the ticket's */
	rig_pass(HOUR / 2 - 100);
	resume_expect_again(test, true);
	rig_pass(200);
	setup->server_name = "server.test";
	resume_expect_again(test, false);
	assert_int_equal(counted("TicketKeys"), 2);
}

static void ticket_keys_rotate_by_themselves_for_resumption(void **state)
{
	with_peers(rotation);
}

/* GnuTLS's next period begins between ClientHello and the tickets. */
static void connect_over_a_period(const struct resume_test *test)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, test->profile);
	struct connection c;
	bool passed = false;

	connection_open(&c, &rig, &options, test->make(test->setup));
	while (!c.done && !c.failed) {
		if (!passed && c.peer->in.length) {
			rig_pass(20);
			passed = true;
		}
		if (!connection_relay(&c))
			assert_true(rig_step(&rig));
	}
	assert_true(passed && c.done && !c.resumed);
	connection_run(&c);
	resume_close(test, &c);
}

static void period(struct resume_test *test, struct peer_setup *setup)
{
	const int64_t length = (int64_t)3 * HOUR;

	rig_hold_clock();
	rig_pass(2 * length - 10 - time(NULL) % length);
	for (setup->version = 12; setup->version <= 13; setup->version++) {
		connect_over_a_period(test);
		assert_false(rig_log_has(&rig, "names tickets in a new way"));
		rig_tickets(&rig, CHANNEL_TICKETS_ROTATE);
		resume_expect_again(test, true);
		rig_pass(length - 20);
	}
}

static void tickets_are_known_if_the_next_period_begins_before_they_are_issued(void **state)
{
	with_peers(period);
}

/* The last ticket is always the newest. */
static void chain(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	for (int i = 0; i < 5; i++) {
		rig_pass(HOUR / 6);
		resume_expect(test, true);
	}
	rig_pass(HOUR / 6 + 10);
	resume_expect(test, false);
}

static void a_chain_of_resumptions_ends_a_lifetime_after_its_full_handshake(void **state)
{
	with_peers(chain);
}

static void other_name(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedUnknownKey");

	/* no check of the name by the peer itself, which would not offer the ticket */
	setup->ca = NULL;
	resume_expect(test, false);
	setup->server_name = "server.test";
	resume_expect_again(test, false);
	assert_int_equal(counted("RefusedUnknownKey"), refused + 1);
	setup->server_name = NULL;
	resume_expect_again(test, false);
	setup->server_name = "localhost";
	resume_expect_again(test, true);
}

static void a_ticket_for_one_name_is_not_resumed_under_another(void **state)
{
	with_peers(other_name);
}

static void other_profile(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	test->profile = "other";
	resume_expect_again(test, false);
	test->profile = "server";
	resume_expect_again(test, true);
}

static void a_ticket_of_one_profile_is_not_resumed_under_another(void **state)
{
	with_peers(other_profile);
}

static void require_certificate(struct attr_builder *options)
{
	attr_put_u32(options, CHANNEL_A_CLIENT_CERT, TLS_HANDOFF_CERT_REQUIRE);
}

static void no_certificate(struct resume_test *test, struct peer_setup *setup)
{
	struct connection c;

	test->profile = "request";
	resume_expect(test, false);
	resume_expect_again(test, true);
	test->more = require_certificate;
	resume_try(test, &c);
	assert_true(c.failed);
	assert_int_equal(c.alert_sent, 116);
	assert_int_equal(c.verify, TLS_HANDOFF_VERIFY_MISSING);
	connection_close(&c);
}

static void a_ticket_got_without_a_certificate_is_not_resumed_where_one_is_required(void **state)
{
	with_peers(no_certificate);
}

static void certificate_expired(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedVerification"), resumed;
	struct connection c;

	setup->certificate = "hour.pem";
	setup->key = "hour.key";
	setup->ca = NULL;
	test->profile = "request";
	resume_expect(test, false);
	rig_pass(HOUR - 300);
	resumed = counted("ResumedAsServer");
	resume_expect_again(test, true);
	assert_int_equal(counted("ResumedAsServer"), resumed + 1);
	rig_pass(600);
	resume_try(test, &c);
	assert_true(c.failed);
	assert_int_equal(c.status, EKEYREJECTED);
	assert_int_equal(c.verify, TLS_HANDOFF_VERIFY_EXPIRED);
	assert_int_equal(c.alert_sent, 45);
	connection_close(&c);
	assert_int_equal(counted("RefusedVerification"), refused + 1);
	assert_int_equal(counted("ResumedAsServer"), resumed + 1);
}

static void a_client_whose_certificate_expired_since_is_refused_when_it_resumes(void **state)
{
	with_peers(certificate_expired);
}

static void identity(struct resume_test *test, struct peer_setup *setup)
{
	struct connection c;

	setup->certificate = "client.pem";
	setup->key = "client.key";
	test->profile = "request";
	resume_expect(test, false);
	resume_connect(test, &c);
	assert_true(c.resumed);
	assert_string_equal(c.identity, "dns:client.test");
	assert_true(c.certificate_length > 0);
	assert_string_equal(c.server_name, "localhost");
	assert_int_equal(c.auth, TLS_HANDOFF_AUTH_X509);
	connection_close(&c);
}

static void a_resumed_client_is_known_by_its_certificate(void **state)
{
	with_peers(identity);
}

static void switched_off(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long issued, refused = counted("RefusedPolicy");

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		test->more = NULL;
		resume_expect(test, false);
		resume_expect_again(test, true);
		issued = counted("TicketsIssued");
		test->more = resume_never;
		resume_expect_again(test, false);
		assert_int_equal(counted("RefusedPolicy"), ++refused);
		assert_int_equal(counted("TicketsIssued"), issued);
	}
	test->more = NULL;
	test->profile = "none";
	resume_expect_again(test, false);
	assert_int_equal(counted("TicketsIssued"), issued);
}

static void nothing_is_resumed_where_resumption_is_switched_off(void **state)
{
	with_peers(switched_off);
}

static void tls12(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long issued = counted("TicketsIssued");

	setup->version = 12;
	test->profile = "tls13";
	resume_expect_again(test, false);
	assert_int_equal(counted("TicketsIssued"), issued);
}

static void tls12_is_resumed_only_where_the_profile_says_so(void **state)
{
	with_peers(tls12);
}

static void other_version(struct resume_test *test, struct peer_setup *setup)
{
	setup->version = 12;
	resume_expect(test, false);
	/* GnuTLS's clients offer it all the same, and its servers would take it */
	setup->version = 13;
	resume_expect_again(test, false);
	setup->version = 12;
	resume_expect_again(test, true);
}

static void a_ticket_of_tls12_is_not_resumed_in_tls13(void **state)
{
	with_peers(other_version);
}

static void tls12_is_not_resumed_without_extended_master_secret(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_SERVER, 12);
	struct resume_test test = { TLS_HANDOFF_SERVER, "server", peer_openssl, &setup };
	unsigned long long issued = counted("TicketsIssued");

	setup.no_master_secret = true;
	resume_expect(&test, false);
	resume_expect_again(&test, false);
	assert_int_equal(counted("TicketsIssued"), issued);
	peer_memory_free(setup.memory);
}

static void hello_retry_request_and_resumption(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_SERVER, 13);
	struct resume_test test = { TLS_HANDOFF_SERVER, "server", peer_openssl, &setup };
	struct connection c;

	setup.groups = "X25519MLKEM768:P-256";
	resume_expect(&test, false);
	resume_connect(&test, &c);
	assert_int_equal(peer_hellos(c.peer), 2);
	assert_true(c.resumed && peer_resumed(c.peer));
	resume_close(&test, &c);
	peer_memory_free(setup.memory);
}

static void change_name(struct connection *c)
{
	struct queue *out = &c->peer->out;
	uint8_t *name = memmem(out->bytes + out->start, out->length, "localhost", 9);

	assert_non_null(name);
	name[8]++;
}

static void another_name_behind_hello_retry_request_is_refused_for_resumption(void **state)
{
	struct peer_setup setup = { .server_name = "localhost",
				    .version = 13,
				    .groups = "X25519MLKEM768:P-256" };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");
	struct connection c;
	bool changed = false;

	connection_open(&c, &rig, &options, peer_openssl(&setup));
	while (!c.done && !c.failed) {
		peer_handshake(c.peer);
		if (!changed && peer_hellos(c.peer) == 2) {
			change_name(&c);
			changed = true;
		}
		if (!connection_relay(&c))
			assert_true(rig_step(&rig));
	}
	assert_true(changed && c.failed);
	assert_int_equal(c.alert_sent, 47);
	assert_int_equal(c.status, EPROTO);
	connection_close(&c);
}

#define RESUMPTION_TEST(function) cmocka_unit_test_setup(function, fixture_forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESUMPTION_TEST(a_ticket_is_not_resumed_after_its_lifetime),
		RESUMPTION_TEST(
			ticket_keys_are_gone_a_rotation_and_a_lifetime_after_they_were_made_even_if_nothing_is_resumed),
		RESUMPTION_TEST(a_ticket_is_not_resumed_after_a_flush),
		RESUMPTION_TEST(
			after_a_rotation_old_tickets_are_resumed_and_new_ones_issued_only_under_the_new_key),
		RESUMPTION_TEST(ticket_keys_rotate_by_themselves_for_resumption),
		RESUMPTION_TEST(tickets_are_known_if_the_next_period_begins_before_they_are_issued),
		RESUMPTION_TEST(a_chain_of_resumptions_ends_a_lifetime_after_its_full_handshake),
		RESUMPTION_TEST(a_ticket_for_one_name_is_not_resumed_under_another),
		RESUMPTION_TEST(a_ticket_of_one_profile_is_not_resumed_under_another),
		RESUMPTION_TEST(
			a_ticket_got_without_a_certificate_is_not_resumed_where_one_is_required),
		RESUMPTION_TEST(
			a_client_whose_certificate_expired_since_is_refused_when_it_resumes),
		RESUMPTION_TEST(a_resumed_client_is_known_by_its_certificate),
		RESUMPTION_TEST(nothing_is_resumed_where_resumption_is_switched_off),
		RESUMPTION_TEST(tls12_is_resumed_only_where_the_profile_says_so),
		RESUMPTION_TEST(a_ticket_of_tls12_is_not_resumed_in_tls13),
		RESUMPTION_TEST(tls12_is_not_resumed_without_extended_master_secret),
		RESUMPTION_TEST(hello_retry_request_and_resumption),
		RESUMPTION_TEST(another_name_behind_hello_retry_request_is_refused_for_resumption),
	};

	return cmocka_run_group_tests_name("resumption_ends", tests, fixture_set_up_clock(config),
					   fixture_tear_down);
}
