// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memories that session handlers leave: what the service manager is told, and
 * what comes back from it or through execv().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "statestore.h"

static int manager = -1; /* NOTIFY_SOCKET's other end */

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct statestore *store;
	char name[64];

	snprintf(name, sizeof(name), "@test-statestore-%d", getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address,
			      offsetof(struct sockaddr_un, sun_path) + strlen(name)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(statestore_new(&store), 0);
	*state = store;
	return 0;
}

static int teardown(void **state)
{
	statestore_free(*state);
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

/* The manager got @text; returns the descriptor that came with it, or -1. */
static int expect_told(const char *text)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control;
	char buffer[256];
	struct iovec iov = { buffer, sizeof(buffer) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(manager, &msg, MSG_DONTWAIT);
	int fd = -1;

	assert_true(n > 0);
	buffer[n] = '\0';
	assert_string_equal(buffer, text);
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static void expect_told_nothing(void)
{
	char byte;

	assert_int_equal(recv(manager, &byte, 1, MSG_DONTWAIT), -1);
}

/* The manager's queue is short, and whoever tells it something waits. */
static void hear_all(void)
{
	char byte;

	while (recv(manager, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

static int memory(ino_t *ret_inode)
{
	int fd = memfd_create("state", 0), path_fd;
	struct stat status;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(path_fd >= 0);
	close(fd);
	assert_int_equal(fstat(path_fd, &status), 0);
	*ret_inode = status.st_ino;
	return path_fd;
}

static ino_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

static void the_manager_keeps_a_copy_until_it_is_of_no_use(void **state)
{
	struct statestore *store = *state;
	ino_t inode;
	int fd;

	statestore_add(store, statestore_next(store), memory(&inode));
	fd = expect_told("FDSTORE=1\nFDNAME=state-1\nFDPOLL=0");
	assert_int_equal(inode_of(fd), inode);
	close(fd);
	assert_true(statestore_left(store, 1));
	assert_true(statestore_has_left(store));
	expect_told_nothing();
	statestore_drop_left(store);
	expect_told("FDSTOREREMOVE=1\nFDNAME=state-1");
	assert_false(statestore_has_left(store));
	assert_false(statestore_left(store, 1));
	expect_told_nothing();
}

static void only_what_was_left_is_dropped(void **state)
{
	struct statestore *store = *state;
	int fds[4], i;
	ino_t inodes[3];

	for (i = 0; i < 3; i++)
		statestore_add(store, statestore_next(store), memory(&inodes[i]));
	statestore_left(store, 1);
	statestore_drop(store, 2);
	statestore_drop_left(store);
	assert_int_equal(statestore_list(store, fds, 4), 1);
	assert_int_equal(inode_of(fds[0]), inodes[2]);
}

static void the_newest_ones_are_listed(void **state)
{
	struct statestore *store = *state;
	ino_t inodes[20];
	int fds[4], i;

	for (i = 0; i < 20; i++) {
		statestore_add(store, statestore_next(store), memory(&inodes[i]));
		hear_all();
	}
	assert_int_equal(statestore_list(store, fds, 4), 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(inode_of(fds[i]), inodes[16 + i]);
}

static void what_is_passed_on_is_found_again(void **state)
{
	struct statestore *store = *state, *next;
	ino_t inodes[2];
	int fds[4], status;
	pid_t child;

	statestore_add(store, 7, memory(&inodes[0]));
	statestore_add(store, 9, memory(&inodes[1]));
	child = fork();
	if (child == 0) {
		/* As execv() would find it: no other descriptor, and the environment. */
		if (statestore_pass_on(store) || statestore_new(&next))
			_exit(1);
		if (statestore_list(next, fds, 4) != 2 || inode_of(fds[0]) != inodes[0] ||
		    inode_of(fds[1]) != inodes[1])
			_exit(2);
		if (!statestore_has_left(next) || statestore_next(next) != 10)
			_exit(3);
		if (!(fcntl(fds[0], F_GETFD) & FD_CLOEXEC) || fcntl(5, F_GETFD) >= 0 ||
		    getenv("LISTEN_FDS"))
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The socket that kernel consumers find */
static void what_is_held_outlives_the_agent_too(void **state)
{
	struct statestore *store = *state, *next;
	int held, fd, status;
	ino_t inode, kept;
	pid_t child;

	assert_int_equal(statestore_take_held(store), -1);
	held = memory(&inode);
	statestore_hold(store, held);
	close(held);
	expect_told("FDSTOREREMOVE=1\nFDNAME=handshake");
	fd = expect_told("FDSTORE=1\nFDNAME=handshake\nFDPOLL=0");
	assert_int_equal(inode_of(fd), inode);
	close(fd);
	statestore_add(store, 7, memory(&kept));
	child = fork();
	if (child == 0) {
		int fds[4];

		if (statestore_pass_on(store) || statestore_new(&next))
			_exit(1);
		if (statestore_list(next, fds, 4) != 1 || inode_of(fds[0]) != kept)
			_exit(2);
		if (inode_of(statestore_take_held(next)) != inode ||
		    statestore_take_held(next) != -1)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void descriptors_with_other_names_are_closed(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct statestore *store;
		char pid[16];
		int fds[4], i;
		ino_t inode;

		for (i = 3; i < 8; i++)
			if (dup2(memory(&inode), i) != i)
				_exit(1);
		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "5", 1);
		setenv("LISTEN_FDNAMES", "stored:state-4:state-:state-04x:state-0", 1);
		if (statestore_new(&store) || statestore_list(store, fds, 4) != 1 || fds[0] != 4)
			_exit(2);
		if (fcntl(3, F_GETFD) >= 0 || fcntl(5, F_GETFD) >= 0 || fcntl(7, F_GETFD) >= 0)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define store_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(the_manager_keeps_a_copy_until_it_is_of_no_use),
		store_test(only_what_was_left_is_dropped),
		store_test(the_newest_ones_are_listed),
		store_test(what_is_passed_on_is_found_again),
		store_test(what_is_held_outlives_the_agent_too),
		store_test(descriptors_with_other_names_are_closed),
	};

	log_open("test", true, true);
	return cmocka_run_group_tests_name("statestore", tests, NULL, NULL);
}
