/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS records under a crypto_info, as kTLS makes and opens them: what proves that
 * the keys handed out are the right ones.
 */
#ifndef TLSHD_SESSION_TEST_RECORD_H
#define TLSHD_SESSION_TEST_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "keyinfo.h"

#define RECORD_MAX (5 + 8 + 16384 + 1 + 16)

/* One direction: its crypto_info; the sequence number in it moves on with every record. */
struct record_keys {
	union keyinfo info;
	uint64_t sequence;
};

void record_keys_set(struct record_keys *keys, const void *info, size_t length);

/* Bytes of the record at @ret, header included */
size_t record_seal(struct record_keys *keys, uint8_t type, const void *data, size_t length,
		   uint8_t *ret);
/* Bytes of plaintext at @ret, or -1 if it does not open */
int record_open(struct record_keys *keys, const uint8_t *record, size_t length, uint8_t *ret_type,
		uint8_t *ret);

#endif /* TLSHD_SESSION_TEST_RECORD_H */
