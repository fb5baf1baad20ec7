// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The channel's parser, both directions: one packet, its attributes, and whether
 * it may come at all.  Input: a byte of flags, then the packet.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "channel.h"
#include "fuzz.h"
#include "log.h"

#define FLAG_TO_AGENT	 1
#define FLAG_STATE_SHIFT 1

/* What was accepted must be readable by every accessor, and be what the table promises. */
static void use_attributes(uint16_t message, const struct attr_table *table)
{
	char *text, shown[64];
	unsigned int type;

	for (type = 0; type <= CHANNEL_A_MAX + 1; type++) {
		if (!attr_has(table, type)) {
			assert(attr_u32(table, type, 7) == 7);
			continue;
		}
		(void)attr_u16(table, type, 0);
		(void)attr_u32(table, type, 0);
		(void)attr_u64(table, type, 0);
		text = NULL;
		if (attr_string(table, type, &text) == 0) {
			log_escape(shown, sizeof(shown), text, strlen(text));
			free(text);
		}
	}
	if (message == CHANNEL_OPEN)
		assert(attr_has(table, CHANNEL_A_ROLE) && attr_has(table, CHANNEL_A_PROFILE) &&
		       attr_has(table, CHANNEL_A_UID));
	else if (message == CHANNEL_DONE)
		assert(attr_u16(table, CHANNEL_A_VERSION, 0) &&
		       attr_u16(table, CHANNEL_A_CIPHER, 0));
	else
		assert(attr_u32(table, CHANNEL_A_STATUS, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t messages[] = { CHANNEL_OPEN, CHANNEL_DONE, CHANNEL_FAIL };
	struct channel_message message;
	struct attr_table table;
	bool known = false;
	size_t i;

	if (size < 1)
		return 0;
	if (channel_parse(data + 1, size - 1, &message) < 0)
		return 0;
	assert(message.length == size - 1 - sizeof(struct channel_header));
	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		if (message.type != messages[i])
			continue;
		if (attr_parse(message.type, message.payload, message.length, &table) == 0)
			use_attributes(message.type, &table);
	}
	for (i = 0; i < CHANNEL_STATE_MAX; i++)
		known |= channel_permitted(data[0] & FLAG_TO_AGENT ? CHANNEL_TO_AGENT :
								     CHANNEL_TO_SESSION,
					   i, message.type);
	assert(!known || (message.type && message.type <= CHANNEL_TYPE_MAX));
	(void)channel_permitted(data[0] & FLAG_TO_AGENT, data[0] >> FLAG_STATE_SHIFT, message.type);
	return 0;
}
