// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: one request, one answer, only for root, and nobody who
 * holds it up.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>
#include <cmocka.h>

#include "control.h"
#include "log.h"
#include "protocol.h"

struct fixture {
	struct event_base *base;
	struct control *control;
	int tickets_result;
	uint32_t request, action;
	unsigned int asked, reloads;
};

static char folder[] = "/tmp/test-control-XXXXXX";
static char path[sizeof(folder) + 16];

static int on_tickets(void *arg, uint32_t request, uint32_t action)
{
	struct fixture *f = arg;

	f->asked++;
	f->request = request;
	f->action = action;
	return f->tickets_result;
}

static void on_reload(void *arg)
{
	((struct fixture *)arg)->reloads++;
}

static const struct control_ops ops = { on_tickets, on_reload };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	assert_int_equal(control_new(f->base, &ops, f, &f->control), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	control_free(f->control);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void settle(struct fixture *f)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int ask(struct fixture *f, const void *request, size_t length)
{
	int fd = dial();

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, length, MSG_NOSIGNAL), length);
	settle(f);
	return fd;
}

/* The answer is @text, and it is the last word. */
static void expect_answer(int fd, const char *text)
{
	char buffer[8192];
	ssize_t n = recv(fd, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	buffer[n] = '\0';
	assert_string_equal(buffer, text);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 0);
	close(fd);
}

static void expect_silence(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void the_socket_is_roots_alone(void **state)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void tickets_are_asked_and_answered_by_their_number(void **state)
{
	static const struct {
		const char *text;
		uint32_t action;
	} cases[] = {
		{ "tickets show", CHANNEL_TICKETS_SHOW },
		{ "tickets flush\n", CHANNEL_TICKETS_FLUSH },
		{ "tickets rotate", CHANNEL_TICKETS_ROTATE },
	};
	static const char lines[] = "issued 3\nresumed 2\n";
	struct fixture *f = *state;
	size_t i;
	int fd;

	for (i = 0; i < 3; i++) {
		fd = ask(f, cases[i].text, strlen(cases[i].text));
		assert_int_equal(f->asked, i + 1);
		assert_int_equal(f->action, cases[i].action);
		control_counts(f->control, f->request + 1, (const uint8_t *)lines, strlen(lines));
		expect_silence(fd);
		control_counts(f->control, f->request, (const uint8_t *)lines, strlen(lines));
		expect_answer(fd, "ok\nissued 3\nresumed 2\n");
	}
}

static void what_a_session_handler_says_is_shown_without_control_characters(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "tickets show", 12);

	control_counts(f->control, f->request, (const uint8_t *)"a\x1b[2J\0\xff 1\n", 10);
	expect_answer(fd, "ok\na?[2J?? 1\n");
}

static void the_longest_text_fits(void **state)
{
	static uint8_t text[CHANNEL_MAX_COUNTS];
	struct fixture *f = *state;
	char buffer[8192];
	int fd = ask(f, "tickets show", 12);

	memset(text, 'x', sizeof(text));
	control_counts(f->control, f->request, text, sizeof(text));
	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 3 + sizeof(text));
	close(fd);
}

static void without_a_session_handler_there_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->tickets_result = -ESRCH;
	expect_answer(ask(f, "tickets show", 12),
		      "error tlshd-session cannot be asked now: No such process");
}

static void a_reload_is_answered_when_it_is_over(void **state)
{
	struct fixture *f = *state;
	int first = ask(f, "reload", 6), second = ask(f, "reload", 6);
	int show = ask(f, "tickets show", 12);

	assert_int_equal(f->reloads, 2);
	expect_silence(first);
	control_reloaded(f->control, NULL);
	expect_answer(first, "ok\n");
	expect_answer(second, "ok\n");
	expect_silence(show);
	close(show);
	first = ask(f, "reload", 6);
	control_reloaded(f->control, "tlshd.conf:5: a mistake");
	expect_answer(first, "error tlshd.conf:5: a mistake");
}

static void anything_else_is_an_error(void **state)
{
	static char long_request[1000];
	struct fixture *f = *state;

	memset(long_request, 'x', sizeof(long_request));
	expect_answer(ask(f, "", 1), "error unknown request");
	expect_answer(ask(f, "reload now", 10), "error unknown request");
	expect_answer(ask(f, "reload\0", 7), "error unknown request");
	expect_answer(ask(f, "tickets", 7), "error unknown request");
	expect_answer(ask(f, long_request, sizeof(long_request)), "error unknown request");
	assert_int_equal(f->asked + f->reloads, 0);
}

static void a_second_request_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "reload", 6);

	assert_int_equal(send(fd, "reload", 6, MSG_NOSIGNAL), 6);
	settle(f);
	expect_answer(fd, "");
	control_reloaded(f->control, NULL);
	assert_int_equal(f->reloads, 1);
}

static void who_leaves_is_forgotten_and_the_ninth_is_turned_away(void **state)
{
	struct fixture *f = *state;
	int fds[8], i;
	char byte;

	for (i = 0; i < 8; i++)
		fds[i] = ask(f, "reload", 6);
	i = dial();
	settle(f);
	assert_int_equal(recv(i, &byte, 1, MSG_DONTWAIT), 0);
	close(i);
	close(fds[3]);
	settle(f);
	fds[3] = ask(f, "reload", 6);
	assert_int_equal(f->reloads, 9);
	control_reloaded(f->control, NULL);
	for (i = 0; i < 8; i++)
		expect_answer(fds[i], "ok\n");
}

static void another_user_gets_nothing(void **state)
{
	struct fixture *f = *state;
	pid_t child;
	int status;

	if (getuid())
		skip();
	chmod(path, 0666);
	chmod(folder, 0755);
	child = fork();
	if (child == 0) {
		char byte;
		int fd;

		if (setuid(65534))
			_exit(2);
		fd = dial();
		if (fd < 0)
			_exit(3);
		(void)!send(fd, "reload", 6, MSG_NOSIGNAL);
		_exit(recv(fd, &byte, 1, 0) > 0);
	}
	do
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	while (waitpid(child, &status, WNOHANG) == 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(f->reloads, 0);
}

static void a_second_tlshd_leaves_the_first_one_its_socket(void **state)
{
	struct fixture *f = *state;
	struct control *second = NULL;

	assert_int_equal(control_new(f->base, &ops, f, &second), -EADDRINUSE);
	assert_null(second);
	expect_silence(ask(f, "reload", 6));
	assert_int_equal(f->reloads, 1);
}

static void a_dead_ones_socket_is_taken_over(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture *f = *state;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	control_free(f->control);
	f->control = NULL;
	assert_int_equal(access(path, F_OK), -1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_new(f->base, &ops, f, &f->control), 0);
	expect_silence(ask(f, "reload", 6));
}

#define control_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		control_test(the_socket_is_roots_alone),
		control_test(tickets_are_asked_and_answered_by_their_number),
		control_test(what_a_session_handler_says_is_shown_without_control_characters),
		control_test(the_longest_text_fits),
		control_test(without_a_session_handler_there_is_an_error),
		control_test(a_reload_is_answered_when_it_is_over),
		control_test(anything_else_is_an_error),
		control_test(a_second_request_ends_the_connection),
		control_test(who_leaves_is_forgotten_and_the_ninth_is_turned_away),
		control_test(another_user_gets_nothing),
		control_test(a_second_tlshd_leaves_the_first_one_its_socket),
		control_test(a_dead_ones_socket_is_taken_over),
	};
	char command[PATH_MAX + 16];
	int failed;

	log_open("test", true, true);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/control", folder);
	setenv("TLSHD_RUNTIME_DIR", folder, 1);
	failed = cmocka_run_group_tests_name("control", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return failed || system(command) ? 1 : 0;
}
