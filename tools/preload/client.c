// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that the program opens.  TCP is connected first; the handshake then runs as
 * a part of the program's connect(2): a blocking one waits for it, a non-blocking one says
 * EINPROGRESS, and the kernel makes the socket writable when it is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <time.h>

#include "peers.h"
#include "preload.h"
#include "real.h"

REAL_FUNCTION(connect)
REAL_FUNCTION(getsockopt)
REAL_FUNCTION(sendmmsg)
REAL_FUNCTION(sendmsg)
REAL_FUNCTION(sendto)

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Waits until @fd, which is connecting, is connected or not.  0 or -errno. */
static int wait_connected(int fd)
{
	__u32 timeout = settings()->handoff.timeout;
	int64_t end = milliseconds() + (timeout ? timeout : TLS_HANDOFF_DEFAULT_TIMEOUT), left;
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0, r;

	do {
		left = end - milliseconds();
		r = poll(&wait, 1, left > 0 ? left : 0);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (REAL(getsockopt)(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

/* Back to a socket that is not connected, which sends nothing. */
static void disconnect(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	REAL(connect)(fd, &none, sizeof(none));
}

/* TCP's part.  0 or -errno. */
static int connect_tcp(int fd, const struct sockaddr *address, socklen_t length)
{
	static const int off;
	int r;

	/* It would send the program's first bytes along with the SYN. */
	setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof(off));
	r = REAL(connect)(fd, address, length) < 0 ? -errno : 0;
	if (r == -EINPROGRESS && fcntl(fd, F_GETFL) & O_NONBLOCK)
		r = wait_connected(fd);
	/* A signal or SO_SNDTIMEO: a program could go on with what is half open. */
	if (r == -EINTR || r == -ETIMEDOUT || r == -EINPROGRESS)
		disconnect(fd);
	return r;
}

/* Asked again: of a connection of ours it is the handshake's state that counts. */
static int connect_again(int fd)
{
	const __u32 client = TLS_HANDOFF_CLIENT;
	int r = 0;

	if (setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &client, sizeof(client)) < 0)
		r = errno == ENOPROTOOPT ? -EISCONN : -errno;
	report_connection(fd);
	return r;
}

static int connect_tls(int fd, const struct sockaddr *address, socklen_t length)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	int r;

	r = connect_tcp(fd, address, length);
	if (r == -EISCONN)
		return connect_again(fd);
	if (r < 0)
		return r;
	peers_name(address, name);
	return secure(fd, TLS_HANDOFF_CLIENT, name);
}

INTERPOSED int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int r;

	switch (rule_for(fd, address, length, true)) {
	case RULE_NONE:
		return REAL(connect)(fd, address, length);
	case RULE_REFUSE:
		return -1;
	case RULE_TLS:
		break;
	}
	r = connect_tls(fd, address, length);
	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

/* How programs learn what became of a non-blocking connect. */
INTERPOSED int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	int r = REAL(getsockopt)(fd, level, option, value, size);

	if (r == 0 && level == SOL_SOCKET && option == SO_ERROR)
		report_connection(fd);
	return r;
}

/*
 * MSG_FASTOPEN connects and sends in one call.  Programs know the error, as the kernel
 * gives it where that is switched off, and use connect(2).
 */
static bool refuse_fastopen(int flags)
{
	if (!(flags & MSG_FASTOPEN))
		return false;
	errno = EOPNOTSUPP;
	return true;
}

INTERPOSED ssize_t sendto(int fd, const void *data, size_t length, int flags,
			  const struct sockaddr *address, socklen_t address_length)
{
	if (refuse_fastopen(flags))
		return -1;
	return REAL(sendto)(fd, data, length, flags, address, address_length);
}

INTERPOSED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (refuse_fastopen(flags))
		return -1;
	return REAL(sendmsg)(fd, message, flags);
}

INTERPOSED int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	if (refuse_fastopen(flags))
		return -1;
	return REAL(sendmmsg)(fd, messages, count, flags);
}
