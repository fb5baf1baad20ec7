// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting, watching and ending the other two processes, with test_child in their
 * place.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "generation.h"
#include "log.h"
#include "policy.h"
#include "test_loop.h"

struct seen {
	struct event_base *base;
	struct generation *generation;
	bool ready, failing, ended;
	enum generation_end how;
	char words[256];
};

static char folder[] = "/tmp/test-generation-XXXXXX";
static const struct generation_settings settings = { .config_path = "/etc/x.conf",
						     .to_stderr = true };

static void on_ready(void *arg, struct generation *generation)
{
	((struct seen *)arg)->ready = true;
}

static void on_failing(void *arg, struct generation *generation, const char *words)
{
	struct seen *seen = arg;

	seen->failing = true;
	snprintf(seen->words, sizeof(seen->words), "%s", words);
}

static int on_message(void *arg, struct generation *generation,
		      const struct channel_message *message)
{
	return -EPROTO;
}

static void on_ended(void *arg, struct generation *generation, enum generation_end how,
		     const char *words)
{
	struct seen *seen = arg;

	assert_ptr_equal(generation, seen->generation);
	seen->generation = NULL;
	seen->ended = true;
	seen->how = how;
	snprintf(seen->words, sizeof(seen->words), "%s", words);
}

static const struct generation_ops ops = {
	.ready = on_ready,
	.failing = on_failing,
	.message = on_message,
	.ended = on_ended,
};

static int make_folder(void **state)
{
	static const char *const names[] = { "tlshd-session", "tlshd-keys" };
	const char *child = getenv("TEST_CHILD");
	char path[PATH_MAX];
	size_t i;

	if (!mkdtemp(folder))
		return -1;
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (!child || symlink(child, path) < 0)
			return -1;
	}
	setenv("TLSHD_LIBEXECDIR", folder, 1);
	return 0;
}

static int remove_folder(void **state)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void start(struct seen *seen, const char *session, const char *keys)
{
	memset(seen, 0, sizeof(*seen));
	setenv("TEST_SESSION", session, 1);
	setenv("TEST_KEYS", keys, 1);
	seen->base = event_base_new();
	assert_int_equal(
		generation_start(seen->base, &settings, NULL, &ops, seen, &seen->generation), 0);
}

/* No child is left: the loop runs until the last one is reaped. */
static void finish(struct seen *seen)
{
	event_base_dispatch(seen->base);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	event_base_free(seen->base);
}

static void hello_makes_it_ready_and_retiring_ends_it(void **state)
{
	struct seen seen;

	start(&seen, "serve", "serve");
	assert_false(generation_usable(seen.generation));
	loop_until(seen.base, seen.ready);
	assert_true(generation_usable(seen.generation));
	generation_retire(seen.generation);
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_RETIRED);
	finish(&seen);
}

static void one_that_finishes_hears_the_end_and_leaves_its_state(void **state)
{
	struct seen seen;
	int fd;

	start(&seen, "serve", "serve");
	loop_until(seen.base, seen.ready);
	fd = generation_take_state(seen.generation);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_PATH);
	generation_finish(seen.generation);
	assert_false(generation_usable(seen.generation));
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FINISHED);
	close(fd);
	finish(&seen);
}

static void one_that_does_not_finish_is_killed(void **state)
{
	struct seen seen;

	start(&seen, "stubborn", "serve");
	loop_until(seen.base, seen.ready);
	generation_finish(seen.generation);
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_RETIRED);
	assert_non_null(strstr(seen.words, "did not leave its state within"));
	finish(&seen);
}

static void one_that_fails_while_it_finishes_has_left_nothing(void **state)
{
	struct seen seen;

	start(&seen, "fail at the end", "serve");
	loop_until(seen.base, seen.ready);
	generation_finish(seen.generation);
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_RETIRED);
	finish(&seen);
}

static void a_handler_that_wants_to_go_says_so(void **state)
{
	struct seen seen;

	start(&seen, "retire", "serve");
	loop_until(seen.base, seen.failing);
	assert_true(generation_usable(seen.generation));
	generation_retire(seen.generation);
	loop_until(seen.base, seen.ended);
	finish(&seen);
}

static void a_state_that_is_no_path_ends_the_handler(void **state)
{
	struct seen seen;

	start(&seen, "open state", "serve");
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FAILED);
	finish(&seen);
}

static void a_child_that_exits_before_hello_is_a_failed_start(void **state)
{
	struct seen seen;

	start(&seen, "quiet exit", "serve");
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FAILED);
	assert_string_equal(seen.words, "tlshd-session ended unexpectedly (exit status 4)");
	finish(&seen);
}

static void a_failed_start_is_told_with_its_mistake(void **state)
{
	struct seen seen;

	start(&seen, "exit", "serve");
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FAILED);
	assert_string_equal(seen.words, "tlshd.conf:7: a mistake");
	finish(&seen);

	start(&seen, "silent", "exit");
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FAILED);
	assert_string_equal(seen.words, "tlshd.conf:7: a mistake");
	finish(&seen);
}

/* The child whose command line is @name, or 0: it may not be executed yet. */
static pid_t find_child(const char *name)
{
	char path[64], line[256];
	FILE *list, *file;
	int pid, found = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	list = fopen(path, "r");
	if (!list)
		abort();
	while (!found && fscanf(list, "%d", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && strcmp(line, name) == 0)
			found = pid;
		fclose(file);
	}
	fclose(list);
	return found;
}

static pid_t child_named(const char *name)
{
	time_t deadline = time(NULL) + LOOP_DEADLINE;
	pid_t pid;

	while (!(pid = find_child(name)))
		if (time(NULL) > deadline)
			fail_msg("no child is %s", name);
	return pid;
}

static void a_session_handler_that_is_killed_is_named_with_its_signal(void **state)
{
	struct seen seen;

	start(&seen, "serve", "serve");
	loop_until(seen.base, seen.ready);
	kill(child_named("tlshd-session"), SIGSYS);
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_DIED);
	assert_string_equal(seen.words,
			    "tlshd-session ended unexpectedly (signal 31, Bad system call)");
	finish(&seen);
}

static void a_session_handler_outlives_its_key_holder(void **state)
{
	struct seen seen;

	start(&seen, "serve", "serve");
	loop_until(seen.base, seen.ready);
	kill(child_named("tlshd-keys"), SIGSYS);
	loop_until(seen.base, seen.failing);
	assert_string_equal(seen.words,
			    "tlshd-keys ended unexpectedly (signal 31, Bad system call)");
	assert_false(seen.ended);
	assert_true(generation_alive(seen.generation));
	assert_false(generation_usable(seen.generation));
	generation_finish(seen.generation);
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FINISHED);
	finish(&seen);
}

static void a_handler_that_speaks_nonsense_is_ended(void **state)
{
	struct seen seen;

	start(&seen, "version", "serve");
	loop_until(seen.base, seen.ended);
	assert_int_equal(seen.how, GENERATION_FAILED);
	finish(&seen);

	start(&seen, "garbage", "serve");
	loop_until(seen.base, seen.ended);
	assert_non_null(strstr(seen.words, "channel failed"));
	finish(&seen);
}

static void children_inherit_nothing_else(void **state)
{
	struct seen seen;
	int fd = fcntl(STDERR_FILENO, F_DUPFD, 50);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	setenv("TEST_LEAK", number, 1);
	setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
	start(&seen, "serve", "serve");
	loop_until(seen.base, seen.ready);
	generation_retire(seen.generation);
	loop_until(seen.base, seen.ended);
	/* With a leak the child would have ended itself by SIGILL. */
	assert_int_equal(seen.how, GENERATION_RETIRED);
	finish(&seen);
	unsetenv("TEST_LEAK");
	unsetenv("SSLKEYLOGFILE");
	close(fd);
}

static void the_agents_end_leaves_no_child(void **state)
{
	struct seen seen;

	start(&seen, "serve", "serve");
	loop_until(seen.base, seen.ready);
	generation_free(seen.generation);
	finish(&seen);
}

static void a_program_that_is_missing_is_a_clear_failure(void **state)
{
	struct seen seen = { 0 };

	setenv("TLSHD_LIBEXECDIR", "/nonexistent", 1);
	seen.base = event_base_new();
	assert_int_equal(generation_start(seen.base, &settings, NULL, &ops, &seen,
					  &seen.generation),
			 -ENOENT);
	assert_int_equal(generation_check("tlshd-session", &settings), 1);
	setenv("TLSHD_LIBEXECDIR", folder, 1);
	finish(&seen);
}

static void a_check_gives_the_childs_verdict(void **state)
{
	setenv("TEST_SESSION", "serve", 1);
	assert_int_equal(generation_check("tlshd-session", &settings), 0);
	setenv("TEST_SESSION", "mistake", 1);
	assert_int_equal(generation_check("tlshd-session", &settings), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_makes_it_ready_and_retiring_ends_it),
		cmocka_unit_test(one_that_finishes_hears_the_end_and_leaves_its_state),
		cmocka_unit_test(one_that_does_not_finish_is_killed),
		cmocka_unit_test(one_that_fails_while_it_finishes_has_left_nothing),
		cmocka_unit_test(a_handler_that_wants_to_go_says_so),
		cmocka_unit_test(a_state_that_is_no_path_ends_the_handler),
		cmocka_unit_test(a_child_that_exits_before_hello_is_a_failed_start),
		cmocka_unit_test(a_failed_start_is_told_with_its_mistake),
		cmocka_unit_test(a_session_handler_that_is_killed_is_named_with_its_signal),
		cmocka_unit_test(a_session_handler_outlives_its_key_holder),
		cmocka_unit_test(a_handler_that_speaks_nonsense_is_ended),
		cmocka_unit_test(children_inherit_nothing_else),
		cmocka_unit_test(the_agents_end_leaves_no_child),
		cmocka_unit_test(a_program_that_is_missing_is_a_clear_failure),
		cmocka_unit_test(a_check_gives_the_childs_verdict),
	};

	log_open("test", true, true);
	return cmocka_run_group_tests_name("generation", tests, make_folder, remove_folder);
}
