// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options, names, labels and ioctls of a handed-off connection beside a plain
 * one: the same answer and the same errno, or a refusal that is documented. The
 * tables here are those of Documentation/socket-options.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "semantics.h"

/* <netinet/tcp.h> has it, and a struct tcp_info that ends early */
#ifndef SOL_TCP
#define SOL_TCP 6
#endif

/* What the answer is compared in */
enum compare {
	VALUE,		/* errno, length and bytes */
	LENGTH,		/* errno and length: the value is each socket's own */
};

struct option {
	int level, name;
	const char *words;
	enum compare compare;
	int value;	/* to be set, or NOT_SET */
};

#define NOT_SET (-12345)
#define OPTION(level, name, compare, value) { level, name, #name, compare, value }

static const struct option options[] = {
	OPTION(SOL_SOCKET, SO_KEEPALIVE, VALUE, 1),
	OPTION(SOL_SOCKET, SO_REUSEADDR, VALUE, 1),
	OPTION(SOL_SOCKET, SO_REUSEPORT, VALUE, 0),
	OPTION(SOL_SOCKET, SO_DONTROUTE, VALUE, 1),
	OPTION(SOL_SOCKET, SO_BROADCAST, VALUE, 1),
	OPTION(SOL_SOCKET, SO_OOBINLINE, VALUE, 1),
	OPTION(SOL_SOCKET, SO_PRIORITY, VALUE, 3),
	OPTION(SOL_SOCKET, SO_SNDBUF, VALUE, 50000),
	OPTION(SOL_SOCKET, SO_RCVBUF, VALUE, 50000),
	OPTION(SOL_SOCKET, SO_SNDBUFFORCE, VALUE, 90000),
	OPTION(SOL_SOCKET, SO_RCVBUFFORCE, VALUE, 90000),
	OPTION(SOL_SOCKET, SO_BUF_LOCK, VALUE, 3),
	OPTION(SOL_SOCKET, SO_RCVLOWAT, VALUE, 17),
	OPTION(SOL_SOCKET, SO_SNDLOWAT, VALUE, 17),
	OPTION(SOL_SOCKET, SO_TYPE, VALUE, 1),
	OPTION(SOL_SOCKET, SO_PROTOCOL, VALUE, 1),
	OPTION(SOL_SOCKET, SO_DOMAIN, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_ACCEPTCONN, VALUE, 1),
	OPTION(SOL_SOCKET, SO_ERROR, VALUE, 1),
	OPTION(SOL_SOCKET, SO_MARK, VALUE, 42),
	OPTION(SOL_SOCKET, SO_RCVMARK, VALUE, 1),
	OPTION(SOL_SOCKET, SO_RCVPRIORITY, VALUE, 1),
	OPTION(SOL_SOCKET, SO_BUSY_POLL, VALUE, 50),
	OPTION(SOL_SOCKET, SO_PREFER_BUSY_POLL, VALUE, 1),
	OPTION(SOL_SOCKET, SO_BUSY_POLL_BUDGET, VALUE, 8),
	OPTION(SOL_SOCKET, SO_INCOMING_CPU, LENGTH, 1),
	OPTION(SOL_SOCKET, SO_INCOMING_NAPI_ID, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_COOKIE, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_NETNS_COOKIE, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_MAX_PACING_RATE, VALUE, 1 << 30),
	OPTION(SOL_SOCKET, SO_TXREHASH, VALUE, 0),
	OPTION(SOL_SOCKET, SO_RESERVE_MEM, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_MEMINFO, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_BINDTODEVICE, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_BINDTOIFINDEX, VALUE, 1),
	OPTION(SOL_SOCKET, SO_NO_CHECK, VALUE, 1),
	OPTION(SOL_SOCKET, SO_NOFCS, VALUE, 1),
	OPTION(SOL_SOCKET, SO_RXQ_OVFL, VALUE, 1),
	OPTION(SOL_SOCKET, SO_WIFI_STATUS, VALUE, 1),
	OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE, VALUE, 1),
	OPTION(SOL_SOCKET, SO_LOCK_FILTER, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_PASSCRED, VALUE, 1),
	OPTION(SOL_SOCKET, SO_PASSSEC, VALUE, 1),
	OPTION(SOL_SOCKET, SO_PEERCRED, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_PEERGROUPS, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_PEERSEC, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, SO_PEERNAME, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_PEERPIDFD, LENGTH, NOT_SET),
	OPTION(SOL_SOCKET, SO_TIMESTAMP, VALUE, 1),
	OPTION(SOL_SOCKET, SO_TIMESTAMPNS, VALUE, 1),
	OPTION(SOL_SOCKET, SO_TIMESTAMPING, VALUE, NOT_SET),
	OPTION(SOL_SOCKET, 9999, VALUE, 1),
	OPTION(SOL_TCP, TCP_NODELAY, VALUE, 1),
	OPTION(SOL_TCP, TCP_CORK, VALUE, 0),
	OPTION(SOL_TCP, TCP_MAXSEG, LENGTH, 1000),
	OPTION(SOL_TCP, TCP_KEEPIDLE, VALUE, 100),
	OPTION(SOL_TCP, TCP_KEEPINTVL, VALUE, 10),
	OPTION(SOL_TCP, TCP_KEEPCNT, VALUE, 5),
	OPTION(SOL_TCP, TCP_SYNCNT, VALUE, 3),
	OPTION(SOL_TCP, TCP_LINGER2, VALUE, 30),
	OPTION(SOL_TCP, TCP_DEFER_ACCEPT, VALUE, 0),
	OPTION(SOL_TCP, TCP_WINDOW_CLAMP, LENGTH, 60000),
	OPTION(SOL_TCP, TCP_INFO, LENGTH, NOT_SET),
	OPTION(SOL_TCP, TCP_CC_INFO, LENGTH, NOT_SET),
	OPTION(SOL_TCP, TCP_QUICKACK, LENGTH, 1),
	OPTION(SOL_TCP, TCP_CONGESTION, VALUE, NOT_SET),
	OPTION(SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, VALUE, 1),
	OPTION(SOL_TCP, TCP_THIN_DUPACK, VALUE, 0),
	OPTION(SOL_TCP, TCP_USER_TIMEOUT, VALUE, 5000),
	OPTION(SOL_TCP, TCP_NOTSENT_LOWAT, VALUE, 16384),
	OPTION(SOL_TCP, TCP_FASTOPEN, VALUE, NOT_SET),
	OPTION(SOL_TCP, TCP_FASTOPEN_CONNECT, VALUE, NOT_SET),
	OPTION(SOL_TCP, TCP_FASTOPEN_NO_COOKIE, VALUE, 0),
	OPTION(SOL_TCP, TCP_TX_DELAY, VALUE, 0),
	OPTION(SOL_TCP, TCP_SAVE_SYN, VALUE, 0),
	OPTION(SOL_TCP, TCP_SAVED_SYN, LENGTH, NOT_SET),
	OPTION(SOL_TCP, 9999, VALUE, 1),
	OPTION(SOL_IP, IP_TOS, VALUE, 16),
	OPTION(SOL_IP, IP_TTL, VALUE, 33),
	OPTION(SOL_IP, IP_MTU, VALUE, NOT_SET),
	OPTION(SOL_IP, IP_MTU_DISCOVER, VALUE, 1),
	OPTION(SOL_IP, IP_RECVERR, VALUE, 1),
	OPTION(SOL_IP, IP_BIND_ADDRESS_NO_PORT, VALUE, 1),
	OPTION(SOL_IP, IP_FREEBIND, VALUE, 1),
	OPTION(SOL_IPV6, IPV6_V6ONLY, VALUE, NOT_SET),
	OPTION(SOL_IPV6, IPV6_UNICAST_HOPS, VALUE, 44),
	OPTION(SOL_IPV6, IPV6_TCLASS, VALUE, 8),
	OPTION(SOL_IPV6, IPV6_MTU, LENGTH, NOT_SET),
	OPTION(99999, 1, VALUE, 1),
};

struct answer {
	int err;
	socklen_t length;
	char bytes[512];
};

static struct answer get(int fd, const struct option *option)
{
	struct answer answer = { .length = sizeof(answer.bytes) };

	if (getsockopt(fd, option->level, option->name, answer.bytes, &answer.length)) {
		memset(&answer, 0, sizeof(answer));
		answer.err = errno;
	}
	/* A descriptor that it gave away */
	if (!answer.err && option->level == SOL_SOCKET && option->name == SO_PEERPIDFD)
		close(*(int *)answer.bytes);
	return answer;
}

static bool same(const struct option *option, const struct answer *a, const struct answer *b)
{
	return a->err == b->err && a->length == b->length &&
	       (option->compare == LENGTH || !memcmp(a->bytes, b->bytes, a->length));
}

TEST_F(semantics, options_give_and_take_what_they_do_on_plain_tcp)
{
	int plain, other;

	ASSERT_EQ(0, tcp_pair(variant->family, &plain, &other));
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];
		struct answer want = get(plain, option), got = get(self->app, option);
		int want_err, err;

		EXPECT_TRUE(same(option, &want, &got))
			TH_LOG("get %s: errno %d, plain %d; length %u, plain %u", option->words,
			       got.err, want.err, got.length, want.length);
		if (option->value == NOT_SET)
			continue;
		want_err = setsockopt(plain, option->level, option->name, &option->value,
				      sizeof(option->value)) ? errno : 0;
		err = setsockopt(self->app, option->level, option->name, &option->value,
				 sizeof(option->value)) ? errno : 0;
		EXPECT_EQ(want_err, err)
			TH_LOG("set %s", option->words);
		want = get(plain, option);
		got = get(self->app, option);
		EXPECT_TRUE(same(option, &want, &got))
			TH_LOG("get %s after it was set: errno %d, plain %d", option->words,
			       got.err, want.err);
	}
	close(plain);
	close(other);
}

struct refusal {
	int level, name;
	const char *words;
	bool get, set;
	int err;	/* on a handoff; plain TCP says something else */
};

#define REFUSAL(level, name, get, set, err) { level, name, #name, get, set, err }

static const struct refusal refusals[] = {
	REFUSAL(SOL_TLS, TLS_TX, true, true, EPERM),
	REFUSAL(SOL_TLS, TLS_RX, true, true, EPERM),
	REFUSAL(SOL_TLS, TLS_TX_ZEROCOPY_RO, true, true, EPERM),
	REFUSAL(SOL_TLS, TLS_RX_EXPECT_NO_PAD, true, true, EPERM),
	REFUSAL(SOL_TCP, TCP_REPAIR, false, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_REPAIR_QUEUE, false, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_REPAIR_OPTIONS, false, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_REPAIR_WINDOW, true, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_QUEUE_SEQ, false, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_ZEROCOPY_RECEIVE, true, false, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_INQ, false, true, EOPNOTSUPP),
	REFUSAL(SOL_TCP, TCP_FASTOPEN, false, true, EOPNOTSUPP),
	REFUSAL(SOL_SOCKET, SO_PEEK_OFF, false, true, EOPNOTSUPP),
};

TEST_F(semantics, refused_options_have_their_errno_and_do_no_harm)
{
	if (variant->kind != KIND_HANDOFF)
		SKIP(return, "nothing is refused there");
	for (unsigned int i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		char buffer[64] = { 1 };
		socklen_t length = sizeof(buffer);
		int one = 1;

		if (refusal->get) {
			EXPECT_EQ(-1, getsockopt(self->app, refusal->level, refusal->name, buffer,
						 &length))
				TH_LOG("get %s", refusal->words);
			EXPECT_EQ(refusal->err, errno)
				TH_LOG("get %s", refusal->words);
		}
		if (refusal->set) {
			EXPECT_EQ(-1, setsockopt(self->app, refusal->level, refusal->name, &one,
						 sizeof(one)))
				TH_LOG("set %s", refusal->words);
			EXPECT_EQ(refusal->err, errno)
				TH_LOG("set %s", refusal->words);
		}
	}
	expect_unharmed(_metadata, self->app, self->peer);
}

TEST_F(semantics, cookie_and_inode_are_those_before_the_takeover)
{
	struct pair p = PAIR_NONE;
	struct stat before, after;
	uint64_t cookie = 0, again = 1;
	socklen_t length = sizeof(cookie);

	if (variant->kind != KIND_HANDOFF)
		SKIP(return, "no takeover");
	ASSERT_EQ(0, tcp_pair(variant->family, &p.app, &p.peer));
	ASSERT_EQ(0, fstat(p.app, &before));
	ASSERT_EQ(0, getsockopt(p.app, SOL_SOCKET, SO_COOKIE, &cookie, &length));
	ASSERT_EQ(0, take_over(p.app));
	ASSERT_EQ(0, getsockopt(p.app, SOL_SOCKET, SO_COOKIE, &again, &length));
	ASSERT_EQ(0, fstat(p.app, &after));
	EXPECT_EQ(cookie, again);
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_dev, after.st_dev);
	EXPECT_EQ(before.st_uid, after.st_uid);
	EXPECT_TRUE(S_ISSOCK(after.st_mode));
	pair_close_sockets(&p);
}

TEST_F(semantics, names_are_those_of_both_ends)
{
	struct sockaddr_storage ours = {}, theirs = {}, seen = {};
	socklen_t length = sizeof(ours);

	ASSERT_EQ(0, getsockname(self->app, (void *)&ours, &length));
	EXPECT_EQ(variant->family, ours.ss_family);
	EXPECT_EQ(0, getpeername(self->peer, (void *)&seen, &length));
	EXPECT_EQ(0, memcmp(&ours, &seen, length));
	ASSERT_EQ(0, getpeername(self->app, (void *)&theirs, &length));
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(0, getsockname(self->peer, (void *)&seen, &length));
	EXPECT_EQ(0, memcmp(&theirs, &seen, length));
	length = 1;
	EXPECT_EQ(0, getpeername(self->app, (void *)&seen, &length));
	EXPECT_LT(1, length);
}

static const char *const labels[] = { "security.selinux", "security.SMACK64", "security.apparmor",
				      "security.capability", "security.any", "system.sockprotoname",
				      "user.any", "trusted.any" };

/* Whatever security module there is labels both alike, or says the same errno */
TEST_F(semantics, labels_are_those_of_plain_tcp)
{
	char want[512], got[512];
	int plain, other;
	long ret;

	ASSERT_EQ(0, tcp_pair(variant->family, &plain, &other));
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		long err, want_err;

		ret = fgetxattr(plain, labels[i], want, sizeof(want));
		want_err = ret < 0 ? errno : 0;
		EXPECT_EQ(ret, fgetxattr(self->app, labels[i], got, sizeof(got)))
			TH_LOG("%s", labels[i]);
		err = ret < 0 ? errno : 0;
		EXPECT_EQ(want_err, err)
			TH_LOG("%s", labels[i]);
		if (ret > 0)
			EXPECT_EQ(0, memcmp(want, got, ret));
		want_err = fsetxattr(plain, labels[i], "x", 1, 0) ? errno : 0;
		err = fsetxattr(self->app, labels[i], "x", 1, 0) ? errno : 0;
		EXPECT_EQ(want_err, err)
			TH_LOG("set %s", labels[i]);
	}
	ret = flistxattr(plain, want, sizeof(want));
	EXPECT_EQ(ret, flistxattr(self->app, got, sizeof(got)));
	if (ret > 0)
		EXPECT_EQ(0, memcmp(want, got, ret));
	close(plain);
	close(other);
}

TEST_F(semantics, tcp_info_is_of_the_connection)
{
	struct tcp_info info = {};
	socklen_t length = sizeof(info);

	ASSERT_EQ(5000, send(self->app, self->out, 5000, 0));
	ASSERT_EQ(5000, read_all(self->peer, self->in, 5000));
	ASSERT_EQ(3000, send(self->peer, self->out, 3000, 0));
	ASSERT_EQ(3000, read_all(self->app, self->in, 3000));
	ASSERT_EQ(0, getsockopt(self->app, SOL_TCP, TCP_INFO, &info, &length));
	EXPECT_EQ(1 /* TCP_ESTABLISHED */, info.tcpi_state);
	/* On the wire: data and what TLS adds */
	EXPECT_LE(5000, info.tcpi_bytes_sent);
	EXPECT_LE(3000, info.tcpi_bytes_received);
	if (variant->kind == KIND_PLAIN) {
		EXPECT_EQ(5000, info.tcpi_bytes_sent);
		EXPECT_EQ(3000, info.tcpi_bytes_received);
	}
}

static bool all_acknowledged(void *arg)
{
	int bytes = -1;

	return !ioctl(*(int *)arg, SIOCOUTQ, &bytes) && !bytes;
}

TEST_F(semantics, siocoutq_counts_what_the_peer_did_not_take)
{
	int bytes = -1, unsent = -1;
	long sent;

	ASSERT_EQ(0, ioctl(self->app, SIOCOUTQ, &bytes));
	EXPECT_TRUE(until(all_acknowledged, &self->app));
	sent = fill(self->app, 'x');
	ASSERT_LT(0, sent);
	ASSERT_EQ(0, ioctl(self->app, SIOCOUTQ, &bytes));
	ASSERT_EQ(0, ioctl(self->app, SIOCOUTQNSD, &unsent));
	EXPECT_LT(0, bytes);
	EXPECT_LT(0, unsent);
	EXPECT_LE(unsent, bytes);
	while (sent > 0) {
		long ret = recv(self->peer, self->in, sizeof(self->in), 0);

		ASSERT_LT(0, ret);
		sent -= ret;
	}
	EXPECT_TRUE(until(all_acknowledged, &self->app));
}

TEST_F(semantics, ioctls_answer_as_on_plain_tcp)
{
	static const unsigned int requests[] = { SIOCATMARK, SIOCGPGRP, FIOGETOWN, SIOCGSTAMP_NEW,
						 SIOCGSTAMPNS_NEW, SIOCGIFINDEX, TCGETS, 0x1234 };
	int plain, other;

	ASSERT_EQ(0, tcp_pair(variant->family, &plain, &other));
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		char want[256] = {}, got[256] = {};
		int want_err = ioctl(plain, requests[i], want) ? errno : 0;
		int err = ioctl(self->app, requests[i], got) ? errno : 0;

		EXPECT_EQ(want_err, err)
			TH_LOG("ioctl %#x", requests[i]);
		EXPECT_EQ(0, memcmp(want, got, sizeof(want)))
			TH_LOG("ioctl %#x", requests[i]);
	}
	EXPECT_EQ(-1, ioctl(self->app, FIONREAD, (void *)8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->app, SIOCOUTQ, (void *)8));
	EXPECT_EQ(EFAULT, errno);
	close(plain);
	close(other);
}

TEST_F(semantics, bind_listen_connect_and_accept_say_that_it_is_connected)
{
	struct sockaddr_storage address = {};
	socklen_t length = sizeof(address);
	int plain, other, err;

	ASSERT_EQ(0, tcp_pair(variant->family, &plain, &other));
	ASSERT_EQ(0, getpeername(plain, (void *)&address, &length));
	EXPECT_EQ(-1, connect(plain, (void *)&address, length));
	EXPECT_EQ(EISCONN, errno);
	EXPECT_EQ(-1, connect(self->app, (void *)&address, length));
	EXPECT_EQ(EISCONN, errno);
	EXPECT_EQ(-1, bind(plain, (void *)&address, length));
	err = errno;
	EXPECT_EQ(-1, bind(self->app, (void *)&address, length));
	EXPECT_EQ(err, errno);
	EXPECT_EQ(-1, listen(plain, 1));
	err = errno;
	EXPECT_EQ(-1, listen(self->app, 1));
	EXPECT_EQ(err, errno);
	EXPECT_EQ(-1, accept(plain, NULL, NULL));
	err = errno;
	EXPECT_EQ(-1, accept(self->app, NULL, NULL));
	EXPECT_EQ(err, errno);
	close(plain);
	close(other);
	expect_unharmed(_metadata, self->app, self->peer);
}

/* What a line of ss(8) about our end says; it looks at this process's descriptors */
static bool ss_says(int fd, char *line, size_t size)
{
	struct sockaddr_storage address = {};
	socklen_t length = sizeof(address);
	char command[200];
	FILE *ss;
	size_t n;

	if (getsockname(fd, (void *)&address, &length))
		return false;
	/* The port is at the same place in both families */
	snprintf(command, sizeof(command), "ss -tpieHnO 'sport = :%u'",
		 ntohs(((struct sockaddr_in *)&address)->sin_port));
	ss = popen(command, "re");
	if (!ss)
		return false;
	n = fread(line, 1, size - 1, ss);
	line[n] = 0;
	return !pclose(ss) && n;
}

TEST_F(semantics, ss_shows_program_inode_and_what_kind_of_socket_it_is)
{
	char line[4000], word[100];
	struct stat status;

	ASSERT_EQ(0, fstat(self->app, &status));
	ASSERT_TRUE(ss_says(self->app, line, sizeof(line)));
	EXPECT_TRUE(!!strstr(line, "ESTAB"))
		TH_LOG("%s", line);
	snprintf(word, sizeof(word), "pid=%d,fd=%d)", getpid(), self->app);
	EXPECT_TRUE(!!strstr(line, word))
		TH_LOG("%s is not in %s", word, line);
	snprintf(word, sizeof(word), "ino:%lu ", (unsigned long)status.st_ino);
	EXPECT_TRUE(!!strstr(line, word))
		TH_LOG("%s is not in %s", word, line);
	EXPECT_EQ(variant->kind != KIND_PLAIN, !!strstr(line, "tcp-ulp-tls"))
		TH_LOG("%s", line);
	snprintf(word, sizeof(word), "tcp-ulp-tls version: %s cipher: %s rxconf: sw txconf: sw",
		 variant->version == TLS_1_3_VERSION ? "1.3" : "1.2",
		 variant->cipher == TLS_CIPHER_AES_GCM_256 ? "aes-gcm-256" : "aes-gcm-128");
	if (variant->kind != KIND_PLAIN)
		EXPECT_TRUE(!!strstr(line, word))
			TH_LOG("%s is not in %s", word, line);
}

/* Timestamps of TCP are of the ciphertext's arrival: none comes, and nothing breaks */
TEST_F(semantics, control_buffers_and_timestamps_do_not_disturb_data)
{
	char control[256];
	struct iovec iov = { self->in, 100 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int one = 1;

	ASSERT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)));
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(5, recvmsg(self->app, &msg, 0));
	EXPECT_EQ(0, memcmp("hello", self->in, 5));
	if (variant->kind == KIND_HANDOFF) {
		EXPECT_EQ(0, msg.msg_controllen);
		EXPECT_EQ(0, msg.msg_flags);
	}
	/* Level SOL_SOCKET on sending: as TCP takes it */
	expect_unharmed(_metadata, self->app, self->peer);
}

TEST_HARNESS_MAIN
