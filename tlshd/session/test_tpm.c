// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes with keys that are in a TPM (swtpm), and with one that is slow or
 * gone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../keys/test_harness.h"
#include "test_pki.h"
#include "test_rig.h"

static const char config[] = "[profile server]\n"
			     "certificate = tpm-ec.pem;tpm-rsa.pem\n"
			     "private_key = tpm-ec.tss;tpm-rsa.tss\n"
			     "[profile mutual]\n"
			     "truststore = ca.pem\n"
			     "certificate = tpm-ec.pem\n"
			     "private_key = tpm-ec.tss\n";

static struct rig rig;
static struct harness_tpm tpm;

static void make_key(const char *name, const char *kind)
{
	const char *provider = "-provider tpm2 -provider default -propquery '?provider=tpm2'";

	harness_run("openssl genpkey -quiet %s %s -out %s.tss", provider, kind, name);
	harness_run("openssl req -x509 -new %s -key %s.tss -subj /CN=%s -days 2 -out %s.pem "
		    "-addext subjectAltName=DNS:%s.test",
		    provider, name, name, name, name);
}

static int set_up(void **state)
{
	harness_enter_folder();
	pki_make();
	harness_tpm_start(&tpm, "tpm");
	make_key("tpm-ec", "-algorithm EC -pkeyopt group:P-256");
	make_key("tpm-rsa", "-algorithm RSA -pkeyopt bits:2048");
	rig_start(&rig, config);
	return 0;
}

static int tear_down(void **state)
{
	rig_stop(&rig);
	harness_tpm_kill(&tpm);
	harness_leave_folder();
	return 0;
}

static void open_server(struct connection *c, const struct peer_setup *client)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");

	connection_open(c, &rig, &options, peer_openssl(client));
}

static void open_client(struct connection *c, const char *profile, const struct peer_setup *server)
{
	struct attr_builder options = rig_options(TLS_HANDOFF_CLIENT, profile);

	attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	connection_open(c, &rig, &options, peer_openssl(server));
}

static void finish(struct connection *c)
{
	connection_run(c);
	if (c->failed)
		fail_msg("failed: %s", c->words);
	connection_exchange(c);
	connection_close(c);
}

static void a_tpm_key_of_each_kind_serves_both_versions(void **state)
{
	struct peer_setup client = { 0 };
	struct connection c;

	for (client.version = 12; client.version <= 13; client.version++) {
		client.ca = client.server_name = NULL;
		open_server(&c, &client);
		finish(&c);
		client.server_name = "tpm-ec.test";
		client.ca = "tpm-ec.pem";
		open_server(&c, &client);
		finish(&c);
		client.server_name = "tpm-rsa.test";
		client.ca = "tpm-rsa.pem";
		open_server(&c, &client);
		finish(&c);
	}
}

static void a_tpm_key_authenticates_a_client(void **state)
{
	const struct peer_setup server = { .server = true,
					   .certificate = "server.pem",
					   .key = "server.key",
					   .ca = "tpm-ec.pem",
					   .require_certificate = true };
	struct connection c;

	open_client(&c, "mutual", &server);
	finish(&c);
}

static void a_slow_tpm_holds_up_nobody_who_does_not_need_it(void **state)
{
	const struct peer_setup client = { 0 };
	const struct peer_setup server = { .server = true,
					   .certificate = "server.pem",
					   .key = "server.key" };
	struct connection waiting, c;

	harness_tpm_pause(&tpm);
	open_server(&waiting, &client);
	while (!waiting.want)
		assert_true(rig_step(&rig));
	connection_relay(&waiting);
	open_client(&c, "mutual", &server);
	finish(&c);
	assert_false(waiting.done || waiting.failed);
	harness_tpm_continue(&tpm);
	finish(&waiting);
}

/* Last: this one does not come back. */
static void a_tpm_that_is_gone_is_told_on_both_sides(void **state)
{
	const struct peer_setup client = { 0 };
	struct connection c;

	harness_tpm_kill(&tpm);
	open_server(&c, &client);
	connection_run(&c);
	assert_true(c.failed);
	assert_int_equal(c.status, EIO);
	assert_int_equal(c.alert_sent, 80);
	assert_int_equal(peer_alert(c.peer), 80);
	assert_non_null(strstr(c.words, "Private key 1 of profile \"server\""));
	connection_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tpm_key_of_each_kind_serves_both_versions),
		cmocka_unit_test(a_tpm_key_authenticates_a_client),
		cmocka_unit_test(a_slow_tpm_holds_up_nobody_who_does_not_need_it),
		cmocka_unit_test(a_tpm_that_is_gone_is_told_on_both_sides),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
