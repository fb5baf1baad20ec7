// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes per second, full against resumed, in both roles, with a P-256 key in a
 * software TPM and in one that takes 50 ms for a signature as real ones do.  A process
 * between key holder and TPM counts the signatures.  Needs TLSHD_SESSION and TLSHD_KEYS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "figure.h"
#include "native.h"
#include "tpm_proxy.h"

#define MIN_SECONDS 2.0 /* one rate is measured for at least so long */
#define SLOW_TPM    50	/* milliseconds for a signature */

/* As a client the handed-off side shows the TPM's certificate: a full handshake needs one
 * signature in either role. */
static const char config[] = "[profile server]\n"
			     "truststore = ca.pem\n"
			     "certificate = p256-tpm.pem\n"
			     "private_key = p256.tss\n"
			     "resume = %s\n"
			     "[profile client]\n"
			     "truststore = ca.pem\n"
			     "certificate = p256-tpm.pem\n"
			     "private_key = p256.tss\n"
			     "resume = %s\n";

static void measure(const char *role, bool resume, const char *tpm)
{
	const char *words = resume ? "resumed" : "full";
	static struct batch batch;
	bool client = *role;
	unsigned int done = 0, resumed = 0;
	unsigned long signatures;
	double start, spent, session, keys;
	char text[512];
	struct rig rig;

	fprintf(stderr, "bench: handshakes.%s%s.%s\n", role, words, tpm);
	snprintf(text, sizeof(text), config, resume ? "yes" : "no", resume ? "yes" : "no");
	rig_start(&rig, text);
	batch = (struct batch){
		.rig = &rig,
		.role = client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER,
		.first_remote = 1000,
		.party = party_new(client, client ? "server.pem" : NULL,
				   client ? "server.key" : NULL, client ? "p256-tpm.pem" : NULL),
	};
	/* fills the pools and gets the first tickets */
	batch_run(&batch);
	session = native_processor_time(rig.session);
	keys = native_processor_time(rig.keys);
	signatures = tpm_proxy_signatures();
	start = native_now();
	do {
		batch_run(&batch);
		done += BATCH_SIZE;
		resumed += batch.resumed;
		spent = native_now() - start;
	} while (spent < MIN_SECONDS);
	session = native_processor_time(rig.session) - session;
	keys = native_processor_time(rig.keys) - keys;
	signatures = tpm_proxy_signatures() - signatures;
	batch_forget_sessions(&batch);
	party_free(batch.party);
	rig_stop(&rig);
	if (resumed != (resume ? done : 0))
		fail_msg("of %u connections %u were resumed", done, resumed);
	figure(done / spent, "1/s", "handshakes.%s%s.%s", role, words, tpm);
	figure((double)signatures / done, "signatures/handshake",
	       "handshakes.%s%s.%s.tpm_signatures", role, words, tpm);
	figure(session / done * 1e6, "microseconds", "handshakes.%s%s.%s.session_handler_time",
	       role, words, tpm);
	figure(keys / done * 1e6, "microseconds", "handshakes.%s%s.%s.key_holder_time", role, words,
	       tpm);
}

static void full_against_resumed(void **state)
{
	static const char *const roles[] = { "", "client." };

	native_tpm_start();
	native_tpm_key("p256", "-algorithm EC -pkeyopt group:P-256");
	tpm_proxy_start();
	for (size_t i = 0; i < 4; i++) {
		tpm_proxy_delay(0);
		measure(roles[i / 2], i % 2, "swtpm");
		tpm_proxy_delay(SLOW_TPM);
		measure(roles[i / 2], i % 2, "tpm_50ms");
	}
	tpm_proxy_stop();
	native_tpm_stop();
}

int main(void)
{
	const struct CMUnitTest parts[] = { cmocka_unit_test(full_against_resumed) };

	return cmocka_run_group_tests(parts, native_set_up, native_tear_down);
}
