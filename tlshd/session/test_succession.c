// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session handler leaves its sessions to the next one: the real programs, and
 * connections that go on as if nothing had been.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "state.h"
#include "test_fixture.h"

#define MANY 1000

static const char config[] = "[profile client]\n"
			     "truststore = ca.pem\n"
			     "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "[profile slow]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "update_rate = 3\n";
static const char less[] = "[profile client]\n"
			   "truststore = ca.pem\n";

static void a_key_update_is_answered_by_the_successor(void **state)
{
	struct connection c[4];

	for (uint32_t i = 0; i < 4; i++) {
		establish(&c[i], i % 2 ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER, NULL, 13,
			  peers[i / 2]);
		/* past the tickets */
		connection_exchange(&c[i]);
		for (uint32_t n = 0; n < i; n++)
			update_both(&c[i]);
	}
	for (int generation = 1; generation <= 2; generation++) {
		rig_succeed(&rig);
		assert_int_equal(rig.restored, 4);
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_equal(c[i].restored, generation);
			assert_int_equal(c[i].tx_generation, c[i].tx_updates);
			assert_int_equal(c[i].rx_generation, c[i].rx_updates);
			connection_exchange(&c[i]);
			update_both(&c[i]);
			rig_send(&rig, CHANNEL_REKEY, c[i].id, NULL, 0);
			while (c[i].tx_updates == c[i].tx_generation + 1)
				assert_true(rig_step(&rig));
			connection_exchange(&c[i]);
		}
	}
	for (uint32_t i = 0; i < 4; i++)
		connection_close(&c[i]);
}

static void tls_1_2_goes_on(void **state)
{
	struct connection c;

	establish_server(&c, 12);
	rig_succeed(&rig);
	assert_int_equal(c.restored, 1);
	connection_exchange(&c);
	peer_renegotiate(c.peer);
	connection_divert(&c);
	while (c.alert_record < 0)
		assert_true(rig_step(&rig));
	assert_int_equal(c.alert_record, 100);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	connection_await_failure(&c);
	assert_int_equal(c.status, EKEYEXPIRED);
	connection_close(&c);
}

static void a_thousand_sessions_go_on(void **state)
{
	static struct connection c[MANY];

	for (size_t i = 0; i < MANY; i++)
		establish_server(&c[i], i % 4 ? 13 : 12);
	rig_succeed(&rig);
	assert_int_equal(rig.restored, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(c[i].restored, 1);
		connection_exchange(&c[i]);
		if (i % 4)
			update_both(&c[i]);
		connection_close(&c[i]);
	}
}

static void a_part_of_a_message_goes_on(void **state)
{
	struct connection c;

	for (size_t cut = 1; cut < SIZE(UPDATE_ASKING); cut++) {
		establish_server(&c, 13);
		connection_record(&c, 22, UPDATE_ASKING, cut);
		while (!c.continues)
			assert_true(rig_step(&rig));
		assert_int_equal(c.last_continue, TLS_HANDOFF_CONTINUE_MORE);
		rig_succeed(&rig);
		connection_record(&c, 22, &(UPDATE_ASKING)[cut], SIZE(UPDATE_ASKING) - cut);
		while (!c.failed && !(c.rx_updates && c.tx_updates))
			assert_true(rig_step(&rig));
		assert_false(c.failed);
		connection_close(&c);
	}
}

static void updates_without_data_are_counted_over_the_change(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	for (unsigned int n = 1; n <= 32; n++) {
		connection_record(&c, 22, UPDATE, SIZE(UPDATE));
		while (c.rx_updates < n)
			assert_true(rig_step(&rig));
		if (n == 20)
			rig_succeed(&rig);
	}
	connection_record(&c, 22, UPDATE, SIZE(UPDATE));
	connection_await_failure(&c);
	assert_int_equal(c.alert_record, 10);
	connection_close(&c);
}

static void key_updates_above_update_rate_end_the_connection(void **state)
{
	const struct tls_handoff_event data = { TLS_HANDOFF_EVENT_DATA, 0 };
	struct connection c;
	unsigned int n;

	rig_use_clock();
	fixture_restart(state);
	rig_hold_clock();
	establish(&c, TLS_HANDOFF_SERVER, "slow", 13, peer_openssl);
	for (n = 1; n < 10; n++) {
		connection_record(&c, TLS_HANDOFF_RECORD_EVENT, &data, sizeof(data));
		connection_record(&c, 22, UPDATE, SIZE(UPDATE));
		while (!c.failed && c.rx_updates < n)
			assert_true(rig_step(&rig));
		if (c.failed)
			break;
		/* time and a successor change nothing: a second is worth three */
		if (n == 2)
			rig_succeed(&rig);
		if (n == 3)
			rig_pass(1);
	}
	assert_int_equal(n, 7);
	assert_int_equal(c.status, EPROTO);
	assert_int_equal(c.alert_record, 10);
	assert_non_null(strstr(c.words, "update_rate"));
	connection_close(&c);
}

/* Ours as the handler made it, to be given back: the last RECORD that came, kept by hand */
static size_t wait_for_record(struct connection *c, uint8_t *payload)
{
	uint8_t packet[sizeof(struct channel_header) + 4096];
	struct channel_header header;
	ssize_t n;

	n = recv(rig.fd, packet, sizeof(packet), 0);
	assert_true(n > (ssize_t)sizeof(header));
	memcpy(&header, packet, sizeof(header));
	assert_int_equal(le16toh(header.type), CHANNEL_RECORD);
	assert_int_equal(le64toh(header.session), c->id);
	memcpy(payload, packet + sizeof(header), (size_t)n - sizeof(header));
	return (size_t)n - sizeof(header);
}

static void returned_records_come_again_in_order(void **state)
{
	static const uint8_t alert[] = { 21, 2, 0, 1, 90 };
	uint8_t update[4096], again[4096];
	struct connection c;
	size_t length;

	establish_server(&c, 13);
	update_both(&c);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	length = wait_for_record(&c, update);
	/* another one is wished for while that is not out */
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	rig_send(&rig, CHANNEL_RETURN, c.id, alert, sizeof(alert));
	rig_send(&rig, CHANNEL_RETURN, c.id, update, length);
	rig_end_session(&rig);
	rig_start_successor(&rig, NULL);
	rig_send(&rig, CHANNEL_RESTORE, 0, NULL, 0);
	while (!c.restored)
		assert_true(rig_step(&rig));
	/* it has not taken place */
	assert_int_equal(c.tx_generation, 1);
	assert_int_equal(wait_for_record(&c, again), sizeof(alert));
	assert_memory_equal(again, alert, sizeof(alert));
	assert_int_equal(wait_for_record(&c, again), length);
	assert_memory_equal(again, update, length);
	while (!rig.restored_all)
		assert_true(rig_step(&rig));
	/* out now; the one that was wished for follows */
	rig_send(&rig, CHANNEL_SENT, c.id, NULL, 0);
	assert_int_equal(wait_for_record(&c, again), length);
	assert_memory_not_equal(again, update, length);
	connection_close(&c);
}

static void a_wish_for_an_update_is_kept(void **state)
{
	uint8_t first[4096], second[4096];
	struct connection c;
	size_t length;

	establish_server(&c, 13);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	length = wait_for_record(&c, first);
	rig_send(&rig, CHANNEL_REKEY, c.id, NULL, 0);
	/* SENT is lost with the old one */
	rig_end_session(&rig);
	rig_start_successor(&rig, NULL);
	rig_send(&rig, CHANNEL_RESTORE, 0, NULL, 0);
	while (!c.restored)
		assert_true(rig_step(&rig));
	assert_int_equal(c.tx_generation, 1);
	assert_int_equal(wait_for_record(&c, second), length);
	assert_memory_not_equal(first, second, length);
	while (!rig.restored_all)
		assert_true(rig_step(&rig));
	connection_close(&c);
}

static void what_was_never_ours_cannot_be_returned(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t length;
	} cases[] = {
		{ { 0 }, 0 },
		{ { 21, 2 }, 2 },
		{ { 21, 2, 0, 1 }, 4 },
		{ { 21, 0, 0 }, 3 },
		{ { 23, 1, 0, 'x' }, 4 },
		{ { 21, 2, 0, 1, 0, 0 }, 6 },
		{ { 22, 5, 0, 24, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0 }, 16 },
	};
	struct connection c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		establish_server(&c, 13);
		rig_send(&rig, CHANNEL_RETURN, c.id, cases[i].bytes, cases[i].length);
		connection_await_failure(&c);
		assert_int_equal(c.status, EPROTO);
		connection_close(&c);
	}
}

static void answers_go_out_before_the_end(void **state)
{
	struct connection c;
	unsigned int before;

	establish_server(&c, 13);
	before = c.rx_updates;
	for (int i = 0; i < 10; i++)
		connection_record(&c, 22, UPDATE, SIZE(UPDATE));
	rig_succeed(&rig);
	assert_int_equal(c.rx_updates, before + 10);
	assert_int_equal(c.rx_generation, before + 10);
	connection_close(&c);
}

static void a_handshake_that_runs_does_not_go_on(void **state)
{
	const struct peer_setup setup = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");
	struct connection half, c;

	establish_server(&c, 13);
	connection_open(&half, &rig, &options, peer_openssl(&setup));
	while (!half.want)
		assert_true(rig_step(&rig));
	rig_succeed(&rig);
	assert_int_equal(rig.restored, 1);
	assert_int_equal(half.restored, 0);
	connection_exchange(&c);
	connection_close(&c);
	connection_close(&half);
}

/* The only session, in a successor on @text */
static void goes_on(struct connection *c, const char *text)
{
	rig_start_successor(&rig, text);
	rig_restore(&rig);
	assert_int_equal(c->restored, 1);
	update_both(c);
	connection_close(c);
}

static void sessions_of_a_profile_that_is_gone_go_on(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	rig_end_session(&rig);
	goes_on(&c, less);
}

static void new_handshakes_go_on_beside_it(void **state)
{
	struct connection old, new;

	establish_server(&old, 13);
	rig_end_session(&rig);
	rig_start_successor(&rig, NULL);
	establish_server(&new, 13);
	rig_restore(&rig);
	assert_int_equal(old.restored, 1);
	assert_int_equal(new.restored, 0);
	update_both(&old);
	update_both(&new);
	connection_close(&old);
	connection_close(&new);
}

static int open_memory(int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", rig.memory);
	return open(path, flags | O_CLOEXEC);
}

static void an_agent_that_crashes_is_survived(void **state)
{
	struct connection c;

	establish_server(&c, 13);
	connection_exchange(&c);
	/* no last word, and something unread */
	rig_send(&rig, CHANNEL_TICKETS, 0, "\0\0\0\0\0\0\0\0", 8);
	rig_drop(&rig);
	goes_on(&c, NULL);
}

static void a_successor_waits_for_one_that_still_writes(void **state)
{
	pid_t session, keys;
	struct connection c;
	int status, fd;

	establish_server(&c, 13);
	connection_exchange(&c);
	fd = rig.fd;
	session = rig.session;
	keys = rig.keys;
	assert_int_equal(kill(session, SIGSTOP), 0);
	assert_int_equal(waitpid(session, &status, WUNTRACED), session);
	rig_start_successor(&rig, NULL);
	rig_send(&rig, CHANNEL_RESTORE, 0, NULL, 0);
	rig.restored_all = false;
	close(fd);
	assert_int_equal(kill(session, SIGCONT), 0);
	while (!rig.restored_all)
		assert_true(rig_step(&rig));
	assert_int_equal(waitpid(session, &status, 0), session);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(keys, &status, 0), keys);
	assert_int_equal(c.restored, 1);
	update_both(&c);
	connection_close(&c);
}

static void sigterm_asks_for_a_successor_and_a_second_one_does_not_wait(void **state)
{
	struct connection c;
	int status;

	establish_server(&c, 13);
	connection_exchange(&c);
	assert_int_equal(kill(rig.session, SIGTERM), 0);
	while (!rig.retiring)
		assert_true(rig_step(&rig));
	/* work goes on */
	update_both(&c);
	assert_int_equal(kill(rig.session, SIGTERM), 0);
	while (rig_step(&rig))
		;
	assert_int_equal(waitpid(rig.session, &status, 0), rig.session);
	assert_int_equal(status, 0);
	rig.session = 0;
	rig_drop(&rig);
	goes_on(&c, NULL);
}

/* What the agent has passes on a memory that it cannot look into. */
static void the_memory_is_written_once_and_empty_after_it_was_read(void **state)
{
	struct state_header header;
	struct connection c;
	struct stat info;
	char byte;
	int fd, kept;

	establish_server(&c, 13);
	assert_int_equal(read(rig.memory, &byte, 1), -1);
	assert_int_equal(errno, EBADF);
	assert_true(fcntl(rig.memory, F_GETFL) & O_PATH);
	assert_int_equal(fstat(rig.memory, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(info.st_size, 0);
	rig_end_session(&rig);
	/* we are of the same user here; as another one nothing opens it */
	fd = open_memory(O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_string_equal(header.magic, STATE_MAGIC);
	assert_int_equal(header.complete, 1);
	assert_int_equal(fstat(fd, &info), 0);
	assert_int_equal(header.length, info.st_size - sizeof(header));
	kept = fd;
	rig_start_successor(&rig, NULL);
	rig_restore(&rig);
	assert_int_equal(c.restored, 1);
	assert_int_equal(fstat(kept, &info), 0);
	assert_int_equal(info.st_size, 0);
	close(kept);
	connection_close(&c);
}

/* Something is done to the memory on its way. */
static void spoil_with(void (*spoil)(int fd, off_t size), bool *ret_empty, uint32_t *ret_restored)
{
	struct connection c;
	struct stat info;
	int fd;

	establish_server(&c, 13);
	rig_end_session(&rig);
	fd = open_memory(O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &info) == 0);
	spoil(fd, info.st_size);
	rig_start_successor(&rig, NULL);
	rig_restore(&rig);
	assert_int_equal(c.restored, rig.restored);
	*ret_restored = rig.restored;
	assert_int_equal(fstat(fd, &info), 0);
	*ret_empty = info.st_size == 0;
	close(fd);
	connection_close(&c);
	/* nothing else suffers */
	establish_server(&c, 13);
	update_both(&c);
	connection_close(&c);
}

static void cut_one_byte(int fd, off_t size)
{
	assert_int_equal(ftruncate(fd, size - 1), 0);
}

static void cut_in_the_header(int fd, off_t size)
{
	assert_int_equal(ftruncate(fd, sizeof(struct state_header) - 1), 0);
}

static void add_one_byte(int fd, off_t size)
{
	assert_int_equal(pwrite(fd, "x", 1, size), 1);
}

static void make_incomplete(int fd, off_t size)
{
	const uint32_t zero = 0;

	assert_int_equal(pwrite(fd, &zero, 4, offsetof(struct state_header, complete)), 4);
}

static void make_newer(int fd, off_t size)
{
	const uint32_t version = STATE_VERSION + 1;

	assert_int_equal(pwrite(fd, &version, 4, offsetof(struct state_header, version)), 4);
}

static void make_foreign(int fd, off_t size)
{
	assert_int_equal(pwrite(fd, "somebody", 8, 0), 8);
}

static void lengthen_the_first_record(int fd, off_t size)
{
	const uint32_t length = STATE_MAX_PAYLOAD;

	assert_int_equal(
		pwrite(fd, &length, 4,
		       sizeof(struct state_header) + offsetof(struct state_record, length)),
		4);
}

static void a_spoilt_memory_is_refused_and_wiped(void **state)
{
	void (*const ways[])(int fd, off_t size) = {
		cut_one_byte, cut_in_the_header,	 add_one_byte, make_incomplete, make_newer,
		make_foreign, lengthen_the_first_record,
	};
	uint32_t restored;
	bool empty;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		spoil_with(ways[i], &empty, &restored);
		assert_int_equal(restored, 0);
		assert_true(empty);
		assert_true(rig_log_has(&rig, "what a predecessor left cannot be used"));
	}
}

static void open_to_others(int fd, off_t size)
{
	assert_int_equal(fchmod(fd, 0644), 0);
}

static void a_memory_that_others_could_write_is_left_alone(void **state)
{
	uint32_t restored;
	bool empty;

	spoil_with(open_to_others, &empty, &restored);
	assert_int_equal(restored, 0);
	assert_false(empty);
	assert_true(rig_log_has(&rig, "cannot open what a predecessor left"));
}

/* The session's record, wherever it is */
static void turn_into_an_unknown_kind(int fd, off_t size)
{
	off_t at = sizeof(struct state_header);
	const uint16_t type = 999;
	struct state_record record;

	do {
		assert_int_equal(pread(fd, &record, sizeof(record), at), sizeof(record));
		at += (off_t)(sizeof(record) + record.length);
	} while (record.type != STATE_SESSION);
	at -= (off_t)(sizeof(record) + record.length);
	assert_int_equal(pwrite(fd, &type, sizeof(type), at), sizeof(type));
}

static void records_of_unknown_kind_are_passed_over(void **state)
{
	uint32_t restored;
	bool empty;

	spoil_with(turn_into_an_unknown_kind, &empty, &restored);
	assert_int_equal(restored, 0);
	assert_true(empty);
	assert_true(rig_log_has(&rig, "something of unknown kind 999"));
}

#define CASE(name) cmocka_unit_test_setup(name, fixture_restart)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_key_update_is_answered_by_the_successor),
		CASE(tls_1_2_goes_on),
		CASE(a_thousand_sessions_go_on),
		CASE(a_part_of_a_message_goes_on),
		CASE(updates_without_data_are_counted_over_the_change),
		CASE(returned_records_come_again_in_order),
		CASE(a_wish_for_an_update_is_kept),
		CASE(what_was_never_ours_cannot_be_returned),
		CASE(answers_go_out_before_the_end),
		CASE(a_handshake_that_runs_does_not_go_on),
		CASE(sessions_of_a_profile_that_is_gone_go_on),
		CASE(new_handshakes_go_on_beside_it),
		CASE(an_agent_that_crashes_is_survived),
		CASE(a_successor_waits_for_one_that_still_writes),
		CASE(sigterm_asks_for_a_successor_and_a_second_one_does_not_wait),
		CASE(the_memory_is_written_once_and_empty_after_it_was_read),
		CASE(a_spoilt_memory_is_refused_and_wiped),
		CASE(a_memory_that_others_could_write_is_left_alone),
		CASE(records_of_unknown_kind_are_passed_over),
		CASE(key_updates_above_update_rate_end_the_connection),
	};

	return cmocka_run_group_tests_name("succession", tests, fixture_set_up(config),
					   fixture_tear_down);
}
