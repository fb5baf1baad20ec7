/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What several selftests expect of a connection; after kselftest_harness.h.
 */
#ifndef SELFTESTS_EXPECT_H
#define SELFTESTS_EXPECT_H

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib.h"

/* These bytes come next */
static inline void expect_data(struct __test_metadata *_metadata, int fd, const char *data)
{
	char in[64] = {};

	ASSERT_EQ((long)strlen(data), recv(fd, in, sizeof(in), 0));
	EXPECT_EQ(0, memcmp(data, in, strlen(data)));
}

/* The connection has failed with @error, and stays so */
static inline void expect_failed(struct __test_metadata *_metadata, struct pair *p, int error)
{
	char byte;

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-1, recv(p->app, &byte, 1, i == 1 ? MSG_PEEK : 0));
		EXPECT_EQ(error, errno);
	}
	EXPECT_EQ(-1, send(p->app, "x", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_TRUE(wait_for(p->app, POLLIN) & (POLLERR | POLLHUP));
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	EXPECT_EQ(error, get_info(p->app).error);
	EXPECT_NE(0, strlen(get_error(p->app)));
}

#endif /* SELFTESTS_EXPECT_H */
