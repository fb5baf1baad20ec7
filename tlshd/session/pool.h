/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for what outlives a handshake, apart from the heap: a small object
 * between GnuTLS's would keep all the pages around it for as long as it lives.
 */
#ifndef TLSHD_SESSION_POOL_H
#define TLSHD_SESSION_POOL_H

#include <stddef.h>

/* Objects of one size; initialise .size, at least a pointer's and a multiple of 16 bytes. */
struct pool {
	size_t size;
	struct pool_object *free;
	struct pool_chunk *chunks;
};

/* A zeroed object, or NULL. */
void *pool_take(struct pool *pool);
/* Wipes it. */
void pool_give(struct pool *pool, void *object);
/* Gives all memory back; every object is gone. */
void pool_free(struct pool *pool);

#endif /* TLSHD_SESSION_POOL_H */
