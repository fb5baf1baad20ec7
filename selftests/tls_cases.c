// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's own net/tls selftest checks of receiving, polling and ending, on
 * handed-off sockets, in both directions. The bodies are ours; which case of
 * tools/testing/selftests/net/tls.c one stands for:
 *
 *	the_largest_record				recv_max, recvmsg_single_max
 *	a_small_record					recv_small, recvmsg_single
 *	one_record_into_1024_parts			recvmsg_multiple
 *	one_send_and_several_recvs			single_send_multiple_recv,
 *							single_send_multiple_recv_non_align
 *	several_sends_and_one_recv			multiple_send_single_recv
 *	a_record_in_two_parts				recv_partial
 *	nothing_there_is_eagain				recv_nonblock
 *	a_hundred_peeks_take_nothing			recv_peek, recv_peek_multiple
 *	peeks_over_records				recv_peek_multiple_records,
 *							recv_peek_large_buf_mult_recs
 *	rcvlowat_over_records				recv_lowat
 *	both_directions					bidir
 *	poll_until_data_and_not_longer			pollin, poll_wait
 *	poll_tells_of_the_rest_of_a_record		poll_wait_split
 *	splice_a_record_into_a_pipe			splice_to_pipe
 *	splice_through_a_pipe_of_one_page		splice_to_pipe_small
 *	recv_half_and_splice_half			recv_and_splice
 *	peek_and_then_splice				peek_and_splice
 *	a_bad_part_loses_at_most_what_follows		recv_efault
 *	shutdown_of_both_ends				shutdown
 *	a_socket_that_was_shut_down_is_not_used_again	shutdown_reuse
 *	disconnecting_is_refused_and_loses_nothing	disconnect
 *	getsockopt_and_names				getsockopt, tls_v6ops
 *
 * Elsewhere: non_established, keysizes, no_pad in kinds.c, agent.c and rfc8446.c;
 * data_steal in evict.c; prequeue in takeover.c and records.c; control records, key
 * updates, broken and partial ones in tls_cases_records.c; zero_len in rfc8446.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tls_cases.h"

BOTH_WAYS(the_largest_record)
{
	struct iovec iov = { self->in, 16384 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (int i = 0; i < 2; i++) {
		memset(self->in, 0, 16384);
		ASSERT_EQ(16384, send(from, self->out, 16384, 0));
		ASSERT_EQ(16384, i ? recvmsg(to, &msg, MSG_WAITALL) :
				     recv(to, self->in, 16384, MSG_WAITALL));
		ASSERT_TRUE(pattern_check(self->in, 16384, 0));
	}
}

BOTH_WAYS(a_small_record)
{
	struct iovec iov = { self->in, 20 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(10, send(from, self->out, 10, 0));
	ASSERT_EQ(10, recv(to, self->in, 10, 0));
	EXPECT_TRUE(pattern_check(self->in, 10, 0));
	ASSERT_EQ(20, send(from, self->out, 20, 0));
	ASSERT_EQ(20, recvmsg(to, &msg, 0));
	EXPECT_TRUE(pattern_check(self->in, 20, 0));
}

BOTH_WAYS(one_record_into_1024_parts)
{
	struct iovec iov[1024];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1024 };

	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ self->in + 16 * i, 16 };
	ASSERT_EQ(16384, send(from, self->out, 16384, 0));
	ASSERT_EQ(16384, recvmsg(to, &msg, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 16384, 0));
}

BOTH_WAYS(one_send_and_several_recvs)
{
	ASSERT_EQ(32768, send(from, self->out, 32768, 0));
	ASSERT_EQ(16384, recv(to, self->in, 16384, MSG_WAITALL));
	ASSERT_EQ(16384, recv(to, self->in + 16384, 16384, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 32768, 0));
	ASSERT_EQ(15, send(from, self->out, 15, 0));
	ASSERT_EQ(10, recv(to, self->in, 10, 0));
	ASSERT_EQ(5, recv(to, self->in + 10, 10, 0));
	EXPECT_TRUE(pattern_check(self->in, 15, 0));
}

BOTH_WAYS(several_sends_and_one_recv)
{
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(10, send(from, self->out + 10 * i, 10, 0));
	ASSERT_EQ(100, recv(to, self->in, 100, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 100, 0));
}

BOTH_WAYS(a_record_in_two_parts)
{
	ASSERT_EQ(18, send(from, self->out, 18, 0));
	ASSERT_EQ(9, recv(to, self->in, 9, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 9, 0));
	ASSERT_EQ(9, recv(to, self->in, 9, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 9, 9));
}

BOTH_WAYS(nothing_there_is_eagain)
{
	EXPECT_EQ(-1, recv(to, self->in, 4096, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(4, send(from, "once", 4, 0));
	ASSERT_EQ(4, recv(to, self->in, 4096, 0));
	EXPECT_EQ(-1, recv(to, self->in, 4096, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

BOTH_WAYS(a_hundred_peeks_take_nothing)
{
	ASSERT_EQ(15, send(from, self->out, 15, 0));
	for (int i = 0; i < 100; i++) {
		memset(self->in, 0, 15);
		ASSERT_EQ(15, recv(to, self->in, 15, MSG_PEEK));
		ASSERT_TRUE(pattern_check(self->in, 15, 0));
	}
	ASSERT_EQ(15, recv(to, self->in, 100, 0));
	EXPECT_TRUE(pattern_check(self->in, 15, 0));
}

BOTH_WAYS(peeks_over_records)
{
	ASSERT_EQ(14, send(from, self->out, 14, 0));
	ASSERT_EQ(11, send(from, self->out + 14, 11, 0));
	ASSERT_EQ(14, recv(to, self->in, 14, MSG_PEEK | MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 14, 0));
	memset(self->in, 0, 25);
	ASSERT_EQ(25, recv(to, self->in, 25, MSG_PEEK | MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 25, 0));
	memset(self->in, 0, 25);
	ASSERT_EQ(25, recv(to, self->in, 25, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 25, 0));
}

BOTH_WAYS(rcvlowat_over_records)
{
	int low = 8, one = 1;

	ASSERT_EQ(0, setsockopt(to, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(10, send(from, self->out, 10, 0));
	ASSERT_EQ(5, send(from, self->out + 10, 5, 0));
	ASSERT_EQ(1, recv(to, self->in, 1, MSG_WAITALL));
	ASSERT_EQ(6, recv(to, self->in + 1, 6, MSG_WAITALL));
	/* Three are left of the first record: not enough */
	ASSERT_EQ(8, recv(to, self->in + 7, 10, 0));
	EXPECT_TRUE(pattern_check(self->in, 15, 0));
	ASSERT_EQ(0, setsockopt(to, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)));
}

TEST_F(semantics, both_directions)
{
	for (int i = 0; i < 20; i++)
		expect_unharmed(_metadata, self->app, self->peer);
	/* And what crossed on its way */
	ASSERT_EQ(100, send(self->app, self->out, 100, 0));
	ASSERT_EQ(100, send(self->peer, self->out, 100, 0));
	ASSERT_EQ(100, read_all(self->app, self->in, 100));
	ASSERT_EQ(100, read_all(self->peer, self->in + 100, 100));
	EXPECT_TRUE(pattern_check(self->in, 100, 0));
	EXPECT_TRUE(pattern_check(self->in + 100, 100, 0));
}

BOTH_WAYS(poll_until_data_and_not_longer)
{
	struct pollfd pfd = { .fd = to, .events = POLLIN };

	EXPECT_EQ(0, poll(&pfd, 1, 0));
	ASSERT_EQ(10, send(from, self->out, 10, 0));
	ASSERT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	EXPECT_EQ(POLLIN, pfd.revents);
	ASSERT_EQ(10, recv(to, self->in, 10, MSG_WAITALL));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
}

BOTH_WAYS(poll_tells_of_the_rest_of_a_record)
{
	struct pollfd pfd = { .fd = to, .events = POLLIN };

	ASSERT_EQ(20, send(from, self->out, 20, 0));
	ASSERT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
	ASSERT_EQ(15, recv(to, self->in, 15, MSG_WAITALL));
	ASSERT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN, pfd.revents);
	ASSERT_EQ(5, recv(to, self->in + 15, 15, 0));
	EXPECT_TRUE(pattern_check(self->in, 20, 0));
}

BOTH_WAYS(splice_a_record_into_a_pipe)
{
	long got = 0, ret;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(16384, send(from, self->out, 16384, 0));
	while (got < 16384) {
		ret = splice(to, NULL, pipes[1], NULL, 16384 - got, 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	ASSERT_EQ(16384, read(pipes[0], self->in, 16384));
	EXPECT_TRUE(pattern_check(self->in, 16384, 0));
	close_both(pipes);
}

BOTH_WAYS(splice_through_a_pipe_of_one_page)
{
	long got = 0, ret;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_LE(4096, fcntl(pipes[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(16384, send(from, self->out, 16384, 0));
	while (got < 16384) {
		ret = splice(to, NULL, pipes[1], NULL, 16384 - got, 0);
		ASSERT_LT(0, ret);
		ASSERT_EQ(ret, read(pipes[0], self->in + got, ret));
		got += ret;
	}
	EXPECT_TRUE(pattern_check(self->in, 16384, 0));
	close_both(pipes);
}

BOTH_WAYS(recv_half_and_splice_half)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(16384, send(from, self->out, 16384, 0));
	ASSERT_EQ(8192, recv(to, self->in, 8192, MSG_WAITALL));
	ASSERT_EQ(8192, splice(to, NULL, pipes[1], NULL, 8192, SPLICE_F_NONBLOCK));
	ASSERT_EQ(8192, read(pipes[0], self->in + 8192, 8192));
	EXPECT_TRUE(pattern_check(self->in, 16384, 0));
	close_both(pipes);
}

BOTH_WAYS(peek_and_then_splice)
{
	long got = 0, ret;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(4096, send(from, self->out + 4096 * i, 4096, 0));
	/* Two records and a half */
	ASSERT_EQ(10240, recv(to, self->in, 10240, MSG_WAITALL | MSG_PEEK));
	EXPECT_TRUE(pattern_check(self->in, 10240, 0));
	while (got < 16384) {
		ret = splice(to, NULL, pipes[1], NULL, 16384 - got, 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	ASSERT_EQ(16384, read(pipes[0], self->in, 16384));
	EXPECT_TRUE(pattern_check(self->in, 16384, 0));
	close_both(pipes);
}

BOTH_WAYS(a_bad_part_loses_at_most_what_follows)
{
	struct iovec iov[2] = { { self->in, 12 }, { NULL, 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	long ret;

	if (variant_kind == KIND_PLAIN)
		SKIP(return, "plain TCP has no records: all of it is EFAULT");
	ASSERT_EQ(10, send(from, self->out, 10, 0));
	ASSERT_EQ(10, send(from, self->out + 10, 10, 0));
	ASSERT_EQ(1, recv(to, self->in, 1, 0));
	ret = recvmsg(to, &msg, 0);
	EXPECT_TRUE(ret >= 9 && ret <= 12);
	EXPECT_TRUE(pattern_check(self->in, ret, 1));
}

TEST_F(semantics, shutdown_of_both_ends)
{
	ASSERT_EQ(10, send(self->app, self->out, 10, 0));
	ASSERT_EQ(10, recv(self->peer, self->in, 10, MSG_WAITALL));
	EXPECT_EQ(0, shutdown(self->app, SHUT_RDWR));
	EXPECT_EQ(0, recv(self->app, self->in, 10, 0));
	shutdown(self->peer, SHUT_RDWR);
	if (variant->kind == KIND_HANDOFF)
		EXPECT_TRUE(get_info(self->app).flags & TLS_HANDOFF_F_CLOSE_SENT);
}

TEST_F(semantics, a_socket_that_was_shut_down_is_not_used_again)
{
	struct sockaddr_storage any = { .ss_family = variant->family };
	socklen_t length = variant->family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							 sizeof(struct sockaddr_in);
	int err, plain, other;

	ASSERT_EQ(0, tcp_pair(variant->family, &plain, &other));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, shutdown(i ? self->app : plain, SHUT_RDWR));
		shutdown(i ? self->peer : other, SHUT_RDWR);
	}
	close(other);
	close(self->peer);
	self->pair.peer = -1;
	/* Whatever TCP says of each, we say; of kTLS's own words only listen() */
	err = bind(plain, (void *)&any, length) ? errno : 0;
	EXPECT_EQ(err, bind(self->app, (void *)&any, length) ? errno : 0);
	EXPECT_EQ(-1, listen(self->app, 10));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, connect(self->app, (void *)&any, length));
	EXPECT_EQ(EISCONN, errno);
	close(plain);
}

TEST_F(semantics, disconnecting_is_refused_and_loses_nothing)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	if (variant->kind == KIND_PLAIN)
		SKIP(return, "plain TCP disconnects");
	ASSERT_EQ(10, send(self->peer, self->out, 10, 0));
	EXPECT_EQ(-1, connect(self->app, &nowhere, sizeof(nowhere)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(10, recv(self->app, self->in, 10, MSG_WAITALL));
	EXPECT_TRUE(pattern_check(self->in, 10, 0));
}

TEST_F(semantics, getsockopt_and_names)
{
	struct sockaddr_storage before = {}, after = {};
	struct tls12_crypto_info_aes_gcm_256 keys = {};
	socklen_t length = sizeof(before), size = sizeof(keys);

	ASSERT_EQ(0, getsockname(self->app, (void *)&before, &length));
	EXPECT_EQ(variant->family, before.ss_family);
	ASSERT_EQ(0, getpeername(self->peer, (void *)&after, &length));
	EXPECT_EQ(0, memcmp(&before, &after, length));
	/* kTLS gives its keys to whoever asks; a handoff has INFO instead */
	if (variant->kind == KIND_KTLS) {
		EXPECT_EQ(-1, getsockopt(self->app, SOL_TLS, TLS_TX, &keys, &size));
		size = sizeof(struct tls12_crypto_info_aes_gcm_128);
		EXPECT_EQ(0, getsockopt(self->app, SOL_TLS, TLS_TX, &keys, &size));
	} else if (variant->kind == KIND_HANDOFF) {
		EXPECT_EQ(-1, getsockopt(self->app, SOL_TLS, TLS_TX, &keys, &size));
		EXPECT_EQ(EPERM, errno);
		EXPECT_EQ(variant->version, get_info(self->app).version);
		EXPECT_EQ(variant->cipher, get_info(self->app).cipher);
	}
}

TEST_HARNESS_MAIN
