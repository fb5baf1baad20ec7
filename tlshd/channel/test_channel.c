// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The channel keeps its promises: framing, order, windows, and a hostile other side.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel.h"
#include "test_loop.h"

#define TAKEN 77 /* id of messages whose descriptor is taken */

struct seen {
	uint16_t type;
	uint64_t session;
	size_t length;
	uint8_t first; /* byte of the payload */
};

struct end {
	struct event_base *base;
	struct channel *channel;
	struct seen *seen;
	size_t count, size;
	size_t wanted; /* messages after which the loop stops */
	int answer;    /* of the message handler */
	bool closed;
	int error;
	int fd; /* of the last message */
};

struct fixture {
	struct event_base *base;
	struct end left, right;
	int raw; /* our socket where the test plays a hostile other side */
};

static int on_message(void *arg, const struct channel_message *message)
{
	struct end *end = arg;

	if (end->count == end->size) {
		size_t size = end->size ? 2 * end->size : 64;
		struct seen *grown = realloc(end->seen, size * sizeof(*grown));

		if (!grown)
			abort();
		end->seen = grown;
		end->size = size;
	}
	end->seen[end->count++] = (struct seen){ message->type, message->session, message->length,
						 message->length ? message->payload[0] : 0 };
	if (end->count == end->wanted)
		event_base_loopbreak(end->base);
	return end->answer;
}

static void on_closed(void *arg, int error)
{
	struct end *end = arg;

	assert_false(end->closed);
	end->closed = true;
	end->error = error;
	event_base_loopbreak(end->base);
}

static const struct channel_ops ops = { on_message, on_closed };

static void end_open(struct fixture *f, struct end *end, int fd)
{
	end->base = f->base;
	assert_int_equal(channel_new(f->base, fd, &ops, end, &end->channel), 0);
}

static int setup_pair(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	f->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	end_open(f, &f->left, fds[0]);
	end_open(f, &f->right, fds[1]);
	f->raw = -1;
	*state = f;
	return 0;
}

static int setup_raw(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	f->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	end_open(f, &f->left, fds[0]);
	f->raw = fds[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	channel_free(f->left.channel);
	channel_free(f->right.channel);
	free(f->left.seen);
	free(f->right.seen);
	if (f->raw >= 0)
		close(f->raw);
	event_base_free(f->base);
	free(f);
	return 0;
}

/* Runs the loop until a handler stops it. */
static void run(struct fixture *f)
{
	struct event *deadline = loop_deadline(f->base);

	event_base_dispatch(f->base);
	event_free(deadline);
}

static void run_until(struct fixture *f, struct end *end, size_t count)
{
	end->wanted = count;
	if (end->count < count)
		run(f);
	assert_int_equal(end->count, count);
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 0xa5;

	assert_int_equal(channel_send2(f->left.channel, CHANNEL_BYTES, 7, true, &byte, 1, "bc", 2),
			 0);
	run_until(f, &f->right, 1);
	assert_int_equal(f->right.seen[0].type, CHANNEL_BYTES);
	assert_int_equal(f->right.seen[0].session, 7);
	assert_int_equal(f->right.seen[0].length, 3);
	assert_int_equal(f->right.seen[0].first, 0xa5);
}

static void the_largest_payload_passes_and_a_larger_one_is_refused(void **state)
{
	static const uint8_t zeros[CHANNEL_MAX_PAYLOAD + 1];
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, zeros,
				      CHANNEL_MAX_PAYLOAD),
			 0);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, zeros,
				      CHANNEL_MAX_PAYLOAD + 1),
			 -EMSGSIZE);
	assert_int_equal(channel_send2(f->left.channel, CHANNEL_DONE, 1, false, zeros, 1, zeros,
				       CHANNEL_MAX_PAYLOAD),
			 -EMSGSIZE);
	run_until(f, &f->right, 1);
	assert_int_equal(f->right.seen[0].length, CHANNEL_MAX_PAYLOAD);
}

/* Sends BYTES of @session until its window is full; how many were taken. */
static size_t fill_session(struct fixture *f, uint64_t session)
{
	static const uint8_t block[CHANNEL_MAX_BYTES];
	size_t sent = 0;
	int ret;

	while ((ret = channel_send(f->left.channel, CHANNEL_BYTES, session, true, block,
				   sizeof(block))) == 0)
		sent++;
	assert_int_equal(ret, -ENOBUFS);
	return sent;
}

/* Fills the socket, then the window of another session. */
static size_t fill(struct fixture *f, uint64_t *ret_session)
{
	*ret_session = 101;
	return fill_session(f, 100) + fill_session(f, 101);
}

static void other_sessions_messages_overtake_bulk(void **state)
{
	struct fixture *f = *state;
	size_t sent, i, done_at = 0, own_at = 0, bulk_after = 0;
	uint64_t blocked;

	sent = fill(f, &blocked);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_CLOSE, blocked, false, NULL, 0), 0);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), 0);
	run_until(f, &f->right, sent + 2);
	for (i = 0; i < f->right.count; i++) {
		if (f->right.seen[i].type == CHANNEL_DONE)
			done_at = i;
		else if (f->right.seen[i].type == CHANNEL_CLOSE)
			own_at = i;
		else if (f->right.seen[i].session == blocked && own_at)
			bulk_after++;
	}
	/* The DONE of session 1 passed what waited, the CLOSE of the blocked one did not. */
	assert_true(done_at < own_at);
	assert_true(done_at < sent);
	assert_int_equal(own_at, sent + 1);
	assert_int_equal(bulk_after, 0);
}

static void a_session_can_have_one_window_of_bulk_waiting(void **state)
{
	struct fixture *f = *state;
	uint64_t blocked, i, count = 0;
	size_t sent;

	sent = fill(f, &blocked);
	run_until(f, &f->right, sent);
	for (i = 0; i < sent; i++)
		count += f->right.seen[i].session == blocked;
	assert_int_equal(count, CHANNEL_WINDOW / CHANNEL_MAX_BYTES);
	/* The window is free again. */
	assert_int_equal(channel_send(f->left.channel, CHANNEL_BYTES, blocked, true, "x", 1), 0);
	run_until(f, &f->right, sent + 1);
}

static void order_within_a_session_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t blocked;
	size_t sent, i;
	uint8_t n;

	sent = fill(f, &blocked);
	for (n = 0; n < 100; n++)
		assert_int_equal(channel_send(f->left.channel, CHANNEL_KEYS, blocked, false, &n, 1),
				 0);
	run_until(f, &f->right, sent + 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(f->right.seen[sent + i].first, i);
}

static void end_of_file_is_told_once_with_no_error(void **state)
{
	struct fixture *f = *state;

	close(f->raw);
	f->raw = -1;
	run(f);
	assert_true(f->left.closed);
	assert_int_equal(f->left.error, 0);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), -EPIPE);
}

static size_t packet(uint8_t *buffer, uint32_t length, uint16_t type, uint16_t reserved)
{
	struct channel_header header = { htole32(length), htole16(type), htole16(reserved),
					 htole64(5) };

	memcpy(buffer, &header, sizeof(header));
	memset(buffer + sizeof(header), 0x42, length);
	return sizeof(header) + length;
}

static void last_words_are_heard_before_the_end(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[64];
	size_t length = packet(buffer, 4, CHANNEL_FAIL, 0);

	assert_int_equal(send(f->raw, buffer, length, 0), length);
	/* Unread data makes the close a reset, and the send after it fails. */
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), 0);
	close(f->raw);
	f->raw = -1;
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), -EPIPE);
	run(f);
	assert_int_equal(f->left.count, 1);
	assert_int_equal(f->left.seen[0].type, CHANNEL_FAIL);
	assert_true(f->left.closed);
}

static void malformed_packets_end_the_channel(void **state)
{
	static const struct {
		uint32_t length;
		uint16_t reserved;
		int cut; /* bytes left off (or added) */
	} cases[] = {
		{ 10, 0, 1 },
		{ 10, 0, -1 },
		{ 10, 1, 0 },
		{ 0, 0, 1 },
		{ 0, 0, 15 },
		{ CHANNEL_MAX_PAYLOAD + 1, 0, 0 },
		{ CHANNEL_MAX_PAYLOAD + 4096, 0, 0 },
	};
	static uint8_t buffer[CHANNEL_MAX_PAYLOAD + 8192];
	size_t i, length;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;

		setup_raw((void **)&f);
		length = packet(buffer, cases[i].length, CHANNEL_BYTES, cases[i].reserved) -
			 cases[i].cut;
		assert_int_equal(send(f->raw, buffer, length, 0), length);
		run(f);
		assert_true(f->left.closed);
		assert_int_equal(f->left.error, -EPROTO);
		assert_int_equal(f->left.count, 0);
		teardown((void **)&f);
	}
}

static void a_handler_that_refuses_ends_the_channel(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[64];
	size_t length = packet(buffer, 4, CHANNEL_FAIL, 0);

	f->left.answer = -EPROTO;
	assert_int_equal(send(f->raw, buffer, length, 0), length);
	assert_int_equal(send(f->raw, buffer, length, 0), length);
	run(f);
	assert_int_equal(f->left.count, 1);
	assert_true(f->left.closed);
	assert_int_equal(f->left.error, -EPROTO);
}

static void attached_descriptors_are_not_taken(void **state)
{
	struct fixture *f = *state;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	uint8_t buffer[64];
	struct iovec iov = { buffer, packet(buffer, 4, CHANNEL_FAIL, 0) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int null = dup(0), next;

	memcpy(CMSG_DATA(&control.header), &null, sizeof(null));
	assert_int_equal(sendmsg(f->raw, &msg, 0), iov.iov_len);
	close(null);
	run_until(f, &f->left, 1);
	next = dup(0);
	assert_int_equal(next, null);
	close(next);
}

static int on_message_take(void *arg, const struct channel_message *message)
{
	struct end *end = arg;

	end->fd = message->session == TAKEN ? channel_take_fd(message) : -1;
	return on_message(arg, message);
}

static const struct channel_ops taking_ops = { on_message_take, on_closed, true };

static int descriptors_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void a_descriptor_is_taken_or_closed(void **state)
{
	int fds[2], pipes[2], before;
	struct fixture *f;
	char byte;

	setup_raw((void **)&f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	f->right.base = f->base;
	assert_int_equal(channel_new(f->base, fds[0], &taking_ops, &f->right, &f->right.channel),
			 0);
	channel_free(f->left.channel);
	f->left = (struct end){ 0 };
	end_open(f, &f->left, fds[1]);
	before = descriptors_open();
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(channel_send_fd(f->left.channel, CHANNEL_HELLO, TAKEN, "abcd", 4,
					 dup(pipes[0])),
			 0);
	run_until(f, &f->right, 1);
	assert_int_equal(f->right.seen[0].length, 4);
	assert_true(f->right.fd >= 0);
	assert_int_equal(fcntl(f->right.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(read(f->right.fd, &byte, 1), 1);
	close(f->right.fd);
	/* not taken: closed; nothing attached: none there */
	assert_int_equal(
		channel_send_fd(f->left.channel, CHANNEL_HELLO, TAKEN + 1, NULL, 0, pipes[0]), 0);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_HELLO, TAKEN, false, NULL, 0), 0);
	run_until(f, &f->right, 3);
	assert_int_equal(f->right.fd, -1);
	/* refused: closed, too */
	channel_shut(f->left.channel);
	assert_int_equal(channel_send_fd(f->left.channel, CHANNEL_HELLO, TAKEN, NULL, 0, pipes[1]),
			 -EPIPE);
	assert_int_equal(descriptors_open(), before);
	teardown((void **)&f);
}

/* Reads one packet of the raw side; its length. */
static ssize_t raw_receive(struct fixture *f)
{
	static uint8_t buffer[sizeof(struct channel_header) + CHANNEL_MAX_PAYLOAD];

	return recv(f->raw, buffer, sizeof(buffer), MSG_DONTWAIT);
}

static void a_channel_that_was_shut_says_what_waits_and_still_listens(void **state)
{
	struct fixture *f = *state;
	uint8_t buffer[64];
	size_t length = packet(buffer, 4, CHANNEL_FAIL, 0), sent, got = 0;
	uint64_t blocked;
	ssize_t n;

	sent = fill(f, &blocked);
	channel_shut(f->left.channel);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_CLOSE, 1, false, NULL, 0), -EPIPE);
	while ((n = raw_receive(f)) != 0) {
		got += n > 0;
		if (n < 0)
			event_base_loop(f->base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(got, sent);
	/* our end of file is not theirs */
	assert_int_equal(send(f->raw, buffer, length, 0), length);
	run_until(f, &f->left, 1);
	assert_false(f->left.closed);
	close(f->raw);
	f->raw = -1;
	run(f);
	assert_int_equal(f->left.error, 0);
}

static void answers_go_out_after_the_other_side_was_shut(void **state)
{
	struct fixture *f = *state;
	size_t sent, got = 0;
	uint64_t blocked;

	sent = fill(f, &blocked);
	assert_int_equal(shutdown(f->raw, SHUT_WR), 0);
	run(f);
	assert_true(f->left.closed);
	assert_int_equal(f->left.error, 0);
	assert_int_equal(channel_flush(f->left.channel, 10), -ETIMEDOUT);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), 0);
	while (raw_receive(f) > 0)
		got++;
	assert_int_equal(channel_flush(f->left.channel, LOOP_DEADLINE * 1000), 0);
	while (raw_receive(f) > 0)
		got++;
	assert_int_equal(got, sent + 1);
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), 0);
	close(f->raw);
	f->raw = -1;
	assert_int_equal(channel_send(f->left.channel, CHANNEL_DONE, 1, false, NULL, 0), -EPIPE);
	assert_int_equal(channel_flush(f->left.channel, LOOP_DEADLINE * 1000), -EPIPE);
}

/* The other side never reads: bulk is bounded, and so is everything. */
static void a_side_that_does_not_read_costs_a_bounded_amount(void **state)
{
	static const uint8_t block[32 * 1024];
	struct fixture *f = *state;
	size_t sent = 0;
	int ret;

	do {
		ret = channel_send(f->left.channel, CHANNEL_DONE, ++sent, false, block,
				   sizeof(block));
		assert_true(sent < 8192);
	} while (ret == 0);
	assert_int_equal(ret, -EPIPE);
	run(f);
	assert_int_equal(f->left.error, -ENOBUFS);
}

static void the_table_of_permitted_messages_is_the_protocol(void **state)
{
	static const struct {
		enum channel_direction direction;
		enum channel_state at;
		uint16_t types[8];
	} rows[] = {
		{ CHANNEL_TO_SESSION,
		  CHANNEL_STATE_NONE,
		  { CHANNEL_HELLO, CHANNEL_OPEN, CHANNEL_RESTORE, CHANNEL_TICKETS } },
		{ CHANNEL_TO_SESSION, CHANNEL_STATE_HANDSHAKE, { CHANNEL_BYTES, CHANNEL_CLOSE } },
		{ CHANNEL_TO_SESSION,
		  CHANNEL_STATE_ESTABLISHED,
		  { CHANNEL_RECORD, CHANNEL_REKEY, CHANNEL_EXPORT, CHANNEL_RETURN, CHANNEL_SENT,
		    CHANNEL_RESYNC, CHANNEL_CLOSE } },
		{ CHANNEL_TO_AGENT,
		  CHANNEL_STATE_NONE,
		  { CHANNEL_HELLO, CHANNEL_RESTORED, CHANNEL_RETIRE, CHANNEL_COUNTS } },
		{ CHANNEL_TO_AGENT,
		  CHANNEL_STATE_HANDSHAKE,
		  { CHANNEL_READ, CHANNEL_BYTES, CHANNEL_KEYS, CHANNEL_DONE, CHANNEL_FAIL } },
		{ CHANNEL_TO_AGENT,
		  CHANNEL_STATE_ESTABLISHED,
		  { CHANNEL_KEYS, CHANNEL_RECORD, CHANNEL_CONTINUE, CHANNEL_EXPORTED,
		    CHANNEL_FAIL } },
	};
	size_t i, j;
	unsigned int type;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (type = 0; type <= 0xffff; type++) {
			bool expected = false;

			for (j = 0; j < 8 && rows[i].types[j]; j++)
				expected |= rows[i].types[j] == type;
			assert_int_equal(channel_permitted(rows[i].direction, rows[i].at, type),
					 expected);
		}
	assert_false(channel_permitted(CHANNEL_TO_AGENT, CHANNEL_STATE_MAX, CHANNEL_FAIL));
	assert_false(channel_permitted(2, CHANNEL_STATE_NONE, CHANNEL_HELLO));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_arrives_as_it_was_sent, setup_pair,
						teardown),
		cmocka_unit_test_setup_teardown(
			the_largest_payload_passes_and_a_larger_one_is_refused, setup_pair,
			teardown),
		cmocka_unit_test_setup_teardown(other_sessions_messages_overtake_bulk, setup_pair,
						teardown),
		cmocka_unit_test_setup_teardown(a_session_can_have_one_window_of_bulk_waiting,
						setup_pair, teardown),
		cmocka_unit_test_setup_teardown(order_within_a_session_is_kept, setup_pair,
						teardown),
		cmocka_unit_test_setup_teardown(end_of_file_is_told_once_with_no_error, setup_raw,
						teardown),
		cmocka_unit_test_setup_teardown(last_words_are_heard_before_the_end, setup_raw,
						teardown),
		cmocka_unit_test(malformed_packets_end_the_channel),
		cmocka_unit_test_setup_teardown(a_handler_that_refuses_ends_the_channel, setup_raw,
						teardown),
		cmocka_unit_test_setup_teardown(attached_descriptors_are_not_taken, setup_raw,
						teardown),
		cmocka_unit_test(a_descriptor_is_taken_or_closed),
		cmocka_unit_test_setup_teardown(
			a_channel_that_was_shut_says_what_waits_and_still_listens, setup_raw,
			teardown),
		cmocka_unit_test_setup_teardown(answers_go_out_after_the_other_side_was_shut,
						setup_raw, teardown),
		cmocka_unit_test_setup_teardown(a_side_that_does_not_read_costs_a_bounded_amount,
						setup_raw, teardown),
		cmocka_unit_test(the_table_of_permitted_messages_is_the_protocol),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
