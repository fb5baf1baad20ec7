// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration of services and the command line that stands for one: what is read, and
 * where a mistake is said to be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command.h"
#include "settings.h"

static void good(const char *text, struct settings_list *list)
{
	char *error = NULL;

	if (settings_load("f", text, list, &error) < 0)
		fail_msg("%s", error);
}

static void bad(const char *text, const char *part)
{
	struct settings_list list;
	char *error = NULL;

	assert_true(settings_load("f", text, &list, &error) < 0);
	if (!error || !strstr(error, part))
		fail_msg("no \"%s\" in: %s", part, error ? error : "nothing");
	free(error);
}

#define SERVICE "[service a]\n"
#define ENDS	"accept = 127.0.0.1:1\nconnect = localhost:2\n"

static void test_defaults(void **state)
{
	struct settings_list list;
	const struct settings *a;

	good(SERVICE ENDS, &list);
	assert_int_equal(list.count, 1);
	a = list.services[0];
	assert_string_equal(a->name, "a");
	assert_true(a->accepts && !a->client && !a->eof);
	assert_int_equal(a->accept.count, 1);
	assert_true(a->connect.count >= 1);
	assert_int_equal(a->protocol, STARTTLS_NONE);
	assert_int_equal(a->timeout_handshake, 10000);
	assert_int_equal(a->timeout_connect, 10000);
	assert_int_equal(a->timeout_idle, 43200000);
	assert_null(a->secure.handoff.peer_name);
	settings_list_clear(&list);
}

static void test_everything(void **state)
{
	struct settings_list list;
	const struct settings *b;

	good(SERVICE ENDS "[service b]\nclient = yes\naccept = unix:/run/x\nconnect = localhost:2\n"
			  "profile = p\nalpn = a,b\nmin_version = 1.3\nciphers = AES-128-GCM\n"
			  "resume = no\nprotocol = postgres\ntruncation = eof\n"
			  "timeout_handshake = 0.5\ntimeout_connect = 3\ntimeout_idle = 0\n"
			  "max_connections = 7\n",
	     &list);
	assert_int_equal(list.count, 2);
	b = list.services[1];
	assert_true(b->client && b->accept.local && b->eof && b->secure.handoff.no_resume);
	assert_string_equal(b->secure.handoff.peer_name, "localhost");
	assert_string_equal(b->secure.handoff.profile, "p");
	assert_memory_equal(b->secure.handoff.alpn, "\1a\1b", 4);
	assert_int_equal(b->protocol, STARTTLS_POSTGRES);
	assert_int_equal(b->timeout_handshake, 500);
	assert_int_equal(b->timeout_connect, 3000);
	assert_int_equal(b->timeout_idle, 0);
	assert_int_equal(b->max_connections, 7);
	settings_list_clear(&list);
}

static void test_mistakes(void **state)
{
	bad("", "no [service NAME]");
	bad("[profile a]\n", "f:1: unknown section");
	bad("[service a/b]\n", "f:1: bad service name");
	bad(SERVICE "accept = 1\n", "connect: is missing");
	bad(SERVICE ENDS "speed = 1\n", "f:4: unknown key \"speed\"");
	bad(SERVICE ENDS "accept = 3\n", "f:4: \"accept\" is given twice");
	bad(SERVICE "accept = 70000\nconnect = 1\n", "f:2: accept: has a port that is none");
	bad(SERVICE "accept = ::1:1\nconnect = 1\n", "brackets");
	bad(SERVICE "accept = [::1:1\nconnect = 1\n", "[ADDRESS]:PORT");
	bad(SERVICE "accept = host:\nconnect = 1\n", "no port");
	bad(SERVICE "accept = unix:/x\nconnect = 1\n", "accept: a UNIX socket cannot talk TLS");
	bad(SERVICE "client = yes\naccept = 1\nconnect = unix:/x\n",
	    "connect: a UNIX socket cannot talk TLS");
	bad(SERVICE "client = yes\naccept = 1\nconnect = 2\n", "name: is missing");
	bad(SERVICE ENDS "client = perhaps\n", "none of no, yes");
	bad(SERVICE ENDS "protocol = gopher\n", "f:4: protocol: \"gopher\" is none of smtp");
	bad(SERVICE ENDS "truncation = no\n", "none of error, eof");
	bad(SERVICE ENDS "min_version = 1.1\n", "f:4: min_version: known are 1.2 and 1.3");
	bad(SERVICE ENDS "min_version = 1.3\nmax_version = 1.2\n", "below min_version");
	bad(SERVICE ENDS "psk = a\nunauth = yes\n", "only one of");
	bad(SERVICE ENDS "timeout_connect = 0\n", "no number");
	bad(SERVICE ENDS "timeout_handshake = soon\n", "not a number of seconds");
	bad(SERVICE ENDS "[service b]\n" ENDS, "f:5: accept: another service has that address");
}

static void test_command_line(void **state)
{
	const char *const words[] = { "tunnel",	     "--accept", "127.0.0.1:1", "--connect",
				      "localhost:2", "--client", "--psk",	"a\\b c",
				      "--drain",     "5",	 "-v" };
	char *argv[sizeof(words) / sizeof(*words) + 1] = { NULL };
	int argc = sizeof(words) / sizeof(*words);
	struct settings_list list;
	struct command command;

	for (int i = 0; i < argc; i++)
		argv[i] = strdup(words[i]);
	assert_int_equal(command_parse(argc, argv, &command), 1);
	assert_true(command.verbose && command.drain == 5 && !command.test);
	good(command.text, &list);
	assert_true(list.services[0]->client);
	assert_string_equal(list.services[0]->secure.handoff.psk_identity, "a\\b c");
	settings_list_clear(&list);
	free(command.text);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
