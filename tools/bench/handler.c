// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Full handshakes per second in the session handler and the key holder, natively, with
 * keys in files and in a TPM.  This program is the agent, and the clients, which are
 * OpenSSL; it needs TLSHD_SESSION and TLSHD_KEYS, paths of the two daemons.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "figure.h"
#include "native.h"

#define MIN_SECONDS 2.0 /* one rate is measured for at least so long */

static void rate(const char *name, const char *certificate, const char *key, bool mutual)
{
	static struct batch batch;
	struct rig rig;
	unsigned int done = 0;
	double start, spent, session, keys;
	char config[256];

	snprintf(config, sizeof(config),
		 "[profile server]\ntruststore = ca.pem\ncertificate = %s\nprivate_key = %s\n"
		 "resume = no\n%s",
		 certificate, key, mutual ? "client_cert = require\n" : "");
	fprintf(stderr, "bench: %s\n", name);
	rig_start(&rig, config);
	batch = (struct batch){
		.rig = &rig,
		.role = TLS_HANDOFF_SERVER,
		.party = party_new(false, mutual ? "client.pem" : NULL,
				   mutual ? "client.key" : NULL, NULL),
	};
	batch_run(&batch);
	session = native_processor_time(rig.session);
	keys = native_processor_time(rig.keys);
	start = native_now();
	do {
		batch_run(&batch);
		done += BATCH_SIZE;
		spent = native_now() - start;
	} while (spent < MIN_SECONDS);
	session = native_processor_time(rig.session) - session;
	keys = native_processor_time(rig.keys) - keys;
	assert_int_equal(batch.resumed, 0);
	batch_forget_sessions(&batch);
	party_free(batch.party);
	rig_stop(&rig);
	figure(done / spent, "handshakes/second", "%s.per_second", name);
	figure(session / done * 1e6, "microseconds", "%s.session_handler_time", name);
	figure(keys / done * 1e6, "microseconds", "%s.key_holder_time", name);
}

static void full_handshakes(void **state)
{
	rate("handshake.full.p256.software", "server.pem", "server.key", false);
	rate("handshake.full.rsa2048.software", "rsa.pem", "rsa.key", false);
	rate("handshake.mutual.p256.software", "server.pem", "server.key", true);
	native_tpm_start();
	native_tpm_key("p256", "-algorithm EC -pkeyopt group:P-256");
	native_tpm_key("rsa2048", "-algorithm RSA -pkeyopt bits:2048");
	rate("handshake.full.p256.swtpm", "p256-tpm.pem", "p256.tss", false);
	rate("handshake.full.rsa2048.swtpm", "rsa2048-tpm.pem", "rsa2048.tss", false);
	rate("handshake.mutual.p256.swtpm", "p256-tpm.pem", "p256.tss", true);
	native_tpm_stop();
}

int main(void)
{
	const struct CMUnitTest parts[] = { cmocka_unit_test(full_handshakes) };

	return cmocka_run_group_tests(parts, native_set_up, native_tear_down);
}
