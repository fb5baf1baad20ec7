// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Conversations before TLS: receiving, bounds and sending for every protocol.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "starttls_internal.h"

const char *const starttls_names[] = { "smtp", "imap", "postgres", NULL };

static const struct starttls_ops *const protocols[] = {
	[STARTTLS_SMTP] = &starttls_smtp,
	[STARTTLS_IMAP] = &starttls_imap,
	[STARTTLS_POSTGRES] = &starttls_postgres,
};

struct starttls *starttls_new(enum starttls_protocol protocol, enum starttls_part part)
{
	struct starttls *starttls = calloc(1, sizeof(*starttls));
	char name[STARTTLS_NAME] = "";

	if (!starttls)
		return NULL;
	starttls->ops = protocols[protocol];
	starttls->part = part;
	if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
		strcpy(name, "localhost");
	memcpy(starttls->name, name, sizeof(name));
	if (starttls->ops->begin(starttls) < 0) {
		free(starttls);
		return NULL;
	}
	return starttls;
}

void starttls_free(struct starttls *starttls)
{
	free(starttls);
}

const char *starttls_error(const struct starttls *starttls)
{
	return starttls->error;
}

const char *starttls_greeting(const struct starttls *starttls, size_t *ret_length)
{
	*ret_length = starttls->greeting_length;
	return starttls->greeting;
}

int starttls_refuse(struct starttls *starttls, const char *why)
{
	starttls->error = why;
	return -EPROTO;
}

int starttls_send(struct starttls *starttls, const void *bytes, size_t length)
{
	if (length > sizeof(starttls->out) - starttls->out_length)
		return starttls_refuse(starttls, "it takes no answers");
	memcpy(starttls->out + starttls->out_length, bytes, length);
	starttls->out_length += length;
	return 0;
}

/* Appends to a buffer of STARTTLS_BUFFER bytes. */
static int append(struct starttls *starttls, char *buffer, size_t *length, const char *format,
		  va_list args)
{
	size_t room = STARTTLS_BUFFER - *length;
	int n = vsnprintf(buffer + *length, room, format, args);

	if (n < 0 || (size_t)n >= room)
		return starttls_refuse(starttls, "too much is said before TLS");
	*length += n;
	return 0;
}

int starttls_say(struct starttls *starttls, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = append(starttls, starttls->out, &starttls->out_length, format, args);
	va_end(args);
	return r;
}

int starttls_keep(struct starttls *starttls, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = append(starttls, starttls->greeting, &starttls->greeting_length, format, args);
	va_end(args);
	return r;
}

void starttls_took(struct starttls *starttls, size_t length)
{
	starttls->in_length -= length;
	memmove(starttls->in, starttls->in + length, starttls->in_length);
}

/* Hands the lines that are whole to the protocol, until it wants no more. */
static int take_lines(struct starttls *starttls)
{
	char line[STARTTLS_BUFFER], *end;
	size_t length;
	int r = 0;

	while (r == 0 && !starttls->done && !starttls->over) {
		end = memchr(starttls->in, '\n', starttls->in_length);
		if (!end && starttls->in_length == sizeof(starttls->in))
			return starttls_refuse(starttls, "a line is too long");
		if (!end)
			return 0;
		length = end - starttls->in;
		/* RFC 5321 2.3.8: nothing else ends a line, or one side sees two where another sees one */
		if (!length || end[-1] != '\r')
			return starttls_refuse(starttls, "a line does not end with CRLF");
		if (++starttls->lines > STARTTLS_LINES)
			return starttls_refuse(starttls, "too many lines come before TLS");
		memcpy(line, starttls->in, length - 1);
		line[length - 1] = '\0';
		if (strlen(line) != length - 1)
			return starttls_refuse(starttls, "a line contains a NUL byte");
		starttls_took(starttls, length + 1);
		r = starttls->ops->line(starttls, line);
	}
	return r;
}

/* 1 when all of it is sent. */
static int flush(struct starttls *starttls, int fd)
{
	ssize_t n;

	while (starttls->out_length) {
		n = send(fd, starttls->out, starttls->out_length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		starttls->out_length -= n;
		memmove(starttls->out, starttls->out + n, starttls->out_length);
	}
	return 1;
}

int starttls_run(struct starttls *starttls, int fd)
{
	ssize_t n;
	int r;

	for (;;) {
		r = flush(starttls, fd);
		if (r <= 0)
			return r;
		if (starttls->over)
			return starttls->error ? -EPROTO : -ECONNABORTED;
		if (starttls->done)
			return 1;
		n = recv(fd, starttls->in + starttls->in_length,
			 sizeof(starttls->in) - starttls->in_length, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return starttls_refuse(starttls, "it closed before TLS");
		starttls->in_length += n;
		r = starttls->ops->line ? take_lines(starttls) : starttls->ops->raw(starttls);
		if (r < 0)
			return r;
		if (starttls->done && starttls->in_length)
			return starttls_refuse(starttls,
					       "something was sent before TLS as if it had begun");
	}
}
