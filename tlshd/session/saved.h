/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An established session as a record of the state (STATE_SESSION).
 */
#ifndef TLSHD_SESSION_SAVED_H
#define TLSHD_SESSION_SAVED_H

#include <stddef.h>
#include <stdint.h>

struct room;
struct session;
struct state_writer;

/* All established sessions */
void saved_put_all(struct room *room, struct state_writer *writer);

/* One of them, not announced yet.  0 and a session, or -errno and none. */
int saved_restore(struct room *room, const uint8_t *payload, size_t length,
		  struct session **ret_session) __attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_SAVED_H */
