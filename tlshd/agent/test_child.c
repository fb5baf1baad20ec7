// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stands for tlshd-session and tlshd-keys in test_generation.c: does what
 * TEST_SESSION and TEST_KEYS in the environment say.
 */
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"

#define CHANNEL_FD 3

/* The memory that state would be left in; @flags as for open(). */
static int state(int flags)
{
	int fd = memfd_create("state", 0);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static void hello(uint32_t version, int state_fd)
{
	struct {
		struct channel_header header;
		uint32_t version;
	} __attribute__((packed)) packet = { { htole32(4), htole16(CHANNEL_HELLO), 0, 0 },
					     htole32(version) };
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &packet, sizeof(packet) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &state_fd, sizeof(state_fd));
	if (sendmsg(CHANNEL_FD, &msg, MSG_NOSIGNAL) != sizeof(packet))
		_exit(9);
}

static void say(uint16_t type)
{
	struct channel_header header = { 0, htole16(type), 0, 0 };

	if (send(CHANNEL_FD, &header, sizeof(header), MSG_NOSIGNAL) != sizeof(header))
		_exit(9);
}

/* Until the other side closes, which it does to end us. */
static int serve(void)
{
	char buffer[CHANNEL_MAX_PAYLOAD];

	while (recv(CHANNEL_FD, buffer, sizeof(buffer), 0) > 0)
		;
	return 0;
}

int main(int argc, char *argv[])
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *leak = getenv("TEST_LEAK");
	int is_session = strcmp(name, "tlshd-session") == 0;
	const char *what = getenv(is_session ? "TEST_SESSION" : "TEST_KEYS");

	if (argc > 1 && strcmp(argv[argc - 1], "-t") == 0) {
		fprintf(stderr, "%s: checked %s\n", name, argv[2]);
		return what && strcmp(what, "mistake") == 0;
	}
	if (!what)
		what = "serve";
	if (strcmp(what, "exit") == 0) {
		fprintf(stderr, "<3>%s: tlshd.conf:7: a mistake\n", name);
		return 3;
	}
	if (strcmp(what, "quiet exit") == 0)
		return 4;
	if (strcmp(what, "silent") == 0)
		return serve();
	if (is_session)
		hello(strcmp(what, "version") == 0 ? CHANNEL_VERSION + 1 : CHANNEL_VERSION,
		      state(strcmp(what, "open state") == 0 ? O_RDWR : O_PATH));
	if (strcmp(what, "retire") == 0)
		say(CHANNEL_RETIRE);
	if (strcmp(what, "fail at the end") == 0)
		return serve() + 1;
	if (strcmp(what, "stubborn") == 0) {
		serve();
		for (;;)
			pause();
	}
	if (strcmp(what, "garbage") == 0)
		send(CHANNEL_FD, "garbage", 7, 0);
	/* TEST_LEAK: a descriptor that we should not have inherited. */
	if (leak && write(atoi(leak), "x", 1) == 1)
		raise(SIGILL);
	if (getenv("SSLKEYLOGFILE"))
		raise(SIGILL);
	return serve();
}
