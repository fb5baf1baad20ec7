/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands that ask tlshd share: their few options, and words for what goes wrong.
 */
#ifndef TLS_HANDOFF_COMMAND_H
#define TLS_HANDOFF_COMMAND_H

#include <stdbool.h>

#include "commands.h"
#include "control.h"

/*
 * Reads the options, --json only if @ret_json is not NULL, and at most one word, only if
 * @ret_word is not NULL.  1: go on; else the exit status is in *ret_status, and all is said.
 */
int command_parse(int argc, char **argv, void (*help)(void), bool *ret_json, const char **ret_word,
		  int *ret_status);

/*
 * What @key of getopt_long() means in all of them: 'j', 'h', 'V', or a mistake that was reported.
 * False: nothing is left to do, and *ret_status says how it ends.
 */
bool command_option(int key, void (*help)(void), bool *ret_json, int *ret_status);

/* Says why control_request() gave @error, a negative errno.  The exit status. */
int command_failed(const char *command, int error, const struct control_answer *answer);

/* -ENOENT: the module is missing, and other errors of asking the kernel.  The exit status. */
int command_kernel_failed(const char *command, int error);

#endif /* TLS_HANDOFF_COMMAND_H */
