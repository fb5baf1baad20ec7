// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of resumption by themselves: what tickets are bound to, how many keys
 * and tickets there can be, and what ClientHello says about them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <event2/event.h>
#include <gnutls/gnutls.h>

#include <cmocka.h>

#include "binding.h"
#include "config.h"
#include "hello.h"
#include "profile.h"
#include "resume.h"
#include "session.h"
#include "state.h"
#include "stek.h"
#include "test_rig.h"
#include "tickets.h"

static struct event_base *base;
static char mistake[512];

static int set_up(void **state)
{
	rig_enter_folder();
	base = event_base_new();
	assert_non_null(base);
	return 0;
}

static int tear_down(void **state)
{
	event_base_free(base);
	rig_leave_folder();
	return 0;
}

static void note_mistake(const char *words)
{
	snprintf(mistake, sizeof(mistake), "%s", words);
}

/* Lines of one profile */
static int load(const char *lines, struct profiles *ret_profiles)
{
	struct config *config = NULL;
	char *error = NULL;
	FILE *file = fopen("units.conf", "we");
	int r;

	assert_non_null(file);
	fprintf(file, "[profile p]\n%s", lines);
	fclose(file);
	assert_int_equal(config_load("units.conf", &config, &error), 0);
	r = profiles_load(config, note_mistake, ret_profiles);
	config_free(config);
	return r;
}

static void copy_file(const char *from, const char *to)
{
	char command[128];

	snprintf(command, sizeof(command), "cat %s > %s", from, to);
	assert_int_equal(system(command), 0);
}

struct bindings {
	uint8_t server[BINDING_MAX], client[BINDING_HASH];
	int length;
};

static void bind_now(const char *lines, struct bindings *ret)
{
	struct parameters parameters = { .role = TLS_HANDOFF_SERVER };
	struct profiles profiles;

	assert_int_equal(load(lines, &profiles), 0);
	ret->length = binding_of_server(&profiles.profiles[0], &parameters, true, "localhost",
					ret->server);
	assert_true(ret->length > 0);
	assert_int_equal(binding_of_client(&profiles.profiles[0], &parameters, ret->client), 0);
	profiles_free(&profiles);
}

static bool same(const struct bindings *a, const struct bindings *b)
{
	bool client = memcmp(a->client, b->client, sizeof(a->client)) == 0;

	assert_int_equal(memcmp(a->server, b->server, BINDING_HASH) == 0, client);
	return client;
}

static void
another_trust_store_certificate_or_revocation_list_makes_other_tickets_of_resumption(void **state)
{
	static const char lines[] = "truststore = trust\ncrl = revoked-list\ncertificate = chain\n";
	static const struct {
		const char *file, *before, *after;
	} changes[] = {
		{ "trust", "ca.pem", "rogue-ca.pem" },
		{ "trust", "ca.pem", "ca.pem rogue-ca.pem" },
		{ "revoked-list", "crl.pem", "stale-crl.pem" },
		{ "chain", "server.pem", "rsa.pem" },
	};
	struct bindings before, again, after;

	copy_file("ca.pem", "trust");
	copy_file("crl.pem", "revoked-list");
	copy_file("server.pem", "chain");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		bind_now(lines, &before);
		bind_now(lines, &again);
		assert_true(same(&before, &again));
		copy_file(changes[i].after, changes[i].file);
		bind_now(lines, &after);
		assert_false(same(&before, &after));
		copy_file(changes[i].before, changes[i].file);
		bind_now(lines, &after);
		assert_true(same(&before, &after));
	}
	bind_now("truststore = trust\ncertificate = chain\n", &after);
	assert_false(same(&before, &after));
	/* raw public keys are trust, too */
	bind_now("truststore = client.pub\n", &before);
	bind_now("truststore = server.pub\n", &after);
	assert_false(same(&before, &after));
}

static void lifetimes_and_rotations_of_resumption_fit_each_other(void **state)
{
	static const struct {
		const char *lines;
		uint64_t lifetime, rotation;
	} good[] = {
		{ "", 3600, 3600 },
		{ "ticket_lifetime = 28800\n", 28800, 3600 },
		{ "ticket_lifetime = 80000\n", 80000, 10001 },
		/* a chain ends after a day in any case */
		{ "ticket_lifetime = 604800\n", 86400, 75601 },
		{ "ticket_lifetime = 8\nstek_rotation = 1\n", 8, 1 },
	};
	struct profiles profiles;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char lines[128];

		snprintf(lines, sizeof(lines), "truststore = ca.pem\n%s", good[i].lines);
		assert_int_equal(load(lines, &profiles), 0);
		assert_int_equal(profiles.profiles[0].ticket_lifetime, good[i].lifetime);
		assert_int_equal(profiles.profiles[0].stek_rotation, good[i].rotation);
		profiles_free(&profiles);
	}
	assert_int_equal(load("truststore = ca.pem\nticket_lifetime = 3601\nstek_rotation = 450\n",
			      &profiles),
			 -EINVAL);
	assert_non_null(strstr(mistake, "stek_rotation: ticket_lifetime is 3601"));
	assert_non_null(strstr(mistake, "at least 451 is needed here"));
}

static const char binding[] = "binding";

/* Of a profile without wishes, the key that is there first */
static struct stek *first_key(struct profiles *profiles, struct stek_choice *first)
{
	struct stek *stek;

	assert_int_equal(load("truststore = ca.pem\n", profiles), 0);
	assert_int_equal(stek_new(base, &stek), 0);
	assert_int_equal(stek_choose(stek, &profiles->profiles[0], binding, 7, NULL, 0, first), 0);
	return stek;
}

static void a_ticket_key_is_found_again_by_the_name_of_its_tickets_for_resumption(void **state)
{
	static const char other[] = "other";
	struct stek_choice first, choice;
	struct profiles profiles;
	struct stek *stek;

	stek = first_key(&profiles, &first);
	assert_true(first.newest && !first.known);
	for (int i = 1; i < STEK_MAX_ROOTS + 3; i++) {
		assert_int_equal(stek_choose(stek, &profiles.profiles[0], binding, 7, first.names,
					     1, &choice),
				 0);
		/* only who rotates by hand loses a key before its time */
		assert_int_equal(choice.known, i <= STEK_MAX_ROOTS);
		assert_int_equal(choice.newest, i == 1 || i > STEK_MAX_ROOTS);
		assert_int_equal(memcmp(choice.key, first.key, STEK_KEY) == 0, i <= STEK_MAX_ROOTS);
		assert_int_equal(stek_choose(stek, &profiles.profiles[0], other, 5, first.names, 1,
					     &choice),
				 0);
		assert_true(choice.newest && !choice.known);
		assert_int_equal(stek_count(stek), i < STEK_MAX_ROOTS ? i : STEK_MAX_ROOTS);
		stek_rotate(stek);
	}
	stek_flush(stek);
	assert_int_equal(stek_count(stek), 0);
	stek_free(stek);
	profiles_free(&profiles);
}

static void when_names_are_not_as_expected_only_the_newest_key_serves_resumption(void **state)
{
	static const uint8_t strange[STEK_NAME] = "strange";
	struct stek_choice first, choice;
	struct profiles profiles;
	struct stek *stek;

	stek = first_key(&profiles, &first);
	stek_check_name(stek, &profiles.profiles[0], &first, first.names[0]);
	stek_rotate(stek);
	assert_int_equal(
		stek_choose(stek, &profiles.profiles[0], binding, 7, first.names, 1, &choice), 0);
	assert_true(choice.known && !choice.newest);
	stek_check_name(stek, &profiles.profiles[0], &first, strange);
	assert_int_equal(
		stek_choose(stek, &profiles.profiles[0], binding, 7, first.names, 1, &choice), 0);
	assert_true(!choice.known && choice.newest);
	stek_free(stek);
	profiles_free(&profiles);
}

static void make_key(uint32_t number, uint8_t *ret_key)
{
	memset(ret_key, 0, TICKETS_KEY);
	memcpy(ret_key, &number, sizeof(number));
}

static void tickets_kept_for_resumption_are_bounded_in_number_and_bytes(void **state)
{
	struct counts counts = { 0 };
	uint8_t key[TICKETS_KEY];
	struct tickets *tickets;
	gnutls_datum_t data;
	uint8_t *big = calloc(1, 65536);
	uint16_t version;

	assert_non_null(big);
	assert_int_equal(tickets_new(base, &counts, &tickets), 0);
	for (uint32_t i = 0; i < TICKETS_MAX + 100; i++) {
		make_key(i, key);
		assert_int_equal(tickets_put(tickets, key, TLS_1_3_VERSION, &i, sizeof(i), 100), 0);
	}
	assert_int_equal(tickets_count(tickets), TICKETS_MAX);
	assert_int_equal(counts.value[COUNT_EVICTED], 100);
	make_key(99, key);
	assert_int_equal(tickets_take(tickets, key, &version, &data), -ENOENT);
	make_key(100, key);
	assert_int_equal(tickets_take(tickets, key, &version, &data), 0);
	assert_int_equal(version, TLS_1_3_VERSION);
	tickets_wipe(&data);
	assert_int_equal(tickets_take(tickets, key, &version, &data), -ENOENT);
	for (uint32_t i = 0; i < 100; i++) {
		make_key(10000 + i, key);
		assert_int_equal(tickets_put(tickets, key, TLS_1_3_VERSION, big, 65536, 100), 0);
	}
	assert_int_equal(tickets_count(tickets), TICKETS_MAX_BYTES / 65536);
	tickets_flush(tickets);
	assert_int_equal(tickets_count(tickets), 0);
	/* what has no lifetime is not kept */
	assert_int_equal(tickets_put(tickets, key, TLS_1_3_VERSION, big, 10, 0), 0);
	assert_int_equal(tickets_count(tickets), 0);
	tickets_free(tickets);
	free(big);
}

static void the_newest_of_a_peers_tickets_is_used_first_for_resumption(void **state)
{
	const uint8_t key[TICKETS_KEY] = { 1 };
	struct counts counts = { 0 };
	struct tickets *tickets;
	gnutls_datum_t data;
	uint16_t version;

	assert_int_equal(tickets_new(base, &counts, &tickets), 0);
	for (uint8_t i = 1; i <= TICKETS_PER_PEER + 2; i++)
		assert_int_equal(tickets_put(tickets, key, TLS_1_2_VERSION, &i, 1, 100), 0);
	for (uint8_t i = TICKETS_PER_PEER + 2; i > 2; i--) {
		assert_int_equal(tickets_take(tickets, key, &version, &data), 0);
		assert_int_equal(data.data[0], i);
		tickets_wipe(&data);
	}
	assert_int_equal(tickets_take(tickets, key, &version, &data), -ENOENT);
	tickets_free(tickets);
}

struct heir {
	struct room *room;
	int results[16];
	size_t count;
	bool short_by_one; /* what comes is cut at its end */
};

static void take(void *arg, uint16_t type, const uint8_t *payload, size_t length)
{
	static const state_restorer restorers[] = {
		[STATE_STEK] = stek_restore,
		[STATE_TICKET] = tickets_restore,
		[STATE_TICKET_COUNTS] = counts_restore,
	};
	struct heir *heir = arg;

	assert_true(type < sizeof(restorers) / sizeof(restorers[0]) && restorers[type] &&
		    heir->count < sizeof(heir->results) / sizeof(heir->results[0]));
	heir->results[heir->count++] =
		restorers[type](heir->room, payload, length - heir->short_by_one);
}

static void inherit(struct room *from, struct heir *heir)
{
	struct state_writer *writer;
	const char *why = "";
	uint8_t data[8192];
	ssize_t length;
	int fd = memfd_create("state", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(state_writer_new(fd, &writer), 0);
	stek_save(from, writer);
	tickets_save(from, writer);
	counts_save(from, writer);
	assert_int_equal(state_writer_finish(writer), 0);
	length = pread(fd, data, sizeof(data), 0);
	assert_true(length > 0 && (size_t)length < sizeof(data));
	close(fd);
	heir->count = 0;
	assert_int_equal(state_read(data, (size_t)length, take, heir, &why), 0);
}

static void a_successor_goes_on_with_keys_tickets_and_counts_of_resumption(void **state)
{
	const uint8_t key[TICKETS_KEY] = { 1 };
	struct room old = { .base = base }, new = { .base = base };
	struct profiles profiles, none = { NULL, 0 };
	struct stek_choice first, second, choice;
	struct heir heir = { .room = &new };
	gnutls_datum_t data;
	uint16_t version;

	assert_int_equal(load("truststore = ca.pem\n", &profiles), 0);
	old.profiles = new.profiles = &profiles;
	assert_int_equal(resume_new(base, &old.resume), 0);
	assert_int_equal(resume_new(base, &new.resume), 0);
	assert_int_equal(stek_choose(old.resume->stek, &profiles.profiles[0], binding, 7, NULL, 0,
				     &first),
			 0);
	stek_rotate(old.resume->stek);
	assert_int_equal(stek_choose(old.resume->stek, &profiles.profiles[0], binding, 7, NULL, 0,
				     &second),
			 0);
	for (uint8_t i = 1; i <= 2; i++)
		assert_int_equal(tickets_put(old.resume->tickets, key, TLS_1_3_VERSION, &i, 1, 100),
				 0);
	old.resume->counts.value[COUNT_ISSUED] = 7;
	new.resume->counts.value[COUNT_ISSUED] = 1;

	inherit(&old, &heir);
	assert_int_equal(heir.count, 4);
	for (size_t i = 0; i < heir.count; i++)
		assert_int_equal(heir.results[i], 0);
	assert_int_equal(stek_count(new.resume->stek), 2);
	assert_int_equal(stek_choose(new.resume->stek, &profiles.profiles[0], binding, 7,
				     first.names, 1, &choice),
			 0);
	assert_true(choice.known && !choice.newest);
	assert_memory_equal(choice.key, first.key, STEK_KEY);
	assert_int_equal(stek_choose(new.resume->stek, &profiles.profiles[0], binding, 7, NULL, 0,
				     &choice),
			 0);
	assert_memory_equal(choice.key, second.key, STEK_KEY);
	assert_int_equal(tickets_take(new.resume->tickets, key, &version, &data), 0);
	assert_true(data.size == 1 && data.data[0] == 2 && version == TLS_1_3_VERSION);
	tickets_wipe(&data);
	assert_int_equal(new.resume->counts.value[COUNT_ISSUED], 8);
	assert_int_equal(new.resume->counts.value[COUNT_STORED], 2);

	/* a configuration without the profile; and what nobody can have written */
	resume_free(new.resume);
	assert_int_equal(resume_new(base, &new.resume), 0);
	new.profiles = &none;
	inherit(&old, &heir);
	assert_int_equal(heir.results[0], -ENOENT);
	assert_int_equal(stek_count(new.resume->stek), 0);
	new.profiles = &profiles;
	heir.short_by_one = true;
	inherit(&old, &heir);
	for (size_t i = 0; i < heir.count; i++)
		assert_int_equal(heir.results[i], -EPROTO);
	assert_int_equal(stek_count(new.resume->stek), 0);
	resume_free(old.resume);
	resume_free(new.resume);
	profiles_free(&profiles);
}

/* A ClientHello's body with one extension */
static void parse(uint16_t type, const uint8_t *data, size_t length, struct hello *ret_hello)
{
	static const uint8_t fixed[2 + 32 + 1] = { 3, 3 };
	static const uint8_t suites[] = { 0, 2, 0x13, 1, 1, 0 };
	gnutls_datum_t message = { NULL, 0 };
	uint8_t *at;

	/* on the heap and no larger than it is, so that a sanitizer sees what goes too far */
	message.size = (unsigned int)(sizeof(fixed) + sizeof(suites) + 2 + 4 + length);
	message.data = at = malloc(message.size);
	assert_non_null(at);
	memcpy(at, fixed, sizeof(fixed));
	at += sizeof(fixed);
	memcpy(at, suites, sizeof(suites));
	at += sizeof(suites);
	*at++ = (uint8_t)((4 + length) >> 8);
	*at++ = (uint8_t)(4 + length);
	*at++ = (uint8_t)(type >> 8);
	*at++ = (uint8_t)type;
	*at++ = (uint8_t)(length >> 8);
	*at++ = (uint8_t)length;
	if (length)
		memcpy(at, data, length);
	hello_parse(GNUTLS_HANDSHAKE_CLIENT_HELLO, &message, ret_hello);
	free(message.data);
}

static void client_hello_says_what_matters_for_resumption(void **state)
{
	static const uint8_t name[] = {
		0, 12, 0, 0, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't'
	};
	static const uint8_t bad_name[] = { 0, 6, 0, 0, 3, 'a', 0, 'b' };
	static const uint8_t modes[] = { 1, 1 }, no_modes[] = { 1, 0 };
	uint8_t psks[2 + 2 * (2 + 20 + 4) + 2 + 33] = { 0, 52, 0, 20, 'a' };
	struct hello hello;

	parse(0, name, sizeof(name), &hello);
	assert_string_equal(hello.server_name, "localhost");
	parse(0, bad_name, sizeof(bad_name), &hello);
	assert_string_equal(hello.server_name, "");
	parse(45, modes, sizeof(modes), &hello);
	assert_true(hello.psk_dhe_ke);
	parse(45, no_modes, sizeof(no_modes), &hello);
	assert_false(hello.psk_dhe_ke);
	parse(23, NULL, 0, &hello);
	assert_true(hello.extended_master_secret);
	psks[2 + 26 + 1] = 20;
	psks[2 + 26 + 2] = 'b';
	parse(41, psks, sizeof(psks), &hello);
	assert_int_equal(hello.psk.count, 2);
	assert_int_equal(hello.psk.names[0][0], 'a');
	assert_int_equal(hello.psk.names[1][0], 'b');
	assert_false(hello.selects_psk && hello.selects_tls13);
	parse(35, psks + 4, 20, &hello);
	assert_int_equal(hello.ticket.count, 1);
	parse(35, NULL, 0, &hello);
	assert_int_equal(hello.ticket.count, 0);
	for (size_t length = 0; length < sizeof(psks); length++) {
		parse(41, psks, length, &hello);
		assert_int_equal(hello.psk.count, length < 2 + 52 ? 0 : 2);
		parse(0, name, length < sizeof(name) ? length : 0, &hello);
		assert_string_equal(hello.server_name, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			another_trust_store_certificate_or_revocation_list_makes_other_tickets_of_resumption),
		cmocka_unit_test(lifetimes_and_rotations_of_resumption_fit_each_other),
		cmocka_unit_test(
			a_ticket_key_is_found_again_by_the_name_of_its_tickets_for_resumption),
		cmocka_unit_test(
			when_names_are_not_as_expected_only_the_newest_key_serves_resumption),
		cmocka_unit_test(tickets_kept_for_resumption_are_bounded_in_number_and_bytes),
		cmocka_unit_test(the_newest_of_a_peers_tickets_is_used_first_for_resumption),
		cmocka_unit_test(a_successor_goes_on_with_keys_tickets_and_counts_of_resumption),
		cmocka_unit_test(client_hello_says_what_matters_for_resumption),
	};

	return cmocka_run_group_tests_name("resumption_units", tests, set_up, tear_down);
}
