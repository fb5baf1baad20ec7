// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is left of secrets in the session handler's memory: looked for byte by
 * byte from outside, which needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "test_looker.h"
#include "test_pki.h"
#include "test_fixture.h"

static const char config[] = "[profile psk]\n"
			     "psk = alice:psk\n"
			     "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n";

static int set_up(void **state)
{
	looker_start();
	return fixture_set_up(config)(state);
}

static void psk_bytes(const char *hex, uint8_t *ret)
{
	unsigned int byte;

	for (size_t i = 0; i < LOOKER_SECRET; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		ret[i] = (uint8_t)byte;
	}
}

static void run_psk(uint32_t role, const char *hex)
{
	const struct peer_setup setup = { .server = role == TLS_HANDOFF_CLIENT,
					  .psk_identity = "alice",
					  .psk_hex = hex };
	struct attr_builder options = rig_options(role, "psk");
	struct connection c;

	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	if (role == TLS_HANDOFF_CLIENT)
		attr_put_string(&options, CHANNEL_A_PSK_IDENTITY, "alice");
	connection_open(&c, &rig, &options, peer_openssl(&setup));
	connection_run(&c);
	connection_close(&c);
}

static void nothing_is_left_of_a_pre_shared_key(void **state)
{
	uint8_t psk[LOOKER_SECRET];

	psk_bytes(PKI_PSK_HEX, psk);
	if (looker_places(rig.session, psk) < 0)
		skip();
	/* where it is at home, which also shows that it would be found */
	assert_true(looker_places(rig.keys, psk) > 0);
	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		run_psk(role, PKI_PSK_HEX);
		assert_int_equal(looker_places(rig.session, psk), 0);
		run_psk(role, PKI_OTHER_PSK_HEX);
		assert_int_equal(looker_places(rig.session, psk), 0);
	}
}

static const uint8_t *key_of(const struct record_keys *keys)
{
	return keys->info.aes_gcm_256.key;
}

static void nothing_is_left_of_record_keys(void **state)
{
	struct connection c;

	establish_server(&c, 0);
	assert_int_equal(c.cipher, TLS_CIPHER_AES_GCM_256);
	if (looker_places(rig.session, key_of(&c.tx)) < 0)
		skip();
	assert_int_equal(looker_places(rig.session, key_of(&c.tx)), 0);
	assert_int_equal(looker_places(rig.session, key_of(&c.rx)), 0);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_updates(&c, 1);
	assert_int_equal(looker_places(rig.session, key_of(&c.tx)), 0);
	connection_close(&c);
}

static void nothing_is_left_of_a_handshake_and_of_a_closed_connection(void **state)
{
	static const char *const labels[] = {
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
		"SERVER_HANDSHAKE_TRAFFIC_SECRET",
		"EXPORTER_SECRET",
		"CLIENT_TRAFFIC_SECRET_0",
		"SERVER_TRAFFIC_SECRET_0",
	};
	uint8_t secrets[5][LOOKER_SECRET];
	struct connection c, next;

	establish_server(&c, 0);
	for (size_t i = 0; i < 5; i++) {
		assert_true(peer_secret(c.peer, labels[i], secrets[i], LOOKER_SECRET));
		if (looker_places(rig.session, secrets[i]) < 0)
			skip();
		/* the last ones are what exporters and key updates are derived from */
		assert_int_equal(looker_places(rig.session, secrets[i]), i < 2 ? 0 : 1);
	}
	connection_close(&c);
	/* the next one's DONE tells that CLOSE was seen */
	establish(&next, TLS_HANDOFF_CLIENT, "server", 0, peer_openssl);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(looker_places(rig.session, secrets[i]), 0);
	connection_close(&next);
}

static void nothing_is_left_of_a_master_secret(void **state)
{
	uint8_t secret[LOOKER_SECRET];
	struct connection c;

	establish_server(&c, 12);
	assert_true(peer_secret(c.peer, "CLIENT_RANDOM", secret, sizeof(secret)));
	if (looker_places(rig.session, secret) < 0)
		skip();
	/* what exporters are derived from */
	assert_int_equal(looker_places(rig.session, secret), 1);
	connection_close(&c);
	establish_server(&c, 12);
	assert_int_equal(looker_places(rig.session, secret), 0);
	connection_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_of_a_pre_shared_key),
		cmocka_unit_test(nothing_is_left_of_record_keys),
		cmocka_unit_test(nothing_is_left_of_a_master_secret),
		cmocka_unit_test(nothing_is_left_of_a_handshake_and_of_a_closed_connection),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
