// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Allocation functions for GnuTLS that wipe.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/gnutls.h>

#include "wipe.h"

/* The header hides the variable behind a macro that also clears the pointer. */
#undef gnutls_free

static void wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static void *wipe_and_resize(void *memory, size_t size)
{
	size_t old = memory ? malloc_usable_size(memory) : 0;
	void *resized;

	if (memory && size && size <= old)
		return memory;
	resized = malloc(size ? size : 1);
	if (!resized)
		return NULL;
	if (memory)
		memcpy(resized, memory, old < size ? old : size);
	wipe_and_free(memory);
	return resized;
}

void wipe_freed_memory(void)
{
	gnutls_free = wipe_and_free;
	gnutls_realloc = wipe_and_resize;
}
