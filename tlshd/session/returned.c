// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A list of records in one piece of memory: u32 length and payload of each.
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "returned.h"
#include "session.h"

#define RECORD_ALERT	 21
#define RECORD_HANDSHAKE 22
#define RECORD_HEAD	 3 /* bytes: type and length */

struct returned {
	size_t length;
	uint8_t bytes[];
};

/* Whether it looks as session_send_record() makes them, and whether keys come with it. */
static int look(const struct session *session, const uint8_t *payload, size_t length,
		bool *ret_update)
{
	struct channel_keys keys;
	size_t data;

	if (length < RECORD_HEAD)
		return -EPROTO;
	data = payload[1] | (size_t)payload[2] << 8;
	if ((payload[0] != RECORD_ALERT && payload[0] != RECORD_HANDSHAKE) || data == 0 ||
	    data > SESSION_MAX_RECORD || data > length - RECORD_HEAD)
		return -EPROTO;
	payload += RECORD_HEAD + data;
	length -= RECORD_HEAD + data;
	*ret_update = length != 0;
	if (!length)
		return 0;
	if (length <= sizeof(keys) || session->version != TLS_1_3_VERSION)
		return -EPROTO;
	memcpy(&keys, payload, sizeof(keys));
	if (keys.direction != CHANNEL_KEYS_TX ||
	    le32toh(keys.crypto_info_len) != length - sizeof(keys) ||
	    keyinfo_find(session->cipher)->info_length != length - sizeof(keys))
		return -EPROTO;
	return 0;
}

static int append(struct session *session, const void *payload, uint32_t length)
{
	struct returned *old = session->returned, *grown;
	size_t before = old ? old->length : 0;
	size_t after = before + sizeof(length) + length;

	if (after > RETURNED_MAX)
		return -ENOBUFS;
	grown = malloc(sizeof(*grown) + after);
	if (!grown)
		return -ENOMEM;
	if (before)
		memcpy(grown->bytes, old->bytes, before);
	memcpy(grown->bytes + before, &length, sizeof(length));
	memcpy(grown->bytes + before + sizeof(length), payload, length);
	grown->length = after;
	returned_free(session);
	session->returned = grown;
	return 0;
}

int returned_take(struct session *session, const uint8_t *payload, size_t length)
{
	bool update;
	int r;

	r = look(session, payload, length, &update);
	if (r == 0 && update && !session->tx_generation)
		r = -EPROTO;
	if (r == 0)
		r = append(session, payload, (uint32_t)length);
	if (r == 0 && update)
		session->tx_generation--;
	return r;
}

const uint8_t *returned_bytes(const struct session *session, size_t *ret_length)
{
	*ret_length = session->returned ? session->returned->length : 0;
	return session->returned ? session->returned->bytes : NULL;
}

/* The record at @bytes; its length in @ret_length. */
static int next(const struct session *session, const uint8_t *bytes, size_t left,
		uint32_t *ret_length, bool *ret_update)
{
	if (left < sizeof(*ret_length))
		return -EPROTO;
	memcpy(ret_length, bytes, sizeof(*ret_length));
	if (*ret_length > left - sizeof(*ret_length))
		return -EPROTO;
	return look(session, bytes + sizeof(*ret_length), *ret_length, ret_update);
}

int returned_restore(struct session *session, const uint8_t *bytes, size_t length)
{
	struct returned *returned;
	uint32_t size;
	bool update;
	int r;

	if (!length)
		return 0;
	if (length > RETURNED_MAX)
		return -EPROTO;
	for (size_t at = 0; at < length; at += sizeof(size) + size) {
		r = next(session, bytes + at, length - at, &size, &update);
		if (r < 0)
			return r;
	}
	returned = malloc(sizeof(*returned) + length);
	if (!returned)
		return -ENOMEM;
	memcpy(returned->bytes, bytes, length);
	returned->length = length;
	session->returned = returned;
	return 0;
}

int returned_send(struct session *session)
{
	struct returned *returned = session->returned;
	uint32_t size;
	bool update;
	int r = 0;

	for (size_t at = 0; returned && r == 0 && at < returned->length;
	     at += sizeof(size) + size) {
		r = next(session, returned->bytes + at, returned->length - at, &size, &update);
		if (r < 0)
			break;
		r = session_send(session, CHANNEL_RECORD, returned->bytes + at + sizeof(size),
				 size);
		if (r == 0 && update) {
			session->tx_generation++;
			session->update_unsent = true;
		}
	}
	returned_free(session);
	return r;
}

void returned_free(struct session *session)
{
	if (session->returned)
		explicit_bzero(session->returned->bytes, session->returned->length);
	free(session->returned);
	session->returned = NULL;
}
