// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd: command line of the agent.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "config.h"
#include "log.h"

static const char usage[] = "usage: tlshd [-c FILE] [-s] [-v] [-t] [-h]\n"
			    "  -c, --config-file FILE  configuration, else " CONFIG_DEFAULT_PATH
			    "\n"
			    "  -s, --stderr            log to standard error, else to syslog\n"
			    "  -v, --verbose           log more\n"
			    "  -t, --test              check the configuration and exit\n"
			    "  -h, --help              this\n";

/* Where this program was started from, for SIGUSR2: what lies there then, perhaps newer. */
static char *program_path(const char *name)
{
	char path[PATH_MAX];
	char *absolute;
	ssize_t n;

	if (name[0] == '/')
		return strdup(name);
	if (strchr(name, '/') && getcwd(path, sizeof(path)))
		return asprintf(&absolute, "%s/%s", path, name) < 0 ? NULL : absolute;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	return n < 0 ? NULL : strndup(path, n);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config-file", required_argument, NULL, 'c' },
		{ "stderr", no_argument, NULL, 's' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "test", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	struct generation_settings settings = { 0 };
	bool test = false;
	int option, status;
	char *program;

	while ((option = getopt_long(argc, argv, "c:svth", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			settings.config_path = optarg;
			break;
		case 's':
			settings.to_stderr = true;
			break;
		case 'v':
			settings.verbose = true;
			break;
		case 't':
			test = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return AGENT_EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "tlshd: unexpected argument: %s\n%s", argv[optind], usage);
		return AGENT_EXIT_USAGE;
	}
	/* A configuration of ktls-utils is found where that looks for it. */
	if (!settings.config_path)
		settings.config_path = access(CONFIG_DEFAULT_PATH, F_OK) < 0 &&
						       access(CONFIG_KTLS_PATH, F_OK) == 0 ?
					       CONFIG_KTLS_PATH :
					       CONFIG_DEFAULT_PATH;
	log_open("tlshd", settings.to_stderr || test, settings.verbose);
	if (test)
		return agent_check(&settings);
	program = program_path(argv[0]);
	status = agent_run(&settings, program, argv);
	free(program);
	return status;
}
