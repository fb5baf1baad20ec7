// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How sessions pass from one session handler to the next: in which order, and that
 * nothing is lost or done twice.  The sessions are real; the two processes of a
 * generation are played by the test.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "attr.h"
#include "log.h"
#include "succession.h"
#include "test_kernel.h"
#include "test_loop.h"

#define MAX_MESSAGES 64
#define SESSIONS     3

/* Stands for generation.c: its two processes are the test. */
struct generation {
	struct handler handler; /* must be first */
	struct fixture *f;
	struct channel *room; /* the session handler's end; NULL: it has ended */
	struct heard messages[MAX_MESSAGES];
	size_t count;
	bool alive, finishing, heard_end;
	int state;
};

struct fixture {
	struct event_base *base;
	struct sessions *sessions;
	struct statestore *store;
	struct succession *succession;
	struct generation *generations[4];
	size_t generation_count;
	int wires[SESSIONS]; /* the peers' ends */
	unsigned int settled;
};

bool generation_alive(const struct generation *generation)
{
	return generation->alive && !generation->finishing;
}

bool generation_finishing(const struct generation *generation)
{
	return generation->finishing;
}

int generation_take_state(struct generation *generation)
{
	int fd = generation->state;

	generation->state = -1;
	return fd;
}

struct handler *generation_handler(struct generation *generation)
{
	return &generation->handler;
}

void generation_finish(struct generation *generation)
{
	generation->finishing = true;
	channel_shut(generation->handler.channel);
}

static int room_message(void *arg, const struct channel_message *message)
{
	struct generation *generation = arg;

	assert_true(generation->count < MAX_MESSAGES);
	loop_hear(&generation->messages[generation->count++], message);
	return 0;
}

static void room_closed(void *arg, int error)
{
	((struct generation *)arg)->heard_end = true;
}

static int agent_message(void *arg, const struct channel_message *message)
{
	struct generation *generation = arg;
	struct fixture *f = generation->f;

	if (succession_message(f->succession, generation, message))
		return 0;
	return sessions_message(f->sessions, &generation->handler, message);
}

static void agent_closed(void *arg, int error)
{
}

static const struct channel_ops room_ops = { room_message, room_closed, false };
static const struct channel_ops agent_ops = { agent_message, agent_closed, false };

static void on_idle(struct handler *handler)
{
	struct generation *generation = (struct generation *)handler;

	succession_idle(generation->f->succession, generation);
}

static void on_settled(void *arg)
{
	((struct fixture *)arg)->settled++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	test_kernel_reset(-1);
	test_session_count = 0;
	memset(f->wires, -1, sizeof(f->wires));
	assert_int_equal(sessions_new(f->base, NULL, &f->sessions), 0);
	assert_int_equal(statestore_new(&f->store), 0);
	assert_int_equal(succession_new(f->base, NULL, f->sessions, f->store, on_settled, f,
					&f->succession),
			 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	size_t i;

	sessions_free(f->sessions);
	succession_free(f->succession);
	statestore_free(f->store);
	for (i = 0; i < f->generation_count; i++) {
		channel_free(f->generations[i]->handler.channel);
		channel_free(f->generations[i]->room);
		free(f->generations[i]);
	}
	for (i = 0; i < SESSIONS; i++)
		if (f->wires[i] >= 0)
			close(f->wires[i]);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void settle(struct fixture *f)
{
	loop_settle(f->base);
}

/* A generation that said HELLO, with or without a memory. */
static struct generation *start(struct fixture *f, bool memory)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	int channel[2];

	generation->f = f;
	generation->alive = true;
	generation->state = memory ? memfd_create("state", MFD_CLOEXEC) : -1;
	generation->handler.number = statestore_next(f->store);
	generation->handler.idle = on_idle;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
	assert_int_equal(channel_new(f->base, channel[0], &agent_ops, generation,
				     &generation->handler.channel),
			 0);
	assert_int_equal(channel_new(f->base, channel[1], &room_ops, generation, &generation->room),
			 0);
	f->generations[f->generation_count++] = generation;
	succession_follow(f->succession, generation);
	settle(f);
	return generation;
}

/* The processes are gone, as generation.c finds out. */
static void end(struct generation *generation, enum generation_end how)
{
	generation->alive = false;
	channel_free(generation->handler.channel);
	generation->handler.channel = NULL;
	channel_free(generation->room);
	generation->room = NULL;
	succession_ended(generation->f->succession, generation, how, "it was ended");
	settle(generation->f);
}

static void say(struct generation *generation, uint16_t type, uint64_t id, const void *payload,
		size_t length)
{
	assert_int_equal(channel_send(generation->room, type, id, false, payload, length), 0);
	settle(generation->f);
}

static void say_keys(struct generation *generation, uint64_t id, uint8_t direction)
{
	struct {
		struct channel_keys header;
		uint8_t info[40];
	} keys = { { direction, 0, 0, htole32(40) }, { 0 } };

	say(generation, CHANNEL_KEYS, id, &keys, sizeof(keys));
}

/* A record of three bytes; with keys if @keys. */
static void say_record(struct generation *generation, uint64_t id, const char *text, bool keys)
{
	struct {
		uint8_t type;
		uint8_t length[2];
		char text[3];
		struct channel_keys header;
		uint8_t info[40];
	} __attribute__((packed)) record = {
		22, { 3, 0 }, { text[0], text[1], text[2] }, { CHANNEL_KEYS_TX, 0, 0, htole32(40) }
	};

	say(generation, CHANNEL_RECORD, id, &record, keys ? sizeof(record) : 6);
}

static void begin_session(struct fixture *f, struct generation *generation, uint64_t id)
{
	struct handshake handshake = {
		.id = id, .role = TLS_HANDOFF_CLIENT, .profile = "default", .timeout = 10000
	};
	int wire[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
	handshake.fd = wire[0];
	f->wires[id - 1] = wire[1];
	sessions_open(f->sessions, &generation->handler, &handshake);
}

static void establish(struct generation *generation, uint64_t id)
{
	struct attr_builder done = { 0 };

	say_keys(generation, id, CHANNEL_KEYS_TX);
	say_keys(generation, id, CHANNEL_KEYS_RX);
	attr_put_u16(&done, CHANNEL_A_VERSION, TLS_1_3_VERSION);
	attr_put_u16(&done, CHANNEL_A_CIPHER, TLS_CIPHER_AES_GCM_128);
	say(generation, CHANNEL_DONE, id, done.data, done.length);
	attr_builder_free(&done);
}

static void session(struct fixture *f, struct generation *generation, uint64_t id)
{
	begin_session(f, generation, id);
	establish(generation, id);
	generation->count = 0;
	test_kernel_reset(-1);
}

static void restored(struct generation *generation, uint64_t id, uint64_t tx, uint64_t rx)
{
	struct channel_restored counts = { htole64(tx), htole64(rx) };

	say(generation, CHANNEL_RESTORED, id, &counts, sizeof(counts));
}

static void all_restored(struct generation *generation, uint32_t count)
{
	count = htole32(count);
	say(generation, CHANNEL_RESTORED, 0, &count, sizeof(count));
}

static void divert(struct fixture *f, uint64_t id, const char *text)
{
	uint8_t buffer[64];
	size_t length = test_kernel_record(buffer, 22, text, strlen(text));

	assert_int_equal(write(f->wires[id - 1], buffer, length), length);
	settle(f);
}

static const struct heard *last(const struct generation *generation)
{
	assert_true(generation->count > 0);
	return &generation->messages[generation->count - 1];
}

/* The first generation, ready and settled, with @sessions established ones. */
static struct generation *first(struct fixture *f, unsigned int sessions)
{
	struct generation *generation = start(f, true);
	unsigned int id;

	assert_int_equal(f->settled, 1);
	for (id = 1; id <= sessions; id++)
		session(f, generation, id);
	return generation;
}

static void sessions_pass_to_the_next_one(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 2), *next = start(f, true);

	assert_ptr_equal(succession_current(f->succession), next);
	assert_true(succession_busy(f->succession));
	assert_true(old->finishing);
	assert_true(old->heard_end);
	assert_int_equal(old->count, 0); /* nothing was said, nothing returned */
	assert_int_equal(next->count, 0);
	end(old, GENERATION_FINISHED);
	assert_int_equal(last(next)->type, CHANNEL_RESTORE);
	restored(next, 1, 0, 0);
	restored(next, 2, 0, 0);
	assert_true(succession_busy(f->succession));
	all_restored(next, 2);
	assert_false(succession_busy(f->succession));
	assert_int_equal(f->settled, 2);
	assert_false(statestore_has_left(f->store));
	assert_int_equal(next->handler.sessions, 2);
	/* And are served by it. */
	divert(f, 2, "update");
	assert_int_equal(last(next)->type, CHANNEL_RECORD);
	assert_int_equal(last(next)->session, 2);
	say_record(next, 1, "abc", true);
	assert_int_equal(test_call_count, 1);
	assert_int_equal(test_calls[0].kind, CALL_TX_UPDATE);
}

static void handshakes_end_where_they_began(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next;

	begin_session(f, old, 2);
	next = start(f, true);
	assert_false(old->finishing);
	/* What was established already goes on with the old one. */
	divert(f, 1, "update");
	assert_int_equal(last(old)->type, CHANNEL_RECORD);
	establish(old, 2);
	assert_true(old->finishing);
	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	restored(next, 2, 0, 0);
	all_restored(next, 2);
	assert_int_equal(next->handler.sessions, 2);
}

static void nothing_is_read_while_nobody_knows_the_session(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next = start(f, true);

	divert(f, 1, "first");
	divert(f, 1, "second");
	assert_int_equal(old->count, 0);
	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	assert_int_equal(next->count, 3);
	assert_memory_equal(next->messages[1].payload,
			    "\x16"
			    "first",
			    6);
	assert_memory_equal(next->messages[2].payload, "\x16second", 7);
}

static void last_words_are_done_before_the_first_ones(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next = start(f, true);

	say_keys(old, 1, CHANNEL_KEYS_RX);
	say_record(old, 1, "old", false);
	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	say_record(next, 1, "new", false);
	assert_int_equal(test_call_count, 3);
	assert_int_equal(test_calls[0].kind, CALL_KEYS);
	assert_memory_equal(test_calls[1].bytes, "old", 3);
	assert_memory_equal(test_calls[2].bytes, "new", 3);
}

static void records_that_wait_stay_in_order_over_a_reload(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next;

	test_send_result = -EAGAIN;
	say_record(old, 1, "one", false);
	next = start(f, true);
	say_record(old, 1, "two", false);
	assert_int_equal(old->count, 0);
	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	say_record(next, 1, "new", false);
	test_kernel_reset(-1);
	loop_until(f->base, test_call_count == 3);
	assert_memory_equal(test_calls[0].bytes, "one", 3);
	assert_memory_equal(test_calls[1].bytes, "two", 3);
	assert_memory_equal(test_calls[2].bytes, "new", 3);
}

static void a_session_that_nobody_restores_goes_on_alone(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 2), *next = start(f, true);

	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	all_restored(next, 1);
	assert_int_equal(sessions_count(f->sessions), 2);
	divert(f, 2, "update");
	assert_int_equal(sessions_count(f->sessions), 1);
	assert_int_equal(test_calls[0].kind, CALL_DONE);
	assert_int_equal(test_calls[0].number, ESRCH);
}

static void without_a_complete_state_all_go_on_alone(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next = start(f, true);

	end(old, GENERATION_RETIRED);
	assert_int_equal(next->count, 0);
	assert_false(succession_busy(f->succession));
	divert(f, 1, "update");
	assert_int_equal(test_calls[0].number, ESRCH);
}

static void a_handler_without_memory_leaves_orphans(void **state)
{
	struct fixture *f = *state;
	struct generation *old = start(f, false), *next;

	session(f, old, 1);
	next = start(f, true);
	end(old, GENERATION_FINISHED);
	assert_int_equal(next->count, 0);
	assert_false(succession_busy(f->succession));
	divert(f, 1, "update");
	assert_int_equal(test_calls[0].number, ESRCH);
}

static void what_is_not_there_is_closed(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 2), *next = start(f, true);
	struct tls_handoff_event event = { TLS_HANDOFF_EVENT_CLOSED, 0 };
	uint8_t buffer[64];
	size_t length = test_kernel_record(buffer, TLS_HANDOFF_RECORD_EVENT, &event, sizeof(event));

	end(old, GENERATION_FINISHED);
	/* One that was never there, twice the same, and one whose program went meanwhile. */
	restored(next, 77, 0, 0);
	assert_int_equal(last(next)->type, CHANNEL_CLOSE);
	assert_int_equal(last(next)->session, 77);
	restored(next, 1, 0, 0);
	next->count = 0;
	restored(next, 1, 0, 0);
	assert_int_equal(last(next)->type, CHANNEL_CLOSE);
	assert_int_equal(write(f->wires[1], buffer, length), length);
	restored(next, 2, 0, 0);
	loop_until(f->base, last(next)->session == 2);
	assert_int_equal(last(next)->type, CHANNEL_CLOSE);
	assert_int_equal(sessions_count(f->sessions), 1);
}

static void nobody_restores_unasked(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next;

	restored(old, 1, 0, 0);
	assert_int_equal(last(old)->type, CHANNEL_CLOSE);
	next = start(f, true);
	restored(next, 1, 0, 0);
	assert_int_equal(last(next)->type, CHANNEL_CLOSE);
	all_restored(next, 1);
	assert_true(succession_busy(f->succession));
	assert_int_equal(old->handler.sessions, 1);
}

static void who_dies_while_restoring_leaves_the_rest_to_the_next(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 2), *next = start(f, true), *third;

	end(old, GENERATION_FINISHED);
	restored(next, 1, 0, 0);
	end(next, GENERATION_DIED);
	assert_null(succession_current(f->succession));
	third = start(f, true);
	assert_int_equal(last(third)->type, CHANNEL_RESTORE);
	/* The first one's state is of the past now. */
	restored(third, 1, 0, 0);
	assert_int_equal(last(third)->type, CHANNEL_CLOSE);
	restored(third, 2, 0, 0);
	all_restored(third, 2);
	assert_int_equal(third->handler.sessions, 1);
	divert(f, 2, "update");
	assert_int_equal(last(third)->session, 2);
}

static void a_successor_that_dies_first_leaves_all_to_the_next(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next, *third;

	begin_session(f, old, 2);
	next = start(f, true);
	end(next, GENERATION_DIED);
	assert_false(old->finishing);
	establish(old, 2);
	assert_false(old->finishing); /* there is nobody yet */
	third = start(f, true);
	assert_true(old->finishing);
	end(old, GENERATION_FINISHED);
	restored(third, 1, 0, 0);
	restored(third, 2, 0, 0);
	all_restored(third, 2);
	assert_int_equal(third->handler.sessions, 2);
}

static void answer_barrier(struct generation *generation)
{
	struct {
		uint32_t request;
		char text[8];
	} counts;

	assert_int_equal(last(generation)->type, CHANNEL_TICKETS);
	memcpy(&counts.request, last(generation)->payload, sizeof(counts.request));
	say(generation, CHANNEL_COUNTS, 0, &counts, sizeof(counts));
}

static void at_the_end_what_waits_goes_back_in_order(void **state)
{
	struct fixture *f = *state;
	struct generation *generation = first(f, 2);

	test_send_result = -EAGAIN;
	say_record(generation, 1, "one", false);
	divert(f, 1, "update");
	succession_stop(f->succession);
	settle(f);
	/* Its answer to what it was told before the end still comes. */
	say_record(generation, 1, "two", false);
	answer_barrier(generation);
	assert_int_equal(generation->count, 4);
	assert_int_equal(generation->messages[2].type, CHANNEL_RETURN);
	assert_memory_equal(generation->messages[2].payload + 3, "one", 3);
	assert_memory_equal(generation->messages[3].payload + 3, "two", 3);
	assert_true(generation->heard_end);
	/* What would overtake them is not sent. */
	test_kernel_reset(-1);
	say_record(generation, 1, "six", false);
	assert_int_equal(test_call_count, 0);
	say_record(generation, 2, "six", false);
	assert_int_equal(test_call_count, 1);
	f->settled = 0;
	end(generation, GENERATION_FINISHED);
	assert_int_equal(f->settled, 1);
	assert_true(statestore_has_left(f->store));
	assert_int_equal(sessions_count(f->sessions), 2);
}

static void at_the_end_handshakes_get_a_moment(void **state)
{
	struct fixture *f = *state;
	struct generation *generation = first(f, 1);

	begin_session(f, generation, 2);
	begin_session(f, generation, 3);
	succession_stop(f->succession);
	settle(f);
	establish(generation, 2);
	assert_false(generation->handler.parked);
	test_kernel_reset(-1);
	/* The third one never ends; no more than the moment is lost by it. */
	loop_until(f->base, generation->finishing);
	assert_int_equal(test_calls[0].kind, CALL_DONE);
	assert_int_equal(test_calls[0].number, ECONNRESET);
	assert_int_equal(sessions_count(f->sessions), 2);
}

static void at_the_end_predecessor_and_successor_both_leave_their_state(void **state)
{
	struct fixture *f = *state;
	struct generation *old = first(f, 1), *next;
	int fds[4];

	begin_session(f, old, 2);
	next = start(f, true);
	session(f, next, 3);
	succession_stop(f->succession);
	settle(f);
	answer_barrier(next);
	assert_true(next->finishing);
	assert_false(old->finishing);
	establish(old, 2);
	answer_barrier(old);
	assert_true(old->finishing);
	f->settled = 0;
	end(next, GENERATION_FINISHED);
	assert_int_equal(f->settled, 0);
	end(old, GENERATION_FINISHED);
	assert_int_equal(f->settled, 1);
	assert_int_equal(statestore_list(f->store, fds, 4), 2);
}

/* What a tlshd before this one had: GET and ATTACH tell of it. */
static void known(struct fixture *f, struct netlink_session *sessions, int *wires, size_t count)
{
	int wire[2];
	size_t i;

	memset(sessions, 0, count * sizeof(*sessions));
	for (i = 0; i < count; i++) {
		sessions[i].handshake.id = i + 1;
		sessions[i].handshake.role = TLS_HANDOFF_SERVER;
		strcpy(sessions[i].handshake.profile, "default");
		sessions[i].state = TLS_HANDOFF_STATE_ESTABLISHED;
		sessions[i].tx_generation = 5;
		sessions[i].rx_generation = 6;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
		wires[i] = wire[0];
		f->wires[i] = wire[1];
	}
	test_sessions = sessions;
	test_wires = wires;
	test_session_count = count;
	statestore_add(f->store, statestore_next(f->store), memfd_create("state", MFD_CLOEXEC));
	statestore_left(f->store, 1);
}

static void a_restarted_agent_finds_its_sessions_again(void **state)
{
	struct netlink_session sessions[2];
	struct fixture *f = *state;
	struct generation *generation;
	int wires[2];

	known(f, sessions, wires, 2);
	divert(f, 2, "update");
	generation = start(f, true);
	assert_int_equal(last(generation)->type, CHANNEL_RESTORE);
	assert_int_equal(f->settled, 0);
	restored(generation, 1, 5, 6);
	restored(generation, 2, 5, 6);
	all_restored(generation, 2);
	assert_int_equal(f->settled, 1);
	assert_false(statestore_has_left(f->store));
	assert_int_equal(sessions_count(f->sessions), 2);
	assert_int_equal(last(generation)->type, CHANNEL_RECORD);
	assert_memory_equal(last(generation)->payload, "\x16update", 7);
	say_record(generation, 1, "abc", true);
	assert_int_equal(test_calls[test_call_count - 1].kind, CALL_TX_UPDATE);
}

static void a_state_of_other_keys_is_not_used(void **state)
{
	struct netlink_session sessions[2];
	struct fixture *f = *state;
	struct generation *generation;
	int wires[2];

	known(f, sessions, wires, 2);
	generation = start(f, true);
	restored(generation, 1, 4, 6);
	assert_int_equal(last(generation)->type, CHANNEL_CLOSE);
	restored(generation, 2, 5, 8);
	assert_int_equal(last(generation)->session, 2);
	assert_int_equal(last(generation)->type, CHANNEL_CLOSE);
	all_restored(generation, 2);
	assert_int_equal(generation->handler.sessions, 0);
	/* They live on alone. */
	assert_int_equal(sessions_count(f->sessions), 2);
	divert(f, 1, "update");
	assert_int_equal(test_calls[0].number, ESRCH);
}

static void keys_that_an_agent_died_with_are_asked_for_again(void **state)
{
	struct netlink_session sessions[2];
	struct channel_restored kernels;
	struct fixture *f = *state;
	struct generation *generation;
	int wires[2];

	known(f, sessions, wires, 2);
	divert(f, 1, "update");
	generation = start(f, true);
	restored(generation, 1, 6, 7);
	/* Before anything that is read. */
	assert_int_equal(generation->messages[1].type, CHANNEL_RESYNC);
	assert_int_equal(generation->messages[1].session, 1);
	memcpy(&kernels, generation->messages[1].payload, sizeof(kernels));
	assert_int_equal(le64toh(kernels.tx_generation), 5);
	assert_int_equal(le64toh(kernels.rx_generation), 6);
	assert_int_equal(generation->messages[2].type, CHANNEL_RECORD);
	restored(generation, 2, 5, 6);
	all_restored(generation, 2);
	assert_int_equal(generation->count, 3);
	assert_int_equal(generation->handler.sessions, 2);
}

static void other_agents_sessions_are_left_alone(void **state)
{
	struct netlink_session sessions[2];
	struct fixture *f = *state;
	struct generation *generation;
	int wires[2];

	known(f, sessions, wires, 2);
	close(wires[0]);
	wires[0] = -1; /* EBUSY */
	sessions[1].state = TLS_HANDOFF_STATE_HANDSHAKE;
	generation = start(f, true);
	restored(generation, 1, 5, 6);
	assert_int_equal(last(generation)->type, CHANNEL_CLOSE);
	all_restored(generation, 1);
	assert_int_equal(sessions_count(f->sessions), 0);
	close(wires[1]);
}

static void without_any_state_sessions_are_taken_up_for_their_end(void **state)
{
	struct netlink_session sessions[1];
	struct fixture *f = *state;
	struct generation *generation;
	int wires[1];

	known(f, sessions, wires, 1);
	statestore_drop_left(f->store);
	generation = start(f, true);
	assert_int_equal(generation->count, 0);
	assert_int_equal(sessions_count(f->sessions), 1);
	divert(f, 1, "update");
	assert_int_equal(test_calls[0].kind, CALL_DONE);
	assert_int_equal(test_calls[0].number, ESRCH);
	assert_int_equal(sessions_count(f->sessions), 0);
}

#define succession_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		succession_test(sessions_pass_to_the_next_one),
		succession_test(handshakes_end_where_they_began),
		succession_test(nothing_is_read_while_nobody_knows_the_session),
		succession_test(last_words_are_done_before_the_first_ones),
		succession_test(records_that_wait_stay_in_order_over_a_reload),
		succession_test(a_session_that_nobody_restores_goes_on_alone),
		succession_test(without_a_complete_state_all_go_on_alone),
		succession_test(a_handler_without_memory_leaves_orphans),
		succession_test(what_is_not_there_is_closed),
		succession_test(nobody_restores_unasked),
		succession_test(who_dies_while_restoring_leaves_the_rest_to_the_next),
		succession_test(a_successor_that_dies_first_leaves_all_to_the_next),
		succession_test(at_the_end_what_waits_goes_back_in_order),
		succession_test(at_the_end_handshakes_get_a_moment),
		succession_test(at_the_end_predecessor_and_successor_both_leave_their_state),
		succession_test(a_restarted_agent_finds_its_sessions_again),
		succession_test(a_state_of_other_keys_is_not_used),
		succession_test(keys_that_an_agent_died_with_are_asked_for_again),
		succession_test(other_agents_sessions_are_left_alone),
		succession_test(without_any_state_sessions_are_taken_up_for_their_end),
	};

	log_open("test", true, true);
	return cmocka_run_group_tests_name("succession", tests, NULL, NULL);
}
