// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What RFC 8446 4.6, 5 and 6 tell a receiver to do before Finished, by the numbers of
 * Documentation/rfc8446.md.  OpenSSL does the handshake; the test opens what it sends
 * and gives it on otherwise: cut, joined, padded, with something in between.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failure.h"
#include "secrets.h"
#include "test_fixture.h"

#define HANDSHAKE  22
#define ALERT	   21
#define DATA	   23
#define CCS	   20
#define KEY_UPDATE "\x18\0\0\1\0"

/* One handshake whose peer's side is in our hand */
struct play {
	struct connection c;
	bool client;	     /* we are */
	uint8_t plain[2048]; /* the peer's hello, record header included */
	size_t plain_length;
	uint8_t messages[16384]; /* what it sent encrypted, put together */
	size_t messages_length;
	size_t last;		     /* where Finished begins */
	struct record_keys keys;     /* of what it sends until Finished */
	struct record_keys app_keys; /* and after that */
};

static void step_until_read(struct connection *c)
{
	while (!c->want && !c->failed && !c->done)
		assert_true(rig_step(&rig));
}

/* Gives bytes as they are asked for, until the session handler has enough of them. */
static void give(struct play *p, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length) {
		size_t part;

		step_until_read(&p->c);
		if (p->c.failed || p->c.done)
			return;
		part = p->c.want < length ? p->c.want : length;
		rig_send(&rig, CHANNEL_BYTES, p->c.id, at, part);
		p->c.want -= part;
		at += part;
		length -= part;
	}
}

static void give_plain(struct play *p, uint8_t type, const void *data, size_t length)
{
	uint8_t record[5 + 16384 + 600] = { type, 3, 3, (uint8_t)(length >> 8), (uint8_t)length };

	assert_true(length <= sizeof(record) - 5);
	if (length)
		memcpy(record + 5, data, length);
	give(p, record, 5 + length);
}

static void give_padded(struct play *p, uint8_t type, const void *data, size_t length,
			size_t padding)
{
	uint8_t wire[RECORD_MAX], inner[16385];
	size_t n;

	if (!padding) {
		n = record_seal(&p->keys, type, length ? data : "", length, wire);
	} else {
		/* the last zero is what record_seal() takes for the type */
		memset(inner, 0, sizeof(inner));
		if (length)
			memcpy(inner, data, length);
		inner[length] = type;
		n = record_seal(&p->keys, 0, inner, length + padding, wire);
	}
	give(p, wire, n);
}

static void give_sealed(struct play *p, uint8_t type, const void *data, size_t length)
{
	give_padded(p, type, data, length, 0);
}

static void set_keys(struct play *p, const char *label, struct record_keys *keys)
{
	uint8_t secret[32], key[SECRETS_MAX_KEY], iv[SECRETS_IV];
	union keyinfo info;
	size_t length;

	assert_true(peer_secret(p->c.peer, label, secret, sizeof(secret)));
	assert_int_equal(secrets_record_key(TLS_CIPHER_AES_GCM_128, secret, key, iv), 0);
	assert_int_equal(keyinfo_build(TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, key, iv, sizeof(iv),
				       0, &info, &length),
			 0);
	record_keys_set(keys, &info, length);
}

static size_t take_record(struct play *p, uint8_t *wire)
{
	size_t body;

	assert_int_equal(peer_take(p->c.peer, wire, 5), 5);
	body = (size_t)wire[3] << 8 | wire[4];
	assert_int_equal(peer_take(p->c.peer, wire + 5, body), body);
	return 5 + body;
}

/* Until the peer has something to say: READ may come before the bytes that it waits for */
static void step_until_answer(struct play *p)
{
	for (peer_handshake(p->c.peer); !peer_pending(p->c.peer); peer_handshake(p->c.peer))
		assert_true(rig_step(&rig));
}

/* All that the peer has sent under its handshake keys */
static void take_messages(struct play *p)
{
	struct record_keys keys = p->keys;
	uint8_t wire[RECORD_MAX], plain[RECORD_MAX], type;
	size_t at;
	int n;

	while (peer_pending(p->c.peer)) {
		size_t length = take_record(p, wire);

		if (wire[0] == CCS)
			continue;
		n = record_open(&keys, wire, length, &type, plain);
		assert_true(n > 0 && type == HANDSHAKE);
		assert_true(p->messages_length + (size_t)n <= sizeof(p->messages));
		memcpy(p->messages + p->messages_length, plain, (size_t)n);
		p->messages_length += (size_t)n;
	}
	for (at = 0; at < p->messages_length;) {
		p->last = at;
		at += 4 + ((size_t)p->messages[at + 1] << 16 | (size_t)p->messages[at + 2] << 8 |
			   p->messages[at + 3]);
	}
	assert_int_equal(at, p->messages_length);
	assert_int_equal(p->messages[p->last], 20);
}

/* Until the peer's hello is in our hand.  As the client ours has gone to the peer. */
static void begin(struct play *p, bool client)
{
	struct attr_builder options = rig_options(client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER,
						  client ? "client" : "server");
	/* one group, and so no second hello */
	struct peer_setup setup = { .version = 13,
				    .ciphers = "TLS_AES_128_GCM_SHA256",
				    .groups = "P-256" };

	memset(p, 0, sizeof(*p));
	p->client = client;
	if (client) {
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
		setup.server = true;
		setup.certificate = "server.pem";
		setup.key = "server.key";
	}
	connection_open(&p->c, &rig, &options, peer_openssl(&setup));
	step_until_answer(p);
	p->plain_length = take_record(p, p->plain);
	assert_int_equal(p->plain[0], HANDSHAKE);
	assert_true(p->plain_length <= sizeof(p->plain));
	if (client) {
		set_keys(p, "SERVER_HANDSHAKE_TRAFFIC_SECRET", &p->keys);
		set_keys(p, "SERVER_TRAFFIC_SECRET_0", &p->app_keys);
		take_messages(p);
	}
}

/* The peer, a client whose hello was given, has our flight and answers it. */
static void follow_client(struct play *p)
{
	step_until_answer(p);
	set_keys(p, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", &p->keys);
	set_keys(p, "CLIENT_TRAFFIC_SECRET_0", &p->app_keys);
	take_messages(p);
}

/* And both sides have keys: what the peer sends now is encrypted. */
static void begin_encrypted(struct play *p, bool client)
{
	begin(p, client);
	give(p, p->plain, p->plain_length);
	if (!client)
		follow_client(p);
}

static void expect_done(struct play *p)
{
	while (!p->c.done && !p->c.failed)
		assert_true(rig_step(&rig));
	if (p->c.failed)
		fail_msg("failed: %s", p->c.words);
	peer_handshake(p->c.peer);
	connection_close(&p->c);
}

#define expect_refused(p, status, alert) check_refused(p, status, alert, __LINE__)

static void check_refused(struct play *p, uint32_t status, int alert, int line)
{
	/* what it still asks for will not come */
	while (!p->c.failed && !p->c.done && !p->c.want)
		assert_true(rig_step(&rig));
	if (!p->c.failed || p->c.status != status || p->c.alert_sent != alert)
		fail_msg("line %d: %s, errno %u, alert %d, \"%s\"; expected %u, %d", line,
			 p->c.done   ? "done" :
			 p->c.failed ? "failed" :
				       "waits",
			 p->c.status, p->c.alert_sent, p->c.words, status, alert);
	connection_close(&p->c);
}

static void rfc8446_5_1_1_messages_in_one_record_are_all_read(void **state)
{
	struct play p;

	begin_encrypted(&p, true);
	give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
	expect_done(&p);
}

static void rfc8446_5_1_2_messages_may_be_cut_anywhere(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 100 };
	struct play p;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int client = 0; client < 2; client++) {
			begin_encrypted(&p, client);
			for (size_t at = 0; at < p.messages_length; at += sizes[i]) {
				size_t rest = p.messages_length - at;

				give_sealed(&p, HANDSHAKE, p.messages + at,
					    rest < sizes[i] ? rest : sizes[i]);
			}
			expect_done(&p);
		}
	}
}

static void rfc8446_5_1_2_a_hello_may_be_cut_anywhere(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin(&p, client);
		for (size_t at = 5; at < p.plain_length; at++)
			give_plain(&p, HANDSHAKE, p.plain + at, 1);
		step_until_read(&p.c);
		assert_false(p.c.failed);
		if (client)
			give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
		else
			peer_handshake(p.c.peer);
		if (client)
			expect_done(&p);
		else
			connection_close(&p.c);
	}
}

static void rfc8446_5_1_3_data_between_the_parts_of_a_message_is_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin_encrypted(&p, client);
		give_sealed(&p, HANDSHAKE, p.messages, 3);
		give_sealed(&p, DATA, "data", 4);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_5_1_4_a_server_hello_ends_its_record(void **state)
{
	static const size_t lengths[] = { 1, 2, 4, 6 };
	struct play p;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin(&p, true);
		memcpy(p.plain + p.plain_length, p.messages, lengths[i]);
		give_plain(&p, HANDSHAKE, p.plain + 5, p.plain_length - 5 + lengths[i]);
		give_sealed(&p, HANDSHAKE, p.messages + lengths[i], p.messages_length - lengths[i]);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_5_1_4_a_client_hello_ends_its_record(void **state)
{
	struct play p;

	begin(&p, false);
	memcpy(p.plain + p.plain_length, "\x14\0\0\0", 4);
	give_plain(&p, HANDSHAKE, p.plain + 5, p.plain_length - 5 + 4);
	expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	/* the first bytes of Finished */
	begin(&p, false);
	memcpy(p.plain + p.plain_length, "\x14\0", 2);
	give_plain(&p, HANDSHAKE, p.plain + 5, p.plain_length - 5 + 2);
	follow_client(&p);
	assert_memory_equal(p.messages, "\x14\0", 2);
	give_sealed(&p, HANDSHAKE, p.messages + 2, p.messages_length - 2);
	expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
}

static void rfc8446_5_1_4_finished_ends_its_record(void **state)
{
	static const char *const behind[] = { KEY_UPDATE, "\x04\0\0\0", "\x18", "\x0b" };
	static const size_t lengths[] = { 5, 4, 1, 1 };
	struct play p;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int client = 0; client < 2; client++) {
			begin_encrypted(&p, client);
			memcpy(p.messages + p.messages_length, behind[i], lengths[i]);
			give_sealed(&p, HANDSHAKE, p.messages, p.messages_length + lengths[i]);
			expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		}
	}
}

static void rfc8446_4_6_3_1_a_key_update_before_finished_is_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin_encrypted(&p, client);
		give_sealed(&p, HANDSHAKE, KEY_UPDATE, 5);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		/* right before it */
		begin_encrypted(&p, client);
		if (p.last)
			give_sealed(&p, HANDSHAKE, p.messages, p.last);
		give_sealed(&p, HANDSHAKE, KEY_UPDATE, 5);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		/* without any protection */
		begin(&p, client);
		give_plain(&p, HANDSHAKE, KEY_UPDATE, 5);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_4_6_1_1_a_ticket_before_finished_is_refused(void **state)
{
	struct play p;

	begin_encrypted(&p, true);
	give_sealed(&p, HANDSHAKE, "\4\0\0\x12\0\0\x0e\x10\1\2\3\4\1\0\0\4tick\0\0", 22);
	expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
}

static void rfc8446_5_0_1_change_cipher_spec_is_dropped_until_finished(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin_encrypted(&p, client);
		give_plain(&p, CCS, "\1", 1);
		if (p.last)
			give_sealed(&p, HANDSHAKE, p.messages, p.last);
		give_plain(&p, CCS, "\1", 1);
		give_sealed(&p, HANDSHAKE, p.messages + p.last, p.messages_length - p.last);
		expect_done(&p);
	}
}

static void rfc8446_5_0_2_another_change_cipher_spec_is_refused(void **state)
{
	static const char *const bodies[] = { "\2", "\0", "\1\1" };
	struct play p;

	for (int client = 0; client < 2; client++) {
		for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
			begin_encrypted(&p, client);
			give_plain(&p, CCS, bodies[i], i < 2 ? 1 : 2);
			give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
			expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		}
		begin_encrypted(&p, client);
		give_sealed(&p, CCS, "\1", 1);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_5_0_3_change_cipher_spec_before_client_hello_is_refused(void **state)
{
	struct play p;

	begin(&p, false);
	give_plain(&p, CCS, "\1", 1);
	give(&p, p.plain, p.plain_length);
	follow_client(&p);
	give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
	expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
}

static void rfc8446_5_0_4_records_of_other_types_are_refused(void **state)
{
	static const uint8_t types[] = { 1, 24, 25, 99, 255 };
	struct play p;

	for (size_t i = 0; i < sizeof(types); i++) {
		/* the last one could begin a hello of SSL 2 */
		for (int client = i == 4; client < 2; client++) {
			begin(&p, client);
			give_plain(&p, types[i], "other", 5);
			expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
			begin_encrypted(&p, client);
			give_sealed(&p, types[i], "other", 5);
			expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		}
	}
}

static void rfc8446_5_1_11_data_before_finished_is_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin(&p, client);
		give_plain(&p, DATA, "data", 4);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		begin_encrypted(&p, client);
		give_sealed(&p, DATA, "data", 4);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_5_1_9_the_version_of_a_plain_record_means_nothing(void **state)
{
	static const uint8_t minors[] = { 0, 1, 2, 4, 99 };
	struct play p;

	for (size_t i = 0; i < sizeof(minors); i++) {
		begin(&p, true);
		p.plain[2] = minors[i];
		give(&p, p.plain, p.plain_length);
		give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
		expect_done(&p);
		begin(&p, false);
		p.plain[2] = minors[i];
		give(&p, p.plain, p.plain_length);
		step_until_read(&p.c);
		assert_false(p.c.failed);
		connection_close(&p.c);
	}
}

static void rfc8446_5_1_10_a_record_that_is_too_long_is_record_overflow(void **state)
{
	static uint8_t zeros[16384 + 600];
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin(&p, client);
		give_plain(&p, HANDSHAKE, zeros, 16384 + 1);
		expect_refused(&p, EPROTO, ALERT_RECORD_OVERFLOW);
		begin_encrypted(&p, client);
		give_plain(&p, DATA, zeros, 16384 + 257);
		expect_refused(&p, EPROTO, ALERT_RECORD_OVERFLOW);
	}
}

static void rfc8446_5_2_2_a_record_that_does_not_decrypt_is_bad_record_mac(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin_encrypted(&p, client);
		p.keys.sequence++;
		give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
		expect_refused(&p, EPROTO, ALERT_BAD_RECORD_MAC);
	}
}

static void rfc8446_4_6_3_8_the_next_keys_before_finished_are_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin_encrypted(&p, client);
		p.keys = p.app_keys;
		give_sealed(&p, HANDSHAKE, p.messages, p.messages_length);
		expect_refused(&p, EPROTO, ALERT_BAD_RECORD_MAC);
	}
}

static void rfc8446_5_4_1_an_empty_handshake_record_is_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin(&p, client);
		give_plain(&p, HANDSHAKE, NULL, 0);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		for (size_t padding = 0; padding < 3; padding++) {
			begin_encrypted(&p, client);
			give_padded(&p, HANDSHAKE, NULL, 0, padding);
			expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		}
	}
}

static void rfc8446_5_4_1_an_empty_alert_is_refused(void **state)
{
	struct play p;

	for (int client = 0; client < 2; client++) {
		begin(&p, client);
		give_plain(&p, ALERT, NULL, 0);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
		begin_encrypted(&p, client);
		give_padded(&p, ALERT, NULL, 0, client);
		expect_refused(&p, EPROTO, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void rfc8446_5_4_2_padding_is_taken_off(void **state)
{
	static const size_t paddings[] = { 1, 16, 1000, 10000 };
	struct play p;

	for (size_t i = 0; i < sizeof(paddings) / sizeof(paddings[0]); i++) {
		for (int client = 0; client < 2; client++) {
			begin_encrypted(&p, client);
			give_padded(&p, HANDSHAKE, p.messages, p.messages_length, paddings[i]);
			expect_done(&p);
		}
	}
}

/* To GnuTLS it is one that does not decrypt, as it is to kTLS */
static void rfc8446_5_4_3_a_record_of_nothing_but_zeros_is_refused(void **state)
{
	static const uint8_t zeros[100];
	struct play p;

	for (int client = 0; client < 2; client++) {
		for (size_t length = 0; length < sizeof(zeros); length += 33) {
			begin_encrypted(&p, client);
			give_sealed(&p, 0, zeros, length);
			expect_refused(&p, EPROTO, ALERT_BAD_RECORD_MAC);
		}
	}
}

/* GnuTLS takes the first alert of several; one that is cut has no meaning */
static void rfc8446_5_1_6_alerts_cut_or_joined_end_the_handshake(void **state)
{
	static const char alerts[] = "\2\x28\2\x28";
	struct play p;

	for (int how = 0; how < 4; how++) {
		for (size_t length = 1; length <= 4; length++) {
			if (length == 2)
				continue;
			if (how & 2)
				begin_encrypted(&p, how & 1);
			else
				begin(&p, how & 1);
			if (how & 2)
				give_sealed(&p, ALERT, alerts, length);
			else
				give_plain(&p, ALERT, alerts, length);
			while (!p.c.failed && !p.c.done && !p.c.want)
				assert_true(rig_step(&rig));
			assert_true(p.c.failed);
			assert_int_equal(p.c.status, EPROTO);
			assert_true(p.c.alert_sent == ALERT_UNEXPECTED_MESSAGE ||
				    (p.c.alert_sent == -1 && p.c.alert_received == 40));
			connection_close(&p.c);
		}
	}
}

/* Of description @alert, in each state of a handshake */
static void say_alert(struct play *p, bool client, bool encrypted, uint8_t level, uint8_t alert)
{
	const uint8_t record[2] = { level, alert };

	if (encrypted) {
		begin_encrypted(p, client);
		give_sealed(p, ALERT, record, 2);
	} else {
		begin(p, client);
		give_plain(p, ALERT, record, 2);
	}
}

static void expect_told(struct play *p, int alert)
{
	char number[16];

	while (!p->c.failed && !p->c.done && !p->c.want)
		assert_true(rig_step(&rig));
	if (!p->c.failed || p->c.status != EPROTO || p->c.alert_received != alert ||
	    p->c.alert_sent != -1)
		fail_msg("alert %d: %s, errno %u, received %d, sent %d, \"%s\"", alert,
			 p->c.failed ? "failed" : "goes on", p->c.status, p->c.alert_received,
			 p->c.alert_sent, p->c.words);
	snprintf(number, sizeof(number), "%d", alert);
	assert_non_null(strstr(p->c.words, number));
	connection_close(&p->c);
}

static void rfc8446_6_0_5_every_fatal_alert_ends_the_handshake(void **state)
{
	struct play p;

	for (int alert = 1; alert < 256; alert++) {
		if (alert == ALERT_USER_CANCELED)
			continue;
		for (int how = 0; how < 4; how++) {
			say_alert(&p, how & 1, how & 2, 2, (uint8_t)alert);
			expect_told(&p, alert);
		}
	}
}

/* Before a version is chosen a warning may be TLS 1.2's */
static void rfc8446_6_0_4_the_level_of_an_alert_means_nothing(void **state)
{
	static const uint8_t levels[] = { 1, 0, 3, 255 };
	struct play p;

	for (int alert = 1; alert < 256; alert++) {
		if (alert == ALERT_USER_CANCELED)
			continue;
		for (int client = 0; client < 2; client++) {
			say_alert(&p, client, true, levels[alert % 4], (uint8_t)alert);
			expect_told(&p, alert);
		}
	}
}

static void rfc8446_6_1_6_user_canceled_ends_the_handshake(void **state)
{
	struct play p;

	for (int how = 0; how < 4; how++) {
		say_alert(&p, how & 1, true, how & 2 ? 2 : 1, ALERT_USER_CANCELED);
		expect_told(&p, ALERT_USER_CANCELED);
	}
}

static void rfc8446_6_1_1_close_notify_ends_the_handshake(void **state)
{
	struct play p;

	for (int how = 0; how < 8; how++) {
		say_alert(&p, how & 1, how & 2, how & 4 ? 2 : 1, ALERT_CLOSE_NOTIFY);
		while (!p.c.failed && !p.c.want)
			assert_true(rig_step(&rig));
		assert_true(p.c.failed);
		assert_int_equal(p.c.status, ECONNRESET);
		assert_int_equal(p.c.alert_sent, -1);
		assert_int_equal(p.c.alert_received, ALERT_CLOSE_NOTIFY);
		connection_close(&p.c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8446_5_1_1_messages_in_one_record_are_all_read),
		cmocka_unit_test(rfc8446_5_1_2_messages_may_be_cut_anywhere),
		cmocka_unit_test(rfc8446_5_1_2_a_hello_may_be_cut_anywhere),
		cmocka_unit_test(rfc8446_5_1_3_data_between_the_parts_of_a_message_is_refused),
		cmocka_unit_test(rfc8446_5_1_4_a_server_hello_ends_its_record),
		cmocka_unit_test(rfc8446_5_1_4_a_client_hello_ends_its_record),
		cmocka_unit_test(rfc8446_5_1_4_finished_ends_its_record),
		cmocka_unit_test(rfc8446_4_6_3_1_a_key_update_before_finished_is_refused),
		cmocka_unit_test(rfc8446_4_6_1_1_a_ticket_before_finished_is_refused),
		cmocka_unit_test(rfc8446_5_0_1_change_cipher_spec_is_dropped_until_finished),
		cmocka_unit_test(rfc8446_5_0_2_another_change_cipher_spec_is_refused),
		cmocka_unit_test(rfc8446_5_0_3_change_cipher_spec_before_client_hello_is_refused),
		cmocka_unit_test(rfc8446_5_0_4_records_of_other_types_are_refused),
		cmocka_unit_test(rfc8446_5_1_11_data_before_finished_is_refused),
		cmocka_unit_test(rfc8446_5_1_9_the_version_of_a_plain_record_means_nothing),
		cmocka_unit_test(rfc8446_5_1_10_a_record_that_is_too_long_is_record_overflow),
		cmocka_unit_test(rfc8446_5_2_2_a_record_that_does_not_decrypt_is_bad_record_mac),
		cmocka_unit_test(rfc8446_4_6_3_8_the_next_keys_before_finished_are_refused),
		cmocka_unit_test(rfc8446_5_4_1_an_empty_handshake_record_is_refused),
		cmocka_unit_test(rfc8446_5_4_1_an_empty_alert_is_refused),
		cmocka_unit_test(rfc8446_5_4_2_padding_is_taken_off),
		cmocka_unit_test(rfc8446_5_4_3_a_record_of_nothing_but_zeros_is_refused),
		cmocka_unit_test(rfc8446_5_1_6_alerts_cut_or_joined_end_the_handshake),
		cmocka_unit_test(rfc8446_6_0_5_every_fatal_alert_ends_the_handshake),
		cmocka_unit_test(rfc8446_6_0_4_the_level_of_an_alert_means_nothing),
		cmocka_unit_test(rfc8446_6_1_6_user_canceled_ends_the_handshake),
		cmocka_unit_test(rfc8446_6_1_1_close_notify_ends_the_handshake),
	};

	return cmocka_run_group_tests(tests, fixture_set_up(client_and_server), fixture_tear_down);
}
