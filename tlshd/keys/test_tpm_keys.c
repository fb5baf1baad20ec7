// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key holder with keys in a TPM: a real swtpm, and keys made by programs of others.
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

#define CONFIG	"[profile default]\nprivate_key = p256.tss;rsa.tss;p384.tss\n"
#define OPENSSL "openssl genpkey -quiet -provider tpm2 -provider default "

static struct harness_tpm tpm;
static const uint8_t digest[64] = "a digest";

static int setup(void **state)
{
	(void)state;
	harness_enter_folder();
	harness_tpm_start(&tpm, "tpm");
	harness_run(OPENSSL "-algorithm EC -pkeyopt group:P-256 -out p256.tss");
	harness_run(OPENSSL "-algorithm EC -pkeyopt group:P-384 -out p384.tss");
	harness_run(OPENSSL "-algorithm RSA -pkeyopt bits:2048 -out rsa.tss");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_tpm_kill(&tpm);
	harness_leave_folder();
	return 0;
}

static void sign_all(struct harness *harness)
{
	for (unsigned int hash = KEYS_HASH_SHA256; hash <= KEYS_HASH_SHA512; hash++) {
		for (uint32_t i = 0; i < harness->key_count; i++) {
			if (harness->keys[i].announce.kind != KEYS_KIND_RSA) {
				harness_sign_and_verify(harness, i, KEYS_SCHEME_ECDSA, hash);
				continue;
			}
			harness_sign_and_verify(harness, i, KEYS_SCHEME_RSA_PSS, hash);
			harness_sign_and_verify(harness, i, KEYS_SCHEME_RSA_PKCS1, hash);
		}
	}
}

static void keys_of_the_openssl_provider_sign_with_every_scheme_and_hash(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	assert_int_equal(harness.key_count, 3);
	assert_int_equal(harness.keys[0].announce.kind, KEYS_KIND_EC_P256);
	assert_int_equal(harness.keys[1].announce.kind, KEYS_KIND_RSA);
	assert_int_equal(harness.keys[1].announce.bits, 2048);
	assert_int_equal(harness.keys[2].announce.kind, KEYS_KIND_EC_P384);
	sign_all(&harness);
	assert_int_equal(harness_stop(&harness), 0);
	assert_true(harness_logged(&harness, "key 0 (tpm) signed ecdsa sha256, profile default"));
}

/* r and s begin with a zero byte in one of 256 signatures, and with a set bit in half. */
static void ecdsa_signatures_of_all_lengths_are_right(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	for (int i = 0; i < 600; i++)
		harness_sign_and_verify(&harness, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256);
	assert_int_equal(harness_stop(&harness), 0);
}

static void more_keys_than_the_tpm_has_places_sign_in_turn(void **state)
{
	struct harness harness;

	(void)state;
	for (int i = 0; i < 5; i++)
		harness_run(OPENSSL "-algorithm EC -pkeyopt group:P-256 -out many%d.tss", i);
	harness_start(&harness, "[profile default]\nprivate_key = many0.tss;many1.tss;many2.tss;"
				"many3.tss;many4.tss;rsa.tss\n");
	assert_int_equal(harness.key_count, 6);
	for (int i = 0; i < 3; i++)
		sign_all(&harness);
	assert_int_equal(harness_stop(&harness), 0);
	/* Nothing stays behind: the next one finds all places free. */
	harness_run("test -z \"$(tpm2_getcap handles-transient)\"");
}

static void keys_of_tpm2_tools_sign(void **state)
{
	struct harness harness;

	(void)state;
	harness_run("tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		    "tpm2_create -Q -C primary.ctx -G ecc256 -u key.pub -r key.priv && "
		    "tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o tools-ecc.tss && "
		    "tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_run("tpm2_createprimary -Q -C o -G rsa -c primary.ctx && "
		    "tpm2_create -Q -C primary.ctx -G rsa2048 -u key.pub -r key.priv && "
		    "tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o tools-rsa.tss && "
		    "tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_run(
		"tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		"tpm2_evictcontrol -Q -C o -c primary.ctx 0x81000001 && tpm2_flushcontext -t && tpm2_flushcontext -l && "
		"tpm2_create -Q -C 0x81000001 -G ecc256:ecdsa-sha256:null -u key.pub -r key.priv "
		"-a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth' && "
		"tpm2_encodeobject -C 0x81000001 -u key.pub -r key.priv -o tools-parent.tss && "
		"tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_start(
		&harness,
		"[profile default]\nprivate_key = tools-ecc.tss;tools-rsa.tss;tools-parent.tss\n");
	assert_int_equal(harness.key_count, 3);
	sign_all(&harness);
	assert_int_equal(harness_stop(&harness), 0);
}

static void a_persistent_handle_signs(void **state)
{
	struct harness harness;

	(void)state;
	harness_run(
		"tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		"tpm2_create -Q -C primary.ctx -G rsa2048 -c key.ctx && tpm2_flushcontext -t && tpm2_flushcontext -l && "
		"tpm2_evictcontrol -Q -C o -c key.ctx 0x81000005 && tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_start(&harness, "[profile default]\nprivate_key = tpm2:0x81000005\n");
	assert_int_equal(harness.key_count, 1);
	assert_int_equal(harness.keys[0].announce.kind, KEYS_KIND_RSA);
	sign_all(&harness);
	assert_int_equal(harness_stop(&harness), 0);
}

static void a_sealed_psk_is_given_out(void **state)
{
	struct harness_message message;
	struct harness harness;

	(void)state;
	/* tpm2_encodeobject writes the type of a key: the last arc of its OID tells. */
	harness_run(
		"printf 0123456789abcdefXYZ | (tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		"tpm2_create -Q -C primary.ctx -i - -u key.pub -r key.priv) && "
		"tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o key.tss && "
		"tpm2_flushcontext -t && tpm2_flushcontext -l && "
		"grep -v -e ----- key.tss | base64 -d | xxd -p -c0 | "
		"sed 's/0606678105 *0a0103/06066781050a0105/' | xxd -r -p >key.der && "
		"(echo '-----BEGIN TSS2 PRIVATE KEY-----'; base64 key.der; "
		"echo '-----END TSS2 PRIVATE KEY-----') >sealed.psk");
	harness_start(&harness, "[profile default]\npsk = id:sealed.psk\n");
	assert_int_equal(harness.psk_count, 1);
	harness_unseal(&harness, 1, 0, 0);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SECRET);
	assert_int_equal(message.length, 19);
	assert_memory_equal(message.payload, "0123456789abcdefXYZ", 19);
	assert_int_equal(harness_stop(&harness), 0);
	assert_false(harness_logged(&harness, "0123456789"));
}

static void a_flood_of_one_user_costs_another_one_signature(void **state)
{
	struct harness_message message;
	struct harness harness;
	int place = -1;

	(void)state;
	harness_start(&harness, CONFIG);
	/* The TPM holds its breath while all of them queue up. */
	harness_tpm_pause(&tpm);
	for (uint64_t id = 1; id <= 100; id++)
		harness_sign(&harness, id, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest,
			     32);
	harness_sign(&harness, 1001, 0, 2000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_sign(&harness, 1002, 0, 3000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	/* Answered at once: all before it has been taken in. */
	harness_sign(&harness, 1003, 99, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 1003, ENOKEY, "no key 99");
	harness_tpm_continue(&tpm);
	for (int i = 0; i < 102; i++) {
		harness_receive(&harness, &message);
		assert_int_equal(message.type, KEYS_SIGNED);
		if (message.id == 1001)
			place = i;
	}
	assert_int_equal(place, 1);
	assert_int_equal(harness_stop(&harness), 0);
}

static void one_user_can_wait_for_so_many_signatures_only(void **state)
{
	struct harness_message message;
	struct harness harness;
	int refused;

	(void)state;
	harness_start(&harness, CONFIG);
	harness_tpm_pause(&tpm);
	for (uint64_t id = 1; id <= 1200; id++)
		harness_sign(&harness, id, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest,
			     32);
	harness_sign(&harness, 2000, 0, 2000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	for (refused = 0; refused < 175; refused++)
		harness_expect_error(&harness, 0, EAGAIN,
				     "user 1000 waits for too many signatures");
	harness_tpm_continue(&tpm);
	/* 1024 wait, and one may have been taken to be signed before that. */
	for (int i = 0; i < 1026; i++) {
		harness_receive(&harness, &message);
		if (message.type != KEYS_SIGNED && message.id != 2000)
			refused++;
	}
	assert_in_range(refused, 175, 176);
	assert_int_equal(harness_stop(&harness), 0);
}

static void a_cancelled_request_gets_no_answer(void **state)
{
	struct harness_message message;
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	harness_tpm_pause(&tpm);
	for (uint64_t id = 1; id <= 4; id++)
		harness_sign(&harness, id, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest,
			     32);
	/* 1 is with the TPM already, 3 waits. */
	harness_send(&harness, KEYS_CANCEL, 1, NULL, 0, NULL, 0);
	harness_send(&harness, KEYS_CANCEL, 3, NULL, 0, NULL, 0);
	harness_send(&harness, KEYS_CANCEL, 3, NULL, 0, NULL, 0);
	harness_sign(&harness, 5, 99, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 5, ENOKEY, "no key 99");
	harness_tpm_continue(&tpm);
	harness_receive(&harness, &message);
	assert_int_equal(message.id, 2);
	harness_receive(&harness, &message);
	assert_int_equal(message.id, 4);
	assert_int_equal(harness_stop(&harness), 0);
}

static void software_keys_do_not_wait_for_the_tpm(void **state)
{
	struct harness_message message;
	struct harness harness;

	(void)state;
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm EC -pkeyopt group:P-256 -out soft.pem");
	harness_start(&harness, "[profile default]\nprivate_key = p256.tss;soft.pem\n");
	harness_tpm_pause(&tpm);
	harness_sign(&harness, 1, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_sign(&harness, 2, 1, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_receive(&harness, &message);
	assert_int_equal(message.type, KEYS_SIGNED);
	assert_int_equal(message.id, 2);
	harness_tpm_continue(&tpm);
	harness_receive(&harness, &message);
	assert_int_equal(message.id, 1);
	assert_int_equal(harness_stop(&harness), 0);
}

static void an_id_in_use_is_not_taken_again(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	harness_tpm_pause(&tpm);
	harness_sign(&harness, 1, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_sign(&harness, 2, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_sign(&harness, 2, 0, 1000, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_tpm_continue(&tpm);
	assert_int_equal(harness_wait(&harness), 1);
	assert_true(harness_logged(&harness, "broke the protocol"));
}

static void a_tpm_that_vanishes_fails_every_request_with_words(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, CONFIG);
	harness_tpm_pause(&tpm);
	for (uint64_t id = 1; id <= 20; id++)
		harness_sign(&harness, id, (uint32_t)(id % 3), 1000,
			     id % 3 == 1 ? KEYS_SCHEME_RSA_PSS : KEYS_SCHEME_ECDSA,
			     KEYS_HASH_SHA256, digest, 32);
	harness_tpm_kill(&tpm);
	for (uint64_t id = 1; id <= 20; id++)
		harness_expect_error(&harness, id, EIO,
				     "does not answer: it closed the connection; "
				     "reload tlshd when it is back");
	harness_sign(&harness, 21, 0, 0, KEYS_SCHEME_ECDSA, KEYS_HASH_SHA256, digest, 32);
	harness_expect_error(&harness, 21, EIO, tpm.tcti);
	assert_int_equal(harness_stop(&harness), 0);
	harness_tpm_start(&tpm, "tpm");
}

static void no_tpm_is_one_clear_mistake_per_key(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(harness_check("[tpm]\ntcti = swtpm:path=/nowhere\n" CONFIG, output,
				       sizeof(output)),
			 1);
	assert_non_null(strstr(
		output, "tlshd.conf:4: private_key \"p256.tss\" "
			"the TPM at swtpm:path=/nowhere cannot be opened: no swtpm listens there"));
	assert_non_null(strstr(output, "\"rsa.tss\" the TPM at"));
	assert_int_equal(harness_check("[tpm]\ntcti = device:/dev/null\n" CONFIG, output,
				       sizeof(output)),
			 1);
	assert_non_null(strstr(output, "the TPM at device:/dev/null does not answer"));
	assert_int_equal(harness_check("[tpm]\ntcti = nonsense:x\n" CONFIG, output, sizeof(output)),
			 1);
	assert_non_null(strstr(output, "the TPM at nonsense:x cannot be opened"));
	assert_int_equal(harness_check(CONFIG, output, sizeof(output)), 0);
}

static void an_owner_with_a_password_is_named_as_the_reason(void **state)
{
	char output[4096];

	(void)state;
	harness_run("tpm2_changeauth -c o secret");
	assert_int_equal(harness_check(CONFIG, output, sizeof(output)), 1);
	harness_run("tpm2_changeauth -c o -p secret");
	assert_non_null(strstr(output, "\"p256.tss\" the TPM's owner hierarchy has a password; "
				       "put the key under a persistent parent"));
	assert_int_equal(harness_check(CONFIG, output, sizeof(output)), 0);
}

static void keys_that_cannot_serve_are_refused_with_a_reason(void **state)
{
	struct harness_tpm other;
	char output[8192];

	(void)state;
	/* Wrong passwords are tried here; the third would lock this TPM. */
	harness_run("tpm2_dictionarylockout -s -n 100 && tpm2_dictionarylockout -c");
	harness_run(
		"tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		"tpm2_create -Q -C primary.ctx -G ecc256:ecdsa-sha256:null -u key.pub -r key.priv "
		"-a 'restricted|sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth' && "
		"tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o restricted.tss && "
		"tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_run("tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		    "tpm2_create -Q -C primary.ctx -G ecc256 -p secret -u key.pub -r key.priv && "
		    "tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o lies.tss && "
		    "tpm2_flushcontext -t && tpm2_flushcontext -l && "
		    "tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -p -o password.tss && "
		    "tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_run(
		"tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		"tpm2_create -Q -C primary.ctx -G rsa2048:rsassa-sha256:null -u key.pub -r key.priv "
		"-a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth' && "
		"tpm2_encodeobject -C primary.ctx -u key.pub -r key.priv -o rsassa.tss && "
		"tpm2_flushcontext -t && tpm2_flushcontext -l");
	harness_tpm_start(&other, "other");
	harness_run(OPENSSL "-algorithm EC -pkeyopt group:P-256 -out foreign.tss");
	harness_tpm_kill(&other);
	setenv("TCTI", tpm.tcti, 1);
	setenv("TPM2TOOLS_TCTI", tpm.tcti, 1);
	setenv("TPM2OPENSSL_TCTI", tpm.tcti, 1);
	assert_int_equal(
		harness_check(
			"[profile default]\nprivate_key = restricted.tss;lies.tss;password.tss;rsassa.tss;"
			"foreign.tss;tpm2:0x81000077;tpm2:0x40000001;tpm2:x\npsk = id:p256.tss\n",
			output, sizeof(output)),
		1);
	assert_non_null(strstr(output, ":2: private_key \"restricted.tss\" is restricted"));
	assert_non_null(strstr(output, "\"lies.tss\" needs a password"));
	assert_non_null(strstr(output, "\"password.tss\" needs a password"));
	assert_non_null(strstr(output, "\"rsassa.tss\" signing in the TPM: tpm:"));
	assert_non_null(strstr(output, "\"foreign.tss\" is not of this TPM"));
	assert_non_null(strstr(output, "\"tpm2:0x81000077\" the TPM has no object 0x81000077"));
	assert_non_null(strstr(output, "\"tpm2:0x40000001\" is no persistent handle"));
	assert_non_null(strstr(output, "\"tpm2:x\" is not of the form"));
	assert_non_null(
		strstr(output, ":3: psk \"id:p256.tss\" is a TPM key and not a sealed PSK"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			keys_of_the_openssl_provider_sign_with_every_scheme_and_hash,
			harness_teardown),
		cmocka_unit_test_teardown(ecdsa_signatures_of_all_lengths_are_right,
					  harness_teardown),
		cmocka_unit_test_teardown(more_keys_than_the_tpm_has_places_sign_in_turn,
					  harness_teardown),
		cmocka_unit_test_teardown(keys_of_tpm2_tools_sign, harness_teardown),
		cmocka_unit_test_teardown(a_persistent_handle_signs, harness_teardown),
		cmocka_unit_test_teardown(a_sealed_psk_is_given_out, harness_teardown),
		cmocka_unit_test_teardown(a_flood_of_one_user_costs_another_one_signature,
					  harness_teardown),
		cmocka_unit_test_teardown(one_user_can_wait_for_so_many_signatures_only,
					  harness_teardown),
		cmocka_unit_test_teardown(a_cancelled_request_gets_no_answer, harness_teardown),
		cmocka_unit_test_teardown(software_keys_do_not_wait_for_the_tpm, harness_teardown),
		cmocka_unit_test_teardown(an_id_in_use_is_not_taken_again, harness_teardown),
		cmocka_unit_test_teardown(a_tpm_that_vanishes_fails_every_request_with_words,
					  harness_teardown),
		cmocka_unit_test_teardown(no_tpm_is_one_clear_mistake_per_key, harness_teardown),
		cmocka_unit_test_teardown(an_owner_with_a_password_is_named_as_the_reason,
					  harness_teardown),
		cmocka_unit_test_teardown(keys_that_cannot_serve_are_refused_with_a_reason,
					  harness_teardown),
	};

	return cmocka_run_group_tests_name("keys.tpm", tests, setup, teardown);
}
