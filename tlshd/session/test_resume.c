// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections for resumption, see test_resume.h.
 */
#include "test_resume.h"

struct peer_setup resume_peer(uint32_t role, int version)
{
	struct peer_setup setup = peer_for(role, version);

	setup.memory = peer_memory_new();
	if (!setup.server)
		setup.server_name = "localhost";
	return setup;
}

void resume_with_peers(uint32_t role, const char *profile,
		       void (*body)(struct resume_test *test, struct peer_setup *setup))
{
	for (size_t i = 0; i < PEERS; i++) {
		struct peer_setup setup = resume_peer(role, 0);
		struct resume_test test = { role, profile, peers[i], &setup };

		fixture_forget(NULL);
		body(&test, &setup);
		peer_memory_free(setup.memory);
	}
}

void resume_try(const struct resume_test *test, struct connection *c)
{
	struct attr_builder options = { 0 };

	attr_put_u32(&options, CHANNEL_A_ROLE, test->role);
	attr_put_string(&options, CHANNEL_A_PROFILE, test->profile);
	attr_put_u32(&options, CHANNEL_A_UID, test->uid ? test->uid : 1000);
	if (test->role == TLS_HANDOFF_CLIENT)
		attr_put_string(&options, CHANNEL_A_PEER_NAME,
				test->peer_name ? test->peer_name : "localhost");
	attr_put_string(&options, CHANNEL_A_REMOTE, test->remote ? test->remote : "192.0.2.1:443");
	if (test->more)
		test->more(&options);
	connection_open(c, &rig, &options, test->make(test->setup));
	connection_run(c);
}

void resume_connect(const struct resume_test *test, struct connection *c)
{
	resume_try(test, c);
	if (c->failed)
		fail_msg("%s", c->words);
}

void resume_close(const struct resume_test *test, struct connection *c)
{
	connection_exchange(c);
	if (test->role == TLS_HANDOFF_SERVER)
		peer_remember(c->peer);
	connection_close(c);
}

void resume_expect(const struct resume_test *test, bool resumed)
{
	struct connection c;

	resume_connect(test, &c);
	assert_int_equal(c.resumed, resumed);
	assert_int_equal(peer_resumed(c.peer), resumed);
	resume_close(test, &c);
}

void resume_expect_again(const struct resume_test *test, bool resumed)
{
	struct connection c;

	resume_connect(test, &c);
	assert_int_equal(c.resumed, resumed);
	connection_close(&c);
}

void resume_never(struct attr_builder *options)
{
	attr_put_u32(options, CHANNEL_A_RESUME, 0);
}
