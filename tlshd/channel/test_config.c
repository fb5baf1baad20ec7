// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd.conf: profiles, ktls-utils' sections, values, and mistakes with their line.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config.h"

static char path[] = "/tmp/test-config-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int remove_file(void **state)
{
	return unlink(path);
}

static int load(const char *text, struct config **ret_config, char **ret_error)
{
	FILE *file = fopen(path, "w");

	if (!file)
		abort();
	fputs(text, file);
	fclose(file);
	return config_load(path, ret_config, ret_error);
}

static struct config *good(const char *text)
{
	struct config *config = NULL;
	char *error = NULL;

	if (load(text, &config, &error) < 0)
		fail_msg("%s", error);
	return config;
}

/* Loading @text fails with "FILE:LINE: ...", @words in it. */
static void bad(const char *text, unsigned int line, const char *words)
{
	struct config *config = NULL;
	char *error = NULL, start[64];

	assert_int_not_equal(load(text, &config, &error), 0);
	assert_null(config);
	assert_non_null(error);
	snprintf(start, sizeof(start), "%s:%u: ", path, line);
	if (strncmp(error, start, strlen(start)) != 0 || !strstr(error, words))
		fail_msg("\"%s\" is not \"%s...%s...\"", error, start, words);
	free(error);
}

static void a_profile_named_default_always_exists(void **state)
{
	struct config *config = good("");

	assert_true(config_has_profile(config, "default"));
	assert_string_equal(config_profile_section(config, "default"), "profile default");
	assert_false(config_has_profile(config, "nfs"));
	assert_null(config_profile_section(config, "nfs"));
	assert_string_equal(config_profiles(config)[0], "default");
	assert_null(config_profiles(config)[1]);
	config_free(config);
}

static void ktls_utils_sections_are_the_kernel_profiles(void **state)
{
	struct config *config = good("[debug]\nloglevel=0\ntls=0\nnl=0\n"
				     "[authenticate]\nkeyrings=a;b;\n"
				     "[authenticate.client]\nx509.certificate=/c\n"
				     "x509.truststore=/t\n"
				     "[authenticate.server]\nx509.private_key=/k\n"
				     "[profile nvmet]\ncertificate=/own\n");
	char *value, *error = NULL;

	assert_string_equal(config_profile_section(config, "nfs"), "authenticate.client");
	assert_string_equal(config_profile_section(config, "nvme"), "authenticate.client");
	assert_string_equal(config_profile_section(config, "nfsd"), "authenticate.server");
	assert_string_equal(config_profile_section(config, "nvmet"), "profile nvmet");
	assert_int_equal(
		config_string(config, "authenticate.client", "certificate", &value, &error), 1);
	assert_string_equal(value, "/c");
	free(value);
	assert_int_equal(config_string(config, "authenticate.client", "truststore", &value, &error),
			 1);
	assert_string_equal(value, "/t");
	free(value);
	assert_int_equal(
		config_string(config, "authenticate.server", "certificate", &value, &error), 0);
	assert_int_equal(config_string(config, "authenticate.server", "allow", &value, &error), 0);
	config_free(config);
}

static void mistakes_name_their_line(void **state)
{
	bad("[profile a]\ncrl = /x\n\nwhat is this\n", 4, "neither [section]");
	bad("# fine\ncrl = /x\n", 2, "before the first [section]");
	bad("[profile a]\n[profile\n", 2, "bad section name");
	bad("[profile a]\n= 3\n", 2, "no key before");
	bad("[profile a]\ncrl = /x\n# \xff\ncrl2 = \n[profile b\n", 5, "bad section name");
	bad("[profile a]\nclr = /x\n", 2, "unknown key \"clr\" in [profile a]");
	bad("[profil a]\ncrl = /x\n", 1, "unknown section [profil a]");
	bad("[tpm]\ntcti = device:/dev/tpm0\n\n[authenticate.client]\ncertificate = /x\n", 5,
	    "unknown key \"certificate\"");
	bad("[profile a/b]\n", 1, "bad profile name");
	bad("[profile ]\n", 1, "bad profile name");
	bad("[profile a]\ncrl = /x\nallow = user:root\n[profile a]\ncrl = /y\n", 5, "given twice");
	bad("[profile a]\ncrl[de] = /x\n", 2, "unknown key");
}

static void a_mistake_far_down_is_found(void **state)
{
	static char text[400000];
	size_t used = 0;
	int line;

	used += sprintf(text, "[profile a]\n");
	for (line = 2; line <= 20000; line++)
		used += sprintf(text + used, "# comment %d\n", line);
	sprintf(text + used, "oops\ncrl = /x\n");
	bad(text, 20001, "neither [section]");
}

static void what_others_wrote_is_shown_escaped(void **state)
{
	bad("[profile a]\nev\x1bil = 1\n", 2, "\\x1b");
}

static void too_many_profiles_are_refused(void **state)
{
	char *text = calloc(1, 32 * (CONFIG_MAX_PROFILES + 2));
	size_t used = 0;
	int i;

	for (i = 0; i <= CONFIG_MAX_PROFILES; i++)
		used += sprintf(text + used, "[profile p%d]\n", i);
	bad(text, CONFIG_MAX_PROFILES + 1, "more than 256 profiles");
	free(text);
}

static void a_missing_file_is_an_error_unless_it_is_the_default(void **state)
{
	struct config *config = NULL;
	char *error = NULL;

	assert_int_equal(config_load("/nonexistent/tlshd.conf", &config, &error), -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/tlshd.conf: cannot open"));
	free(error);
	error = NULL;
	assert_int_equal(config_load("/", &config, &error), -EINVAL);
	assert_non_null(strstr(error, "not a regular file"));
	free(error);
	if (access(CONFIG_DEFAULT_PATH, F_OK) == 0)
		skip();
	assert_int_equal(config_load(CONFIG_DEFAULT_PATH, &config, &error), 0);
	assert_true(config_has_profile(config, "default"));
	config_free(config);
}

static void a_file_with_a_nul_or_too_large_is_refused(void **state)
{
	struct config *config = NULL;
	char *error = NULL;
	FILE *file = fopen(path, "w");

	if (!file)
		abort();
	fwrite("[profile a]\n\0crl=1\n", 1, 19, file);
	fclose(file);
	assert_int_equal(config_load(path, &config, &error), -EINVAL);
	assert_non_null(strstr(error, "NUL"));
	free(error);
	assert_int_equal(truncate(path, CONFIG_MAX_SIZE + 1), 0);
	assert_int_equal(config_load(path, &config, &error), -EFBIG);
	free(error);
}

static void lists_keep_pkcs11_uris_whole(void **state)
{
	struct config *config = good("[profile a]\n"
				     "private_key = /a.pem; pkcs11:token=t;object=o;type=private;"
				     "tpm2:0x81000001;pkcs11:id=%01?pin-source=file:/p;\n"
				     "certificate = ;\n");
	static const char *const expected[] = {
		"/a.pem",
		"pkcs11:token=t;object=o;type=private",
		"tpm2:0x81000001",
		"pkcs11:id=%01?pin-source=file:/p",
	};
	char **values, *error = NULL;
	size_t i, count;

	assert_int_equal(config_list(config, "profile a", "private_key", &values, &count, &error),
			 1);
	assert_int_equal(count, 4);
	for (i = 0; i < count; i++)
		assert_string_equal(values[i], expected[i]);
	config_list_free(values, count);
	assert_int_equal(config_list(config, "profile a", "crl", &values, &count, &error), 0);
	assert_int_equal(config_list(config, "profile a", "certificate", &values, &count, &error),
			 -EINVAL);
	assert_non_null(strstr(error, ":3: certificate: no value"));
	free(error);
	config_free(config);
}

static void values_are_typed(void **state)
{
	static const char *const levels[] = { "none", "request", "require", NULL };
	struct config *config = good("[profile a]\nticket_lifetime = 3600\nresume = yes\n"
				     "unauth = maybe\nclient_cert = require\n"
				     "rekey_seconds = -1\nrekey_bytes = 5x\ntruncation = off\n");
	uint64_t number = 5;
	unsigned int which;
	char *error = NULL;
	bool flag = false;

	assert_int_equal(
		config_u64(config, "profile a", "ticket_lifetime", 0, 604800, &number, &error), 1);
	assert_int_equal(number, 3600);
	assert_int_equal(config_u64(config, "profile a", "rekey_records", 0, 9, &number, &error),
			 0);
	assert_int_equal(number, 3600);
	assert_int_equal(config_u64(config, "profile a", "ticket_lifetime", 0, 60, &number, &error),
			 -EINVAL);
	assert_non_null(strstr(error, ":2: ticket_lifetime: \"3600\" is no number from 0 to 60"));
	free(error);
	assert_int_equal(config_u64(config, "profile a", "rekey_seconds", 0, 60, &number, &error),
			 -EINVAL);
	free(error);
	assert_int_equal(config_u64(config, "profile a", "rekey_bytes", 0, 60, &number, &error),
			 -EINVAL);
	free(error);
	assert_int_equal(config_bool(config, "profile a", "resume", &flag, &error), 1);
	assert_true(flag);
	assert_int_equal(config_bool(config, "profile a", "unauth", &flag, &error), -EINVAL);
	assert_non_null(strstr(error, ":4: unauth: \"maybe\""));
	free(error);
	assert_int_equal(config_enum(config, "profile a", "client_cert", levels, &which, &error),
			 1);
	assert_int_equal(which, 2);
	assert_int_equal(config_enum(config, "profile a", "truncation",
				     (const char *const[]){ "error", "eof", NULL }, &which, &error),
			 -EINVAL);
	assert_non_null(strstr(error, ":8: truncation: \"off\" is none of error, eof"));
	free(error);
	config_free(config);
}

static void a_semantic_mistake_can_name_its_line(void **state)
{
	struct config *config = good("\n[authenticate.client]\n\nx509.crl = /x\n");
	char *error = config_error(config, "authenticate.client", "crl", "%s: %s", "/x", "stale");
	char expected[64];

	snprintf(expected, sizeof(expected), "%s:4: /x: stale", path);
	assert_string_equal(error, expected);
	free(error);
	/* A key that is not there: the section's line */
	error = config_error(config, "authenticate.client", "truststore", "missing");
	snprintf(expected, sizeof(expected), "%s:2: missing", path);
	assert_string_equal(error, expected);
	free(error);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_named_default_always_exists),
		cmocka_unit_test(ktls_utils_sections_are_the_kernel_profiles),
		cmocka_unit_test(mistakes_name_their_line),
		cmocka_unit_test(a_mistake_far_down_is_found),
		cmocka_unit_test(what_others_wrote_is_shown_escaped),
		cmocka_unit_test(too_many_profiles_are_refused),
		cmocka_unit_test(a_missing_file_is_an_error_unless_it_is_the_default),
		cmocka_unit_test(a_file_with_a_nul_or_too_large_is_refused),
		cmocka_unit_test(lists_keep_pkcs11_uris_whole),
		cmocka_unit_test(values_are_typed),
		cmocka_unit_test(a_semantic_mistake_can_name_its_line),
	};

	return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}
