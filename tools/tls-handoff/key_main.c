// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff-key, what "tls-handoff key" runs: makes TPM keys, makes certificate
 * requests for them, shows them.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_command.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "create", key_create, "make a key in the TPM" },
	{ "csr", key_csr, "make a certificate request for a key" },
	{ "show", key_show, "say what a key is and whether it can be used" },
};

void key_say(const char *format, ...)
{
	va_list args;

	fputs("tls-handoff: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int key_open(struct keys_opener *opener, const char *source, struct keys_object **ret_object)
{
	struct keys_object *object;
	struct keys_words words;
	int ret;

	ret = keys_open(opener, source, &object, &words);
	if (ret < 0)
		return key_error(ret, "%s: %s", source, words.text);
	ret = keys_self_test(object, &words);
	if (ret < 0) {
		keys_object_free(object);
		return key_error(ret, "%s: %s", source, words.text);
	}
	*ret_object = object;
	return 0;
}

int key_options(int argc, char **argv, const struct key_options *options, void *data,
		const char **ret_tcti, const char **ret_operand)
{
	const char *tcti = NULL;
	int option, ret = 0;

	while (ret == 0 &&
	       (option = getopt_long(argc, argv, options->letters, options->table, NULL)) != -1) {
		switch (option) {
		case 'T':
			tcti = optarg;
			break;
		case 'h':
			options->help();
			return 1;
		case '?':
			return -EINVAL;
		default:
			ret = options->take(option, data);
		}
	}
	if (ret < 0)
		return ret;
	if (argc - optind != 1)
		return key_error(-EINVAL, "one %s is wanted; see tls-handoff key %s --help",
				 options->operand, options->name);
	*ret_tcti = tcti;
	*ret_operand = argv[optind];
	return 0;
}

static void help(FILE *stream)
{
	fputs("usage: tls-handoff key COMMAND [OPTIONS] ...\n"
	      "\n"
	      "Keys that tlshd uses and nobody can copy.\n"
	      "\n",
	      stream);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stream, "  %-10s%s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "\"tls-handoff key COMMAND --help\" tells more, tls-handoff-key(1) everything.\n",
	      stream);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	signal(SIGPIPE, SIG_IGN);
	/* The TPM library prints what we say in words anyway. */
	setenv("TSS2_LOG", "all+none", 0);
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
	return key_error(EXIT_USAGE, "there is no command \"key %s\"; see tls-handoff key --help",
			 name);
}
