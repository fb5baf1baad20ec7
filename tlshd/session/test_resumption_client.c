// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As client: which tickets are offered to whom, how often and for how long, and
 * how many are kept.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "awaiting.h"
#include "test_looker.h"
#include "test_peer_internal.h"
#include "test_pki.h"
#include "test_resume.h"

#define HOUR 3600

static const char config[] = "[profile client]\n"
			     "truststore = ca.pem\n"
			     "unauth = yes\n"
			     "ticket_lifetime = 7200\n"
			     "resume_tls12 = yes\n"
			     "[profile other]\n"
			     "truststore = ca.pem\n"
			     "[profile tls13]\n"
			     "truststore = ca.pem\n"
			     "[profile none]\n"
			     "truststore = ca.pem\n"
			     "resume = no\n";

static int set_up(void **state)
{
	looker_start();
	return fixture_set_up_clock(config)(state);
}

static void with_peers(void (*body)(struct resume_test *test, struct peer_setup *setup))
{
	resume_with_peers(TLS_HANDOFF_CLIENT, "client", body);
}

static void once(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long kept;

	setup->version = 13;
	resume_expect(test, false);
	for (kept = counted("TicketsKept"); kept; kept--)
		resume_expect_again(test, true);
	assert_int_equal(counted("TicketsKept"), 0);
	resume_expect_again(test, false);
}

static void no_ticket_is_used_twice_for_resumption(void **state)
{
	with_peers(once);
}

static void once_in_tls12(struct resume_test *test, struct peer_setup *setup)
{
	setup->version = 12;
	resume_expect(test, false);
	assert_int_equal(counted("TicketsKept"), 1);
	resume_expect_again(test, true);
	resume_expect_again(test, false);
}

static void no_ticket_of_tls12_is_used_twice_for_resumption(void **state)
{
	with_peers(once_in_tls12);
}

static void lifetime(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long offered;

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		resume_expect(test, false);
		assert_true(counted("TicketsKept") > 0);
		/* OpenSSL says two hours, GnuTLS six, the profile two */
		rig_pass(2 * HOUR + 10);
		rig_count_becomes(&rig, "TicketsKept", 0);
		offered = counted("TicketsOffered");
		resume_expect_again(test, false);
		assert_int_equal(counted("TicketsOffered"), offered);
	}
}

static void tickets_are_forgotten_after_their_lifetime_even_if_nothing_is_resumed(void **state)
{
	with_peers(lifetime);
}

static void flushed(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
	assert_int_equal(rig_count(&rig, "TicketsKept"), 0);
	resume_expect_again(test, false);
}

static void nothing_is_resumed_after_a_flush(void **state)
{
	with_peers(flushed);
}

static void unknown(struct resume_test *test, struct peer_setup *setup)
{
	unsigned long long refused = counted("RefusedByPeer");

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		resume_expect(test, false);
		/* the peer has other keys now */
		peer_memory_free(setup->memory);
		setup->memory = peer_memory_new();
		resume_expect(test, false);
		assert_int_equal(counted("RefusedByPeer"), ++refused);
		resume_expect(test, true);
	}
}

static void a_peer_that_forgot_its_key_gets_a_full_handshake_instead_of_a_resumption(void **state)
{
	with_peers(unknown);
}

/* GnuTLS's servers would take a ticket of TLS 1.2 in TLS 1.3, and then say what nobody expects. */
static void other_version(struct resume_test *test, struct peer_setup *setup)
{
	for (int first = 12; first <= 13; first++) {
		if (first == 12 && test->make == peer_gnutls)
			continue;
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		setup->version = first;
		resume_expect(test, false);
		setup->version = 25 - first;
		resume_expect(test, false);
	}
}

static void
a_peer_that_speaks_another_version_now_gets_a_full_handshake_instead_of_a_resumption(void **state)
{
	with_peers(other_version);
}

static void limit_to_sha256(struct attr_builder *options)
{
	const uint16_t ciphers[] = { TLS_CIPHER_AES_GCM_128 };

	attr_put(options, CHANNEL_A_CIPHERS, ciphers, sizeof(ciphers));
}

static void unauthenticated(struct attr_builder *options)
{
	attr_put_u32(options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_UNAUTH);
}

static void with_alpn(struct attr_builder *options)
{
	attr_put(options, CHANNEL_A_ALPN, "\2h2", 3);
}

static void only_tls13(struct attr_builder *options)
{
	attr_put_u16(options, CHANNEL_A_MIN_VERSION, TLS_1_3_VERSION);
}

/* Nothing is offered that was got in another way. */
static void bound(struct resume_test *test, struct peer_setup *setup)
{
	const struct resume_test original = *test, others[] = {
		{ .profile = "other" },		{ .profile = "none" },
		{ .remote = "192.0.2.2:443" },	{ .remote = "192.0.2.1:444" },
		{ .peer_name = "server.test" }, { .peer_name = "127.0.0.1" },
		{ .more = limit_to_sha256 },	{ .more = unauthenticated },
		{ .more = with_alpn },		{ .more = only_tls13 },
		{ .more = resume_never },	{ .uid = 1001 },
	};
	unsigned long long offered = counted("TicketsOffered");

	setup->version = 13;
	setup->alpn = "h2";
	resume_expect(test, false);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		*test = original;
		if (others[i].profile)
			test->profile = others[i].profile;
		test->remote = others[i].remote;
		test->peer_name = others[i].peer_name;
		test->more = others[i].more;
		test->uid = others[i].uid;
		resume_expect_again(test, false);
		assert_int_equal(counted("TicketsOffered"), offered);
	}
	*test = original;
	resume_expect_again(test, true);
	assert_int_equal(counted("TicketsOffered"), offered + 1);
}

static void a_ticket_is_offered_only_as_it_was_got_or_nothing_is_resumed(void **state)
{
	with_peers(bound);
}

static void sha384(struct resume_test *test, struct peer_setup *setup)
{
	struct connection c;

	setup->version = 13;
	resume_connect(test, &c);
	assert_int_equal(c.cipher, TLS_CIPHER_AES_GCM_256);
	resume_close(test, &c);
	test->more = limit_to_sha256;
	resume_connect(test, &c);
	assert_int_equal(c.cipher, TLS_CIPHER_AES_GCM_128);
	assert_false(c.resumed);
	resume_close(test, &c);
	resume_expect(test, true);
}

static void a_ticket_of_sha384_does_not_hinder_a_client_of_sha256_to_resume(void **state)
{
	with_peers(sha384);
}

static void certificate_expires(struct resume_test *test, struct peer_setup *setup)
{
	struct connection c;

	setup->certificate = "hour.pem";
	setup->key = "hour.key";
	resume_expect(test, false);
	rig_pass(HOUR - 300);
	resume_expect(test, true);
	rig_pass(600);
	rig_count_becomes(&rig, "TicketsKept", 0);
	resume_try(test, &c);
	assert_true(c.failed);
	assert_int_equal(c.verify, TLS_HANDOFF_VERIFY_EXPIRED);
	connection_close(&c);
}

static void no_ticket_is_kept_for_resumption_longer_than_the_certificate_is_good(void **state)
{
	with_peers(certificate_expires);
}

static void a_resumed_server_is_known_by_its_certificate(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 0);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	struct connection c;

	resume_expect(&test, false);
	resume_connect(&test, &c);
	assert_true(c.resumed);
	assert_string_equal(c.identity, "dns:localhost");
	assert_true(c.certificate_length > 0);
	assert_int_equal(c.auth, TLS_HANDOFF_AUTH_X509);
	assert_int_equal(c.verify, 0);
	connection_close(&c);
	peer_memory_free(setup.memory);
}

/* What the peer was sent so far has an extension of this type with this content. */
static bool hello_has(const struct connection *c, const void *extension, size_t length)
{
	const struct queue *in = &c->peer->in;

	return memmem(in->bytes + in->start, in->length, extension, length);
}

static void a_resuming_client_asks_for_a_fresh_key_exchange_and_sends_no_early_data(void **state)
{
	static const uint8_t psk_dhe_ke_only[] = { 0, 45, 0, 2, 1, 1 };
	static const uint8_t early_data[] = { 0, 42, 0, 0 };
	static const uint8_t psk[] = { 0, 41 };
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 0);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, "client");
	struct connection c;

	resume_expect(&test, false);
	attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	attr_put_string(&options, CHANNEL_A_REMOTE, "192.0.2.1:443");
	connection_open(&c, &rig, &options, peer_openssl(&setup));
	/* ClientHello comes before READ */
	while (!c.want)
		assert_true(rig_step(&rig));
	assert_true(hello_has(&c, psk_dhe_ke_only, sizeof(psk_dhe_ke_only)));
	assert_true(hello_has(&c, psk, sizeof(psk)));
	assert_false(hello_has(&c, early_data, sizeof(early_data)));
	connection_run(&c);
	assert_true(c.resumed);
	connection_close(&c);
	peer_memory_free(setup.memory);
}

/* Gives the handler what is in the peer's queue, without the peer taking part. */
static void give_all(struct connection *c)
{
	uint8_t bytes[CHANNEL_MAX_BYTES];
	size_t n;

	while (!c->failed && (peer_pending(c->peer) || !c->want)) {
		if (!c->want) {
			assert_true(rig_step(&rig));
			continue;
		}
		n = peer_take(c->peer, bytes, c->want);
		c->want -= n;
		rig_send(&rig, CHANNEL_BYTES, c->id, bytes, n);
	}
}

/* A ServerHello of TLS 1.2 that says no more than "the session whose id you sent", and what a
 * server sends behind it.  Whoever saw ClientHello could say so. */
static void a_session_id_that_comes_back_is_no_resumption(void **state)
{
	static const uint8_t other_suites[][2] = { { 0xc0, 0x2c }, { 0x13, 0x02 } };
	uint8_t hello[] = { 22, 3, 3, 0, 84, 2, 0, 0, 80, 3, 3 }, tail[] = { 0, 0, 0, 0, 8 };
	static const uint8_t extensions[] = { 0xff, 1, 0, 1, 0, 0, 23, 0, 0 };
	static const uint8_t finished[] = { 20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 40 };
	const uint8_t filler[40] = { 1 };
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 0);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	struct attr_builder options;
	struct connection c;

	tail[4] = sizeof(extensions);
	hello[4] = sizeof(hello) - 5 + 32 + 1 + 32 + sizeof(tail) + sizeof(extensions);
	hello[8] = hello[4] - 4;
	for (size_t i = 0; i < sizeof(other_suites) / sizeof(other_suites[0]); i++) {
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		resume_expect(&test, false);
		options = rig_options(TLS_HANDOFF_CLIENT, "client");
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
		attr_put_string(&options, CHANNEL_A_REMOTE, "192.0.2.1:443");
		connection_open(&c, &rig, &options, peer_openssl(&setup));
		while (!c.want)
			assert_true(rig_step(&rig));
		/* record, handshake, version, random, then the id with its length */
		assert_int_equal(c.peer->in.bytes[c.peer->in.start + 5 + 4 + 2 + 32], 32);
		queue_put(&c.peer->out, hello, sizeof(hello));
		queue_put(&c.peer->out, filler, 32);
		queue_put(&c.peer->out, c.peer->in.bytes + c.peer->in.start + 43, 33);
		memcpy(tail, other_suites[i], 2);
		queue_put(&c.peer->out, tail, sizeof(tail));
		queue_put(&c.peer->out, extensions, sizeof(extensions));
		queue_put(&c.peer->out, finished, sizeof(finished));
		queue_put(&c.peer->out, filler, sizeof(filler));
		give_all(&c);
		assert_true(c.failed);
		assert_int_equal(c.alert_sent, 47);
		assert_string_equal(c.words, "The peer resumes a session of TLS 1.3 in TLS 1.2.");
		connection_close(&c);
	}
	peer_memory_free(setup.memory);
}

static void a_client_resumes_behind_hello_retry_request(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 13);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	struct connection c;

	setup.groups = "P-521";
	resume_expect(&test, false);
	resume_connect(&test, &c);
	assert_int_equal(peer_hellos(c.peer), 2);
	assert_true(c.resumed);
	resume_close(&test, &c);
	peer_memory_free(setup.memory);
}

static void
no_ticket_of_tls12_is_kept_without_extended_master_secret_or_where_it_is_not_wanted(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 12);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };

	setup.no_master_secret = true;
	rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
	resume_expect(&test, false);
	assert_int_equal(counted("TicketsKept"), 0);
	setup.no_master_secret = false;
	test.profile = "tls13";
	resume_expect(&test, false);
	assert_int_equal(counted("TicketsKept"), 0);
	peer_memory_free(setup.memory);
}

static void of_one_peer_only_the_newest_tickets_are_kept_for_resumption(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 13);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	unsigned long long evicted;
	struct connection c[4];

	rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
	evicted = counted("TicketsEvicted");
	for (size_t i = 0; i < 4; i++)
		resume_connect(&test, &c[i]);
	for (size_t i = 0; i < 4; i++)
		resume_close(&test, &c[i]);
	assert_int_equal(counted("TicketsKept"), TICKETS_PER_PEER);
	assert_int_equal(counted("TicketsEvicted"), evicted + 2 * 4 - TICKETS_PER_PEER);
	peer_memory_free(setup.memory);
}

/* The handler has it still; only this side forgets. */
static void leave(struct connection *c)
{
	for (size_t i = 0; i < RIG_MAX_CONNECTIONS; i++)
		if (rig.connections[i] == c)
			rig.connections[i] = NULL;
	peer_free(c->peer);
}

static void of_the_sessions_that_wait_for_tickets_to_resume_the_oldest_are_freed(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 13);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	struct connection first, second, middle, last;

	assert_int_equal(counted("SessionsAwaiting"), 0);
	resume_connect(&test, &first);
	resume_connect(&test, &second);
	assert_int_equal(counted("SessionsAwaiting"), 2);
	for (int i = 2; i < AWAITING_MAX_SESSIONS; i++) {
		resume_connect(&test, &middle);
		leave(&middle);
	}
	assert_int_equal(counted("SessionsAwaiting"), AWAITING_MAX_SESSIONS);
	resume_connect(&test, &last);
	assert_int_equal(counted("SessionsAwaiting"), AWAITING_MAX_SESSIONS);
	/* the first one's tickets come too late, the others' do not */
	connection_exchange(&first);
	assert_int_equal(counted("TicketsKept"), 0);
	connection_exchange(&second);
	assert_int_equal(counted("TicketsKept"), 2);
	assert_int_equal(counted("SessionsAwaiting"), AWAITING_MAX_SESSIONS - 1);
	connection_close(&last);
	assert_int_equal(counted("SessionsAwaiting"), AWAITING_MAX_SESSIONS - 2);
	rig_pass(AWAITING_MAX_SECONDS + 2);
	rig_count_becomes(&rig, "SessionsAwaiting", 0);
	connection_close(&first);
	connection_close(&second);
	peer_memory_free(setup.memory);
}

static void nothing_is_left_of_a_kept_secret_after_a_flush(void **state)
{
	struct peer_setup setup = resume_peer(TLS_HANDOFF_CLIENT, 12);
	struct resume_test test = { TLS_HANDOFF_CLIENT, "client", peer_openssl, &setup };
	uint8_t secret[LOOKER_SECRET];
	struct connection c;

	/* forgotten by a flush, and by being used; the connection itself is gone before */
	for (int used = 0; used < 2; used++) {
		rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		resume_connect(&test, &c);
		assert_true(peer_secret(c.peer, "CLIENT_RANDOM", secret, sizeof(secret)));
		connection_close(&c);
		assert_int_equal(counted("TicketsKept"), 1);
		if (looker_places(rig.session, secret) < 0)
			break;
		assert_int_equal(looker_places(rig.session, secret), 1);
		if (used)
			resume_expect_again(&test, true);
		else
			rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
		counted("TicketsKept");
		assert_int_equal(looker_places(rig.session, secret), 0);
	}
	peer_memory_free(setup.memory);
}

#define RESUMPTION_TEST(function) cmocka_unit_test_setup(function, fixture_forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESUMPTION_TEST(no_ticket_is_used_twice_for_resumption),
		RESUMPTION_TEST(no_ticket_of_tls12_is_used_twice_for_resumption),
		RESUMPTION_TEST(
			tickets_are_forgotten_after_their_lifetime_even_if_nothing_is_resumed),
		RESUMPTION_TEST(nothing_is_resumed_after_a_flush),
		RESUMPTION_TEST(
			a_peer_that_forgot_its_key_gets_a_full_handshake_instead_of_a_resumption),
		RESUMPTION_TEST(
			a_peer_that_speaks_another_version_now_gets_a_full_handshake_instead_of_a_resumption),
		RESUMPTION_TEST(a_ticket_is_offered_only_as_it_was_got_or_nothing_is_resumed),
		RESUMPTION_TEST(a_ticket_of_sha384_does_not_hinder_a_client_of_sha256_to_resume),
		RESUMPTION_TEST(
			no_ticket_is_kept_for_resumption_longer_than_the_certificate_is_good),
		RESUMPTION_TEST(a_resumed_server_is_known_by_its_certificate),
		RESUMPTION_TEST(
			a_resuming_client_asks_for_a_fresh_key_exchange_and_sends_no_early_data),
		RESUMPTION_TEST(a_session_id_that_comes_back_is_no_resumption),
		RESUMPTION_TEST(a_client_resumes_behind_hello_retry_request),
		RESUMPTION_TEST(
			no_ticket_of_tls12_is_kept_without_extended_master_secret_or_where_it_is_not_wanted),
		RESUMPTION_TEST(of_one_peer_only_the_newest_tickets_are_kept_for_resumption),
		RESUMPTION_TEST(
			of_the_sessions_that_wait_for_tickets_to_resume_the_oldest_are_freed),
		RESUMPTION_TEST(nothing_is_left_of_a_kept_secret_after_a_flush),
	};

	return cmocka_run_group_tests_name("resumption_client", tests, set_up, fixture_tear_down);
}
