/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session handler takes over from those before it and leaves to the one
 * behind it: sessions, ticket keys, tickets.  See protocol.h, "The succession".
 */
#ifndef TLSHD_SESSION_SUCCESSION_H
#define TLSHD_SESSION_SUCCESSION_H

#include <stddef.h>
#include <stdint.h>

struct room;
struct succession;

#define SUCCESSION_MAX	   4	/* predecessors */
#define SUCCESSION_WAIT_MS 5000 /* for one that still writes */

/* Before the sandbox: makes our memory, of @user, and opens the predecessors', which are
 * @paths (closed).  What fails there is logged and costs the succession only.  0 or -ENOMEM. */
int succession_new(struct room *room, const char *user, const int *paths, size_t count);
void succession_free(struct succession *succession);

/* The descriptor of our memory to go with HELLO, the caller's, or -1 if there is none. */
int succession_take_path(struct succession *succession);

/* RESTORE: takes over all that the predecessors left, tells the agent, and wipes it.  At once,
 * or as soon as one of them that is still at it has come to its end. */
int succession_restore(struct room *room);

/* One predecessor's state; sessions are told to the agent.  How many sessions it had. */
uint32_t succession_read(struct room *room, const uint8_t *data, size_t length);

/* At the end: leaves everything to a successor. */
void succession_save(struct room *room);

#endif /* TLSHD_SESSION_SUCCESSION_H */
