// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open kernel keys, see kernel_table.h.
 */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>

#include "kernel_table.h"

struct entry {
	uint32_t number;
	struct keys_object *object;
	unsigned int users; /* jobs under way */
	bool closed;
};

struct kernel_table {
	GHashTable *entries; /* &entry->number: entry */
	uint32_t next;
};

static void free_entry(void *arg)
{
	struct entry *entry = arg;

	keys_object_free(entry->object);
	free(entry);
}

int kernel_table_new(struct kernel_table **ret_table)
{
	struct kernel_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->entries = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, free_entry);
	*ret_table = table;
	return 0;
}

void kernel_table_free(struct kernel_table *table)
{
	if (!table)
		return;
	g_hash_table_destroy(table->entries);
	free(table);
}

bool kernel_table_full(const struct kernel_table *table)
{
	return g_hash_table_size(table->entries) >= KEYS_MAX_KERNEL_KEYS;
}

/* There are fewer keys than numbers. */
static uint32_t free_number(struct kernel_table *table)
{
	uint32_t number;

	do
		number = KEYS_KERNEL_NUMBERS + table->next++ % KEYS_KERNEL_NUMBERS;
	while (g_hash_table_contains(table->entries, &number));
	return number;
}

int kernel_table_add(struct kernel_table *table, struct keys_object *object, uint32_t *ret_number)
{
	struct entry *entry;

	if (kernel_table_full(table))
		return -EMFILE;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->object = object;
	entry->number = *ret_number = free_number(table);
	g_hash_table_insert(table->entries, &entry->number, entry);
	return 0;
}

static struct entry *find(const struct kernel_table *table, uint32_t number)
{
	struct entry *entry = g_hash_table_lookup(table->entries, &number);

	return entry && !entry->closed ? entry : NULL;
}

struct keys_object *kernel_table_find(const struct kernel_table *table, uint32_t number)
{
	struct entry *entry = find(table, number);

	return entry ? entry->object : NULL;
}

struct keys_object *kernel_table_get(struct kernel_table *table, uint32_t number)
{
	struct entry *entry = find(table, number);

	if (!entry)
		return NULL;
	entry->users++;
	return entry->object;
}

static void drop_if_unused(struct kernel_table *table, struct entry *entry)
{
	if (entry->closed && !entry->users)
		g_hash_table_remove(table->entries, &entry->number);
}

void kernel_table_put(struct kernel_table *table, uint32_t number)
{
	struct entry *entry = g_hash_table_lookup(table->entries, &number);

	entry->users--;
	drop_if_unused(table, entry);
}

int kernel_table_close(struct kernel_table *table, uint32_t number)
{
	struct entry *entry = find(table, number);

	if (!entry)
		return -ENOKEY;
	entry->closed = true;
	drop_if_unused(table, entry);
	return 0;
}
