// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory that state is left in, and who can open it; the form of the state.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory.h"
#include "state.h"

#define USER "nobody"

static int open_path(int path, int flags)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	fd = open(name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The agent's rights: root, and next to no capabilities */
static bool become_agent(void)
{
	const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_KILL };
	cap_t caps = cap_init();
	bool done = cap_set_flag(caps, CAP_PERMITTED, 2, kept, CAP_SET) == 0 &&
		    cap_set_proc(caps) == 0;

	cap_free(caps);
	return done;
}

static void the_agent_cannot_open_the_memory_and_a_successor_can(void **state)
{
	int fd, path, again, status;
	struct stat info;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(memory_new(USER, &fd), 0);
	assert_int_equal(memory_path(fd, &path), 0);
	assert_int_equal(fstat(path, &info), 0);
	assert_int_not_equal(info.st_uid, 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(geteuid(), 0);
	pid = fork();
	if (pid == 0) {
		if (!become_agent())
			_exit(1);
		if (open_path(path, O_RDONLY) != -EACCES || open_path(path, O_RDWR) != -EACCES)
			_exit(2);
		_exit(fchmod(path, 0666) < 0 && errno == EBADF ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(memory_open(USER, path, &again), 0);
	assert_int_equal(write(again, "x", 1), 1);
	close(again);
	close(path);
	close(fd);
}

static void files_of_others_are_not_opened(void **state)
{
	int fds[2], memory, named, path, again;

	/* root's where we are root: not of USER */
	memory = memfd_create("mine", MFD_CLOEXEC);
	assert_true(memory >= 0 && fchmod(memory, geteuid() == 0 ? 0600 : 0660) == 0);
	assert_int_equal(memory_path(memory, &path), 0);
	assert_int_equal(memory_open(USER, path, &again), -EPERM);
	close(path);
	close(memory);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(memory_open(USER, fds[0], &again), -EPERM);
	close(fds[0]);
	close(fds[1]);
	named = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	assert_int_equal(memory_open(USER, named, &again), -EPERM);
	close(named);
}

static void it_is_written_until_its_maker_ends(void **state)
{
	int fd, path, other;

	assert_int_equal(memory_new(USER, &fd), 0);
	assert_int_equal(memory_path(fd, &path), 0);
	assert_int_equal(memory_open(USER, path, &other), 0);
	assert_true(memory_is_written(other));
	/* as at its end; what the agent holds does not count */
	close(fd);
	assert_false(memory_is_written(other));
	close(path);
	close(other);
}

struct taken {
	size_t count;
	uint16_t types[8];
	size_t lengths[8];
};

static void take(void *arg, uint16_t type, const uint8_t *payload, size_t length)
{
	struct taken *taken = arg;

	assert_true(taken->count < 8);
	for (size_t i = 0; i < length; i++)
		assert_int_equal(payload[i], 'x');
	taken->types[taken->count] = type;
	taken->lengths[taken->count++] = length;
}

static void what_was_put_is_read_in_order(void **state)
{
	static uint8_t xs[STATE_MAX_PAYLOAD + 1];
	const struct state_part parts[] = { { xs, 3 }, { NULL, 0 }, { xs, STATE_MAX_PAYLOAD - 3 } };
	struct state_writer *writer;
	struct taken taken = { 0 };
	const char *why = NULL;
	uint8_t *data;
	size_t length;
	int fd;

	memset(xs, 'x', sizeof(xs));
	assert_int_equal(memory_new(USER, &fd), 0);
	assert_int_equal(state_writer_new(fd, &writer), 0);
	state_put(writer, STATE_STEK, xs, 10);
	state_put_parts(writer, STATE_SESSION, parts, 3);
	state_put(writer, STATE_TICKET, NULL, 0);
	/* nothing counts before the end */
	assert_int_equal(memory_load(fd, STATE_MAX_LENGTH, &data, &length), 0);
	assert_int_equal(state_read(data, length, take, &taken, &why), -EPROTO);
	assert_non_null(why);
	memory_unload(data, length);
	assert_int_equal(state_writer_finish(writer), 0);
	assert_int_equal(memory_load(fd, STATE_MAX_LENGTH, &data, &length), 0);
	assert_int_equal(state_read(data, length, take, &taken, &why), 0);
	assert_int_equal(taken.count, 3);
	assert_int_equal(taken.types[0], STATE_STEK);
	assert_int_equal(taken.lengths[1], STATE_MAX_PAYLOAD);
	assert_int_equal(taken.lengths[2], 0);
	/* cut anywhere, nothing is given out */
	taken.count = 0;
	for (size_t cut = 0; cut < length; cut += cut < 64 || cut > length - 64 ? 1 : 1000)
		assert_int_equal(state_read(data, cut, take, &taken, &why), -EPROTO);
	assert_int_equal(taken.count, 0);
	memory_unload(data, length);
	assert_int_equal(memory_load(fd, length - 1, &data, &length), -EFBIG);
	close(fd);
}

static void one_record_too_long_spoils_everything(void **state)
{
	static const uint8_t zeros[STATE_MAX_PAYLOAD + 1];
	struct state_writer *writer;
	struct stat info;
	int fd;

	assert_int_equal(memory_new(USER, &fd), 0);
	assert_int_equal(state_writer_new(fd, &writer), 0);
	state_put(writer, STATE_SESSION, zeros, 10);
	state_put(writer, STATE_SESSION, zeros, sizeof(zeros));
	state_put(writer, STATE_SESSION, zeros, 10);
	assert_int_equal(state_writer_finish(writer), -EMSGSIZE);
	assert_int_equal(fstat(fd, &info), 0);
	assert_int_equal(info.st_size, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_agent_cannot_open_the_memory_and_a_successor_can),
		cmocka_unit_test(files_of_others_are_not_opened),
		cmocka_unit_test(it_is_written_until_its_maker_ends),
		cmocka_unit_test(what_was_put_is_read_in_order),
		cmocka_unit_test(one_record_too_long_spoils_everything),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
