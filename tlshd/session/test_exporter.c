// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exporters say what OpenSSL and GnuTLS say, in both roles and versions.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_fixture.h"

/* One exporter, here and there */
static void compare(struct connection *c, const char *label, const char *context, size_t length)
{
	const struct peer_export export = {
		.label = label,
		.context = (const uint8_t *)context,
		.context_length = context ? strlen(context) : 0,
		.length = length,
	};
	uint8_t theirs[255];

	peer_export(c->peer, &export, theirs);
	connection_export(c, label, export.context, export.context_length, length);
	assert_int_equal(c->export_error, 0);
	assert_int_equal(c->export_length, length);
	assert_memory_equal(c->export, theirs, length);
}

static void compare_all(struct connection *c)
{
	static const size_t lengths[] = { 1, 16, 32, 33, 48, 49, 100, 255 };
	char long_context[256];
	uint8_t absent[32];

	memset(long_context, 'c', 255);
	long_context[255] = 0;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		compare(c, "EXPERIMENTAL a label", "a context", lengths[i]);
	compare(c, "EXPORTER-Channel-Binding", "", 32);
	compare(c, "EXPERIMENTAL a label", long_context, 32);
	compare(c, "EXPERIMENTAL a label", NULL, 32);
	memcpy(absent, c->export, sizeof(absent));
	compare(c, "EXPERIMENTAL a label", "", 32);
	/* RFC 8446 7.5: the same; RFC 5705 4: another one */
	if (c->version == TLS_1_3_VERSION)
		assert_memory_equal(absent, c->export, sizeof(absent));
	else
		assert_memory_not_equal(absent, c->export, sizeof(absent));
}

static void run(int version)
{
	struct peer_setup setup;
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		for (size_t i = 0; i < PEERS; i++) {
			establish(&c, role, NULL, version, peers[i]);
			compare_all(&c);
			connection_close(&c);
		}
		setup = peer_for(role, version);
		for (size_t i = 0; i < SUITES; i++) {
			if (suites[i].version != version)
				continue;
			setup.ciphers = suites[i].openssl;
			establish_with(&c, role, NULL, &setup, peer_openssl);
			compare_all(&c);
			connection_close(&c);
		}
	}
}

static void tls_1_3_in_both_roles_with_every_cipher(void **state)
{
	run(13);
}

static void tls_1_2_in_both_roles_with_every_cipher(void **state)
{
	run(12);
}

/* RFC 9266 */
static void the_channel_binding_is_the_peers(void **state)
{
	uint8_t theirs[32];
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		for (int version = 12; version <= 13; version++) {
			establish(&c, role, NULL, version, peer_gnutls);
			peer_binding(c.peer, theirs);
			connection_export(&c, "EXPORTER-Channel-Binding", (const uint8_t *)"", 0,
					  sizeof(theirs));
			assert_int_equal(c.export_error, 0);
			assert_memory_equal(c.export, theirs, sizeof(theirs));
			connection_close(&c);
		}
	}
}

static void key_updates_change_nothing(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	peer_key_update(c.peer, true);
	connection_divert(&c);
	connection_await_updates(&c, 1);
	compare_all(&c);
	connection_close(&c);
}

static void a_successor_says_the_same(void **state)
{
	struct connection c[2];

	for (int i = 0; i < 2; i++)
		establish_server(&c[i], 12 + i);
	rig_succeed(&rig);
	for (int i = 0; i < 2; i++) {
		compare_all(&c[i]);
		connection_close(&c[i]);
	}
}

static void a_resumed_session_has_a_secret_of_its_own(void **state)
{
	const struct peer_setup setup = { .version = 13, .memory = peer_memory_new() };
	uint8_t first[32];
	struct connection c;

	establish_with(&c, TLS_HANDOFF_SERVER, NULL, &setup, peer_openssl);
	connection_exchange(&c);
	peer_remember(c.peer);
	compare(&c, "EXPERIMENTAL a label", NULL, sizeof(first));
	memcpy(first, c.export, sizeof(first));
	connection_close(&c);
	establish_with(&c, TLS_HANDOFF_SERVER, NULL, &setup, peer_openssl);
	assert_true(peer_resumed(c.peer));
	compare_all(&c);
	compare(&c, "EXPERIMENTAL a label", NULL, sizeof(first));
	assert_memory_not_equal(first, c.export, sizeof(first));
	connection_close(&c);
	peer_memory_free(setup.memory);
}

static void tls_1_2_needs_an_extended_master_secret(void **state)
{
	const struct peer_setup setup = { .version = 12, .no_master_secret = true };
	struct connection c;

	establish_with(&c, TLS_HANDOFF_SERVER, NULL, &setup, peer_openssl);
	connection_export(&c, "EXPERIMENTAL a label", NULL, 0, 32);
	assert_int_equal(c.export_error, EOPNOTSUPP);
	assert_int_equal(c.export_length, 0);
	connection_exchange(&c);
	connection_close(&c);
}

static void what_cannot_be_is_einval(void **state)
{
	static const char *const reserved[] = { "client finished", "server finished",
						"master secret", "extended master secret",
						"key expansion" };
	char long_label[257];
	struct connection c;

	memset(long_label, 'l', 256);
	long_label[256] = 0;
	for (int version = 12; version <= 13; version++) {
		establish_server(&c, version);
		connection_export(&c, "", NULL, 0, 32);
		assert_int_equal(c.export_error, EINVAL);
		connection_export(&c, "a label", NULL, 0, 0);
		assert_int_equal(c.export_error, EINVAL);
		connection_export(&c, "a label", NULL, 0, 256);
		assert_int_equal(c.export_error, EINVAL);
		connection_export(&c, long_label, NULL, 0, 32);
		assert_int_equal(c.export_error, EINVAL);
		connection_export(&c, "a label", (const uint8_t *)long_label, 256, 32);
		assert_int_equal(c.export_error, EINVAL);
		/* "tls13 " counts */
		connection_export(&c, long_label + 256 - 250, NULL, 0, 32);
		assert_int_equal(c.export_error, version == 13 ? EINVAL : 0);
		connection_export(&c, long_label + 256 - 249, NULL, 0, 32);
		assert_int_equal(c.export_error, 0);
		for (size_t i = 0; i < 5; i++) {
			connection_export(&c, reserved[i], NULL, 0, 32);
			assert_int_equal(c.export_error, version == 12 ? EINVAL : 0);
		}
		connection_exchange(&c);
		connection_close(&c);
	}
}

static void a_malformed_request_ends_the_session(void **state)
{
	static const uint8_t cases[][14] = {
		{ 1, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0 },	   /* no label behind it */
		{ 1, 0, 0, 0, 1, 0, 0, 0, 32, 0, 2, 0, 'l' },	   /* unknown flags */
		{ 1, 0, 0, 0, 0, 0, 1, 0, 32, 0, 1, 0 },	   /* no context behind it */
		{ 1, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0, 'l', 'l' }, /* too much */
		{ 1, 0, 0 },
	};
	static const size_t lengths[] = { 12, 13, 12, 14, 3 };
	struct connection c;

	for (size_t i = 0; i < 5; i++) {
		establish_server(&c, 0);
		rig_send(&rig, CHANNEL_EXPORT, c.id, cases[i], lengths[i]);
		connection_await_failure(&c);
		assert_int_equal(c.status, EPROTO);
		connection_close(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_1_3_in_both_roles_with_every_cipher),
		cmocka_unit_test(tls_1_2_in_both_roles_with_every_cipher),
		cmocka_unit_test(the_channel_binding_is_the_peers),
		cmocka_unit_test(key_updates_change_nothing),
		cmocka_unit_test(a_successor_says_the_same),
		cmocka_unit_test(a_resumed_session_has_a_secret_of_its_own),
		cmocka_unit_test(tls_1_2_needs_an_extended_master_secret),
		cmocka_unit_test(what_cannot_be_is_einval),
		cmocka_unit_test(a_malformed_request_ends_the_session),
	};

	return cmocka_run_group_tests_name("exporter", tests, fixture_set_up(client_and_server),
					   fixture_tear_down);
}
