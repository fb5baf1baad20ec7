/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How session handler and key holder give up what they don't need before they
 * read the first byte of another room: user, groups, capabilities, network,
 * mount and IPC namespaces, file system, core dumps, system calls.
 */
#ifndef TLSHD_CHANNEL_SANDBOX_H
#define TLSHD_CHANNEL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A system call that is allowed if its first argument is @value */
struct sandbox_operation {
	int syscall;
	uint64_t value;
};

struct sandbox {
	const char *user;    /* unprivileged account; must exist when we are root */
	const int *syscalls; /* allowed besides the common list; any other kills the process */
	size_t syscall_count;
	const struct sandbox_operation *operations;
	size_t operation_count;
};

/* Early, before any secret is read: no core dumps, not dumpable, no swap of secrets
 * (mlock where the limit allows it), umask 077, closes fds above @last_fd. */
int sandbox_early(int last_fd);
/* A room that uses no kernel keys lets go of those that come with the session keyring it was
 * started with.  0 or -errno; 0 also where the system has no keyrings or keeps them from us. */
int sandbox_leave_keyrings(void);
/* Enters the sandbox.  As root: empty network, mount (with an empty read-only root) and IPC
 * namespaces, the user, no capabilities; always: no_new_privs and seccomp.
 * Not root (unit tests): what can be done without.  0 or -errno; on error the caller exits. */
int sandbox_enter(const struct sandbox *sandbox);

#endif /* TLSHD_CHANNEL_SANDBOX_H */
