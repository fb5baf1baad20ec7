// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an established connection costs in the session handler.  The number of
 * connections is the first argument, by default 2,000 as server and 5,000 as
 * client, where the tickets, of which there are at most so many, come on top.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "awaiting.h"
#include "test_fixture.h"
#include "test_looker.h"
#include "tickets.h"

#define GOOD_BYTES 256	 /* what it comes to once the handshakes' memory is given back */
#define PATIENCE   10000 /* ms until then, before what it comes to is judged */
#define MAX_BYTES  1024	 /* promised for each connection */

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n";

static size_t wanted; /* 0: the default */

static void open_one(uint32_t role, struct connection *c)
{
	struct attr_builder options = rig_options(role, "server");
	struct peer_setup setup = peer_for(role, 0);
	char remote[32];

	/* a peer of its own, so that nothing is resumed and every ticket is kept that can be */
	snprintf(remote, sizeof(remote), "192.0.2.1:%llu", (unsigned long long)rig.last_id);
	attr_put_string(&options, CHANNEL_A_REMOTE, remote);
	if (role == TLS_HANDOFF_CLIENT)
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	else
		setup.server_name = "localhost";
	connection_open(c, &rig, &options, peer_openssl(&setup));
}

/* @number connections at the same time, which the agent then forgets or keeps. */
static void open_many(uint32_t role, size_t number, bool keep)
{
	static struct connection connections[RIG_MAX_CONNECTIONS];
	size_t open = number;
	bool moved;

	for (size_t i = 0; i < number; i++)
		open_one(role, &connections[i]);
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
			assert_true(rig_step(&rig));
	}
	for (size_t i = 0; i < number; i++) {
		/* a client's tickets */
		connection_exchange(&connections[i]);
		if (keep)
			peer_free(connections[i].peer);
		else
			connection_close(&connections[i]);
	}
	memset(rig.connections, 0, sizeof(rig.connections));
}

static void measure(uint32_t role, size_t count)
{
	const size_t at_once = 50, good = count * GOOD_BYTES +
					  (role == TLS_HANDOFF_CLIENT ? TICKETS_MAX_BYTES / 2 : 0);
	size_t before, after;
	int64_t end;

	rig_start(&rig, config);
	open_many(role, 1, false);
	before = looker_memory(rig.session);
	if (!before) {
		rig_stop(&rig);
		skip();
	}
	for (size_t i = 0; i < count; i += at_once)
		open_many(role, at_once, true);
	/* it cleans up when it has had nothing else to do for a while */
	rig_pass(AWAITING_MAX_SECONDS + 1);
	rig_count_becomes(&rig, "SessionsAwaiting", 0);
	rig_pass(2);
	end = rig_milliseconds() + PATIENCE;
	do {
		counted("SessionsAwaiting");
		after = looker_memory(rig.session);
	} while (after - before > good && rig_milliseconds() < end);
	assert_int_equal(counted("SessionsAwaiting"), 0);
	printf("# %zu connections as %s, %llu tickets kept: %zu KiB before, %zu KiB after, %zu bytes each\n",
	       count, role == TLS_HANDOFF_CLIENT ? "client" : "server",
	       rig_count(&rig, "TicketsKept"), before / 1024, after / 1024,
	       (after - before) / count);
	assert_true(after - before <= count * MAX_BYTES);
	rig_stop(&rig);
}

static int set_up(void **state)
{
	looker_start();
	rig_enter_folder();
	rig_use_clock();
	return 0;
}

static int tear_down(void **state)
{
	rig_leave_folder();
	return 0;
}

static void an_established_connection_of_a_server_costs_at_most_a_kibibyte(void **state)
{
	measure(TLS_HANDOFF_SERVER, wanted ? wanted : 2000);
}

static void
an_established_connection_of_a_client_costs_at_most_a_kibibyte_with_its_tickets_for_resumption(
	void **state)
{
	measure(TLS_HANDOFF_CLIENT, wanted ? wanted : 5000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_established_connection_of_a_server_costs_at_most_a_kibibyte),
		cmocka_unit_test(
			an_established_connection_of_a_client_costs_at_most_a_kibibyte_with_its_tickets_for_resumption),
	};

	if (argc > 1)
		wanted = strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
