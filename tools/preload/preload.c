// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library's start, what it was told, and who is under its rules.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>

#include "peers.h"
#include "preload.h"
#include "real.h"

/* Without rules: whatever the program asks of others but DNS, which has TLS on a port of
 * its own. */
#define DEFAULT_CLIENT_PORTS "1-52,54-65535"

REAL_FUNCTION(getsockopt)

static struct options options;
static bool broken; /* the settings make no sense: nothing may connect */

static void start(void)
{
	const char *option, *why;

	peers_init();
	why = options_import(&options, &option);
	if (!why && !options.client_ports.count && !options.server_ports.count)
		ports_parse(DEFAULT_CLIENT_PORTS, &options.client_ports);
	report_init(options.info);
	if (why) {
		broken = true;
		report("--%s: %s; no connection is made", option, why);
	}
}

/* The constructors of the program's own libraries come before ours, and may connect. */
__attribute__((constructor)) static void start_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
}

const struct options *settings(void)
{
	start_once();
	return &options;
}

static uint16_t port_of(const struct sockaddr *address, socklen_t length)
{
	if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in))
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6))
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

static int socket_option(int fd, int option)
{
	socklen_t size = sizeof(int);
	int value = -1;

	if (REAL(getsockopt)(fd, SOL_SOCKET, option, &value, &size) < 0)
		return -1;
	return value;
}

enum rule rule_for(int fd, const struct sockaddr *address, socklen_t length, bool client)
{
	const struct ports *ports = client ? &settings()->client_ports : &settings()->server_ports;
	uint16_t port = port_of(address, length);
	int protocol;

	if (!port || (!broken && !ports_match(ports, port)))
		return RULE_NONE;
	if (socket_option(fd, SO_TYPE) != SOCK_STREAM)
		return RULE_NONE;
	protocol = socket_option(fd, SO_PROTOCOL);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return RULE_NONE;
	if (broken) {
		errno = EINVAL;
		return RULE_REFUSE;
	}
	if (protocol == IPPROTO_MPTCP) {
		report("port %u: the program uses Multipath TCP, which cannot speak TLS", port);
		errno = EOPNOTSUPP;
		return RULE_REFUSE;
	}
	return RULE_TLS;
}
