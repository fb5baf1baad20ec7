// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a service accepts and where it connects, see address.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "address.h"

#define LOCAL_PREFIX "unix:"

static const char *resolve_local(const char *path, struct addresses *addresses)
{
	struct address *address = &addresses->list[0];
	struct sockaddr_un *name = (struct sockaddr_un *)&address->storage;

	size_t length = strlen(path);

	if (!length || length >= sizeof(name->sun_path))
		return "a socket's path has 1 to 107 bytes";
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, path, length + 1);
	address->length = sizeof(*name);
	addresses->local = true;
	addresses->count = 1;
	return NULL;
}

/* "HOST:PORT", "[HOST]:PORT", "PORT"; *ret_port points into @text. */
static const char *split(const char *text, char host[NI_MAXHOST], const char **ret_port)
{
	const char *colon = strrchr(text, ':'), *start = text, *end = colon;

	*host = '\0';
	*ret_port = colon ? colon + 1 : text;
	if (!**ret_port)
		return "has no port";
	if (!colon)
		return NULL;
	if (*text == '[') {
		start++;
		end--;
		if (end <= start || *end != ']')
			return "is no [ADDRESS]:PORT";
	} else if (memchr(text, ':', colon - text)) {
		return "needs brackets around an IPv6 address: [ADDRESS]:PORT";
	}
	if (end - start >= NI_MAXHOST)
		return "has a host name that is too long";
	memcpy(host, start, end - start);
	host[end - start] = '\0';
	return NULL;
}

/* getaddrinfo(3) takes any number and keeps its last 16 bits. */
static bool port_fits(const char *port)
{
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	return *end || (number > 0 && number <= 65535);
}

const char *addresses_resolve(const char *text, bool passive, struct addresses *ret_addresses)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = passive ? AI_PASSIVE : 0,
	};
	struct addresses addresses = { .count = 0 };
	struct addrinfo *found, *at;
	const char *port, *why;
	int r;

	if (!strncmp(text, LOCAL_PREFIX, strlen(LOCAL_PREFIX))) {
		why = resolve_local(text + strlen(LOCAL_PREFIX), &addresses);
		if (!why)
			*ret_addresses = addresses;
		return why;
	}
	why = split(text, addresses.host, &port);
	if (why)
		return why;
	if (!port_fits(port))
		return "has a port that is none: 1 to 65535, or a name of services(5)";
	r = getaddrinfo(*addresses.host ? addresses.host : NULL, port, &hints, &found);
	if (r)
		return gai_strerror(r);
	for (at = found; at && addresses.count < ADDRESSES_MAX; at = at->ai_next) {
		struct address *address = &addresses.list[addresses.count++];

		memcpy(&address->storage, at->ai_addr, at->ai_addrlen);
		address->length = at->ai_addrlen;
	}
	freeaddrinfo(found);
	*ret_addresses = addresses;
	return NULL;
}

bool address_same(const struct address *a, const struct address *b)
{
	return a->length == b->length && !memcmp(&a->storage, &b->storage, a->length);
}
