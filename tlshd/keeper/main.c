// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd-keeper: holds the memories in which session handlers leave their state
 * while one tlshd follows another, where there is no service manager that does.
 * The descriptors are O_PATH: it cannot read them either.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <seccomp.h>

#include "protocol.h"
#include "log.h"
#include "sandbox.h"

#define AGENT_FD 3
#define USER	 "nobody"

struct kept {
	char name[KEEPER_NAME];
	int fd;
};

struct keeper {
	int agent; /* -1: it is gone */
	int listener;
	uid_t user; /* whose processes may ask */
	struct kept kept[KEEPER_MAX];
	size_t count;
	long deadline; /* CLOCK_BOOTTIME seconds; counts without agent */
};

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec;
}

static int listen_at(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, length;

	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" KEEPER_SOCKET, folder);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	umask(022);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	umask(077);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Who had it before did not answer: its tlshd found out before it started us. */
	(void)unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void drop(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->count; i++) {
		if (strcmp(keeper->kept[i].name, name) != 0)
			continue;
		close(keeper->kept[i].fd);
		keeper->kept[i] = keeper->kept[--keeper->count];
		return;
	}
}

static void keep(struct keeper *keeper, const char *name, int fd)
{
	drop(keeper, name);
	if (keeper->count == KEEPER_MAX) {
		close(fd);
		return;
	}
	snprintf(keeper->kept[keeper->count].name, KEEPER_NAME, "%s", name);
	keeper->kept[keeper->count++].fd = fd;
}

/* One packet of the agent.  False: it is gone. */
static bool hear_agent(struct keeper *keeper)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1 + KEEPER_NAME];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(keeper->agent, &msg, MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	text[n] = 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS && cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (text[0] == '+' && text[1] && fd >= 0 && !(msg.msg_flags & MSG_TRUNC))
		keep(keeper, text + 1, fd);
	else if (fd >= 0)
		close(fd);
	if (text[0] == '-')
		drop(keeper, text + 1);
	return true;
}

static int hand_out(int to, const struct kept *kept)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)kept->name, strlen(kept->name) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &kept->fd, sizeof(int));
	return sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* True: everything was handed out. */
static bool serve(struct keeper *keeper)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	bool done = false;
	int fd;

	fd = accept4(keeper->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	    peer.uid == keeper->user) {
		if (keeper->agent >= 0) {
			(void)!send(fd, KEEPER_BUSY, strlen(KEEPER_BUSY),
				    MSG_NOSIGNAL | MSG_DONTWAIT);
		} else {
			done = true;
			for (size_t i = 0; done && i < keeper->count; i++)
				done = hand_out(fd, &keeper->kept[i]) == 0;
		}
	}
	close(fd);
	return done;
}

static void run(struct keeper *keeper)
{
	struct pollfd fds[2] = { { keeper->listener, POLLIN }, { keeper->agent, POLLIN } };

	for (;;) {
		long left = keeper->agent < 0 ? keeper->deadline - now() : -1;

		if (keeper->agent < 0 && (left <= 0 || !keeper->count))
			return;
		if (poll(fds, keeper->agent < 0 ? 1 : 2, left < 0 ? -1 : (int)left * 1000) < 0 &&
		    errno != EINTR)
			return;
		/* What the agent said last counts before anybody asks. */
		if (keeper->agent >= 0 && fds[1].revents && !hear_agent(keeper)) {
			close(keeper->agent);
			keeper->agent = -1;
			keeper->deadline = now() + KEEPER_SECONDS;
			continue;
		}
		if (fds[0].revents & POLLIN && !(keeper->agent >= 0 && fds[1].revents) &&
		    serve(keeper))
			return;
	}
}

int main(int argc, char **argv)
{
	const int syscalls[] = { SCMP_SYS(accept4) };
	const struct sandbox sandbox = { .user = USER, .syscalls = syscalls, .syscall_count = 1 };
	struct keeper keeper = { .agent = AGENT_FD, .user = geteuid() };
	int r;

	log_open("tlshd-keeper", true, false);
	if (argc != 2) {
		fprintf(stderr, "usage: tlshd-keeper FOLDER\nStarted by tlshd(8).\n");
		return 2;
	}
	/* Whoever ends all that is called tlshd does not mean what it leaves. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	r = sandbox_early(AGENT_FD);
	if (r == 0)
		r = keeper.listener = listen_at(argv[1]);
	/* tlshd waits for this end, then the socket is there; it is not our parent any more. */
	if (r >= 0)
		r = fork();
	if (r > 0)
		_exit(0);
	if (r == 0)
		r = sandbox_enter(&sandbox);
	if (r < 0) {
		log_message(LOG_ERR, "cannot keep the state of sessions: %s", strerror(-r));
		return 1;
	}
	run(&keeper);
	_exit(0); /* the empty root has nothing that exit handlers look for */
}
