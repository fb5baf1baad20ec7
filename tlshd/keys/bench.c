// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many signatures tlshd-keys makes in a second, with keys in files and in a
 * swtpm.  Prints one JSON object a line: name, value, unit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "test_harness.h"

#define IN_FLIGHT 32 /* requests that wait at any time */

static const uint8_t digest[32] = "a digest";

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void measure(struct harness *harness, uint32_t number, uint16_t scheme, const char *name,
		    uint64_t count)
{
	struct harness_message message;
	uint64_t sent = 0, done = 0;
	double start = now();

	while (done < count) {
		while (sent < count && sent - done < IN_FLIGHT)
			harness_sign(harness, ++sent, number, 1000, scheme, KEYS_HASH_SHA256,
				     digest, sizeof(digest));
		harness_receive(harness, &message);
		assert_int_equal(message.type, KEYS_SIGNED);
		done++;
	}
	printf("{\"name\": \"keys.%s\", \"value\": %.0f, \"unit\": \"signatures/s\"}\n", name,
	       (double)count / (now() - start));
	fflush(stdout);
}

static void signatures_per_second(void **state)
{
	struct harness harness;
	struct harness_tpm tpm;

	(void)state;
	harness_enter_folder();
	harness_tpm_start(&tpm, "tpm");
	harness_run(
		"umask 077 && openssl genpkey -quiet -algorithm EC -pkeyopt group:P-256 -out ec.pem && "
		"openssl genpkey -quiet -algorithm RSA -pkeyopt bits:2048 -out rsa.pem");
	harness_run("openssl genpkey -quiet -provider tpm2 -provider default -algorithm EC "
		    "-pkeyopt group:P-256 -out ec.tss && "
		    "openssl genpkey -quiet -provider tpm2 -provider default -algorithm RSA "
		    "-pkeyopt bits:2048 -out rsa.tss");
	harness_start(&harness, "[profile default]\nprivate_key = ec.pem;rsa.pem;ec.tss;rsa.tss\n");
	assert_int_equal(harness.key_count, 4);
	measure(&harness, 0, KEYS_SCHEME_ECDSA, "file.p256", 10000);
	measure(&harness, 1, KEYS_SCHEME_RSA_PSS, "file.rsa2048", 2000);
	measure(&harness, 2, KEYS_SCHEME_ECDSA, "swtpm.p256", 4000);
	measure(&harness, 3, KEYS_SCHEME_RSA_PSS, "swtpm.rsa2048", 1000);
	assert_int_equal(harness_stop(&harness), 0);
	harness_tpm_kill(&tpm);
	harness_leave_folder();
}

int main(void)
{
	const struct CMUnitTest benchmarks[] = { cmocka_unit_test(signatures_per_second) };

	return cmocka_run_group_tests_name("keys.bench", benchmarks, NULL, NULL);
}
