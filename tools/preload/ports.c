// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which ports a rule is for.  A list of numbers, ranges and names of services(5).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ports.h"

#define ITEM_MAX 64 /* bytes with NUL */

/* A number of 1 to 65535 at *@text, which is moved behind it; 0 if there is none. */
static uint16_t take_number(const char **text)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)**text))
		return 0;
	number = strtoul(*text, &end, 10);
	*text = end;
	return number <= UINT16_MAX ? number : 0;
}

static const char *take_range(const char *item, uint16_t *first, uint16_t *last)
{
	*first = *last = take_number(&item);
	if (*first && *item == '-') {
		item++;
		*last = take_number(&item);
	}
	if (!*first || !*last || *item)
		return "a port is a number of 1 to 65535, or two with a - between";
	return *last < *first ? "a range ends before it begins" : NULL;
}

static const char *take_service(const char *item, uint16_t *first, uint16_t *last)
{
	const struct servent *service = getservbyname(item, "tcp");

	if (!service)
		return "neither a port nor a name of services(5)";
	*first = *last = ntohs(service->s_port);
	return NULL;
}

static const char *take_item(const char *item, uint16_t *first, uint16_t *last)
{
	if (!strcmp(item, "all")) {
		*first = 1;
		*last = UINT16_MAX;
		return NULL;
	}
	return (isdigit((unsigned char)*item) ? take_range : take_service)(item, first, last);
}

const char *ports_parse(const char *text, struct ports *ports)
{
	struct ports parsed = {};
	char item[ITEM_MAX];
	const char *why;

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!length)
			return "a port is empty";
		if (length >= sizeof(item))
			return "a name is too long";
		if (parsed.count == PORTS_MAX)
			return "more than 64 ports or ranges";
		memcpy(item, text, length);
		item[length] = '\0';
		why = take_item(item, &parsed.ranges[parsed.count].first,
				&parsed.ranges[parsed.count].last);
		if (why)
			return why;
		parsed.count++;
		if (!text[length])
			break;
		text += length + 1;
	}
	*ports = parsed;
	return NULL;
}

bool ports_match(const struct ports *ports, uint16_t port)
{
	for (unsigned int i = 0; i < ports->count; i++)
		if (port >= ports->ranges[i].first && port <= ports->ranges[i].last)
			return true;
	return false;
}
