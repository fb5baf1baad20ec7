/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of the relay need: one session between a session handler that the test
 * plays and the kernel of test_kernel.h.
 */
#ifndef TLSHD_AGENT_TEST_RELAY_RIG_H
#define TLSHD_AGENT_TEST_RELAY_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session.h"
#include "test_loop.h"

#define ID	     42
#define MAX_MESSAGES 256

struct fixture {
	struct event_base *base;
	struct sessions *sessions;
	struct handler handler, other;
	struct channel *room; /* the session handler's end */
	int wire;	      /* the peer's end of the connection */
	uint64_t id;	      /* of the session that say() is about */
	bool idle;
	struct heard *messages; /* that the session handler got */
	size_t count;
};

/* Without a session yet: *ret_wire is for its session fd. */
struct fixture *relay_new(int *ret_wire);
int relay_setup(void **state);
int relay_teardown(void **state);
void settle(struct fixture *f);
void say(struct fixture *f, uint16_t type, const void *payload, size_t length);
void say_u32(struct fixture *f, uint16_t type, uint32_t value);
size_t keys(uint8_t *buffer, uint8_t direction, uint16_t max_payload);
void say_keys(struct fixture *f, uint8_t direction, uint16_t max_payload);
void say_done(struct fixture *f);
void say_fail(struct fixture *f, uint32_t status, const char *words);
void say_record(struct fixture *f, uint8_t type, const char *text, bool with_keys);
void establish(struct fixture *f);
/* The record arrives at the session handler as type and payload. */
void divert(struct fixture *f, uint8_t type, const void *payload, size_t length);
const struct heard *last(const struct fixture *f);
/* The session is over with DONE(@status) and the session handler heard CLOSE. */
void expect_broken(struct fixture *f, uint32_t status, const char *words);

#endif /* TLSHD_AGENT_TEST_RELAY_RIG_H */
