// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every option of level SOL_TLS_HANDOFF, set and read back, right and wrong:
 * lengths, values, states.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(options)
{
	struct pair pair;
};

FIXTURE_SETUP(options)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, agent_open(&self->pair.agent));
	ASSERT_EQ(0, tcp_pair(AF_INET, &self->pair.app, &self->pair.peer));
	ASSERT_EQ(0, take_over(self->pair.app));
}

FIXTURE_TEARDOWN(options)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

static int set(int fd, int option, const void *value, socklen_t length)
{
	return setsockopt(fd, SOL_TLS_HANDOFF, option, value, length) ? -errno : 0;
}

/* Bytes, or -errno; @ret_length is what optlen says in any case */
static int get(int fd, int option, void *value, socklen_t size, socklen_t *ret_length)
{
	*ret_length = size;
	if (getsockopt(fd, SOL_TLS_HANDOFF, option, value, ret_length))
		return -errno;
	return *ret_length;
}

/* All bytes 'a', @length of them, and no NUL after */
static void expect_longest(struct __test_metadata *_metadata, int fd, int option, size_t max)
{
	char text[600], back[600];
	socklen_t length;

	memset(text, 'a', sizeof(text));
	EXPECT_EQ(-EINVAL, set(fd, option, text, max + 1));
	EXPECT_EQ(0, set(fd, option, text, max));
	memset(back, 'z', sizeof(back));
	EXPECT_EQ((int)max, get(fd, option, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp(text, back, max));
	EXPECT_EQ('z', back[max]);
	/* The longest with its NUL, and one more with it */
	text[max] = 0;
	EXPECT_EQ(0, set(fd, option, text, max + 1));
	EXPECT_EQ((int)max, get(fd, option, back, sizeof(back), &length));
	text[max] = 'a';
	text[max + 1] = 0;
	EXPECT_EQ(-EINVAL, set(fd, option, text, max + 2));
	EXPECT_EQ(-EINVAL, set(fd, option, text, sizeof(text)));
}

static void expect_string_rules(struct __test_metadata *_metadata, int fd, int option)
{
	socklen_t length;
	char back[600];

	EXPECT_EQ(0, set(fd, option, "name", 4));
	EXPECT_EQ(4, get(fd, option, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp("name", back, 4));
	/* One trailing NUL is dropped, others are refused and change nothing */
	EXPECT_EQ(0, set(fd, option, "other", 6));
	EXPECT_EQ(5, get(fd, option, back, sizeof(back), &length));
	EXPECT_EQ(-EINVAL, set(fd, option, "na\0me", 5));
	EXPECT_EQ(-EINVAL, set(fd, option, "name\0", 6));
	EXPECT_EQ(-EINVAL, set(fd, option, "\0name", 5));
	EXPECT_EQ(-EFAULT, set(fd, option, (void *)8, 5));
	EXPECT_EQ(5, get(fd, option, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp("other", back, 5));
	/* Too small: what is needed, and not a byte */
	memset(back, 'z', sizeof(back));
	EXPECT_EQ(-ERANGE, get(fd, option, back, 4, &length));
	EXPECT_EQ(5, length);
	EXPECT_EQ('z', back[0]);
	EXPECT_EQ(-ERANGE, get(fd, option, NULL, 0, &length));
	EXPECT_EQ(5, length);
	EXPECT_EQ(5, get(fd, option, back, 5, &length));
	EXPECT_EQ(-EFAULT, get(fd, option, (void *)8, 5, &length));
}

TEST_F(options, strings_keep_their_rules)
{
	static const struct {
		int option;
		size_t max;
		const char *unset;
	} strings[] = {
		{ TLS_HANDOFF_PROFILE, TLS_HANDOFF_MAX_PROFILE, "default" },
		{ TLS_HANDOFF_PEER_NAME, TLS_HANDOFF_MAX_PEER_NAME, "" },
		{ TLS_HANDOFF_PSK_IDENTITY, TLS_HANDOFF_MAX_PSK_IDENTITY, "" },
	};
	int fd = self->pair.app;
	socklen_t length;
	char back[600];

	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++) {
		int option = strings[i].option, unset = strlen(strings[i].unset);

		EXPECT_EQ(unset, get(fd, option, back, sizeof(back), &length));
		EXPECT_EQ(0, memcmp(strings[i].unset, back, unset));
		expect_string_rules(_metadata, fd, option);
		expect_longest(_metadata, fd, option, strings[i].max);
		/* Length 0 clears, and so does a lone NUL */
		EXPECT_EQ(0, set(fd, option, NULL, 0));
		EXPECT_EQ(unset, get(fd, option, back, sizeof(back), &length));
		EXPECT_EQ(0, set(fd, option, "x", 1));
		EXPECT_EQ(0, set(fd, option, "", 1));
		EXPECT_EQ(unset, get(fd, option, back, sizeof(back), &length));
	}
}

struct number {
	int option;
	uint32_t unset, good[4], bad[3];
	int good_count, bad_count;
};

TEST_F(options, u32_options_take_their_values_only)
{
	static const struct number numbers[] = {
		{ TLS_HANDOFF_AUTH, TLS_HANDOFF_AUTH_X509, { 1, 2, 3, 4 }, { 0, 5, -1 }, 4, 3 },
		{ TLS_HANDOFF_CLIENT_CERT, TLS_HANDOFF_CERT_NONE, { 0, 1, 2 }, { 3, -1 }, 3, 2 },
		{ TLS_HANDOFF_TIMEOUT, TLS_HANDOFF_DEFAULT_TIMEOUT, { 1, 600000 }, { 0 }, 2, 1 },
		{ TLS_HANDOFF_RESUME, 1, { 0, 1 }, { 2, -1 }, 2, 2 },
	};
	int fd = self->pair.app;
	uint32_t value;
	uint64_t wide;
	socklen_t length;

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct number *n = &numbers[i];

		EXPECT_EQ(4, get(fd, n->option, &value, 4, &length));
		EXPECT_EQ(n->unset, value);
		for (int k = 0; k < n->good_count; k++) {
			EXPECT_EQ(0, set_u32(fd, n->option, n->good[k]));
			/* A longer buffer does not change the length */
			EXPECT_EQ(4, get(fd, n->option, &wide, 8, &length));
			memcpy(&value, &wide, 4);
			EXPECT_EQ(n->good[k], value);
		}
		for (int k = 0; k < n->bad_count; k++)
			EXPECT_EQ(-EINVAL, set_u32(fd, n->option, n->bad[k]));
		for (socklen_t k = 0; k <= 8; k++)
			if (k != 4)
				EXPECT_EQ(-EINVAL, set(fd, n->option, &wide, k));
		EXPECT_EQ(-EFAULT, set(fd, n->option, (void *)8, 4));
		EXPECT_EQ(-ERANGE, get(fd, n->option, &wide, 3, &length));
		EXPECT_EQ(4, length);
		/* What was refused changed nothing */
		EXPECT_EQ(4, get(fd, n->option, &value, 4, &length));
		EXPECT_EQ(n->good[n->good_count - 1], value);
	}
}

TEST_F(options, versions_are_tls12_and_tls13)
{
	static const int both[] = { TLS_HANDOFF_MIN_VERSION, TLS_HANDOFF_MAX_VERSION };
	static const uint16_t bad[] = { 0, 0x0300, 0x0301, 0x0302, 0x0305, 0xffff };
	int fd = self->pair.app;
	uint16_t value = 0;
	uint32_t wide = TLS_1_3_VERSION;
	socklen_t length;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(2, get(fd, both[i], &value, 2, &length));
		EXPECT_EQ(i ? TLS_1_3_VERSION : TLS_1_2_VERSION, value);
		EXPECT_EQ(0, set_u16(fd, both[i], TLS_1_2_VERSION));
		EXPECT_EQ(0, set_u16(fd, both[i], TLS_1_3_VERSION));
		for (unsigned int k = 0; k < ARRAY_SIZE(bad); k++)
			EXPECT_EQ(-EINVAL, set_u16(fd, both[i], bad[k]));
		EXPECT_EQ(-EINVAL, set(fd, both[i], &wide, 4));
		EXPECT_EQ(-EINVAL, set(fd, both[i], &wide, 1));
		EXPECT_EQ(-EINVAL, set(fd, both[i], &wide, 0));
		EXPECT_EQ(-ERANGE, get(fd, both[i], &value, 1, &length));
		EXPECT_EQ(2, length);
		EXPECT_EQ(2, get(fd, both[i], &value, 2, &length));
		EXPECT_EQ(TLS_1_3_VERSION, value);
	}
}

TEST_F(options, ciphers_are_those_that_ktls_and_we_have)
{
	uint16_t good[] = { TLS_CIPHER_CHACHA20_POLY1305, TLS_CIPHER_AES_GCM_256,
			    TLS_CIPHER_AES_GCM_128, TLS_CIPHER_AES_CCM_128 };
	uint16_t many[TLS_HANDOFF_MAX_CIPHERS + 1], back[16];
	int fd = self->pair.app;
	socklen_t length;

	EXPECT_EQ(0, get(fd, TLS_HANDOFF_CIPHERS, back, sizeof(back), &length));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_CIPHERS, good, sizeof(good)));
	EXPECT_EQ(sizeof(good), get(fd, TLS_HANDOFF_CIPHERS, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp(good, back, sizeof(good)));
	EXPECT_EQ(-ERANGE, get(fd, TLS_HANDOFF_CIPHERS, back, sizeof(good) - 1, &length));
	EXPECT_EQ(sizeof(good), length);
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_CIPHERS, good, 3));
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = TLS_CIPHER_AES_GCM_128;
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_CIPHERS, many, sizeof(many)));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_CIPHERS, many, sizeof(many) - 2));
	many[3] = TLS_CIPHER_SM4_GCM;
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_CIPHERS, many, 8));
	many[3] = 0;
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_CIPHERS, many, 8));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_CIPHERS, NULL, 0));
	EXPECT_EQ(0, get(fd, TLS_HANDOFF_CIPHERS, back, sizeof(back), &length));
}

TEST_F(options, alpn_is_well_formed_or_refused)
{
	static const char good[] = "\x02h2\x08http/1.1";
	uint8_t list[TLS_HANDOFF_MAX_ALPN + 40], back[sizeof(list)];
	int fd = self->pair.app;
	socklen_t length;

	EXPECT_EQ(0, get(fd, TLS_HANDOFF_ALPN, back, sizeof(back), &length));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_ALPN, good, sizeof(good) - 1));
	EXPECT_EQ(sizeof(good) - 1, get(fd, TLS_HANDOFF_ALPN, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp(good, back, sizeof(good) - 1));
	EXPECT_EQ(-ERANGE, get(fd, TLS_HANDOFF_ALPN, back, 3, &length));
	EXPECT_EQ(sizeof(good) - 1, length);
	/* An empty name, one that is cut, one that is too long, a name too many */
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, "\x00", 1));
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, "\x02h2\x00", 4));
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, "\x03h2", 3));
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, "\x02h2\x05http", 8));
	memset(list, 'a', sizeof(list));
	list[0] = TLS_HANDOFF_MAX_ALPN_NAME + 1;
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, list, list[0] + 1));
	for (int i = 0; i <= TLS_HANDOFF_MAX_ALPN_NAMES; i++)
		list[i * (TLS_HANDOFF_MAX_ALPN_NAME + 1)] = TLS_HANDOFF_MAX_ALPN_NAME;
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_ALPN, list, TLS_HANDOFF_MAX_ALPN));
	EXPECT_EQ(TLS_HANDOFF_MAX_ALPN,
		  get(fd, TLS_HANDOFF_ALPN, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp(list, back, TLS_HANDOFF_MAX_ALPN));
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, list, TLS_HANDOFF_MAX_ALPN +
							   TLS_HANDOFF_MAX_ALPN_NAME + 1));
	for (int i = 0; i <= TLS_HANDOFF_MAX_ALPN_NAMES; i++)
		memcpy(list + 2 * i, "\x01x", 2);
	EXPECT_EQ(-EINVAL, set(fd, TLS_HANDOFF_ALPN, list, 2 * TLS_HANDOFF_MAX_ALPN_NAMES + 2));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_ALPN, list, 2 * TLS_HANDOFF_MAX_ALPN_NAMES));
	EXPECT_EQ(0, set(fd, TLS_HANDOFF_ALPN, NULL, 0));
	EXPECT_EQ(0, get(fd, TLS_HANDOFF_ALPN, back, sizeof(back), &length));
}

TEST_F(options, after_start_nothing_can_be_set)
{
	struct pair *p = &self->pair;
	struct done failed = { .status = EPROTO };
	uint32_t number = 1;
	uint16_t version = TLS_1_3_VERSION;
	char back[64];
	socklen_t length;

	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "peer.test"));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	for (int round = 0; round < 3; round++) {
		for (int option = TLS_HANDOFF_PROFILE; option <= TLS_HANDOFF_RESUME; option++) {
			bool is_u16 = option == TLS_HANDOFF_MIN_VERSION ||
				      option == TLS_HANDOFF_MAX_VERSION;

			EXPECT_EQ(-EBUSY, is_u16 ? set(p->app, option, &version, 2) :
						   set(p->app, option, &number, 4));
		}
		/* It can still be read */
		EXPECT_EQ(9, get(p->app, TLS_HANDOFF_PEER_NAME, back, sizeof(back), &length));
		if (!round) {
			ASSERT_EQ(0, pair_finish(p, NULL));
		} else if (round == 1) {
			failed.id = p->id;
			ASSERT_EQ(0, agent_done(p->agent, &failed));
		}
	}
}

TEST_F(options, what_is_get_only_or_set_only_or_unknown_is_enoprotoopt)
{
	static const int get_only[] = { TLS_HANDOFF_INFO, TLS_HANDOFF_PEER_CERT,
					TLS_HANDOFF_PEER_IDENTITY, TLS_HANDOFF_SERVER_NAME,
					TLS_HANDOFF_ERROR, TLS_HANDOFF_EXPORTER,
					TLS_HANDOFF_SESSION_FD };
	static const int set_only[] = { TLS_HANDOFF_START, TLS_HANDOFF_REKEY,
					TLS_HANDOFF_CONTINUE, TLS_HANDOFF_TX_UPDATE };
	static const int unknown[] = { 0, -1, 13, 31, 34, 63, 71, 95, 98, 1000, 0x7fffffff };
	struct pair *p = &self->pair;
	uint32_t value = 1;
	socklen_t length;

	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "peer.test"));
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(get_only); i++)
			EXPECT_EQ(-ENOPROTOOPT, set(p->app, get_only[i], &value, 4));
		for (unsigned int i = 0; i < ARRAY_SIZE(set_only); i++)
			EXPECT_EQ(-ENOPROTOOPT, get(p->app, set_only[i], &value, 4, &length));
		for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
			EXPECT_EQ(-ENOPROTOOPT, set(p->app, unknown[i], &value, 4));
			EXPECT_EQ(-ENOPROTOOPT, get(p->app, unknown[i], &value, 4, &length));
		}
		/* Those of the session fd are not for programs */
		EXPECT_EQ(-ENOPROTOOPT, set(p->app, TLS_HANDOFF_CONTINUE, &value, 4));
		EXPECT_EQ(-ENOPROTOOPT, set(p->app, TLS_HANDOFF_TX_UPDATE, &value, 4));
		if (!round) {
			ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
			ASSERT_EQ(0, pair_finish(p, NULL));
		}
	}
}

TEST_F(options, a_negative_length_is_einval_and_a_bad_pointer_efault)
{
	socklen_t length = -1;
	char back[64];

	for (int option = TLS_HANDOFF_PROFILE; option <= TLS_HANDOFF_RESUME; option++)
		EXPECT_EQ(-EINVAL, get(self->pair.app, option, back, -1, &length));
	EXPECT_EQ(-EINVAL, get(self->pair.app, TLS_HANDOFF_INFO, back, -1, &length));
	EXPECT_EQ(-1, getsockopt(self->pair.app, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, back, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-EFAULT, get(self->pair.app, TLS_HANDOFF_INFO, (void *)8, 64, &length));
}

TEST_F(options, info_grows_only_at_its_end)
{
	struct pair *p = &self->pair;
	unsigned char buffer[sizeof(struct tls_handoff_info) + 64];
	struct tls_handoff_info info = get_info(p->app);
	socklen_t length;

	EXPECT_EQ(TLS_HANDOFF_STATE_IDLE, info.state);
	EXPECT_EQ(0, info.session_id);
	EXPECT_EQ(-1, info.alert_sent);
	EXPECT_EQ(-1, info.alert_received);
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "peer.test"));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, pair_finish(p, NULL));
	info = get_info(p->app);
	EXPECT_EQ(p->id, info.session_id);
	EXPECT_EQ(TLS_1_3_VERSION, info.version);
	EXPECT_EQ(TLS_CIPHER_AES_GCM_128, info.cipher);
	EXPECT_EQ(TLS_HANDOFF_AUTH_X509, info.auth);
	for (socklen_t size = 0; size <= sizeof(buffer); size++) {
		int want = size < sizeof(info) ? size : sizeof(info);

		memset(buffer, 0xee, sizeof(buffer));
		ASSERT_EQ(want, get(p->app, TLS_HANDOFF_INFO, buffer, size, &length));
		ASSERT_EQ(0, memcmp(buffer, &info, want));
		ASSERT_TRUE(want == sizeof(buffer) || buffer[want] == 0xee);
	}
}

TEST_F(options, results_are_enotconn_before_ready)
{
	static const int results[] = { TLS_HANDOFF_PEER_CERT, TLS_HANDOFF_PEER_IDENTITY,
				       TLS_HANDOFF_SERVER_NAME, TLS_HANDOFF_EXPORTER };
	struct pair *p = &self->pair;
	socklen_t length;
	char back[64];

	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "peer.test"));
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(results); i++)
			EXPECT_EQ(-ENOTCONN, get(p->app, results[i], back, 64, &length));
		EXPECT_EQ(0, get(p->app, TLS_HANDOFF_ERROR, back, 64, &length));
		if (!round)
			ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	}
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-ENODATA, get(p->app, TLS_HANDOFF_PEER_CERT, back, 64, &length));
	EXPECT_EQ(-ENODATA, get(p->app, TLS_HANDOFF_PEER_IDENTITY, back, 64, &length));
	EXPECT_EQ(0, get(p->app, TLS_HANDOFF_SERVER_NAME, back, 64, &length));
	EXPECT_EQ(0, get(p->app, TLS_HANDOFF_ALPN, back, 64, &length));
	EXPECT_EQ(0, get_info(p->app).flags & TLS_HANDOFF_F_PEER_CERT);
}

TEST_F(options, results_are_what_done_brought)
{
	static unsigned char cert[TLS_HANDOFF_MAX_CERT], back[TLS_HANDOFF_MAX_CERT];
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
			     .auth = TLS_HANDOFF_AUTH_X509, .alpn = "h2",
			     .peer_identity = "dns:peer.test", .server_name = "server.test",
			     .peer_cert = cert, .peer_cert_len = sizeof(cert) };
	socklen_t length;

	pattern_fill(cert, sizeof(cert), 7);
	ASSERT_EQ(0, set(p->app, TLS_HANDOFF_ALPN, "\x02h2\x08http/1.1", 12));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_SERVER));
	done.id = p->id;
	ASSERT_EQ(0, pair_finish(p, &done));
	EXPECT_EQ(sizeof(cert), get(p->app, TLS_HANDOFF_PEER_CERT, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp(cert, back, sizeof(cert)));
	EXPECT_EQ(-ERANGE, get(p->app, TLS_HANDOFF_PEER_CERT, back, 100, &length));
	EXPECT_EQ(sizeof(cert), length);
	EXPECT_TRUE(get_info(p->app).flags & TLS_HANDOFF_F_PEER_CERT);
	EXPECT_EQ(2, get(p->app, TLS_HANDOFF_ALPN, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp("h2", back, 2));
	EXPECT_EQ(13, get(p->app, TLS_HANDOFF_PEER_IDENTITY, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp("dns:peer.test", back, 13));
	EXPECT_EQ(-ERANGE, get(p->app, TLS_HANDOFF_PEER_IDENTITY, back, 12, &length));
	EXPECT_EQ(13, length);
	EXPECT_EQ(11, get(p->app, TLS_HANDOFF_SERVER_NAME, back, sizeof(back), &length));
	EXPECT_EQ(0, memcmp("server.test", back, 11));
	EXPECT_EQ(TLS_HANDOFF_SERVER, get_info(p->app).role);
}

TEST_HARNESS_MAIN
