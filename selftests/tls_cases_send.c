// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's own net/tls selftest checks of sending, on handed-off sockets, in
 * both directions. The bodies are ours; which case of tools/testing/selftests/net/tls.c
 * one stands for:
 *
 *	sendfile_sends_all_of_a_file			sendfile
 *	send_and_then_sendfile				send_then_sendfile
 *	sendfile_in_chunks_of_many_sizes		multi_chunk_sendfile
 *	more_holds_the_record_open			msg_more, recv_peek_multiple_records
 *	eor_ends_the_record				msg_eor
 *	one_message_of_one_part				sendmsg_single
 *	messages_of_1_to_64_parts			sendmsg_fragmented
 *	large_messages_one_after_the_other		sendmsg_large
 *	a_message_of_five_strings			sendmsg_multiple
 *	a_message_of_1024_parts				sendmsg_multiple_stress
 *	splice_from_a_pipe				splice_from_pipe
 *	splice_with_more_byte_by_byte			splice_more
 *	splice_from_two_pipes				splice_from_pipe2
 *	send_and_then_splice				send_and_splice
 *	splice_and_send_around_a_full_record		splice_onto_full_record
 *	splice_of_less_than_was_asked_for		splice_short
 *	more_that_never_came_is_sent_at_the_end		msg_more_unsent, shutdown_unsent
 *	sends_that_wait_and_that_do_not			blocking, nonblocking
 *	..._processes_send_and_receive			mutliproc_*
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls_cases.h"

/* @size bytes of the pattern from @offset on come, and no more */
static void expect(struct __test_metadata *_metadata, struct _test_data_semantics *self, int to,
		   long size, uint64_t offset)
{
	memset(self->in, 0, size);
	ASSERT_EQ(size, read_all(to, self->in, size));
	ASSERT_TRUE(pattern_check(self->in, size, offset));
	EXPECT_EQ(-1, recv(to, self->in, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("data", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		return -errno;
	return fd;
}

BOTH_WAYS(sendfile_sends_all_of_a_file)
{
	int fd = file_of(self->out, 60000);
	off_t offset = 0;

	ASSERT_LE(0, fd);
	while (offset < 60000)
		ASSERT_LT(0, sendfile(from, fd, &offset, 60000 - offset));
	expect(_metadata, self, to, 60000, 0);
	close(fd);
}

BOTH_WAYS(send_and_then_sendfile)
{
	int fd = file_of(self->out + 10, 30000);

	ASSERT_LE(0, fd);
	ASSERT_EQ(10, send(from, self->out, 10, 0));
	ASSERT_EQ(30000, sendfile(from, fd, NULL, 30000));
	expect(_metadata, self, to, 30010, 0);
	close(fd);
}

BOTH_WAYS(sendfile_in_chunks_of_many_sizes)
{
	static const int chunks[][2] = {
		{ 4096, 8192 }, { 4096, 4096 }, { 4096, 4097 }, { 4096, 6144 }, { 8192, 10240 },
		{ 12288, 13312 }, { 12288, 14288 }, { 15360, 15460 }, { 15360, 15660 },
		{ 17, 4097 }, { 2048, 10240 }, { 1024, 13312 }, { 2000, 14288 }, { 300, 15660 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(chunks); i++) {
		int fd = file_of(self->out, chunks[i][1]);
		off_t offset = 0;
		long ret;

		ASSERT_LE(0, fd);
		while ((ret = sendfile(from, fd, &offset, chunks[i][0])) > 0)
			;
		ASSERT_EQ(0, ret);
		expect(_metadata, self, to, chunks[i][1], 0);
		close(fd);
	}
}

BOTH_WAYS(more_holds_the_record_open)
{
	ASSERT_EQ(10, send(from, self->out, 10, MSG_MORE));
	if (variant_kind != KIND_PLAIN) {
		EXPECT_EQ(-1, recv(to, self->in, 10, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
	}
	ASSERT_EQ(10, send(from, self->out + 10, 10, 0));
	/* One record: a peek sees all of it */
	if (variant_kind != KIND_PLAIN)
		EXPECT_EQ(20, recv(to, self->in, 100, MSG_PEEK));
	expect(_metadata, self, to, 20, 0);
}

BOTH_WAYS(eor_ends_the_record)
{
	ASSERT_EQ(10, send(from, self->out, 10, MSG_MORE));
	ASSERT_EQ(10, send(from, self->out + 10, 10, MSG_EOR));
	expect(_metadata, self, to, 20, 0);
}

BOTH_WAYS(one_message_of_one_part)
{
	struct iovec iov = { self->out, 13 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(13, sendmsg(from, &msg, 0));
	expect(_metadata, self, to, 13, 0);
}

BOTH_WAYS(messages_of_1_to_64_parts)
{
	struct iovec iov[64];
	struct msghdr msg = { .msg_iov = iov };

	for (int i = 0; i < 64; i++)
		iov[i] = (struct iovec){ self->out + 13 * i, 13 };
	for (int parts = 1; parts <= 64; parts++) {
		msg.msg_iovlen = parts;
		ASSERT_EQ(13 * parts, sendmsg(from, &msg, 0));
		expect(_metadata, self, to, 13 * parts, 0);
	}
}

BOTH_WAYS(large_messages_one_after_the_other)
{
	struct iovec iov = { self->out, 16384 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	/* Twice as much as upstream's at once may wait in the buffers for the peer */
	for (int i = 0; i < 32; i++)
		ASSERT_EQ(16384, sendmsg(from, &msg, 0));
	for (int i = 0; i < 32; i++) {
		ASSERT_EQ(16384, read_all(to, self->in, 16384));
		ASSERT_TRUE(pattern_check(self->in, 16384, 0));
	}
}

BOTH_WAYS(a_message_of_five_strings)
{
	static const char *const words[] = { "each", "with", "its", "zero", "" };
	struct iovec iov[5];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 5 };
	const char *at = self->in;
	long size = 0;

	for (int i = 0; i < 5; i++) {
		iov[i] = (struct iovec){ (char *)words[i], strlen(words[i]) + 1 };
		size += iov[i].iov_len;
	}
	ASSERT_EQ(size, sendmsg(from, &msg, 0));
	ASSERT_EQ(size, read_all(to, self->in, size));
	for (int i = 0; i < 5; i++) {
		EXPECT_STREQ(words[i], at);
		at += strlen(at) + 1;
	}
}

BOTH_WAYS(a_message_of_1024_parts)
{
	struct iovec iov[1024];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1024 };

	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ self->out + 16 * i, 16 };
	ASSERT_EQ(16384, sendmsg(from, &msg, 0));
	expect(_metadata, self, to, 16384, 0);
}

BOTH_WAYS(splice_from_a_pipe)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(16384, write(pipes[1], self->out, 16384));
	ASSERT_EQ(16384, splice(pipes[0], NULL, from, NULL, 16384, 0));
	expect(_metadata, self, to, 16384, 0);
	close_both(pipes);
}

BOTH_WAYS(splice_with_more_byte_by_byte)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(16384, write(pipes[1], self->out, 16384));
	for (int i = 0; i < 32; i++)
		ASSERT_EQ(1, splice(pipes[0], NULL, from, NULL, 1,
				    SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT));
	ASSERT_EQ(16352, splice(pipes[0], NULL, from, NULL, 16384, 0));
	expect(_metadata, self, to, 16384, 0);
	close_both(pipes);
}

BOTH_WAYS(splice_from_two_pipes)
{
	int one[2], two[2];

	ASSERT_EQ(0, pipe2(one, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(two, O_CLOEXEC));
	ASSERT_EQ(8000, write(one[1], self->out, 8000));
	ASSERT_EQ(8000, write(two[1], self->out + 8000, 8000));
	ASSERT_EQ(8000, splice(one[0], NULL, from, NULL, 8000, 0));
	ASSERT_EQ(8000, splice(two[0], NULL, from, NULL, 8000, 0));
	expect(_metadata, self, to, 16000, 0);
	close_both(one);
	close_both(two);
}

BOTH_WAYS(send_and_then_splice)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(10, send(from, self->out, 10, 0));
	expect(_metadata, self, to, 10, 0);
	ASSERT_EQ(16384, write(pipes[1], self->out, 16384));
	ASSERT_EQ(16384, splice(pipes[0], NULL, from, NULL, 16384, 0));
	expect(_metadata, self, to, 16384, 0);
	close_both(pipes);
}

/* The open record fills up with pieces of pages: around their limit nothing is lost */
BOTH_WAYS(splice_and_send_around_a_full_record)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	for (int pieces = 14; pieces <= 46; pieces++) {
		long offset = 0;

		for (int i = 0; i <= pieces; i++) {
			if (i == pieces)
				ASSERT_EQ(1, send(from, self->out + offset++, 1, MSG_MORE));
			ASSERT_EQ(100, write(pipes[1], self->out + offset, 100));
			ASSERT_EQ(100, splice(pipes[0], NULL, from, NULL, 100, SPLICE_F_MORE));
			offset += 100;
		}
		ASSERT_EQ(1, send(from, self->out + offset++, 1, 0));
		expect(_metadata, self, to, offset, 0);
	}
	close_both(pipes);
}

BOTH_WAYS(splice_of_less_than_was_asked_for)
{
	struct iovec byte = { self->out, 1 };
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	ASSERT_LE(64 * 4096, fcntl(pipes[0], F_SETPIPE_SZ, 64 * 4096));
	/* 48 pages with one byte each, then 256 bytes */
	for (int i = 0; i < 48; i++) {
		byte.iov_base = self->out + i;
		ASSERT_EQ(1, vmsplice(pipes[1], &byte, 1, 0));
	}
	ASSERT_EQ(256, write(pipes[1], self->out + 48, 256));
	ASSERT_EQ(304, splice(pipes[0], NULL, from, NULL, 5000, 0));
	/* More was asked for and none came: nothing of it is held back */
	expect(_metadata, self, to, 304, 0);
	close_both(pipes);
}

TEST_F(semantics, more_that_never_came_is_sent_at_the_end)
{
	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: shutdown() leaves the open record behind the FIN");
	ASSERT_EQ(10, send(self->app, self->out, 10, MSG_MORE));
	ASSERT_EQ(0, shutdown(self->app, SHUT_RDWR));
	ASSERT_EQ(10, read_all(self->peer, self->in, 10));
	EXPECT_TRUE(pattern_check(self->in, 10, 0));
}

/* As much as the buffers take, in processes of their own */
#define MUCH 100000

static int receive_much(int fd)
{
	static char buffer[16384];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t done = 0;

	while (done < MUCH) {
		long ret = recv(fd, buffer, sizeof(buffer), 0);

		if (ret < 0 && errno == EAGAIN && poll(&pfd, 1, TEST_DEADLINE_MS) == 1)
			continue;
		if (ret <= 0 || !pattern_check(buffer, ret, done))
			return 1;
		done += ret;
	}
	return 0;
}

static bool child_is_well(pid_t child)
{
	int status = -1;

	return waitpid(child, &status, 0) == child && !status;
}

BOTH_WAYS(sends_that_wait_and_that_do_not)
{
	static char piece[16384];
	int small = 100, full = 0;

	for (int nonblock = 0; nonblock < 2; nonblock++) {
		struct pollfd pfd = { .fd = from, .events = POLLOUT };
		uint64_t sent = 0;
		pid_t child;

		if (nonblock) {
			ASSERT_EQ(0, set_nonblock(from, true));
			ASSERT_EQ(0, set_nonblock(to, true));
			ASSERT_EQ(0, setsockopt(from, SOL_SOCKET, SO_SNDBUF, &small,
						sizeof(small)));
		}
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(receive_much(to));
		while (sent < MUCH) {
			size_t n = MUCH - sent < sizeof(piece) ? MUCH - sent : sizeof(piece);
			long ret;

			pattern_fill(piece, n, sent);
			ret = send(from, piece, n, MSG_NOSIGNAL);
			if (ret < 0) {
				ASSERT_EQ(EAGAIN, errno);
				ASSERT_TRUE(nonblock);
				ASSERT_EQ(1, poll(&pfd, 1, TEST_DEADLINE_MS));
				full++;
				continue;
			}
			sent += ret;
		}
		EXPECT_TRUE(child_is_well(child));
	}
	EXPECT_LT(0, full);
	ASSERT_EQ(0, set_nonblock(from, false));
	ASSERT_EQ(0, set_nonblock(to, false));
}

/* Bytes that each of several processes sends or receives */
#define SHARE 60000

static int worker_reads(int fd, long share)
{
	static char buffer[8001];

	while (share) {
		long ret = recv(fd, buffer, share < 8001 ? share : 8001, 0);

		if (ret <= 0)
			return 1;
		for (long i = 0; i < ret; i++)
			if (buffer[i] != 'w')
				return 1;
		share -= ret;
	}
	return 0;
}

static int worker_writes(int fd, long share, bool from_file)
{
	static char buffer[20000];
	int file;

	memset(buffer, 'w', sizeof(buffer));
	file = file_of(buffer, sizeof(buffer));
	if (file < 0)
		return 1;
	while (share) {
		size_t n = share < (long)sizeof(buffer) ? share : (long)sizeof(buffer);
		off_t offset = 0;
		long ret = from_file ? sendfile(fd, file, &offset, n) :
				       send(fd, buffer, n, MSG_NOSIGNAL);

		if (ret <= 0)
			return 1;
		share -= ret;
	}
	return 0;
}

static void processes(struct __test_metadata *_metadata, struct _test_data_semantics *self,
		      int readers, int writers, bool from_file)
{
	long all = (long)SHARE * (readers > writers ? readers : writers);
	pid_t children[16];

	for (int way = 0; way < 2; way++) {
		int from = way ? self->peer : self->app, to = way ? self->app : self->peer;

		for (int i = 0; i < readers + writers; i++) {
			children[i] = fork();
			ASSERT_LE(0, children[i]);
			if (!children[i] && i < readers)
				_exit(worker_reads(to, all / readers));
			if (!children[i])
				_exit(worker_writes(from, all / writers, from_file));
		}
		for (int i = 0; i < readers + writers; i++)
			EXPECT_TRUE(child_is_well(children[i]));
	}
	expect_unharmed(_metadata, self->app, self->peer);
}

TEST_F(semantics, as_many_processes_send_as_receive)
{
	processes(_metadata, self, 6, 6, false);
}

TEST_F(semantics, few_processes_receive_from_many)
{
	processes(_metadata, self, 4, 12, false);
}

TEST_F(semantics, many_processes_receive_from_few)
{
	processes(_metadata, self, 10, 2, false);
}

TEST_F(semantics, as_many_processes_sendfile_as_receive)
{
	processes(_metadata, self, 6, 6, true);
}

TEST_F(semantics, few_processes_receive_from_many_that_sendfile)
{
	processes(_metadata, self, 4, 12, true);
}

TEST_F(semantics, many_processes_receive_from_few_that_sendfile)
{
	processes(_metadata, self, 10, 2, true);
}

TEST_HARNESS_MAIN
