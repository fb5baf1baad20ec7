/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loops in tests: they run until something is so, with a deadline, and what
 * came over a channel meanwhile is kept.
 */
#ifndef TLSHD_CHANNEL_TEST_LOOP_H
#define TLSHD_CHANNEL_TEST_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>

#include "channel.h"

#define LOOP_DEADLINE 60 /* seconds for whatever is waited for */

/* A copy of a message; of a longer payload the beginning */
struct heard {
	uint16_t type;
	uint64_t session;
	size_t length;
	uint8_t payload[2048];
};

/* Fails the test when its time is up, unless event_free() comes first. */
struct event *loop_deadline(struct event_base *base);
/* Everything that can happen now has happened: the descriptors are quiet. */
void loop_settle(struct event_base *base);
void loop_hear(struct heard *heard, const struct channel_message *message);

/* Runs the loop until @condition. */
#define loop_until(base, condition)                           \
	do {                                                  \
		struct event *deadline = loop_deadline(base); \
                                                              \
		while (!(condition))                          \
			event_base_loop(base, EVLOOP_ONCE);   \
		event_free(deadline);                         \
	} while (0)

#endif /* TLSHD_CHANNEL_TEST_LOOP_H */
