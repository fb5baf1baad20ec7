/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of JSON objects in one call.
 */
#ifndef TLS_HANDOFF_JSON_H
#define TLS_HANDOFF_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

static inline void json_put_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static inline void json_put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static inline void json_put_flag(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

/* On lines of its own, for people as well; frees @o. */
static inline void json_print(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

#endif /* TLS_HANDOFF_JSON_H */
