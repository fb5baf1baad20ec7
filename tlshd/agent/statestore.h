/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memories in which session handlers leave their sessions' state: descriptors
 * that the agent keeps and cannot read.  Copies are with the service manager, or
 * where there is none with tlshd-keeper, so that they outlive the agent.  And the
 * netlink socket that kernel consumers find: while it is held they wait for the next
 * agent instead of failing.
 */
#ifndef TLSHD_AGENT_STATESTORE_H
#define TLSHD_AGENT_STATESTORE_H

#include <stdbool.h>
#include <stddef.h>

struct statestore;

/* Takes over what this process inherited (sd_listen_fds(3)). 0 or -errno. */
int statestore_new(struct statestore **ret_store);
void statestore_free(struct statestore *store);

/* Without a service manager that keeps descriptors: takes what an earlier tlshd left with its
 * tlshd-keeper, and starts one.  Where that fails the agent's end costs the sessions' state;
 * that is logged. */
void statestore_keep(struct statestore *store);

/* A number that no session handler had before, over restarts. */
unsigned int statestore_next(struct statestore *store);

/* Takes over @fd, the memory of generation @number, which lives. */
void statestore_add(struct statestore *store, unsigned int number, int fd);
/* Generation @number is gone and has left its state.  False: it had no memory. */
bool statestore_left(struct statestore *store, unsigned int number);
/* ... or has none that is of use. */
void statestore_drop(struct statestore *store, unsigned int number);
/* What was left has been taken over. */
void statestore_drop_left(struct statestore *store);
bool statestore_has_left(const struct statestore *store);

/* The one socket besides: @fd, of which the store keeps a copy that outlives the agent, too. */
void statestore_hold(struct statestore *store, int fd);
/* What an earlier agent held, or -1; it is the caller's. */
int statestore_take_held(struct statestore *store);

/* Up to @size descriptors, the newest ones; they stay the store's. */
size_t statestore_list(const struct statestore *store, int *fds, size_t size);

/* Right before execv(): closes every other descriptor and arranges those for sd_listen_fds(). */
int statestore_pass_on(struct statestore *store);

#endif /* TLSHD_AGENT_STATESTORE_H */
