// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes that succeed, end to end: tlshd-session and tlshd-keys against
 * OpenSSL and GnuTLS, and data through the keys that come out.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_pki.h"
#include "test_fixture.h"

static const char config[] = "[profile default]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem;rsa.pem;p384.pem\n"
			     "private_key = server.key;rsa.key;p384.key\n"
			     "client_cert = none\n"
			     "unauth = yes\n"
			     "[profile client]\n"
			     "truststore = ca.pem\n"
			     "certificate = client.pem\n"
			     "private_key = client.key\n"
			     "[profile mutual]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = require\n"
			     "[profile request]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = request\n"
			     "[profile psk]\n"
			     "psk = alice:psk\n"
			     "[profile raw]\n"
			     "truststore = client.pub\n"
			     "private_key = server.key\n"
			     "client_cert = require\n"
			     "[profile raw-client]\n"
			     "truststore = server.pub\n"
			     "private_key = client.key\n"
			     "[profile options]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "alpn = h2;http/1.1\n"
			     "rekey_records = 1000\n"
			     "truncation = eof\n"
			     "[profile bytes]\n"
			     "truststore = ca.pem\n"
			     "crl = crl.pem\n"
			     "rekey_records = 1000\n"
			     "rekey_bytes = 1638400\n"
			     "[profile pinned]\n"
			     "truststore = server.pem\n";

static void as_client(const char *profile, const char *name, make_peer make,
		      const struct peer_setup *setup, struct connection *c)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, profile);

	attr_put_string(&options, CHANNEL_A_PEER_NAME, name);
	connection_open(c, &rig, &options, make(setup));
	connection_run(c);
	if (c->failed)
		fail_msg("%s, version %d: %s", setup->server_name ? setup->server_name : "",
			 setup->version, c->words);
}

static void as_server(const char *profile, make_peer make, const struct peer_setup *setup,
		      struct connection *c)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, profile);

	connection_open(c, &rig, &options, make(setup));
	connection_run(c);
	if (c->failed)
		fail_msg("%s, version %d: %s", setup->server_name ? setup->server_name : "",
			 setup->version, c->words);
}

static void check_suite(const struct connection *c, const struct suite *suite)
{
	assert_int_equal(c->version, suite->version == 13 ? TLS_1_3_VERSION : TLS_1_2_VERSION);
	assert_int_equal(c->cipher, suite->cipher);
	assert_int_equal(c->tx.info.info.version, c->version);
	assert_int_equal(c->tx.info.info.cipher_type, c->cipher);
	assert_int_equal(c->verify, 0);
}

static void run_suites(make_peer make, bool openssl)
{
	struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct peer_setup client = { .ca = "ca.pem", .server_name = "localhost" };
	struct connection c;

	for (size_t i = 0; i < SUITES; i++) {
		server.version = client.version = suites[i].version;
		server.ciphers = client.ciphers = openssl ? suites[i].openssl : suites[i].gnutls;
		as_client("client", "localhost", make, &server, &c);
		check_suite(&c, &suites[i]);
		connection_exchange(&c);
		connection_close(&c);
		as_server("default", make, &client, &c);
		check_suite(&c, &suites[i]);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void every_cipher_and_version_with_openssl(void **state)
{
	run_suites(peer_openssl, true);
}

static void every_cipher_and_version_with_gnutls(void **state)
{
	run_suites(peer_gnutls, false);
}

static void the_identity_is_the_name_that_matched(void **state)
{
	static const struct {
		const char *name, *identity;
	} cases[] = {
		{ "localhost", "dns:localhost" },      { "SERVER.test", "dns:server.test" },
		{ "server.test.", "dns:server.test" }, { "any.wild.test", "dns:*.wild.test" },
		{ "127.0.0.1", "ip:127.0.0.1" },       { "::1", "ip:::1" },
	};
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct connection c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		as_client("client", cases[i].name, peer_openssl, &server, &c);
		assert_string_equal(c.identity, cases[i].identity);
		assert_true(c.certificate_length > 100);
		assert_int_equal(c.auth, TLS_HANDOFF_AUTH_X509);
		connection_close(&c);
	}
}

static void the_certificate_is_chosen_by_server_name(void **state)
{
	struct peer_setup client = { .ca = "ca.pem" };
	static const char *const names[] = { "localhost", "rsa.test", "p384.test" };
	struct connection c;

	for (size_t i = 0; i < 6; i++) {
		client.server_name = names[i % 3];
		client.version = i < 3 ? 13 : 12;
		as_server("default", peer_gnutls, &client, &c);
		assert_string_equal(c.server_name, names[i % 3]);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void the_certificate_is_chosen_by_key_type(void **state)
{
	const struct peer_setup client = { .version = 12,
					   .ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
					   .ca = "ca.pem" };
	struct connection c;

	as_server("default", peer_openssl, &client, &c);
	connection_exchange(&c);
	connection_close(&c);
}

static void every_signature_scheme_of_our_keys(void **state)
{
	static const struct {
		const char *name, *scheme;
		int version;
	} cases[] = {
		{ "localhost", "ecdsa_secp256r1_sha256", 12 },
		{ "localhost", "ecdsa_secp256r1_sha256", 13 },
		{ "p384.test", "ecdsa_secp384r1_sha384", 12 },
		{ "p384.test", "ecdsa_secp384r1_sha384:ecdsa_secp256r1_sha256", 13 },
		{ "rsa.test", "rsa_pss_rsae_sha256", 12 },
		{ "rsa.test", "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", 13 },
		{ "rsa.test", "rsa_pss_rsae_sha384", 13 },
		{ "rsa.test", "rsa_pss_rsae_sha512", 13 },
		{ "rsa.test", "RSA+SHA256", 12 },
		{ "rsa.test", "RSA+SHA384", 12 },
		{ "rsa.test", "RSA+SHA512", 12 },
	};
	struct connection c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct peer_setup client = { .version = cases[i].version,
						   .server_name = cases[i].name,
						   .signatures = cases[i].scheme };

		as_server("default", peer_openssl, &client, &c);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void a_group_that_was_not_guessed_takes_a_second_hello(void **state)
{
	const struct peer_setup client = { .groups = "P-521", .server_name = "localhost" };
	const struct peer_setup server = {
		.server = true, .certificate = "server.pem", .key = "server.key", .groups = "P-521"
	};
	struct connection c;

	as_server("default", peer_openssl, &client, &c);
	assert_string_equal(c.server_name, "localhost");
	connection_exchange(&c);
	connection_close(&c);
	as_client("client", "localhost", peer_openssl, &server, &c);
	connection_exchange(&c);
	connection_close(&c);
}

static void a_slow_key_holds_up_nobody_else(void **state)
{
	const struct peer_setup client = { .server_name = "localhost" };
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "default");
	struct connection waiting, c;

	kill(rig.keys, SIGSTOP);
	connection_open(&waiting, &rig, &options, peer_openssl(&client));
	while (!waiting.want)
		assert_true(rig_step(&rig));
	connection_relay(&waiting);
	for (int i = 0; i < 3; i++) {
		/* needs no key of ours */
		as_client("client", "localhost", peer_openssl, &server, &c);
		connection_exchange(&c);
		connection_close(&c);
	}
	assert_false(waiting.done || waiting.failed);
	kill(rig.keys, SIGCONT);
	connection_run(&waiting);
	connection_exchange(&waiting);
	connection_close(&waiting);
}

static void mutual_authentication_in_both_roles_and_versions(void **state)
{
	struct peer_setup client = { .certificate = "client.pem",
				     .key = "client.key",
				     .ca = "ca.pem",
				     .server_name = "localhost" };
	struct peer_setup server = { .server = true,
				     .certificate = "server.pem",
				     .key = "server.key",
				     .ca = "ca.pem",
				     .require_certificate = true };
	struct connection c;

	for (int version = 12; version <= 13; version++) {
		client.version = server.version = version;
		as_server("mutual", peer_openssl, &client, &c);
		assert_string_equal(c.identity, "dns:client.test");
		assert_true(c.certificate_length > 100);
		connection_exchange(&c);
		connection_close(&c);
		as_client("client", "localhost", peer_openssl, &server, &c);
		connection_exchange(&c);
		connection_close(&c);
		as_client("client", "localhost", peer_gnutls, &server, &c);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void a_requested_client_certificate_may_be_absent(void **state)
{
	struct peer_setup client = { .ca = "ca.pem", .server_name = "localhost" };
	struct connection c;

	for (client.version = 12; client.version <= 13; client.version++) {
		as_server("request", peer_openssl, &client, &c);
		assert_string_equal(c.identity, "");
		assert_int_equal(c.certificate_length, 0);
		connection_close(&c);
	}
}

static void a_pre_shared_key_in_both_roles(void **state)
{
	struct peer_setup setup = { .psk_identity = "alice", .psk_hex = PKI_PSK_HEX };
	struct attr_builder options;
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		setup.server = role == TLS_HANDOFF_CLIENT;
		options = rig_options(role, "psk");
		attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
		if (role == TLS_HANDOFF_CLIENT)
			attr_put_string(&options, CHANNEL_A_PSK_IDENTITY, "alice");
		connection_open(&c, &rig, &options, peer_openssl(&setup));
		connection_run(&c);
		assert_true(c.done);
		assert_string_equal(c.identity, "psk:alice");
		assert_int_equal(c.auth, TLS_HANDOFF_AUTH_PSK);
		assert_int_equal(c.version, TLS_1_3_VERSION);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void raw_public_keys_in_both_roles(void **state)
{
	struct peer_setup setup = { .raw = true, .require_certificate = true };
	struct attr_builder options;
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		bool client = role == TLS_HANDOFF_CLIENT;

		setup.server = client;
		setup.certificate = client ? "server.pem" : "client.pem";
		setup.key = client ? "server.key" : "client.key";
		options = rig_options(role, client ? "raw-client" : "raw");
		attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_RAWPK);
		connection_open(&c, &rig, &options, peer_openssl(&setup));
		connection_run(&c);
		if (c.failed)
			fail_msg("failed: %s", c.words);
		assert_memory_equal(c.identity, "rawpk:", 6);
		assert_int_equal(strlen(c.identity), 6 + 64);
		assert_int_equal(c.certificate_length, 0);
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void unauthenticated_where_the_profile_allows_it(void **state)
{
	const struct peer_setup server = { .server = true,
					   .certificate = "rogue.pem",
					   .key = "rogue.key" };
	const struct peer_setup client = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, "default");
	struct connection c;

	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_UNAUTH);
	connection_open(&c, &rig, &options, peer_openssl(&server));
	connection_run(&c);
	assert_true(c.done);
	assert_int_equal(c.auth, TLS_HANDOFF_AUTH_UNAUTH);
	assert_true(c.verify & TLS_HANDOFF_VERIFY_UNTRUSTED);
	assert_string_equal(c.identity, "");
	connection_exchange(&c);
	connection_close(&c);

	options = rig_options(TLS_HANDOFF_SERVER, "default");
	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_UNAUTH);
	connection_open(&c, &rig, &options, peer_openssl(&client));
	connection_run(&c);
	assert_true(c.done);
	connection_exchange(&c);
	connection_close(&c);
}

static void alpn_is_chosen_by_our_preference(void **state)
{
	struct peer_setup setup = { .alpn = "http/1.1", .server_name = "localhost" };
	struct connection c;

	as_server("options", peer_openssl, &setup, &c);
	assert_string_equal(c.alpn, "http/1.1");
	assert_int_equal(c.limit_records, 1000);
	assert_true(c.truncation_eof);
	connection_close(&c);
	setup.alpn = NULL;
	as_server("options", peer_openssl, &setup, &c);
	assert_string_equal(c.alpn, "");
	connection_close(&c);
	setup = (struct peer_setup){
		.server = true, .certificate = "server.pem", .key = "server.key", .alpn = "h2"
	};
	as_client("options", "localhost", peer_openssl, &setup, &c);
	assert_string_equal(c.alpn, "h2");
	connection_close(&c);
	setup.alpn = NULL;
	as_client("options", "localhost", peer_openssl, &setup, &c);
	assert_string_equal(c.alpn, "");
	connection_close(&c);
}

static void limits_of_the_profile_are_passed_on(void **state)
{
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct connection c;

	/* as few records as can hold so many bytes; and a revocation list that has others */
	as_client("bytes", "localhost", peer_openssl, &server, &c);
	assert_int_equal(c.limit_records, 100);
	assert_false(c.truncation_eof);
	connection_close(&c);
	as_client("client", "localhost", peer_openssl, &server, &c);
	assert_int_equal(c.limit_records, 0);
	connection_close(&c);
}

static void a_certificate_may_be_its_own_anchor(void **state)
{
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct connection c;

	as_client("pinned", "localhost", peer_openssl, &server, &c);
	connection_exchange(&c);
	connection_close(&c);
}

static void the_peers_record_size_limit_is_passed_on(void **state)
{
	struct peer_setup setup = { .server_name = "localhost", .record_size_limit = 1000 };
	struct connection c;

	setup.version = 13;
	as_server("default", peer_gnutls, &setup, &c);
	assert_int_equal(c.max_payload, 1000);
	connection_close(&c);
	setup.version = 12;
	as_server("default", peer_gnutls, &setup, &c);
	assert_int_equal(c.max_payload, 1000);
	connection_close(&c);
	setup.server = true;
	setup.certificate = "server.pem";
	setup.key = "server.key";
	as_client("client", "localhost", peer_gnutls, &setup, &c);
	assert_int_equal(c.max_payload, 1000);
	connection_close(&c);
	setup = (struct peer_setup){ .max_fragment = 512 };
	as_server("default", peer_openssl, &setup, &c);
	assert_int_equal(c.max_payload, 512);
	connection_close(&c);
	setup.max_fragment = 0;
	as_server("default", peer_openssl, &setup, &c);
	assert_int_equal(c.max_payload, 0);
	connection_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cipher_and_version_with_openssl),
		cmocka_unit_test(every_cipher_and_version_with_gnutls),
		cmocka_unit_test(the_identity_is_the_name_that_matched),
		cmocka_unit_test(the_certificate_is_chosen_by_server_name),
		cmocka_unit_test(the_certificate_is_chosen_by_key_type),
		cmocka_unit_test(every_signature_scheme_of_our_keys),
		cmocka_unit_test(a_group_that_was_not_guessed_takes_a_second_hello),
		cmocka_unit_test(a_slow_key_holds_up_nobody_else),
		cmocka_unit_test(mutual_authentication_in_both_roles_and_versions),
		cmocka_unit_test(a_requested_client_certificate_may_be_absent),
		cmocka_unit_test(a_pre_shared_key_in_both_roles),
		cmocka_unit_test(raw_public_keys_in_both_roles),
		cmocka_unit_test(unauthenticated_where_the_profile_allows_it),
		cmocka_unit_test(alpn_is_chosen_by_our_preference),
		cmocka_unit_test(limits_of_the_profile_are_passed_on),
		cmocka_unit_test(a_certificate_may_be_its_own_anchor),
		cmocka_unit_test(the_peers_record_size_limit_is_passed_on),
	};

	return cmocka_run_group_tests(tests, fixture_set_up(config), fixture_tear_down);
}
