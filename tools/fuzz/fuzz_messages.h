/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input that is messages: each a byte of type, two bytes of length, payload.
 */
#ifndef TOOLS_FUZZ_FUZZ_MESSAGES_H
#define TOOLS_FUZZ_FUZZ_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"

/* Takes the next one off the input, as @session's; a payload that ends early is shorter. */
static inline bool fuzz_message(const uint8_t **data, size_t *size, uint64_t session,
				struct channel_message *ret_message)
{
	const uint8_t *at = *data;
	size_t length;

	if (*size < 3)
		return false;
	length = at[1] | at[2] << 8;
	if (length > *size - 3)
		length = *size - 3;
	*ret_message = (struct channel_message){
		.type = at[0],
		.session = session,
		.payload = at + 3,
		.length = length,
		.fd = -1,
	};
	*data += 3 + length;
	*size -= 3 + length;
	return true;
}

#endif /* TOOLS_FUZZ_FUZZ_MESSAGES_H */
