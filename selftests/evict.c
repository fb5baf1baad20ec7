// SPDX-License-Identifier: GPL-2.0-only
/*
 * START evicts: a send() that was blocked before never puts a plaintext byte
 * behind the handshake, a recv() that was blocked before never gets ciphertext.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define BIG (8 << 20)
#define MUCH (1024 * 1024)	/* what a pipe may be made to hold */
#define MARKER "the handshake begins here"

FIXTURE(evict)
{
	struct pair pair;
	char *big;
};

FIXTURE_VARIANT(evict)
{
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(evict, ipv4_tls13)
{
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(evict, ipv6_tls12)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_256,
};

FIXTURE_SETUP(evict)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->pair.version = variant->version;
	self->pair.cipher = variant->cipher;
	self->big = malloc(BIG);
	ASSERT_NE(NULL, self->big);
	memset(self->big, 'P', BIG);
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(evict)
{
	pair_close(&self->pair);
	free(self->big);
	EXPECT_TRUE(nothing_left());
}

/*
 * The agent sends the marker as soon as there is room for it; the peer reads what
 * came before, which must be only 'P's. How many, or -1.
 */
static long plain_before_marker(struct pair *p, char *buffer, size_t size)
{
	size_t have = 0, length = strlen(MARKER);
	bool sent = false;
	ssize_t ret;

	for (;;) {
		if (!sent)
			sent = send(p->session, MARKER, length, 0) == (ssize_t)length;
		ret = recv(p->peer, buffer + have, size - have, sent ? 0 : MSG_DONTWAIT);
		if (!ret || (ret < 0 && errno != EAGAIN))
			return -1;
		have += ret > 0 ? ret : 0;
		if (have >= length && !memcmp(buffer + have - length, MARKER, length))
			break;
	}
	for (size_t i = 0; i < have - length; i++)
		if (buffer[i] != 'P')
			return -1;
	return have - length;
}

/* Whatever the program sends from now on comes decrypted, and nothing before it */
static void expect_secured(struct __test_metadata *_metadata, struct pair *p)
{
	char buffer[16] = {};

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(6, send(p->app, "secret", 6, 0));
	ASSERT_EQ(6, read_all(p->peer, buffer, 6));
	EXPECT_STREQ("secret", buffer);
	ASSERT_EQ(5, send(p->peer, "reply", 5, 0));
	memset(buffer, 0, sizeof(buffer));
	ASSERT_EQ(5, read_all(p->app, buffer, 5));
	EXPECT_STREQ("reply", buffer);
}

static const int reading_flags[] = { 0, MSG_PEEK, MSG_WAITALL };

TEST_F(evict, blocked_recv_ends_with_epipe)
{
	struct pair *p = &self->pair;

	for (int i = 0; i < 3; i++) {
		struct call call = { .buffer = self->big, .size = 64,
				     .flags = reading_flags[i] };
		struct task task;

		ASSERT_EQ(0, pair_prepare(p, variant->family));
		call.fd = p->app;
		ASSERT_EQ(0, task_start(&task, call_recv, &call));
		ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
		ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
		EXPECT_EQ(-EPIPE, task_end(&task));
		/* What the peer says now is for the agent */
		ASSERT_EQ(6, send(p->peer, "flight", 6, 0));
		EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
		ASSERT_EQ(6, recv(p->session, self->big, 64, 0));
		expect_secured(_metadata, p);
		pair_close_sockets(p);
	}
}

TEST_F(evict, waitall_that_has_some_returns_it)
{
	struct call call = { .buffer = self->big, .size = 64, .flags = MSG_WAITALL };
	struct pair *p = &self->pair;
	struct task task;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	ASSERT_EQ(5, send(p->peer, "early", 5, 0));
	EXPECT_TRUE(wait_for(p->app, POLLIN) & POLLIN);
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(5, task_end(&task));
	EXPECT_EQ(0, memcmp(self->big, "early", 5));
	expect_secured(_metadata, p);
}

TEST_F(evict, blocked_splice_from_the_socket_ends)
{
	struct pair *p = &self->pair;
	struct call call = { .size = 65536 };
	struct task task;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	call.to = pipes[1];
	ASSERT_EQ(0, task_start(&task, call_splice, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_splice));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-EPIPE, task_end(&task));
	expect_secured(_metadata, p);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(evict, blocked_send_puts_nothing_behind_the_handshake)
{
	struct call call = { .buffer = self->big, .size = BIG };
	struct pair *p = &self->pair;
	struct task task;
	long plain, ret;

	ASSERT_EQ(0, pair_prepare(p, variant->family));
	call.fd = p->app;
	plain = fill(p->app, 'P');
	ASSERT_LT(0, plain);
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	ret = task_end(&task);
	if (ret != -EPIPE)
		ASSERT_LT(0, ret);
	plain += ret > 0 ? ret : 0;
	EXPECT_GT(BIG, plain);
	/* The peer makes room: the rest of what was evicted would come now */
	EXPECT_EQ(plain, plain_before_marker(p, self->big, BIG));
	expect_secured(_metadata, p);
}

TEST_F(evict, blocked_splice_to_the_socket_puts_nothing_behind_the_handshake)
{
	struct pair *p = &self->pair;
	struct call call = { .size = MUCH };
	long plain, ret, piped;
	struct task task;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(MUCH, fcntl(pipes[1], F_SETPIPE_SZ, MUCH));
	piped = write(pipes[1], self->big, MUCH);
	ASSERT_LT(0, piped);
	ASSERT_EQ(0, pair_prepare(p, variant->family));
	/* A buffer that does not grow: it and the peer's take much less than is in the pipe */
	ASSERT_EQ(0, setsockopt(p->app, SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int)));
	call.fd = pipes[0];
	call.to = p->app;
	plain = fill(p->app, 'P');
	ASSERT_LT(0, plain);
	ASSERT_EQ(0, task_start(&task, call_splice, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_splice));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	ret = task_end(&task);
	if (ret != -EPIPE)
		ASSERT_LT(0, ret);
	EXPECT_GT(piped, ret);
	plain += ret > 0 ? ret : 0;
	/* The peer makes room: the rest of what was evicted would come now */
	EXPECT_EQ(plain, plain_before_marker(p, self->big, BIG));
	expect_secured(_metadata, p);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(evict, blocked_calls_of_another_process_end_too)
{
	struct pair *p = &self->pair;
	int report[2], status = -1;
	char path[64], line[64];
	pid_t child;
	int file;

	ASSERT_EQ(0, pipe2(report, O_CLOEXEC));
	ASSERT_EQ(0, pair_prepare(p, variant->family));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		long ret = recv(p->app, line, sizeof(line), 0);

		status = ret < 0 ? errno : 0;
		_exit(write(report[1], &status, sizeof(status)) != sizeof(status));
	}
	snprintf(path, sizeof(path), "/proc/%d/syscall", child);
	for (long long end = now_ms() + TEST_DEADLINE_MS; now_ms() < end;) {
		file = open(path, O_RDONLY | O_CLOEXEC);
		memset(line, 0, sizeof(line));
		ASSERT_LE(0, read(file, line, sizeof(line) - 1));
		close(file);
		if (atoi(line) == SYS_recvfrom)
			break;
	}
	ASSERT_EQ(SYS_recvfrom, atoi(line));
	ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(sizeof(status), read(report[0], &status, sizeof(status)));
	EXPECT_EQ(EPIPE, status);
	expect_secured(_metadata, p);
	close(report[0]);
	close(report[1]);
}

static bool one_is_pending(void *arg)
{
	return stat_read("HandoffCurrPending") == 1;
}

/* A sender that waits for a page holds the socket's lock: what START waits for, and the FIN. */
TEST_F(evict, peer_that_closes_meanwhile_is_econnreset)
{
	struct call sending = { .size = sysconf(_SC_PAGESIZE) };
	struct call starting = { .role = TLS_HANDOFF_CLIENT };
	struct task sender, starter;
	struct pair *p = &self->pair;
	int faults;

	faults = undelivered_page(&sending.buffer, sending.size);
	if (faults < 0)
		SKIP(return, "this kernel has no userfaultfd");
	ASSERT_EQ(0, pair_prepare(p, variant->family));
	sending.fd = p->app;
	starting.fd = p->app;
	ASSERT_EQ(0, task_start(&sender, call_send, &sending));
	EXPECT_TRUE(wait_for(faults, POLLIN) & POLLIN);
	ASSERT_EQ(0, task_start(&starter, call_start, &starting));
	EXPECT_TRUE(until(one_is_pending, NULL));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));

	ASSERT_EQ(0, deliver(faults, sending.buffer, sending.size));
	EXPECT_EQ(sending.size, task_end(&sender));
	EXPECT_EQ(-ECONNRESET, task_end(&starter));
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	EXPECT_STREQ("the peer closed the connection", get_error(p->app));
	EXPECT_EQ(-1, send(p->app, "plain", 5, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	close(faults);
}

/* Senders that go on until told to stop; each reports what it sent */
struct sender {
	struct task task;
	int fd;
	atomic_bool *stop;
};

static long send_until_stopped(void *arg)
{
	struct sender *sender = arg;
	long total = 0, ret;
	char buffer[1000];

	memset(buffer, 'P', sizeof(buffer));
	while (!atomic_load(sender->stop)) {
		ret = send(sender->fd, buffer, sizeof(buffer), MSG_NOSIGNAL);
		if (ret > 0)
			total += ret;
		else if (ret < 0 && errno != EPIPE && errno != EAGAIN)
			return -errno;
	}
	return total;
}

static long recv_until_stopped(void *arg)
{
	struct sender *reader = arg;
	char buffer[1000];
	long total = 0, ret;

	while (!atomic_load(reader->stop)) {
		ret = recv(reader->fd, buffer, sizeof(buffer), 0);
		/* Ciphertext, or a byte of the handshake */
		for (long i = 0; i < ret; i++)
			if (buffer[i] != 'P')
				return -EILSEQ;
		if (ret > 0)
			total += ret;
		else if (ret < 0 && errno != EPIPE && errno != EAGAIN)
			return -errno;
	}
	return total;
}

TEST_F(evict, senders_that_hammer_while_start_happens)
{
	struct pair *p = &self->pair;

	for (int round = 0; round < 20; round++) {
		struct sender senders[3] = {};
		long plain, secured = 0, total = 0;
		atomic_bool stop = false;

		ASSERT_EQ(0, pair_prepare(p, variant->family));
		for (int i = 0; i < 3; i++) {
			senders[i].fd = p->app;
			senders[i].stop = &stop;
			ASSERT_EQ(0, task_start(&senders[i].task, send_until_stopped,
						&senders[i]));
		}
		EXPECT_TRUE(wait_for(p->peer, POLLIN) & POLLIN);
		ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
		plain = plain_before_marker(p, self->big, BIG);
		ASSERT_LE(0, plain);
		ASSERT_EQ(0, pair_finish(p, NULL));
		/* They go on under the agent's keys */
		ASSERT_EQ(5000, read_all(p->peer, self->big, 5000));
		secured = 5000;
		atomic_store(&stop, true);
		ASSERT_EQ(0, fcntl(p->peer, F_SETFL, O_NONBLOCK));
		for (int i = 0; i < 3; i++) {
			long ret;

			/* Room for those that wait for it */
			while (pthread_tryjoin_np(senders[i].task.thread, NULL)) {
				ret = recv(p->peer, self->big, BIG, 0);
				if (ret > 0)
					secured += ret;
			}
			ASSERT_LE(0, senders[i].task.result);
			total += senders[i].task.result;
		}
		ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
		ASSERT_EQ(0, fcntl(p->peer, F_SETFL, 0));
		secured += total - plain - secured > 0 ?
			   read_all(p->peer, self->big, total - plain - secured) : 0;
		EXPECT_EQ(total, plain + secured);
		pair_close_sockets(p);
	}
}

TEST_F(evict, readers_that_hammer_while_start_happens)
{
	static char rest[100001];
	struct pair *p = &self->pair;

	for (int round = 0; round < 20; round++) {
		struct sender readers[3] = {};
		atomic_bool stop = false;
		long total = 0;
		char flight[6];

		ASSERT_EQ(0, pair_prepare(p, variant->family));
		for (int i = 0; i < 3; i++) {
			readers[i].fd = p->app;
			readers[i].stop = &stop;
			ASSERT_EQ(0, task_start(&readers[i].task, recv_until_stopped,
						&readers[i]));
		}
		ASSERT_EQ(0, pair_begin(p, TLS_HANDOFF_CLIENT));
		ASSERT_EQ(6, send(p->peer, "flight", 6, 0));
		EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
		ASSERT_EQ(6, recv(p->session, flight, 6, 0));
		EXPECT_EQ(0, memcmp(flight, "flight", 6));
		ASSERT_EQ(0, pair_finish(p, NULL));
		ASSERT_EQ(100000, write_all(p->peer, self->big, 100000));
		atomic_store(&stop, true);
		ASSERT_EQ(0, send_alert(p->peer, 1, 0));
		for (int i = 0; i < 3; i++) {
			ASSERT_LE(0, task_end(&readers[i].task));
			total += readers[i].task.result;
		}
		/* kTLS may use the buffer behind what it returns, so not one that is sent again */
		total += read_all(p->app, rest, sizeof(rest));
		EXPECT_EQ(100000, total);
		pair_close_sockets(p);
	}
}

TEST_HARNESS_MAIN
