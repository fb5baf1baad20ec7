// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Logging to syslog or standard error, and escaping of text that others chose.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define LOG_LINE 2048 /* bytes; longer lines are cut */

static const char *log_program = "tlshd";
static bool log_to_stderr = true;
static bool log_verbose;
static bool log_with_priority;

void log_open(const char *program, bool to_stderr, bool verbose)
{
	log_program = program;
	log_to_stderr = to_stderr;
	log_verbose = verbose;
	/* The journal, or the agent that passes a room's lines on, wants the priority. */
	log_with_priority = to_stderr && (getenv("JOURNAL_STREAM") || getenv("TLSHD_LOG_PRIORITY"));
	if (!to_stderr)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_message(int priority, const char *format, ...)
{
	char line[LOG_LINE];
	int used = 0, n, error = errno;
	ssize_t written;
	va_list args;

	if (priority >= LOG_DEBUG && !log_verbose)
		return;
	if (log_to_stderr) {
		if (log_with_priority)
			used = snprintf(line, sizeof(line), "<%d>", LOG_PRI(priority));
		used += snprintf(line + used, sizeof(line) - used, "%s: ", log_program);
	}
	va_start(args, format);
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	used += n;
	if ((size_t)used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	if (log_to_stderr) {
		line[used++] = '\n';
		/* One write, so that lines of several processes do not mix; nobody to tell if it fails. */
		written = write(STDERR_FILENO, line, used);
		(void)written;
	} else {
		syslog(priority, "%s", line);
	}
	errno = error;
}

/* Length of the UTF-8 sequence at @text, 0 if it is none (RFC 3629). */
static size_t log_utf8(const unsigned char *text, size_t length)
{
	unsigned char first = text[0], low = 0x80, high = 0xbf;
	size_t i, n;

	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		n = 2;
	else if (first >= 0xe0 && first <= 0xef)
		n = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > length)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	for (i = 1; i < n; i++, low = 0x80, high = 0xbf)
		if (text[i] < low || text[i] > high)
			return 0;
	/* C1 control characters */
	if (n == 2 && first == 0xc2 && text[1] < 0xa0)
		return 0;
	return n;
}

void log_escape(char *buffer, size_t size, const char *text, size_t length)
{
	const unsigned char *in = (const unsigned char *)text;
	size_t used = 0, n;
	char escape[5];

	if (!size)
		return;
	while (length) {
		n = log_utf8(in, length);
		if (n > 1 || (n == 1 && *in >= 0x20 && *in != 0x7f && *in != '\\' && *in != '"' &&
			      *in != '\'')) {
			if (n >= size - used)
				break;
			memcpy(buffer + used, in, n);
			used += n;
		} else {
			n = 1;
			if (sizeof(escape) > size - used)
				break;
			snprintf(escape, sizeof(escape), "\\x%02x", *in);
			memcpy(buffer + used, escape, sizeof(escape) - 1);
			used += sizeof(escape) - 1;
		}
		in += n;
		length -= n;
	}
	buffer[used] = '\0';
}
