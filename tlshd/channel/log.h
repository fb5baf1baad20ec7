/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging for the three programs: syslog(3), or standard error with -s (with "<N>"
 * priorities when systemd reads it).  Never a secret, peer's text escaped.
 */
#ifndef TLSHD_CHANNEL_LOG_H
#define TLSHD_CHANNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

void log_open(const char *program, bool to_stderr, bool verbose);
/* @priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO; LOG_DEBUG only with -v. */
void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Copies @text with control characters, quotes, backslash and bytes that are no UTF-8 as \xNN.
 * Always terminates; truncates at a whole escape. */
void log_escape(char *buffer, size_t size, const char *text, size_t length);

#endif /* TLSHD_CHANNEL_LOG_H */
