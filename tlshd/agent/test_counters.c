// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is counted and remembered of handshakes, and who may see it; how often a user may
 * cause a line in the log.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/tls_handoff.h>

#include "counters.h"
#include "ratelimit.h"

static char text[16384];

static const char *written(const struct counters *counters)
{
	FILE *lines = fmemopen(text, sizeof(text), "w");

	counters_write(counters, lines);
	fclose(lines);
	return text;
}

static const char *failures(const struct counters *counters, uid_t uid)
{
	FILE *lines = fmemopen(text, sizeof(text), "w");

	fputs("", lines);
	counters_write_failures(counters, uid, lines);
	fputc('\n', lines);
	fclose(lines);
	return text;
}

static void expect_line(const struct counters *counters, const char *line)
{
	if (!strstr(written(counters), line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void failed(struct counters *counters, uint64_t id, uint32_t uid, int status,
		   const char *words)
{
	const struct counters_failure failure = {
		.id = id,
		.role = TLS_HANDOFF_SERVER,
		.uid = uid,
		.status = status,
		.words = words,
	};

	counters_failed(counters, &failure);
}

static size_t count_lines(const char *lines, const char *begin)
{
	size_t count = 0;

	for (const char *at = lines; (at = strstr(at, begin)); at++)
		count++;
	return count;
}

static void handshakes_are_counted_by_role_and_kind(void **state)
{
	struct counters *counters = counters_new();

	counters_done(counters, TLS_HANDOFF_CLIENT, false, 1);
	counters_done(counters, TLS_HANDOFF_CLIENT, true, 1);
	counters_done(counters, TLS_HANDOFF_CLIENT, true, 1);
	counters_done(counters, TLS_HANDOFF_SERVER, false, 1);
	expect_line(counters, "HandshakesDone client full 1\n");
	expect_line(counters, "HandshakesDone client resumed 2\n");
	expect_line(counters, "HandshakesDone server full 1\n");
	expect_line(counters, "HandshakesDone server resumed 0\n");
	assert_int_equal(counters_handshakes(counters), 4);
	counters_free(counters);
}

/* A bound holds what took exactly as long. */
static void durations_go_into_the_first_bucket_that_holds_them(void **state)
{
	struct counters *counters = counters_new();

	counters_done(counters, TLS_HANDOFF_CLIENT, false, 0);
	counters_done(counters, TLS_HANDOFF_CLIENT, false, 1000);
	counters_done(counters, TLS_HANDOFF_CLIENT, false, 1001);
	counters_done(counters, TLS_HANDOFF_CLIENT, false, 10000000);
	counters_done(counters, TLS_HANDOFF_CLIENT, false, 10000001);
	expect_line(counters,
		    "HandshakeDurations client full 2 1 0 0 0 0 0 0 0 0 0 0 1 1 20002002\n");
	counters_free(counters);
}

static void failures_are_counted_by_errno_and_the_rest_as_other(void **state)
{
	struct counters *counters = counters_new();

	failed(counters, 1, 0, EACCES, "a");
	failed(counters, 2, 0, EPROTO, "b");
	failed(counters, 3, 0, EILSEQ, "c");
	failed(counters, 4, 0, ENOMEM, "d");
	expect_line(counters, "HandshakesFailed server EACCES 1\n");
	expect_line(counters, "HandshakesFailed server EPROTO 1\n");
	expect_line(counters, "HandshakesFailed server other 2\n");
	expect_line(counters, "HandshakesFailed client EPROTO 0\n");
	expect_line(counters, "ConnectionsFailed server EPROTO 0\n");
	assert_int_equal(counters_failures(counters), 4);
	counters_free(counters);
}

static void alerts_are_counted_by_name(void **state)
{
	struct counters *counters = counters_new();

	counters_alert_sent(counters, 48);
	counters_alert_received(counters, 0);
	counters_alert_received(counters, 201);
	counters_alert_received(counters, 202);
	expect_line(counters, "AlertsSent unknown_ca 1\n");
	expect_line(counters, "AlertsReceived close_notify 1\n");
	expect_line(counters, "AlertsReceived unknown 2\n");
	assert_null(strstr(written(counters), "AlertsSent close_notify"));
	counters_free(counters);
}

static void a_user_sees_its_own_failures_and_root_all(void **state)
{
	struct counters *counters = counters_new();

	failed(counters, 7, 1000, EPROTO, "one");
	failed(counters, 8, 1001, ETIMEDOUT, "two");
	assert_non_null(strstr(failures(counters, 1000), " 7 server 1000 handshake EPROTO one\n"));
	assert_null(strstr(text, "two"));
	assert_string_equal(failures(counters, 1002), "\n");
	assert_int_equal(count_lines(failures(counters, 0), "Error "), 2);
	/* the last one first */
	assert_true(strstr(text, "two") < strstr(text, "one"));
	counters_free(counters);
}

static void the_last_five_failures_are_shown_and_their_words_are_one_line(void **state)
{
	struct counters *counters = counters_new();
	char words[16];

	for (int i = 0; i < 40; i++) {
		snprintf(words, sizeof(words), "w%d\n\033[2J", i);
		failed(counters, i, 1000, EPROTO, words);
	}
	assert_int_equal(count_lines(failures(counters, 0), "Error "), 5);
	assert_non_null(strstr(text, "EPROTO w39\\x0a\\x1b[2J\n"));
	assert_null(strstr(text, "w34"));
	counters_free(counters);
}

#define SECOND 1000000ull

static void a_user_causes_ten_lines_and_the_last_one_says_so(void **state)
{
	struct ratelimit *limit = ratelimit_new();
	bool last = false;

	for (int i = 1; i <= RATELIMIT_LINES; i++) {
		assert_true(ratelimit_allows(limit, 1000, 5 * SECOND, &last));
		assert_int_equal(last, i == RATELIMIT_LINES);
	}
	assert_false(ratelimit_allows(limit, 1000, 6 * SECOND, &last));
	/* Another user has its own. */
	assert_true(ratelimit_allows(limit, 1001, 6 * SECOND, &last));
	assert_false(last);
	assert_false(ratelimit_allows(limit, 1000, 15 * SECOND - 1, &last));
	assert_true(ratelimit_allows(limit, 1000, 15 * SECOND, &last));
	ratelimit_free(limit);
}

static void many_users_cost_bounded_memory(void **state)
{
	struct ratelimit *limit = ratelimit_new();
	bool last;

	for (uint32_t uid = 0; uid < 100000; uid++)
		assert_true(ratelimit_allows(limit, uid, SECOND, &last));
	ratelimit_free(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_are_counted_by_role_and_kind),
		cmocka_unit_test(durations_go_into_the_first_bucket_that_holds_them),
		cmocka_unit_test(failures_are_counted_by_errno_and_the_rest_as_other),
		cmocka_unit_test(alerts_are_counted_by_name),
		cmocka_unit_test(a_user_sees_its_own_failures_and_root_all),
		cmocka_unit_test(the_last_five_failures_are_shown_and_their_words_are_one_line),
		cmocka_unit_test(a_user_causes_ten_lines_and_the_last_one_says_so),
		cmocka_unit_test(many_users_cost_bounded_memory),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
