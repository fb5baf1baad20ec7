// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff tickets and tls-handoff reload: what root asks of the running tlshd.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "command.h"

#define TICKETS_TIMEOUT 5000  /* milliseconds: nothing there takes long */
#define RELOAD_TIMEOUT	65000 /* the new daemons open every key first */

static void help_tickets(void)
{
	puts("usage: tls-handoff tickets [show|flush|rotate] [--json]\n"
	     "\n"
	     "The session tickets of this machine, by which connections are resumed. To flush and\n"
	     "to rotate needs root.\n"
	     "\n"
	     "  show                          what was issued, resumed and refused, and why (this\n"
	     "                                is the default)\n"
	     "  flush                         forget every ticket, and make those that are out\n"
	     "                                useless: the next handshakes are full ones\n"
	     "  rotate                        new ticket keys now; tickets that are out stay good\n"
	     "                                until their time is over\n"
	     "\n"
	     "      --json                    the counters as one JSON object\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 done, 1 I/O error or refused, 2 usage, 4 no tlshd");
}

static void help_reload(void)
{
	puts("usage: tls-handoff reload\n"
	     "\n"
	     "Make tlshd read its configuration again and wait until it is used for new\n"
	     "handshakes. With a mistake in it the old one stays. Needs root.\n"
	     "\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 done, 1 I/O error or refused, 2 usage, 4 no tlshd");
}

/* "TicketsIssued" for people: "tickets issued"; what is written in capitals stays so. */
static void name_words(const char *name, char words[2 * CONTROL_MAX_NAME + 1])
{
	for (char last = '\0'; *name; last = *name++) {
		bool begins = isupper((unsigned char)*name) && !isupper((unsigned char)last);

		if (begins && last)
			*words++ = ' ';
		*words++ = begins && !isupper((unsigned char)name[1]) ?
				   (char)tolower((unsigned char)*name) :
				   *name;
	}
	*words = '\0';
}

/* Versions come with the counters, for status. */
static bool is_counter(const char *name)
{
	size_t length = strlen(name);

	return length < 7 || strcmp(name + length - 7, "Version") != 0;
}

static void check_line(const char *name, const char *value, void *data)
{
	char words[2 * CONTROL_MAX_NAME + 1];
	size_t *width = data;

	name_words(name, words);
	if (is_counter(name) && strlen(words) > *width)
		*width = strlen(words);
}

static void print_line(const char *name, const char *value, void *data)
{
	char words[2 * CONTROL_MAX_NAME + 1];
	const size_t *width = data;

	if (!is_counter(name))
		return;
	name_words(name, words);
	printf("%-*s  %s\n", (int)*width, words, value);
}

static void add_member(const char *name, const char *value, void *data)
{
	char *end;
	unsigned long long number;

	if (!is_counter(name))
		return;
	errno = 0;
	number = strtoull(value, &end, 10);
	json_object_object_add(data, name,
			       *end || errno || !isdigit((unsigned char)*value) ?
				       json_object_new_string(value) :
				       json_object_new_uint64(number));
}

static int print_answer(const struct control_answer *answer, bool json)
{
	struct json_object *o;
	size_t width = 0;
	int r;

	r = control_lines(answer, check_line, &width);
	if (r < 0)
		return r;
	if (json) {
		o = json_object_new_object();
		control_lines(answer, add_member, o);
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		json_object_put(o);
	} else {
		control_lines(answer, print_line, &width);
	}
	return fflush(stdout) ? -errno : 0;
}

int tickets_command(int argc, char **argv)
{
	static const char *const actions[][2] = {
		{ "show", "tickets show" },
		{ "flush", "tickets flush" },
		{ "rotate", "tickets rotate" },
	};
	const char *word = "show", *request = NULL;
	struct control_answer answer;
	bool json = false;
	int r, status;

	if (command_parse(argc, argv, help_tickets, &json, &word, &status) <= 0)
		return status;
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(word, actions[i][0]))
			request = actions[i][1];
	if (!request) {
		fprintf(stderr, "tls-handoff tickets: \"%s\" is none of show, flush and rotate\n",
			word);
		return EXIT_USAGE;
	}
	r = control_request(request, TICKETS_TIMEOUT, &answer);
	if (r == 0)
		r = print_answer(&answer, json);
	return r < 0 ? command_failed("tickets", r, &answer) : EXIT_DONE;
}

int reload_command(int argc, char **argv)
{
	struct control_answer answer;
	int r, status;

	if (command_parse(argc, argv, help_reload, NULL, NULL, &status) <= 0)
		return status;
	r = control_request("reload", RELOAD_TIMEOUT, &answer);
	return r < 0 ? command_failed("reload", r, &answer) : EXIT_DONE;
}
