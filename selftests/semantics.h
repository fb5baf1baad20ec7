/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of all tests that compare: each runs on plain TCP, on kTLS that the
 * program set up itself, and on handed-off sockets, with the same body. Where raw
 * kTLS is not what plain TCP is, the test says so; a handoff has to be.
 */
#ifndef SELFTESTS_SEMANTICS_H
#define SELFTESTS_SEMANTICS_H

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(semantics)
{
	struct pair pair;
	int app, peer;
	char in[70000], out[70000];	/* out: pattern_fill() from 0 */
};

FIXTURE_VARIANT(semantics)
{
	enum kind kind;
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(semantics, plain_tcp)
{
	.kind = KIND_PLAIN, .family = AF_INET,
};

FIXTURE_VARIANT_ADD(semantics, raw_ktls)
{
	.kind = KIND_KTLS, .family = AF_INET,
	.version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(semantics, handoff_tls13)
{
	.kind = KIND_HANDOFF, .family = AF_INET,
	.version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_VARIANT_ADD(semantics, handoff_ipv6_tls12)
{
	.kind = KIND_HANDOFF, .family = AF_INET6,
	.version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_SETUP(semantics)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	pattern_fill(self->out, sizeof(self->out), 0);
	*p = PAIR_NONE;
	ASSERT_EQ(0, pair_open_kind(p, variant->kind, variant->family, variant->version,
				    variant->cipher));
	self->app = p->app;
	self->peer = p->peer;
}

FIXTURE_TEARDOWN(semantics)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* Both directions still work */
static inline void expect_unharmed(struct __test_metadata *_metadata, int app, int peer)
{
	char buffer[4] = {};

	EXPECT_EQ(4, send(app, "ping", 4, MSG_NOSIGNAL));
	EXPECT_EQ(4, read_all(peer, buffer, 4));
	EXPECT_EQ(0, memcmp("ping", buffer, 4));
	EXPECT_EQ(4, send(peer, "pong", 4, MSG_NOSIGNAL));
	EXPECT_EQ(4, read_all(app, buffer, 4));
	EXPECT_EQ(0, memcmp("pong", buffer, 4));
}

/* The peer says @word and it is there to be read */
static inline void say(struct __test_metadata *_metadata, int peer, int app, const char *word)
{
	ASSERT_EQ((long)strlen(word), send(peer, word, strlen(word), 0));
	ASSERT_TRUE(wait_for(app, POLLIN) & POLLIN);
}

#endif /* SELFTESTS_SEMANTICS_H */
