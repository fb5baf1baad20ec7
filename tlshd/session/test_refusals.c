// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes that must fail: errno, verification status, alert and words of each,
 * and that nothing a peer or agent does harms the next connection.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failure.h"
#include "test_pki.h"
#include "test_fixture.h"

#define AT_ONCE 64

static const char config[] = "[profile client]\n"
			     "truststore = ca.pem\n"
			     "crl = crl.pem\n"
			     "certificate = client.pem\n"
			     "private_key = client.key\n"
			     "[profile stale]\n"
			     "truststore = ca.pem\n"
			     "crl = stale-crl.pem\n"
			     "[profile server]\n"
			     "truststore = ca.pem\n"
			     "crl = crl.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = require\n"
			     "alpn = h2\n"
			     "[profile request]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = request\n"
			     "resume = no\n"
			     "[profile strict]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "min_version = 1.3\n"
			     "ciphers = AES-128-GCM\n"
			     "[profile psk]\n"
			     "psk = alice:psk\n"
			     "[profile raw]\n"
			     "truststore = client.pub\n"
			     "private_key = server.key\n"
			     "client_cert = require\n"
			     "[profile keyless]\n"
			     "truststore = ca.pem\n"
			     "certificate = p384.pem\n";

struct refusal {
	uint32_t status, verify;
	int alert;
	const char *words; /* a part of them */
};

static void check(struct connection *c, const struct refusal *expected)
{
	connection_run(c);
	assert_true(c->failed);
	if (c->status != expected->status || c->verify != expected->verify ||
	    c->alert_sent != expected->alert || !strstr(c->words, expected->words))
		fail_msg("errno %u, verify %#x, alert %d, \"%s\"; expected %u, %#x, %d, \"%s\"",
			 c->status, c->verify, c->alert_sent, c->words, expected->status,
			 expected->verify, expected->alert, expected->words);
	assert_true(strlen(c->words) <= 255 && c->words[strlen(c->words) - 1] == '.');
	/* it went to the peer, too */
	if (c->peer && c->alert_sent >= 0)
		assert_int_equal(peer_alert(c->peer), c->alert_sent);
	connection_close(c);
}

static void server_is_refused(const char *profile, const char *name, const char *certificate,
			      int version, const struct refusal *expected)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, profile);
	char pem[32], key[32];
	const struct peer_setup server = {
		.server = true, .certificate = pem, .key = key, .version = version
	};
	struct connection c;

	snprintf(pem, sizeof(pem), "%s.pem", certificate);
	snprintf(key, sizeof(key), "%s.key", certificate);
	attr_put_string(&options, CHANNEL_A_PEER_NAME, name);
	connection_open(&c, &rig, &options, peer_openssl(&server));
	check(&c, expected);
}

static void bad_server_certificates_are_refused(void **state)
{
	static const struct {
		const char *profile, *name, *certificate;
		struct refusal refusal;
	} cases[] = {
		{ "client",
		  "other.test",
		  "server",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_NAME, 42, "other.test" } },
		{ "client",
		  "127.0.0.2",
		  "server",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_NAME, 42, "another name" } },
		{ "client",
		  "a.b.wild.test",
		  "server",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_NAME, 42, "another name" } },
		{ "client",
		  "localhost",
		  "common",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_NAME, 42, "another name" } },
		{ "client",
		  "localhost",
		  "expired",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_EXPIRED, 45, "expired" } },
		{ "client",
		  "localhost",
		  "future",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_NOT_YET_VALID, 42, "not yet valid" } },
		{ "client",
		  "localhost",
		  "revoked",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_REVOKED, 44, "revoked" } },
		{ "client",
		  "localhost",
		  "rogue",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_UNTRUSTED, 48, "not trusted" } },
		{ "client",
		  "localhost",
		  "purpose",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_PURPOSE, 43, "not meant" } },
		{ "stale",
		  "localhost",
		  "server",
		  { EKEYREJECTED, TLS_HANDOFF_VERIFY_CRL_STALE, 46, "out of date" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int version = 12; version <= 13; version++)
			server_is_refused(cases[i].profile, cases[i].name, cases[i].certificate,
					  version, &cases[i].refusal);
}

static void client_is_refused(const char *profile, const char *certificate, int version,
			      const struct refusal *expected)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, profile);
	char pem[32], key[32];
	struct peer_setup client = { .version = version };
	struct connection c;

	if (certificate) {
		snprintf(pem, sizeof(pem), "%s.pem", certificate);
		snprintf(key, sizeof(key), "%s.key", certificate);
		client.certificate = pem;
		client.key = key;
	}
	connection_open(&c, &rig, &options, peer_openssl(&client));
	check(&c, expected);
}

static void bad_client_certificates_are_refused(void **state)
{
	static const struct {
		const char *certificate;
		struct refusal refusal;
	} cases[] = {
		{ "rogue", { EKEYREJECTED, TLS_HANDOFF_VERIFY_UNTRUSTED, 48, "not trusted" } },
		{ "expired", { EKEYREJECTED, TLS_HANDOFF_VERIFY_EXPIRED, 45, "expired" } },
		{ "revoked", { EKEYREJECTED, TLS_HANDOFF_VERIFY_REVOKED, 44, "revoked" } },
		{ "server", { EKEYREJECTED, TLS_HANDOFF_VERIFY_PURPOSE, 43, "not meant" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int version = 12; version <= 13; version++)
			client_is_refused("server", cases[i].certificate, version,
					  &cases[i].refusal);
	/* one that was only requested must be good all the same */
	client_is_refused("request", "rogue", 13, &cases[0].refusal);
}

static void a_missing_client_certificate_is_refused(void **state)
{
	const struct refusal missing13 = { EKEYREJECTED, TLS_HANDOFF_VERIFY_MISSING, 116,
					   "required" };
	const struct refusal missing12 = { EKEYREJECTED, TLS_HANDOFF_VERIFY_MISSING, 40,
					   "required" };

	client_is_refused("server", NULL, 13, &missing13);
	client_is_refused("server", NULL, 12, &missing12);
}

static void psk_is_refused(const char *identity, const char *hex, const struct refusal *expected)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "psk");
	const struct peer_setup client = { .psk_identity = identity, .psk_hex = hex };
	struct connection c;

	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	connection_open(&c, &rig, &options, peer_openssl(&client));
	check(&c, expected);
}

static void bad_pre_shared_keys_are_refused(void **state)
{
	const struct refusal unknown = { EKEYREJECTED, TLS_HANDOFF_VERIFY_PSK, 115, "mallory" };
	const struct refusal wrong = { EKEYREJECTED, TLS_HANDOFF_VERIFY_PSK, 51, "alice" };

	psk_is_refused("mallory", PKI_PSK_HEX, &unknown);
	psk_is_refused("alice", PKI_OTHER_PSK_HEX, &wrong);
}

static void a_peer_without_a_pre_shared_key_is_refused(void **state)
{
	const struct refusal missing = { EKEYREJECTED, TLS_HANDOFF_VERIFY_MISSING, 40,
					 "does not use a pre-shared key" };
	const struct peer_setup server = peer_for(TLS_HANDOFF_CLIENT, 0);
	const struct peer_setup client = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "psk");
	struct connection c;

	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	connection_open(&c, &rig, &options, peer_openssl(&client));
	check(&c, &missing);

	options = rig_options(TLS_HANDOFF_CLIENT, "psk");
	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	attr_put_string(&options, CHANNEL_A_PSK_IDENTITY, "alice");
	connection_open(&c, &rig, &options, peer_openssl(&server));
	check(&c, &missing);
}

static void an_unknown_raw_key_is_refused(void **state)
{
	const struct refusal unknown = { EKEYREJECTED, TLS_HANDOFF_VERIFY_UNTRUSTED, 46,
					 "not in the truststore" };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "raw");
	const struct peer_setup client = { .raw = true,
					   .certificate = "rogue.pem",
					   .key = "rogue.key" };
	struct connection c;

	attr_put_u32(&options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_RAWPK);
	connection_open(&c, &rig, &options, peer_openssl(&client));
	check(&c, &unknown);
}

static void nothing_in_common_is_a_protocol_error(void **state)
{
	static const struct {
		const char *profile;
		struct peer_setup setup;
		struct refusal refusal;
	} cases[] = {
		{ "strict", { .version = 12 }, { EPROTO, 0, 70, "version" } },
		{ "strict",
		  { .version = 13, .ciphers = "TLS_AES_256_GCM_SHA384" },
		  { EPROTO, 0, 40, "cipher" } },
		{ "server", { .alpn = "http/1.1" }, { EPROTO, 0, 120, "ALPN" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, cases[i].profile);
		struct connection c;

		connection_open(&c, &rig, &options, peer_openssl(&cases[i].setup));
		check(&c, &cases[i].refusal);
	}
}

static void alert_is_told(struct peer *peer)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "request");
	struct connection c;

	connection_open(&c, &rig, &options, peer);
	connection_run(&c);
	assert_true(c.failed);
	assert_int_equal(c.status, EPROTO);
	assert_int_equal(c.alert_received, 48);
	assert_int_equal(c.alert_sent, -1);
	assert_non_null(strstr(c.words, "unknown_ca"));
	connection_close(&c);
}

static void an_alert_of_the_peer_is_told(void **state)
{
	struct peer_setup client = { .ca = "rogue-ca.pem" };

	for (client.version = 12; client.version <= 13; client.version++)
		alert_is_told(peer_openssl(&client));
}

static void a_key_that_is_missing_is_our_own_trouble(void **state)
{
	const struct refusal missing = { ENOKEY, 0, 80, "keyless" };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "keyless");
	const struct peer_setup client = { 0 };
	struct connection c;

	connection_open(&c, &rig, &options, peer_openssl(&client));
	check(&c, &missing);
	assert_true(rig_log_has(&rig, "p384.pem has no private key"));
}

/* Refused before a byte is sent */
static void options_are_refused(uint32_t role, const char *profile,
				void (*set)(struct attr_builder *options),
				const struct refusal *expected)
{
	struct attr_builder options = rig_options(role, profile);
	struct connection c;

	if (role == TLS_HANDOFF_CLIENT)
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	set(&options);
	connection_open(&c, &rig, &options, NULL);
	connection_await_failure(&c);
	if (c.status != expected->status || !strstr(c.words, expected->words))
		fail_msg("errno %u, \"%s\"; expected %u, \"%s\"", c.status, c.words,
			 expected->status, expected->words);
	assert_int_equal(c.alert_sent, -1);
	assert_int_equal(c.want, 0);
	connection_close(&c);
}

static void set_min_version(struct attr_builder *o)
{
	attr_put_u16(o, CHANNEL_A_MIN_VERSION, TLS_1_2_VERSION);
}

static void set_max_version(struct attr_builder *o)
{
	attr_put_u16(o, CHANNEL_A_MAX_VERSION, TLS_1_2_VERSION);
}

static void set_cipher(struct attr_builder *o)
{
	const uint16_t ciphers[] = { htole16(TLS_CIPHER_AES_GCM_128),
				     htole16(TLS_CIPHER_AES_GCM_256) };

	attr_put(o, CHANNEL_A_CIPHERS, ciphers, sizeof(ciphers));
}

static void set_unknown_cipher(struct attr_builder *o)
{
	const uint16_t cipher = htole16(TLS_CIPHER_SM4_GCM);

	attr_put(o, CHANNEL_A_CIPHERS, &cipher, sizeof(cipher));
}

static void set_unauth(struct attr_builder *o)
{
	attr_put_u32(o, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_UNAUTH);
}

static void set_cert_none(struct attr_builder *o)
{
	attr_put_u32(o, CHANNEL_A_CLIENT_CERT, TLS_HANDOFF_CERT_NONE);
}

static void set_resume(struct attr_builder *o)
{
	attr_put_u32(o, CHANNEL_A_RESUME, 1);
}

static void set_alpn(struct attr_builder *o)
{
	attr_put(o, CHANNEL_A_ALPN, "\2h2\10http/1.1", 12);
}

static void set_long_alpn(struct attr_builder *o)
{
	attr_put(o, CHANNEL_A_ALPN, "\40abcdefghijklmnopqrstuvwxyz123456", 33);
}

static void set_psk_unknown(struct attr_builder *o)
{
	attr_put_u32(o, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	attr_put_string(o, CHANNEL_A_PSK_IDENTITY, "bob");
}

static void set_psk_cipher(struct attr_builder *o)
{
	const uint16_t cipher = htole16(TLS_CIPHER_AES_GCM_256);

	attr_put_u32(o, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	attr_put_string(o, CHANNEL_A_PSK_IDENTITY, "alice");
	attr_put(o, CHANNEL_A_CIPHERS, &cipher, sizeof(cipher));
}

static void set_psk_version(struct attr_builder *o)
{
	attr_put_u32(o, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_PSK);
	attr_put_string(o, CHANNEL_A_PSK_IDENTITY, "alice");
	set_max_version(o);
}

static void set_nothing(struct attr_builder *o)
{
}

static void options_only_narrow_the_profile(void **state)
{
	static const struct {
		uint32_t role;
		const char *profile;
		void (*set)(struct attr_builder *options);
		struct refusal refusal;
	} cases[] = {
		{ TLS_HANDOFF_CLIENT,
		  "strict",
		  set_min_version,
		  { EACCES, 0, -1, "TLS_HANDOFF_MIN_VERSION" } },
		{ TLS_HANDOFF_CLIENT,
		  "strict",
		  set_max_version,
		  { EACCES, 0, -1, "TLS_HANDOFF_MAX_VERSION" } },
		{ TLS_HANDOFF_CLIENT, "strict", set_cipher, { EACCES, 0, -1, "AES-256-GCM" } },
		{ TLS_HANDOFF_CLIENT,
		  "client",
		  set_unknown_cipher,
		  { EACCES, 0, -1, "TLS_HANDOFF_CIPHERS" } },
		{ TLS_HANDOFF_CLIENT, "client", set_unauth, { EACCES, 0, -1, "TLS_HANDOFF_AUTH" } },
		{ TLS_HANDOFF_SERVER,
		  "server",
		  set_cert_none,
		  { EACCES, 0, -1, "client_cert = require" } },
		{ TLS_HANDOFF_SERVER,
		  "request",
		  set_cert_none,
		  { EACCES, 0, -1, "client_cert = request" } },
		{ TLS_HANDOFF_SERVER,
		  "request",
		  set_resume,
		  { EACCES, 0, -1, "TLS_HANDOFF_RESUME" } },
		{ TLS_HANDOFF_SERVER, "server", set_alpn, { EACCES, 0, -1, "http/1.1" } },
		{ TLS_HANDOFF_CLIENT, "client", set_long_alpn, { EOPNOTSUPP, 0, -1, "31 bytes" } },
		{ TLS_HANDOFF_CLIENT, "psk", set_psk_unknown, { EACCES, 0, -1, "bob" } },
		{ TLS_HANDOFF_CLIENT, "psk", set_psk_cipher, { EACCES, 0, -1, "SHA-256" } },
		{ TLS_HANDOFF_CLIENT,
		  "psk",
		  set_psk_version,
		  { EACCES, 0, -1, "TLS_HANDOFF_MAX_VERSION" } },
		{ TLS_HANDOFF_SERVER, "nowhere", set_nothing, { ENOENT, 0, -1, "nowhere" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		options_are_refused(cases[i].role, cases[i].profile, cases[i].set,
				    &cases[i].refusal);
}

static void a_client_must_say_whom_it_wants(void **state)
{
	static const char *const names[] = { NULL,  "two words", "new\nline",
					     "a/b", "-\xff-",	 "b\303\274cher..test" };
	struct attr_builder options;
	struct connection c;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		options = rig_options(TLS_HANDOFF_CLIENT, "client");
		attr_put_string(&options, CHANNEL_A_PEER_NAME, names[i]);
		connection_open(&c, &rig, &options, NULL);
		while (!c.failed && !c.want)
			assert_true(rig_step(&rig));
		if (!c.failed)
			fail_msg("\"%s\" is taken", names[i]);
		assert_int_equal(c.status, EINVAL);
		assert_non_null(strstr(c.words, "TLS_HANDOFF_PEER_NAME"));
		connection_close(&c);
	}
}

static void a_name_outside_of_ascii_is_looked_for_as_a_label(void **state)
{
	const struct refusal other = { EKEYREJECTED, TLS_HANDOFF_VERIFY_NAME, 42,
				       "xn--bcher-kva.test" };

	server_is_refused("client", "b\303\274cher.test", "server", 13, &other);
}

static void garbage_instead_of_a_hello_is_a_protocol_error(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n and much more of it, to be sure",
		"\x16\x03\x01\xff\xff\x01\x02\x03\x04",
		"\x15\x03\x01\x02\x02\x02\x28\x28\x28\x28",
		"\x17\x03\x03\x01\x05hello, this is no handshake record at all",
		"\x16\x03\x01\x01\x04\x01\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
	};
	struct connection c;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
			bool client = role == TLS_HANDOFF_CLIENT;
			struct attr_builder options =
				rig_options(role, client ? "client" : "request");
			uint8_t stream[20000];
			size_t at = 0, part;

			memset(stream, 'x', sizeof(stream));
			memcpy(stream, garbage[i], 10);
			if (client)
				attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
			connection_open(&c, &rig, &options, NULL);
			while (!c.failed) {
				if (!c.want) {
					assert_true(rig_step(&rig));
					continue;
				}
				part = c.want < CHANNEL_MAX_BYTES ? c.want : CHANNEL_MAX_BYTES;
				assert_true(at + part <= sizeof(stream));
				rig_send(&rig, CHANNEL_BYTES, c.id, stream + at, part);
				at += part;
				c.want -= part;
			}
			assert_int_equal(c.status, EPROTO);
			connection_close(&c);
		}
	}
}

/* Runs @c until it failed or @steps messages and bytes were relayed. */
static bool run_steps(struct connection *c, size_t steps)
{
	for (size_t i = 0; i < steps; i++) {
		if (c->done || c->failed)
			return false;
		if (!connection_relay(c))
			assert_true(rig_step(&rig));
	}
	return !c->done && !c->failed;
}

static void a_peer_may_vanish_at_each_step(void **state)
{
	struct peer_setup setup = { .certificate = "server.pem", .key = "server.key" };
	struct connection c;
	bool unfinished;
	size_t steps;

	for (uint32_t role = TLS_HANDOFF_CLIENT; role <= TLS_HANDOFF_SERVER; role++) {
		steps = 0;
		do {
			bool client = role == TLS_HANDOFF_CLIENT;
			struct attr_builder options =
				rig_options(role, client ? "client" : "request");

			setup.server = client;
			setup.certificate = client ? "server.pem" : "client.pem";
			setup.key = client ? "server.key" : "client.key";
			if (client)
				attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
			connection_open(&c, &rig, &options, peer_openssl(&setup));
			unfinished = run_steps(&c, steps++);
			connection_close(&c);
		} while (unfinished);
		assert_true(steps > 10);
	}
}

/* A changed bit anywhere in what the peer sends never gives a connection that works. */
static void a_changed_byte_at_each_place_is_noticed(void **state)
{
	const struct peer_setup server = {
		.server = true, .certificate = "server.pem", .key = "server.key", .version = 13
	};
	struct connection c;
	size_t at = 0, seen, unnoticed = 0;

	do {
		struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, "client");

		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
		connection_open(&c, &rig, &options, peer_openssl(&server));
		for (seen = 0; !c.done && !c.failed;) {
			uint8_t bytes[CHANNEL_MAX_BYTES];
			size_t n;

			if (!c.peer_ready)
				c.peer_ready = peer_handshake(c.peer);
			if (!c.want || (!peer_pending(c.peer) && seen <= at)) {
				assert_true(rig_step(&rig));
				continue;
			}
			n = peer_take(c.peer, bytes,
				      c.want < sizeof(bytes) ? c.want : sizeof(bytes));
			if (n == 0) {
				/* a longer record was announced: nothing will fill it */
				break;
			}
			if (seen <= at && at < seen + n)
				bytes[at - seen] ^= 0x10;
			seen += n;
			c.want -= n;
			rig_send(&rig, CHANNEL_BYTES, c.id, bytes, n);
		}
		/* only the version in a record's header is not looked at (RFC 8446 5.1) */
		if (c.done && at < seen)
			unnoticed++;
		connection_close(&c);
		at += 37;
	} while (at < seen + 37);
	assert_int_equal(unnoticed, 0);
}

static void many_handshakes_at_once(void **state)
{
	static struct connection connections[AT_ONCE];
	const struct peer_setup client = { .certificate = "client.pem", .key = "client.key" };
	size_t open = AT_ONCE;
	bool moved;

	for (size_t i = 0; i < AT_ONCE; i++) {
		struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "request");

		connection_open(&connections[i], &rig, &options, peer_openssl(&client));
	}
	while (open) {
		moved = false;
		open = 0;
		for (size_t i = 0; i < AT_ONCE; i++) {
			struct connection *c = &connections[i];

			assert_false(c->failed);
			if (c->done)
				continue;
			open++;
			moved |= connection_relay(c);
		}
		if (open && !moved)
			assert_true(rig_step(&rig));
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		connection_run(&connections[i]);
		connection_exchange(&connections[i]);
		connection_close(&connections[i]);
	}
}

static void expect_fail(struct connection *c, uint32_t status)
{
	connection_await_failure(c);
	assert_int_equal(c->status, status);
	connection_close(c);
}

static void an_agent_that_breaks_the_protocol_loses_that_session(void **state)
{
	const struct peer_setup client = { 0 };
	struct attr_builder options;
	struct connection c, other;
	uint8_t bytes[64] = { 0 };

	/* a second one that must not notice */
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	connection_open(&other, &rig, &options, peer_openssl(&client));

	/* more than was asked for */
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	connection_open(&c, &rig, &options, NULL);
	while (!c.want)
		assert_true(rig_step(&rig));
	rig_send(&rig, CHANNEL_BYTES, c.id, bytes, c.want + 1);
	expect_fail(&c, EPROTO);

	/* what belongs to another state */
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	connection_open(&c, &rig, &options, NULL);
	rig_send(&rig, CHANNEL_RECORD, c.id, bytes, 8);
	expect_fail(&c, EPROTO);

	/* a number that is in use */
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	connection_open(&c, &rig, &options, NULL);
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	rig_send(&rig, CHANNEL_OPEN, c.id, options.data, options.length);
	attr_builder_free(&options);
	expect_fail(&c, EPROTO);

	/* an OPEN that is none */
	memset(&c, 0, sizeof(c));
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	options.data[0] ^= 0x40;
	connection_open(&c, &rig, &options, NULL);
	expect_fail(&c, EPROTO);

	connection_run(&other);
	connection_exchange(&other);
	connection_close(&other);
}

/* Well-formed messages with contents that make no sense, the same ones in every run */
static void messages_without_sense_do_no_harm(void **state)
{
	static const uint16_t types[] = { CHANNEL_OPEN,	  CHANNEL_BYTES,
					  CHANNEL_RECORD, CHANNEL_REKEY,
					  CHANNEL_EXPORT, CHANNEL_CLOSE,
					  CHANNEL_DONE,	  99 };
	const struct peer_setup client = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "strict");
	struct pollfd pollfd = { rig.fd, POLLIN, 0 };
	uint8_t payload[600];
	struct connection c;
	uint64_t id;

	assert_int_equal(attr_builder_error(&options), 0);
	srand(8446);
	for (int i = 0; i < 20000; i++) {
		uint16_t type = types[(size_t)rand() % (sizeof(types) / sizeof(types[0]))];
		size_t length = (size_t)rand() % sizeof(payload);

		for (size_t j = 0; j < length; j++)
			payload[j] = (uint8_t)rand();
		if (type == CHANNEL_OPEN) {
			/* nearly right: one that is opened, or has one byte changed */
			length = options.length;
			memcpy(payload, options.data, length);
			if (rand() % 2)
				payload[(size_t)rand() % length] ^= (uint8_t)(1 << rand() % 8);
		}
		id = 1000000 + (uint64_t)rand() % 16;
		rig_send(&rig, type, id, payload, length);
		while (poll(&pollfd, 1, 0) == 1)
			assert_true(rig_step(&rig));
	}
	for (id = 1000000; id < 1000016; id++)
		rig_send(&rig, CHANNEL_CLOSE, id, NULL, 0);
	connection_open(&c, &rig, &options, peer_openssl(&client));
	connection_run(&c);
	connection_exchange(&c);
	connection_close(&c);
}

/* Last: the key holder of this rig does not come back. */
static void a_key_holder_that_is_gone_fails_the_handshake_and_tells_the_peer(void **state)
{
	const struct refusal gone = { EIO, 0, 80, "key holder is gone" };
	struct attr_builder options;
	const struct peer_setup client = { 0 };
	struct connection c;
	struct rig other;

	rig_start(&other, config);
	options = rig_options(TLS_HANDOFF_SERVER, "strict");
	connection_open(&c, &other, &options, peer_openssl(&client));
	while (!c.want)
		assert_true(rig_step(&other));
	kill(other.keys, SIGKILL);
	rig_expect_killed(&other.keys);
	check(&c, &gone);
	rig_stop(&other);
}

static void configuration_mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *config, *words;
	} cases[] = {
		{ "[profile a]\ntruststore = missing.pem\n", "tlshd.conf:2: " },
		{ "[profile a]\ntruststore = ca.pem\ncrl = ca.pem\n", "tlshd.conf:3: " },
		{ "[profile a]\ncertificate = psk\n", "tlshd.conf:2: " },
		{ "[profile a]\nmin_version = 1.1\n", "tlshd.conf:2: " },
		{ "[profile a]\nciphers = AES-128-GCM;RC4\n", "RC4" },
		{ "[profile a]\n\nclient_cert = perhaps\n", "tlshd.conf:3: " },
		{ "[profile a]\nalpn = ;\n", "tlshd.conf:2: " },
		{ "[profile a]\nnonsense = 1\n", "tlshd.conf:2: " },
	};
	char output[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (rig_check(cases[i].config, output, sizeof(output)) != 1 ||
		    !strstr(output, cases[i].words))
			fail_msg("case %zu: \"%s\"", i, output);
	}
	assert_int_equal(rig_check(config, output, sizeof(output)), 0);
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_server_certificates_are_refused),
		cmocka_unit_test(bad_client_certificates_are_refused),
		cmocka_unit_test(a_missing_client_certificate_is_refused),
		cmocka_unit_test(bad_pre_shared_keys_are_refused),
		cmocka_unit_test(a_peer_without_a_pre_shared_key_is_refused),
		cmocka_unit_test(an_unknown_raw_key_is_refused),
		cmocka_unit_test(nothing_in_common_is_a_protocol_error),
		cmocka_unit_test(an_alert_of_the_peer_is_told),
		cmocka_unit_test(a_key_that_is_missing_is_our_own_trouble),
		cmocka_unit_test(options_only_narrow_the_profile),
		cmocka_unit_test(a_client_must_say_whom_it_wants),
		cmocka_unit_test(a_name_outside_of_ascii_is_looked_for_as_a_label),
		cmocka_unit_test(garbage_instead_of_a_hello_is_a_protocol_error),
		cmocka_unit_test(a_peer_may_vanish_at_each_step),
		cmocka_unit_test(a_changed_byte_at_each_place_is_noticed),
		cmocka_unit_test(many_handshakes_at_once),
		cmocka_unit_test(an_agent_that_breaks_the_protocol_loses_that_session),
		cmocka_unit_test(messages_without_sense_do_no_harm),
		cmocka_unit_test(a_key_holder_that_is_gone_fails_the_handshake_and_tells_the_peer),
		cmocka_unit_test(configuration_mistakes_are_named_with_their_line),
	};

	return cmocka_run_group_tests(tests, fixture_set_up(config), fixture_tear_down);
}
