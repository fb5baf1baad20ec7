/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private keys of the kernel's keyrings that are open, by number.  A number is not
 * given again while its key exists: until it is closed and nobody signs with it.
 */
#ifndef TLSHD_KEYS_KERNEL_TABLE_H
#define TLSHD_KEYS_KERNEL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "backend.h"

struct kernel_table;

int kernel_table_new(struct kernel_table **ret_table);
/* When no signer runs any more: wipes all keys. */
void kernel_table_free(struct kernel_table *table);

/* Takes over @object.  -EMFILE if KEYS_MAX_KERNEL_KEYS are open, -ENOMEM; then it stays the
 * caller's. */
int kernel_table_add(struct kernel_table *table, struct keys_object *object, uint32_t *ret_number);
bool kernel_table_full(const struct kernel_table *table);
/* The open key, or NULL. */
struct keys_object *kernel_table_find(const struct kernel_table *table, uint32_t number);
/* Between get and put the object of an open key lives, closed or not. */
struct keys_object *kernel_table_get(struct kernel_table *table, uint32_t number);
void kernel_table_put(struct kernel_table *table, uint32_t number);
/* -ENOKEY if it is not open. */
int kernel_table_close(struct kernel_table *table, uint32_t number);

#endif /* TLSHD_KEYS_KERNEL_TABLE_H */
