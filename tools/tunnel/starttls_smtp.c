// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SMTP before TLS (RFC 5321, RFC 3207), on either side.
 */
#include <string.h>
#include <strings.h>

#include "starttls_internal.h"

/* What a server's next reply answers */
enum smtp_step { SMTP_GREETING, SMTP_EHLO, SMTP_STARTTLS };

/* Bits of starttls.step above the step */
#define SMTP_OFFERED 0x100 /* STARTTLS was in the reply to EHLO */

static int smtp_begin(struct starttls *starttls)
{
	if (starttls->part == STARTTLS_OFFER)
		return starttls_say(starttls, "220 %s ESMTP\r\n", starttls->name);
	return 0;
}

/* Whether @line is @verb; what follows it, without the space, goes to *ret_rest. */
static bool is_verb(const char *line, const char *verb, const char **ret_rest)
{
	size_t length = strlen(verb);

	if (strncasecmp(line, verb, length) != 0 || (line[length] && line[length] != ' '))
		return false;
	*ret_rest = line + length + (line[length] == ' ');
	return true;
}

/* One command of a client. */
static int smtp_command(struct starttls *starttls, const char *line)
{
	const char *rest;

	if (is_verb(line, "EHLO", &rest))
		return starttls_say(starttls, "250-%s\r\n250 STARTTLS\r\n", starttls->name);
	if (is_verb(line, "HELO", &rest))
		return starttls_say(starttls, "250 %s\r\n", starttls->name);
	if (is_verb(line, "NOOP", &rest) || is_verb(line, "RSET", &rest))
		return starttls_say(starttls, "250 2.0.0 OK\r\n");
	if (is_verb(line, "QUIT", &rest)) {
		starttls->over = true;
		starttls->error = "it left without TLS";
		return starttls_say(starttls, "221 2.0.0 Bye\r\n");
	}
	if (!is_verb(line, "STARTTLS", &rest))
		return starttls_say(starttls, "530 5.7.0 Must issue a STARTTLS command first\r\n");
	if (*rest)
		return starttls_say(starttls, "501 5.5.4 STARTTLS takes no parameters\r\n");
	starttls->done = true;
	return starttls_say(starttls, "220 2.0.0 Ready to start TLS\r\n");
}

/* The last line of a reply has a space, or nothing, after the code. */
static bool is_last(const char *line)
{
	return line[3] != '-';
}

static bool is_reply(const char *line, const char *code)
{
	return !strncmp(line, code, 3) && (!line[3] || line[3] == ' ' || line[3] == '-');
}

static int smtp_greeting(struct starttls *starttls, const char *line)
{
	int r;

	if (!is_reply(line, "220"))
		return starttls_refuse(starttls, "the SMTP server does not greet with 220");
	r = starttls_keep(starttls, "%s\r\n", line);
	if (r < 0 || !is_last(line))
		return r;
	if (starttls->part == STARTTLS_GREET) {
		starttls->done = true;
		return 0;
	}
	starttls->step = SMTP_EHLO;
	return starttls_say(starttls, "EHLO %s\r\n", starttls->name);
}

static int smtp_reply(struct starttls *starttls, const char *line)
{
	switch (starttls->step & ~SMTP_OFFERED) {
	case SMTP_GREETING:
		return smtp_greeting(starttls, line);
	case SMTP_EHLO:
		if (!is_reply(line, "250"))
			return starttls_refuse(starttls, "the SMTP server refuses EHLO");
		if (line[3] && !strcasecmp(line + 4, "STARTTLS"))
			starttls->step |= SMTP_OFFERED;
		if (!is_last(line))
			return 0;
		if (!(starttls->step & SMTP_OFFERED))
			return starttls_refuse(starttls, "the SMTP server offers no STARTTLS");
		starttls->step = SMTP_STARTTLS;
		return starttls_say(starttls, "STARTTLS\r\n");
	default:
		if (!is_reply(line, "220"))
			return starttls_refuse(starttls, "the SMTP server refuses STARTTLS");
		starttls->done = is_last(line);
		return 0;
	}
}

static int smtp_line(struct starttls *starttls, const char *line)
{
	if (starttls->part == STARTTLS_OFFER)
		return smtp_command(starttls, line);
	return smtp_reply(starttls, line);
}

const struct starttls_ops starttls_smtp = { .begin = smtp_begin, .line = smtp_line };
