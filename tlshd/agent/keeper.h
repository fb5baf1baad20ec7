/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's side of tlshd-keeper, which stands in for a service manager that
 * keeps descriptors.
 */
#ifndef TLSHD_AGENT_KEEPER_H
#define TLSHD_AGENT_KEEPER_H

struct keeper;

/* Takes what the keeper of an earlier tlshd holds: @each is called with each name and
 * descriptor, which it owns then.  0, also if there is none; -EBUSY if that tlshd is there. */
int keeper_collect(void (*each)(void *arg, const char *name, int fd), void *arg);

/* Starts a keeper of our own.  0 or -errno. */
int keeper_start(struct keeper **ret_keeper);
/* Lets go of it: it waits for the next tlshd now. */
void keeper_free(struct keeper *keeper);

/* NULL is a keeper that keeps nothing. */
void keeper_add(struct keeper *keeper, const char *name, int fd);
void keeper_remove(struct keeper *keeper, const char *name);

#endif /* TLSHD_AGENT_KEEPER_H */
