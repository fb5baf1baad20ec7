/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generation: one tlshd-session and one tlshd-keys, started from one state of
 * the configuration.  New handshakes go to the current one; its predecessor ends
 * when its handshakes are over and leaves the state of its sessions in memory.
 */
#ifndef TLSHD_AGENT_GENERATION_H
#define TLSHD_AGENT_GENERATION_H

#include <sys/types.h>
#include <time.h>
#include <event2/event.h>

#include "session.h"

struct policy;
struct generation;

#define GENERATION_MAX_STATES 4 /* predecessors' memories that a session handler is given */

enum generation_end {
	GENERATION_FINISHED, /* it had said everything, and is gone; its state is complete */
	GENERATION_RETIRED,  /* it was not wanted any more, or did not end in time */
	GENERATION_FAILED,   /* it did not get as far as HELLO */
	GENERATION_DIED,     /* it had said HELLO */
};

struct generation_ops {
	/* HELLO came: handshakes can be given to it. */
	void (*ready)(void *arg, struct generation *generation);
	/* It wants a successor; @words say why. */
	void (*failing)(void *arg, struct generation *generation, const char *words);
	/* The last handshake that it had is over; NULL: nobody cares. */
	void (*idle)(void *arg, struct generation *generation);
	int (*message)(void *arg, struct generation *generation,
		       const struct channel_message *message);
	/* No session refers to it any more after this returns; it is freed then. */
	void (*ended)(void *arg, struct generation *generation, enum generation_end how,
		      const char *words);
};

struct generation_settings {
	const char *config_path;
	bool to_stderr, verbose;
	unsigned int number;		   /* of the generation to start */
	int states[GENERATION_MAX_STATES]; /* what its session handler is given */
	size_t state_count;
};

/* Starts both processes.  Takes over @policy in any case.  0 or -errno (logged). */
int generation_start(struct event_base *base, const struct generation_settings *settings,
		     struct policy *policy, const struct generation_ops *ops, void *arg,
		     struct generation **ret_generation);
/* It is not wanted any more, whatever it does. */
void generation_retire(struct generation *generation);
/* Nothing more is said to it: it answers what it has, saves its state and ends, or is ended. */
void generation_finish(struct generation *generation);
/* At the agent's end: no callback, waits a moment for the processes' exit. */
void generation_free(struct generation *generation);

/* Its session handler is there: ready, and not about to end. */
bool generation_alive(const struct generation *generation);
/* The same of its key holder, too: handshakes can be given to it. */
bool generation_usable(const struct generation *generation);
/* generation_finish() was called. */
bool generation_finishing(const struct generation *generation);
/* The descriptor of the memory that its state will be in, the caller's from now on, or -1. */
int generation_take_state(struct generation *generation);

struct generation_info {
	unsigned int number;
	pid_t session, keys; /* 0: not running */
	time_t since;
};

void generation_info(const struct generation *generation, struct generation_info *ret_info);
struct handler *generation_handler(struct generation *generation);
const struct policy *generation_policy(const struct generation *generation);

/* Runs @program -c FILE -t for tlshd -t.  Its exit status, or 1. */
int generation_check(const char *program, const struct generation_settings *settings);

#endif /* TLSHD_AGENT_GENERATION_H */
