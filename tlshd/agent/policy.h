/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may use which profile: all that the agent reads of tlshd.conf.
 */
#ifndef TLSHD_AGENT_POLICY_H
#define TLSHD_AGENT_POLICY_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct policy;

/* Who asks: as ACCEPT says it. */
struct policy_caller {
	const char *profile;
	uint32_t role; /* TLS_HANDOFF_CLIENT, TLS_HANDOFF_SERVER */
	uint32_t uid, gid;
	const char *cgroup; /* NULL: unknown */
};

/* On failure *ret_error (to free(), may be NULL) is "FILE:LINE: mistake". */
int policy_load(const struct config *config, struct policy **ret_policy, char **ret_error)
	__attribute__((warn_unused_result));
void policy_free(struct policy *policy);

/* @policy NULL: there is none yet, and no profile. */
bool policy_has_profile(const struct policy *policy, const char *name);

/* 0; -ENOENT: no such profile; -EACCES: not this caller's.  On failure @words says why. */
int policy_check(const struct policy *policy, const struct policy_caller *caller, char *words,
		 size_t size) __attribute__((warn_unused_result));

#endif /* TLSHD_AGENT_POLICY_H */
