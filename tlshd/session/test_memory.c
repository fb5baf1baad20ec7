// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an established connection costs in the session handler.  The number of
 * connections is the first argument, by default 5,000.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_rig.h"

#define WARM_UP	  100  /* connections before the first look */
#define MAX_BYTES 1024 /* promised for each connection */

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n";

static size_t count = 5000;

/* Private memory of a process, in bytes */
static size_t read_memory(pid_t pid)
{
	char path[64], line[256];
	size_t kib = 0, n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Clean: %zu", &n) == 1 ||
		    sscanf(line, "Private_Dirty: %zu", &n) == 1)
			kib += n;
	fclose(file);
	return kib * 1024;
}

/* The handler is not dumpable: only somebody who stayed root can look at it. */
static int looker[2];

static void start_looker(void)
{
	int request[2], answer[2];
	size_t bytes;
	pid_t pid;

	assert_int_equal(pipe2(request, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	if (fork() == 0) {
		close(request[1]);
		while (read(request[0], &pid, sizeof(pid)) == sizeof(pid)) {
			bytes = read_memory(pid);
			if (write(answer[1], &bytes, sizeof(bytes)) != sizeof(bytes))
				break;
		}
		_exit(0);
	}
	close(request[0]);
	close(answer[1]);
	looker[0] = answer[0];
	looker[1] = request[1];
}

static size_t memory_of(pid_t pid)
{
	size_t bytes;

	assert_int_equal(write(looker[1], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(read(looker[0], &bytes, sizeof(bytes)), sizeof(bytes));
	return bytes;
}

static void establish(struct rig *rig, bool keep)
{
	const struct peer_setup client = { 0 };
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");
	struct connection c;

	connection_open(&c, rig, &options, peer_openssl(&client));
	connection_run(&c);
	assert_true(c.done);
	if (!keep) {
		connection_close(&c);
		return;
	}
	memset(rig->connections, 0, sizeof(rig->connections));
	peer_free(c.peer);
}

static void an_established_connection_costs_at_most_a_kibibyte(void **state)
{
	size_t before, after;
	struct rig rig;

	start_looker();
	rig_enter_folder();
	rig_start(&rig, config);
	for (size_t i = 0; i < WARM_UP; i++)
		establish(&rig, false);
	before = memory_of(rig.session);
	if (!before) {
		rig_stop(&rig);
		rig_leave_folder();
		skip();
	}
	for (size_t i = 0; i < count; i++)
		establish(&rig, true);
	after = memory_of(rig.session);
	printf("# %zu connections: %zu KiB before, %zu KiB after, %zu bytes each\n", count,
	       before / 1024, after / 1024, (after - before) / count);
	assert_true(after - before <= count * MAX_BYTES);
	rig_stop(&rig);
	rig_leave_folder();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_established_connection_costs_at_most_a_kibibyte),
	};

	if (argc > 1)
		count = strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
