/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting the other two programs, and passing on what they log.
 */
#ifndef TLSHD_AGENT_CHILDREN_H
#define TLSHD_AGENT_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FIRST_FD 3 /* inherited descriptors start here */
#define CHILD_MAX_FDS  6

/* Runs @program of the libexec folder with @argv (argv[0] is @program), @fds as descriptors 3
 * and up, and standard error @log_fd (-1: ours).  0 or -errno; a program that cannot be
 * executed exits with 127. */
int child_start(const char *program, const char *const argv[], const int *fds, size_t fd_count,
		int log_fd, pid_t *ret_pid);

/* "exit status 3", "signal 31 (Bad system call)" */
void child_describe(int wait_status, char *buffer, size_t size);

struct event_base;
struct child_log;

/* Passes lines from @fd (taken over) on to the log, or with @to_stderr to standard error.
 * 0 or -errno. */
int child_log_new(struct event_base *base, int fd, const char *program, bool to_stderr,
		  struct child_log **ret_log);
void child_log_free(struct child_log *log);
/* The last error that it logged until now, without its name; NULL: none. */
const char *child_log_error(struct child_log *log);

#endif /* TLSHD_AGENT_CHILDREN_H */
