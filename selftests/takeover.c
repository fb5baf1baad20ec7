// SPDX-License-Identifier: GPL-2.0-only
/*
 * The takeover: what passes through before START, who is evicted by it, what
 * the program is not allowed, and that data then flows under the agent's keys.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(takeover)
{
	struct pair pair;
};

FIXTURE_VARIANT(takeover)
{
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(takeover, ipv4_tls13_aes_128_gcm)
{
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(takeover, ipv6_tls13_aes_256_gcm)
{
	.family = AF_INET6, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_VARIANT_ADD(takeover, ipv4_tls12_chacha20_poly1305)
{
	.family = AF_INET, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_CHACHA20_POLY1305,
};

FIXTURE_VARIANT_ADD(takeover, ipv6_tls12_aes_128_ccm)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_CCM_128,
};

FIXTURE_SETUP(takeover)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
}

FIXTURE_TEARDOWN(takeover)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(takeover, plain_data_passes_before_start)
{
	char buffer[16] = {};

	ASSERT_EQ(0, tcp_pair(variant->family, &self->pair.app, &self->pair.peer));
	ASSERT_EQ(0, setsockopt(self->pair.app, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, 11));
	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(self->pair.app).state);
	ASSERT_EQ(5, send(self->pair.app, "hello", 5, 0));
	ASSERT_EQ(5, recv(self->pair.peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("hello", buffer);
	ASSERT_EQ(3, send(self->pair.peer, "abc", 3, 0));
	EXPECT_TRUE(wait_for(self->pair.app, POLLIN) & POLLIN);
	ASSERT_EQ(3, recv(self->pair.app, buffer, sizeof(buffer), 0));
}

TEST_F(takeover, data_flows_both_ways_after_done)
{
	char buffer[64] = {};
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_open(p, variant->family, variant->version, variant->cipher));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, recv(p->peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("ping", buffer);
	ASSERT_EQ(4, send(p->peer, "pong", 4, 0));
	EXPECT_TRUE(wait_for(p->app, POLLIN) & POLLIN);
	memset(buffer, 0, sizeof(buffer));
	ASSERT_EQ(4, recv(p->app, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("pong", buffer);
}

TEST_F(takeover, handshake_bytes_go_through_the_session_fd_only)
{
	char buffer[64] = {};
	struct pair *p = &self->pair;

	p->version = variant->version;
	p->cipher = variant->cipher;
	ASSERT_EQ(0, pair_start(p, variant->family));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(6, send(p->session, "flight", 6, 0));
	ASSERT_EQ(6, recv(p->peer, buffer, sizeof(buffer), 0));
	ASSERT_EQ(6, send(p->peer, "answer", 6, 0));
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
	EXPECT_EQ(-1, recv(p->app, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(3, recv(p->session, buffer, 3, 0));
	ASSERT_EQ(3, recv(p->session, buffer, 3, 0));
	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, recv(p->peer, buffer, sizeof(buffer), 0));
}

TEST_F(takeover, peer_may_finish_before_the_keys_are_there)
{
	struct pair *p = &self->pair;
	char buffer[64] = {};
	struct keys tx, rx;
	struct done done;

	p->version = variant->version;
	p->cipher = variant->cipher;
	ASSERT_EQ(0, pair_start(p, variant->family));
	/* All the peer ever sends is in our receive queue, FIN included */
	ASSERT_EQ(0, peer_tls(p->peer, p->version, p->cipher));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	ASSERT_EQ(0, send_alert(p->peer, 1, 0));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	EXPECT_TRUE(wait_for(p->session, POLLRDHUP) & POLLRDHUP);

	keys_fill(&tx, p->version, p->cipher, 0, 0);
	keys_fill(&rx, p->version, p->cipher, 1, 0);
	ASSERT_EQ(0, keys_install(p->session, &tx, &rx));
	/* Data is never for the agent, not even between the key and DONE */
	EXPECT_EQ(-1, recv(p->session, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	done = (struct done){ .id = p->id, .version = p->version, .cipher = p->cipher };
	ASSERT_EQ(0, agent_done(p->agent, &done));
	ASSERT_EQ(4, recv(p->app, buffer, sizeof(buffer), 0));
	EXPECT_EQ(0, memcmp(buffer, "data", 4));
	EXPECT_EQ(0, recv(p->app, buffer, sizeof(buffer), 0));
	ASSERT_EQ(6, send(p->app, "answer", 6, 0));
	ASSERT_EQ(6, recv(p->peer, buffer, sizeof(buffer), 0));
}

TEST_HARNESS_MAIN
