// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program may not do with a taken-over socket: read its keys, set them,
 * forge a record, or reach data past kTLS.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif
#ifndef TCP_REPAIR
#define TCP_REPAIR 19
#endif
#ifndef IPV6_ADDRFORM
#define IPV6_ADDRFORM 1
#endif

FIXTURE(refusals)
{
	struct pair pair;
};

FIXTURE_VARIANT(refusals)
{
	int family;
	int stage;	/* 0 before START, 1 in the handshake, 2 established, 3 failed */
};

FIXTURE_VARIANT_ADD(refusals, before_start)
{
	.family = AF_INET, .stage = 0,
};

FIXTURE_VARIANT_ADD(refusals, in_the_handshake)
{
	.family = AF_INET6, .stage = 1,
};

FIXTURE_VARIANT_ADD(refusals, established_ipv4)
{
	.family = AF_INET, .stage = 2,
};

FIXTURE_VARIANT_ADD(refusals, established_ipv6)
{
	.family = AF_INET6, .stage = 2,
};

FIXTURE_VARIANT_ADD(refusals, failed)
{
	.family = AF_INET, .stage = 3,
};

FIXTURE_SETUP(refusals)
{
	struct done failed = { .status = EPROTO };
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	*p = PAIR_NONE;
	p->version = TLS_1_3_VERSION;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, pair_prepare(p, variant->family));
	if (variant->stage)
		ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	if (variant->stage >= 2)
		ASSERT_EQ(0, pair_finish(p, NULL));
	failed.id = p->id;
	if (variant->stage == 3)
		ASSERT_EQ(0, agent_done(p->agent, &failed));
}

/* What was refused did the connection no harm */
static void expect_unharmed(struct __test_metadata *_metadata, struct pair *p)
{
	char buffer[4];

	EXPECT_EQ(4, send(p->app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(p->peer, buffer, 4));
	EXPECT_EQ(4, send(p->peer, "pong", 4, 0));
	EXPECT_EQ(4, read_all(p->app, buffer, 4));
	EXPECT_EQ(0, memcmp("pong", buffer, 4));
}

FIXTURE_TEARDOWN(refusals)
{
	struct pair *p = &self->pair;

	if (variant->stage == 2)
		expect_unharmed(_metadata, p);
	pair_close(p);
	EXPECT_TRUE(nothing_left());
}

TEST_F(refusals, keys_are_neither_read_nor_set)
{
	static const int options[] = { TLS_TX, TLS_RX, TLS_TX_ZEROCOPY_RO, TLS_RX_EXPECT_NO_PAD,
				       5, 0, 99 };
	struct keys keys;
	socklen_t length;

	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		struct keys got = {};

		length = sizeof(struct tls12_crypto_info_aes_gcm_128);
		EXPECT_EQ(-1, getsockopt(self->pair.app, SOL_TLS, options[i], &got, &length));
		EXPECT_EQ(EPERM, errno);
		EXPECT_EQ(0, got.gcm128.key[0]);
		EXPECT_EQ(-1, setsockopt(self->pair.app, SOL_TLS, options[i], &keys,
					 keys.length));
		EXPECT_EQ(EPERM, errno);
	}
	EXPECT_EQ(-1, setsockopt(self->pair.app, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, setsockopt(self->pair.app, SOL_TCP, TCP_ULP, "tls", 4));
	EXPECT_EQ(EPERM, errno);
}

TEST_F(refusals, repair_is_eopnotsupp)
{
	int value = 1;
	socklen_t length = sizeof(value);

	EXPECT_EQ(-1, setsockopt(self->pair.app, SOL_TCP, TCP_REPAIR, &value, sizeof(value)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	getsockopt(self->pair.app, SOL_TCP, TCP_REPAIR, &value, &length);
	EXPECT_EQ(0, value);
}

TEST_F(refusals, mapping_is_eopnotsupp)
{
	char buffer[128] = {};
	socklen_t length = 64;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->pair.app, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, getsockopt(self->pair.app, SOL_TCP, TCP_ZEROCOPY_RECEIVE, buffer, &length));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

TEST_F(refusals, disconnecting_and_changing_the_family_are_eopnotsupp)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int family = AF_INET;

	EXPECT_EQ(-1, connect(self->pair.app, &nowhere, sizeof(nowhere)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	if (variant->family == AF_INET6) {
		EXPECT_EQ(-1, setsockopt(self->pair.app, SOL_IPV6, IPV6_ADDRFORM, &family,
					 sizeof(family)));
		EXPECT_EQ(EOPNOTSUPP, errno);
	}
}

TEST_F(refusals, the_session_fd_is_no_socket_for_programs)
{
	struct pair *p = &self->pair;
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (variant->stage == 0) {
		EXPECT_EQ(0, stat_read("HandoffCurrSessionFds"));
		return;
	}
	EXPECT_EQ(-1, connect(p->session, &nowhere, sizeof(nowhere)));
	EXPECT_EQ(-1, listen(p->session, 1));
	EXPECT_EQ(-1, accept(p->session, NULL, NULL));
	EXPECT_EQ(-1, getsockname(p->session, (void *)&address, &length));
	EXPECT_EQ(-1, shutdown(p->session, SHUT_RDWR));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, p->session, 0));
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TLS_HANDOFF, TLS_HANDOFF_START,
				 &(uint32_t){ 1 }, 4));
	if (variant->stage == 2) {
		/* Application data is the program's alone */
		EXPECT_EQ(-EPERM, send_record(p->session, RECORD_DATA, "x", 1));
		EXPECT_EQ(-1, send(p->session, "x", 1, 0));
		EXPECT_EQ(EINVAL, errno);
	}
}

FIXTURE(established)
{
	struct pair pair;
};

FIXTURE_VARIANT(established)
{
	int family;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(established, ipv4_tls13)
{
	.family = AF_INET, .version = TLS_1_3_VERSION,
};

FIXTURE_VARIANT_ADD(established, ipv6_tls12)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION,
};

FIXTURE_SETUP(established)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_open(&self->pair, variant->family, variant->version,
			       TLS_CIPHER_AES_GCM_128));
}

FIXTURE_TEARDOWN(established)
{
	expect_unharmed(_metadata, &self->pair);
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(established, records_are_not_forged)
{
	for (int type = 0; type < 256; type++)
		EXPECT_EQ(-EPERM, send_record(self->pair.app, type, "x", 1));
}

TEST_F(established, urgent_data_and_zerocopy_are_eopnotsupp)
{
	struct pair *p = &self->pair;
	int one = 1;

	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, recv(p->app, &one, 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	setsockopt(p->app, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_ZEROCOPY));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, recv(p->app, NULL, 1000, MSG_TRUNC | MSG_DONTWAIT));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

TEST_HARNESS_MAIN
