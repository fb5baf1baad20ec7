/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a library can be preloaded into a program.
 */
#ifndef TLS_HANDOFF_PROGRAM_H
#define TLS_HANDOFF_PROGRAM_H

#include <limits.h>

/* The file that execvp(3) would run for @name.  0 or -errno. */
int program_find(const char *name, char ret_path[PATH_MAX]);

/* NULL, or why the program at @path would talk plaintext behind the library's back. */
const char *program_refusal(const char *path);

#endif /* TLS_HANDOFF_PROGRAM_H */
