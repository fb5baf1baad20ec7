/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generation: one tlshd-session and one tlshd-keys, started from one state of
 * the configuration.  New handshakes go to the current one; after a reload the
 * old one lives until its last session is closed.
 */
#ifndef TLSHD_AGENT_GENERATION_H
#define TLSHD_AGENT_GENERATION_H

#include <event2/event.h>

#include "session.h"

struct policy;
struct generation;

enum generation_end {
	GENERATION_RETIRED, /* it was asked to go, and is gone */
	GENERATION_FAILED,  /* it did not get as far as HELLO */
	GENERATION_DIED,    /* it had said HELLO */
};

struct generation_ops {
	/* HELLO came: handshakes can be given to it. */
	void (*ready)(void *arg, struct generation *generation);
	int (*message)(void *arg, struct generation *generation,
		       const struct channel_message *message);
	/* No session refers to it any more after this returns; it is freed then. */
	void (*ended)(void *arg, struct generation *generation, enum generation_end how,
		      const char *words);
};

struct generation_settings {
	const char *config_path;
	bool to_stderr, verbose;
};

/* Starts both processes.  Takes over @policy in any case.  0 or -errno (logged). */
int generation_start(struct event_base *base, const struct generation_settings *settings,
		     struct policy *policy, const struct generation_ops *ops, void *arg,
		     struct generation **ret_generation);
/* Lets it go when its last session is closed. */
void generation_retire(struct generation *generation);
/* At the agent's end: no callback, waits a moment for the processes' exit. */
void generation_free(struct generation *generation);

/* False: it is not ready, or about to end. */
bool generation_usable(const struct generation *generation);
struct handler *generation_handler(struct generation *generation);
const struct policy *generation_policy(const struct generation *generation);

/* Runs @program -c FILE -t for tlshd -t.  Its exit status, or 1. */
int generation_check(const char *program, const struct generation_settings *settings);

#endif /* TLSHD_AGENT_GENERATION_H */
