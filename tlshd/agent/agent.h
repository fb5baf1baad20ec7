/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent as a whole: from the first start of the other rooms to its own end.
 */
#ifndef TLSHD_AGENT_AGENT_H
#define TLSHD_AGENT_AGENT_H

#include "generation.h"

/* Exit statuses of tlshd(8) */
#define AGENT_EXIT_FAILED    1
#define AGENT_EXIT_USAGE     2
#define AGENT_EXIT_NO_MODULE 4

/* Runs until SIGTERM or SIGINT.  The exit status.  On SIGUSR2 it executes @program, an absolute
 * path, with @argv, and returns only if that fails. */
int agent_run(const struct generation_settings *settings, const char *program, char *argv[]);
/* tlshd -t: mistakes on standard error, in all rooms' parts.  0 or 1. */
int agent_check(const struct generation_settings *settings);

#endif /* TLSHD_AGENT_AGENT_H */
