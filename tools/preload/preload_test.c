// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of "tls-handoff run" what needs no kernel: rules for ports, names of peers, programs that
 * cannot be preloaded into.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"
#include "peers.h"
#include "program.h"

static void ports_numbers_ranges_names(void **state)
{
	struct ports ports = {};

	assert_null(ports_parse("443,8000-8002,imap,65535", &ports));
	assert_int_equal(ports.count, 4);
	assert_true(ports_match(&ports, 443));
	assert_true(ports_match(&ports, 8000));
	assert_true(ports_match(&ports, 8002));
	assert_true(ports_match(&ports, 143));
	assert_true(ports_match(&ports, 65535));
	assert_false(ports_match(&ports, 442));
	assert_false(ports_match(&ports, 8003));
	assert_null(ports_parse("all", &ports));
	assert_int_equal(ports.count, 1);
	assert_true(ports_match(&ports, 1));
	assert_true(ports_match(&ports, 53));
	assert_true(ports_match(&ports, 65535));
}

static void ports_that_are_none(void **state)
{
	static const char *const texts[] = {
		"",	  ",",		"443,",	  ",443",     "0",
		"65536",  "4294967739", "-1",	  "5-",	      "5-4",
		"5-6-7",  "1-65536",	"0x50",	  " 443",     "1 ",
		"443;80", "nothing",	"no-one", "all,none", "18446744073709551617",
	};
	struct ports ports = { .count = 1, .ranges = { { 7, 7 } } };
	char many[(PORTS_MAX + 1) * 2];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!ports_parse(texts[i], &ports))
			fail_msg("\"%s\" was taken for ports", texts[i]);
	for (int i = 0; i <= PORTS_MAX; i++)
		memcpy(many + i * 2, "1,", 2);
	many[sizeof(many) - 1] = '\0';
	assert_non_null(ports_parse(many, &ports));
	assert_int_equal(ports.count, 1);
	assert_true(ports_match(&ports, 7));
	many[sizeof(many) - 3] = '\0';
	assert_null(ports_parse(many, &ports));
}

/* @text as an address, with any port and scope, learned to have @name. */
static void learn(const char *text, const char *name)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 7, .sin6_scope_id = 3 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		peers_learn((struct sockaddr *)&in, name);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		peers_learn((struct sockaddr *)&in6, name);
	}
}

static void expect(const char *text, const char *expected)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 8 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 9 };
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		peers_name((struct sockaddr *)&in, name);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		peers_name((struct sockaddr *)&in6, name);
	}
	assert_string_equal(name, expected);
}

static void peers_last_name(void **state)
{
	expect("192.0.2.1", "192.0.2.1");
	learn("192.0.2.1", "a.example");
	learn("2001:db8::1", "a.example.");
	expect("192.0.2.1", "a.example");
	expect("2001:db8::1", "a.example");
	learn("192.0.2.1", "b.example");
	expect("192.0.2.1", "b.example");
	expect("192.0.2.2", "192.0.2.2");
}

static void peers_mapped_address(void **state)
{
	learn("192.0.2.3", "mapped.example");
	expect("::ffff:192.0.2.3", "mapped.example");
	expect("::ffff:192.0.2.4", "192.0.2.4");
}

/* Who asks for an address means the address, whatever it was called before. */
static void peers_literals(void **state)
{
	static const char *const literals[] = { "192.0.2.5",  "192.0.517", "0xc0000205",
						"fe80::1%lo", "::1",	   "." };

	for (size_t i = 0; i < sizeof(literals) / sizeof(*literals); i++) {
		learn("192.0.2.5", "c.example");
		expect("192.0.2.5", "c.example");
		learn("192.0.2.5", literals[i]);
		expect("192.0.2.5", "192.0.2.5");
	}
}

static void peers_long_names(void **state)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	learn("192.0.2.6", "d.example");
	learn("192.0.2.6", name);
	expect("192.0.2.6", "192.0.2.6");
	name[sizeof(name) - 2] = '\0';
	learn("192.0.2.6", name);
	expect("192.0.2.6", name);
}

static void peers_oldest_gives_way(void **state)
{
	char address[INET_ADDRSTRLEN], name[32];

	learn("192.0.2.7", "e.example");
	for (int i = 0; i < PEERS_MAX; i++) {
		snprintf(address, sizeof(address), "198.51.%d.%d", i / 256, i % 256);
		snprintf(name, sizeof(name), "n%d.example", i);
		learn(address, name);
	}
	expect("192.0.2.7", "192.0.2.7");
	expect("198.51.0.0", "n0.example");
	expect("198.51.1.255", "n511.example");
}

static void peers_after_fork(void **state)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	struct sockaddr_in in = { .sin_family = AF_INET };
	int status;
	pid_t child;

	inet_pton(AF_INET, "192.0.2.8", &in.sin_addr);
	learn("192.0.2.8", "f.example");
	child = fork();
	if (!child) {
		peers_name((struct sockaddr *)&in, name);
		_exit(strcmp(name, "f.example") != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void write_file(const char *path, const void *content, size_t size, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_refusal(const char *path, const char *words)
{
	const char *why = program_refusal(path);

	if (!why || !strstr(why, words))
		fail_msg("%s: %s instead of %s", path, why ? why : "accepted", words);
}

static void programs(void **state)
{
	static const char script[] = "#! /bin/sh -e\n", loop[] = "#!script-loop x\n";
	char folder[] = "/tmp/preload-test-XXXXXX", path[PATH_MAX];

	assert_int_equal(program_find("sh", path), 0);
	assert_string_equal(path + strlen(path) - 3, "/sh");
	assert_null(program_refusal(path));
	assert_int_equal(program_find("no-such-program", path), -ENOENT);
	assert_int_equal(program_find("/bin", path), -EACCES);
	assert_int_equal(program_find("", path), -ENOENT);

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	write_file("script", script, strlen(script), 0755);
	assert_int_equal(program_find("./script", path), 0);
	assert_null(program_refusal(path));
	write_file("script-loop", loop, strlen(loop), 0755);
	expect_refusal("script-loop", "script of scripts");
	write_file("text", "echo\n", 5, 0755);
	expect_refusal("text", "neither");
	write_file("cut", "\177ELF", 4, 0755);
	expect_refusal("cut", "neither");
	expect_refusal("not-there", "cannot be read");
	unlink("script");
	unlink("script-loop");
	unlink("text");
	unlink("cut");
	rmdir(folder);
}

/* The way of the options from the command line to the library. */
static void options_by_environment(void **state)
{
	const char *argv[] = { "run",	  "--client-ports", "1-3,7",	"--no-resume", "--alpn",
			       "a,bc",	  "--psk",	    "who ever", "--timeout",   "1.5",
			       "program", "--name",	    "not.ours", NULL };
	struct options parsed = {}, imported = {};
	const char *option = NULL;
	int first;

	setenv("TLS_HANDOFF_NAME", "of.an.outer.run", 1);
	setenv("TLS_HANDOFF_EOF_OK", "yes", 1);
	assert_int_equal(options_parse(OPTIONS_RUN, sizeof(argv) / sizeof(*argv) - 1, (char **)argv,
				       &parsed, &first),
			 1);
	assert_string_equal(argv[first], "program");
	assert_null(options_import(&imported, &option));
	assert_null(imported.handoff.peer_name);
	assert_false(imported.eof_ok);
	assert_true(ports_match(&imported.client_ports, 2));
	assert_false(ports_match(&imported.client_ports, 4));
	assert_int_equal(imported.server_ports.count, 0);
	assert_true(imported.handoff.no_resume);
	assert_int_equal(imported.handoff.timeout, 1500);
	assert_int_equal(imported.handoff.auth, TLS_HANDOFF_AUTH_PSK);
	assert_string_equal(imported.handoff.psk_identity, "who ever");
	assert_int_equal(imported.handoff.alpn_size, 5);
	assert_memory_equal(imported.handoff.alpn, "\1a\2bc", 5);

	setenv("TLS_HANDOFF_MIN_VERSION", "1.1", 1);
	assert_non_null(options_import(&imported, &option));
	assert_string_equal(option, "min-version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_numbers_ranges_names),
		cmocka_unit_test(ports_that_are_none),
		cmocka_unit_test(peers_last_name),
		cmocka_unit_test(peers_mapped_address),
		cmocka_unit_test(peers_literals),
		cmocka_unit_test(peers_long_names),
		cmocka_unit_test(peers_oldest_gives_way),
		cmocka_unit_test(peers_after_fork),
		cmocka_unit_test(programs),
		cmocka_unit_test(options_by_environment),
	};

	peers_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
