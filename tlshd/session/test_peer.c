// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queues and dispatch, see test_peer.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "test_peer_internal.h"

void queue_put(struct queue *queue, const void *bytes, size_t length)
{
	uint8_t *grown;

	if (!length)
		return;
	if (queue->length)
		memmove(queue->bytes, queue->bytes + queue->start, queue->length);
	queue->start = 0;
	grown = realloc(queue->bytes, queue->length + length);
	assert_non_null(grown);
	queue->bytes = grown;
	memcpy(queue->bytes + queue->length, bytes, length);
	queue->length += length;
}

size_t queue_take(struct queue *queue, void *bytes, size_t max)
{
	size_t part = queue->length < max ? queue->length : max;

	if (part)
		memcpy(bytes, queue->bytes + queue->start, part);
	queue->start += part;
	queue->length -= part;
	return part;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	free(peer->in.bytes);
	free(peer->out.bytes);
	peer->ops->free(peer);
}

bool peer_handshake(struct peer *peer)
{
	return !peer->failed && peer->ops->handshake(peer);
}

bool peer_resumed(const struct peer *peer)
{
	return peer->ops->resumed(peer);
}

void peer_remember(struct peer *peer)
{
	peer->ops->remember(peer);
}

struct peer_memory *peer_memory_new(void)
{
	struct peer_memory *memory = calloc(1, sizeof(*memory));

	assert_non_null(memory);
	assert_int_equal(getrandom(memory->key, sizeof(memory->key), 0), sizeof(memory->key));
	assert_int_equal(getrandom(memory->stek, sizeof(memory->stek), 0), sizeof(memory->stek));
	return memory;
}

void peer_memory_free(struct peer_memory *memory)
{
	peer_openssl_forget(memory);
	free(memory->gnutls);
	free(memory);
}

unsigned int peer_memory_tickets(const struct peer_memory *memory)
{
	return memory->tickets;
}

bool peer_failed(const struct peer *peer)
{
	return peer->failed;
}

int peer_alert(const struct peer *peer)
{
	return peer->alert;
}

void peer_put(struct peer *peer, const void *bytes, size_t length)
{
	queue_put(&peer->in, bytes, length);
}

size_t peer_pending(const struct peer *peer)
{
	return peer->out.length;
}

size_t peer_peek(const struct peer *peer, void *bytes, size_t max)
{
	size_t part = peer->out.length < max ? peer->out.length : max;

	memcpy(bytes, peer->out.bytes + peer->out.start, part);
	return part;
}

size_t peer_take(struct peer *peer, void *bytes, size_t max)
{
	return queue_take(&peer->out, bytes, max);
}

void peer_write(struct peer *peer, const void *data, size_t length)
{
	peer->ops->write(peer, data, length);
}

int peer_read(struct peer *peer, void *data, size_t max)
{
	return peer->ops->read(peer, data, max);
}

void peer_key_update(struct peer *peer, bool request)
{
	peer->ops->key_update(peer, request);
}

void peer_export(struct peer *peer, const struct peer_export *export, uint8_t *ret)
{
	peer->ops->export(peer, export, ret);
}

void peer_renegotiate(struct peer *peer)
{
	peer->ops->renegotiate(peer);
}
