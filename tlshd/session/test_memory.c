// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an established connection costs in the session handler.  The number of
 * connections is the first argument, by default 5,000.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_rig.h"

#define WARM_UP	   100	/* connections before the first look */
#define GOOD_BYTES 256	/* what it comes to once the handshakes' memory is given back */
#define PATIENCE   100	/* looks of 100 ms */
#define MAX_BYTES  1024 /* promised for each connection */

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

/* @number connections at the same time, which the agent then forgets or keeps. */
static void establish(struct rig *rig, size_t number, bool keep)
{
	static struct connection connections[RIG_MAX_CONNECTIONS];
	const struct peer_setup client = { 0 };
	size_t open = number;
	bool moved;

	for (size_t i = 0; i < number; i++) {
		struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");

		connection_open(&connections[i], rig, &options, peer_openssl(&client));
	}
	while (open) {
		moved = false;
		open = 0;
		for (size_t i = 0; i < number; i++) {
			if (connections[i].done)
				continue;
			assert_false(connections[i].failed);
			open++;
			moved |= connection_relay(&connections[i]);
		}
		if (open && !moved)
			assert_true(rig_step(rig));
	}
	for (size_t i = 0; i < number; i++) {
		if (keep)
			peer_free(connections[i].peer);
		else
			connection_close(&connections[i]);
	}
	memset(rig->connections, 0, sizeof(rig->connections));
}

static void an_established_connection_costs_at_most_a_kibibyte(void **state)
{
	const size_t at_once = 50;
	size_t before, after;
	struct rig rig;

	start_looker();
	rig_enter_folder();
	rig_start(&rig, config);
	establish(&rig, 1, false);
	before = memory_of(rig.session);
	if (!before) {
		rig_stop(&rig);
		rig_leave_folder();
		skip();
	}
	for (size_t i = 0; i < count; i += at_once)
		establish(&rig, at_once, true);
	/* it cleans up when it has nothing else to do */
	for (int i = 0; i < PATIENCE; i++) {
		after = memory_of(rig.session);
		if (after - before <= count * GOOD_BYTES)
			break;
		poll(NULL, 0, 100);
	}
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
