// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that the program accepts.  Its listeners become TLS ones, whose accept(2)
 * gives connections with a finished handshake, however the program waits for them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "preload.h"
#include "real.h"

REAL_FUNCTION(accept)
REAL_FUNCTION(accept4)
REAL_FUNCTION(listen)

static enum rule listener_rule(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return RULE_NONE;
	return rule_for(fd, (struct sockaddr *)&address, length, false);
}

/* Listening a second time only changes the backlog. */
static bool is_ours(int fd)
{
	struct tls_handoff_info info;

	return handoff_info(fd, &info) == 0 && info.role == TLS_HANDOFF_SERVER;
}

/* A connection whose data comes with its SYN exists before it is established. */
static void no_fastopen(int fd)
{
	static const int off;

	setsockopt(fd, SOL_TCP, TCP_FASTOPEN, &off, sizeof(off));
}

/* The port is asked for afterwards, since listening may be what gives the socket one. */
INTERPOSED int listen(int fd, int backlog)
{
	int r;

	if (REAL(listen)(fd, backlog) < 0)
		return -1;
	switch (listener_rule(fd)) {
	case RULE_NONE:
		return 0;
	case RULE_REFUSE:
		shutdown(fd, SHUT_RDWR);
		return -1;
	case RULE_TLS:
		break;
	}
	if (is_ours(fd))
		return 0;
	no_fastopen(fd);
	r = secure(fd, TLS_HANDOFF_SERVER, NULL);
	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

INTERPOSED int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int accepted = REAL(accept)(fd, address, length);

	if (accepted >= 0 && settings()->info)
		report_connection(accepted);
	return accepted;
}

INTERPOSED int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int accepted = REAL(accept4)(fd, address, length, flags);

	if (accepted >= 0 && settings()->info)
		report_connection(accepted);
	return accepted;
}
