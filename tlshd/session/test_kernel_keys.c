// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes of kernel consumers: with keys in kernel keyrings, which the key holder
 * inherits from here, of type "user" instead of NVMe's "psk".
 */
#include <endian.h>
#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

#include "test_fixture.h"
#include "test_pki.h"

#define IDENTITY     "NVMe0R01 nqn.2014-08.org:host nqn.2014-08.org:disk"
#define IDENTITY_384 "NVMe1R02 nqn.2014-08.org:host nqn.2014-08.org:disk"
#define NO_SUCH_KEY  2147483647

/* One with a certificate of its own, which peers do not believe */
static const char config[] = "[profile client]\n"
			     "truststore = ca.pem\n"
			     "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "[profile own]\n"
			     "truststore = ca.pem\n"
			     "certificate = rogue.pem\n"
			     "private_key = rogue.key\n";

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
	return fixture_set_up(config)(state);
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

static key_serial_t add_output(const char *command)
{
	FILE *pipe = popen(command, "re");
	char data[8192];
	key_serial_t serial;
	size_t length;

	assert_non_null(pipe);
	length = fread(data, 1, sizeof(data), pipe);
	assert_int_equal(pclose(pipe), 0);
	serial = add_key("user", command, data, length, keyring);
	if (serial < 0)
		fail_msg("%s: %s", command, strerror(errno));
	return serial;
}

/* A client of profile "own" to a server that wants a certificate of ca.pem */
static void run_with_certificate(key_serial_t certificate, key_serial_t private_key,
				 uint32_t client_cert, struct peer_setup *server,
				 struct connection *c)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, "own");

	server->ca = "ca.pem";
	server->require_certificate = true;
	attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	attr_put_u32(&options, CHANNEL_A_KEYRING, 0);
	attr_put_u32(&options, CHANNEL_A_CLIENT_CERT, client_cert);
	if (certificate) {
		attr_put_u32(&options, CHANNEL_A_CERT_KEY, (uint32_t)certificate);
		attr_put_u32(&options, CHANNEL_A_PRIVATE_KEY, (uint32_t)private_key);
	}
	connection_open(c, &rig, &options, peer_openssl(server));
	connection_run(c);
}

static void check_certificate(const char *certificate, const char *private_key, int version)
{
	struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, version);
	struct connection c;

	run_with_certificate(add_output(certificate), add_output(private_key),
			     TLS_HANDOFF_CERT_REQUIRE, &server, &c);
	if (c.failed)
		fail_msg("%s: %s", private_key, c.words);
	connection_exchange(&c);
	connection_close(&c);
}

static void a_kernel_certificate_is_shown_instead_of_the_profiles(void **state)
{
	need_keyrings();
	for (int version = 12; version <= 13; version++) {
		check_certificate("openssl x509 -in client.pem -outform der",
				  "openssl pkey -in client.key -outform der", version);
		check_certificate("openssl x509 -in client.pem -outform der",
				  "openssl ec -in client.key -outform der 2>/dev/null", version);
		check_certificate("cat client.pem", "cat client.key", version);
	}
}

static void a_client_that_shows_none_has_none(void **state)
{
	struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 12);
	struct connection c;

	need_keyrings();
	run_with_certificate(add_output("cat client.pem"), add_output("cat client.key"),
			     TLS_HANDOFF_CERT_NONE, &server, &c);
	assert_true(c.failed && c.alert_received == 40);
	connection_close(&c);
}

static void a_client_that_must_show_one_and_has_none_says_so(void **state)
{
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct attr_builder options;
	struct connection c;

	options = kernel_options(TLS_HANDOFF_CLIENT, TLS_HANDOFF_AUTH_X509, 0);
	attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	attr_put_u32(&options, CHANNEL_A_CLIENT_CERT, TLS_HANDOFF_CERT_REQUIRE);
	connection_open(&c, &rig, &options, peer_openssl(&server));
	connection_run(&c);
	assert_int_equal(c.status, ENOKEY);
	assert_non_null(strstr(c.words, "no certificate with a usable private key"));
	connection_close(&c);
}

static void certificate_is_refused(key_serial_t certificate, key_serial_t private_key,
				   uint32_t status, const char *words)
{
	struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	struct connection c;

	run_with_certificate(certificate, private_key, TLS_HANDOFF_CERT_REQUEST, &server, &c);
	check_refusal(&c, status, -1, words);
}

static void what_is_no_pair_is_refused_before_a_byte_is_sent(void **state)
{
	key_serial_t certificate, private_key;

	need_keyrings();
	certificate = add_output("openssl x509 -in client.pem -outform der");
	private_key = add_output("openssl pkey -in client.key -outform der");
	certificate_is_refused(certificate, add_output("openssl pkey -in rsa.key -outform der"),
			       EINVAL, "not that of the private key");
	certificate_is_refused(key, private_key, EINVAL, "its key: ");
	certificate_is_refused(certificate, key, EINVAL, "is not a DER private key");
	certificate_is_refused(certificate, keyring, EINVAL, "is not of type user");
	certificate_is_refused(NO_SUCH_KEY, private_key, ENOKEY, "there is no certificate");
	certificate_is_refused(certificate, hidden_key, EACCES, "not linked");
}

static void a_server_takes_no_certificate_of_the_kernels(void **state)
{
	struct attr_builder options;
	struct connection c;

	options = kernel_options(TLS_HANDOFF_SERVER, TLS_HANDOFF_AUTH_X509, 0);
	attr_put_u32(&options, CHANNEL_A_CERT_KEY, NO_SUCH_KEY);
	attr_put_u32(&options, CHANNEL_A_PRIVATE_KEY, NO_SUCH_KEY);
	connection_open(&c, &rig, &options, peer_openssl(&(struct peer_setup){ 0 }));
	connection_run(&c);
	assert_int_equal(c.status, EOPNOTSUPP);
	connection_close(&c);
}

static void with_a_kernel_certificate_nothing_is_resumed(void **state)
{
	struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 13);
	key_serial_t certificate, private_key;
	struct connection c;

	need_keyrings();
	certificate = add_output("cat client.pem");
	private_key = add_output("cat client.key");
	server.memory = peer_memory_new();
	for (int i = 0; i < 2; i++) {
		run_with_certificate(certificate, private_key, TLS_HANDOFF_CERT_REQUEST, &server,
				     &c);
		assert_true(c.done);
		assert_false(c.resumed);
		connection_exchange(&c);
		connection_close(&c);
	}
	assert_int_equal(counted("TicketsKept"), 0);
	peer_memory_free(server.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_psk_in_both_roles),
		cmocka_unit_test(an_identity_of_two_long_names),
		cmocka_unit_test(the_first_key_that_can_be_used_is_offered),
		cmocka_unit_test(a_client_without_a_key_sends_nothing),
		cmocka_unit_test(a_server_refuses_identities_that_its_keyring_has_not),
		cmocka_unit_test(a_kernel_certificate_is_shown_instead_of_the_profiles),
		cmocka_unit_test(a_client_that_shows_none_has_none),
		cmocka_unit_test(a_client_that_must_show_one_and_has_none_says_so),
		cmocka_unit_test(what_is_no_pair_is_refused_before_a_byte_is_sent),
		cmocka_unit_test(a_server_takes_no_certificate_of_the_kernels),
		cmocka_unit_test(with_a_kernel_certificate_nothing_is_resumed),
	};

	return cmocka_run_group_tests_name("kernel_keys", tests, set_up, fixture_tear_down);
}
