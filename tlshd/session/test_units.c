// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parts of the session handler that need no peer: key derivation against RFC 8448,
 * crypto_info, names, hello messages, failures, coroutines.
 */
#include <alloca.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/gnutls.h>

#include <cmocka.h>

#include "coroutine.h"
#include "failure.h"
#include "hello.h"
#include "keyinfo.h"
#include "names.h"
#include "secrets.h"

/* RFC 8448 3: application traffic secrets, and the keys and ivs under them */
static const struct {
	uint8_t secret[32], key[16], iv[12];
} vectors[] = {
	{ { 0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11,
	    0x6b, 0x45, 0xa9, 0x50, 0x32, 0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb,
	    0x6b, 0x3a, 0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43 },
	  { 0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef, 0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92,
	    0xe3, 0x56 },
	  { 0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84 } },
	{ { 0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d, 0xc0, 0x5a, 0xf8,
	    0x88, 0x9b, 0xce, 0x65, 0x52, 0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf,
	    0x00, 0x87, 0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5 },
	  { 0x17, 0x42, 0x2d, 0xda, 0x59, 0x6e, 0xd5, 0xd9, 0xac, 0xd8, 0x90, 0xe3, 0xc6, 0x3f,
	    0x50, 0x51 },
	  { 0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08, 0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9 } },
};

static void record_keys_follow_from_traffic_secrets(void **state)
{
	uint8_t key[SECRETS_MAX_KEY], iv[SECRETS_IV];

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		assert_int_equal(
			secrets_record_key(TLS_CIPHER_AES_GCM_128, vectors[i].secret, key, iv), 0);
		assert_memory_equal(key, vectors[i].key, 16);
		assert_memory_equal(iv, vectors[i].iv, 12);
	}
	assert_int_equal(secrets_record_key(TLS_CIPHER_SM4_GCM, vectors[0].secret, key, iv),
			 -EINVAL);
}

static void an_update_changes_the_secret_once_for_each_side(void **state)
{
	uint8_t one[SECRETS_MAX] = { 0 }, two[SECRETS_MAX] = { 0 };

	memcpy(one, vectors[0].secret, 32);
	memcpy(two, vectors[0].secret, 32);
	assert_int_equal(secrets_update(TLS_CIPHER_AES_GCM_128, one), 0);
	assert_memory_not_equal(one, two, 32);
	assert_int_equal(secrets_update(TLS_CIPHER_AES_GCM_128, two), 0);
	assert_memory_equal(one, two, SECRETS_MAX);
	assert_int_equal(secrets_update(TLS_CIPHER_SM4_GCM, one), -EINVAL);
	assert_memory_equal(one, two, SECRETS_MAX);
	assert_int_equal(secrets_length(TLS_CIPHER_AES_GCM_256), 48);
	assert_int_equal(secrets_length(TLS_CIPHER_CHACHA20_POLY1305), 32);
	assert_int_equal(secrets_length(TLS_CIPHER_SM4_GCM), 0);
}

static void crypto_info_has_salt_iv_and_sequence_in_their_places(void **state)
{
	static const uint8_t key[32] = "0123456789abcdefghijklmnopqrstu";
	static const uint8_t iv[12] = "SALTexplicit";
	static const uint8_t sequence[8] = { 0, 0, 0, 0, 0, 0, 1, 2 };
	union keyinfo info;
	size_t length;

	assert_int_equal(keyinfo_build(TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_256, key, iv, 12, 0x102,
				       &info, &length),
			 0);
	assert_int_equal(length, sizeof(info.aes_gcm_256));
	assert_memory_equal(info.aes_gcm_256.key, key, 32);
	assert_memory_equal(info.aes_gcm_256.salt, "SALT", 4);
	assert_memory_equal(info.aes_gcm_256.iv, "explicit", 8);
	assert_memory_equal(info.aes_gcm_256.rec_seq, sequence, 8);

	assert_int_equal(keyinfo_build(TLS_1_2_VERSION, TLS_CIPHER_AES_CCM_128, key, iv, 4, 0x102,
				       &info, &length),
			 0);
	assert_int_equal(length, sizeof(info.aes_ccm_128));
	assert_memory_equal(info.aes_ccm_128.salt, "SALT", 4);
	assert_memory_equal(info.aes_ccm_128.iv, sequence, 8);
	assert_memory_equal(info.aes_ccm_128.rec_seq, sequence, 8);

	for (unsigned int version = TLS_1_2_VERSION; version <= TLS_1_3_VERSION; version++) {
		assert_int_equal(keyinfo_build((uint16_t)version, TLS_CIPHER_CHACHA20_POLY1305, key,
					       iv, 12, 0x102, &info, &length),
				 0);
		assert_int_equal(length, sizeof(info.chacha20_poly1305));
		assert_memory_equal(info.chacha20_poly1305.iv, iv, 12);
		assert_memory_equal(info.chacha20_poly1305.rec_seq, sequence, 8);
		assert_int_equal(info.info.version, version);
	}
}

static void crypto_info_that_the_kernel_does_not_have_is_refused(void **state)
{
	static const uint8_t key[32], iv[12];
	union keyinfo info;
	size_t length;

	assert_int_equal(keyinfo_build(TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, key, iv, 4, 0,
				       &info, &length),
			 -EINVAL);
	assert_int_equal(keyinfo_build(TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128, key, iv, 12, 0,
				       &info, &length),
			 -EINVAL);
	assert_int_equal(keyinfo_build(TLS_1_3_VERSION, TLS_CIPHER_SM4_GCM, key, iv, 12, 0, &info,
				       &length),
			 -EINVAL);
	assert_int_equal(keyinfo_build(0x0302, TLS_CIPHER_AES_GCM_128, key, iv, 12, 0, &info,
				       &length),
			 -EINVAL);
}

static void host_names_match_as_rfc_9525_says(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match;
	} cases[] = {
		{ "www.example.org", "www.example.org", true },
		{ "WWW.example.ORG", "www.EXAMPLE.org", true },
		{ "www.example.org.", "www.example.org", true },
		{ "www.example.org", "www.example.org.", true },
		{ "*.example.org", "www.example.org", true },
		{ "*.example.org", "example.org", false },
		{ "*.example.org", ".example.org", false },
		{ "*.example.org", "a.b.example.org", false },
		{ "w*.example.org", "www.example.org", false },
		{ "*w.example.org", "www.example.org", false },
		{ "www.*.org", "www.example.org", false },
		{ "*.org", "example.org", false },
		{ "*", "localhost", false },
		{ "*.", "localhost", false },
		{ "www.example.org", "www.example.or", false },
		{ "example.org", "www.example.org", false },
		{ "", "", false },
		{ ".", ".", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (names_match_dns(cases[i].pattern, strlen(cases[i].pattern), cases[i].name) !=
		    cases[i].match)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
	assert_false(names_match_dns("good.test\0.evil", 15, "good.test"));
}

static void identities_are_escaped_and_cut(void **state)
{
	char identity[NAMES_IDENTITY], long_text[2000];

	names_identity(identity, "dn", "CN=a\nb\"c", 8);
	assert_null(strchr(identity, '\n'));
	assert_memory_equal(identity, "dn:CN=a\\x0a", 11);
	memset(long_text, 'x', sizeof(long_text));
	names_identity(identity, "uri", long_text, sizeof(long_text));
	assert_true(strlen(identity) <= TLS_HANDOFF_MAX_IDENTITY);
}

static void limits_of_the_peer_are_read_from_its_hello(void **state)
{
	/* version, random, no session id, one cipher, no compression, extensions */
	static uint8_t client[] = { 3,	  3, 0, 0, 0, 0,    0,	  0,  0, 0, 0,	0, 0,  0, 0, 0,
				    0,	  0, 0, 0, 0, 0,    0,	  0,  0, 0, 0,	0, 0,  0, 0, 0,
				    0,	  0, 0, 0, 2, 0x13, 0x01, 1,  0, 0, 18, 0, 28, 0, 2, 0x04,
				    0x01, 0, 1, 0, 1, 2,    0,	  43, 0, 3, 2,	3, 4 };
	static uint8_t encrypted_extensions[] = { 0, 6, 0, 28, 0, 2, 0x40, 0x01 };
	gnutls_datum_t message = { client, sizeof(client) };
	struct hello hello;

	hello_parse(GNUTLS_HANDSHAKE_CLIENT_HELLO, &message, &hello);
	assert_int_equal(hello.record_size_limit, 1025);
	assert_int_equal(hello.max_fragment, 1024);
	assert_true(hello.offers_tls13);
	assert_int_equal(hello_max_payload(&hello, TLS_1_3_VERSION), 1024);
	assert_int_equal(hello_max_payload(&hello, TLS_1_2_VERSION), 1025);

	message = (gnutls_datum_t){ encrypted_extensions, sizeof(encrypted_extensions) };
	hello_parse(GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS, &message, &hello);
	assert_int_equal(hello.record_size_limit, 16385);
	assert_int_equal(hello_max_payload(&hello, TLS_1_3_VERSION), 0);
}

static void truncated_hellos_say_nothing(void **state)
{
	uint8_t bytes[80] = { 3, 3 };
	gnutls_datum_t message = { bytes, 0 };
	struct hello hello;

	for (message.size = 0; message.size < sizeof(bytes); message.size++) {
		/* exactly as large as it says: a sanitizer sees every byte too many */
		message.data = malloc(message.size ? message.size : 1);
		memcpy(message.data, bytes, message.size);
		hello_parse(GNUTLS_HANDSHAKE_CLIENT_HELLO, &message, &hello);
		assert_int_equal(hello.record_size_limit, 0);
		hello_parse(GNUTLS_HANDSHAKE_SERVER_HELLO, &message, &hello);
		assert_int_equal(hello.record_size_limit, 0);
		hello_parse(GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS, &message, &hello);
		assert_int_equal(hello.record_size_limit, 0);
		free(message.data);
	}
}

static void the_first_failure_is_the_one_that_counts(void **state)
{
	struct failure failure;

	failure_init(&failure);
	failure_set(&failure, EKEYREJECTED, ALERT_UNKNOWN_CA, "The first %s.", "reason");
	failure_gnutls(&failure, GNUTLS_E_CERTIFICATE_ERROR, -1);
	failure_set(&failure, EIO, ALERT_NONE, "The second.");
	assert_int_equal(failure.error, EKEYREJECTED);
	assert_int_equal(failure.alert, ALERT_UNKNOWN_CA);
	assert_string_equal(failure.words, "The first reason.");
}

static void every_gnutls_error_has_errno_and_words(void **state)
{
	struct failure failure;
	const char *words;

	for (int code = -1; code > -500; code--) {
		if (!gnutls_strerror_name(code))
			continue;
		failure_init(&failure);
		failure_gnutls(&failure, code, 40);
		assert_true(failure.error > 0);
		words = failure.words;
		assert_true(strlen(words) > 10 && words[strlen(words) - 1] == '.');
		assert_true(failure.alert >= ALERT_NONE && failure.alert <= 255);
	}
	failure_init(&failure);
	failure_gnutls(&failure, GNUTLS_E_FATAL_ALERT_RECEIVED, 40);
	assert_int_equal(failure.alert_received, 40);
	assert_int_equal(failure.alert, ALERT_NONE);
	assert_int_equal(failure.error, EPROTO);
	failure_init(&failure);
	failure_gnutls(&failure, GNUTLS_E_FATAL_ALERT_RECEIVED, 200);
	assert_non_null(strstr(failure.words, "unknown alert 200"));
}

#define DEPTH 8192 /* bytes of stack that a test writes to */

static struct coroutine *coroutines[3];
static int steps;
static const uint8_t *trace; /* where a stack was written to */

static void walk(void *arg)
{
	/* not an array: AddressSanitizer keeps those elsewhere */
	uint8_t *depth = alloca(DEPTH);

	assert_ptr_equal(coroutine_argument(), arg);
	for (int i = 0; i < 3; i++) {
		memset(depth, 0x5a, DEPTH);
		trace = depth;
		steps++;
		coroutine_yield();
	}
}

static void coroutines_take_turns(void **state)
{
	steps = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(coroutine_start(walk, &coroutines[i], &coroutines[i]), 0);
	assert_int_equal(steps, 3);
	assert_null(coroutine_current());
	for (int round = 0; round < 3; round++)
		for (int i = 2; i >= 0; i--)
			coroutine_resume(coroutines[i]);
	assert_int_equal(steps, 9);
}

static void nothing(void *arg)
{
}

static void a_stack_is_wiped_before_it_is_used_again(void **state)
{
	struct coroutine *coroutine;
	size_t left = 0;

	steps = 0;
	assert_int_equal(coroutine_start(walk, &coroutine, &coroutine), 0);
	assert_int_equal(trace[0], 0x5a);
	for (int i = 0; i < 3; i++)
		coroutine_resume(coroutine);
	/* it waits in the pool, still mapped */
	for (size_t i = 0; i < DEPTH; i++)
		left += trace[i] == 0x5a;
	assert_int_equal(left, 0);
	assert_int_equal(coroutine_start(nothing, NULL, &coroutine), 0);
	coroutine_drain();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_keys_follow_from_traffic_secrets),
		cmocka_unit_test(an_update_changes_the_secret_once_for_each_side),
		cmocka_unit_test(crypto_info_has_salt_iv_and_sequence_in_their_places),
		cmocka_unit_test(crypto_info_that_the_kernel_does_not_have_is_refused),
		cmocka_unit_test(host_names_match_as_rfc_9525_says),
		cmocka_unit_test(identities_are_escaped_and_cut),
		cmocka_unit_test(limits_of_the_peer_are_read_from_its_hello),
		cmocka_unit_test(truncated_hellos_say_nothing),
		cmocka_unit_test(the_first_failure_is_the_one_that_counts),
		cmocka_unit_test(every_gnutls_error_has_errno_and_words),
		cmocka_unit_test(coroutines_take_turns),
		cmocka_unit_test(a_stack_is_wiped_before_it_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
