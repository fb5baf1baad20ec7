// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the configuration to opened keys, see keyset.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyset.h"
#include "log.h"

/* What loading carries along */
struct loader {
	const struct config *config;
	const char *profile;
	const char *section;
	keyset_report *report;
	struct keyset *keyset;
	int mistakes;
};

static void take_mistake(struct loader *loader, char *mistake)
{
	loader->mistakes++;
	loader->report(mistake ? mistake : "out of memory");
	free(mistake);
}

/* @name is from the file: escaped. */
static void mistake(struct loader *loader, const char *key, const char *name, const char *words)
{
	char shown[512];

	log_escape(shown, sizeof(shown), name, strlen(name));
	take_mistake(loader, config_error(loader->config, loader->section, key, "%s \"%s\" %s", key,
					  shown, words));
}

static struct keys_object *find_object(const struct keyset *keyset, const char *name, bool psk)
{
	for (size_t i = 0; i < keyset->object_count; i++) {
		struct keys_object *object = keyset->objects[i];

		if (!strcmp(object->name, name) && !object->backend->sign == psk)
			return object;
	}
	return NULL;
}

static int add_object(struct keyset *keyset, struct keys_object *object)
{
	struct keys_object **grown;

	grown = reallocarray(keyset->objects, keyset->object_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	keyset->objects = grown;
	grown[keyset->object_count++] = object;
	return 0;
}

/* An object for @source: a new one that was tried, or the one that has it open. */
static int get_object(struct loader *loader, const char *source, bool psk,
		      struct keys_object **ret_object, struct keys_words *words)
{
	struct keys_object *object = find_object(loader->keyset, source, psk);
	struct keys_opener *opener = &loader->keyset->opener;
	int ret;

	if (object) {
		*ret_object = object;
		return 0;
	}
	ret = psk ? keys_open_psk(opener, source, &object, words) :
		    keys_open(opener, source, &object, words);
	if (ret < 0)
		return ret;
	ret = keys_self_test(object, words);
	if (ret == 0 && add_object(loader->keyset, object) < 0)
		ret = keys_fail(words, ENOMEM, "does not fit into memory");
	if (ret < 0) {
		keys_object_free(object);
		return ret;
	}
	*ret_object = object;
	return 0;
}

/* Appends to @entries; takes over @identity on success. */
static int add_entry(struct keys_entry **entries, size_t *count, const char *profile, size_t index,
		     char *identity, struct keys_object *object)
{
	struct keys_entry *grown, *entry;

	grown = reallocarray(*entries, *count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*entries = grown;
	entry = &grown[(*count)++];
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->profile, sizeof(entry->profile), "%s", profile);
	entry->index = (uint32_t)index;
	entry->identity = identity;
	entry->object = object;
	return 0;
}

static void load_key(struct loader *loader, const char *source, size_t index)
{
	struct keyset *keyset = loader->keyset;
	struct keys_object *object = NULL;
	struct keys_words words = { "" };
	int ret;

	if (keyset->key_count == KEYS_MAX_KEYS) {
		keys_say(&words, "is one key too many: at most %d", KEYS_MAX_KEYS);
		mistake(loader, "private_key", source, words.text);
		return;
	}
	ret = get_object(loader, source, false, &object, &words);
	if (ret == 0 &&
	    add_entry(&keyset->keys, &keyset->key_count, loader->profile, index, NULL, object) < 0)
		ret = keys_fail(&words, ENOMEM, "does not fit into memory");
	if (ret < 0)
		mistake(loader, "private_key", source, words.text);
}

/* IDENTITY:FILE; an identity may have colons, NVMe's do. */
static int split_psk(const char *value, char **ret_identity, const char **ret_file,
		     struct keys_words *words)
{
	const char *colon = strrchr(value, ':');
	size_t length;
	char *identity;

	if (!colon || colon == value || !colon[1])
		return keys_fail(words, EINVAL, "is not of the form IDENTITY:FILE");
	length = (size_t)(colon - value);
	if (length > KEYS_MAX_IDENTITY)
		return keys_fail(words, EINVAL, "has an identity of more than %d bytes",
				 KEYS_MAX_IDENTITY);
	identity = strndup(value, length);
	if (!identity)
		return keys_fail(words, ENOMEM, "does not fit into memory");
	*ret_identity = identity;
	*ret_file = colon + 1;
	return 0;
}

static bool have_identity(const struct loader *loader, const char *identity)
{
	const struct keyset *keyset = loader->keyset;

	for (size_t i = 0; i < keyset->psk_count; i++)
		if (!strcmp(keyset->psks[i].profile, loader->profile) &&
		    !strcmp(keyset->psks[i].identity, identity))
			return true;
	return false;
}

static void load_psk(struct loader *loader, const char *value, size_t index)
{
	struct keyset *keyset = loader->keyset;
	struct keys_object *object = NULL;
	struct keys_words words = { "" };
	char *identity = NULL;
	const char *file = NULL;
	int ret;

	ret = split_psk(value, &identity, &file, &words);
	if (ret == 0 && keyset->psk_count == KEYS_MAX_KEYS)
		ret = keys_fail(&words, ENOSPC, "is one PSK too many: at most %d", KEYS_MAX_KEYS);
	if (ret == 0 && have_identity(loader, identity))
		ret = keys_fail(&words, EEXIST, "gives an identity that this profile already has");
	if (ret == 0)
		ret = get_object(loader, file, true, &object, &words);
	if (ret == 0 && add_entry(&keyset->psks, &keyset->psk_count, loader->profile, index,
				  identity, object) < 0)
		ret = keys_fail(&words, ENOMEM, "does not fit into memory");
	if (ret == 0)
		return;
	free(identity);
	mistake(loader, "psk", value, words.text);
}

static void load_list(struct loader *loader, const char *key,
		      void (*load)(struct loader *loader, const char *value, size_t index))
{
	char **values = NULL, *error = NULL;
	size_t count = 0;
	int ret;

	ret = config_list(loader->config, loader->section, key, &values, &count, &error);
	if (ret < 0) {
		take_mistake(loader, error);
		return;
	}
	if (ret == 0)
		return;
	for (size_t i = 0; i < count; i++)
		load(loader, values[i], i);
	config_list_free(values, count);
}

static int init_opener(struct loader *loader)
{
	char *tcti = NULL, *error = NULL;
	int ret;

	ret = config_string(loader->config, "tpm", "tcti", &tcti, &error);
	if (ret < 0)
		take_mistake(loader, error);
	ret = keys_opener_init(&loader->keyset->opener, tcti);
	free(tcti);
	return ret;
}

int keyset_load(const struct config *config, keyset_report *report, struct keyset **ret_keyset)
{
	struct loader loader = { .config = config, .report = report };
	const char *const *profile;

	loader.keyset = calloc(1, sizeof(*loader.keyset));
	if (!loader.keyset || init_opener(&loader) < 0) {
		free(loader.keyset);
		return -ENOMEM;
	}
	for (profile = config_profiles(config); *profile; profile++) {
		loader.profile = *profile;
		loader.section = config_profile_section(config, *profile);
		load_list(&loader, "private_key", load_key);
		load_list(&loader, "psk", load_psk);
	}
	if (loader.keyset->opener.tpm)
		tpm_serve(loader.keyset->opener.tpm);
	*ret_keyset = loader.keyset;
	return loader.mistakes;
}

static void free_entries(struct keys_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(entries[i].identity);
	free(entries);
}

void keyset_free(struct keyset *keyset)
{
	if (!keyset)
		return;
	free_entries(keyset->keys, keyset->key_count);
	free_entries(keyset->psks, keyset->psk_count);
	for (size_t i = 0; i < keyset->object_count; i++)
		keys_object_free(keyset->objects[i]);
	free(keyset->objects);
	keys_opener_clear(&keyset->opener);
	free(keyset);
}
