// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What 10,000 established connections, with their tickets in, cost the session handler
 * in each role: memory of each, and processor time of all while nothing happens.  Needs
 * TLSHD_SESSION and TLSHD_KEYS.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "figure.h"
#include "native.h"

#define CONNECTIONS  10000
#define FIRST_LOOK   1000 /* connections: the pools are filled then */
#define IDLE_SECONDS 5

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "[profile client]\n"
			     "truststore = ca.pem\n";

static void measure_idle(const char *role, pid_t pid)
{
	unsigned long long switches = native_context_switches(pid);
	double time = native_processor_time(pid);

	poll(NULL, 0, IDLE_SECONDS * 1000);
	time = native_processor_time(pid) - time;
	switches = native_context_switches(pid) - switches;
	figure((double)switches, "context_switches", "idle.session_handler.%s.wakeups_at_%d", role,
	       CONNECTIONS);
	figure(time / IDLE_SECONDS * 1e6, "microseconds/second",
	       "idle.session_handler.%s.processor_time_at_%d", role, CONNECTIONS);
}

/* Each client connection is to another server: nothing is shared, and the tickets that are kept
 * are as many as can be. */
static void measure(const char *role, bool client)
{
	static struct batch batch;
	size_t before, first = 0, after;
	struct rig rig;

	fprintf(stderr, "bench: %d connections in the session handler, %s\n", CONNECTIONS, role);
	rig_start(&rig, config);
	batch = (struct batch){
		.rig = &rig,
		.role = client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER,
		.keep = true,
		.party = party_new(client, client ? "server.pem" : NULL,
				   client ? "server.key" : NULL, NULL),
	};
	before = native_settled_memory(rig.session);
	for (unsigned int made = 0; made < CONNECTIONS; made += BATCH_SIZE) {
		if (made == FIRST_LOOK)
			first = native_settled_memory(rig.session);
		batch.first_remote = made;
		batch_run(&batch);
		batch_forget_sessions(&batch);
	}
	after = native_settled_memory(rig.session);
	measure_idle(role, rig.session);
	party_free(batch.party);
	rig_stop(&rig);
	printf("session handler, %s: %zu KiB before, %zu KiB with %d connections, %zu KiB with %d\n",
	       role, before / 1024, first / 1024, FIRST_LOOK, after / 1024, CONNECTIONS);
	figure(((double)after - (double)before) / CONNECTIONS, "bytes",
	       "memory.session_handler.%s.at_%d", role, CONNECTIONS);
	if (!client)
		figure(((double)after - (double)first) / (CONNECTIONS - FIRST_LOOK), "bytes",
		       "memory.session_handler_per_connection");
}

static void established_connections_in_both_roles(void **state)
{
	measure("server", false);
	measure("client", true);
}

int main(void)
{
	const struct CMUnitTest parts[] = {
		cmocka_unit_test(established_connections_in_both_roles),
	};

	return cmocka_run_group_tests(parts, native_set_up, native_tear_down);
}
