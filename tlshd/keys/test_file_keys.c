// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key holder with keys and PSKs in plain files.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_harness.h"

#define CONFIG                                                                      \
	"[profile default]\n"                                                       \
	"private_key = p256.pem;p384.pem;rsa.pem\n"                                 \
	"psk = first:psk;NVMe1R01 nqn.2014-08.org:host nqn.2014-08.org:disk:psk2\n" \
	"[profile other]\n"                                                         \
	"private_key = rsa.pem;sec1.pem;pkcs1.pem\n"

static int setup(void **state)
{
	(void)state;
	harness_enter_folder();
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm EC -pkeyopt group:P-256 -out p256.pem");
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm EC -pkeyopt group:P-384 -out p384.pem");
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm RSA -pkeyopt bits:2048 -out rsa.pem");
	harness_run("umask 077; openssl ec -in p256.pem -out sec1.pem 2>/dev/null");
	harness_run("umask 077; openssl rsa -traditional -in rsa.pem -out pkcs1.pem 2>/dev/null");
	harness_write("psk", "00112233445566778899aabbccddeeff\n", 33);
	harness_write("psk2", "  FFeeddccbbaa99887766554433221100FFeeddccbbaa99887766554433221100",
		      66);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_leave_folder();
	return 0;
}

static void announces_every_key_with_its_place(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	assert_int_equal(harness.key_count, 6);
	assert_string_equal(harness.keys[0].announce.profile, "default");
	assert_int_equal(harness.keys[0].announce.kind, KEYS_KIND_EC_P256);
	assert_int_equal(harness.keys[1].announce.kind, KEYS_KIND_EC_P384);
	assert_int_equal(harness.keys[1].announce.index, 1);
	assert_int_equal(harness.keys[2].announce.kind, KEYS_KIND_RSA);
	assert_int_equal(harness.keys[2].announce.bits, 2048);
	assert_string_equal(harness.keys[3].announce.profile, "other");
	assert_int_equal(harness.keys[3].announce.index, 0);
	assert_int_equal(harness.keys[4].spki_len, harness.keys[0].spki_len);
	assert_memory_equal(harness.keys[4].spki, harness.keys[0].spki, harness.keys[0].spki_len);
	assert_int_equal(harness.psk_count, 2);
	assert_string_equal(harness.psks[0].identity, "first");
	assert_string_equal(harness.psks[1].identity,
			    "NVMe1R01 nqn.2014-08.org:host nqn.2014-08.org:disk");
	assert_int_equal(harness_stop(&harness), 0);
}

static void signs_with_every_key_scheme_and_hash(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	for (unsigned int hash = KEYS_HASH_SHA256; hash <= KEYS_HASH_SHA512; hash++) {
		harness_sign_and_verify(&harness, 0, KEYS_SCHEME_ECDSA, hash);
		harness_sign_and_verify(&harness, 1, KEYS_SCHEME_ECDSA, hash);
		harness_sign_and_verify(&harness, 2, KEYS_SCHEME_RSA_PSS, hash);
		harness_sign_and_verify(&harness, 2, KEYS_SCHEME_RSA_PKCS1, hash);
		harness_sign_and_verify(&harness, 4, KEYS_SCHEME_ECDSA, hash);
		harness_sign_and_verify(&harness, 5, KEYS_SCHEME_RSA_PSS, hash);
	}
	assert_int_equal(harness_stop(&harness), 0);
}

static void gives_out_psks(void **state)
{
	static const uint8_t first[] = {
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
		0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	};
	struct harness_message message;
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	harness_unseal(&harness, 7, 0, 1000);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SECRET);
	assert_int_equal(message.id, 7);
	assert_int_equal(message.length, sizeof(first));
	assert_memory_equal(message.payload, first, sizeof(first));
	harness_unseal(&harness, 8, 1, 1000);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SECRET);
	assert_int_equal(message.length, 32);
	assert_int_equal(message.payload[0], 0xff);
	harness_unseal(&harness, 9, 2, 1000);
	harness_expect_error(&harness, 9, ENOKEY, "no PSK 2");
	assert_int_equal(harness_stop(&harness), 0);
}

static void every_use_is_logged_and_no_secret(void **state)
{
	struct harness_message message;
	struct harness harness;
	const uint8_t digest[32] = "0123456789abcdef0123456789abcdef";

	(void)state;
	harness_start(&harness, CONFIG);
	harness_sign(&harness, 5, 0, 4711, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SIGNED);
	harness_unseal(&harness, 6, 0, 4712);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SECRET);
	assert_int_equal(harness_stop(&harness), 0);
	assert_true(harness_logged(
		&harness,
		"key 0 (file) signed ecdsa sha256, profile default, user 4711, session 1000005"));
	assert_true(harness_logged(&harness, "PSK 0 (file) given out, profile default, user 4712"));
	assert_false(harness_logged(&harness, "00112233"));
	assert_false(harness_logged(&harness, "0123456789abcdef"));
}

static void wrong_requests_get_an_error_and_the_next_is_served(void **state)
{
	struct harness harness;
	uint8_t digest[512] = { 0 };

	(void)state;
	harness_start(&harness, CONFIG);
	harness_sign(&harness, 1, 99, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 1, ENOKEY, "no key 99");
	harness_sign(&harness, 2, UINT32_MAX, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 2, ENOKEY, "no key 4294967295");
	harness_sign(&harness, 3, 0, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 31);
	harness_expect_error(&harness, 3, EINVAL, "31 bytes");
	harness_sign(&harness, 4, 0, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 0);
	harness_expect_error(&harness, 4, EINVAL, "0 bytes");
	harness_sign(&harness, 5, 0, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 512);
	harness_expect_error(&harness, 5, EINVAL, "512 bytes");
	harness_sign(&harness, 6, 0, 0, KEYS_SCHEME_RSA_PSS, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 6, EINVAL, "does not sign with scheme 2");
	harness_sign(&harness, 7, 2, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 7, EINVAL, "does not sign with scheme 1");
	harness_sign(&harness, 8, 0, 0, 77, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 8, EINVAL, "scheme 77");
	harness_sign(&harness, 9, 0, 0, KEYS_SCHEME_ECDSA, 9, digest, 32);
	harness_expect_error(&harness, 9, EINVAL, "no hash 9");
	harness_send(&harness, KEYS_CANCEL, 1234, NULL, 0, NULL, 0);
	harness_sign_and_verify(&harness, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256);
	assert_int_equal(harness_stop(&harness), 0);
}

static void ends(uint16_t type, uint64_t id, size_t length)
{
	static const uint8_t payload[2048];
	struct harness harness;

	harness_start(&harness, CONFIG);
	harness_send(&harness, type, id, payload, length, NULL, 0);
	assert_int_equal(harness_wait(&harness), 1);
	assert_true(harness_logged(&harness, "broke the protocol"));
}

static void broken_protocol_ends_it(void **state)
{
	(void)state;
	ends(KEYS_SIGN, 1, sizeof(struct keys_sign) - 1);
	ends(KEYS_SIGN, 1, sizeof(struct keys_sign) + KEYS_MAX_INPUT + 1);
	ends(KEYS_SIGN, 0, sizeof(struct keys_sign) + 32);
	ends(KEYS_UNSEAL, 1, 7);
	ends(KEYS_UNSEAL, 1, 9);
	ends(KEYS_CANCEL, 1, 1);
	ends(KEYS_UNSEAL_KERNEL, 1, sizeof(struct keys_unseal_kernel) - 1);
	ends(KEYS_UNSEAL_KERNEL, 1, sizeof(struct keys_unseal_kernel)); /* neither of the two */
	ends(KEYS_UNSEAL_KERNEL, 0, sizeof(struct keys_unseal_kernel) + 1);
	ends(KEYS_UNSEAL_KERNEL, 1,
	     sizeof(struct keys_unseal_kernel) + KEYS_MAX_KERNEL_IDENTITY + 1);
	ends(KEYS_OPEN_KERNEL, 1, sizeof(struct keys_open_kernel) - 1);
	ends(KEYS_OPEN_KERNEL, 1, sizeof(struct keys_open_kernel) + 1);
	ends(KEYS_OPEN_KERNEL, 0, sizeof(struct keys_open_kernel));
	ends(KEYS_CLOSE_KERNEL, 0, 3);
	ends(KEYS_CLOSE_KERNEL, 1, 4);
	ends(KEYS_CLOSE_KERNEL, 0, 4); /* none is open */
	ends(KEYS_KERNEL_SECRET, 1, 0);
	ends(KEYS_OPENED, 1, 0);
	ends(KEYS_READY, 0, 0);
	ends(0, 0, 0);
	ends(0xffff, 1, 0);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Fields that are right often enough to come far, from a fixed seed. */
static void send_random(struct harness *harness, uint32_t *seed)
{
	uint8_t payload[1024];
	struct keys_sign sign = {
		.number = htole32(next_random(seed) % 8),
		.uid = htole32(next_random(seed) % 3),
		.scheme = htole16((uint16_t)(next_random(seed) % 5)),
		.hash = htole16((uint16_t)(next_random(seed) % 5)),
	};
	static const size_t lengths[] = { 32, 32, 48, 64, 0, 1, 8, 100, 512 };
	uint16_t type = (uint16_t)(next_random(seed) % 10 ? KEYS_SIGN : next_random(seed) % 16);
	size_t length = lengths[next_random(seed) % 9];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)next_random(seed);
	if (type == KEYS_SIGN)
		harness_send(harness, type, next_random(seed) % 1000, &sign, sizeof(sign), payload,
			     length);
	else if (type == KEYS_UNSEAL_KERNEL)
		harness_unseal_kernel(harness, next_random(seed) % 1000, next_random(seed) % 2,
				      next_random(seed) % 3, next_random(seed) % 2 ? "x" : NULL);
	else if (type == KEYS_OPEN_KERNEL)
		harness_open_kernel(harness, next_random(seed) % 1000, next_random(seed),
				    next_random(seed));
	else
		harness_send(harness, type, next_random(seed) % 1000, payload,
			     next_random(seed) % 32, NULL, 0);
}

static void nonsense_is_answered_or_ends_it_but_never_crashes_it(void **state)
{
	uint32_t seed = 1;
	int ended = 0;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct harness harness;

		harness_start(&harness, CONFIG);
		for (int i = 0; i < 200 && harness_alive(&harness); i++)
			send_random(&harness, &seed);
		/* It reads the rest and then the end, unless something before that ends it. */
		harness_drain(&harness);
		switch (harness_wait(&harness)) {
		case 0:
			break;
		case 1:
			ended++;
			break;
		default:
			fail_msg("round %d killed it", round);
		}
	}
	assert_true(ended > 0);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
	char output[1024];

	(void)state;
	harness_run(
		"cp p256.pem open.pem && chmod 640 open.pem && cp psk open.psk && chmod 604 open.psk");
	assert_int_equal(harness_check("[profile default]\n\nprivate_key = p256.pem;open.pem\n"
				       "psk = id:open.psk\n",
				       output, sizeof(output)),
			 1);
	assert_non_null(strstr(output, "tlshd.conf:3: private_key \"open.pem\" holds a secret"));
	assert_non_null(strstr(output, "tlshd.conf:4: psk \"id:open.psk\" holds a secret"));
	assert_non_null(strstr(output, "(mode 0640): chmod 600"));
}

static void bad_files_are_named_and_the_rest_is_served(void **state)
{
	static const char config[] =
		"[profile default]\n"
		"private_key = missing.pem;p256.pem;garbage;pkcs11:token=x;.;ed25519.pem;small.pem;p521.pem;encrypted.pem\n"
		"psk = x;:psk;a:;short:short;long:long;odd:odd;nohex:nohex;good:psk;good:psk\n";
	struct harness harness;
	char output[8192];

	(void)state;
	harness_write("garbage", "garbage", 7);
	harness_write("short", "00112233445566778899aabbccddee", 30);
	harness_run("umask 077; head -c 130 /dev/zero | tr '\\0' a >long");
	harness_write("odd", "00112233445566778899aabbccddeeff0", 33);
	harness_write("nohex", "00112233445566778899aabbccddeefg", 32);
	harness_run("umask 077; openssl genpkey -quiet -algorithm ED25519 -out ed25519.pem");
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm RSA -pkeyopt bits:1024 -out small.pem");
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm EC -pkeyopt group:P-521 -out p521.pem");
	harness_run(
		"umask 077; openssl pkcs8 -topk8 -in p256.pem -passout pass:x -out encrypted.pem");

	assert_int_equal(harness_check(config, output, sizeof(output)), 1);
	assert_non_null(
		strstr(output, ":2: private_key \"missing.pem\" cannot be opened: No such file"));
	assert_non_null(strstr(output, ":2: private_key \"garbage\" is not a PEM private key"));
	assert_non_null(strstr(output, ":2: private_key \"pkcs11:token=x\" needs PKCS#11"));
	assert_non_null(strstr(output, ":2: private_key \".\" is not a regular file"));
	assert_non_null(strstr(output, ":2: private_key \"ed25519.pem\" is a key of kind EdDSA"));
	assert_non_null(strstr(output, ":2: private_key \"small.pem\" is an RSA key of 1024 bits"));
	assert_non_null(strstr(output, ":2: private_key \"p521.pem\" is on another curve"));
	assert_non_null(strstr(output, ":2: private_key \"encrypted.pem\" is encrypted"));
	assert_non_null(strstr(output, ":3: psk \"x\" is not of the form IDENTITY:FILE"));
	assert_non_null(strstr(output, ":3: psk \":psk\" is not of the form"));
	assert_non_null(strstr(output, ":3: psk \"a:\" is not of the form"));
	assert_non_null(strstr(output, ":3: psk \"short:short\" has 15 bytes"));
	assert_non_null(strstr(output, ":3: psk \"long:long\" has more than 64 bytes"));
	assert_non_null(strstr(output, ":3: psk \"odd:odd\" has an odd number"));
	assert_non_null(strstr(output, ":3: psk \"nohex:nohex\" is not a PSK"));
	assert_non_null(strstr(output, ":3: psk \"good:psk\" gives an identity"));

	harness_start(&harness, config);
	assert_int_equal(harness.key_count, 1);
	assert_int_equal(harness.keys[0].announce.index, 1);
	assert_int_equal(harness.psk_count, 1);
	harness_sign_and_verify(&harness, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256);
	assert_int_equal(harness_stop(&harness), 0);
	assert_true(harness_logged(&harness, "tlshd.conf:2: private_key \"missing.pem\""));
}

static void a_good_configuration_passes_the_check(void **state)
{
	char output[1024];

	(void)state;
	assert_int_equal(harness_check(CONFIG, output, sizeof(output)), 0);
	assert_string_equal(output, "");
	assert_int_equal(harness_check("[profile default]\nbad line\n", output, sizeof(output)), 1);
	assert_non_null(strstr(output, "tlshd.conf:2: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(announces_every_key_with_its_place, harness_teardown),
		cmocka_unit_test_teardown(signs_with_every_key_scheme_and_hash, harness_teardown),
		cmocka_unit_test_teardown(gives_out_psks, harness_teardown),
		cmocka_unit_test_teardown(every_use_is_logged_and_no_secret, harness_teardown),
		cmocka_unit_test_teardown(wrong_requests_get_an_error_and_the_next_is_served,
					  harness_teardown),
		cmocka_unit_test_teardown(broken_protocol_ends_it, harness_teardown),
		cmocka_unit_test_teardown(nonsense_is_answered_or_ends_it_but_never_crashes_it,
					  harness_teardown),
		cmocka_unit_test_teardown(a_file_that_others_may_read_is_refused, harness_teardown),
		cmocka_unit_test_teardown(bad_files_are_named_and_the_rest_is_served,
					  harness_teardown),
		cmocka_unit_test_teardown(a_good_configuration_passes_the_check, harness_teardown),
	};

	return cmocka_run_group_tests_name("keys.file", tests, setup, teardown);
}
