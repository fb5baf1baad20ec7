// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd.conf: any file either loads, and then every getter copes with it, or is
 * refused with a sentence.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"

static const char *const keys[] = {
	"certificate", "private_key", "truststore",	  "crl",	   "psk",
	"allow",       "min_version", "ciphers",	  "alpn",	   "client_cert",
	"unauth",      "resume",      "ticket_lifetime",  "rekey_records", "truncation",
	"tcti",	       "keyrings",    "x509.certificate", "no such key",
};

static void check_error(int ret, char **error)
{
	assert(ret <= 1);
	assert(ret < 0 ? *error != NULL : *error == NULL);
	free(*error);
	*error = NULL;
}

static void read_key(const struct config *config, const char *section, const char *key)
{
	static const char *const names[] = { "none", "request", "require", NULL };
	char *text = NULL, **list = NULL, *error = NULL;
	unsigned int which;
	uint64_t number;
	size_t count;
	bool flag;
	int ret;

	ret = config_string(config, section, key, &text, &error);
	check_error(ret, &error);
	free(text);
	ret = config_list(config, section, key, &list, &count, &error);
	check_error(ret, &error);
	if (ret == 1)
		config_list_free(list, count);
	check_error(config_u64(config, section, key, 1, 604800, &number, &error), &error);
	check_error(config_bool(config, section, key, &flag, &error), &error);
	check_error(config_enum(config, section, key, names, &which, &error), &error);
	error = config_error(config, section, key, "%s", "words");
	assert(error && strstr(error, "words"));
	free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sections[] = { "tpm", "debug", "authenticate",
						"authenticate.client" };
	struct config *config = NULL;
	const char *const *profile;
	char path[64], *error = NULL;
	size_t i, j;
	int fd, ret;

	fd = memfd_create("tlshd.conf", 0);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = config_load(path, &config, &error);
	if (ret < 0) {
		assert(error && strncmp(error, path, strlen(path)) == 0);
		free(error);
		close(fd);
		return 0;
	}
	assert(config_has_profile(config, "default"));
	for (profile = config_profiles(config); *profile; profile++)
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			read_key(config, config_profile_section(config, *profile), keys[i]);
	for (j = 0; j < sizeof(sections) / sizeof(sections[0]); j++)
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			read_key(config, sections[j], keys[i]);
	config_free(config);
	close(fd);
	return 0;
}
