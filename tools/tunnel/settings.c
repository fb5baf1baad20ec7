// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration of services, see settings.h.  What is also an option of connect and listen
 * is read by their parser.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define DEFAULT_CONNECT 10    /* seconds */
#define DEFAULT_IDLE	43200 /* as stunnel has it */
#define TIMEOUT_MAX	(24 * 3600 * 30)
#define MAX_CONNECTIONS 1000000

static const char *const keys[] = { "accept",
				    "connect",
				    "client",
				    "profile",
				    "name",
				    "alpn",
				    "psk",
				    "unauth",
				    "rawpk",
				    "client_cert",
				    "min_version",
				    "max_version",
				    "ciphers",
				    "resume",
				    "protocol",
				    "truncation",
				    "timeout_handshake",
				    "timeout_connect",
				    "timeout_idle",
				    "max_connections",
				    NULL };

static const struct config_form form = { .prefix = "service ", .keys = keys };

/* Keys whose text is the value of an option */
static const struct {
	const char *key, *option;
} text_options[] = {
	{ "profile", "profile" },
	{ "name", "name" },
	{ "alpn", "alpn" },
	{ "psk", "psk" },
	{ "client_cert", "client-cert" },
	{ "min_version", "min-version" },
	{ "max_version", "max-version" },
	{ "ciphers", "ciphers" },
	{ "timeout_handshake", "timeout" },
};

/* Keys that are yes or no, and the option that the one value stands for */
static const struct {
	const char *key, *option;
	bool value;
} switch_options[] = {
	{ "unauth", "unauth", true },
	{ "rawpk", "rawpk", true },
	{ "resume", "no-resume", false },
};

const char *const *settings_keys(void)
{
	return keys;
}

struct settings *settings_get(struct settings *settings)
{
	settings->refs++;
	return settings;
}

void settings_put(struct settings *settings)
{
	if (!settings || --settings->refs)
		return;
	for (size_t i = 0; i < settings->text_count; i++)
		free(settings->texts[i]);
	free(settings->texts);
	free(settings->name);
	free(settings);
}

void settings_list_clear(struct settings_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		settings_put(list->services[i]);
	list->count = 0;
}

/* What one service is read with; @others were read before */
struct reader {
	const struct settings_list *others;
	const struct config *config;
	const char *section;
	struct settings *settings;
	char **error;
};

static int mistake(struct reader *reader, const char *key, const char *why)
{
	*reader->error = config_error(reader->config, reader->section, key, "%s: %s", key, why);
	return -EINVAL;
}

/* @text is kept until the settings go. */
static int keep(struct settings *settings, char *text)
{
	char **texts = realloc(settings->texts, (settings->text_count + 1) * sizeof(*texts));

	if (!texts) {
		free(text);
		return -ENOMEM;
	}
	texts[settings->text_count++] = text;
	settings->texts = texts;
	return 0;
}

static int read_option(struct reader *reader, const char *key, const char *option)
{
	const char *why;
	char *text;
	int r;

	r = config_string(reader->config, reader->section, key, &text, reader->error);
	if (r <= 0)
		return r;
	r = keep(reader->settings, text);
	if (r < 0)
		return r;
	why = options_take(option, text, &reader->settings->secure);
	return why ? mistake(reader, key, why) : 0;
}

static int read_switch(struct reader *reader, const char *key, const char *option, bool value)
{
	const char *why;
	bool on;
	int r;

	r = config_bool(reader->config, reader->section, key, &on, reader->error);
	if (r <= 0 || on != value)
		return r < 0 ? r : 0;
	why = options_take(option, NULL, &reader->settings->secure);
	return why ? mistake(reader, key, why) : 0;
}

static int read_handshake(struct reader *reader)
{
	struct handoff_options *handoff = &reader->settings->secure.handoff;
	int r;

	for (size_t i = 0; i < sizeof(text_options) / sizeof(*text_options); i++) {
		r = read_option(reader, text_options[i].key, text_options[i].option);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < sizeof(switch_options) / sizeof(*switch_options); i++) {
		r = read_switch(reader, switch_options[i].key, switch_options[i].option,
				switch_options[i].value);
		if (r < 0)
			return r;
	}
	if (handoff->min_version && handoff->max_version &&
	    handoff->min_version > handoff->max_version)
		return mistake(reader, "max_version", "below min_version");
	if (!handoff->timeout)
		handoff->timeout = TLS_HANDOFF_DEFAULT_TIMEOUT;
	reader->settings->timeout_handshake = handoff->timeout;
	return 0;
}

/* 1 if @key was there. */
static int read_addresses(struct reader *reader, const char *key, bool passive,
			  struct addresses *addresses)
{
	const char *why;
	char *text;
	int r;

	r = config_string(reader->config, reader->section, key, &text, reader->error);
	if (r <= 0)
		return r;
	why = addresses_resolve(text, passive, addresses);
	r = why ? mistake(reader, key, why) : 1;
	free(text);
	return r;
}

static bool share_address(const struct addresses *a, const struct addresses *b)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (address_same(&a->list[i], &b->list[j]))
				return true;
	return false;
}

/* Two services cannot accept at one address. */
static int check_accept(struct reader *reader)
{
	for (size_t i = 0; i < reader->others->count; i++)
		if (share_address(&reader->others->services[i]->accept, &reader->settings->accept))
			return mistake(reader, "accept", "another service has that address");
	return 0;
}

static int read_ends(struct reader *reader)
{
	struct settings *settings = reader->settings;
	struct handoff_options *handoff = &settings->secure.handoff;
	int r;

	r = config_bool(reader->config, reader->section, "client", &settings->client,
			reader->error);
	if (r >= 0)
		r = read_addresses(reader, "accept", true, &settings->accept);
	if (r < 0)
		return r;
	settings->accepts = r > 0;
	r = check_accept(reader);
	if (r < 0)
		return r;
	r = read_addresses(reader, "connect", false, &settings->connect);
	if (r < 0)
		return r;
	if (!r)
		return mistake(reader, "connect", "is missing");
	if (settings->client && settings->connect.local)
		return mistake(reader, "connect", "a UNIX socket cannot talk TLS");
	if (!settings->client && settings->accept.local)
		return mistake(reader, "accept", "a UNIX socket cannot talk TLS");
	if (!settings->client || handoff->peer_name || handoff->auth)
		return 0;
	if (!*settings->connect.host)
		return mistake(reader, "name",
			       "is missing: which name has the server's certificate?");
	handoff->peer_name = settings->connect.host;
	return 0;
}

static int read_seconds(struct reader *reader, const char *key, uint64_t least, uint64_t value,
			uint32_t *ret_milliseconds)
{
	int r;

	r = config_u64(reader->config, reader->section, key, least, TIMEOUT_MAX, &value,
		       reader->error);
	if (r >= 0)
		*ret_milliseconds = value * 1000;
	return r < 0 ? r : 0;
}

static int read_rest(struct reader *reader)
{
	static const char *const truncations[] = { "error", "eof", NULL };
	struct settings *settings = reader->settings;
	unsigned int choice = 0;
	uint64_t most = 0;
	int r;

	r = config_enum(reader->config, reader->section, "protocol", starttls_names, &choice,
			reader->error);
	if (r < 0)
		return r;
	if (r > 0)
		settings->protocol = choice + 1;
	choice = 0;
	r = config_enum(reader->config, reader->section, "truncation", truncations, &choice,
			reader->error);
	if (r < 0)
		return r;
	settings->eof = choice;
	r = read_seconds(reader, "timeout_connect", 1, DEFAULT_CONNECT, &settings->timeout_connect);
	if (r == 0)
		r = read_seconds(reader, "timeout_idle", 0, DEFAULT_IDLE, &settings->timeout_idle);
	if (r < 0)
		return r;
	r = config_u64(reader->config, reader->section, "max_connections", 0, MAX_CONNECTIONS,
		       &most, reader->error);
	settings->max_connections = most;
	return r < 0 ? r : 0;
}

/* Adds a service to @list. */
static int read_service(const struct config *config, const char *name, struct settings_list *list,
			char **ret_error)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	struct reader reader = {
		.others = list,
		.config = config,
		.section = config_profile_section(config, name),
		.settings = settings,
		.error = ret_error,
	};
	int r;

	if (!settings)
		return -ENOMEM;
	settings->refs = 1;
	settings->name = strdup(name);
	r = settings->name ? read_handshake(&reader) : -ENOMEM;
	if (r == 0)
		r = read_ends(&reader);
	if (r == 0)
		r = read_rest(&reader);
	if (r < 0) {
		settings_put(settings);
		return r;
	}
	list->services[list->count++] = settings;
	return 0;
}

int settings_load(const char *path, const char *text, struct settings_list *ret_list,
		  char **ret_error)
{
	struct settings_list list = { .count = 0 };
	const char *const *names;
	struct config *config;
	int r;

	*ret_error = NULL;
	r = config_load_form(path, text, &form, &config, ret_error);
	if (r < 0)
		return r;
	names = config_profiles(config);
	if (!*names) {
		*ret_error = config_error(config, "", NULL, "there is no [service NAME] in it");
		r = -EINVAL;
	}
	for (; r == 0 && *names; names++)
		r = read_service(config, *names, &list, ret_error);
	config_free(config);
	if (r < 0) {
		settings_list_clear(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}
