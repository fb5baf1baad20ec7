// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring on handed-off sockets, beside plain TCP and raw kTLS: send, recv, several
 * shots of recv and poll, messages, splice, cancelling and time limits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "semantics.h"

#define ENTRIES		8
#define GROUP		7
#define BUFFER_SIZE	1024

/* The next completion, taken: its result. @ret_flags may be %NULL; -ETIME at the deadline */
static int completed(struct io_uring *ring, uint64_t *ret_data, unsigned int *ret_flags)
{
	struct __kernel_timespec deadline = { .tv_sec = TEST_DEADLINE_MS / 1000 };
	struct io_uring_cqe *cqe;
	int ret;

	ret = io_uring_wait_cqe_timeout(ring, &cqe, &deadline);
	if (ret)
		return ret;
	ret = cqe->res;
	if (ret_data)
		*ret_data = cqe->user_data;
	if (ret_flags)
		*ret_flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

static bool nothing_completed(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	return io_uring_peek_cqe(ring, &cqe) == -EAGAIN;
}

TEST_F(semantics, send_and_recv_carry_data)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	for (int i = 0; i < 10; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_send(sqe, self->app, self->out + 100 * i, 100, 0);
		ASSERT_EQ(1, io_uring_submit(&ring));
		ASSERT_EQ(100, completed(&ring, NULL, NULL));
	}
	ASSERT_EQ(1000, read_all(self->peer, self->in, 1000));
	EXPECT_TRUE(pattern_check(self->in, 1000, 0));
	ASSERT_EQ(1000, send(self->peer, self->out, 1000, 0));
	memset(self->in, 0, 1000);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, self->app, self->in, 1000, MSG_WAITALL);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(1000, completed(&ring, NULL, NULL));
	EXPECT_TRUE(pattern_check(self->in, 1000, 0));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, recv_that_was_early_completes_when_data_comes)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	for (int i = 0; i < 20; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_recv(sqe, self->app, self->in, 100, 0);
		ASSERT_EQ(1, io_uring_submit(&ring));
		ASSERT_TRUE(nothing_completed(&ring));
		ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
		ASSERT_EQ(5, completed(&ring, NULL, NULL));
	}
	/* And at the end of the stream */
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, self->app, self->in, 100, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	EXPECT_EQ(0, completed(&ring, NULL, NULL));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, recv_with_poll_first_and_recv_that_must_not_wait)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, self->app, self->in, 100, 0);
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	EXPECT_EQ(5, completed(&ring, NULL, NULL));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, self->app, self->in, 100, MSG_DONTWAIT);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_EQ(-EAGAIN, completed(&ring, NULL, NULL));
	io_uring_queue_exit(&ring);
}

struct buffers {
	struct io_uring_buf_ring *ring;
	char bytes[ENTRIES][BUFFER_SIZE];
};

/* All of them to the ring, for IOSQE_BUFFER_SELECT. 0 or -errno. */
static int buffers_give(struct io_uring *ring, struct buffers *buffers)
{
	int mask = io_uring_buf_ring_mask(ENTRIES), err;

	buffers->ring = io_uring_setup_buf_ring(ring, ENTRIES, GROUP, 0, &err);
	if (!buffers->ring)
		return err;
	for (int i = 0; i < ENTRIES; i++)
		io_uring_buf_ring_add(buffers->ring, buffers->bytes[i], BUFFER_SIZE, i, mask, i);
	io_uring_buf_ring_advance(buffers->ring, ENTRIES);
	return 0;
}

/* Gives buffer @id back */
static void buffer_again(struct buffers *buffers, int id)
{
	io_uring_buf_ring_add(buffers->ring, buffers->bytes[id], BUFFER_SIZE, id,
			      io_uring_buf_ring_mask(ENTRIES), 0);
	io_uring_buf_ring_advance(buffers->ring, 1);
}

TEST_F(semantics, multishot_recv_goes_on_until_the_end)
{
	struct io_uring ring;
	static struct buffers buffers;
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	uint64_t have = 0;
	int ret, id;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(0, buffers_give(&ring, &buffers));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, self->app, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	ASSERT_EQ(1, io_uring_submit(&ring));
	/* More than all buffers, in records of several buffers and several in one */
	for (int i = 0; i < 20; i++) {
		int size = i % 2 ? 3000 : 10;
		uint64_t end = have + size;

		ASSERT_EQ(size, send(self->peer, self->out + have, size, 0));
		while (have < end) {
			ret = completed(&ring, NULL, &flags);
			ASSERT_LT(0, ret);
			ASSERT_TRUE(flags & IORING_CQE_F_MORE);
			ASSERT_TRUE(flags & IORING_CQE_F_BUFFER);
			id = flags >> IORING_CQE_BUFFER_SHIFT;
			ASSERT_TRUE(pattern_check(buffers.bytes[id], ret, have));
			buffer_again(&buffers, id);
			have += ret;
		}
	}
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	EXPECT_EQ(0, completed(&ring, NULL, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, multishot_recv_without_buffers_left_ends_and_loses_nothing)
{
	struct io_uring ring;
	static struct buffers buffers;
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	uint64_t have = 0;
	int ret;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(0, buffers_give(&ring, &buffers));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, self->app, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(12000, send(self->peer, self->out, 12000, 0));
	while ((ret = completed(&ring, NULL, &flags)) > 0) {
		ASSERT_TRUE(pattern_check(buffers.bytes[flags >> IORING_CQE_BUFFER_SHIFT], ret,
					  have));
		have += ret;
	}
	EXPECT_EQ(-ENOBUFS, ret);
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
	EXPECT_EQ(ENTRIES * BUFFER_SIZE, have);
	ASSERT_EQ(12000 - have, read_all(self->app, self->in, 12000 - have));
	EXPECT_TRUE(pattern_check(self->in, 12000 - have, have));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, multishot_recv_is_cancelled_and_loses_nothing)
{
	struct io_uring ring;
	static struct buffers buffers;
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	uint64_t data = 0;
	int results[3] = {};

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(0, buffers_give(&ring, &buffers));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, self->app, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = 1;
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	ASSERT_EQ(5, completed(&ring, NULL, &flags));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel64(sqe, 1, 0);
	sqe->user_data = 2;
	ASSERT_EQ(1, io_uring_submit(&ring));
	for (int i = 0; i < 2; i++) {
		int ret = completed(&ring, &data, NULL);

		ASSERT_TRUE(data == 1 || data == 2);
		results[data] = ret;
	}
	EXPECT_EQ(-ECANCELED, results[1]);
	EXPECT_EQ(0, results[2]);
	expect_unharmed(_metadata, self->app, self->peer);
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, poll_and_multishot_poll_tell_of_data)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	unsigned int flags;
	int ret;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, self->app, POLLOUT);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_TRUE(completed(&ring, NULL, NULL) & POLLOUT);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, self->app, POLLIN);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_TRUE(nothing_completed(&ring));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	EXPECT_TRUE(completed(&ring, NULL, NULL) & POLLIN);
	ASSERT_EQ(5, recv(self->app, self->in, 10, 0));

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_multishot(sqe, self->app, POLLIN);
	ASSERT_EQ(1, io_uring_submit(&ring));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
		/* One record may be told of more than once, never less */
		ret = completed(&ring, NULL, &flags);
		ASSERT_TRUE(ret & POLLIN);
		ASSERT_TRUE(flags & IORING_CQE_F_MORE);
		ASSERT_EQ(5, read_all(self->app, self->in, 5));
	}
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, recv_is_cancelled_by_hand_and_by_a_linked_time_limit)
{
	struct io_uring ring;
	struct __kernel_timespec limit = { .tv_nsec = 20000000 };
	struct io_uring_sqe *sqe;
	uint64_t data = 0;
	int results[3] = {};

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	for (int round = 0; round < 2; round++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_recv(sqe, self->app, self->in, 100, 0);
		sqe->user_data = 1;
		if (round)
			sqe->flags |= IOSQE_IO_LINK;
		sqe = io_uring_get_sqe(&ring);
		if (round)
			io_uring_prep_link_timeout(sqe, &limit, 0);
		else
			io_uring_prep_cancel64(sqe, 1, 0);
		sqe->user_data = 2;
		ASSERT_EQ(2, io_uring_submit(&ring));
		for (int i = 0; i < 2; i++) {
			int ret = completed(&ring, &data, NULL);

			ASSERT_TRUE(data == 1 || data == 2);
			results[data] = ret;
		}
		EXPECT_EQ(-ECANCELED, results[1]);
		EXPECT_EQ(round ? -ETIME : 0, results[2]);
	}
	expect_unharmed(_metadata, self->app, self->peer);
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, send_into_a_full_buffer_completes_when_there_is_room)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	long filled, got = 0, ret;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: EOPNOTSUPP for MSG_WAITALL");
	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	filled = fill(self->app, 'x');
	ASSERT_LT(0, filled);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send(sqe, self->app, self->out, 60000, MSG_WAITALL);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_TRUE(nothing_completed(&ring));
	while (got < filled) {
		ret = recv(self->peer, self->in,
			   filled - got < (long)sizeof(self->in) ? filled - got :
								   (long)sizeof(self->in), 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	ASSERT_EQ(60000, read_all(self->peer, self->in, 60000));
	EXPECT_EQ(60000, completed(&ring, NULL, NULL));
	EXPECT_TRUE(pattern_check(self->in, 60000, 0));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, sendmsg_and_recvmsg_scatter_and_gather)
{
	struct io_uring ring;
	struct iovec out[3] = { { self->out, 10 }, { self->out + 10, 20000 },
				{ self->out + 20010, 1 } };
	struct iovec in[2] = { { self->in, 7 }, { self->in + 7, 60000 } };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = 3 };
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_sendmsg(sqe, self->app, &msg, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(20011, completed(&ring, NULL, NULL));
	ASSERT_EQ(20011, read_all(self->peer, self->in, 20011));
	EXPECT_TRUE(pattern_check(self->in, 20011, 0));
	ASSERT_EQ(5000, send(self->peer, self->out, 5000, 0));
	msg = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2 };
	memset(self->in, 0, 5000);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recvmsg(sqe, self->app, &msg, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(5000, completed(&ring, NULL, NULL));
	EXPECT_TRUE(pattern_check(self->in, 5000, 0));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, linked_reads_writes_and_a_registered_file)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(0, io_uring_register_files(&ring, &self->app, 1));
	ASSERT_EQ(10, send(self->peer, self->out, 10, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, 0, self->in, 10, -1);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, 0, self->in, 10, -1);
	sqe->flags |= IOSQE_FIXED_FILE;
	ASSERT_EQ(2, io_uring_submit(&ring));
	EXPECT_EQ(10, completed(&ring, NULL, NULL));
	EXPECT_EQ(10, completed(&ring, NULL, NULL));
	memset(self->in, 0, 10);
	ASSERT_EQ(10, read_all(self->peer, self->in, 10));
	EXPECT_TRUE(pattern_check(self->in, 10, 0));
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, splice_goes_both_ways_through_a_ring)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	int pipes[2];

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(5000, write(pipes[1], self->out, 5000));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_splice(sqe, pipes[0], -1, self->app, -1, 5000, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(5000, completed(&ring, NULL, NULL));
	ASSERT_EQ(5000, read_all(self->peer, self->in, 5000));
	EXPECT_TRUE(pattern_check(self->in, 5000, 0));
	ASSERT_EQ(5000, send(self->peer, self->out, 5000, 0));
	memset(self->in, 0, 5000);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_splice(sqe, self->app, -1, pipes[1], -1, 5000, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(5000, completed(&ring, NULL, NULL));
	ASSERT_EQ(5000, read(pipes[0], self->in, 5000));
	EXPECT_TRUE(pattern_check(self->in, 5000, 0));
	close(pipes[0]);
	close(pipes[1]);
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, zero_copy_send_is_refused_and_harms_nothing)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int ret;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: its own errno");
	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send_zc(sqe, self->app, self->out, 1000, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ret = completed(&ring, NULL, &flags);
	EXPECT_EQ(variant->kind == KIND_HANDOFF ? -EOPNOTSUPP : 1000, ret);
	if (ret > 0)
		ASSERT_EQ(1000, read_all(self->peer, self->in, 1000));
	while (flags & IORING_CQE_F_MORE)
		completed(&ring, NULL, &flags);
	expect_unharmed(_metadata, self->app, self->peer);
	io_uring_queue_exit(&ring);
}

TEST_F(semantics, shutdown_and_close_through_a_ring_end_the_stream)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	uint8_t type = 0;
	long ret;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	ASSERT_EQ(5, send(self->app, "hello", 5, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_shutdown(sqe, self->app, SHUT_WR);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_EQ(0, completed(&ring, NULL, NULL));
	ASSERT_EQ(5, read_all(self->peer, self->in, 5));
	do {
		ret = recv_record(self->peer, &type, self->in, 100, 0);
	} while (ret > 0);
	EXPECT_EQ(0, ret);
	ASSERT_EQ(5, send(self->peer, "world", 5, 0));
	EXPECT_EQ(5, read_all(self->app, self->in, 5));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_close(sqe, self->app);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_EQ(0, completed(&ring, NULL, NULL));
	self->pair.app = -1;
	io_uring_queue_exit(&ring);
}

/* Closing the descriptor while the ring still uses the socket closes nothing yet */
TEST_F(semantics, a_ring_keeps_the_socket_that_a_program_closed)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, self->app, self->in, 100, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(0, close(self->app));
	self->pair.app = -1;
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	EXPECT_EQ(5, completed(&ring, NULL, NULL));
	EXPECT_EQ(0, memcmp("hello", self->in, 5));
	io_uring_queue_exit(&ring);
}

TEST_HARNESS_MAIN
