// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resumption across successors of the session handler: what a restart leaves as it
 * was, and what another configuration ends.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_pki.h"
#include "test_resume.h"

#define HOUR 3600

#define PROFILE(more)                \
	"[profile p]\n"              \
	"truststore = trust\n"       \
	"certificate = server.pem\n" \
	"private_key = server.key\n" \
	"client_cert = request\n"    \
	"resume_tls12 = yes\n" more

static const char config[] = PROFILE("");
static const char with_list[] = PROFILE("crl = crl.pem\n");
static const char other_name[] = "[profile q]\n"
				 "truststore = trust\n";

static void trust(const char *files)
{
	char command[128];

	snprintf(command, sizeof(command), "cat %s > trust", files);
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	rig_enter_folder();
	rig_use_clock();
	trust("ca.pem");
	rig_start(&rig, config);
	return 0;
}

/* Each test has a session handler, and successors, of its own. */
static void begin(void)
{
	rig_stop(&rig);
	trust("ca.pem");
	rig_start(&rig, config);
}

static void succeed(const char *text)
{
	rig_end_session(&rig);
	rig_start_successor(&rig, text);
	rig_restore(&rig);
}

static void expect_refused(const struct resume_test *test, uint32_t verify, int alert)
{
	struct connection c;

	resume_try(test, &c);
	assert_true(c.failed);
	assert_int_equal(c.status, EKEYREJECTED);
	assert_int_equal(c.verify, verify);
	assert_int_equal(c.alert_sent, alert);
	connection_close(&c);
}

/* Both roles against both kinds of peers; @certificate is the peer's. */
static void in_both_roles(const char *certificate, const char *key,
			  void (*body)(struct resume_test *test, struct peer_setup *setup))
{
	for (size_t i = 0; i < 2 * PEERS; i++) {
		uint32_t role = i & 1 ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER;
		struct peer_setup setup = resume_peer(role, 0);
		struct resume_test test = { role, "p", peers[i / 2], &setup };

		setup.certificate = certificate;
		setup.key = key;
		begin();
		body(&test, &setup);
		peer_memory_free(setup.memory);
	}
}

static void goes_on(struct resume_test *test, struct peer_setup *setup)
{
	const char *resumed = test->role == TLS_HANDOFF_CLIENT ? "ResumedAsClient" :
								 "ResumedAsServer";

	for (setup->version = 12; setup->version <= 13; setup->version++) {
		resume_expect(test, false);
		succeed(NULL);
		resume_expect(test, true);
	}
	assert_int_equal(counted(resumed), 2);
}

static void tickets_are_resumed_by_a_successor(void **state)
{
	in_both_roles("hour.pem", "hour.key", goes_on);
}

static void other_trust(struct resume_test *test, struct peer_setup *setup)
{
	struct connection c;

	resume_expect(test, false);
	trust("ca.pem rogue-ca.pem");
	succeed(NULL);
	resume_expect(test, false);
	resume_expect(test, true);
	trust("rogue-ca.pem");
	succeed(NULL);
	resume_try(test, &c);
	/* a client may find that it has no certificate for this authority, and is only asked */
	assert_true(c.failed || (test->role == TLS_HANDOFF_SERVER && !c.resumed));
	assert_int_equal(c.verify, c.failed ? TLS_HANDOFF_VERIFY_UNTRUSTED : 0);
	assert_string_equal(c.identity, "");
	connection_close(&c);
}

static void nothing_is_resumed_after_the_trust_store_changed(void **state)
{
	in_both_roles("hour.pem", "hour.key", other_trust);
}

static void revoked(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	resume_expect(test, true);
	succeed(with_list);
	expect_refused(test, TLS_HANDOFF_VERIFY_REVOKED, 44);
}

static void nobody_resumes_whose_certificate_was_revoked_since(void **state)
{
	in_both_roles("revoked.pem", "revoked.key", revoked);
}

static void gone(struct resume_test *test, struct peer_setup *setup)
{
	resume_expect(test, false);
	succeed(other_name);
	assert_int_equal(counted("TicketKeys"), 0);
	succeed(config);
	if (test->role == TLS_HANDOFF_SERVER)
		resume_expect(test, false);
}

static void keys_of_a_profile_that_is_gone_resume_nothing_later(void **state)
{
	in_both_roles("hour.pem", "hour.key", gone);
}

static void keys_and_tickets_for_resumption_end_on_time_in_a_successor(void **state)
{
	struct peer_setup client = resume_peer(TLS_HANDOFF_SERVER, 0);
	struct peer_setup server = resume_peer(TLS_HANDOFF_CLIENT, 0);
	struct resume_test as_server = { TLS_HANDOFF_SERVER, "p", peer_openssl, &client };
	struct resume_test as_client = { TLS_HANDOFF_CLIENT, "p", peer_openssl, &server };

	begin();
	resume_expect(&as_server, false);
	resume_expect(&as_client, false);
	rig_pass(HOUR - 10);
	succeed(NULL);
	assert_int_equal(counted("TicketKeys"), 1);
	assert_true(counted("TicketsKept") > 0);
	rig_pass(20);
	rig_count_becomes(&rig, "TicketsKept", 0);
	assert_int_equal(counted("TicketKeys"), 1);
	rig_pass(HOUR);
	rig_count_becomes(&rig, "TicketKeys", 0);
	peer_memory_free(client.memory);
	peer_memory_free(server.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tickets_are_resumed_by_a_successor),
		cmocka_unit_test(nothing_is_resumed_after_the_trust_store_changed),
		cmocka_unit_test(nobody_resumes_whose_certificate_was_revoked_since),
		cmocka_unit_test(keys_of_a_profile_that_is_gone_resume_nothing_later),
		cmocka_unit_test(keys_and_tickets_for_resumption_end_on_time_in_a_successor),
	};

	return cmocka_run_group_tests_name("resumption_reload", tests, set_up, fixture_tear_down);
}
