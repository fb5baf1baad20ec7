/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What config.c, which loads, and config_value.c, which reads values, share.
 */
#ifndef TLSHD_CHANNEL_CONFIG_INTERNAL_H
#define TLSHD_CHANNEL_CONFIG_INTERNAL_H

#include <glib.h>

struct config {
	const struct config_form *form;
	char *path;
	char *text;
	GKeyFile *file;
	GPtrArray *profiles; /* struct profile */
	const char **names;  /* NULL-terminated, pointing into profiles */
};

/* The name under which the file has @key, NULL if @section cannot have it. */
const char *config_key(const char *section, const char *key);

#endif /* TLSHD_CHANNEL_CONFIG_INTERNAL_H */
