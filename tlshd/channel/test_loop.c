// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Event loops in tests, see test_loop.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "test_loop.h"

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("what was waited for did not come within %d seconds", LOOP_DEADLINE);
}

struct event *loop_deadline(struct event_base *base)
{
	const struct timeval deadline = { LOOP_DEADLINE, 0 };
	struct event *timer = evtimer_new(base, on_deadline, NULL);

	assert_non_null(timer);
	assert_int_equal(evtimer_add(timer, &deadline), 0);
	return timer;
}

void loop_settle(struct event_base *base)
{
	/* each step of what follows from one message takes one look */
	for (int i = 0; i < 40; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

void loop_hear(struct heard *heard, const struct channel_message *message)
{
	size_t length = message->length;

	heard->type = message->type;
	heard->session = message->session;
	heard->length = length;
	memcpy(heard->payload, message->payload,
	       length < sizeof(heard->payload) ? length : sizeof(heard->payload));
}
