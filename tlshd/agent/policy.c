// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may use which profile.  "allow" is read into numbers when the configuration
 * is loaded; only group members are looked up when somebody asks.
 *
 * The kernel does not hand over supplementary groups, and those of /proc/PID may be another
 * process's by now.  The user database says what groups a user has, whatever a process of
 * its dropped.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include <linux/tls_handoff.h>

#include "config.h"
#include "log.h"
#include "policy.h"

#define POLICY_MAX_GROUPS 4096	     /* of one user */
#define POLICY_NONE	  UINT32_MAX /* no uid or gid */

enum rule_kind { RULE_USER, RULE_GROUP, RULE_CGROUP };

struct rule {
	enum rule_kind kind;
	uint32_t number; /* uid or gid */
	char *cgroup;	 /* starts with '/', does not end with one */
};

struct policy_profile {
	char *name;
	GArray *rules; /* NULL: no "allow" */
};

struct policy {
	GPtrArray *profiles;
	/* What a user or group without a number in our user namespace is given, if there may be
	 * any; else POLICY_NONE. */
	uint32_t overflow_uid, overflow_gid;
};

static void rule_clear(void *data)
{
	g_free(((struct rule *)data)->cgroup);
}

static void profile_free(void *data)
{
	struct policy_profile *profile = data;

	g_free(profile->name);
	if (profile->rules)
		g_array_unref(profile->rules);
	g_free(profile);
}

static bool parse_number(const char *text, uint32_t *ret_number)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX - 1, &number, NULL))
		return false;
	*ret_number = number;
	return true;
}

/* A path from the root on, of names and nothing else: "." and ".." would be compared as names. */
static bool is_path(const char *path)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);
	size_t i;

	if (*path != '/')
		return false;
	for (i = 1; names[i]; i++)
		/* Only behind the last '/' there may be nothing. */
		if ((!*names[i] && names[i + 1]) || strcmp(names[i], ".") == 0 ||
		    strcmp(names[i], "..") == 0)
			return false;
	return true;
}

/* NULL if @word is a good rule, else what is wrong with it. */
static const char *parse_rule(const char *word, struct rule *ret_rule)
{
	const char *value = strchr(word, ':');
	struct rule rule = { 0 };
	size_t length;

	if (!value || !value[1])
		return "is none of user:NAME, group:NAME, cgroup:PATH";
	value++;
	if (g_str_has_prefix(word, "user:")) {
		struct passwd *user = getpwnam(value);

		rule.kind = RULE_USER;
		if (user)
			rule.number = user->pw_uid;
		else if (!parse_number(value, &rule.number))
			return "names no user of this system";
	} else if (g_str_has_prefix(word, "group:")) {
		struct group *group = getgrnam(value);

		rule.kind = RULE_GROUP;
		if (group)
			rule.number = group->gr_gid;
		else if (!parse_number(value, &rule.number))
			return "names no group of this system";
	} else if (g_str_has_prefix(word, "cgroup:")) {
		rule.kind = RULE_CGROUP;
		if (!is_path(value))
			return "needs a path that starts with '/', without \"..\"";
		length = strlen(value);
		while (length && value[length - 1] == '/')
			length--;
		rule.cgroup = g_strndup(value, length);
	} else {
		return "is none of user:NAME, group:NAME, cgroup:PATH";
	}
	*ret_rule = rule;
	return NULL;
}

static int load_rules(const struct config *config, const char *section, GArray **ret_rules,
		      char **ret_error)
{
	g_auto(GStrv) words = NULL;
	const char *mistake;
	struct rule rule;
	char *allow, shown[128];
	GArray *rules;
	size_t i;
	int ret;

	ret = config_string(config, section, "allow", &allow, ret_error);
	if (ret <= 0)
		return ret;
	words = g_strsplit_set(allow, " \t;", -1);
	free(allow);
	rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
	g_array_set_clear_func(rules, rule_clear);
	for (i = 0; words[i]; i++) {
		if (!*words[i])
			continue;
		mistake = parse_rule(words[i], &rule);
		if (!mistake && rules->len >= CONFIG_MAX_LIST) {
			rule_clear(&rule);
			mistake = "is one too many";
		}
		if (mistake) {
			log_escape(shown, sizeof(shown), words[i], strlen(words[i]));
			*ret_error = config_error(config, section, "allow", "allow: \"%s\" %s",
						  shown, mistake);
			g_array_unref(rules);
			return -EINVAL;
		}
		g_array_append_val(rules, rule);
	}
	*ret_rules = rules;
	return 0;
}

static uint32_t read_number(const char *path)
{
	g_autofree char *text = NULL;
	uint32_t number;

	if (!g_file_get_contents(path, &text, NULL, NULL) ||
	    !parse_number(g_strstrip(text), &number))
		return POLICY_NONE;
	return number;
}

/* Whether every number of @map, /proc/self/uid_map or gid_map, is mapped to itself */
static bool maps_everything(const char *map)
{
	g_autofree char *text = NULL;
	unsigned long long inside, outside, count;

	return g_file_get_contents(map, &text, NULL, NULL) &&
	       sscanf(text, "%llu %llu %llu", &inside, &outside, &count) == 3 && !inside &&
	       !outside && count == UINT32_MAX;
}

/* In the initial user namespace everybody has a number, and 65534 is the user nobody. */
static void find_overflow(struct policy *policy)
{
	policy->overflow_uid = maps_everything("/proc/self/uid_map") ?
				       POLICY_NONE :
				       read_number("/proc/sys/kernel/overflowuid");
	policy->overflow_gid = maps_everything("/proc/self/gid_map") ?
				       POLICY_NONE :
				       read_number("/proc/sys/kernel/overflowgid");
}

int policy_load(const struct config *config, struct policy **ret_policy, char **ret_error)
{
	const char *const *names = config_profiles(config);
	struct policy *policy = g_new0(struct policy, 1);
	struct policy_profile *profile;
	int ret;

	find_overflow(policy);
	policy->profiles = g_ptr_array_new_with_free_func(profile_free);
	for (; *names; names++) {
		profile = g_new0(struct policy_profile, 1);
		profile->name = g_strdup(*names);
		g_ptr_array_add(policy->profiles, profile);
		ret = load_rules(config, config_profile_section(config, *names), &profile->rules,
				 ret_error);
		if (ret < 0) {
			policy_free(policy);
			return ret;
		}
	}
	*ret_policy = policy;
	return 0;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	g_ptr_array_unref(policy->profiles);
	g_free(policy);
}

/* Groups that the user database gives the user @uid; none if it does not know it. */
static int groups_of(uint32_t uid, gid_t groups[POLICY_MAX_GROUPS])
{
	struct passwd *user = getpwuid(uid);
	int count = POLICY_MAX_GROUPS;

	if (!user)
		return 0;
	/* Of more the first ones are there. */
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		count = POLICY_MAX_GROUPS;
	return count;
}

/*
 * By whole components: /a/b holds /a/b and /a/b/c, not /a/bc.  What is outside of our cgroup
 * namespace begins with "/..", and is in no group that has a path here.
 */
static bool in_cgroup(const char *cgroup, const char *wanted)
{
	size_t length = strlen(wanted);

	return cgroup && is_path(cgroup) && strncmp(cgroup, wanted, length) == 0 &&
	       (cgroup[length] == '\0' || cgroup[length] == '/');
}

/* What ACCEPT says decides, except for groups. */
static bool rule_matches(const struct policy *policy, const struct rule *rule,
			 const struct policy_caller *caller)
{
	switch (rule->kind) {
	case RULE_USER:
		return caller->uid == rule->number && caller->uid != policy->overflow_uid;
	case RULE_GROUP:
		return caller->gid == rule->number && caller->gid != policy->overflow_gid;
	case RULE_CGROUP:
		return in_cgroup(caller->cgroup, rule->cgroup);
	}
	return false;
}

/* The user database is asked once, and only if nothing else decides: it may be slow. */
static bool member_matches(const struct policy *policy, const GArray *rules,
			   const struct policy_caller *caller)
{
	gid_t *groups = NULL;
	bool found = false;
	int i, count = 0;
	guint r;

	if (caller->uid == policy->overflow_uid)
		return false;
	for (r = 0; r < rules->len && !found; r++) {
		const struct rule *rule = &g_array_index(rules, struct rule, r);

		if (rule->kind != RULE_GROUP)
			continue;
		if (!groups) {
			groups = g_new(gid_t, POLICY_MAX_GROUPS);
			count = groups_of(caller->uid, groups);
		}
		for (i = 0; i < count && !found; i++)
			found = groups[i] == rule->number;
	}
	g_free(groups);
	return found;
}

static const struct policy_profile *find_profile(const struct policy *policy, const char *name)
{
	size_t i;

	for (i = 0; i < policy->profiles->len; i++) {
		const struct policy_profile *profile = policy->profiles->pdata[i];

		if (strcmp(profile->name, name) == 0)
			return profile;
	}
	return NULL;
}

bool policy_has_profile(const struct policy *policy, const char *name)
{
	return policy && find_profile(policy, name);
}

/* Without "allow" everybody's as client.  The kernel's profiles hold the machine's identity. */
static bool may_use_by_default(const struct policy_caller *caller)
{
	return caller->uid == 0 ||
	       (caller->role == TLS_HANDOFF_CLIENT && !config_is_kernel_profile(caller->profile));
}

int policy_check(const struct policy *policy, const struct policy_caller *caller, char *words,
		 size_t size)
{
	const struct policy_profile *profile = find_profile(policy, caller->profile);
	char shown[4 * TLS_HANDOFF_MAX_PROFILE + 1];
	guint i;

	log_escape(shown, sizeof(shown), caller->profile, strlen(caller->profile));
	if (!profile) {
		snprintf(words, size, "there is no profile \"%s\" in tlshd.conf", shown);
		return -ENOENT;
	}
	if (!profile->rules) {
		if (may_use_by_default(caller))
			return 0;
		snprintf(words, size,
			 "uid %u may not %s profile \"%s\": its \"allow\" names nobody",
			 caller->uid, caller->role == TLS_HANDOFF_CLIENT ? "use" : "serve with",
			 shown);
		return -EACCES;
	}
	for (i = 0; i < profile->rules->len; i++)
		if (rule_matches(policy, &g_array_index(profile->rules, struct rule, i), caller))
			return 0;
	if (member_matches(policy, profile->rules, caller))
		return 0;
	snprintf(words, size, "uid %u may not use profile \"%s\": its \"allow\" does not name it",
		 caller->uid, shown);
	return -EACCES;
}
