// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile session handler against the agent: a session, and messages in any
 * order.  Input: messages, each a byte of type, two bytes of length, payload.
 * Type 255 makes the wire readable, 254 runs the event loop.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "fuzz_messages.h"
#include "session.h"
#include "test_kernel.h"

#define ID	   1
#define INPUT_WIRE 255
#define INPUT_LOOP 254

static int on_message(void *arg, const struct channel_message *message)
{
	return 0;
}

static void on_closed(void *arg, int error)
{
}

static void on_idle(struct handler *handler)
{
}

static const struct channel_ops ops = { on_message, on_closed };

/* The one promise to check: the kernel is not told of success before both keys were set. */
static void check_calls(void)
{
	bool keys[3] = { false };
	size_t i;

	if (test_call_count > TEST_KERNEL_CALLS)
		return; /* the first ones were overwritten */
	for (i = 0; i < test_call_count; i++) {
		if (test_calls[i].kind == CALL_KEYS)
			keys[test_calls[i].number] = true;
		if (test_calls[i].kind == CALL_DONE && test_calls[i].number == 0)
			assert(keys[CHANNEL_KEYS_TX] && keys[CHANNEL_KEYS_RX]);
		if (test_calls[i].kind == CALL_SEND || test_calls[i].kind == CALL_TX_UPDATE)
			assert(test_calls[i].number == 21 || test_calls[i].number == 22);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handshake handshake = { .id = ID, .role = 1, .profile = "default" };
	struct event_base *base = event_base_new();
	struct handler handler = { .idle = on_idle };
	struct channel *room;
	struct channel_message message;
	struct sessions *sessions;
	int channel[2], wire[2];

	if (!base || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, wire) < 0 ||
	    sessions_new(base, NULL, &sessions) < 0 ||
	    channel_new(base, channel[0], &ops, NULL, &handler.channel) < 0 ||
	    channel_new(base, channel[1], &ops, NULL, &room) < 0)
		abort();
	handshake.fd = wire[0];
	test_kernel_reset(wire[1]);
	sessions_open(sessions, &handler, &handshake);
	while (fuzz_message(&data, &size, ID, &message)) {
		if (message.type == INPUT_WIRE)
			(void)!send(wire[1], message.payload, message.length,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (message.type != INPUT_LOOP)
			assert(sessions_message(sessions, &handler, &message) == 0);
		if (message.type >= INPUT_LOOP)
			event_base_loop(base, EVLOOP_NONBLOCK);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	check_calls();
	sessions_free(sessions);
	channel_free(handler.channel);
	channel_free(room);
	close(wire[1]);
	event_base_free(base);
	return 0;
}

/* The linker puts it in log_message()'s place: log lines are not what is tested. */
void __wrap_log_message(int priority, const char *format, ...);

void __wrap_log_message(int priority, const char *format, ...)
{
}
