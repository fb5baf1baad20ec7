// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes of kernel consumers: with keys in kernel keyrings, which the key holder
 * inherits from here, of type "user" instead of NVMe's "psk".
 */
#include <endian.h>
#include <errno.h>
#include <keyutils.h>
#include <string.h>
#include <openssl/crypto.h>

#include "test_fixture.h"
#include "test_pki.h"

#define IDENTITY     "NVMe0R01 nqn.2014-08.org:host nqn.2014-08.org:disk"
#define IDENTITY_384 "NVMe1R02 nqn.2014-08.org:host nqn.2014-08.org:disk"
#define NO_SUCH_KEY  2147483647

static const char *no_keyrings; /* why not */
static key_serial_t keyring, key, other_key, key_384, other_keyring, hidden_key;

static key_serial_t add_psk(const char *identity, const char *hex, key_serial_t to)
{
	uint8_t secret[64];
	size_t length = 0;
	key_serial_t serial;

	assert_int_equal(OPENSSL_hexstr2buf_ex(secret, sizeof(secret), &length, hex, '\0'), 1);
	serial = add_key("user", identity, secret, length, to);
	assert_true(serial > 0);
	return serial;
}

static key_serial_t add_keyring(const char *name, key_serial_t to)
{
	key_serial_t serial = add_key("keyring", name, NULL, 0, to);

	assert_true(serial > 0);
	return serial;
}

/* What the programs inherit is made before they are started. */
static int set_up(void **state)
{
	if (keyctl_join_session_keyring(NULL) < 0) {
		no_keyrings = strerror(errno);
	} else {
		keyring = add_keyring("consumer", KEY_SPEC_SESSION_KEYRING);
		key = add_psk(IDENTITY, PKI_PSK_HEX, keyring);
		other_key = add_psk("other", PKI_OTHER_PSK_HEX, keyring);
		key_384 = add_psk(IDENTITY_384, PKI_PSK_HEX, keyring);
		other_keyring = add_keyring("another", KEY_SPEC_SESSION_KEYRING);
		hidden_key = add_psk("hidden", PKI_PSK_HEX, KEY_SPEC_PROCESS_KEYRING);
	}
	return fixture_set_up(client_and_server)(state);
}

static void need_keyrings(void)
{
	if (!no_keyrings)
		return;
	print_message("no kernel keyrings here: %s\n", no_keyrings);
	skip();
}

static struct attr_builder kernel_options(uint32_t role, uint32_t auth, key_serial_t named)
{
	struct attr_builder options =
		rig_options(role, role == TLS_HANDOFF_CLIENT ? "client" : "server");

	attr_put_u32(&options, CHANNEL_A_AUTH, auth);
	attr_put_u32(&options, CHANNEL_A_KEYRING, (uint32_t)named);
	return options;
}

static void put_keys(struct attr_builder *options, const key_serial_t *keys, size_t count)
{
	uint32_t wire[CHANNEL_MAX_PSK_KEYS];

	for (size_t i = 0; i < count; i++)
		wire[i] = htole32((uint32_t)keys[i]);
	attr_put(options, CHANNEL_A_PSK_KEYS, wire, count * sizeof(wire[0]));
}

static void run_client(const key_serial_t *keys, size_t count, const char *identity,
		       const char *hex, struct connection *c)
{
	const struct peer_setup server = { .server = true,
					   .psk_identity = identity,
					   .psk_hex = hex };
	struct attr_builder options;

	options = kernel_options(TLS_HANDOFF_CLIENT, TLS_HANDOFF_AUTH_PSK, keyring);
	put_keys(&options, keys, count);
	connection_open(c, &rig, &options, peer_openssl(&server));
	connection_run(c);
}

static void run_server(key_serial_t named, const char *identity, const char *hex,
		       struct connection *c)
{
	const struct peer_setup client = { .psk_identity = identity, .psk_hex = hex };
	struct attr_builder options;

	options = kernel_options(TLS_HANDOFF_SERVER, TLS_HANDOFF_AUTH_PSK, named);
	connection_open(c, &rig, &options, peer_openssl(&client));
	connection_run(c);
}

static void check_psk(struct connection *c, const char *identity, key_serial_t serial)
{
	if (c->failed)
		fail_msg("%s", c->words);
	assert_string_equal(c->identity, identity);
	assert_int_equal(c->psk_key, serial);
	assert_int_equal(c->version, TLS_1_3_VERSION);
	/* of the suites with SHA-256 */
	assert_int_equal(c->cipher, TLS_CIPHER_AES_GCM_128);
	connection_exchange(c);
	connection_close(c);
}

static void check_refusal(struct connection *c, uint32_t status, int alert, const char *words)
{
	assert_true(c->failed);
	if (c->status != status || c->alert_sent != alert || !strstr(c->words, words))
		fail_msg("%u, alert %d: %s", c->status, c->alert_sent, c->words);
	assert_int_equal(peer_alert(c->peer), alert);
	connection_close(c);
}

static void a_kernel_psk_in_both_roles(void **state)
{
	struct connection c;

	need_keyrings();
	run_client(&key, 1, IDENTITY, PKI_PSK_HEX, &c);
	check_psk(&c, "psk:" IDENTITY, key);
	run_server(keyring, IDENTITY, PKI_PSK_HEX, &c);
	check_psk(&c, "psk:" IDENTITY, key);
	run_server(keyring, "other", PKI_OTHER_PSK_HEX, &c);
	check_psk(&c, "psk:other", other_key);
}

static void an_identity_of_two_long_names(void **state)
{
	char identity[201], expected[4 + sizeof(identity)];
	struct connection c;
	key_serial_t serial;

	need_keyrings();
	memset(identity, 'n', sizeof(identity) - 1);
	identity[sizeof(identity) - 1] = 0;
	snprintf(expected, sizeof(expected), "psk:%s", identity);
	serial = add_psk(identity, PKI_PSK_HEX, keyring);
	run_client(&serial, 1, identity, PKI_PSK_HEX, &c);
	check_psk(&c, expected, serial);
	run_server(keyring, identity, PKI_PSK_HEX, &c);
	check_psk(&c, expected, serial);
}

static void the_first_key_that_can_be_used_is_offered(void **state)
{
	key_serial_t revoked;
	struct connection c;

	need_keyrings();
	revoked = add_psk("revoked", PKI_OTHER_PSK_HEX, keyring);
	assert_int_equal(keyctl_revoke(revoked), 0);
	run_client((key_serial_t[]){ NO_SUCH_KEY, revoked, key_384, key, other_key }, 5, IDENTITY,
		   PKI_PSK_HEX, &c);
	check_psk(&c, "psk:" IDENTITY, key);
	run_client((key_serial_t[]){ other_key, key }, 2, "other", PKI_OTHER_PSK_HEX, &c);
	check_psk(&c, "psk:other", other_key);
}

static void a_client_without_a_key_sends_nothing(void **state)
{
	struct connection c;

	need_keyrings();
	run_client((key_serial_t[]){ NO_SUCH_KEY, key_384 }, 2, IDENTITY, PKI_PSK_HEX, &c);
	check_refusal(&c, ENOKEY, -1, "there is no kernel key 2147483647");
	run_client(&hidden_key, 1, IDENTITY, PKI_PSK_HEX, &c);
	check_refusal(&c, EACCES, -1, "not linked");
	run_client(&key_384, 1, IDENTITY_384, PKI_PSK_HEX, &c);
	check_refusal(&c, EOPNOTSUPP, -1, "--hmac=1");
}

static void a_server_refuses_identities_that_its_keyring_has_not(void **state)
{
	struct connection c;

	need_keyrings();
	run_server(keyring, "mallory", PKI_PSK_HEX, &c);
	check_refusal(&c, EKEYREJECTED, 115, "\"mallory\" cannot be used: keyring");
	run_server(other_keyring, IDENTITY, PKI_PSK_HEX, &c);
	check_refusal(&c, EKEYREJECTED, 115, "has no such key");
	run_server(keyring, IDENTITY_384, PKI_PSK_HEX, &c);
	check_refusal(&c, EOPNOTSUPP, 115, "--hmac=1");
	run_server(keyring, IDENTITY, PKI_OTHER_PSK_HEX, &c);
	check_refusal(&c, EKEYREJECTED, 51, "than the kernel's keyring");
	run_server(key, IDENTITY, PKI_PSK_HEX, &c);
	check_refusal(&c, ENOTDIR, 80, "is no keyring");
	run_server(0, IDENTITY, PKI_PSK_HEX, &c);
	check_refusal(&c, EKEYREJECTED, 115, "named no keyring");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_psk_in_both_roles),
		cmocka_unit_test(an_identity_of_two_long_names),
		cmocka_unit_test(the_first_key_that_can_be_used_is_offered),
		cmocka_unit_test(a_client_without_a_key_sends_nothing),
		cmocka_unit_test(a_server_refuses_identities_that_its_keyring_has_not),
	};

	return cmocka_run_group_tests_name("kernel_keys", tests, set_up, fixture_tear_down);
}
