// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text of others is escaped before it is logged, and a line is one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"

static void check(const char *text, size_t length, const char *expected)
{
	char buffer[256];

	log_escape(buffer, sizeof(buffer), text, length);
	assert_string_equal(buffer, expected);
}

static void plain_text_stays(void **state)
{
	check("dns:www.example", 15, "dns:www.example");
	check("gr\xc3\xbc\xc3\x9f"
	      "e \xe2\x82\xac \xf0\x9f\x94\x91",
	      16,
	      "gr\xc3\xbc\xc3\x9f"
	      "e \xe2\x82\xac \xf0\x9f\x94\x91");
	check("", 0, "");
}

static void control_characters_and_quotes_are_escaped(void **state)
{
	check("a\nb\0c\x7f", 6, "a\\x0ab\\x00c\\x7f");
	check("\"'\\", 3, "\\x22\\x27\\x5c");
	check("\x1b[31m", 5, "\\x1b[31m");
	/* A C1 control character in UTF-8 */
	check("\xc2\x9b", 2, "\\xc2\\x9b");
}

static void what_is_no_utf8_is_escaped(void **state)
{
	check("\xff", 1, "\\xff");
	check("\xc3", 1, "\\xc3");			      /* cut off */
	check("\xc0\xaf", 2, "\\xc0\\xaf");		      /* overlong */
	check("\xe0\x9f\xbf", 3, "\\xe0\\x9f\\xbf");	      /* overlong */
	check("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");	      /* surrogate */
	check("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
}

static void a_small_buffer_ends_at_a_whole_escape(void **state)
{
	char buffer[8];
	size_t size;

	for (size = 1; size <= sizeof(buffer); size++) {
		memset(buffer, 'z', sizeof(buffer));
		log_escape(buffer, size, "a\n\n", 3);
		assert_string_equal(buffer, size < 2 ? "" : size < 6 ? "a" : "a\\x0a");
	}
	log_escape(buffer, 3, "\xe2\x82\xac", 3);
	assert_string_equal(buffer, "");
	log_escape(buffer, 0, "abc", 3);
}

/* Everything written to standard error by @write. */
static void captured(void (*write_lines)(void), char *buffer, size_t size)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	if (saved < 0 || pipe(fds) < 0)
		abort();
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
	write_lines();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	n = read(fds[0], buffer, size - 1);
	close(fds[0]);
	buffer[n < 0 ? 0 : n] = '\0';
}

static void write_some(void)
{
	log_open("tlshd", true, false);
	log_message(LOG_NOTICE, "one %d", 1);
	log_message(LOG_DEBUG, "not this");
	log_open("tlshd", true, true);
	log_message(LOG_DEBUG, "two");
}

static void debug_lines_come_only_when_verbose(void **state)
{
	char buffer[256];

	unsetenv("JOURNAL_STREAM");
	captured(write_some, buffer, sizeof(buffer));
	assert_string_equal(buffer, "tlshd: one 1\ntlshd: two\n");
}

static void the_journal_gets_priorities(void **state)
{
	char buffer[256];

	setenv("JOURNAL_STREAM", "1:2", 1);
	captured(write_some, buffer, sizeof(buffer));
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(buffer, "<5>tlshd: one 1\n<7>tlshd: two\n");
}

static void write_long(void)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	log_open("tlshd", true, false);
	log_message(LOG_ERR, "%s", text);
}

static void a_long_line_is_cut_and_still_a_line(void **state)
{
	char buffer[8192];
	size_t length;

	captured(write_long, buffer, sizeof(buffer));
	length = strlen(buffer);
	assert_in_range(length, 1000, 2048);
	assert_ptr_equal(strchr(buffer, '\n'), buffer + length - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(control_characters_and_quotes_are_escaped),
		cmocka_unit_test(what_is_no_utf8_is_escaped),
		cmocka_unit_test(a_small_buffer_ends_at_a_whole_escape),
		cmocka_unit_test(debug_lines_come_only_when_verbose),
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(a_long_line_is_cut_and_still_a_line),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
