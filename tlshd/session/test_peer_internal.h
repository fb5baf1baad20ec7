/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two kinds of peers share.
 */
#ifndef TLSHD_SESSION_TEST_PEER_INTERNAL_H
#define TLSHD_SESSION_TEST_PEER_INTERNAL_H

#include "test_peer.h"

struct queue {
	uint8_t *bytes;
	size_t length, start;
};

struct peer_ops {
	bool (*handshake)(struct peer *peer);
	void (*write)(struct peer *peer, const void *data, size_t length);
	int (*read)(struct peer *peer, void *data, size_t max);
	void (*key_update)(struct peer *peer, bool request);
	void (*renegotiate)(struct peer *peer);
	bool (*resumed)(const struct peer *peer);
	void (*remember)(struct peer *peer);
	void (*export)(struct peer *peer, const struct peer_export *export, uint8_t *ret);
	void (*free)(struct peer *peer);
};

struct peer_memory {
	uint8_t key[80];  /* OpenSSL's servers */
	void *openssl;	  /* SSL_SESSION, or NULL */
	uint8_t stek[64]; /* GnuTLS's servers */
	uint8_t *gnutls;  /* session data, or NULL */
	size_t length;
	unsigned int tickets;
};

void peer_openssl_forget(struct peer_memory *memory);

struct peer {
	const struct peer_ops *ops;
	struct queue in, out; /* wire bytes to and from it */
	bool failed;
	int alert;
	struct peer_memory *memory;
};

void queue_put(struct queue *queue, const void *bytes, size_t length);
size_t queue_take(struct queue *queue, void *bytes, size_t max);

#endif /* TLSHD_SESSION_TEST_PEER_INTERNAL_H */
