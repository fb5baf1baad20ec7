// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a room cannot do any more once it is in its sandbox.  Each test looks at a
 * child process from outside.  Namespaces and the change of user need root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <seccomp.h>

#include "sandbox.h"

#define GOOD	   0
#define BAD	   77
#define NO_SANDBOX 78
#define NOBODY	   65534

static const struct sandbox sandbox = { .user = "nobody" };

/* Exit status of @attempt in a sandboxed child, or 128 + the signal that ended it. */
static int in_sandbox(int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int ret = sandbox_early(STDERR_FILENO);

		if (ret == 0)
			ret = sandbox_enter(&sandbox);
		if (ret < 0) {
			fprintf(stderr, "# sandbox: %s\n", strerror(-ret));
			_exit(NO_SANDBOX);
		}
		_exit(attempt());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int do_work(void)
{
	char byte;
	void *memory = malloc(4 << 20);
	int fds[2] = { STDERR_FILENO, STDERR_FILENO };

	if (!memory)
		return BAD;
	memset(memory, 1, 4 << 20);
	free(memory);
	(void)fds;
	return getentropy(&byte, 1) == 0 ? GOOD : BAD;
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? GOOD : BAD;
}

static int run_program(void)
{
	execl("/bin/true", "true", NULL);
	return GOOD;
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED ?
		       GOOD :
		       BAD;
}

static int open_file(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT ? GOOD : BAD;
}

static int trace_itself(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? GOOD : BAD;
}

static int abort_itself(void)
{
	abort();
}

static int look_at_user(void)
{
	return geteuid() != 0 && getuid() != 0 && getegid() != 0 ? GOOD : BAD;
}

static void a_room_can_still_do_its_work(void **state)
{
	assert_int_equal(in_sandbox(do_work), GOOD);
}

static void a_socket_ends_the_process(void **state)
{
	assert_int_equal(in_sandbox(open_socket), 128 + SIGSYS);
}

static void executing_a_program_ends_the_process(void **state)
{
	assert_int_equal(in_sandbox(run_program), 128 + SIGSYS);
}

static void new_code_ends_the_process(void **state)
{
	assert_int_equal(in_sandbox(map_code), 128 + SIGSYS);
}

static void becoming_dumpable_again_ends_the_process(void **state)
{
	assert_int_equal(in_sandbox(trace_itself), 128 + SIGSYS);
}

static void files_are_not_there(void **state)
{
	assert_int_equal(in_sandbox(open_file), GOOD);
}

static void abort_is_seen_as_abort(void **state)
{
	assert_int_equal(in_sandbox(abort_itself), 128 + SIGABRT);
}

static void root_becomes_the_rooms_user(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_sandbox(look_at_user), GOOD);
}

/* The kernel's view of a child that entered and waits. */
static void root_keeps_no_capability_and_no_file_system(void **state)
{
	char path[64], line[256], expected[] = "CapPrm:\t0000000000000000\n";
	bool seen = false, bounded = false, unprivileged = false;
	struct stat ours, theirs;
	int pipes[2], status;
	FILE *file;
	pid_t pid;
	char byte;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		/* The write end is where the test reads the end of file of a failed child. */
		if (dup2(pipes[1], 3) < 0 || sandbox_early(3) < 0 || sandbox_enter(&sandbox) < 0)
			_exit(NO_SANDBOX);
		if (write(3, "x", 1) != 1)
			_exit(BAD);
		for (;;)
			poll(NULL, 0, -1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		seen |= strcmp(line, expected) == 0;
		bounded |= strcmp(line, "CapBnd:\t0000000000000000\n") == 0;
		unprivileged |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
	}
	fclose(file);
	for (const char *const *name = (const char *const[]){ "net", "mnt", "ipc", NULL }; *name;
	     name++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, *name);
		assert_int_equal(stat(path, &theirs), 0);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", *name);
		assert_int_equal(stat(path, &ours), 0);
		assert_int_not_equal(ours.st_ino, theirs.st_ino);
	}
	snprintf(path, sizeof(path), "/proc/%d/root/etc", pid);
	assert_int_equal(stat(path, &theirs), -1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(seen);
	assert_true(bounded);
	assert_true(unprivileged);
}

static int core_limit(void)
{
	struct rlimit limit;

	/* Before the filter: it does not allow the question. */
	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? GOOD : BAD;
}

static void early_closes_files_and_forbids_cores(void **state)
{
	int status, extra = dup(0);
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_early(STDERR_FILENO) < 0)
			_exit(NO_SANDBOX);
		if (fcntl(extra, F_GETFD) >= 0)
			_exit(BAD);
		_exit(core_limit());
	}
	close(extra);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

/* A key that this process possesses, or -1 where there are no keyrings. */
static long make_key(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		return -1;
	return syscall(SYS_add_key, "user", "sandbox", "secret", 6, KEY_SPEC_SESSION_KEYRING);
}

static long read_key(long key)
{
	char secret[6];

	return syscall(SYS_keyctl, KEYCTL_READ, key, secret, sizeof(secret));
}

static void who_leaves_the_keyrings_possesses_their_keys_no_more(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		long key = make_key();

		if (key < 0)
			_exit(NO_SANDBOX);
		if (read_key(key) != 6)
			_exit(BAD);
		if (geteuid() == 0 && setuid(NOBODY) < 0)
			_exit(BAD);
		if (read_key(key) != 6 || sandbox_leave_keyrings() < 0)
			_exit(BAD);
		_exit(read_key(key) < 0 ? GOOD : BAD);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static const struct sandbox_operation describe_only = { SCMP_SYS(keyctl), KEYCTL_DESCRIBE };

static int keyctl_in_sandbox(int operation)
{
	const struct sandbox keys = {
		.user = "nobody",
		.operations = &describe_only,
		.operation_count = 1,
	};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_early(STDERR_FILENO) < 0 || sandbox_enter(&keys) < 0)
			_exit(NO_SANDBOX);
		/* there is no such key */
		_exit(syscall(SYS_keyctl, operation, INT32_MAX, NULL, 0) < 0 ? GOOD : BAD);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void one_operation_of_a_call_is_allowed_and_the_others_end_the_process(void **state)
{
	assert_int_equal(keyctl_in_sandbox(KEYCTL_DESCRIBE), GOOD);
	assert_int_equal(keyctl_in_sandbox(KEYCTL_READ), 128 + SIGSYS);
	assert_int_equal(keyctl_in_sandbox(KEYCTL_SEARCH), 128 + SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_room_can_still_do_its_work),
		cmocka_unit_test(a_socket_ends_the_process),
		cmocka_unit_test(executing_a_program_ends_the_process),
		cmocka_unit_test(new_code_ends_the_process),
		cmocka_unit_test(becoming_dumpable_again_ends_the_process),
		cmocka_unit_test(files_are_not_there),
		cmocka_unit_test(abort_is_seen_as_abort),
		cmocka_unit_test(root_becomes_the_rooms_user),
		cmocka_unit_test(root_keeps_no_capability_and_no_file_system),
		cmocka_unit_test(early_closes_files_and_forbids_cores),
		cmocka_unit_test(who_leaves_the_keyrings_possesses_their_keys_no_more),
		cmocka_unit_test(one_operation_of_a_call_is_allowed_and_the_others_end_the_process),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
