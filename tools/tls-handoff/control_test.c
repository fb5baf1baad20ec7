// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff tickets and reload against a control socket that this test answers: what
 * is asked, what is made of the answer, and that nobody but root is believed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands.h"
#include "control.h"

#define NOBODY 65534

static char folder[64];

static int set_up(void **state)
{
	strcpy(folder, "/tmp/tls-handoff-control.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(setenv("TLSHD_RUNTIME_DIR", folder, 1), 0);
	return 0;
}

static int tear_down(void **state)
{
	unlink("control");
	unlink("output");
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static int bind_control(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "control" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	unlink("control");
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, 1) == 0)
		return fd;
	return -1;
}

/* A child that gives one @answer of @length bytes to @request, as @uid; with another request it
 * ends with status 1, without an @answer it closes at once. */
static pid_t answer_once(const char *request, const char *answer, size_t length, uid_t uid)
{
	char got[128] = "", ready;
	int listening, fd, pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* the credentials that count are those of listen() */
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(2);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		listening = bind_control();
		if (listening < 0 || write(pipes[1], "", 1) != 1)
			_exit(2);
		fd = accept(listening, NULL, NULL);
		if (fd < 0 || (answer && recv(fd, got, sizeof(got) - 1, 0) < 0) ||
		    (answer && strcmp(got, request) != 0) ||
		    (answer && send(fd, answer, length, MSG_NOSIGNAL) != (ssize_t)length))
			_exit(1);
		_exit(0);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	close(pipes[0]);
	return pid;
}

static void expect_asked(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Runs the program; what it prints has to be @output to the letter, or contain @words. */
static void expect_run(const char *arguments, int expected, const char *output, const char *words)
{
	const char *tool = getenv("TLS_HANDOFF_TOOL");
	char command[512], text[4096];
	size_t length;
	int status;
	FILE *file;

	assert_non_null(tool);
	snprintf(command, sizeof(command), "timeout 20 %s %s > output 2>&1 < /dev/null", tool,
		 arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	file = fopen("output", "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	if (WEXITSTATUS(status) != expected || (output && strcmp(text, output) != 0) ||
	    (words && !strstr(text, words)))
		fail_msg("\"%s\" gave status %d and \"%s\"", arguments, WEXITSTATUS(status), text);
}

static void needs_root(void)
{
	if (getuid() != 0)
		skip();
}

static void expect_answered(const char *request, const char *answer, const char *arguments,
			    int status, const char *output)
{
	pid_t pid = answer_once(request, answer, strlen(answer), 0);

	expect_run(arguments, status, output, NULL);
	expect_asked(pid);
}

static void expect_not_understood(const char *answer, size_t length)
{
	pid_t pid = answer_once("tickets show", answer, length, 0);

	expect_run("tickets", EXIT_IO, "tls-handoff tickets: tlshd's answer is not understood\n",
		   NULL);
	expect_asked(pid);
}

static const char counts[] = "ok\n"
			     "TicketsIssued 12\n"
			     "ResumedAsServer 7\n"
			     "RefusedUnknownKey 18446744073709551615\n";

static void counters_are_lines_for_people(void **state)
{
	static const char table[] = "tickets issued       12\n"
				    "resumed as server    7\n"
				    "refused unknown key  18446744073709551615\n";

	needs_root();
	expect_answered("tickets show", counts, "tickets", EXIT_DONE, table);
	expect_answered("tickets show", counts, "tickets show", EXIT_DONE, table);
}

static void counters_are_an_object_for_scripts(void **state)
{
	needs_root();
	expect_answered("tickets show", counts, "tickets show --json", EXIT_DONE,
			"{\"TicketsIssued\":12,\"ResumedAsServer\":7,"
			"\"RefusedUnknownKey\":18446744073709551615}\n");
}

static void each_action_asks_what_it_says(void **state)
{
	needs_root();
	expect_answered("tickets flush", "ok\n", "tickets flush", EXIT_DONE, "");
	expect_answered("tickets rotate", "ok", "tickets rotate", EXIT_DONE, "");
	expect_answered("tickets flush", "ok\n", "tickets flush --json", EXIT_DONE, "{}\n");
	expect_answered("reload", "ok\n", "reload", EXIT_DONE, "");
}

static void a_refusal_is_told_in_its_words(void **state)
{
	needs_root();
	expect_answered("reload", "error line 3: \"colour\" is no key\n", "reload", EXIT_IO,
			"tls-handoff reload: line 3: \"colour\" is no key\n");
	expect_answered("tickets flush", "error not\033[2J now\n", "tickets flush", EXIT_IO,
			"tls-handoff tickets: not\\x1b[2J now\n");
}

static void an_answer_of_another_form_is_not_believed(void **state)
{
	static const char *const answers[] = {
		"okay\n",
		"Ok\n",
		"error\n",
		"TicketsIssued 1\n",
		"ok\nTicketsIssued",
		"ok\nTicketsIssued \n",
		"ok\n 1\n",
		"ok\n\n",
		"ok\nA-B 1\n",
		"ok\nTicketsIssued \r1",
		"ok\nA \xc3",
	};
	static char much[CONTROL_MAX_ANSWER + 100];

	needs_root();
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		expect_not_understood(answers[i], strlen(answers[i]));
	/* a NUL in it; a name that is too long; all of it too long */
	expect_not_understood("ok\nA 1\0\nB 2\n", 12);
	memset(much, 'A', sizeof(much));
	memcpy(much, "ok\n", 3);
	memcpy(much + 3 + 65, " 1", 2);
	expect_not_understood(much, 3 + 65 + 2);
	expect_not_understood(much, sizeof(much));
}

static void who_answers_has_to_be_root(void **state)
{
	pid_t pid;

	needs_root();
	pid = answer_once("tickets show", NULL, 0, NOBODY);
	expect_run("tickets", EXIT_IO, NULL, "no tlshd");
	expect_asked(pid);
}

static void a_closed_connection_is_an_error(void **state)
{
	pid_t pid;

	needs_root();
	pid = answer_once("tickets show", NULL, 0, 0);
	expect_run("tickets flush", EXIT_IO, NULL, "without an answer");
	expect_asked(pid);
}

static void without_tlshd_the_status_is_4(void **state)
{
	int fd;

	unlink("control");
	expect_run("tickets", EXIT_UNAVAILABLE, NULL, "no tlshd");
	expect_run("reload", EXIT_UNAVAILABLE, NULL, "no tlshd");
	/* what a tlshd leaves that was killed */
	fd = bind_control();
	assert_true(fd >= 0);
	close(fd);
	expect_run("tickets", EXIT_UNAVAILABLE, NULL, "no tlshd");
}

static void only_root_may_ask(void **state)
{
	pid_t pid;
	int fd;

	needs_root();
	fd = bind_control();
	assert_true(fd >= 0);
	assert_int_equal(chmod("control", 0600), 0);
	pid = fork();
	if (pid == 0) {
		struct control_answer answer;

		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(2);
		_exit(control_request("tickets show", 1000, &answer) == -EACCES ? 0 : 1);
	}
	expect_asked(pid);
	close(fd);
}

static void a_silent_tlshd_is_given_up(void **state)
{
	struct control_answer answer;
	int fd;

	needs_root();
	fd = bind_control();
	assert_true(fd >= 0);
	/* connects and sends, and hears nothing; then the backlog is full */
	for (int i = 0; i < 4; i++)
		assert_int_equal(control_request("tickets show", 20, &answer), -ETIMEDOUT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_are_lines_for_people),
		cmocka_unit_test(counters_are_an_object_for_scripts),
		cmocka_unit_test(each_action_asks_what_it_says),
		cmocka_unit_test(a_refusal_is_told_in_its_words),
		cmocka_unit_test(an_answer_of_another_form_is_not_believed),
		cmocka_unit_test(who_answers_has_to_be_root),
		cmocka_unit_test(a_closed_connection_is_an_error),
		cmocka_unit_test(without_tlshd_the_status_is_4),
		cmocka_unit_test(only_root_may_ask),
		cmocka_unit_test(a_silent_tlshd_is_given_up),
	};

	return cmocka_run_group_tests_name("control", tests, set_up, tear_down);
}
