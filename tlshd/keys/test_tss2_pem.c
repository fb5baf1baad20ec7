// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TSS2 PRIVATE KEY files: what is written is read again, and nothing that can be
 * done to a file makes reading it do anything but succeed or refuse.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tpm_device.h"
#include "tss2_pem.h"

/* The point is the generator of P-256: a valid public key. */
static const uint8_t generator_x[] = {
	0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
	0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
	0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
};
static const uint8_t generator_y[] = {
	0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
	0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
	0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

static struct tss2_pem example(void)
{
	struct tss2_pem pem = {
		.empty_auth = true,
		.parent = TPM2_RH_OWNER,
		.private = { .size = 100 },
	};
	TPMT_PUBLIC *area = &pem.public.publicArea;

	area->type = TPM2_ALG_ECC;
	area->nameAlg = TPM2_ALG_SHA256;
	area->objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT;
	area->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	area->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	area->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
	area->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	area->unique.ecc.x.size = area->unique.ecc.y.size = 32;
	memcpy(area->unique.ecc.x.buffer, generator_x, 32);
	memcpy(area->unique.ecc.y.buffer, generator_y, 32);
	memset(pem.private.buffer, 0x5a, 100);
	return pem;
}

static char *write_example(const struct tss2_pem *pem, size_t *ret_length)
{
	struct keys_words words;
	char *text;

	assert_int_equal(tss2_pem_write(pem, &text, ret_length, &words), 0);
	return text;
}

/* Reads a copy in a buffer of exactly this size, and goes on as far as the file allows. */
static int read_and_use(const char *text, size_t length)
{
	char *copy = malloc(length + 1);
	struct keys_public public;
	struct tpm_object object;
	struct keys_words words = { "" };
	struct tss2_pem pem;
	int ret;

	assert_non_null(copy);
	memcpy(copy, text, length);
	copy[length] = '\0';
	ret = tss2_pem_read(copy, length, &pem, &words);
	if (ret == 0) {
		ret = tpm_object_from_pem(&pem, &object, &words);
		if (ret == 0)
			ret = tpm_object_describe(&object, &public, &words);
	}
	if (ret < 0)
		assert_true(words.text[0]);
	free(copy);
	return ret;
}

/* @text has 4096 bytes. */
static void to_pem(const uint8_t *der, size_t length, char *text)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	assert_true(PEM_write_bio(bio, "TSS2 PRIVATE KEY", "", der, (long)length) > 0);
	n = BIO_read(bio, text, 4095);
	text[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static int read_der(const uint8_t *der, size_t length)
{
	char text[4096];

	to_pem(der, length, text);
	return read_and_use(text, strlen(text));
}

/* @der has 2048 bytes. */
static size_t der_of(const char *text, uint8_t *der)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	unsigned char *data;
	char *name, *header;
	long length;

	assert_true(PEM_read_bio(bio, &name, &header, &data, &length));
	assert_in_range(length, 1, 2048);
	memcpy(der, data, (size_t)length);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	return (size_t)length;
}

static void what_is_written_is_read_again(void **state)
{
	struct tss2_pem pem = example(), again;
	struct keys_words words;
	size_t length;
	char *text;

	(void)state;
	for (int i = 0; i < 4; i++) {
		pem.type = i & 1 ? TSS2_PEM_SEALED : TSS2_PEM_LOADABLE;
		pem.empty_auth = i & 1;
		pem.rsa_parent = i & 2;
		pem.parent = i & 2 ? 0x81000001 : TPM2_RH_OWNER;
		text = write_example(&pem, &length);
		assert_true(tss2_pem_is(text));
		assert_int_equal(tss2_pem_read(text, length, &again, &words), 0);
		assert_int_equal(again.type, pem.type);
		assert_int_equal(again.empty_auth, pem.empty_auth);
		assert_int_equal(again.rsa_parent, pem.rsa_parent);
		assert_false(again.policy);
		assert_int_equal(again.parent, pem.parent);
		assert_int_equal(again.private.size, pem.private.size);
		assert_memory_equal(again.private.buffer, pem.private.buffer, 100);
		assert_memory_equal(again.public.publicArea.unique.ecc.x.buffer, generator_x, 32);
		free(text);
	}
}

static void other_text_around_it_does_not_matter(void **state)
{
	struct tss2_pem pem = example();
	char text[8192];
	size_t length;
	char *block = write_example(&pem, &length);

	(void)state;
	snprintf(text, sizeof(text),
		 "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
		 "-----END EC PARAMETERS-----\nA note.\n%sMore.\n",
		 block);
	assert_int_equal(read_and_use(text, strlen(text)), 0);
	free(block);
}

static void every_truncation_is_refused(void **state)
{
	struct tss2_pem pem = example();
	uint8_t der[2048];
	size_t length;
	char *text = write_example(&pem, &length);

	(void)state;
	/* Without its last newline it is still whole. */
	for (size_t i = 0; i < length - 1; i++)
		assert_true(read_and_use(text, i) < 0);
	length = der_of(text, der);
	assert_int_equal(read_der(der, length), 0);
	for (size_t i = 1; i < length; i++)
		assert_true(read_der(der, i) < 0);
	free(text);
}

static void bytes_after_the_end_are_refused(void **state)
{
	struct tss2_pem pem = example();
	uint8_t der[2048];
	size_t length;
	char *text = write_example(&pem, &length);

	(void)state;
	length = der_of(text, der);
	der[length] = 0;
	assert_int_equal(read_der(der, length + 1), -EINVAL);
	free(text);
}

static void every_changed_byte_is_survived(void **state)
{
	struct tss2_pem pem = example();
	uint8_t der[2048];
	size_t length, der_len;
	char *text = write_example(&pem, &length);
	int refused = 0;

	(void)state;
	der_len = der_of(text, der);
	for (size_t i = 0; i < der_len; i++) {
		uint8_t right = der[i];

		for (int value = 0; value < 256; value++) {
			der[i] = (uint8_t)value;
			refused += read_der(der, der_len) < 0;
		}
		der[i] = right;
	}
	/* All but the private part, which the TPM checks, is checked here. */
	print_message("%d of %zu changes were refused\n", refused, 255 * der_len);
	assert_true(refused > 255 * 100);
	for (size_t i = 0; i < length; i++) {
		char right = text[i];

		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(right ^ 1 << bit);
			read_and_use(text, length);
		}
		text[i] = right;
	}
	free(text);
}

static void lengths_of_the_parts_are_checked(void **state)
{
	static const uint8_t public_of_no_bytes[] = {
		0x30, 0x14, 0x06, 0x06, 0x67, 0x81, 0x05, 0x0a, 0x01, 0x03, 0x02,
		0x04, 0x40, 0x00, 0x00, 0x01, 0x04, 0x00, 0x04, 0x02, 0x00, 0x00,
	};
	static const uint8_t importable[] = {
		0x30, 0x16, 0x06, 0x06, 0x67, 0x81, 0x05, 0x0a, 0x01, 0x04, 0x02, 0x04,
		0x40, 0x00, 0x00, 0x01, 0x04, 0x02, 0x00, 0x00, 0x04, 0x02, 0x00, 0x00,
	};

	(void)state;
	assert_int_equal(read_der(public_of_no_bytes, sizeof(public_of_no_bytes)), -EINVAL);
	assert_int_equal(read_der(importable, sizeof(importable)), -EOPNOTSUPP);
}

static void a_parent_that_is_negative_is_a_persistent_handle(void **state)
{
	struct tss2_pem pem = example();
	struct keys_words words;
	uint8_t der[2048];
	char text[4096], *right;
	size_t length;

	(void)state;
	pem.parent = 0x81000001;
	right = write_example(&pem, &length);
	length = der_of(right, der);
	free(right);
	/* INTEGER 00 81 00 00 01 without its leading zero: -2130706431, as some write it */
	for (size_t i = 0; i + 7 < length; i++) {
		if (memcmp(der + i, "\x02\x05\x00\x81\x00\x00\x01", 7) != 0)
			continue;
		der[i + 1] = 4;
		memmove(der + i + 2, der + i + 3, length - i - 3);
		length--;
		/* of the SEQUENCE: 30 81 LL */
		assert_int_equal(der[1], 0x81);
		der[2]--;
		break;
	}
	to_pem(der, length, text);
	memset(&pem, 0, sizeof(pem));
	assert_int_equal(tss2_pem_read(text, strlen(text), &pem, &words), 0);
	assert_int_equal(pem.parent, 0x81000001);
}

static void public_keys_off_the_curve_are_refused(void **state)
{
	struct tss2_pem pem = example();
	struct keys_public public;
	struct tpm_object object;
	struct keys_words words;

	(void)state;
	assert_int_equal(tpm_object_from_pem(&pem, &object, &words), 0);
	assert_int_equal(tpm_object_describe(&object, &public, &words), 0);
	assert_int_equal(public.kind, KEYS_KIND_EC_P256);
	assert_int_equal(public.bits, 256);
	object.pem.public.publicArea.unique.ecc.y.buffer[31] ^= 1;
	assert_int_equal(tpm_object_describe(&object, &public, &words), -EINVAL);
	object.pem.public.publicArea.unique.ecc.y.size = 0;
	assert_int_equal(tpm_object_describe(&object, &public, &words), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(other_text_around_it_does_not_matter),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_after_the_end_are_refused),
		cmocka_unit_test(every_changed_byte_is_survived),
		cmocka_unit_test(lengths_of_the_parts_are_checked),
		cmocka_unit_test(a_parent_that_is_negative_is_a_persistent_handle),
		cmocka_unit_test(public_keys_off_the_curve_are_refused),
	};

	/* The library has a line for everything it refuses. */
	setenv("TSS2_LOG", "all+none", 1);
	return cmocka_run_group_tests_name("keys.tss2_pem", tests, NULL, NULL);
}
