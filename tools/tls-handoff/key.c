// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key and tunnel: programs of their own, so that this one stays without their
 * libraries.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

static int run_program(const char *name, char **argv)
{
	const char *folder = secure_getenv("TLSHD_LIBEXECDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : LIBEXECDIR, name);
	execv(path, argv);
	fprintf(stderr, "tls-handoff: cannot run %s: %s\n", path, strerror(errno));
	return EXIT_IO;
}

int key_command(int argc, char **argv)
{
	return run_program("tls-handoff-key", argv);
}

int tunnel_command(int argc, char **argv)
{
	return run_program("tls-handoff-tunnel", argv);
}
