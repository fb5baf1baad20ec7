/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding sessions again that an agent before this one had: GET tells which there
 * are, ATTACH gives their session fds.
 */
#ifndef TLSHD_AGENT_RESTORE_H
#define TLSHD_AGENT_RESTORE_H

#include "session.h"

struct restore;

/* Asks the kernel what there is.  0 or -errno. */
int restore_new(struct netlink *netlink, struct sessions *sessions, struct restore **ret_restore);
void restore_free(struct restore *restore);

/* @handler has the state of session @id: the session is @handler's from now on.  -ENOENT: it is
 * over; -EBUSY: another agent has it; -ESTALE: the state is not the kernel's; else -errno. */
int restore_session(struct restore *restore, struct handler *handler, uint64_t id,
		    const struct channel_restored *restored);

/* Takes up what nobody has a state of, so that its program gets words when that is needed. */
void restore_rest(struct restore *restore);

#endif /* TLSHD_AGENT_RESTORE_H */
