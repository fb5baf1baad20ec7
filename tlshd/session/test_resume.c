// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections for resumption, see test_resume.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_resume.h"

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
	connection_open(c, test->rig, &options, test->make(test->setup));
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
