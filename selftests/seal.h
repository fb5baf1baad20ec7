/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLS 1.3 records sealed by hand, so that a peer can send what kTLS never would:
 * padding, no content, no content type, too much of either.
 */
#ifndef SELFTESTS_SEAL_H
#define SELFTESTS_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib.h"

/* Header, the longest plaintext a test makes, and the tag */
#define SEAL_MAX_PLAINTEXT	20000
#define SEAL_MAX_RECORD		(5 + SEAL_MAX_PLAINTEXT + 16)

/* One direction of a TLS 1.3 connection with TLS_CIPHER_AES_GCM_128 */
struct seal {
	struct keys keys;
	uint64_t sequence;
};

/* Keys of lib.h's fixed ones */
void seal_start(struct seal *seal, int direction, unsigned int generation);
/*
 * A TLSCiphertext at @record around @plaintext, which is the whole TLSInnerPlaintext
 * (RFC 8446 5.2). Its bytes, or 0 if it could not be made.
 */
size_t seal_record(struct seal *seal, const void *plaintext, size_t length, uint8_t *record);
/* Seals content, type and @padding zeros and sends them over plain TCP. 0 or -errno. */
int seal_send(struct seal *seal, int fd, uint8_t type, const void *content, size_t length,
	      size_t padding);

/*
 * DONE for a connection that began; the peer sends by hand from now on, and kTLS opens
 * what it receives. 0 or -errno.
 */
int seal_finish(struct pair *pair, struct seal *seal, bool truncation_eof);

#endif /* SELFTESTS_SEAL_H */
