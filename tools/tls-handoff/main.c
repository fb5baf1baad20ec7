// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff: TLS in the kernel from the command line.  This file only picks the
 * command.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "connect", connect_command, "connect to a TLS server: standard input and output" },
	{ "listen", listen_command, "be a TLS server: standard input and output, or a COMMAND" },
	{ "run", run_command, "run a program whose TCP connections become TLS" },
	{ "tunnel", tunnel_command, "accept TLS for programs that have none, or connect for them" },
	{ "status", status_command, "whether module and tlshd are well, and what they did" },
	{ "sessions", sessions_command, "who talks TLS to whom on this machine" },
	{ "metrics", metrics_command, "what is counted, as OpenMetrics" },
	{ "tickets", tickets_command, "count, flush or rotate what connections are resumed by" },
	{ "reload", reload_command, "make tlshd read its configuration again" },
	{ "key", key_command, "make and show keys in the TPM, request certificates for them" },
};

static void help(FILE *stream)
{
	fputs("usage: tls-handoff COMMAND [OPTIONS] ...\n"
	      "\n"
	      "TLS by the kernel, with a handshake by tlshd, from the command line.\n"
	      "\n",
	      stream);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (commands[i].help)
			fprintf(stream, "  %-10s%s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "\"tls-handoff COMMAND --help\" tells more, tls-handoff(1) everything.\n",
	      stream);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	int fd;

	/* Standard streams that are closed must not become connections. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	/* A peer or a reader that goes away is an error to report, not a death. */
	signal(SIGPIPE, SIG_IGN);

	if (!name) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("tls-handoff " TLS_HANDOFF_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "tls-handoff: there is no command \"%s\"; see tls-handoff --help\n", name);
	return EXIT_USAGE;
}
