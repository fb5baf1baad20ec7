// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of each user in a window of time, so that one who floods the log does not hide what
 * another one did.
 */
#include <glib.h>

#include "ratelimit.h"

#define RATELIMIT_USERS 1024 /* remembered; then all are forgotten */

struct ratelimit {
	GHashTable *users; /* struct window by uid */
};

struct window {
	uint64_t start; /* microseconds */
	unsigned int lines;
};

struct ratelimit *ratelimit_new(void)
{
	struct ratelimit *limit = g_new0(struct ratelimit, 1);

	limit->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return limit;
}

void ratelimit_free(struct ratelimit *limit)
{
	if (!limit)
		return;
	g_hash_table_unref(limit->users);
	g_free(limit);
}

static struct window *window_of(struct ratelimit *limit, uint32_t uid)
{
	struct window *window = g_hash_table_lookup(limit->users, GUINT_TO_POINTER(uid));

	if (window)
		return window;
	if (g_hash_table_size(limit->users) >= RATELIMIT_USERS)
		g_hash_table_remove_all(limit->users);
	window = g_new0(struct window, 1);
	g_hash_table_insert(limit->users, GUINT_TO_POINTER(uid), window);
	return window;
}

bool ratelimit_allows(struct ratelimit *limit, uint32_t uid, uint64_t now, bool *ret_last)
{
	struct window *window = window_of(limit, uid);

	if (!window->lines || now - window->start >= RATELIMIT_SECONDS * 1000000ull) {
		window->start = now;
		window->lines = 0;
	}
	if (window->lines >= RATELIMIT_LINES)
		return false;
	window->lines++;
	*ret_last = window->lines == RATELIMIT_LINES;
	return true;
}
