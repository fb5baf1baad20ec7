/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes in OPEN, DONE and FAIL: building and reading them, with the bound
 * and form of each attribute in one table.
 */
#ifndef TLSHD_CHANNEL_ATTR_H
#define TLSHD_CHANNEL_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* A growing payload; zero-initialise.  attr_put_*() keep the first error and do nothing
 * after it; attr_builder_error() tells it.  attr_builder_free() wipes. */
struct attr_builder {
	uint8_t *data;
	size_t length;
	size_t size;
	int error;
};

void attr_put(struct attr_builder *builder, uint16_t type, const void *value, size_t length);
void attr_put_u16(struct attr_builder *builder, uint16_t type, uint16_t value);
void attr_put_u32(struct attr_builder *builder, uint16_t type, uint32_t value);
void attr_put_u64(struct attr_builder *builder, uint16_t type, uint64_t value);
void attr_put_string(struct attr_builder *builder, uint16_t type,
		     const char *value); /* NULL: nothing */
int attr_builder_error(const struct attr_builder *builder) __attribute__((warn_unused_result));
void attr_builder_free(struct attr_builder *builder);

/* Parsed attributes: views into the payload, which must outlive them. */
struct attr_view {
	const uint8_t *value; /* NULL: absent */
	uint16_t length;
};

struct attr_table {
	struct attr_view view[CHANNEL_A_MAX + 1];
};

/* Checks every attribute against the table of forms (known type, allowed in @message,
 * exact or bounded length, strings without NUL and control characters where the table
 * says so, each at most once, required ones there).  0 or -EPROTO. */
int attr_parse(uint16_t message, const uint8_t *payload, size_t length,
	       struct attr_table *ret_table) __attribute__((warn_unused_result));

bool attr_has(const struct attr_table *table, uint16_t type);
/* The value, or @absent where the attribute is not there. */
uint16_t attr_u16(const struct attr_table *table, uint16_t type, uint16_t absent);
uint32_t attr_u32(const struct attr_table *table, uint16_t type, uint32_t absent);
uint64_t attr_u64(const struct attr_table *table, uint16_t type, uint64_t absent);
/* Copies at most @max values; how many: 0 where the attribute is not there. */
size_t attr_u32_array(const struct attr_table *table, uint16_t type, uint32_t *ret_values,
		      size_t max);
/* A fresh NUL-terminated copy to free(), or NULL if absent or out of memory (then *ret is
 * untouched and -ENOMEM returned). */
int attr_string(const struct attr_table *table, uint16_t type, char **ret_string)
	__attribute__((warn_unused_result));

#endif /* TLSHD_CHANNEL_ATTR_H */
