// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped chunks cut into objects, with a list of the free ones.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "pool.h"

#define CHUNK (64 * 1024) /* bytes */

struct pool_object {
	struct pool_object *next;
};

struct pool_chunk {
	struct pool_chunk *next;
	uint64_t align;
	uint8_t objects[];
};

static void pool_grow(struct pool *pool)
{
	struct pool_chunk *chunk;

	chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	for (size_t at = sizeof(*chunk); at + pool->size <= CHUNK; at += pool->size)
		pool_give(pool, (uint8_t *)chunk + at);
}

void *pool_take(struct pool *pool)
{
	struct pool_object *object;

	if (!pool->free)
		pool_grow(pool);
	object = pool->free;
	if (!object)
		return NULL;
	pool->free = object->next;
	object->next = NULL;
	return object;
}

void pool_give(struct pool *pool, void *object)
{
	struct pool_object *free_object = object;

	explicit_bzero(object, pool->size);
	free_object->next = pool->free;
	pool->free = free_object;
}

void pool_free(struct pool *pool)
{
	struct pool_chunk *chunk;

	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		munmap(chunk, CHUNK);
	}
	pool->free = NULL;
}
