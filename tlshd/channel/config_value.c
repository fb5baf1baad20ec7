// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd.conf for all rooms: typed values of keys.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_internal.h"
#include "log.h"

int config_string(const struct config *config, const char *section, const char *key,
		  char **ret_value, char **ret_error)
{
	const char *name = config_key(section, key);
	g_autoptr(GError) error = NULL;
	g_autofree char *value = NULL;
	char *copy;

	if (!name || !g_key_file_has_key(config->file, section, name, NULL))
		return 0;
	value = g_key_file_get_string(config->file, section, name, &error);
	if (!value) {
		*ret_error =
			config_error(config, section, key, "%s: bad escape or not UTF-8", name);
		return -EINVAL;
	}
	g_strstrip(value);
	if (!*value) {
		*ret_error = config_error(config, section, key, "%s: no value", name);
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy) {
		*ret_error = NULL;
		return -ENOMEM;
	}
	*ret_value = copy;
	return 1;
}

/* RFC 7512: PKCS#11 URIs separate their attributes with ';', as our lists separate entries. */
static bool is_pkcs11_attribute(const char *text)
{
	static const char *const names[] = {
		"token",
		"manufacturer",
		"serial",
		"model",
		"library-manufacturer",
		"library-version",
		"library-description",
		"object",
		"type",
		"id",
		"slot-id",
		"slot-manufacturer",
		"slot-description",
	};
	const char *equals = strchr(text, '=');
	size_t i;

	if (!equals)
		return false;
	if (g_str_has_prefix(text, "x-"))
		return true;
	for (i = 0; i < G_N_ELEMENTS(names); i++)
		if (strlen(names[i]) == (size_t)(equals - text) &&
		    strncmp(names[i], text, equals - text) == 0)
			return true;
	return false;
}

/* Empty pieces are skipped, so that a trailing ';' does no harm. */
static GPtrArray *config_split(char **pieces)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	char *last, *joined;
	size_t i;

	for (i = 0; pieces[i]; i++) {
		char *piece = g_strstrip(pieces[i]);

		last = list->len ? list->pdata[list->len - 1] : NULL;
		if (last && g_str_has_prefix(last, "pkcs11:") && is_pkcs11_attribute(piece)) {
			joined = g_strconcat(last, ";", piece, NULL);
			g_free(last);
			list->pdata[list->len - 1] = joined;
		} else if (*piece) {
			g_ptr_array_add(list, g_strdup(piece));
		}
	}
	return list;
}

int config_list(const struct config *config, const char *section, const char *key,
		char ***ret_values, size_t *ret_count, char **ret_error)
{
	const char *name = config_key(section, key);
	g_autoptr(GPtrArray) list = NULL;
	g_auto(GStrv) pieces = NULL;
	char **values;
	size_t i;

	if (!name || !g_key_file_has_key(config->file, section, name, NULL))
		return 0;
	pieces = g_key_file_get_string_list(config->file, section, name, NULL, NULL);
	if (!pieces) {
		*ret_error =
			config_error(config, section, key, "%s: bad escape or not UTF-8", name);
		return -EINVAL;
	}
	list = config_split(pieces);
	if (!list->len) {
		*ret_error = config_error(config, section, key, "%s: no value", name);
		return -EINVAL;
	}
	if (list->len > CONFIG_MAX_LIST) {
		*ret_error = config_error(config, section, key, "%s: more than %d entries", name,
					  CONFIG_MAX_LIST);
		return -E2BIG;
	}
	values = calloc(list->len, sizeof(*values));
	if (!values)
		goto no_memory;
	for (i = 0; i < list->len; i++) {
		values[i] = strdup(list->pdata[i]);
		if (!values[i]) {
			config_list_free(values, i);
			goto no_memory;
		}
	}
	*ret_values = values;
	*ret_count = list->len;
	return 1;
no_memory:
	*ret_error = NULL;
	return -ENOMEM;
}

void config_list_free(char **values, size_t count)
{
	size_t i;

	for (i = 0; values && i < count; i++)
		free(values[i]);
	free(values);
}

int config_u64(const struct config *config, const char *section, const char *key, uint64_t min,
	       uint64_t max, uint64_t *ret_value, char **ret_error)
{
	char *text, shown[64];
	guint64 value;
	bool ok;
	int ret;

	ret = config_string(config, section, key, &text, ret_error);
	if (ret <= 0)
		return ret;
	ok = g_ascii_string_to_unsigned(text, 10, min, max, &value, NULL);
	log_escape(shown, sizeof(shown), text, strlen(text));
	free(text);
	if (!ok) {
		*ret_error = config_error(config, section, key,
					  "%s: \"%s\" is no number from %llu to %llu", key, shown,
					  (unsigned long long)min, (unsigned long long)max);
		return -EINVAL;
	}
	*ret_value = value;
	return 1;
}

int config_enum(const struct config *config, const char *section, const char *key,
		const char *const *names, unsigned int *ret_value, char **ret_error)
{
	g_autofree char *choices = NULL;
	char *text, shown[64];
	unsigned int i;
	int ret;

	ret = config_string(config, section, key, &text, ret_error);
	if (ret <= 0)
		return ret;
	for (i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			break;
	log_escape(shown, sizeof(shown), text, strlen(text));
	free(text);
	if (!names[i]) {
		choices = g_strjoinv(", ", (char **)names);
		*ret_error = config_error(config, section, key, "%s: \"%s\" is none of %s", key,
					  shown, choices);
		return -EINVAL;
	}
	*ret_value = i;
	return 1;
}

int config_bool(const struct config *config, const char *section, const char *key, bool *ret_value,
		char **ret_error)
{
	static const char *const names[] = { "no", "yes", "false", "true", "0", "1", NULL };
	unsigned int value;
	int ret;

	ret = config_enum(config, section, key, names, &value, ret_error);
	if (ret > 0)
		*ret_value = value % 2;
	return ret;
}
