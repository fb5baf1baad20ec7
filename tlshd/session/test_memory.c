// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an established connection costs in the session handler.  The number of
 * connections is the first argument, by default 5,000.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_looker.h"
#include "test_rig.h"

#define GOOD_BYTES 256	/* what it comes to once the handshakes' memory is given back */
#define PATIENCE   100	/* looks of 100 ms */
#define MAX_BYTES  1024 /* promised for each connection */

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n";

static size_t count = 5000;

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

	looker_start();
	rig_enter_folder();
	rig_start(&rig, config);
	establish(&rig, 1, false);
	before = looker_memory(rig.session);
	if (!before) {
		rig_stop(&rig);
		rig_leave_folder();
		skip();
	}
	for (size_t i = 0; i < count; i += at_once)
		establish(&rig, at_once, true);
	/* it cleans up when it has nothing else to do */
	for (int i = 0; i < PATIENCE; i++) {
		after = looker_memory(rig.session);
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
