// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options, connections, last words; options.h says what is promised.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

void (*last_words)(void);

static const char *program;

void give_up(const char *words, int error)
{
	static atomic_flag given_up;

	/* Another thread is doing it */
	while (atomic_flag_test_and_set(&given_up))
		pause();
	if (last_words)
		last_words();
	fprintf(stderr, "%s: %s%s%s\n", program, words, error ? ": " : "",
		error ? strerrorname_np(error) : "");
	exit(1);
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void out_of_time(int signal)
{
	static const char words[] = "no end in sight, given up\n";

	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(3);
	_exit(2);
}

static uint64_t to_number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		give_up("a number was expected", 0);
	return value;
}

/* An option and where its value goes: one of the three, or a switch */
struct name {
	const char *text;
	bool *flag;
	uint64_t *number;
	const char **word;
};

static void take_option(const struct name *name, const char *value)
{
	if (name->flag)
		*name->flag = true;
	else if (name->number)
		*name->number = to_number(value);
	else
		*name->word = value;
}

void options_parse(struct options *options, int argc, char **argv)
{
	const struct name names[] = {
		{ "server", .flag = &options->server },
		{ "tls12", .flag = &options->tls12 },
		{ "no-requests", .flag = &options->no_requests },
		{ "only-requests", .flag = &options->only_requests },
		{ "at-once", .flag = &options->at_once },
		{ "at-end", .flag = &options->at_end },
		{ "reads-last", .flag = &options->reads_last },
		{ "edges", .flag = &options->edges },
		{ "renegotiates", .flag = &options->renegotiates },
		{ "half-close", .flag = &options->half_close },
		{ "port", .number = &options->port },
		{ "bytes", .number = &options->bytes },
		{ "updates", .number = &options->updates },
		{ "pause", .number = &options->pause },
		{ "seconds", .number = &options->seconds },
		{ "threads", .number = &options->threads },
		{ "profile", .word = &options->profile },
		{ "name", .word = &options->name },
		{ "cipher", .word = &options->cipher },
		{ "senders", .word = &options->senders },
	};
	struct option all[ARRAY_SIZE(names) + 1] = {};
	int found, ret;

	program = program_invocation_short_name;
	*options = (struct options){ .seconds = 60, .threads = 1, .name = "server.test",
				     .senders = "send" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		all[i] = (struct option){ names[i].text, !names[i].flag };
	while ((ret = getopt_long(argc, argv, "", all, &found)) == 0)
		take_option(&names[found], optarg);
	if (ret != -1 || optind < argc || !options->port)
		give_up("usage: --port PORT [OPTION...]", 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, out_of_time);
	alarm(options->seconds);
}

int options_connect(const struct options *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(options->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, connected;

	if (fd < 0)
		give_up("socket", errno);
	if (!options->server) {
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
			give_up("connect", errno);
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1))
		give_up("listen", errno);
	connected = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (connected < 0)
		give_up("accept", errno);
	close(fd);
	return connected;
}
