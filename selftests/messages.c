// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flags of send and recv, messages by the dozen, splice and its relatives on
 * handed-off sockets, beside plain TCP and raw kTLS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "semantics.h"

TEST_F(semantics, nosignal_raises_none_and_without_it_every_writer_gets_sigpipe)
{
	struct timespec none = {};
	struct iovec iov = { self->out, 10 };
	sigset_t set;
	int pipes[2];

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: takes the bytes and loses them");
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(10, write(pipes[1], self->out, 10));
	ASSERT_EQ(0, shutdown(self->app, SHUT_WR));
	EXPECT_EQ(-1, send(self->app, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(-1, write(self->app, "x", 1));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(SIGPIPE, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(-1, writev(self->app, &iov, 1));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(SIGPIPE, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(-1, splice(pipes[0], NULL, self->app, NULL, 10, 0));
	EXPECT_EQ(EPIPE, errno);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(semantics, more_is_held_back_until_the_next_send_without_it)
{
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(100, send(self->app, self->out + 100 * i, 100, MSG_MORE));
	ASSERT_EQ(100, send(self->app, self->out + 500, 100, 0));
	ASSERT_EQ(600, read_all(self->peer, self->in, 600));
	EXPECT_TRUE(pattern_check(self->in, 600, 0));
	/* A whole record does not wait */
	ASSERT_EQ(16384, send(self->app, self->out, 16384, MSG_MORE));
	ASSERT_EQ(10, send(self->app, self->out + 16384, 10, 0));
	ASSERT_EQ(16394, read_all(self->peer, self->in, 16394));
	EXPECT_TRUE(pattern_check(self->in, 16394, 0));
}

TEST_F(semantics, cork_and_nodelay_send_everything_in_order)
{
	int one = 1, zero = 0;

	ASSERT_EQ(0, setsockopt(self->app, SOL_TCP, TCP_CORK, &one, sizeof(one)));
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(100, send(self->app, self->out + 100 * i, 100, 0));
	ASSERT_EQ(0, setsockopt(self->app, SOL_TCP, TCP_CORK, &zero, sizeof(zero)));
	ASSERT_EQ(1000, read_all(self->peer, self->in, 1000));
	EXPECT_TRUE(pattern_check(self->in, 1000, 0));
	ASSERT_EQ(0, setsockopt(self->app, SOL_TCP, TCP_NODELAY, &zero, sizeof(zero)));
	ASSERT_EQ(10, send(self->app, self->out, 10, 0));
	ASSERT_EQ(10, read_all(self->peer, self->in, 10));
	ASSERT_EQ(0, setsockopt(self->app, SOL_TCP, TCP_NODELAY, &one, sizeof(one)));
	ASSERT_EQ(10, send(self->app, self->out, 10, 0));
	ASSERT_EQ(10, read_all(self->peer, self->in, 10));
}

TEST_F(semantics, flags_that_tcp_ignores_are_ignored)
{
	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: EOPNOTSUPP for every flag it does not know");
	ASSERT_EQ(10, send(self->app, self->out, 10, MSG_DONTROUTE));
	ASSERT_EQ(10, send(self->app, self->out + 10, 10, MSG_EOR));
	ASSERT_EQ(10, send(self->app, self->out + 20, 10, MSG_CONFIRM));
	ASSERT_EQ(30, read_all(self->peer, self->in, 30));
	EXPECT_TRUE(pattern_check(self->in, 30, 0));
	ASSERT_EQ(30, send(self->peer, self->out, 30, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(10, recv(self->app, self->in, 10, MSG_NOSIGNAL));
	EXPECT_EQ(10, recv(self->app, self->in + 10, 10, MSG_CMSG_CLOEXEC));
	EXPECT_EQ(10, recv(self->app, self->in + 20, 10, MSG_CONFIRM));
	EXPECT_TRUE(pattern_check(self->in, 30, 0));
}

/* The error queue of a connection without transmit time stamps is empty */
TEST_F(semantics, the_error_queue_is_empty)
{
	char control[256];
	struct iovec iov = { self->in, 100 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: reads data where the error queue was asked for");
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(-1, recvmsg(self->app, &msg, MSG_ERRQUEUE));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
}

/* Documented as refused: TCP would throw away, send out of band, or lend pages */
TEST_F(semantics, trunc_oob_and_zerocopy_are_refused)
{
	int one = 1;

	if (variant->kind != KIND_HANDOFF)
		SKIP(return, "nothing is refused there");
	say(_metadata, self->peer, self->app, "hello");
	EXPECT_EQ(-1, recv(self->app, NULL, 5, MSG_TRUNC));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, recv(self->app, self->in, 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, send(self->app, "x", 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(0, setsockopt(self->app, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	EXPECT_EQ(-1, send(self->app, "x", 1, MSG_ZEROCOPY));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->app, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(5, recv(self->app, self->in, 10, 0));
	expect_unharmed(_metadata, self->app, self->peer);
}

TEST_F(semantics, sendmmsg_sends_all_and_says_how_much)
{
	struct iovec iov[16];
	struct mmsghdr mmsg[16] = {};
	long offset = 0;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: EOPNOTSUPP for sendmmsg()");
	for (int i = 0; i < 16; i++) {
		iov[i] = (struct iovec){ self->out + offset, 1 + 100 * i };
		offset += iov[i].iov_len;
		mmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	ASSERT_EQ(16, sendmmsg(self->app, mmsg, 16, 0));
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(1 + 100 * i, mmsg[i].msg_len);
	ASSERT_EQ(offset, read_all(self->peer, self->in, offset));
	EXPECT_TRUE(pattern_check(self->in, offset, 0));
	/* The first that fails ends it; what was sent is said */
	iov[2].iov_base = (void *)8;
	ASSERT_EQ(2, sendmmsg(self->app, mmsg, 16, 0));
	ASSERT_EQ(102, read_all(self->peer, self->in, 102));
	EXPECT_TRUE(pattern_check(self->in, 102, 0));
}

TEST_F(semantics, recvmmsg_takes_messages_until_its_time_is_over)
{
	struct timespec timeout = { .tv_sec = 0 };
	struct iovec iov[8];
	struct mmsghdr mmsg[8] = {};

	for (int i = 0; i < 8; i++) {
		iov[i] = (struct iovec){ self->in + 100 * i, 100 };
		mmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	EXPECT_EQ(-1, recvmmsg(self->app, mmsg, 8, MSG_DONTWAIT, NULL));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(350, send(self->peer, self->out, 350, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	/* One is waited for, then what is there: 100, 100, 100, 50 */
	ASSERT_EQ(4, recvmmsg(self->app, mmsg, 8, MSG_WAITFORONE, NULL));
	EXPECT_EQ(100, mmsg[2].msg_len);
	EXPECT_EQ(50, mmsg[3].msg_len);
	EXPECT_TRUE(pattern_check(self->in, 350, 0));
	ASSERT_EQ(100, send(self->peer, self->out, 100, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	ASSERT_EQ(1, recvmmsg(self->app, mmsg, 8, 0, &timeout));
	EXPECT_EQ(100, mmsg[0].msg_len);
}

TEST_F(semantics, readv_and_preadv2_scatter)
{
	struct iovec iov[3] = { { self->in, 1 }, { self->in + 1, 0 }, { self->in + 1, 299 } };

	ASSERT_EQ(300, send(self->peer, self->out, 300, 0));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(300, readv(self->app, iov, 3));
	EXPECT_TRUE(pattern_check(self->in, 300, 0));
	EXPECT_EQ(-1, preadv(self->app, iov, 3, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, preadv2(self->app, iov, 3, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, lseek(self->app, 0, SEEK_CUR));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(semantics, vmsplice_and_splice_send_pages_of_the_program)
{
	struct iovec iov = { self->out, 20000 };
	int pipes[2];
	long n, sent = 0;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	n = vmsplice(pipes[1], &iov, 1, 0);
	ASSERT_EQ(20000, n);
	while (sent < n) {
		long ret = splice(pipes[0], NULL, self->app, NULL, n - sent,
				  SPLICE_F_MOVE | SPLICE_F_MORE);

		ASSERT_LT(0, ret);
		sent += ret;
	}
	/* SPLICE_F_MORE said that more comes */
	ASSERT_EQ(10, send(self->app, self->out + 20000, 10, 0));
	ASSERT_EQ(20010, read_all(self->peer, self->in, 20010));
	EXPECT_TRUE(pattern_check(self->in, 20010, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* On plain TCP SPLICE_F_NONBLOCK is the pipe's affair alone, on kTLS it is the socket's, too */
TEST_F(semantics, splice_waits_for_data_and_nonblock_does_not)
{
	int pipes[2];
	struct call call = { .fd = self->app, .size = 1000 };
	struct task task;

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: splice() waits for data in spite of O_NONBLOCK");
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	if (variant->kind == KIND_HANDOFF) {
		EXPECT_EQ(-1, splice(self->app, NULL, pipes[1], NULL, 1000, SPLICE_F_NONBLOCK));
		EXPECT_EQ(EAGAIN, errno);
	}
	call.to = pipes[1];
	ASSERT_EQ(0, task_start(&task, call_splice, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_splice));
	ASSERT_EQ(5, send(self->peer, "hello", 5, 0));
	EXPECT_EQ(5, task_end(&task));
	EXPECT_EQ(5, read(pipes[0], self->in, 10));
	EXPECT_EQ(0, memcmp("hello", self->in, 5));
	ASSERT_EQ(0, set_nonblock(self->app, true));
	EXPECT_EQ(-1, splice(self->app, NULL, pipes[1], NULL, 1000, 0));
	EXPECT_EQ(EAGAIN, errno);
	/* At the end of the stream it is 0 */
	ASSERT_EQ(0, peer_end(self->peer, variant->kind));
	ASSERT_TRUE(wait_for(self->app, POLLIN) & POLLIN);
	EXPECT_EQ(0, splice(self->app, NULL, pipes[1], NULL, 1000, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* A full pipe is waited for, not an error, and no byte is lost */
TEST_F(semantics, splice_into_a_full_pipe_waits_or_is_eagain)
{
	int pipes[2];
	long size, got = 0;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	size = fcntl(pipes[1], F_SETPIPE_SZ, 4096);
	ASSERT_EQ(4096, size);
	ASSERT_EQ(20000, send(self->peer, self->out, 20000, 0));
	while (got < 20000) {
		long ret = splice(self->app, NULL, pipes[1], NULL, 20000, 0);

		ASSERT_LT(0, ret);
		if (got + ret < 20000) {
			EXPECT_EQ(-1, splice(self->app, NULL, pipes[1], NULL, 20000,
					     SPLICE_F_NONBLOCK));
			EXPECT_EQ(EAGAIN, errno);
		}
		ASSERT_EQ(ret, read(pipes[0], self->in, sizeof(self->in)));
		ASSERT_TRUE(pattern_check(self->in, ret, got));
		got += ret;
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* tee() needs pipes, splice() between two sockets one between them, sendfile() a file */
TEST_F(semantics, what_splice_and_sendfile_refuse_is_refused)
{
	off_t offset = 0;

	EXPECT_EQ(-1, splice(self->app, NULL, self->peer, NULL, 10, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sendfile(self->app, self->peer, NULL, 10));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sendfile(self->app, self->peer, &offset, 10));
	EXPECT_EQ(ESPIPE, errno);
	expect_unharmed(_metadata, self->app, self->peer);
}

TEST_F(semantics, sendfile_from_an_offset_and_past_the_end)
{
	int fd = memfd_create("data", MFD_CLOEXEC);
	off_t offset = 1000;

	ASSERT_EQ(30000, write(fd, self->out, 30000));
	EXPECT_EQ(20000, sendfile(self->app, fd, &offset, 20000));
	EXPECT_EQ(21000, offset);
	ASSERT_EQ(20000, read_all(self->peer, self->in, 20000));
	EXPECT_TRUE(pattern_check(self->in, 20000, 1000));
	EXPECT_EQ(9000, sendfile(self->app, fd, &offset, 100000));
	ASSERT_EQ(9000, read_all(self->peer, self->in, 9000));
	EXPECT_TRUE(pattern_check(self->in, 9000, 21000));
	EXPECT_EQ(0, sendfile(self->app, fd, &offset, 100));
	expect_unharmed(_metadata, self->app, self->peer);
	close(fd);
}

TEST_F(semantics, sendfile_with_a_full_buffer_is_eagain_and_goes_on)
{
	int fd = memfd_create("data", MFD_CLOEXEC);
	long sent = 0, got = 0, ret;
	off_t offset = 0;

	ASSERT_EQ(0, ftruncate(fd, 16 << 20));
	ASSERT_EQ(0, set_nonblock(self->app, true));
	while ((ret = sendfile(self->app, fd, &offset, 1 << 20)) > 0)
		sent += ret;
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(sent, offset);
	while (got < sent) {
		ret = recv(self->peer, self->in, sizeof(self->in), MSG_DONTWAIT);
		if (ret < 0) {
			/* What was taken is not all on its way: kTLS sends on when there is room */
			ASSERT_EQ(EAGAIN, errno);
			ASSERT_TRUE(wait_for(self->peer, POLLIN) & POLLIN);
			continue;
		}
		ASSERT_LT(0, ret);
		got += ret;
	}
	ASSERT_TRUE(wait_for(self->app, POLLOUT) & POLLOUT);
	EXPECT_LT(0, sendfile(self->app, fd, &offset, 1000));
	close(fd);
}

TEST_HARNESS_MAIN
