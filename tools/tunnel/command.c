// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of tls-handoff tunnel: a file, or the keys of one service as options, which
 * are put down as such a file.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "command.h"
#include "settings.h"

#define DRAIN_DEFAULT 60
#define DRAIN_MAX     86400
#define KEYS_MAX      32
#define KEY_FIRST     256 /* of getopt_long(3)'s results for keys */

static const char usage[] =
	"usage: tls-handoff tunnel [OPTIONS] -c FILE\n"
	"       tls-handoff tunnel [OPTIONS] --accept [HOST:]PORT --connect HOST:PORT [--KEY VALUE...]\n"
	"\n"
	"Accept TLS and connect without it or, as a --client, the other way round.\n"
	"\n"
	"  -c, --config-file FILE        services, see tls-handoff-tunnel(1)\n"
	"  -t, --test                    check the configuration and exit\n"
	"  -v, --verbose                 report every connection, not only failures\n"
	"      --drain SECONDS           what open connections get after SIGTERM (60)\n"
	"      --accept [HOST:]PORT      where to accept; with --client also unix:PATH\n"
	"      --connect HOST:PORT       where to connect; without --client also unix:PATH\n"
	"      --client                  talk TLS to where it connects\n"
	"      --protocol NAME           smtp, imap or postgres: STARTTLS\n"
	"      --KEY VALUE               any other key of a service, '-' for '_'\n"
	"  -h, --help                    this text\n"
	"  -V, --version                 the version\n"
	"\n"
	"exit status: 0 done, 1 I/O error, 2 usage or configuration, 4 no module\n";

static int mistake(const char *option, const char *why)
{
	fprintf(stderr, "tls-handoff tunnel: %s: %s; see tls-handoff tunnel --help\n", option, why);
	return -EINVAL;
}

/* Keys that need no value */
static bool is_switch(const char *key)
{
	return !strcmp(key, "client") || !strcmp(key, "unauth") || !strcmp(key, "rawpk");
}

/* The options, and a name for each key of a service. */
static void make_table(struct option table[KEYS_MAX], char names[KEYS_MAX][32])
{
	static const struct option own[] = {
		{ "config-file", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "drain", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
	};
	const char *const *keys = settings_keys();
	size_t count = sizeof(own) / sizeof(*own);

	memcpy(table, own, sizeof(own));
	for (size_t i = 0; keys[i] && count < KEYS_MAX - 1; i++, count++) {
		snprintf(names[i], sizeof(names[i]), "%s", keys[i]);
		for (char *c = names[i]; (c = strchr(c, '_'));)
			*c = '-';
		table[count] = (struct option){
			.name = names[i],
			.has_arg = is_switch(keys[i]) ? no_argument : required_argument,
			.val = KEY_FIRST + (int)i,
		};
	}
	table[count] = (struct option){ 0 };
}

/* One line of the file that the command line stands for. */
static int add_key(GString *text, const char *key, const char *value)
{
	g_autofree char *escaped = NULL;

	if (strpbrk(value, "\r\n"))
		return mistake(key, "a value is one line");
	escaped = g_strescape(value, "\"\b\f\v\177");
	g_string_append_printf(text, "%s = %s\n", key, g_str_is_ascii(value) ? escaped : value);
	return 0;
}

static int take_drain(const char *value, unsigned int *ret_seconds)
{
	guint64 seconds;

	if (!g_ascii_string_to_unsigned(value, 10, 0, DRAIN_MAX, &seconds, NULL))
		return mistake("--drain", "not a number of seconds, at most a day");
	*ret_seconds = seconds;
	return 0;
}

static int check(const struct command *command, int argc, char **argv, const GString *text)
{
	if (optind < argc)
		return mistake(argv[optind], "there are no operands");
	if (command->path && text->len)
		return mistake("--config-file",
			       "has all that a service needs: not together with keys");
	if (!command->path && !text->len) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	return 1;
}

static int parse(int argc, char **argv, struct command *command, GString *text)
{
	struct option table[KEYS_MAX];
	char names[KEYS_MAX][32];
	int option, r = 0;

	make_table(table, names);
	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":c:tvhV", table, NULL)) != -1) {
		switch (option) {
		case 'c':
			command->path = optarg;
			break;
		case 't':
			command->test = true;
			break;
		case 'v':
			command->verbose = true;
			break;
		case 'd':
			r = take_drain(optarg, &command->drain);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("tls-handoff " TLS_HANDOFF_VERSION);
			return 0;
		case ':':
			return mistake(argv[optind - 1], "needs a value");
		case '?':
			return mistake(argv[optind - 1],
				       "there is no such option, or it takes no value");
		default:
			r = add_key(text, settings_keys()[option - KEY_FIRST],
				    optarg ? optarg : "yes");
		}
	}
	return r < 0 ? r : check(command, argc, argv, text);
}

int command_parse(int argc, char **argv, struct command *ret_command)
{
	struct command command = { .drain = DRAIN_DEFAULT };
	g_autoptr(GString) text = g_string_new(NULL);
	int r;

	r = parse(argc, argv, &command, text);
	if (r <= 0)
		return r;
	if (text->len) {
		command.path = "command line";
		command.text = g_strconcat("[service tunnel]\n", text->str, NULL);
	}
	*ret_command = command;
	return 1;
}
