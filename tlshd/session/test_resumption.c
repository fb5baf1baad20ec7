// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resumption that works: both roles, both kinds of peers, every cipher, and what
 * becomes of a ticket afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test_pki.h"
#include "test_resume.h"

static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "resume_tls12 = yes\n"
			     "[profile client]\n"
			     "truststore = ca.pem\n"
			     "certificate = client.pem\n"
			     "private_key = client.key\n"
			     "resume_tls12 = yes\n"
			     "[profile mutual]\n"
			     "truststore = ca.pem\n"
			     "certificate = server.pem\n"
			     "private_key = server.key\n"
			     "client_cert = require\n"
			     "resume_tls12 = yes\n";

/* One handshake with data behind it; the signatures of ours that it took */
static unsigned int once(struct resume_test *test, bool resumed, const struct suite *suite)
{
	unsigned int before = rig_log_count(&rig, " signed ");
	struct connection c;

	resume_connect(test, &c);
	assert_int_equal(c.resumed, resumed);
	assert_int_equal(peer_resumed(c.peer), resumed);
	assert_int_equal(c.cipher, suite->cipher);
	assert_int_equal(c.version, suite->version == 13 ? TLS_1_3_VERSION : TLS_1_2_VERSION);
	resume_close(test, &c);
	return rig_log_count(&rig, " signed ") - before;
}

static void run_suites(uint32_t role, const char *profile, make_peer make, bool openssl)
{
	struct peer_setup setup = { .server = role == TLS_HANDOFF_CLIENT,
				    .ca = "ca.pem",
				    .server_name = "localhost" };
	struct resume_test test = { role, profile, make, &setup };

	setup.certificate = role == TLS_HANDOFF_CLIENT ? "server.pem" : "client.pem";
	setup.key = role == TLS_HANDOFF_CLIENT ? "server.key" : "client.key";
	for (size_t i = 0; i < SUITES; i++) {
		setup.memory = peer_memory_new();
		setup.version = suites[i].version;
		setup.ciphers = openssl ? suites[i].openssl : suites[i].gnutls;
		test.remote = suites[i].openssl; /* a peer of its own each time */
		assert_int_equal(once(&test, false, &suites[i]), 1);
		assert_int_equal(once(&test, true, &suites[i]), 0);
		peer_memory_free(setup.memory);
	}
}

static void a_client_resumes_with_openssl_without_its_key(void **state)
{
	run_suites(TLS_HANDOFF_CLIENT, "client", peer_openssl, true);
}

static void a_client_resumes_with_gnutls_without_its_key(void **state)
{
	run_suites(TLS_HANDOFF_CLIENT, "client", peer_gnutls, false);
}

static void a_server_resumes_with_openssl_without_its_key(void **state)
{
	run_suites(TLS_HANDOFF_SERVER, "server", peer_openssl, true);
	run_suites(TLS_HANDOFF_SERVER, "mutual", peer_openssl, true);
}

static void a_server_resumes_with_gnutls_without_its_key(void **state)
{
	run_suites(TLS_HANDOFF_SERVER, "server", peer_gnutls, false);
	run_suites(TLS_HANDOFF_SERVER, "mutual", peer_gnutls, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_resumes_with_openssl_without_its_key),
		cmocka_unit_test(a_client_resumes_with_gnutls_without_its_key),
		cmocka_unit_test(a_server_resumes_with_openssl_without_its_key),
		cmocka_unit_test(a_server_resumes_with_gnutls_without_its_key),
	};

	return cmocka_run_group_tests_name("resumption", tests, fixture_set_up(config),
					   fixture_tear_down);
}
