// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd: command line of the agent.
 */
#include <getopt.h>
#include <stdio.h>

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
	struct generation_settings settings = { .config_path = CONFIG_DEFAULT_PATH };
	bool test = false;
	int option;

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
	log_open("tlshd", settings.to_stderr || test, settings.verbose);
	return test ? agent_check(&settings) : agent_run(&settings);
}
