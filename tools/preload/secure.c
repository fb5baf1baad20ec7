// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a TCP socket to a TLS one.  Whatever goes wrong, the socket carries no plaintext
 * afterwards.
 */
#include <errno.h>
#include <string.h>

#include "preload.h"

/* Until START it is the program's plain socket, which must not stay one. */
static int give_up(int fd, const char *what, int r)
{
	report("%s: %s", what,
	       r == -ENOENT   ? "the kernel module is not loaded: modprobe tls_handoff" :
	       r == -ENOTCONN ? "the peer closed the connection at once" :
				strerror(-r));
	shutdown(fd, SHUT_RDWR);
	return r == -ENOTCONN ? -ECONNRESET : r;
}

int secure(int fd, __u32 role, const char *peer_name)
{
	struct handoff_options wanted = settings()->handoff;
	const __u32 on = 1;
	const char *option;
	int r;

	/* --name and --client-cert are each for one side. */
	if (role == TLS_HANDOFF_SERVER)
		wanted.peer_name = NULL;
	else
		wanted.has_client_cert = false;
	if (role == TLS_HANDOFF_CLIENT && !wanted.peer_name)
		wanted.peer_name = peer_name;

	r = handoff_take(fd);
	if (r < 0)
		return give_up(fd, "cannot take the socket over", r);
	r = handoff_configure(fd, &wanted, &option);
	if (r < 0)
		return give_up(fd, option, r);
	if (role == TLS_HANDOFF_SERVER &&
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ACCEPT_READY, &on, sizeof(on)) < 0)
		return give_up(fd, "listener", -errno);

	r = setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)) < 0 ? -errno :
											  0;
	if (r == -EINPROGRESS || r == -EINTR)
		return r;
	if (r < 0 && role == TLS_HANDOFF_SERVER)
		return give_up(fd, "listener", r);
	report_connection(fd);
	/* Refused for an argument, START has left the socket as it was. */
	if (r < 0)
		shutdown(fd, SHUT_RDWR);
	return r;
}
