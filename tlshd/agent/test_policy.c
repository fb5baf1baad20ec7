// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may use which profile.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <glib.h>

#include <linux/tls_handoff.h>

#include "config.h"
#include "policy.h"

static char path[] = "/tmp/test-policy-XXXXXX";

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

static int load(const char *text, struct policy **ret_policy, char **ret_error)
{
	FILE *file = fopen(path, "w");
	struct config *config = NULL;
	int ret;

	if (!file)
		abort();
	fputs(text, file);
	fclose(file);
	assert_int_equal(config_load(path, &config, ret_error), 0);
	ret = policy_load(config, ret_policy, ret_error);
	config_free(config);
	return ret;
}

/* Result of asking with a configuration whose profile "p" has @allow (NULL: none). */
static int ask(const char *allow, struct policy_caller caller)
{
	struct policy *policy = NULL;
	char text[256], words[256] = "", *error = NULL;
	int ret;

	snprintf(text, sizeof(text), "[profile p]\n%s%s\n", allow ? "allow = " : "",
		 allow ? allow : "");
	if (load(text, &policy, &error) < 0)
		fail_msg("%s", error);
	if (!caller.profile)
		caller.profile = "p";
	if (!caller.role)
		caller.role = TLS_HANDOFF_CLIENT;
	ret = policy_check(policy, &caller, words, sizeof(words));
	assert_int_equal(ret < 0, words[0] != '\0');
	policy_free(policy);
	return ret;
}

static void without_allow_everyone_is_a_client_and_root_serves(void **state)
{
	assert_int_equal(ask(NULL, (struct policy_caller){ .uid = 1000 }), 0);
	assert_int_equal(ask(NULL,
			     (struct policy_caller){ .uid = 1000, .role = TLS_HANDOFF_SERVER }),
			 -EACCES);
	assert_int_equal(ask(NULL, (struct policy_caller){ .uid = 0, .role = TLS_HANDOFF_SERVER }),
			 0);
}

/* They hold the machine's identity. */
static void the_kernels_profiles_are_roots_unless_allow_says_otherwise(void **state)
{
	const struct policy_caller user = { .uid = 1000, .role = TLS_HANDOFF_CLIENT };
	struct policy_caller caller = user;
	struct policy *policy = NULL;
	char words[256], *error = NULL;

	assert_int_equal(load("[authenticate.client]\nx509.certificate=/c\n"
			      "[profile nvme]\nallow = user:1000\n",
			      &policy, &error),
			 0);
	assert_true(policy_has_profile(policy, "nfs"));
	assert_false(policy_has_profile(policy, "nfsd"));
	assert_false(policy_has_profile(NULL, "nfs"));
	caller.profile = "nfs";
	assert_int_equal(policy_check(policy, &caller, words, sizeof(words)), -EACCES);
	assert_non_null(strstr(words, "nfs"));
	caller.uid = 0;
	assert_int_equal(policy_check(policy, &caller, words, sizeof(words)), 0);
	caller = user;
	caller.profile = "nvme";
	assert_int_equal(policy_check(policy, &caller, words, sizeof(words)), 0);
	policy_free(policy);
}

static void a_profile_that_is_not_there_is_enoent(void **state)
{
	assert_int_equal(ask(NULL, (struct policy_caller){ .profile = "q" }), -ENOENT);
	assert_int_equal(ask(NULL, (struct policy_caller){ .profile = "P" }), -ENOENT);
	assert_int_equal(ask(NULL, (struct policy_caller){ .profile = "default" }), 0);
}

static void users_are_allowed_by_name_and_number(void **state)
{
	struct passwd *daemon = getpwnam("daemon");

	assert_non_null(daemon);
	assert_int_equal(ask("user:daemon", (struct policy_caller){ .uid = daemon->pw_uid }), 0);
	assert_int_equal(ask("user:daemon", (struct policy_caller){ .uid = 12345 }), -EACCES);
	assert_int_equal(ask("user:12345", (struct policy_caller){ .uid = 12345 }), 0);
	assert_int_equal(ask("user:12345 user:12346", (struct policy_caller){ .uid = 12346 }), 0);
	assert_int_equal(ask("user:12345",
			     (struct policy_caller){ .uid = 12345, .role = TLS_HANDOFF_SERVER }),
			 0);
	/* The list is complete: root is no exception. */
	assert_int_equal(ask("user:12345", (struct policy_caller){ .uid = 0 }), -EACCES);
}

static void groups_are_allowed_by_the_callers_and_the_users_groups(void **state)
{
	struct passwd *daemon = getpwnam("daemon");
	char allow[64];

	assert_int_equal(ask("group:4321", (struct policy_caller){ .uid = 77777, .gid = 4321 }), 0);
	assert_int_equal(ask("group:4321", (struct policy_caller){ .uid = 77777, .gid = 4322 }),
			 -EACCES);
	/* Not the group it runs with, but one that the group file gives the user */
	snprintf(allow, sizeof(allow), "group:%u", daemon->pw_gid);
	assert_int_equal(ask(allow, (struct policy_caller){ .uid = daemon->pw_uid, .gid = 4322 }),
			 0);
}

static void cgroups_are_compared_by_whole_components(void **state)
{
	const char *allow = "cgroup:/system.slice/web.service/";

	assert_int_equal(
		ask(allow, (struct policy_caller){ .cgroup = "/system.slice/web.service" }), 0);
	assert_int_equal(
		ask(allow, (struct policy_caller){ .cgroup = "/system.slice/web.service/a" }), 0);
	assert_int_equal(ask(allow,
			     (struct policy_caller){ .cgroup = "/system.slice/web.service2" }),
			 -EACCES);
	assert_int_equal(ask(allow, (struct policy_caller){ .cgroup = "/system.slice" }), -EACCES);
	assert_int_equal(ask(allow, (struct policy_caller){ .cgroup = NULL }), -EACCES);
	assert_int_equal(ask("cgroup:/", (struct policy_caller){ .cgroup = "/anything" }), 0);
	assert_int_equal(ask("cgroup:/", (struct policy_caller){ .cgroup = "/" }), 0);
}

/* As the kernel names what is outside of the agent's cgroup namespace */
static void cgroups_outside_of_ours_are_in_none_of_ours(void **state)
{
	assert_int_equal(ask("cgroup:/", (struct policy_caller){ .cgroup = "/../user.slice" }),
			 -EACCES);
	assert_int_equal(ask("cgroup:/a", (struct policy_caller){ .cgroup = "/a/../b" }), -EACCES);
	assert_int_equal(ask("cgroup:/a", (struct policy_caller){ .cgroup = "/a/..b/...c" }), 0);
}

/* What /proc/self/uid_map and gid_map are here; NULL: what they are */
static const char *id_map;

gboolean __real_g_file_get_contents(const gchar *name, gchar **text, gsize *length, GError **error);
gboolean __wrap_g_file_get_contents(const gchar *name, gchar **text, gsize *length, GError **error);

gboolean __wrap_g_file_get_contents(const gchar *name, gchar **text, gsize *length, GError **error)
{
	if (!id_map || strncmp(name, "/proc/self/", 11) != 0)
		return __real_g_file_get_contents(name, text, length, error);
	*text = g_strdup(id_map);
	return TRUE;
}

static void users_without_a_number_match_nothing(void **state)
{
	const struct policy_caller nobody = { .uid = 65534, .gid = 65534 };

	id_map = "         0          0 4294967295\n";
	assert_int_equal(ask("user:65534", nobody), 0);
	assert_int_equal(ask("group:65534", nobody), 0);
	/* An agent in a user namespace is told 65534 of everybody who has no number there. */
	id_map = "         0     100000      65536\n";
	assert_int_equal(ask("user:65534", nobody), -EACCES);
	assert_int_equal(ask("group:65534", nobody), -EACCES);
	assert_int_equal(ask("user:0", (struct policy_caller){ .uid = 0 }), 0);
	assert_int_equal(ask("group:7", (struct policy_caller){ .uid = 5, .gid = 7 }), 0);
	id_map = NULL;
}

/* Rules that need no look into the user database decide, wherever they are. */
static void one_rule_that_fits_is_enough(void **state)
{
	const struct policy_caller caller = { .uid = 77777, .gid = 4322, .cgroup = "/a" };

	assert_int_equal(ask("group:daemon user:77777", caller), 0);
	assert_int_equal(ask("user:77777 group:daemon", caller), 0);
	assert_int_equal(ask("group:daemon group:4322", caller), 0);
	assert_int_equal(ask("user:0 group:daemon cgroup:/a", caller), 0);
	assert_int_equal(ask("user:0 group:daemon cgroup:/b", caller), -EACCES);
}

static void a_refusal_names_profile_and_user(void **state)
{
	const struct policy_caller caller = { .profile = "p\n",
					      .role = TLS_HANDOFF_CLIENT,
					      .uid = 7 };
	struct policy_caller server = { .profile = "p", .role = TLS_HANDOFF_SERVER, .uid = 7 };
	struct policy *policy = NULL;
	char words[256], *error = NULL;

	assert_int_equal(load("[profile p]\n[profile q]\nallow = user:0\n", &policy, &error), 0);
	assert_int_equal(policy_check(policy, &caller, words, sizeof(words)), -ENOENT);
	assert_string_equal(words, "there is no profile \"p\\x0a\" in tlshd.conf");
	assert_int_equal(policy_check(policy, &server, words, sizeof(words)), -EACCES);
	assert_string_equal(words,
			    "uid 7 may not serve with profile \"p\": its \"allow\" names nobody");
	server.profile = "q";
	assert_int_equal(policy_check(policy, &server, words, sizeof(words)), -EACCES);
	assert_string_equal(words,
			    "uid 7 may not use profile \"q\": its \"allow\" does not name it");
	policy_free(policy);
}

static void mistakes_in_allow_name_their_line(void **state)
{
	static const char *const mistakes[] = {
		"nobody",
		"user:",
		"user:no-such-user-anywhere",
		"group:no-such-group-here",
		"cgroup:system",
		"cgroup:/a/../b",
		"cgroup:/..",
		"cgroup:/a/./b",
		"cgroup:/a//b",
		"uid:0",
		"user:4294967295",
		"user:root,nobody",
	};
	char text[128], start[64];
	size_t i;

	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct policy *policy = NULL;
		char *error = NULL;

		snprintf(text, sizeof(text), "[profile p]\n\nallow = user:root %s\n", mistakes[i]);
		assert_int_equal(load(text, &policy, &error), -EINVAL);
		snprintf(start, sizeof(start), "%s:3: allow: \"%s\"", path, mistakes[i]);
		assert_int_equal(strncmp(error, start, strlen(start)), 0);
		free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_allow_everyone_is_a_client_and_root_serves),
		cmocka_unit_test(the_kernels_profiles_are_roots_unless_allow_says_otherwise),
		cmocka_unit_test(a_profile_that_is_not_there_is_enoent),
		cmocka_unit_test(users_are_allowed_by_name_and_number),
		cmocka_unit_test(groups_are_allowed_by_the_callers_and_the_users_groups),
		cmocka_unit_test(cgroups_are_compared_by_whole_components),
		cmocka_unit_test(cgroups_outside_of_ours_are_in_none_of_ours),
		cmocka_unit_test(users_without_a_number_match_nothing),
		cmocka_unit_test(one_rule_that_fits_is_enough),
		cmocka_unit_test(a_refusal_names_profile_and_user),
		cmocka_unit_test(mistakes_in_allow_name_their_line),
	};

	return cmocka_run_group_tests_name("policy", tests, make_file, remove_file);
}
