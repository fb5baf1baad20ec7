// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: one request, one answer, to each what is its, and nobody who
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
#include "listing.h"
#include "log.h"
#include "protocol.h"

struct fixture {
	struct event_base *base;
	struct control *control;
	int tickets_result;
	uint32_t request, action;
	unsigned int asked, reloads;
	bool listed_all;
	uid_t listed_uid, status_uid;
	int list_result;
};

#define PIECES	   100
#define PIECE_SIZE 30000

/* What listing.h is here: PIECES pieces that begin with their number, every second of which
 * has nothing for the user */
struct listing {
	unsigned int made;
	uint8_t piece[PIECE_SIZE];
};

static unsigned int listings, pieces_made;

void listing_free(struct listing *listing)
{
	listings -= listing != NULL;
	free(listing);
}

ssize_t listing_next(struct listing *listing, const void **ret_piece)
{
	unsigned int number = listing->made++;

	if (number == 2 * PIECES)
		return 0;
	if (number % 2)
		return -EAGAIN;
	pieces_made++;
	memset(listing->piece, number / 2, sizeof(listing->piece));
	*ret_piece = listing->piece;
	return sizeof(listing->piece);
}

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

static void on_status(void *arg, uid_t uid, FILE *lines)
{
	((struct fixture *)arg)->status_uid = uid;
	fputs("Version 1\n", lines);
}

static void on_metrics(void *arg, FILE *lines)
{
	for (int i = 0; i < 400; i++)
		fprintf(lines, "Sum of number %d\n", i);
}

static int on_list(void *arg, bool all, uid_t uid, struct listing **ret_listing)
{
	struct fixture *f = arg;

	f->listed_all = all;
	f->listed_uid = uid;
	if (f->list_result)
		return f->list_result;
	listings++;
	*ret_listing = calloc(1, sizeof(**ret_listing));
	return 0;
}

static const struct control_ops ops = { on_tickets, on_reload, on_status, on_metrics, on_list };

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
	char buffer[CONTROL_MAX_TEXT];
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

static void everybody_may_connect(void **state)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0666);
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

static void expect_turned_away(int fd)
{
	char buffer[64] = "";

	assert_true(fd >= 0);
	assert_true(recv(fd, buffer, sizeof(buffer) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(buffer, "error too many connections");
	close(fd);
}

static void who_leaves_is_forgotten_and_one_too_many_is_turned_away(void **state)
{
	struct fixture *f = *state;
	int fds[64], i;

	if (getuid())
		skip();
	for (i = 0; i < 64; i++)
		fds[i] = ask(f, "reload", 6);
	i = dial();
	settle(f);
	expect_turned_away(i);
	close(fds[3]);
	settle(f);
	fds[3] = ask(f, "reload", 6);
	assert_int_equal(f->reloads, 65);
	control_reloaded(f->control, NULL);
	for (i = 0; i < 64; i++)
		expect_answer(fds[i], "ok\n");
}

/* Runs @body as the user nobody in a child; its result has to be 0. */
static void as_nobody(struct fixture *f, int (*body)(void))
{
	pid_t child;
	int status;

	if (getuid())
		skip();
	chmod(folder, 0755);
	child = fork();
	if (child == 0)
		_exit(setgid(65534) || setuid(65534) ? 99 : body());
	do
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	while (waitpid(child, &status, WNOHANG) == 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int is_denied(const char *request)
{
	char buffer[128] = "";
	int fd = dial();

	if (fd < 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    recv(fd, buffer, sizeof(buffer) - 1, 0) < 0)
		return 0;
	close(fd);
	return strcmp(buffer, "error permission denied: only root may do this") == 0;
}

static int roots_requests_are_denied(void)
{
	return !(is_denied("reload") && is_denied("tickets flush") && is_denied("tickets rotate"));
}

static void what_changes_something_is_roots_alone(void **state)
{
	struct fixture *f = *state;

	as_nobody(f, roots_requests_are_denied);
	assert_int_equal(f->asked + f->reloads, 0);
}

static int status_is_answered(void)
{
	char buffer[128] = "";
	int fd = dial();

	return fd < 0 || send(fd, "status", 6, MSG_NOSIGNAL) < 0 ||
	       recv(fd, buffer, sizeof(buffer) - 1, 0) < 0 ||
	       strcmp(buffer, "ok\nVersion 1\n") != 0;
}

static void the_status_is_made_for_who_asks(void **state)
{
	struct fixture *f = *state;

	as_nobody(f, status_is_answered);
	assert_int_equal(f->status_uid, 65534);
	expect_answer(ask(f, "status", 6), "ok\nVersion 1\n");
	assert_int_equal(f->status_uid, 0);
}

static int list_is_asked(void)
{
	char buffer[8];
	int fd = dial();

	return fd < 0 || send(fd, "sessions", 8, MSG_NOSIGNAL) < 0 ||
	       recv(fd, buffer, sizeof(buffer), 0) != 3 || memcmp(buffer, "ok\n", 3) != 0;
}

static void a_user_is_listed_its_own_sessions_and_root_all(void **state)
{
	struct fixture *f = *state;

	as_nobody(f, list_is_asked);
	assert_false(f->listed_all);
	assert_int_equal(f->listed_uid, 65534);
	close(ask(f, "sessions", 8));
	assert_true(f->listed_all);
}

static int nine_at_once(void)
{
	char buffer[64] = "";
	int fds[9];

	for (int i = 0; i < 8; i++) {
		fds[i] = dial();
		if (fds[i] < 0 || send(fds[i], "tickets show", 12, MSG_NOSIGNAL) < 0)
			return 1;
	}
	fds[8] = dial();
	if (fds[8] < 0 || recv(fds[8], buffer, sizeof(buffer) - 1, 0) < 0 ||
	    strcmp(buffer, "error too many connections") != 0)
		return 2;
	return 0;
}

static void a_user_has_eight_connections_and_root_has_room_all_the_same(void **state)
{
	struct fixture *f = *state;

	as_nobody(f, nine_at_once);
	assert_int_equal(f->asked, 8);
	expect_silence(ask(f, "reload", 6));
}

/* Reads what there is of the list; its pieces have to come in order. */
static unsigned int read_pieces(struct fixture *f, int fd, unsigned int from)
{
	static uint8_t buffer[2 * PIECE_SIZE];
	ssize_t n;

	for (;; from++) {
		settle(f);
		n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n <= 0)
			return from;
		assert_int_equal(n, PIECE_SIZE);
		assert_int_equal(buffer[0], (uint8_t)from);
	}
}

static void a_list_is_passed_on_piece_by_piece(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "sessions", 8);
	char buffer[8];

	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 3);
	assert_int_equal(read_pieces(f, fd, 0), PIECES);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 0);
	assert_int_equal(listings, 0);
	close(fd);
}

static void a_reader_that_waits_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	unsigned int before = pieces_made, made;
	int slow = ask(f, "sessions", 8), fd;
	char buffer[8];

	for (int i = 0; i < 50; i++)
		settle(f);
	/* No more was made than there is room for. */
	made = pieces_made - before;
	assert_in_range(made, 1, 20);
	expect_answer(ask(f, "status", 6), "ok\nVersion 1\n");
	fd = ask(f, "sessions", 8);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 3);
	assert_int_equal(read_pieces(f, fd, 0), PIECES);
	close(fd);
	assert_int_equal(pieces_made - before, made + PIECES);
	assert_int_equal(recv(slow, buffer, sizeof(buffer), MSG_DONTWAIT), 3);
	assert_int_equal(read_pieces(f, slow, 0), PIECES);
	close(slow);
	assert_int_equal(listings, 0);
}

static void a_reader_that_leaves_is_forgotten(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "sessions", 8);

	assert_int_equal(listings, 1);
	close(fd);
	settle(f);
	assert_int_equal(listings, 0);
}

static void a_list_that_cannot_be_made_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->list_result = -ENOBUFS;
	expect_answer(ask(f, "sessions", 8),
		      "error the kernel cannot be asked: No buffer space available");
}

static void many_lines_are_one_answer(void **state)
{
	struct fixture *f = *state;
	char buffer[CONTROL_MAX_TEXT];
	int fd = ask(f, "metrics", 7);
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	assert_true(n > 400 * 14);
	assert_memory_equal(buffer, "ok\nSum of number 0\n", 19);
	assert_memory_equal(buffer + n - 19, "\nSum of number 399\n", 19);
	close(fd);
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
		control_test(everybody_may_connect),
		control_test(tickets_are_asked_and_answered_by_their_number),
		control_test(what_a_session_handler_says_is_shown_without_control_characters),
		control_test(the_longest_text_fits),
		control_test(without_a_session_handler_there_is_an_error),
		control_test(a_reload_is_answered_when_it_is_over),
		control_test(anything_else_is_an_error),
		control_test(a_second_request_ends_the_connection),
		control_test(who_leaves_is_forgotten_and_one_too_many_is_turned_away),
		control_test(what_changes_something_is_roots_alone),
		control_test(the_status_is_made_for_who_asks),
		control_test(a_user_is_listed_its_own_sessions_and_root_all),
		control_test(a_user_has_eight_connections_and_root_has_room_all_the_same),
		control_test(a_list_is_passed_on_piece_by_piece),
		control_test(a_reader_that_waits_holds_nobody_up),
		control_test(a_reader_that_leaves_is_forgotten),
		control_test(a_list_that_cannot_be_made_is_an_error),
		control_test(many_lines_are_one_answer),
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
