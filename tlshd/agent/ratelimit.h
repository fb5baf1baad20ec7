/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often a user may cause a line in the log.
 */
#ifndef TLSHD_AGENT_RATELIMIT_H
#define TLSHD_AGENT_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_LINES	  10 /* of one user, in so many seconds */
#define RATELIMIT_SECONDS 10

struct ratelimit;

struct ratelimit *ratelimit_new(void);
void ratelimit_free(struct ratelimit *limit);

/* Whether @uid may have one more line at @now (microseconds).  *ret_last: it is the last one
 * of its seconds, and should say so. */
bool ratelimit_allows(struct ratelimit *limit, uint32_t uid, uint64_t now, bool *ret_last);

#endif /* TLSHD_AGENT_RATELIMIT_H */
