// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd.conf for all rooms: loading with errors that name file, line and
 * mistake, the table of known keys, and profiles.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "../../uapi/linux/tls_handoff.h"
#include "config.h"
#include "config_internal.h"
#include "log.h"

#define CONFIG_PROFILE_PREFIX  "profile "
#define CONFIG_DEFAULT_PROFILE "default"

struct profile {
	char *name;
	char *section;
};

static const char *const profile_keys[] = { "certificate",   "private_key",
					    "truststore",    "crl",
					    "psk",	     "allow",
					    "min_version",   "ciphers",
					    "alpn",	     "client_cert",
					    "unauth",	     "resume",
					    "resume_tls12",  "ticket_lifetime",
					    "stek_rotation", "rekey_records",
					    "rekey_bytes",   "rekey_seconds",
					    "update_rate",   "handler_timeout",
					    "truncation",    NULL };
static const struct config_form tlshd_form = { CONFIG_PROFILE_PREFIX, profile_keys };
static const char *const tpm_keys[] = { "tcti", NULL };
/* ktls-utils' */
static const char *const debug_keys[] = { "loglevel", "tls", "nl", "delay_done", NULL };
static const char *const authenticate_keys[] = { "keyrings", NULL };
static const char *const x509_keys[] = { "x509.truststore",
					 "x509.crl",
					 "x509.certificate",
					 "x509.private_key",
					 "x509.pq.certificate",
					 "x509.pq.private_key",
					 NULL };

static const struct {
	const char *section;
	const char *const *keys;
} known_sections[] = {
	{ "tpm", tpm_keys },
	{ "debug", debug_keys },
	{ "authenticate", authenticate_keys },
	{ "authenticate.client", x509_keys },
	{ "authenticate.server", x509_keys },
};

/* Profiles of kernel consumers: a section of their own, else ktls-utils' section */
static const struct {
	const char *profile;
	const char *section;
} kernel_profiles[] = {
	{ "nfs", "authenticate.client" },
	{ "nvme", "authenticate.client" },
	{ "nfsd", "authenticate.server" },
	{ "nvmet", "authenticate.server" },
};

/* Our names of ktls-utils' keys */
static const char *const x509_names[][2] = {
	{ "truststore", "x509.truststore" },
	{ "crl", "x509.crl" },
	{ "certificate", "x509.certificate" },
	{ "private_key", "x509.private_key" },
};

bool config_is_kernel_profile(const char *profile)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(kernel_profiles); i++)
		if (strcmp(kernel_profiles[i].profile, profile) == 0)
			return true;
	return false;
}

static bool is_authenticate(const char *section)
{
	return strncmp(section, "authenticate.", strlen("authenticate.")) == 0;
}

const char *config_key(const char *section, const char *key)
{
	size_t i;

	if (!is_authenticate(section))
		return key;
	for (i = 0; i < G_N_ELEMENTS(x509_names); i++)
		if (strcmp(x509_names[i][0], key) == 0)
			return x509_names[i][1];
	return strncmp(key, "x509.", strlen("x509.")) == 0 ? key : NULL;
}

static char *config_vformat(const char *path, size_t line, const char *format, va_list args)
{
	g_autofree char *words = g_strdup_vprintf(format, args);
	char *error = NULL;
	int n;

	if (line)
		n = asprintf(&error, "%s:%zu: %s", path, line, words);
	else
		n = asprintf(&error, "%s: %s", path, words);
	return n < 0 ? NULL : error;
}

/* @line 0: no line to name. */
static char *__attribute__((format(printf, 3, 4))) config_format(const char *path, size_t line,
								 const char *format, ...)
{
	va_list args;
	char *error;

	va_start(args, format);
	error = config_vformat(path, line, format, args);
	va_end(args);
	return error;
}

/* One line of the file as the key file parser takes it */
enum line_kind { LINE_OTHER, LINE_SECTION, LINE_KEY };

struct line {
	enum line_kind kind;
	const char *name; /* of the section or key */
	size_t length;
};

static struct line config_read_line(const char *start, const char *end)
{
	struct line line = { LINE_OTHER };
	const char *stop;

	while (start < end && g_ascii_isspace(*start))
		start++;
	if (start == end || *start == '#')
		return line;
	if (*start == '[') {
		stop = memchr(start, ']', end - start);
		if (!stop)
			return line;
		return (struct line){ LINE_SECTION, start + 1, stop - start - 1 };
	}
	stop = memchr(start, '=', end - start);
	if (!stop)
		return line;
	while (stop > start && g_ascii_isspace(stop[-1]))
		stop--;
	return (struct line){ LINE_KEY, start, stop - start };
}

static bool line_is(const struct line *line, const char *name)
{
	return strlen(name) == line->length && memcmp(line->name, name, line->length) == 0;
}

/* Line of @key's last occurrence in @section (@key NULL or not there: the section's), else 0. */
static size_t config_line(const char *text, const char *section, const char *key)
{
	size_t number = 0, section_line = 0, key_line = 0;
	bool inside = false;
	const char *end;
	struct line line;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		number++;
		line = config_read_line(text, end);
		if (line.kind == LINE_SECTION) {
			inside = line_is(&line, section);
			if (inside && !section_line)
				section_line = number;
		} else if (line.kind == LINE_KEY && inside && key && line_is(&line, key)) {
			key_line = number;
		}
	}
	return key_line ? key_line : section_line;
}

static int config_read_file(const char *path, char **ret_text, char **ret_error)
{
	g_autofree char *text = NULL;
	struct stat st;
	size_t size = 0;
	ssize_t n;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		ret = -errno;
		if (ret == -ENOENT && strcmp(path, CONFIG_DEFAULT_PATH) == 0) {
			*ret_text = g_strdup("");
			return 0;
		}
		*ret_error = config_format(path, 0, "cannot open: %s", g_strerror(-ret));
		return ret;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		*ret_error = config_format(path, 0, "not a regular file");
		ret = -EINVAL;
		goto out;
	}
	text = g_malloc(CONFIG_MAX_SIZE + 1);
	while (size <= CONFIG_MAX_SIZE) {
		n = read(fd, text + size, CONFIG_MAX_SIZE + 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = -errno;
			*ret_error = config_format(path, 0, "cannot read: %s", g_strerror(-ret));
			goto out;
		}
		if (n == 0)
			break;
		size += n;
	}
	ret = -EFBIG;
	if (size > CONFIG_MAX_SIZE) {
		*ret_error = config_format(path, 0, "larger than %d bytes", CONFIG_MAX_SIZE);
		goto out;
	}
	text[size] = '\0';
	ret = -EINVAL;
	if (memchr(text, '\0', size)) {
		*ret_error = config_format(path, 0, "contains a NUL byte");
		goto out;
	}
	*ret_text = g_steal_pointer(&text);
	ret = 0;
out:
	close(fd);
	return ret;
}

static GKeyFile *config_parse_text(const char *text, size_t length, GError **ret_error)
{
	GKeyFile *file = g_key_file_new();

	if (length && !g_key_file_load_from_data(file, text, length, G_KEY_FILE_NONE, ret_error)) {
		g_key_file_free(file);
		return NULL;
	}
	return file;
}

static size_t text_of_lines(const char *text, size_t lines)
{
	const char *at = text;

	while (lines-- && *at) {
		at = strchrnul(at, '\n');
		if (*at)
			at++;
	}
	return at - text;
}

/* GLib does not say in which line it stopped: the first line whose prefix does not load. */
static size_t config_syntax_line(const char *text)
{
	size_t good = 0, bad = 1, middle;
	const char *at;
	GKeyFile *file;

	for (at = text; *at; at++)
		bad += *at == '\n';
	while (bad - good > 1) {
		middle = good + (bad - good) / 2;
		file = config_parse_text(text, text_of_lines(text, middle), NULL);
		if (file) {
			g_key_file_free(file);
			good = middle;
		} else {
			bad = middle;
		}
	}
	return bad;
}

/* A closer look than GLib's words at what is wrong with a line. */
static char *config_syntax_error(const char *path, const char *text, size_t number)
{
	const char *start = text + text_of_lines(text, number - 1);
	const char *end = strchrnul(start, '\n');
	char shown[128];

	while (start < end && g_ascii_isspace(*start))
		start++;
	log_escape(shown, sizeof(shown), start, end - start);
	if (!g_utf8_validate(start, end - start, NULL))
		return config_format(path, number, "not UTF-8: \"%s\"", shown);
	if (*start == '[')
		return config_format(path, number, "bad section name: \"%s\"", shown);
	if (!memchr(start, '=', end - start))
		return config_format(path, number,
				     "neither [section], key = value nor # comment: \"%s\"", shown);
	if (*start == '=')
		return config_format(path, number, "no key before '='");
	return config_format(path, number, "bad key, or a key before the first [section]: \"%s\"",
			     shown);
}

static bool valid_profile_name(const char *name)
{
	size_t length = strlen(name);

	return length && length <= TLS_HANDOFF_MAX_PROFILE &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

static const char *const *config_known_keys(const struct config_form *form, const char *section)
{
	size_t i;

	if (g_str_has_prefix(section, form->prefix))
		return form->keys;
	if (form != &tlshd_form)
		return NULL;
	for (i = 0; i < G_N_ELEMENTS(known_sections); i++)
		if (strcmp(known_sections[i].section, section) == 0)
			return known_sections[i].keys;
	return NULL;
}

/* Every section and key known, none given twice. */
static int config_check_names(const char *path, const char *text, const struct config_form *form,
			      char **ret_error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autofree char *section = NULL;
	const char *const *known = NULL;
	const char *end;
	size_t number = 0;

	for (; *text; text = *end ? end + 1 : end) {
		struct line line;
		g_autofree char *name = NULL, *where = NULL;
		char shown[128];

		end = strchrnul(text, '\n');
		number++;
		line = config_read_line(text, end);
		if (line.kind == LINE_OTHER)
			continue;
		name = g_strndup(line.name, line.length);
		log_escape(shown, sizeof(shown), line.name, line.length);
		if (line.kind == LINE_SECTION) {
			known = config_known_keys(form, name);
			if (!known) {
				*ret_error =
					config_format(path, number, "unknown section [%s]", shown);
				return -EINVAL;
			}
			if (known == form->keys &&
			    !valid_profile_name(name + strlen(form->prefix))) {
				*ret_error = config_format(
					path, number,
					"bad %sname in [%s]: 1 to %d letters, digits, '.', '_', '-'",
					form->prefix, shown, TLS_HANDOFF_MAX_PROFILE);
				return -EINVAL;
			}
			g_free(section);
			section = g_steal_pointer(&name);
			continue;
		}
		if (!known || !g_strv_contains(known, name)) {
			*ret_error = config_format(path, number, "unknown key \"%s\" in [%s]",
						   shown, section ? section : "");
			return -EINVAL;
		}
		where = g_strdup_printf("%s]%s", section, name);
		if (!g_hash_table_add(seen, g_steal_pointer(&where))) {
			*ret_error = config_format(path, number, "\"%s\" is given twice in [%s]",
						   shown, section);
			return -EEXIST;
		}
	}
	return 0;
}

static void profile_free(void *data)
{
	struct profile *profile = data;

	g_free(profile->name);
	g_free(profile->section);
	g_free(profile);
}

static void config_add_profile(struct config *config, const char *name, const char *section)
{
	struct profile *profile = g_new0(struct profile, 1);

	profile->name = g_strdup(name);
	profile->section = section ? g_strdup(section) :
				     g_strconcat(config->form->prefix, name, NULL);
	g_ptr_array_add(config->profiles, profile);
}

static int config_collect_profiles(struct config *config, char **ret_error)
{
	g_auto(GStrv) sections = g_key_file_get_groups(config->file, NULL);
	const char *prefix = config->form->prefix;
	size_t i;

	config->profiles = g_ptr_array_new_with_free_func(profile_free);
	for (i = 0; sections[i]; i++) {
		if (!g_str_has_prefix(sections[i], prefix))
			continue;
		if (config->profiles->len >= CONFIG_MAX_PROFILES) {
			*ret_error = config_error(config, sections[i], NULL, "more than %d %.*ss",
						  CONFIG_MAX_PROFILES, (int)strlen(prefix) - 1,
						  prefix);
			return -E2BIG;
		}
		config_add_profile(config, sections[i] + strlen(prefix), NULL);
	}
	if (config->form == &tlshd_form && !config_has_profile(config, CONFIG_DEFAULT_PROFILE))
		config_add_profile(config, CONFIG_DEFAULT_PROFILE, NULL);
	for (i = 0; config->form == &tlshd_form && i < G_N_ELEMENTS(kernel_profiles); i++)
		if (!config_has_profile(config, kernel_profiles[i].profile) &&
		    g_key_file_has_group(config->file, kernel_profiles[i].section))
			config_add_profile(config, kernel_profiles[i].profile,
					   kernel_profiles[i].section);
	config->names = g_new0(const char *, config->profiles->len + 1);
	for (i = 0; i < config->profiles->len; i++)
		config->names[i] = ((struct profile *)config->profiles->pdata[i])->name;
	return 0;
}

int config_load(const char *path, struct config **ret_config, char **ret_error)
{
	return config_load_form(path, NULL, &tlshd_form, ret_config, ret_error);
}

int config_load_form(const char *path, const char *text, const struct config_form *form,
		     struct config **ret_config, char **ret_error)
{
	struct config *config = g_new0(struct config, 1);
	int ret = 0;

	config->form = form;
	config->path = g_strdup(path);
	if (text)
		config->text = g_strdup(text);
	else
		ret = config_read_file(path, &config->text, ret_error);
	if (ret < 0)
		goto fail;
	config->file = config_parse_text(config->text, strlen(config->text), NULL);
	if (!config->file) {
		*ret_error =
			config_syntax_error(path, config->text, config_syntax_line(config->text));
		ret = -EINVAL;
		goto fail;
	}
	ret = config_check_names(path, config->text, form, ret_error);
	if (ret < 0)
		goto fail;
	ret = config_collect_profiles(config, ret_error);
	if (ret < 0)
		goto fail;
	*ret_config = config;
	return 0;
fail:
	config_free(config);
	return ret;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	if (config->file)
		g_key_file_free(config->file);
	if (config->profiles)
		g_ptr_array_unref(config->profiles);
	g_free(config->names);
	g_free(config->text);
	g_free(config->path);
	g_free(config);
}

const char *const *config_profiles(const struct config *config)
{
	return config->names;
}

static const struct profile *config_profile(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->profiles->len; i++) {
		const struct profile *profile = config->profiles->pdata[i];

		if (strcmp(profile->name, name) == 0)
			return profile;
	}
	return NULL;
}

bool config_has_profile(const struct config *config, const char *profile)
{
	return config_profile(config, profile) != NULL;
}

const char *config_profile_section(const struct config *config, const char *name)
{
	const struct profile *profile = config_profile(config, name);

	return profile ? profile->section : NULL;
}

char *config_error(const struct config *config, const char *section, const char *key,
		   const char *format, ...)
{
	const char *name = key ? config_key(section, key) : NULL;
	va_list args;
	char *error;

	va_start(args, format);
	error = config_vformat(config->path, config_line(config->text, section, name), format,
			       args);
	va_end(args);
	return error;
}
