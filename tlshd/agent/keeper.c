// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting tlshd-keeper, giving it descriptors, and collecting those that an
 * earlier one holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../keeper/protocol.h"
#include "children.h"
#include "keeper.h"
#include "log.h"

#define KEEPER_PATIENCE 5 /* seconds for each packet of an earlier keeper */

struct keeper {
	int fd;
};

static const char *keeper_folder(void)
{
	const char *folder = secure_getenv("TLSHD_RUNTIME_DIR");

	return folder ? folder : KEEPER_FOLDER;
}

/* One packet: its length, 0 at the end, or -errno. */
static ssize_t receive(int from, char name[KEEPER_NAME], int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { name, KEEPER_NAME - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);

	*ret_fd = -1;
	if (n < 0)
		return -errno;
	name[n] = 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS && cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(*ret_fd));
	return n;
}

static int collect_from(int from, void (*each)(void *arg, const char *name, int fd), void *arg)
{
	char name[KEEPER_NAME];
	ssize_t n;
	int fd;

	while ((n = receive(from, name, &fd)) > 0) {
		if (fd >= 0)
			each(arg, name, fd);
		else if (strcmp(name, KEEPER_BUSY) == 0)
			return -EBUSY;
	}
	/* It ended when another one had come before us. */
	return n == -ECONNRESET ? 0 : (int)n;
}

int keeper_collect(void (*each)(void *arg, const char *name, int fd), void *arg)
{
	const struct timeval patience = { KEEPER_PATIENCE, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	int fd, ret = 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" KEEPER_SOCKET, keeper_folder());
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* The credentials are those of who bound it: the keeper before its sandbox */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
		    peer.uid == geteuid())
			ret = collect_from(fd, each, arg);
		else
			ret = -EPERM;
	}
	close(fd);
	return ret;
}

int keeper_start(struct keeper **ret_keeper)
{
	const char *argv[] = { "tlshd-keeper", keeper_folder(), NULL };
	struct keeper *keeper;
	int pair[2], ret, status;
	pid_t pid;

	keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		ret = -errno;
		free(keeper);
		return ret;
	}
	ret = child_start("tlshd-keeper", argv, &pair[1], 1, -1, &pid);
	close(pair[1]);
	/* It goes on in the background once its socket is there. */
	if (ret == 0 && (waitpid(pid, &status, 0) != pid || status != 0))
		ret = -ECHILD;
	if (ret < 0) {
		close(pair[0]);
		free(keeper);
		return ret;
	}
	keeper->fd = pair[0];
	*ret_keeper = keeper;
	return 0;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	close(keeper->fd);
	free(keeper);
}

static void say(struct keeper *keeper, char what, const char *name, const int *fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char text[1 + KEEPER_NAME];
	struct iovec iov = { text, 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (!keeper)
		return;
	iov.iov_len = (size_t)snprintf(text, sizeof(text), "%c%s", what, name);
	if (fd) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), fd, sizeof(int));
	}
	if (sendmsg(keeper->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_message(LOG_WARNING,
			    "tlshd-keeper does not listen (%s): sessions will not survive the "
			    "end of this tlshd",
			    strerror(errno));
}

void keeper_add(struct keeper *keeper, const char *name, int fd)
{
	say(keeper, '+', name, &fd);
}

void keeper_remove(struct keeper *keeper, const char *name)
{
	say(keeper, '-', name, NULL);
}
