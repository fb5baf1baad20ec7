// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key holder with keys in kernel keyrings.  They are of type "user", which it treats
 * like NVMe's "psk"; they are linked in the session keyring that it inherits from here.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <keyutils.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_harness.h"

#define CONFIG	 "[profile default]\n"
#define SECRET	 "0123456789abcdefghijklmnopqrstuv"
#define IDENTITY "NVMe0R01 nqn.2014-08.org:host nqn.2014-08.org:disk"

static const char *no_keyrings; /* why not */
static key_serial_t crowded;	/* a keyring with one key too many, or 0 */

/* A keyring that all programs started from now on possess */
static void make_session_keyring(void)
{
	if (keyctl_join_session_keyring(NULL) < 0)
		no_keyrings = strerror(errno);
}

static key_serial_t add(const char *type, const char *description, const void *data, size_t length,
			key_serial_t keyring)
{
	key_serial_t key = add_key(type, description, data, length, keyring);

	if (key < 0)
		fail_msg("add_key %s %s: %s", type, description, strerror(errno));
	return key;
}

static key_serial_t add_keyring(const char *description)
{
	return add("keyring", description, NULL, 0, KEY_SPEC_SESSION_KEYRING);
}

/* As root, whose quota has room for it */
static void make_crowded_keyring(void)
{
	char description[32];

	if (getuid() != 0)
		return;
	crowded = add_keyring("crowded");
	for (int i = 0; i <= KEYS_MAX_KEYRING; i++) {
		snprintf(description, sizeof(description), "%d", i);
		add("user", description, SECRET, 32, crowded);
	}
}

static int setup(void **state)
{
	(void)state;
	make_session_keyring();
	if (!no_keyrings)
		make_crowded_keyring();
	harness_enter_folder();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_leave_folder();
	return 0;
}

static void start(struct harness *harness)
{
	if (no_keyrings) {
		print_message("no kernel keyrings here: %s\n", no_keyrings);
		skip();
	}
	harness_start(harness, CONFIG);
}

static void expect_psk(struct harness *harness, uint64_t id, key_serial_t serial,
		       const char *identity, const char *secret)
{
	struct harness_message message;
	struct keys_kernel_secret head;
	const uint8_t *at = message.payload + sizeof(head);

	harness_receive(harness, &message);
	if (message.type == KEYS_ERROR)
		fail_msg("%s", (char *)message.payload + 4);
	assert_int_equal(message.type, KEYS_KERNEL_SECRET);
	assert_int_equal(message.id, id);
	memcpy(&head, message.payload, sizeof(head));
	assert_int_equal(le32toh(head.serial), serial);
	assert_int_equal(le16toh(head.identity_length), strlen(identity));
	assert_int_equal(message.length, sizeof(head) + strlen(identity) + strlen(secret));
	assert_memory_equal(at, identity, strlen(identity));
	assert_memory_equal(at + strlen(identity), secret, strlen(secret));
}

static void a_key_is_given_out_by_its_serial(void **state)
{
	struct harness harness;
	key_serial_t key;

	(void)state;
	start(&harness);
	key = add("user", IDENTITY, SECRET, strlen(SECRET), KEY_SPEC_SESSION_KEYRING);
	harness_unseal_kernel(&harness, 1, 0, (uint32_t)key, NULL);
	expect_psk(&harness, 1, key, IDENTITY, SECRET);
	assert_int_equal(harness_stop(&harness), 0);
}

static void a_key_is_found_by_its_whole_identity(void **state)
{
	key_serial_t keyring, nested, longer, right;
	struct harness harness;

	(void)state;
	start(&harness);
	keyring = add_keyring("keys");
	nested = add("keyring", "nested", NULL, 0, keyring);
	longer = add("user", IDENTITY "2", "fedcba9876543210", 16, keyring);
	right = add("user", IDENTITY, SECRET, strlen(SECRET), keyring);
	add("user", "inner", SECRET, strlen(SECRET), nested);
	add("keyring", "a keyring", NULL, 0, keyring);

	harness_unseal_kernel(&harness, 1, (uint32_t)keyring, 0, IDENTITY);
	expect_psk(&harness, 1, right, IDENTITY, SECRET);
	harness_unseal_kernel(&harness, 2, (uint32_t)keyring, 0, IDENTITY "2");
	expect_psk(&harness, 2, longer, IDENTITY "2", "fedcba9876543210");
	harness_unseal_kernel(&harness, 3, (uint32_t)keyring, 0, "NVMe0R01");
	harness_expect_error(&harness, 3, ENOKEY, "no such key");
	harness_unseal_kernel(&harness, 4, (uint32_t)keyring, 0, "inner");
	harness_expect_error(&harness, 4, ENOKEY, "no such key");
	harness_unseal_kernel(&harness, 5, (uint32_t)keyring, 0, "a keyring");
	harness_expect_error(&harness, 5, ENOKEY, "no such key");
	harness_unseal_kernel(&harness, 6, 0, 0, IDENTITY);
	harness_expect_error(&harness, 6, ENOKEY, "named no keyring");
	harness_unseal_kernel(&harness, 7, (uint32_t)right, 0, IDENTITY);
	harness_expect_error(&harness, 7, ENOTDIR, "is no keyring");
	assert_int_equal(harness_stop(&harness), 0);
}

static void what_is_no_psk_is_refused(void **state)
{
	char identity[KEYS_MAX_KERNEL_IDENTITY + 2];
	struct harness harness;
	key_serial_t key;

	(void)state;
	start(&harness);
	key = add_keyring("other type");
	harness_unseal_kernel(&harness, 1, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 1, EINVAL, "neither of type psk nor user");
	key = add("user", "short", SECRET, KEYS_MIN_PSK - 1, KEY_SPEC_SESSION_KEYRING);
	harness_unseal_kernel(&harness, 2, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 2, EINVAL, "has 15 bytes");
	key = add("user", "long", SECRET SECRET "+", KEYS_MAX_PSK + 1, KEY_SPEC_SESSION_KEYRING);
	harness_unseal_kernel(&harness, 3, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 3, EINVAL, "has 65 bytes");
	memset(identity, 'x', sizeof(identity) - 1);
	identity[sizeof(identity) - 1] = 0;
	key = add("user", identity, SECRET, 32, KEY_SPEC_SESSION_KEYRING);
	harness_unseal_kernel(&harness, 4, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 4, EINVAL, "an identity of 1025 bytes");
	identity[sizeof(identity) - 2] = 0;
	key = add("user", identity, SECRET SECRET, KEYS_MAX_PSK, KEY_SPEC_SESSION_KEYRING);
	harness_unseal_kernel(&harness, 5, 0, (uint32_t)key, NULL);
	expect_psk(&harness, 5, key, identity, SECRET SECRET);
	assert_int_equal(harness_stop(&harness), 0);
}

static void await_expiry(key_serial_t key)
{
	time_t end = time(NULL) + HARNESS_DEADLINE;

	while (keyctl_read(key, NULL, 0) >= 0)
		assert_true(time(NULL) < end);
	assert_int_equal(errno, EKEYEXPIRED);
}

static void what_cannot_be_read_is_said_in_words(void **state)
{
	const uint32_t special[] = { UINT32_MAX, (uint32_t)KEY_SPEC_SESSION_KEYRING, 1U << 31 };
	struct harness harness;
	key_serial_t key;

	(void)state;
	start(&harness);
	key = add("user", "revoked", SECRET, 32, KEY_SPEC_SESSION_KEYRING);
	assert_int_equal(keyctl_revoke(key), 0);
	harness_unseal_kernel(&harness, 1, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 1, EKEYREVOKED, "was revoked");

	key = add("user", "expired", SECRET, 32, KEY_SPEC_SESSION_KEYRING);
	assert_int_equal(keyctl_set_timeout(key, 1), 0);
	await_expiry(key);
	harness_unseal_kernel(&harness, 2, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 2, EKEYEXPIRED, "has expired");

	/* not the key holder's: our process keyring is ours alone */
	key = add("user", "elsewhere", SECRET, 32, KEY_SPEC_PROCESS_KEYRING);
	harness_unseal_kernel(&harness, 3, 0, (uint32_t)key, NULL);
	harness_expect_error(&harness, 3, EACCES, "not linked");
	key = add("keyring", "elsewhere", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	harness_unseal_kernel(&harness, 4, (uint32_t)key, 0, IDENTITY);
	harness_expect_error(&harness, 4, EACCES, "not linked");
	/* until it is linked */
	add("user", IDENTITY, SECRET, 32, key);
	assert_int_equal(keyctl_link(key, KEY_SPEC_SESSION_KEYRING), 0);
	harness_unseal_kernel(&harness, 5, (uint32_t)key, 0, IDENTITY);
	expect_psk(&harness, 5, keyctl_search(key, "user", IDENTITY, 0), IDENTITY, SECRET);
	assert_int_equal(keyctl_unlink(key, KEY_SPEC_SESSION_KEYRING), 0);
	harness_unseal_kernel(&harness, 6, (uint32_t)key, 0, IDENTITY);
	harness_expect_error(&harness, 6, EACCES, "not linked");

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		harness_unseal_kernel(&harness, 7, 0, special[i], NULL);
		harness_expect_error(&harness, 7, ENOKEY, "there is no kernel key");
		harness_unseal_kernel(&harness, 8, special[i], 0, "x");
		harness_expect_error(&harness, 8, ENOKEY, "there is no keyring");
	}
	assert_int_equal(harness_stop(&harness), 0);
}

static void a_revoked_member_hides_no_other(void **state)
{
	struct harness harness;
	key_serial_t keyring, key;

	(void)state;
	start(&harness);
	keyring = add_keyring("with a revoked one");
	assert_int_equal(keyctl_revoke(add("user", "revoked", SECRET, 32, keyring)), 0);
	key = add("user", IDENTITY, SECRET, 32, keyring);
	harness_unseal_kernel(&harness, 1, (uint32_t)keyring, 0, IDENTITY);
	expect_psk(&harness, 1, key, IDENTITY, SECRET);
	harness_unseal_kernel(&harness, 2, (uint32_t)keyring, 0, "revoked");
	harness_expect_error(&harness, 2, ENOKEY, "others: Key has been revoked");
	assert_int_equal(harness_stop(&harness), 0);
}

static void too_large_a_keyring_is_not_looked_through(void **state)
{
	struct harness harness;

	(void)state;
	if (!crowded) {
		print_message("only root may have that many keys\n");
		skip();
	}
	start(&harness);
	harness_unseal_kernel(&harness, 1, (uint32_t)crowded, 0, "1");
	harness_expect_error(&harness, 1, E2BIG, "more than 1024 keys");
	assert_int_equal(harness_stop(&harness), 0);
}

static void every_use_is_logged_and_no_secret(void **state)
{
	struct harness harness;
	key_serial_t keyring, key;
	char line[256];

	(void)state;
	start(&harness);
	keyring = add_keyring("logged");
	key = add("user", "a\n\"b", SECRET, strlen(SECRET), keyring);
	harness_unseal_kernel(&harness, 1, (uint32_t)keyring, 0, "a\n\"b");
	expect_psk(&harness, 1, key, "a\n\"b", SECRET);
	harness_unseal_kernel(&harness, 2, (uint32_t)keyring, 0, "c\n");
	harness_expect_error(&harness, 2, ENOKEY, "no such key");
	assert_int_equal(harness_stop(&harness), 0);
	snprintf(line, sizeof(line),
		 "identity \"a\\x0a\\x22b\" in keyring %d given out: kernel key %d, user 1000, "
		 "session 1000001",
		 keyring, key);
	assert_true(harness_logged(&harness, line));
	assert_true(harness_logged(&harness, "identity \"c\\x0a\" in keyring"));
	assert_false(harness_logged(&harness, SECRET));
}

static key_serial_t add_file(const char *name)
{
	uint8_t data[8192];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	assert_true(n > 0);
	close(fd);
	return add("user", name, data, (size_t)n, KEY_SPEC_SESSION_KEYRING);
}

/* What OPENED says, for a certificate that is any bytes here */
static uint32_t open_pair(struct harness *harness, key_serial_t certificate,
			  key_serial_t private_key, uint8_t *spki, size_t *ret_spki)
{
	struct harness_message message;
	struct keys_opened head;
	size_t length;

	harness_open_kernel(harness, 77, (uint32_t)certificate, (uint32_t)private_key);
	harness_receive(harness, &message);
	if (message.type == KEYS_ERROR)
		fail_msg("%s", (char *)message.payload + 4);
	assert_int_equal(message.type, KEYS_OPENED);
	assert_int_equal(message.id, 77);
	memcpy(&head, message.payload, sizeof(head));
	length = le32toh(head.spki_length);
	assert_true(le32toh(head.number) >= KEYS_KERNEL_NUMBERS);
	assert_int_equal(message.length, sizeof(head) + length + strlen(SECRET));
	assert_memory_equal(message.payload + sizeof(head) + length, SECRET, strlen(SECRET));
	memcpy(spki, message.payload + sizeof(head), length);
	*ret_spki = length;
	return le32toh(head.number);
}

static void close_pair(struct harness *harness, uint32_t number)
{
	const uint32_t wire = htole32(number);

	harness_send(harness, KEYS_CLOSE_KERNEL, 0, &wire, sizeof(wire), NULL, 0);
}

static void make_private_keys(void)
{
	harness_run("openssl genpkey -quiet -algorithm EC -pkeyopt group:P-256 -out p256.pem");
	harness_run("openssl genpkey -quiet -algorithm RSA -pkeyopt bits:2048 -out rsa.pem");
	harness_run("openssl pkey -in p256.pem -outform der -out p256.der");
	harness_run("openssl ec -in p256.pem -outform der -out sec1.der 2>/dev/null");
	harness_run("openssl pkey -in rsa.pem -outform der -out rsa.der");
	harness_run("openssl rsa -traditional -in rsa.pem -outform der -out pkcs1.der 2>/dev/null");
}

static void a_private_key_signs_until_it_is_closed(void **state)
{
	static const struct {
		const char *file;
		uint16_t scheme;
	} keys[] = {
		{ "p256.der", KEYS_SCHEME_ECDSA },    { "sec1.der", KEYS_SCHEME_ECDSA },
		{ "p256.pem", KEYS_SCHEME_ECDSA },    { "rsa.der", KEYS_SCHEME_RSA_PSS },
		{ "pkcs1.der", KEYS_SCHEME_RSA_PSS },
	};
	const uint8_t digest[32] = "a digest";
	struct harness harness;
	key_serial_t certificate;
	uint8_t spki[KEYS_MAX_SPKI];
	uint32_t number, last = 0;
	size_t length;

	(void)state;
	start(&harness);
	make_private_keys();
	certificate = add("user", "certificate", SECRET, strlen(SECRET), KEY_SPEC_SESSION_KEYRING);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		number = open_pair(&harness, certificate, add_file(keys[i].file), spki, &length);
		assert_int_not_equal(number, last);
		harness_sign_and_verify_with(&harness, number, spki, length, keys[i].scheme,
					     KEYS_HASH_SHA256);
		close_pair(&harness, number);
		harness_sign(&harness, 5, number, 1000, keys[i].scheme, KEYS_HASH_SHA256, digest,
			     32);
		harness_expect_error(&harness, 5, ENOKEY, "there is no key");
		last = number;
	}
	close_pair(&harness, last);
	assert_int_equal(harness_wait(&harness), 1);
	assert_true(harness_logged(&harness, "opened, user 1000, session 1000077"));
	assert_true(harness_logged(&harness, "signed rsa_pss sha256, user 1000"));
	assert_true(harness_logged(&harness, "broke the protocol"));
}

static void only_so_many_private_keys_are_open(void **state)
{
	uint32_t numbers[KEYS_MAX_KERNEL_KEYS];
	key_serial_t certificate, private_key;
	uint8_t spki[KEYS_MAX_SPKI];
	struct harness harness;
	size_t length;

	(void)state;
	start(&harness);
	make_private_keys();
	certificate = add("user", "certificate", SECRET, strlen(SECRET), KEY_SPEC_SESSION_KEYRING);
	private_key = add_file("p256.der");
	for (size_t i = 0; i < KEYS_MAX_KERNEL_KEYS; i++)
		numbers[i] = open_pair(&harness, certificate, private_key, spki, &length);
	harness_open_kernel(&harness, 1, (uint32_t)certificate, (uint32_t)private_key);
	harness_expect_error(&harness, 1, EMFILE, "too many kernel keys");
	harness_sign_and_verify_with(&harness, numbers[0], spki, length, KEYS_SCHEME_ECDSA,
				     KEYS_HASH_SHA256);
	close_pair(&harness, numbers[7]);
	assert_int_not_equal(open_pair(&harness, certificate, private_key, spki, &length),
			     numbers[0]);
	assert_int_equal(harness_stop(&harness), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_key_is_given_out_by_its_serial, harness_teardown),
		cmocka_unit_test_teardown(a_key_is_found_by_its_whole_identity, harness_teardown),
		cmocka_unit_test_teardown(what_is_no_psk_is_refused, harness_teardown),
		cmocka_unit_test_teardown(what_cannot_be_read_is_said_in_words, harness_teardown),
		cmocka_unit_test_teardown(a_revoked_member_hides_no_other, harness_teardown),
		cmocka_unit_test_teardown(too_large_a_keyring_is_not_looked_through,
					  harness_teardown),
		cmocka_unit_test_teardown(every_use_is_logged_and_no_secret, harness_teardown),
		cmocka_unit_test_teardown(a_private_key_signs_until_it_is_closed, harness_teardown),
		cmocka_unit_test_teardown(only_so_many_private_keys_are_open, harness_teardown),
	};

	return cmocka_run_group_tests_name("keys.kernel", tests, setup, teardown);
}
