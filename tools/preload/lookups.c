// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What names the program resolves, to know whom it connects to.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "peers.h"
#include "preload.h"
#include "real.h"

REAL_FUNCTION(getaddrinfo)
REAL_FUNCTION(gethostbyname)
REAL_FUNCTION(gethostbyname2)
REAL_FUNCTION(gethostbyname2_r)
REAL_FUNCTION(gethostbyname_r)

INTERPOSED int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
			   struct addrinfo **ret_addresses)
{
	int r = REAL(getaddrinfo)(name, service, hints, ret_addresses);
	const struct addrinfo *address;

	if (r == 0 && name)
		for (address = *ret_addresses; address; address = address->ai_next)
			peers_learn(address->ai_addr, name);
	return r;
}

static struct hostent *learn(const char *name, struct hostent *host)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	for (char **address = host ? host->h_addr_list : NULL; address && *address; address++) {
		if (host->h_addrtype == AF_INET) {
			memcpy(&in.sin_addr, *address, sizeof(in.sin_addr));
			peers_learn((struct sockaddr *)&in, name);
		} else if (host->h_addrtype == AF_INET6) {
			memcpy(&in6.sin6_addr, *address, sizeof(in6.sin6_addr));
			peers_learn((struct sockaddr *)&in6, name);
		}
	}
	return host;
}

INTERPOSED struct hostent *gethostbyname(const char *name)
{
	return learn(name, REAL(gethostbyname)(name));
}

INTERPOSED struct hostent *gethostbyname2(const char *name, int family)
{
	return learn(name, REAL(gethostbyname2)(name, family));
}

INTERPOSED int gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size,
			       struct hostent **ret_host, int *ret_error)
{
	int r = REAL(gethostbyname_r)(name, host, buffer, size, ret_host, ret_error);

	if (r == 0)
		learn(name, *ret_host);
	return r;
}

INTERPOSED int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer,
				size_t size, struct hostent **ret_host, int *ret_error)
{
	int r = REAL(gethostbyname2_r)(name, family, host, buffer, size, ret_host, ret_error);

	if (r == 0)
		learn(name, *ret_host);
	return r;
}
