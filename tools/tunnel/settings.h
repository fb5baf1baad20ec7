/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: what each service is told to do.  It never changes once it is read; a
 * connection goes on with what it began with.
 */
#ifndef TUNNEL_SETTINGS_H
#define TUNNEL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "config.h"
#include "options.h"
#include "starttls.h"

#define SETTINGS_MAX_SERVICES CONFIG_MAX_PROFILES

/**
 * struct settings - one [service NAME]
 * @refs: settings_get(), settings_put()
 * @accepts: whether @accept says where; else the socket comes from systemd
 * @secure: the handshake on the side that talks TLS
 * @eof: a TLS peer that closes without close_notify has ended, too
 * @timeout_handshake, @timeout_connect, @timeout_idle: milliseconds; 0 of @timeout_idle is none
 * @max_connections: 0 is as many as there are file descriptors for
 */
struct settings {
	unsigned int refs;
	char *name;
	bool accepts;
	struct addresses accept, connect;
	bool client;
	struct options secure;
	enum starttls_protocol protocol;
	bool eof;
	uint32_t timeout_handshake, timeout_connect, timeout_idle;
	unsigned int max_connections;
	char **texts; /* what @secure points to */
	size_t text_count;
};

struct settings_list {
	size_t count;
	struct settings *services[SETTINGS_MAX_SERVICES];
};

/* Reads the file @path, or @text, which @path then names in errors.  0, or -errno with a sentence
 * in *ret_error, which the caller frees. */
int settings_load(const char *path, const char *text, struct settings_list *ret_list,
		  char **ret_error);
void settings_list_clear(struct settings_list *list);

struct settings *settings_get(struct settings *settings);
void settings_put(struct settings *settings); /* accepts NULL */

/* The keys of a service, NULL-terminated. */
const char *const *settings_keys(void);

#endif /* TUNNEL_SETTINGS_H */
