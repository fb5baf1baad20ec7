/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the repeated cases of the kernel's net/tls selftest share: a body that runs from
 * the program to its peer and the other way round.
 */
#ifndef SELFTESTS_TLS_CASES_H
#define SELFTESTS_TLS_CASES_H

#include <unistd.h>

#include "semantics.h"

/* The body sends on @from and receives on @to; one of both is the program's */
#define BOTH_WAYS(name)								\
	static void name##_way(struct __test_metadata *_metadata,		\
			       struct _test_data_semantics *self,			\
			       enum kind variant_kind, int from, int to);	\
	TEST_F(semantics, name)							\
	{									\
		name##_way(_metadata, self, variant->kind, self->app, self->peer);	\
		name##_way(_metadata, self, variant->kind, self->peer, self->app);	\
	}									\
	static void name##_way(struct __test_metadata *_metadata,		\
			       struct _test_data_semantics *self,			\
			       enum kind variant_kind, int from, int to)

static inline void close_both(const int *pipes)
{
	close(pipes[0]);
	close(pipes[1]);
}

#endif /* SELFTESTS_TLS_CASES_H */
