// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes: what is built is read back, and what does not have its form is refused.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/tls_handoff.h>

#include "attr.h"

static void put_required(struct attr_builder *builder, uint16_t message)
{
	if (message == CHANNEL_OPEN) {
		attr_put_u32(builder, CHANNEL_A_ROLE, TLS_HANDOFF_SERVER);
		attr_put_string(builder, CHANNEL_A_PROFILE, "default");
		attr_put_u32(builder, CHANNEL_A_UID, 1000);
	} else if (message == CHANNEL_DONE) {
		attr_put_u16(builder, CHANNEL_A_VERSION, TLS_1_3_VERSION);
		attr_put_u16(builder, CHANNEL_A_CIPHER, TLS_CIPHER_AES_GCM_128);
	} else {
		attr_put_u32(builder, CHANNEL_A_STATUS, EPROTO);
	}
}

/* Result of parsing the required attributes of @message and one more. */
static int with(uint16_t message, uint16_t type, const void *value, size_t length)
{
	struct attr_builder builder = { 0 };
	struct attr_table table;
	int ret;

	put_required(&builder, message);
	attr_put(&builder, type, value, length);
	assert_int_equal(attr_builder_error(&builder), 0);
	ret = attr_parse(message, builder.data, builder.length, &table);
	attr_builder_free(&builder);
	return ret;
}

static int with_u32(uint16_t message, uint16_t type, uint32_t value)
{
	value = htole32(value);
	return with(message, type, &value, sizeof(value));
}

static int with_string(uint16_t message, uint16_t type, const char *value)
{
	return with(message, type, value, strlen(value));
}

static void what_is_put_is_read_back(void **state)
{
	struct attr_builder builder = { 0 };
	struct attr_table table;
	char *string = NULL;

	put_required(&builder, CHANNEL_OPEN);
	attr_put_string(&builder, CHANNEL_A_PEER_NAME, "www.example");
	attr_put_string(&builder, CHANNEL_A_PSK_IDENTITY, NULL);
	attr_put_u16(&builder, CHANNEL_A_MIN_VERSION, TLS_1_2_VERSION);
	assert_int_equal(attr_builder_error(&builder), 0);
	assert_int_equal(attr_parse(CHANNEL_OPEN, builder.data, builder.length, &table), 0);
	assert_int_equal(attr_u32(&table, CHANNEL_A_ROLE, 0), TLS_HANDOFF_SERVER);
	assert_int_equal(attr_u32(&table, CHANNEL_A_UID, 0), 1000);
	assert_int_equal(attr_u16(&table, CHANNEL_A_MIN_VERSION, 0), TLS_1_2_VERSION);
	assert_int_equal(attr_u16(&table, CHANNEL_A_MAX_VERSION, 99), 99);
	assert_false(attr_has(&table, CHANNEL_A_PSK_IDENTITY));
	assert_false(attr_has(&table, 60000));
	assert_int_equal(attr_string(&table, CHANNEL_A_PEER_NAME, &string), 0);
	assert_string_equal(string, "www.example");
	free(string);
	assert_int_equal(attr_string(&table, CHANNEL_A_PSK_IDENTITY, &string), 0);
	assert_null(string);
	attr_builder_free(&builder);
}

static void numbers_are_little_endian_on_the_wire(void **state)
{
	struct attr_builder builder = { 0 };
	const uint8_t wire[] = { 38, 0, 8, 0, 8, 7, 6, 5, 4, 3, 2, 1 };

	attr_put_u64(&builder, CHANNEL_A_LIMIT_RECORDS, 0x0102030405060708);
	assert_int_equal(builder.length, sizeof(wire));
	assert_memory_equal(builder.data, wire, sizeof(wire));
	attr_builder_free(&builder);
}

static void an_array_is_cut_to_the_room_for_it(void **state)
{
	const uint8_t serials[] = { 4, 3, 2, 1, 8, 0, 0, 0, 9, 0, 0, 0 };
	uint32_t values[3] = { 0, 0, 77 };
	struct attr_builder builder = { 0 };
	struct attr_table table;

	put_required(&builder, CHANNEL_OPEN);
	attr_put(&builder, CHANNEL_A_PSK_KEYS, serials, sizeof(serials));
	assert_int_equal(attr_builder_error(&builder), 0);
	assert_int_equal(attr_parse(CHANNEL_OPEN, builder.data, builder.length, &table), 0);
	assert_int_equal(attr_u32_array(&table, CHANNEL_A_PSK_KEYS, values, 2), 2);
	assert_int_equal(values[0], 0x01020304);
	assert_int_equal(values[1], 8);
	assert_int_equal(values[2], 77);
	assert_int_equal(attr_u32_array(&table, CHANNEL_A_CIPHERS, values, 3), 0);
	attr_builder_free(&builder);
}

static void required_attributes_must_be_there(void **state)
{
	static const uint16_t messages[] = { CHANNEL_OPEN, CHANNEL_DONE, CHANNEL_FAIL };
	struct attr_table table;
	size_t i;

	for (i = 0; i < 3; i++) {
		struct attr_builder builder = { 0 };
		size_t at = 0;

		assert_int_equal(attr_parse(messages[i], NULL, 0, &table), -EPROTO);
		put_required(&builder, messages[i]);
		assert_int_equal(attr_parse(messages[i], builder.data, builder.length, &table), 0);
		/* Every prefix lacks something, if it is well formed at all. */
		for (at = 0; at < builder.length; at++)
			assert_int_equal(attr_parse(messages[i], builder.data, at, &table),
					 -EPROTO);
		attr_builder_free(&builder);
	}
}

static void unknown_repeated_and_misplaced_attributes_are_refused(void **state)
{
	assert_int_equal(with_u32(CHANNEL_OPEN, 999, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, 0, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_UID, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_RESUMED, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_DONE, CHANNEL_A_STATUS, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_FAIL, CHANNEL_A_RESUMED, 1), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_DONE, CHANNEL_A_RESUMED, 1), 0);
}

static void lengths_are_checked(void **state)
{
	static const uint8_t zeros[TLS_HANDOFF_MAX_CERT + 1];
	char text[TLS_HANDOFF_MAX_PEER_NAME + 2];

	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_AUTH, zeros, 3), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_AUTH, zeros, 5), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_CIPHERS, zeros, 3), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_CIPHERS, zeros, 0), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_CIPHERS, zeros, 2 * TLS_HANDOFF_MAX_CIPHERS),
			 0);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_CIPHERS, zeros,
			      2 * TLS_HANDOFF_MAX_CIPHERS + 2),
			 -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_PSK_KEYS, zeros, 4 * CHANNEL_MAX_PSK_KEYS),
			 0);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_PSK_KEYS, zeros,
			      4 * CHANNEL_MAX_PSK_KEYS + 4),
			 -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_PSK_KEYS, zeros, 6), -EPROTO);
	assert_int_equal(with(CHANNEL_DONE, CHANNEL_A_PEER_CERT, zeros, TLS_HANDOFF_MAX_CERT), 0);
	assert_int_equal(with(CHANNEL_DONE, CHANNEL_A_PEER_CERT, zeros, TLS_HANDOFF_MAX_CERT + 1),
			 -EPROTO);
	memset(text, 'a', sizeof(text));
	text[TLS_HANDOFF_MAX_PEER_NAME] = '\0';
	assert_int_equal(with_string(CHANNEL_OPEN, CHANNEL_A_PEER_NAME, text), 0);
	text[TLS_HANDOFF_MAX_PEER_NAME] = 'a';
	text[TLS_HANDOFF_MAX_PEER_NAME + 1] = '\0';
	assert_int_equal(with_string(CHANNEL_OPEN, CHANNEL_A_PEER_NAME, text), -EPROTO);
	assert_int_equal(with_string(CHANNEL_OPEN, CHANNEL_A_PEER_NAME, ""), -EPROTO);
}

static void values_out_of_range_are_refused(void **state)
{
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_AUTH, 0), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_RAWPK), 0);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_RAWPK + 1),
			 -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_CLIENT_CERT, 3), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_RESUME, 2), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_KEYRING, 0), 0);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_KEYRING, UINT32_MAX), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_OPEN, CHANNEL_A_CERT_KEY, 0), -EPROTO);
	assert_int_equal(with_u32(CHANNEL_FAIL, CHANNEL_A_ALERT_SENT, 255), 0);
	assert_int_equal(with_u32(CHANNEL_FAIL, CHANNEL_A_ALERT_SENT, 256), -EPROTO);
}

static void strings_have_no_nul_and_ours_no_control_characters(void **state)
{
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_PEER_NAME, "a\0b", 3), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_PEER_NAME, "a\nb", 3), 0);
	assert_int_equal(with(CHANNEL_FAIL, CHANNEL_A_ERROR, "a\nb", 3), -EPROTO);
	assert_int_equal(with(CHANNEL_FAIL, CHANNEL_A_ERROR, "a\x7f", 2), -EPROTO);
	assert_int_equal(with(CHANNEL_DONE, CHANNEL_A_PEER_IDENTITY, "dns:a\x1b", 6), -EPROTO);
	assert_int_equal(with(CHANNEL_DONE, CHANNEL_A_PEER_IDENTITY, "dns:\xc3\xbc", 6), 0);
}

static void alpn_in_open_is_a_list_and_in_done_a_name(void **state)
{
	uint8_t list[TLS_HANDOFF_MAX_ALPN];
	size_t i;

	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, "\2h2\10http/1.1", 12), 0);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, "\2h2\10http/1.", 11), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, "\2h2\0", 4), -EPROTO);
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, "h2", 2), -EPROTO);
	assert_int_equal(with(CHANNEL_DONE, CHANNEL_A_ALPN, "h2", 2), 0);
	/* Eight names of 32 bytes, and one more byte of length */
	for (i = 0; i < sizeof(list); i++)
		list[i] = i % (TLS_HANDOFF_MAX_ALPN_NAME + 1) ? 'a' : TLS_HANDOFF_MAX_ALPN_NAME;
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, list, sizeof(list)), 0);
	list[0] = TLS_HANDOFF_MAX_ALPN_NAME + 1;
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, list, sizeof(list)), -EPROTO);
	/* Nine names of one byte */
	assert_int_equal(with(CHANNEL_OPEN, CHANNEL_A_ALPN, "\1a\1a\1a\1a\1a\1a\1a\1a\1a", 18),
			 -EPROTO);
}

static void a_length_behind_the_end_is_refused(void **state)
{
	const uint8_t wire[] = { 64, 0, 4, 0, 71, 0, 0 };
	struct attr_table table;

	assert_int_equal(attr_parse(CHANNEL_FAIL, wire, sizeof(wire), &table), -EPROTO);
}

static void the_builder_keeps_its_first_error(void **state)
{
	static const uint8_t zeros[CHANNEL_MAX_PAYLOAD];
	struct attr_builder builder = { 0 };
	size_t length;

	put_required(&builder, CHANNEL_DONE);
	length = builder.length;
	attr_put(&builder, CHANNEL_A_PEER_CERT, zeros, sizeof(zeros));
	attr_put_u32(&builder, CHANNEL_A_RESUMED, 1);
	assert_int_equal(attr_builder_error(&builder), -EMSGSIZE);
	assert_int_equal(builder.length, length);
	attr_builder_free(&builder);
	assert_null(builder.data);
}

static void a_failed_parse_leaves_the_table_alone(void **state)
{
	struct attr_table table, before;

	memset(&table, 0x5a, sizeof(table));
	before = table;
	assert_int_equal(attr_parse(CHANNEL_OPEN, (const uint8_t *)"\1\0\4\0abcd", 8, &table),
			 -EPROTO);
	assert_memory_equal(&table, &before, sizeof(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_read_back),
		cmocka_unit_test(numbers_are_little_endian_on_the_wire),
		cmocka_unit_test(an_array_is_cut_to_the_room_for_it),
		cmocka_unit_test(required_attributes_must_be_there),
		cmocka_unit_test(unknown_repeated_and_misplaced_attributes_are_refused),
		cmocka_unit_test(lengths_are_checked),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(strings_have_no_nul_and_ours_no_control_characters),
		cmocka_unit_test(alpn_in_open_is_a_list_and_in_done_a_name),
		cmocka_unit_test(a_length_behind_the_end_is_refused),
		cmocka_unit_test(the_builder_keeps_its_first_error),
		cmocka_unit_test(a_failed_parse_leaves_the_table_alone),
	};

	return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
