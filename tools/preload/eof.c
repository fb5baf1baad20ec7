// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtls_handoff_eof.so, for run --eof-ok alone: a peer that closes without close_notify
 * is an end of file, not an error.  A library of its own, since it stands before read(2).
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "handoff.h"
#include "real.h"

/* What a program calls that was compiled with _FORTIFY_SOURCE */
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
		       struct sockaddr *address, socklen_t *length);

REAL_FUNCTION(__read_chk)
REAL_FUNCTION(__recv_chk)
REAL_FUNCTION(__recvfrom_chk)
REAL_FUNCTION(read)
REAL_FUNCTION(readv)
REAL_FUNCTION(recv)
REAL_FUNCTION(recvfrom)
REAL_FUNCTION(recvmmsg)
REAL_FUNCTION(recvmsg)

/* What to return instead of @r, the result of a call on @fd.  A part of a record stays an
 * error: nobody can know how much of it is missing. */
static ssize_t end_of_file(int fd, ssize_t r)
{
	const __u32 bits = TLS_HANDOFF_F_TRUNCATED | TLS_HANDOFF_F_PARTIAL;
	struct tls_handoff_info info;

	if (r >= 0 || errno != ECONNABORTED)
		return r;
	if (handoff_info(fd, &info) == 0 && (info.flags & bits) == TLS_HANDOFF_F_TRUNCATED)
		return 0;
	errno = ECONNABORTED;
	return r;
}

INTERPOSED ssize_t read(int fd, void *buffer, size_t size)
{
	return end_of_file(fd, REAL(read)(fd, buffer, size));
}

INTERPOSED ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
	return end_of_file(fd, REAL(__read_chk)(fd, buffer, size, room));
}

INTERPOSED ssize_t readv(int fd, const struct iovec *parts, int count)
{
	return end_of_file(fd, REAL(readv)(fd, parts, count));
}

INTERPOSED ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return end_of_file(fd, REAL(recv)(fd, buffer, size, flags));
}

INTERPOSED ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
	return end_of_file(fd, REAL(__recv_chk)(fd, buffer, size, room, flags));
}

INTERPOSED ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
			    socklen_t *length)
{
	return end_of_file(fd, REAL(recvfrom)(fd, buffer, size, flags, address, length));
}

INTERPOSED ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
				  struct sockaddr *address, socklen_t *length)
{
	return end_of_file(fd,
			   REAL(__recvfrom_chk)(fd, buffer, size, room, flags, address, length));
}

INTERPOSED ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	return end_of_file(fd, REAL(recvmsg)(fd, message, flags));
}

INTERPOSED int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
			struct timespec *timeout)
{
	return end_of_file(fd, REAL(recvmmsg)(fd, messages, count, flags, timeout));
}
