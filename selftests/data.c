// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bulk data through a handed-off connection: every way to send and to receive
 * it, whole, in order, by several threads and processes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define MUCH (3 << 20)

FIXTURE(data)
{
	struct pair pair;
	char *out, *in;
};

FIXTURE_VARIANT(data)
{
	enum kind kind;
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(data, plain_tcp)
{
	.kind = KIND_PLAIN, .family = AF_INET,
};

FIXTURE_VARIANT_ADD(data, raw_ktls)
{
	.kind = KIND_KTLS, .family = AF_INET,
	.version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(data, ipv4_tls13_aes_128_gcm)
{
	.kind = KIND_HANDOFF,
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(data, ipv6_tls12_aes_256_gcm)
{
	.kind = KIND_HANDOFF,
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_VARIANT_ADD(data, ipv6_tls13_aes_128_ccm)
{
	.kind = KIND_HANDOFF,
	.family = AF_INET6, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_CCM_128,
};

FIXTURE_SETUP(data)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->out = malloc(MUCH);
	self->in = malloc(MUCH);
	ASSERT_TRUE(self->out && self->in);
	pattern_fill(self->out, MUCH, 0);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, pair_open_kind(&self->pair, variant->kind, variant->family, variant->version,
				    variant->cipher));
}

FIXTURE_TEARDOWN(data)
{
	pair_close(&self->pair);
	free(self->out);
	free(self->in);
	EXPECT_TRUE(nothing_left());
}

TEST_F(data, every_size_arrives_whole_in_both_directions)
{
	static const int sizes[] = { 1, 2, 15, 16, 17, 255, 1000, 4095, 4096, 4097, 16367, 16368,
				     16383, 16384, 16385, 32767, 32768, 32769, 50001, 65535,
				     65536, 65537, 70000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		int size = sizes[i];

		ASSERT_EQ(size, write_all(self->pair.app, self->out + i, size));
		ASSERT_EQ(size, read_all(self->pair.peer, self->in, size));
		ASSERT_EQ(0, memcmp(self->out + i, self->in, size));
		ASSERT_EQ(size, write_all(self->pair.peer, self->out + i, size));
		memset(self->in, 0, size);
		ASSERT_EQ(size, read_all(self->pair.app, self->in, size));
		ASSERT_EQ(0, memcmp(self->out + i, self->in, size));
	}
	for (int size = 1; size < 300; size++) {
		ASSERT_EQ(size, send(self->pair.peer, self->out, size, 0));
		ASSERT_EQ(size, read_all(self->pair.app, self->in, size));
		ASSERT_EQ(0, memcmp(self->out, self->in, size));
	}
}

TEST_F(data, reads_of_every_size_put_the_stream_together)
{
	uint64_t have = 0;
	long ret;

	ASSERT_EQ(200000, write_all(self->pair.peer, self->out, 200000));
	for (int size = 1; have < 200000; size += 97) {
		ret = recv(self->pair.app, self->in, size, 0);
		ASSERT_LT(0, ret);
		ASSERT_GE(size, ret);
		ASSERT_TRUE(pattern_check(self->in, ret, have));
		have += ret;
	}
	EXPECT_EQ(200000, have);
}

/* One direction of a transfer, in pieces of sizes that do not repeat */
struct stream {
	int fd;
	size_t size;
	unsigned int seed;
};

static long stream_out(void *arg)
{
	struct stream *stream = arg;
	char piece[40000];
	uint64_t done = 0;

	while (done < stream->size) {
		size_t n = 1 + rand_r(&stream->seed) % sizeof(piece);

		if (n > stream->size - done)
			n = stream->size - done;
		pattern_fill(piece, n, done);
		if (write_all(stream->fd, piece, n) != (long)n)
			return -errno;
		done += n;
	}
	return done;
}

static long stream_in(void *arg)
{
	struct stream *stream = arg;
	char piece[40000];
	uint64_t done = 0;
	long ret;

	while (done < stream->size) {
		ret = recv(stream->fd, piece, 1 + rand_r(&stream->seed) % sizeof(piece), 0);
		if (ret <= 0)
			return ret ? -errno : (long)done;
		if (!pattern_check(piece, ret, done))
			return -EILSEQ;
		done += ret;
	}
	return done;
}

TEST_F(data, megabytes_both_ways_at_once)
{
	struct stream streams[4] = {
		{ self->pair.app, MUCH, 1 }, { self->pair.peer, MUCH, 2 },
		{ self->pair.peer, MUCH, 3 }, { self->pair.app, MUCH, 4 },
	};
	struct task tasks[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, task_start(&tasks[i], i & 1 ? stream_in : stream_out, &streams[i]));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(MUCH, task_end(&tasks[i]));
	EXPECT_EQ(0, get_info(self->pair.app).error);
}

TEST_F(data, sendfile_sends_a_file)
{
	struct stream reader = { self->pair.peer, MUCH, 5 };
	int fd = memfd_create("data", MFD_CLOEXEC);
	struct task task;
	off_t offset = 0;
	long ret;

	ASSERT_EQ(MUCH, write(fd, self->out, MUCH));
	ASSERT_EQ(0, task_start(&task, stream_in, &reader));
	while (offset < MUCH) {
		ret = sendfile(self->pair.app, fd, &offset, 300001);
		ASSERT_LT(0, ret);
	}
	EXPECT_EQ(MUCH, offset);
	EXPECT_EQ(MUCH, task_end(&task));
	close(fd);
}

TEST_F(data, the_end_of_a_short_file_is_not_held_back)
{
	int fd = memfd_create("data", MFD_CLOEXEC);

	/* sendfile() promises more than comes: splice_eof() must close the record */
	ASSERT_EQ(1000, write(fd, self->out, 1000));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(1000, sendfile(self->pair.app, fd, NULL, 100000));
	ASSERT_EQ(1000, read_all(self->pair.peer, self->in, 1000));
	EXPECT_EQ(0, memcmp(self->in, self->out, 1000));
	close(fd);
}

TEST_F(data, splice_carries_both_ways)
{
	uint64_t sent = 0, got = 0;
	int pipes[2];
	long ret, n;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	while (sent < 200000) {
		ret = write(pipes[1], self->out + sent, 30000);
		ASSERT_LT(0, ret);
		for (n = ret; n; n -= ret) {
			ret = splice(pipes[0], NULL, self->pair.app, NULL, n, 0);
			ASSERT_LT(0, ret);
			sent += ret;
		}
		ASSERT_EQ((long)(sent - got), read_all(self->pair.peer, self->in, sent - got));
		ASSERT_TRUE(pattern_check(self->in, sent - got, got));
		got = sent;
	}
	for (sent = 0, got = 0; sent < 200000;) {
		ASSERT_EQ(20000, write_all(self->pair.peer, self->out + sent, 20000));
		sent += 20000;
		while (got < sent) {
			ret = splice(self->pair.app, NULL, pipes[1], NULL, 65536, 0);
			ASSERT_LT(0, ret);
			ASSERT_EQ(ret, read(pipes[0], self->in, ret));
			ASSERT_TRUE(pattern_check(self->in, ret, got));
			got += ret;
		}
	}
	ASSERT_EQ(0, set_nonblock(self->pair.app, true));
	ret = splice(self->pair.app, NULL, pipes[1], NULL, 65536, SPLICE_F_NONBLOCK);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(data, vectors_and_messages_keep_the_order)
{
	struct iovec out[3] = { { self->out, 10 }, { self->out + 10, 20000 },
				{ self->out + 20010, 1 } };
	struct iovec in[2] = { { self->in, 7 }, { self->in + 7, 20004 } };
	struct mmsghdr mmsg[3] = {};
	long got = 0, ret;

	ASSERT_EQ(20011, writev(self->pair.app, out, 3));
	ASSERT_EQ(20011, read_all(self->pair.peer, self->in, 20011));
	EXPECT_TRUE(pattern_check(self->in, 20011, 0));
	ASSERT_EQ(20011, writev(self->pair.peer, out, 3));
	memset(self->in, 0, 20011);
	while (got < 20011) {
		in[0] = (struct iovec){ self->in + got, 7 };
		in[1] = (struct iovec){ self->in + got + 7, 20004 };
		ret = readv(self->pair.app, in, 2);
		ASSERT_LT(0, ret);
		got += ret;
	}
	EXPECT_TRUE(pattern_check(self->in, 20011, 0));

	if (variant->kind == KIND_KTLS)
		SKIP(return, "raw kTLS: EOPNOTSUPP for sendmmsg()");
	for (int i = 0; i < 3; i++)
		mmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &out[i], .msg_iovlen = 1 };
	ASSERT_EQ(3, sendmmsg(self->pair.app, mmsg, 3, 0));
	EXPECT_EQ(20000, mmsg[1].msg_len);
	memset(self->in, 0, 20011);
	ASSERT_EQ(20011, read_all(self->pair.peer, self->in, 20011));
	EXPECT_TRUE(pattern_check(self->in, 20011, 0));

	ASSERT_EQ(30, send(self->pair.peer, self->out, 30, 0));
	for (int i = 0; i < 3; i++) {
		out[i] = (struct iovec){ self->in + 10 * i, 10 };
		mmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &out[i], .msg_iovlen = 1 };
	}
	EXPECT_TRUE(wait_for(self->pair.app, POLLIN) & POLLIN);
	ASSERT_EQ(3, recvmmsg(self->pair.app, mmsg, 3, MSG_WAITALL, NULL));
	EXPECT_TRUE(pattern_check(self->in, 30, 0));
	/* No flag that is kTLS's own comes through */
	EXPECT_EQ(0, mmsg[0].msg_hdr.msg_flags);
}

#define PIECES 300
#define PIECE 1000

struct worker {
	struct task task;
	int fd;
	char byte;
	long counts[4];
};

static long write_pieces(void *arg)
{
	struct worker *worker = arg;
	char piece[PIECE];

	memset(piece, worker->byte, sizeof(piece));
	for (int i = 0; i < PIECES; i++)
		if (write_all(worker->fd, piece, sizeof(piece)) != PIECE)
			return -errno;
	return 0;
}

static long read_pieces(void *arg)
{
	struct worker *worker = arg;
	char piece[777];
	long ret;

	while ((ret = recv(worker->fd, piece, sizeof(piece), 0)) > 0)
		for (long i = 0; i < ret; i++) {
			if (piece[i] < 'a' || piece[i] > 'd')
				return -EILSEQ;
			worker->counts[piece[i] - 'a']++;
		}
	return ret ? -errno : 0;
}

TEST_F(data, several_writers_at_once_lose_nothing)
{
	struct worker writing[4] = {};
	long counts[4] = {}, total = 0, ret;
	char byte;

	for (int i = 0; i < 4; i++) {
		writing[i].fd = self->pair.app;
		writing[i].byte = 'a' + i;
		ASSERT_EQ(0, task_start(&writing[i].task, write_pieces, &writing[i]));
	}
	while (total < 4 * PIECES * PIECE) {
		ret = recv(self->pair.peer, self->in, 70000, 0);
		ASSERT_LT(0, ret);
		for (long i = 0; i < ret; i++) {
			byte = self->in[i];
			ASSERT_TRUE(byte >= 'a' && byte <= 'd');
			counts[byte - 'a']++;
		}
		total += ret;
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(0, task_end(&writing[i].task));
		EXPECT_EQ(PIECES * PIECE, counts[i]);
	}
}

TEST_F(data, several_readers_at_once_lose_nothing)
{
	struct worker reading[3] = {}, writer = { .fd = self->pair.peer };
	long counts[4] = {};

	for (int i = 0; i < 3; i++) {
		reading[i].fd = self->pair.app;
		ASSERT_EQ(0, task_start(&reading[i].task, read_pieces, &reading[i]));
	}
	for (int i = 0; i < 4; i++) {
		writer.byte = 'a' + i;
		ASSERT_EQ(0, write_pieces(&writer));
	}
	ASSERT_EQ(0, peer_end(self->pair.peer, variant->kind));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, task_end(&reading[i].task));
		for (int k = 0; k < 4; k++)
			counts[k] += reading[i].counts[k];
	}
	for (int k = 0; k < 4; k++)
		EXPECT_EQ(PIECES * PIECE, counts[k]);
}

#define ROUNDS 150

struct reader {
	struct task task;
	int fd;
	atomic_int *round;	/* up to which the records were sent */
	atomic_int done;	/* rounds */
};

/* One byte of each round's record, and no more before the next */
static long read_a_byte_a_round(void *arg)
{
	struct reader *reader = arg;
	char byte;

	for (int round = 1; round <= ROUNDS; round++) {
		long ret = recv(reader->fd, &byte, 1, 0);

		if (ret != 1)
			return ret ? -errno : -EPIPE;
		atomic_store(&reader->done, round);
		while (atomic_load(reader->round) <= round && round < ROUNDS)
			sched_yield();
	}
	return ROUNDS;
}

static bool both_have_theirs(void *arg)
{
	struct reader *readers = arg;
	int round = atomic_load(readers[0].round);

	return atomic_load(&readers[0].done) == round && atomic_load(&readers[1].done) == round;
}

/* What one leaves of a record is the other's, who may have looked at the wrong moment */
TEST_F(data, two_readers_share_every_record)
{
	struct reader readers[2] = {};
	atomic_int round = 1;

	for (int i = 0; i < 2; i++) {
		readers[i].fd = self->pair.app;
		readers[i].round = &round;
		ASSERT_EQ(0, task_start(&readers[i].task, read_a_byte_a_round, &readers[i]));
	}
	for (int i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(2, send(self->pair.peer, "ab", 2, 0));
		ASSERT_TRUE(until(both_have_theirs, readers));
		atomic_store(&round, i + 1);
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(ROUNDS, task_end(&readers[i].task));
}

/* Says "hello" in and expects "world" from the socket */
static int say_hello(int fd)
{
	char buffer[5];

	return send(fd, "hello", 5, 0) != 5 || read_all(fd, buffer, 5) != 5 ||
	       memcmp(buffer, "world", 5);
}

static void expect_hello(struct __test_metadata *_metadata, struct pair *p)
{
	char buffer[5];

	ASSERT_EQ(5, read_all(p->peer, buffer, 5));
	EXPECT_EQ(0, memcmp(buffer, "hello", 5));
	ASSERT_EQ(5, send(p->peer, "world", 5, 0));
}

TEST_F(data, dup_and_fork_share_the_connection)
{
	struct pair *p = &self->pair;
	int copy = dup(p->app), status;
	pid_t child;

	close(p->app);
	p->app = copy;
	if (variant->kind == KIND_HANDOFF)
		EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(copy).state);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(say_hello(copy));
	expect_hello(_metadata, p);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	/* The child's end closed nothing */
	EXPECT_EQ(0, get_info(copy).flags & TLS_HANDOFF_F_CLOSE_SENT);
	ASSERT_EQ(2, send(copy, "on", 2, 0));
	ASSERT_EQ(2, read_all(p->peer, self->in, 2));
}

TEST_F(data, a_program_that_knows_nothing_gets_it_by_exec)
{
	struct pair *p = &self->pair;
	int status;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		dup2(p->app, 0);
		dup2(p->app, 1);
		execl("/bin/sh", "sh", "-c", "read line; echo \"got $line\"", NULL);
		_exit(127);
	}
	ASSERT_EQ(5, send(p->peer, "word\n", 5, 0));
	ASSERT_EQ(9, read_all(p->peer, self->in, 9));
	EXPECT_EQ(0, memcmp(self->in, "got word\n", 9));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(data, scm_rights_passes_the_connection)
{
	struct pair *p = &self->pair;
	int ends[2], status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(p->app);
		_exit(say_hello(take_fd(ends[1])));
	}
	ASSERT_EQ(0, pass_fd(ends[0], p->app));
	close(p->app);
	p->app = -1;
	expect_hello(_metadata, p);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
