// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of OPEN, DONE and FAIL: one table of forms, a builder, a parser.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../uapi/linux/tls_handoff.h"
#include "attr.h"

#define ATTR_MAX_TIMEOUT (3600 * 1000) /* milliseconds */
#define ATTR_MAX_REMOTE	 80	       /* bytes: an IPv6 address with scope, brackets and port */

enum attr_form {
	ATTR_U16, /* min and max are of the value */
	ATTR_U32,
	ATTR_U64,
	ATTR_TEXT,	/* no NUL, no control characters; min and max are of the length */
	ATTR_PEER_TEXT, /* no NUL; what a program or a peer chose, to be escaped before it is shown */
	ATTR_BYTES,
	ATTR_U16_ARRAY, /* min and max are of the number of values */
	ATTR_U32_ARRAY,
	ATTR_ALPN, /* length-prefixed names */
};

struct attr_rule {
	uint16_t type;
	uint16_t message;
	enum attr_form form;
	bool required;
	uint64_t min, max;
};

static const struct attr_rule rules[] = {
	{ CHANNEL_A_ROLE, CHANNEL_OPEN, ATTR_U32, true, TLS_HANDOFF_CLIENT, TLS_HANDOFF_SERVER },
	{ CHANNEL_A_PROFILE, CHANNEL_OPEN, ATTR_TEXT, true, 1, TLS_HANDOFF_MAX_PROFILE },
	{ CHANNEL_A_UID, CHANNEL_OPEN, ATTR_U32, true, 0, UINT32_MAX },
	{ CHANNEL_A_PEER_NAME, CHANNEL_OPEN, ATTR_PEER_TEXT, false, 1, TLS_HANDOFF_MAX_PEER_NAME },
	{ CHANNEL_A_ALPN, CHANNEL_OPEN, ATTR_ALPN, false, 2, TLS_HANDOFF_MAX_ALPN },
	{ CHANNEL_A_AUTH, CHANNEL_OPEN, ATTR_U32, false, TLS_HANDOFF_AUTH_X509,
	  TLS_HANDOFF_AUTH_RAWPK },
	{ CHANNEL_A_CLIENT_CERT, CHANNEL_OPEN, ATTR_U32, false, TLS_HANDOFF_CERT_NONE,
	  TLS_HANDOFF_CERT_REQUIRE },
	{ CHANNEL_A_PSK_IDENTITY, CHANNEL_OPEN, ATTR_PEER_TEXT, false, 1,
	  TLS_HANDOFF_MAX_PSK_IDENTITY },
	{ CHANNEL_A_MIN_VERSION, CHANNEL_OPEN, ATTR_U16, false, TLS_1_2_VERSION, TLS_1_3_VERSION },
	{ CHANNEL_A_MAX_VERSION, CHANNEL_OPEN, ATTR_U16, false, TLS_1_2_VERSION, TLS_1_3_VERSION },
	{ CHANNEL_A_CIPHERS, CHANNEL_OPEN, ATTR_U16_ARRAY, false, 1, TLS_HANDOFF_MAX_CIPHERS },
	{ CHANNEL_A_RESUME, CHANNEL_OPEN, ATTR_U32, false, 0, 1 },
	{ CHANNEL_A_REMOTE, CHANNEL_OPEN, ATTR_TEXT, false, 1, ATTR_MAX_REMOTE },
	{ CHANNEL_A_KEYRING, CHANNEL_OPEN, ATTR_U32, false, 0, INT32_MAX },
	{ CHANNEL_A_PSK_KEYS, CHANNEL_OPEN, ATTR_U32_ARRAY, false, 1, CHANNEL_MAX_PSK_KEYS },
	{ CHANNEL_A_CERT_KEY, CHANNEL_OPEN, ATTR_U32, false, 1, INT32_MAX },
	{ CHANNEL_A_PRIVATE_KEY, CHANNEL_OPEN, ATTR_U32, false, 1, INT32_MAX },

	{ CHANNEL_A_ALPN, CHANNEL_DONE, ATTR_BYTES, false, 1, TLS_HANDOFF_MAX_ALPN_NAME },
	{ CHANNEL_A_AUTH, CHANNEL_DONE, ATTR_U32, false, TLS_HANDOFF_AUTH_X509,
	  TLS_HANDOFF_AUTH_RAWPK },
	{ CHANNEL_A_VERSION, CHANNEL_DONE, ATTR_U16, true, TLS_1_2_VERSION, TLS_1_3_VERSION },
	{ CHANNEL_A_CIPHER, CHANNEL_DONE, ATTR_U16, true, 1, UINT16_MAX },
	{ CHANNEL_A_RESUMED, CHANNEL_DONE, ATTR_U32, false, 0, 1 },
	{ CHANNEL_A_PEER_IDENTITY, CHANNEL_DONE, ATTR_TEXT, false, 1, TLS_HANDOFF_MAX_IDENTITY },
	{ CHANNEL_A_PEER_CERT, CHANNEL_DONE, ATTR_BYTES, false, 1, TLS_HANDOFF_MAX_CERT },
	{ CHANNEL_A_SERVER_NAME, CHANNEL_DONE, ATTR_PEER_TEXT, false, 1,
	  TLS_HANDOFF_MAX_PEER_NAME },
	{ CHANNEL_A_LIMIT_RECORDS, CHANNEL_DONE, ATTR_U64, false, 0, UINT64_MAX },
	{ CHANNEL_A_TRUNCATION_EOF, CHANNEL_DONE, ATTR_U32, false, 0, 1 },
	{ CHANNEL_A_HANDLER_TIMEOUT, CHANNEL_DONE, ATTR_U32, false, 0, ATTR_MAX_TIMEOUT },
	{ CHANNEL_A_PSK_KEY, CHANNEL_DONE, ATTR_U32, false, 1, INT32_MAX },
	{ CHANNEL_A_VERIFY_STATUS, CHANNEL_DONE, ATTR_U32, false, 0, UINT32_MAX },
	{ CHANNEL_A_ALERT_SENT, CHANNEL_DONE, ATTR_U32, false, 0, UINT8_MAX },
	{ CHANNEL_A_ALERT_RECEIVED, CHANNEL_DONE, ATTR_U32, false, 0, UINT8_MAX },

	{ CHANNEL_A_STATUS, CHANNEL_FAIL, ATTR_U32, true, 1, 4095 },
	{ CHANNEL_A_VERIFY_STATUS, CHANNEL_FAIL, ATTR_U32, false, 0, UINT32_MAX },
	{ CHANNEL_A_ALERT_SENT, CHANNEL_FAIL, ATTR_U32, false, 0, UINT8_MAX },
	{ CHANNEL_A_ALERT_RECEIVED, CHANNEL_FAIL, ATTR_U32, false, 0, UINT8_MAX },
	{ CHANNEL_A_ERROR, CHANNEL_FAIL, ATTR_TEXT, false, 1, TLS_HANDOFF_MAX_ERROR },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static const struct attr_rule *attr_rule(uint16_t message, uint16_t type)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (rules[i].message == message && rules[i].type == type)
			return &rules[i];
	return NULL;
}

static void attr_append(struct attr_builder *builder, const void *data, size_t length)
{
	uint8_t *grown;
	size_t size;

	if (builder->size - builder->length < length) {
		size = builder->size ? builder->size : 256;
		while (size - builder->length < length)
			size *= 2;
		/* Not realloc(), which could leave a copy behind */
		grown = malloc(size);
		if (!grown) {
			builder->error = -ENOMEM;
			return;
		}
		if (builder->length)
			memcpy(grown, builder->data, builder->length);
		if (builder->data)
			explicit_bzero(builder->data, builder->length);
		free(builder->data);
		builder->data = grown;
		builder->size = size;
	}
	if (length)
		memcpy(builder->data + builder->length, data, length);
	builder->length += length;
}

void attr_put(struct attr_builder *builder, uint16_t type, const void *value, size_t length)
{
	struct channel_attr attr = { htole16(type), htole16(length) };

	if (builder->error)
		return;
	if (length > UINT16_MAX || builder->length + sizeof(attr) + length > CHANNEL_MAX_PAYLOAD) {
		builder->error = -EMSGSIZE;
		return;
	}
	attr_append(builder, &attr, sizeof(attr));
	if (!builder->error)
		attr_append(builder, value, length);
}

void attr_put_u16(struct attr_builder *builder, uint16_t type, uint16_t value)
{
	value = htole16(value);
	attr_put(builder, type, &value, sizeof(value));
}

void attr_put_u32(struct attr_builder *builder, uint16_t type, uint32_t value)
{
	value = htole32(value);
	attr_put(builder, type, &value, sizeof(value));
}

void attr_put_u64(struct attr_builder *builder, uint16_t type, uint64_t value)
{
	value = htole64(value);
	attr_put(builder, type, &value, sizeof(value));
}

void attr_put_string(struct attr_builder *builder, uint16_t type, const char *value)
{
	if (value)
		attr_put(builder, type, value, strlen(value));
}

int attr_builder_error(const struct attr_builder *builder)
{
	return builder->error;
}

void attr_builder_free(struct attr_builder *builder)
{
	if (builder->data)
		explicit_bzero(builder->data, builder->size);
	free(builder->data);
	memset(builder, 0, sizeof(*builder));
}

static uint64_t attr_number(const uint8_t *value, size_t length)
{
	uint64_t number = 0;

	while (length--)
		number = number << 8 | value[length];
	return number;
}

static bool attr_alpn_valid(const uint8_t *value, size_t length)
{
	size_t names = 0, at = 0;

	while (at < length) {
		size_t name = value[at++];

		if (!name || name > TLS_HANDOFF_MAX_ALPN_NAME || name > length - at ||
		    ++names > TLS_HANDOFF_MAX_ALPN_NAMES)
			return false;
		at += name;
	}
	return names > 0;
}

static bool attr_text_valid(const uint8_t *value, size_t length, bool control)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (!value[i] || (!control && (value[i] < 0x20 || value[i] == 0x7f)))
			return false;
	return true;
}

static bool attr_valid(const struct attr_rule *rule, const uint8_t *value, size_t length)
{
	uint64_t measure = length; /* what min and max bound */
	size_t exact = length;
	bool ok = true;

	switch (rule->form) {
	case ATTR_U16:
		exact = sizeof(uint16_t);
		break;
	case ATTR_U32:
		exact = sizeof(uint32_t);
		break;
	case ATTR_U64:
		exact = sizeof(uint64_t);
		break;
	case ATTR_TEXT:
		ok = attr_text_valid(value, length, false);
		break;
	case ATTR_PEER_TEXT:
		ok = attr_text_valid(value, length, true);
		break;
	case ATTR_BYTES:
		break;
	case ATTR_U16_ARRAY:
		measure = length / sizeof(uint16_t);
		ok = length % sizeof(uint16_t) == 0;
		break;
	case ATTR_U32_ARRAY:
		measure = length / sizeof(uint32_t);
		ok = length % sizeof(uint32_t) == 0;
		break;
	case ATTR_ALPN:
		ok = attr_alpn_valid(value, length);
		break;
	}
	if (length != exact)
		return false;
	if (rule->form <= ATTR_U64)
		measure = attr_number(value, length);
	return ok && measure >= rule->min && measure <= rule->max;
}

int attr_parse(uint16_t message, const uint8_t *payload, size_t length,
	       struct attr_table *ret_table)
{
	struct attr_table table = { 0 };
	const struct attr_rule *rule;
	struct channel_attr attr;
	size_t i;

	while (length) {
		if (length < sizeof(attr))
			return -EPROTO;
		memcpy(&attr, payload, sizeof(attr));
		attr.type = le16toh(attr.type);
		attr.length = le16toh(attr.length);
		payload += sizeof(attr);
		length -= sizeof(attr);
		rule = attr_rule(message, attr.type);
		if (!rule || attr.length > length || table.view[attr.type].value ||
		    !attr_valid(rule, payload, attr.length))
			return -EPROTO;
		table.view[attr.type].value = payload;
		table.view[attr.type].length = attr.length;
		payload += attr.length;
		length -= attr.length;
	}
	for (i = 0; i < RULES; i++)
		if (rules[i].message == message && rules[i].required &&
		    !table.view[rules[i].type].value)
			return -EPROTO;
	*ret_table = table;
	return 0;
}

bool attr_has(const struct attr_table *table, uint16_t type)
{
	return type <= CHANNEL_A_MAX && table->view[type].value;
}

uint16_t attr_u16(const struct attr_table *table, uint16_t type, uint16_t absent)
{
	if (!attr_has(table, type) || table->view[type].length != sizeof(uint16_t))
		return absent;
	return attr_number(table->view[type].value, sizeof(uint16_t));
}

uint32_t attr_u32(const struct attr_table *table, uint16_t type, uint32_t absent)
{
	if (!attr_has(table, type) || table->view[type].length != sizeof(uint32_t))
		return absent;
	return attr_number(table->view[type].value, sizeof(uint32_t));
}

size_t attr_u32_array(const struct attr_table *table, uint16_t type, uint32_t *ret_values,
		      size_t max)
{
	size_t i, count;

	if (!attr_has(table, type))
		return 0;
	count = table->view[type].length / sizeof(uint32_t);
	if (count > max)
		count = max;
	for (i = 0; i < count; i++)
		ret_values[i] = attr_number(table->view[type].value + i * sizeof(uint32_t),
					    sizeof(uint32_t));
	return count;
}

uint64_t attr_u64(const struct attr_table *table, uint16_t type, uint64_t absent)
{
	if (!attr_has(table, type) || table->view[type].length != sizeof(uint64_t))
		return absent;
	return attr_number(table->view[type].value, sizeof(uint64_t));
}

int attr_string(const struct attr_table *table, uint16_t type, char **ret_string)
{
	char *string = NULL;

	if (attr_has(table, type)) {
		string = strndup((const char *)table->view[type].value, table->view[type].length);
		if (!string)
			return -ENOMEM;
	}
	*ret_string = string;
	return 0;
}
