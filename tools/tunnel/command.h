/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of tls-handoff tunnel.
 */
#ifndef TUNNEL_COMMAND_H
#define TUNNEL_COMMAND_H

#include <stdbool.h>

/**
 * struct command - what was asked for
 * @path: of the configuration, or what to call it in errors
 * @text: the configuration if the command line is one, else NULL
 * @drain: seconds that open connections get to end when the program shall
 */
struct command {
	const char *path;
	char *text;
	bool test, verbose;
	unsigned int drain;
};

/* 1: go on.  0: --help or --version was answered.  -EINVAL: a mistake, and it was reported. */
int command_parse(int argc, char **argv, struct command *ret_command);

#endif /* TUNNEL_COMMAND_H */
