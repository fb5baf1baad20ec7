// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IMAP before TLS (RFC 9051 6.2.1), on either side.
 */
#include <string.h>
#include <strings.h>

#include "starttls_internal.h"

#define IMAP_CAPABILITIES "IMAP4rev1 STARTTLS LOGINDISABLED"
#define IMAP_TAG	  "T1"
#define IMAP_TAG_MAX	  64

enum imap_step { IMAP_GREETING, IMAP_STARTTLS };

static int imap_begin(struct starttls *starttls)
{
	if (starttls->part == STARTTLS_OFFER)
		return starttls_say(starttls,
				    "* OK [CAPABILITY " IMAP_CAPABILITIES "] %s ready\r\n",
				    starttls->name);
	return 0;
}

/* Bytes of the tag that @line begins with, 0 if that is none. */
static size_t tag_length(const char *line)
{
	size_t length = 0;

	while (line[length] > ' ' && line[length] < 0x7f && !strchr("(){%*\"\\]+", line[length]))
		length++;
	return length <= IMAP_TAG_MAX && line[length] == ' ' ? length : 0;
}

/* One command of a client. */
static int imap_command(struct starttls *starttls, const char *line)
{
	size_t length = tag_length(line);
	const char *command = line + length + 1;
	int tag = length;

	if (!length)
		return starttls_say(starttls, "* BAD No tag\r\n");
	if (!strcasecmp(command, "CAPABILITY"))
		return starttls_say(starttls,
				    "* CAPABILITY " IMAP_CAPABILITIES "\r\n%.*s OK Done\r\n", tag,
				    line);
	if (!strcasecmp(command, "NOOP"))
		return starttls_say(starttls, "%.*s OK Done\r\n", tag, line);
	if (!strcasecmp(command, "LOGOUT")) {
		starttls->over = true;
		starttls->error = "it left without TLS";
		return starttls_say(starttls, "* BYE Bye\r\n%.*s OK Done\r\n", tag, line);
	}
	if (strcasecmp(command, "STARTTLS") != 0)
		return starttls_say(starttls, "%.*s NO [PRIVACYREQUIRED] STARTTLS first\r\n", tag,
				    line);
	starttls->done = true;
	return starttls_say(starttls, "%.*s OK Begin TLS\r\n", tag, line);
}

/* The client must ask again what there is now that TLS protects the answer: what the server
 * offered without it is left out. */
static int imap_greeting(struct starttls *starttls, const char *line)
{
	const char *words = line + strlen("* OK "), *end;
	int r;

	if (strncasecmp(line, "* OK ", strlen("* OK ")) != 0)
		return starttls_refuse(starttls, "the IMAP server does not greet with OK");
	end = *words == '[' ? strchr(words, ']') : NULL;
	if (end)
		words = end + 1 + (end[1] == ' ');
	r = starttls_keep(starttls, "* OK %s\r\n", *words ? words : "ready");
	if (r < 0)
		return r;
	if (starttls->part == STARTTLS_GREET) {
		starttls->done = true;
		return 0;
	}
	starttls->step = IMAP_STARTTLS;
	return starttls_say(starttls, IMAP_TAG " STARTTLS\r\n");
}

static int imap_line(struct starttls *starttls, const char *line)
{
	if (starttls->part == STARTTLS_OFFER)
		return imap_command(starttls, line);
	if (starttls->step == IMAP_GREETING)
		return imap_greeting(starttls, line);
	if (!strncmp(line, "* ", 2) && strncasecmp(line, "* BYE", 5) != 0)
		return 0;
	if (strncasecmp(line, IMAP_TAG " OK", strlen(IMAP_TAG " OK")) != 0)
		return starttls_refuse(starttls, "the IMAP server refuses STARTTLS");
	starttls->done = true;
	return 0;
}

const struct starttls_ops starttls_imap = { .begin = imap_begin, .line = imap_line };
