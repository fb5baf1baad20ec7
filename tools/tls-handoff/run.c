// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff run: a program whose TCP connections become TLS.  The work is done by the
 * library in tools/preload; here it is put before the program, if it can be.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "connection.h"
#include "program.h"

#define LIBRARY	    PRELOAD_DIR "/libtls_handoff_preload.so"
#define LIBRARY_EOF PRELOAD_DIR "/libtls_handoff_eof.so"

/* Before whatever is preloaded already; not twice. */
static bool preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	int r;

	if (before && strstr(before, library))
		return true;
	if (access(library, R_OK) < 0) {
		fprintf(stderr, "tls-handoff run: %s: %s\n", library, strerror(errno));
		return false;
	}
	if (asprintf(&value, "%s%s%s", library, before && *before ? ":" : "",
		     before ? before : "") < 0)
		return false;
	r = setenv("LD_PRELOAD", value, 1);
	free(value);
	return r == 0;
}

int run_command(int argc, char **argv)
{
	struct options options = {};
	char path[PATH_MAX];
	const char *why;
	int first, r;

	r = options_parse(OPTIONS_RUN, argc, argv, &options, &first);
	if (r <= 0)
		return r ? EXIT_USAGE : EXIT_DONE;
	if (first == argc) {
		fputs("usage: tls-handoff run [OPTIONS] -- PROGRAM [ARGUMENT...]\n", stderr);
		return EXIT_USAGE;
	}
	r = program_find(argv[first], path);
	if (r < 0) {
		fprintf(stderr, "tls-handoff run: %s: %s\n", argv[first], strerror(-r));
		return EXIT_USAGE;
	}
	why = program_refusal(path);
	if (why) {
		fprintf(stderr,
			"tls-handoff run: %s %s; it can be given TLS by \"tls-handoff tunnel\"\n",
			path, why);
		return EXIT_USAGE;
	}
	r = connection_check();
	if (r != EXIT_DONE)
		return r;
	if (!preload(LIBRARY) || (options.eof_ok && !preload(LIBRARY_EOF)))
		return EXIT_UNAVAILABLE;

	signal(SIGPIPE, SIG_DFL);
	execv(path, argv + first);
	fprintf(stderr, "tls-handoff run: %s: %s\n", path, strerror(errno));
	return EXIT_USAGE;
}
