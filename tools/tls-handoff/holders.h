/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes hold which sockets, as /proc shows them to the caller: of other users'
 * processes only to root.
 */
#ifndef TLS_HANDOFF_HOLDERS_H
#define TLS_HANDOFF_HOLDERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct holders;

struct holder {
	uint64_t inode;
	pid_t pid;
	char command[17]; /* as the kernel keeps it, unchecked */
};

/* Looks at every process once.  NULL: out of memory. */
struct holders *holders_new(void);
void holders_free(struct holders *holders);

/* The first of *ret_count holders of @inode, or NULL.  @holders may be NULL. */
const struct holder *holders_find(const struct holders *holders, uint64_t inode, size_t *ret_count);

#endif /* TLS_HANDOFF_HOLDERS_H */
