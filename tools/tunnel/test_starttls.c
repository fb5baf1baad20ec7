// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Conversations before TLS: what is said, what is refused, and that not one byte behind the
 * last word is taken over.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "starttls.h"

#define LONG 5000 /* bytes, more than any conversation takes */

/* A conversation over a socket pair, whose other end the test is */
struct talk {
	struct starttls *starttls;
	int ours, other;
};

static void begin(struct talk *talk, enum starttls_protocol protocol, enum starttls_part part)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	talk->ours = pair[0];
	talk->other = pair[1];
	talk->starttls = starttls_new(protocol, part);
	assert_non_null(talk->starttls);
}

static void end(struct talk *talk)
{
	starttls_free(talk->starttls);
	close(talk->ours);
	close(talk->other);
}

static int say_bytes(struct talk *talk, const void *bytes, size_t length)
{
	assert_int_equal(send(talk->other, bytes, length, MSG_NOSIGNAL), length);
	return starttls_run(talk->starttls, talk->ours);
}

static int say(struct talk *talk, const char *text)
{
	return say_bytes(talk, text, strlen(text));
}

/* What was said to us since the last time, up to its NUL. */
static const char *heard(struct talk *talk)
{
	static char buffer[8192];
	ssize_t n = recv(talk->other, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

	buffer[n > 0 ? n : 0] = '\0';
	return buffer;
}

static void expect_heard(struct talk *talk, const char *part)
{
	const char *text = heard(talk);

	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void expect_refused(struct talk *talk, int result, const char *part)
{
	assert_int_equal(result, -EPROTO);
	assert_non_null(starttls_error(talk->starttls));
	if (!strstr(starttls_error(talk->starttls), part))
		fail_msg("no \"%s\" in: %s", part, starttls_error(talk->starttls));
}

static void test_smtp_offer(void **state)
{
	struct talk talk;

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	assert_int_equal(starttls_run(talk.starttls, talk.ours), 0);
	expect_heard(&talk, "220 ");
	assert_int_equal(say(&talk, "MAIL FROM:<a@b>\r\n"), 0);
	expect_heard(&talk, "530 ");
	assert_int_equal(say(&talk, "ehlo me\r\n"), 0);
	expect_heard(&talk, "250 STARTTLS\r\n");
	assert_int_equal(say(&talk, "STARTTLS now\r\n"), 0);
	expect_heard(&talk, "501 ");
	assert_int_equal(say(&talk, "START"), 0);
	assert_int_equal(say(&talk, "TLS\r\n"), 1);
	expect_heard(&talk, "220 ");
	end(&talk);
}

static void test_smtp_ask(void **state)
{
	struct talk talk;
	size_t length;

	begin(&talk, STARTTLS_SMTP, STARTTLS_ASK);
	assert_int_equal(starttls_run(talk.starttls, talk.ours), 0);
	assert_int_equal(say(&talk, "220-one\r\n"), 0);
	assert_string_equal(heard(&talk), "");
	assert_int_equal(say(&talk, "220 two\r\n"), 0);
	expect_heard(&talk, "EHLO ");
	assert_int_equal(say(&talk, "250-PIPELINING\r\n250-starttls\r\n250 HELP\r\n"), 0);
	assert_string_equal(heard(&talk), "STARTTLS\r\n");
	assert_int_equal(say(&talk, "220 go\r\n"), 1);
	assert_memory_equal(starttls_greeting(talk.starttls, &length), "220-one\r\n220 two\r\n",
			    18);
	assert_int_equal(length, 18);
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_ASK);
	say(&talk, "220 hello\r\n");
	expect_refused(&talk, say(&talk, "250-STARTTLSX\r\n250 HELP\r\n"), "offers no STARTTLS");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_ASK);
	expect_refused(&talk, say(&talk, "554 no\r\n"), "greet");
	end(&talk);
}

static void test_imap(void **state)
{
	struct talk talk;
	size_t length;

	begin(&talk, STARTTLS_IMAP, STARTTLS_OFFER);
	assert_int_equal(starttls_run(talk.starttls, talk.ours), 0);
	expect_heard(&talk, "LOGINDISABLED");
	assert_int_equal(say(&talk, "a1 LOGIN user secret\r\n"), 0);
	expect_heard(&talk, "a1 NO ");
	assert_int_equal(say(&talk, "a2 capability\r\n"), 0);
	expect_heard(&talk, "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na2 OK");
	assert_int_equal(say(&talk, "* STARTTLS\r\n"), 0);
	expect_heard(&talk, "* BAD");
	assert_int_equal(say(&talk, "a3 STARTTLS\r\n"), 1);
	expect_heard(&talk, "a3 OK");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_ASK);
	assert_int_equal(say(&talk, "* OK [CAPABILITY STARTTLS LOGINDISABLED] here I am\r\n"), 0);
	assert_string_equal(heard(&talk), "T1 STARTTLS\r\n");
	assert_int_equal(say(&talk, "* CAPABILITY X\r\nT1 OK\r\n"), 1);
	assert_memory_equal(starttls_greeting(talk.starttls, &length), "* OK here I am\r\n", 16);
	assert_int_equal(length, 16);
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_ASK);
	expect_refused(&talk, say(&talk, "* PREAUTH hello\r\n"), "greet");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_ASK);
	say(&talk, "* OK hello\r\n");
	expect_refused(&talk, say(&talk, "T1 NO\r\n"), "refuses");
	end(&talk);
}

static void test_greet(void **state)
{
	struct talk talk;

	begin(&talk, STARTTLS_SMTP, STARTTLS_GREET);
	assert_int_equal(say(&talk, "220-one\r\n"), 0);
	assert_int_equal(say(&talk, "220 two\r\n"), 1);
	assert_string_equal(heard(&talk), "");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_GREET);
	assert_int_equal(say(&talk, "* OK hello\r\n"), 1);
	assert_string_equal(heard(&talk), "");
	end(&talk);

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_GREET);
	assert_int_equal(starttls_run(talk.starttls, talk.ours), 1);
	end(&talk);
}

static const uint8_t ssl_request[] = { 0, 0, 0, 8, 4, 210, 22, 47 };
static const uint8_t gss_request[] = { 0, 0, 0, 8, 4, 210, 22, 48 };
static const uint8_t startup[] = { 0, 0, 0, 9, 0, 3, 0, 0, 0 };

static void test_postgres(void **state)
{
	struct talk talk;
	char error[256];
	ssize_t n;

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_OFFER);
	assert_int_equal(say_bytes(&talk, gss_request, 5), 0);
	assert_int_equal(say_bytes(&talk, gss_request + 5, 3), 0);
	assert_string_equal(heard(&talk), "N");
	assert_int_equal(say_bytes(&talk, ssl_request, sizeof(ssl_request)), 1);
	assert_string_equal(heard(&talk), "S");
	end(&talk);

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_OFFER);
	expect_refused(&talk, say_bytes(&talk, startup, sizeof(startup)), "ask for TLS");
	n = recv(talk.other, error, sizeof(error), MSG_DONTWAIT);
	assert_true(n > 5 && error[0] == 'E' && error[n - 1] == '\0' && error[4] == n - 1);
	end(&talk);

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_ASK);
	assert_int_equal(starttls_run(talk.starttls, talk.ours), 0);
	n = recv(talk.other, error, sizeof(error), MSG_DONTWAIT);
	assert_int_equal(n, sizeof(ssl_request));
	assert_memory_equal(error, ssl_request, sizeof(ssl_request));
	assert_int_equal(say(&talk, "S"), 1);
	end(&talk);

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_ASK);
	expect_refused(&talk, say(&talk, "N"), "does not talk TLS");
	end(&talk);
}

/* CVE-2011-0411, CVE-2021-23222: what comes behind the last plain word is not protected. */
static void test_nothing_behind_the_last_word(void **state)
{
	uint8_t requests[sizeof(ssl_request) + sizeof(startup)];
	struct talk talk;

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	expect_refused(&talk, say(&talk, "EHLO me\r\nSTARTTLS\r\nRSET\r\n"), "before TLS");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_OFFER);
	expect_refused(&talk, say(&talk, "a STARTTLS\r\nb NOOP\r\n"), "before TLS");
	end(&talk);

	memcpy(requests, ssl_request, sizeof(ssl_request));
	memcpy(requests + sizeof(ssl_request), startup, sizeof(startup));
	begin(&talk, STARTTLS_POSTGRES, STARTTLS_OFFER);
	expect_refused(&talk, say_bytes(&talk, requests, sizeof(requests)), "before TLS");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_ASK);
	say(&talk, "220 hello\r\n");
	say(&talk, "250 STARTTLS\r\n");
	expect_refused(&talk, say(&talk, "220 go\r\n250 injected\r\n"), "before TLS");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_ASK);
	say(&talk, "* OK hello\r\n");
	expect_refused(&talk, say(&talk, "T1 OK\r\n* PREAUTH\r\n"), "before TLS");
	end(&talk);

	begin(&talk, STARTTLS_POSTGRES, STARTTLS_ASK);
	expect_refused(&talk, say(&talk, "SE"), "before TLS");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_GREET);
	expect_refused(&talk, say(&talk, "220 hello\r\n250 more\r\n"), "before TLS");
	end(&talk);
}

static void test_bounds(void **state)
{
	char line[LONG];
	struct talk talk;
	int r = 0;

	memset(line, 'x', sizeof(line));
	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	expect_refused(&talk, say_bytes(&talk, line, sizeof(line)), "too long");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	for (int i = 0; i < 200 && r == 0; i++) {
		r = say(&talk, "NOOP\r\n");
		heard(&talk);
	}
	expect_refused(&talk, r, "too many lines");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	expect_refused(&talk, say(&talk, "EHLO me\n"), "CRLF");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_OFFER);
	expect_refused(&talk, say_bytes(&talk, "a\0b NOOP\r\n", 10), "NUL");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_ASK);
	for (r = 0; r == 0;)
		r = say(&talk,
			"220-the same again and again and again, for who knows how long\r\n");
	expect_refused(&talk, r, "too much is said");
	end(&talk);

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	shutdown(talk.other, SHUT_WR);
	expect_refused(&talk, starttls_run(talk.starttls, talk.ours), "closed");
	end(&talk);
}

static void test_leaving(void **state)
{
	struct talk talk;

	begin(&talk, STARTTLS_SMTP, STARTTLS_OFFER);
	expect_refused(&talk, say(&talk, "QUIT\r\n"), "left");
	expect_heard(&talk, "221 ");
	end(&talk);

	begin(&talk, STARTTLS_IMAP, STARTTLS_OFFER);
	expect_refused(&talk, say(&talk, "x LOGOUT\r\n"), "left");
	expect_heard(&talk, "x OK");
	end(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtp_offer),
		cmocka_unit_test(test_smtp_ask),
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_greet),
		cmocka_unit_test(test_postgres),
		cmocka_unit_test(test_nothing_behind_the_last_word),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_leaving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
