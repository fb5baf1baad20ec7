// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which sockets can be taken over: established plain TCP, and nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

FIXTURE(kinds)
{
	int app, peer;
};

FIXTURE_SETUP(kinds)
{
	ASSERT_EQ(0, net_enter());
	self->app = -1;
	self->peer = -1;
}

FIXTURE_TEARDOWN(kinds)
{
	if (self->app >= 0)
		close(self->app);
	if (self->peer >= 0)
		close(self->peer);
	EXPECT_TRUE(nothing_left());
}

static int ulp_errno(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol);
	int err;

	if (fd < 0)
		return -errno;
	err = take_over(fd);
	close(fd);
	return err;
}

static int listener(int protocol, struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (void *)address, length) || listen(fd, 4) ||
	    getsockname(fd, (void *)address, &length))
		return -1;
	return fd;
}

static int connected(int protocol, const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0 || connect(fd, (const void *)address, sizeof(*address)))
		return -1;
	return fd;
}

TEST_F(kinds, unconnected_sockets_are_enotconn)
{
	EXPECT_EQ(-ENOTCONN, ulp_errno(AF_INET, SOCK_STREAM, 0));
	EXPECT_EQ(-ENOTCONN, ulp_errno(AF_INET6, SOCK_STREAM, 0));
}

TEST_F(kinds, a_socket_whose_peer_has_closed_is_enotconn)
{
	ASSERT_EQ(0, tcp_pair(AF_INET, &self->app, &self->peer));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_TRUE(wait_for(self->app, POLLRDHUP) & POLLRDHUP);
	EXPECT_EQ(-ENOTCONN, take_over(self->app));
}

TEST_F(kinds, other_protocols_are_refused)
{
	EXPECT_GT(0, ulp_errno(AF_INET, SOCK_DGRAM, 0));
	EXPECT_GT(0, ulp_errno(AF_UNIX, SOCK_STREAM, 0));
	EXPECT_GT(0, ulp_errno(AF_NETLINK, SOCK_RAW, 0));
}

TEST_F(kinds, options_without_the_ulp_are_enoprotoopt)
{
	uint32_t value = 0;
	socklen_t length = sizeof(value);

	ASSERT_EQ(0, tcp_pair(AF_INET, &self->app, &self->peer));
	EXPECT_EQ(-ENOPROTOOPT, start(self->app, TLS_HANDOFF_SERVER));
	EXPECT_EQ(-ENOPROTOOPT, set_string(self->app, TLS_HANDOFF_PROFILE, "x"));
	EXPECT_EQ(-1, getsockopt(self->app, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &value, &length));
	EXPECT_EQ(-1, set_u32(self->peer, TLS_HANDOFF_CONTINUE, 0) < 0 ? -1 : 0);
}

/* MPTCP refuses in its own words, before the ULP is asked */
static bool refused_by_mptcp(int err)
{
	return err == -EOPNOTSUPP || err == -ENOPROTOOPT;
}

TEST_F(kinds, mptcp_is_refused)
{
	struct sockaddr_in address;
	int fd = listener(IPPROTO_MPTCP, &address);
	char buffer[4];

	if (fd < 0)
		SKIP(return, "this kernel has no MPTCP");
	self->app = connected(IPPROTO_MPTCP, &address);
	ASSERT_LE(0, self->app);
	self->peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, self->peer);
	EXPECT_TRUE(refused_by_mptcp(take_over(self->app)));
	EXPECT_TRUE(refused_by_mptcp(take_over(self->peer)));
	ASSERT_EQ(4, send(self->app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(self->peer, buffer, 4));
	close(fd);
}

TEST_F(kinds, a_plain_connection_to_an_mptcp_listener_is_taken_over)
{
	struct sockaddr_in address;
	int fd = listener(IPPROTO_MPTCP, &address);
	char buffer[4];

	if (fd < 0)
		SKIP(return, "this kernel has no MPTCP");
	self->peer = connected(0, &address);
	ASSERT_LE(0, self->peer);
	self->app = accept(fd, NULL, NULL);
	ASSERT_LE(0, self->app);
	EXPECT_EQ(0, take_over(self->app));
	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, get_info(self->app).state);
	ASSERT_EQ(4, send(self->app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(self->peer, buffer, 4));
	close(fd);
}

TEST_F(kinds, ipv4_on_an_ipv6_socket_is_handed_off)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	struct pair pair = PAIR_NONE;
	struct sockaddr_in address;
	int fd = listener(0, &address);
	char buffer[4];

	ASSERT_LE(0, fd);
	pair.version = TLS_1_3_VERSION;
	pair.cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, agent_open(&pair.agent));
	mapped.sin6_port = address.sin_port;
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	pair.app = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(pair.app, (void *)&mapped, sizeof(mapped)));
	pair.peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, pair.peer);
	ASSERT_EQ(0, take_over(pair.app));
	ASSERT_EQ(0, pair_begin(&pair, TLS_HANDOFF_SERVER));
	ASSERT_EQ(0, pair_finish(&pair, NULL));
	ASSERT_EQ(4, send(pair.app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(pair.peer, buffer, 4));
	ASSERT_EQ(4, send(pair.peer, "pong", 4, 0));
	EXPECT_EQ(4, read_all(pair.app, buffer, 4));
	EXPECT_EQ(0, memcmp("pong", buffer, 4));
	pair_close(&pair);
	close(fd);
}

/* Into a sockmap; the map's fd or -errno */
static int sockmap_with(int fd)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4,
				.value_size = 4, .max_entries = 1 };
	uint32_t key = 0, value = fd;
	int map;

	map = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (map < 0)
		return -errno;
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr))) {
		int err = -errno;

		close(map);
		return err;
	}
	return map;
}

TEST_F(kinds, a_socket_in_a_sockmap_is_eopnotsupp)
{
	int map;

	ASSERT_EQ(0, tcp_pair(AF_INET, &self->app, &self->peer));
	map = sockmap_with(self->app);
	if (map == -ENOSYS || map == -EINVAL)
		SKIP(return, "this kernel has no sockmap");
	ASSERT_LE(0, map);
	EXPECT_EQ(-EOPNOTSUPP, take_over(self->app));
	close(map);
}

TEST_F(kinds, a_taken_over_socket_does_not_go_into_a_sockmap)
{
	struct pair pair = PAIR_NONE;
	char buffer[4];
	int map;

	ASSERT_EQ(0, pair_open(&pair, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	map = sockmap_with(pair.app);
	EXPECT_GT(0, map);
	ASSERT_EQ(4, send(pair.app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(pair.peer, buffer, 4));
	if (map >= 0)
		close(map);
	pair_close(&pair);
}

TEST_F(kinds, a_taken_over_socket_does_not_go_into_a_sockmap_before_start)
{
	struct pair pair = PAIR_NONE;
	char buffer[4];
	int map;

	ASSERT_EQ(0, pair_prepare(&pair, AF_INET));
	pair.version = TLS_1_3_VERSION;
	pair.cipher = TLS_CIPHER_AES_GCM_128;
	/* The ULP has the socket's place: whatever is said, the handoff must still work */
	map = sockmap_with(pair.app);
	if (map >= 0)
		close(map);
	EXPECT_GT(0, map);
	ASSERT_EQ(0, pair_begin(&pair, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, pair_finish(&pair, NULL));
	ASSERT_EQ(4, send(pair.app, "ping", 4, 0));
	EXPECT_EQ(4, read_all(pair.peer, buffer, 4));
	pair_close(&pair);
}

TEST_F(kinds, a_second_ulp_is_refused)
{
	char name[32] = {};
	socklen_t length = sizeof(name);

	ASSERT_EQ(0, tcp_pair(AF_INET6, &self->app, &self->peer));
	ASSERT_EQ(0, take_over(self->app));
	EXPECT_EQ(-EEXIST, take_over(self->app));
	EXPECT_EQ(-1, setsockopt(self->app, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, setsockopt(self->app, SOL_TCP, TCP_ULP, "mptcp", 5));
	EXPECT_EQ(-1, setsockopt(self->app, SOL_TCP, TCP_ULP, "", 0));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, getsockopt(self->app, SOL_TCP, TCP_ULP, name, &length));
	EXPECT_STREQ(TLS_HANDOFF_ULP, name);
	/* A socket that is kTLS's already */
	ASSERT_EQ(0, setsockopt(self->peer, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(-EEXIST, take_over(self->peer));
}

TEST_F(kinds, after_start_the_ulp_is_still_refused)
{
	struct pair pair = PAIR_NONE;

	ASSERT_EQ(0, pair_start(&pair, AF_INET));
	EXPECT_EQ(-1, setsockopt(pair.app, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-EEXIST, take_over(pair.app));
	pair_close(&pair);
}

TEST_HARNESS_MAIN
