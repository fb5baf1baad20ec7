// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linking kernel keyrings, see keyrings.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <keyutils.h>

#include "keyrings.h"
#include "log.h"

struct keyrings {
	GHashTable *taken; /* serial -> number of handshakes that need it */
	GStrv names;	   /* of the configuration */
};

/* Certificates of mount options are there. */
static const char *const known[] = { ".nfs", ".nfsd" };

int keyrings_new(struct keyrings **ret_keyrings)
{
	struct keyrings *keyrings = g_new0(struct keyrings, 1);

	keyrings->taken = g_hash_table_new(NULL, NULL);
	if (keyctl_join_session_keyring(NULL) < 0)
		log_message(LOG_WARNING,
			    "no session keyring (%s): keys in kernel keyrings cannot be used",
			    strerror(errno));
	*ret_keyrings = keyrings;
	return 0;
}

void keyrings_free(struct keyrings *keyrings)
{
	if (!keyrings)
		return;
	g_hash_table_unref(keyrings->taken);
	g_strfreev(keyrings->names);
	g_free(keyrings);
}

void keyrings_configure(struct keyrings *keyrings, char *const *names, size_t count)
{
	size_t i;

	g_strfreev(keyrings->names);
	keyrings->names = g_new0(char *, count + 1);
	for (i = 0; i < count; i++)
		keyrings->names[i] = g_strdup(names[i]);
}

/* Twice is fine: the keyring has one link to it all the same. */
static int link_session(key_serial_t serial)
{
	return keyctl_link(serial, KEY_SPEC_SESSION_KEYRING) < 0 ? -errno : 0;
}

void keyrings_take(struct keyrings *keyrings, uint32_t serial)
{
	gpointer key = GUINT_TO_POINTER(serial);
	guint count;
	int ret;

	if (!keyrings || !serial)
		return;
	count = GPOINTER_TO_UINT(g_hash_table_lookup(keyrings->taken, key));
	ret = count ? 0 : link_session((key_serial_t)serial);
	if (ret < 0)
		log_message(LOG_WARNING, "cannot link keyring %u for the key holder: %s", serial,
			    strerror(-ret));
	g_hash_table_insert(keyrings->taken, key, GUINT_TO_POINTER(count + 1));
	/* ACCEPT put it there each time, and nobody would take it away. */
	(void)keyctl_unlink((key_serial_t)serial, KEY_SPEC_PROCESS_KEYRING);
}

void keyrings_drop(struct keyrings *keyrings, uint32_t serial)
{
	gpointer key = GUINT_TO_POINTER(serial);
	guint count;

	if (!keyrings || !serial)
		return;
	count = GPOINTER_TO_UINT(g_hash_table_lookup(keyrings->taken, key));
	if (count > 1) {
		g_hash_table_insert(keyrings->taken, key, GUINT_TO_POINTER(count - 1));
		return;
	}
	g_hash_table_remove(keyrings->taken, key);
	(void)keyctl_unlink((key_serial_t)serial, KEY_SPEC_SESSION_KEYRING);
}

/* A serial number as such, else by name; -1: there is none. */
static key_serial_t find(const char *name)
{
	guint64 number;

	if (g_ascii_string_to_unsigned(name, 0, 1, INT32_MAX, &number, NULL))
		return (key_serial_t)number;
	return find_key_by_type_and_desc("keyring", name, 0);
}

static void link_named(const char *name, int priority)
{
	key_serial_t serial = find(name);
	int ret = serial < 0 ? -errno : link_session(serial);

	if (ret < 0)
		log_message(priority, "keyring \"%s\" is not used: %s", name, strerror(-ret));
}

void keyrings_link_known(struct keyrings *keyrings)
{
	size_t i;

	if (!keyrings)
		return;
	for (i = 0; i < G_N_ELEMENTS(known); i++)
		link_named(known[i], LOG_DEBUG);
	for (i = 0; keyrings->names && keyrings->names[i]; i++)
		link_named(keyrings->names[i], LOG_WARNING);
}
