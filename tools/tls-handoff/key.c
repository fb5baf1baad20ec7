// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key: a program of its own, so that this one stays without TPM and TLS
 * libraries.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

int key_command(int argc, char **argv)
{
	const char *folder = secure_getenv("TLSHD_LIBEXECDIR");
	char path[4096];

	(void)argc;
	snprintf(path, sizeof(path), "%s/tls-handoff-key", folder ? folder : LIBEXECDIR);
	execv(path, argv);
	fprintf(stderr, "tls-handoff: cannot run %s: %s\n", path, strerror(errno));
	return EXIT_IO;
}
