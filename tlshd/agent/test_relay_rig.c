// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One session for tests of the relay, and what its session handler says.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "attr.h"
#include "test_kernel.h"
#include "test_relay_rig.h"

static struct fixture *now; /* of the running test, for callbacks without an argument */

static int room_message(void *arg, const struct channel_message *message)
{
	struct fixture *f = arg;

	assert_true(f->count < MAX_MESSAGES);
	loop_hear(&f->messages[f->count++], message);
	return 0;
}

static int agent_message(void *arg, const struct channel_message *message)
{
	struct fixture *f = arg;

	return sessions_message(f->sessions, &f->handler, message);
}

static void on_closed(void *arg, int error)
{
	fail_msg("a channel ended: %s", strerror(-error));
}

static const struct channel_ops room_ops = { room_message, on_closed };
static const struct channel_ops agent_ops = { agent_message, on_closed };

static void on_idle(struct handler *handler)
{
	now->idle = true;
}

struct fixture *relay_new(int *ret_wire)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int channel[2], wire[2];

	now = f;
	f->id = ID;
	f->messages = calloc(MAX_MESSAGES, sizeof(*f->messages));
	f->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
	assert_int_equal(sessions_new(f->base, NULL, &f->sessions), 0);
	f->handler.idle = f->other.idle = on_idle;
	assert_int_equal(channel_new(f->base, channel[0], &agent_ops, f, &f->handler.channel), 0);
	assert_int_equal(channel_new(f->base, channel[1], &room_ops, f, &f->room), 0);
	f->wire = wire[1];
	test_kernel_reset(f->wire);
	*ret_wire = wire[0];
	return f;
}

int relay_setup(void **state)
{
	struct handshake handshake = {
		.id = ID,
		.role = TLS_HANDOFF_CLIENT,
		.uid = 1000,
		.timeout = 10000,
		.remote.in = { .sin_family = AF_INET, .sin_port = htons(443) },
		.profile = "default",
		.peer_name = "www.example",
	};
	struct fixture *f = relay_new(&handshake.fd);

	sessions_open(f->sessions, &f->handler, &handshake);
	assert_int_equal(handshake.fd, -1);
	*state = f;
	return 0;
}

int relay_teardown(void **state)
{
	struct fixture *f = *state;

	sessions_free(f->sessions);
	channel_free(f->handler.channel);
	channel_free(f->room);
	if (f->wire >= 0)
		close(f->wire);
	event_base_free(f->base);
	free(f->messages);
	free(f);
	return 0;
}

void settle(struct fixture *f)
{
	loop_settle(f->base);
}

void say(struct fixture *f, uint16_t type, const void *payload, size_t length)
{
	assert_int_equal(channel_send(f->room, type, f->id, type == CHANNEL_BYTES, payload, length),
			 0);
}

void say_u32(struct fixture *f, uint16_t type, uint32_t value)
{
	value = htole32(value);
	say(f, type, &value, sizeof(value));
}

size_t keys(uint8_t *buffer, uint8_t direction, uint16_t max_payload)
{
	struct channel_keys header = { direction, 0, htole16(max_payload), htole32(40) };

	memcpy(buffer, &header, sizeof(header));
	memset(buffer + sizeof(header), 0x60 + direction, 40);
	return sizeof(header) + 40;
}

void say_keys(struct fixture *f, uint8_t direction, uint16_t max_payload)
{
	uint8_t buffer[64];

	say(f, CHANNEL_KEYS, buffer, keys(buffer, direction, max_payload));
}

void say_done(struct fixture *f)
{
	struct attr_builder done = { 0 };

	attr_put_u16(&done, CHANNEL_A_VERSION, TLS_1_3_VERSION);
	attr_put_u16(&done, CHANNEL_A_CIPHER, TLS_CIPHER_AES_GCM_128);
	attr_put_string(&done, CHANNEL_A_PEER_IDENTITY, "dns:www.example");
	say(f, CHANNEL_DONE, done.data, done.length);
	attr_builder_free(&done);
}

void say_fail(struct fixture *f, uint32_t status, const char *words)
{
	struct attr_builder fail = { 0 };

	attr_put_u32(&fail, CHANNEL_A_STATUS, status);
	attr_put_string(&fail, CHANNEL_A_ERROR, words);
	say(f, CHANNEL_FAIL, fail.data, fail.length);
	attr_builder_free(&fail);
}

void say_record(struct fixture *f, uint8_t type, const char *text, bool with_keys)
{
	uint8_t buffer[256] = { type, strlen(text), 0 };
	size_t length = 3 + strlen(text);

	memcpy(buffer + 3, text, strlen(text));
	if (with_keys)
		length += keys(buffer + length, CHANNEL_KEYS_TX, 0);
	say(f, CHANNEL_RECORD, buffer, length);
}

void establish(struct fixture *f)
{
	say_keys(f, CHANNEL_KEYS_TX, 0);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	say_done(f);
	loop_until(f->base, test_call_count == 3);
	assert_int_equal(test_calls[2].kind, CALL_DONE);
	assert_int_equal(test_calls[2].number, 0);
	test_kernel_reset(f->wire);
}

/* The record arrives at the session handler as type and payload. */
void divert(struct fixture *f, uint8_t type, const void *payload, size_t length)
{
	uint8_t buffer[512];

	length = test_kernel_record(buffer, type, payload, length);
	assert_int_equal(write(f->wire, buffer, length), length);
}

const struct heard *last(const struct fixture *f)
{
	return &f->messages[f->count - 1];
}

/* The session is over with DONE(@status) and the session handler heard CLOSE. */
void expect_broken(struct fixture *f, uint32_t status, const char *words)
{
	loop_until(f->base, sessions_count(f->sessions) == 0);
	assert_true(test_call_count > 0);
	assert_int_equal(test_calls[test_call_count - 1].kind, CALL_DONE);
	assert_int_equal(test_calls[test_call_count - 1].number, status);
	assert_int_equal(test_calls[test_call_count - 1].id, ID);
	if (!strstr((char *)test_calls[test_call_count - 1].bytes, words))
		fail_msg("\"%s\" is not in \"%s\"", words,
			 (char *)test_calls[test_call_count - 1].bytes);
	loop_until(f->base, f->count && last(f)->type == CHANNEL_CLOSE);
	assert_true(f->idle);
}
