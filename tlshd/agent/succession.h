/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How established sessions pass from one session handler to the next, in this
 * process or over its restart.  There is one current generation and at most one
 * predecessor that drains.
 */
#ifndef TLSHD_AGENT_SUCCESSION_H
#define TLSHD_AGENT_SUCCESSION_H

#include "generation.h"
#include "statestore.h"

struct succession;

/* @settled runs from the event loop whenever nothing is under way any more; after
 * succession_stop(), when no generation is left. */
int succession_new(struct event_base *base, struct netlink *netlink, struct sessions *sessions,
		   struct statestore *store, void (*settled)(void *arg), void *arg,
		   struct succession **ret_succession);
void succession_free(struct succession *succession);

/* @next said HELLO.  The current one, if there is any, becomes its predecessor; there must not
 * be two of them then. */
void succession_follow(struct succession *succession, struct generation *next);
/* Gets new handshakes; NULL: none is there. */
struct generation *succession_current(const struct succession *succession);
struct generation *succession_predecessor(const struct succession *succession);
/* A predecessor drains, or sessions are passing. */
bool succession_busy(const struct succession *succession);

/* What concerns it of a generation's life: */
void succession_ended(struct succession *succession, struct generation *generation,
		      enum generation_end how, const char *words);
void succession_idle(struct succession *succession, struct generation *generation);
/* RESTORED, or COUNTS.  True: it was an answer to the succession. */
bool succession_message(struct succession *succession, struct generation *generation,
			const struct channel_message *message);

/* This process ends: every generation finishes, its sessions' state stays in the store. */
void succession_stop(struct succession *succession);

#endif /* TLSHD_AGENT_SUCCESSION_H */
