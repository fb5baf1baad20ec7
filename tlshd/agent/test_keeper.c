// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The real tlshd-keeper: what one tlshd gives it, the next one gets, and only that.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "keeper.h"
#include "log.h"

static char folder[] = "/tmp/tlshd-keeper-XXXXXX";

struct got {
	unsigned int count;
	char name[32];
	ino_t inode;
};

static void note(void *arg, const char *name, int fd)
{
	struct got *got = arg;
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	got->count++;
	got->inode = status.st_ino;
	snprintf(got->name, sizeof(got->name), "%s", name);
	close(fd);
}

/* Gives the keeper a memory; its inode */
static ino_t give(struct keeper *keeper, const char *name)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	keeper_add(keeper, name, fd);
	close(fd);
	return status.st_ino;
}

static void what_was_given_comes_back_once(void **state)
{
	struct keeper *keeper = NULL;
	struct got got = { 0 };
	ino_t inode;

	assert_int_equal(keeper_collect(note, &got), 0);
	assert_int_equal(keeper_start(&keeper), 0);
	give(keeper, "state-1");
	inode = give(keeper, "state-2");
	keeper_remove(keeper, "state-1");
	keeper_remove(keeper, "state-7");
	keeper_free(keeper);
	/* "Busy" until it has seen that we are gone */
	while (keeper_collect(note, &got) == -EBUSY)
		;
	assert_int_equal(got.count, 1);
	assert_string_equal(got.name, "state-2");
	assert_true(got.inode == inode);
	assert_int_equal(keeper_collect(note, &got), 0);
	assert_int_equal(got.count, 1);
}

static void nobody_gets_anything_while_its_tlshd_is_there(void **state)
{
	struct keeper *keeper = NULL;
	struct got got = { 0 };

	assert_int_equal(keeper_start(&keeper), 0);
	give(keeper, "state-1");
	assert_int_equal(keeper_collect(note, &got), -EBUSY);
	assert_int_equal(got.count, 0);
	keeper_remove(keeper, "state-1");
	keeper_free(keeper);
}

static void a_name_that_comes_again_replaces_the_first(void **state)
{
	struct keeper *keeper = NULL;
	struct got got = { 0 };
	ino_t inode = 0;

	assert_int_equal(keeper_start(&keeper), 0);
	for (int i = 0; i < 100; i++)
		inode = give(keeper, "state-1");
	keeper_free(keeper);
	while (keeper_collect(note, &got) == -EBUSY)
		;
	assert_int_equal(got.count, 1);
	assert_true(got.inode == inode);
}

/* The socket's mode keeps others out before credentials are looked at. */
static void other_users_get_nothing(void **state)
{
	struct keeper *keeper = NULL;
	struct got got = { 0 };
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(keeper_start(&keeper), 0);
	give(keeper, "state-1");
	keeper_free(keeper);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) < 0)
			_exit(2);
		(void)!keeper_collect(note, &got);
		_exit(got.count ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	while (keeper_collect(note, &got) == -EBUSY)
		;
	assert_int_equal(got.count, 1);
}

static int setup(void **state)
{
	log_open("test", true, false);
	assert_non_null(mkdtemp(folder));
	return setenv("TLSHD_RUNTIME_DIR", folder, 1);
}

static int teardown(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/keeper", folder);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_given_comes_back_once),
		cmocka_unit_test(nobody_gets_anything_while_its_tlshd_is_there),
		cmocka_unit_test(a_name_that_comes_again_replaces_the_first),
		cmocka_unit_test(other_users_get_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
