// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions per byte of plain TCP, raw kTLS and a handed-off socket, side by
 * side.  Runs under tools/vm/run --icount, where a nanosecond of virtual time is
 * one executed instruction.
 *
 * Only the calls of the end under test are timed.  The other end fills or drains
 * the buffers in between, so nobody ever waits and nobody else runs.  "stream" is
 * the exception: two blocking threads, and everything that both ends do counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "figure.h"

#define BATCH	      (256 * 1024) /* bytes between two changes of sides */
#define STREAM_FACTOR 8		   /* who waits how often varies: it takes more bytes to even out */
#define MAX_ROUNDS    64

static char buffer[BATCH];
static int file; /* BATCH bytes in the page cache */
static unsigned int rounds = 11, batches = 4;
static struct agent *agent;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void expect(ssize_t done, size_t wanted, const char *call)
{
	if (done == (ssize_t)wanted)
		return;
	fprintf(stderr, "bench: %s: %zd of %zu bytes: %s\n", call, done, wanted,
		done < 0 ? strerror(errno) : "short");
	exit(1);
}

static void send_batch(int fd, size_t size)
{
	for (size_t at = 0; at < BATCH; at += size)
		expect(send(fd, buffer + at, size, MSG_DONTWAIT | MSG_NOSIGNAL), size, "send");
}

static void sendfile_batch(int fd, size_t size)
{
	off_t at = 0;

	while (at < BATCH)
		expect(sendfile(fd, file, &at, size), size, "sendfile");
}

static void recv_batch(int fd, size_t size)
{
	ssize_t n;

	for (size_t at = 0; at < BATCH; at += (size_t)n) {
		n = recv(fd, buffer, size, MSG_DONTWAIT);
		if (n <= 0)
			expect(n, size, "recv");
	}
}

static void recv_poll_batch(int fd, size_t size)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (size_t at = 0; at < BATCH; at += (size_t)n) {
		if (poll(&ready, 1, TEST_DEADLINE_MS) != 1)
			expect(-1, 1, "poll");
		n = recv(fd, buffer, size, 0);
		if (n <= 0)
			expect(n, size, "recv after poll");
	}
}

static void drain(int fd, size_t size)
{
	(void)size;
	for (size_t at = 0; at < BATCH;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_WAITALL);

		if (n <= 0)
			expect(n, sizeof(buffer), "recv of the other end");
		at += (size_t)n;
	}
}

/* @before and @after are the other end's, untimed */
struct operation {
	const char *name;
	void (*before)(int fd, size_t size);
	void (*timed)(int fd, size_t size);
	void (*after)(int fd, size_t size);
	bool nonblock; /* O_NONBLOCK on the end under test */
};

static const struct operation operations[] = {
	{ "send", NULL, send_batch, drain, false },
	{ "recv", send_batch, recv_batch, NULL, false },
	{ "sendfile", NULL, sendfile_batch, drain, false },
	{ "stream", NULL, NULL, NULL, false },
	/* an event loop; a program that polls and then reads without O_NONBLOCK */
	{ "recv_poll", send_batch, recv_poll_batch, NULL, true },
	{ "recv_poll_blocking", send_batch, recv_poll_batch, NULL, false },
};

struct stream {
	int fd;
	size_t size, total;
};

static void *stream_send(void *arg)
{
	const struct stream *stream = arg;

	for (size_t at = 0; at < stream->total; at += stream->size)
		expect(send(stream->fd, buffer, stream->size, MSG_NOSIGNAL), stream->size, "send");
	return NULL;
}

/* Both directions in turn, so that the end under test sends as much as it receives */
static double stream_run(int from, int to, size_t size)
{
	const size_t total = (size_t)STREAM_FACTOR * batches * BATCH;
	static char sink[BATCH];
	struct stream stream = { from, size, total };
	double start = now();
	pthread_t sender;
	ssize_t n;

	must(-pthread_create(&sender, NULL, stream_send, &stream), "a thread");
	for (size_t at = 0; at < total; at += (size_t)n) {
		n = recv(to, sink, size, 0);
		if (n <= 0)
			expect(n, size, "recv");
	}
	pthread_join(sender, NULL);
	return now() - start;
}

/* Instructions per byte */
static double measure(const struct operation *operation, const struct connection *connection,
		      size_t size)
{
	double spent = 0, start;

	if (!operation->timed) {
		spent = stream_run(connection->app, connection->peer, size) +
			stream_run(connection->peer, connection->app, size);
		return spent / (2.0 * STREAM_FACTOR * batches * BATCH);
	}
	for (unsigned int i = 0; i < batches; i++) {
		if (operation->before)
			operation->before(connection->peer, size);
		start = now();
		operation->timed(connection->app, size);
		spent += now() - start;
		if (operation->after)
			operation->after(connection->peer, size);
	}
	return spent / ((double)batches * BATCH);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, rounds * sizeof(*values));
	qsort(sorted, rounds, sizeof(*sorted), compare);
	return sorted[rounds / 2];
}

/* Once more.  Who waits how often in a stream depends on how the windows of that connection
 * grew, so each gets a new one. */
static double measure_again(const struct operation *operation, enum connection_kind kind,
			    struct connection *connection, size_t size)
{
	if (!operation->timed) {
		connection_close(connection);
		must(connection_open(connection, kind, agent), connection_names[kind]);
	}
	return measure(operation, connection, size);
}

static void measure_all(const struct operation *operation, struct connection *connections,
			size_t size)
{
	double cost[CONNECTION_KINDS][MAX_ROUNDS], result[CONNECTION_KINDS];
	double ratio[MAX_ROUNDS], low = 2, high = 0;

	for (int kind = 0; kind < CONNECTION_KINDS; kind++) {
		must(set_nonblock(connections[kind].app, operation->nonblock), "O_NONBLOCK");
		measure(operation, &connections[kind], size);
	}
	/* A B C, B C A, ...: nobody always comes after the same neighbour */
	for (unsigned int round = 0; round < rounds; round++)
		for (unsigned int turn = 0; turn < CONNECTION_KINDS; turn++) {
			unsigned int kind = (round + turn) % CONNECTION_KINDS;

			cost[kind][round] =
				measure_again(operation, kind, &connections[kind], size);
		}
	for (unsigned int round = 0; round < rounds; round++) {
		ratio[round] = cost[CONNECTION_RAW_KTLS][round] / cost[CONNECTION_HANDOFF][round];
		low = ratio[round] < low ? ratio[round] : low;
		high = ratio[round] > high ? ratio[round] : high;
	}
	for (int kind = 0; kind < CONNECTION_KINDS; kind++) {
		result[kind] = median(cost[kind]);
		figure(result[kind], "instructions/byte", "data.%s.%zu.%s.instructions_per_byte",
		       operation->name, size, connection_names[kind]);
	}
	figure(median(ratio), "ratio", "data.%s.%zu.ratio_to_raw_ktls", operation->name, size);
	printf("%-18s %5zu bytes: %7.3f plain TCP, %7.3f raw kTLS, %7.3f handed off: ratio %.4f (%.4f to %.4f)\n",
	       operation->name, size, result[CONNECTION_PLAIN], result[CONNECTION_RAW_KTLS],
	       result[CONNECTION_HANDOFF], median(ratio), low, high);
	fflush(stdout);
}

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		must(-errno, path);
	close(fd);
}

/* The other end's thread must be able to take a batch without anybody waiting. */
static void open_connections(struct connection *connections)
{
	must(net_enter(), "a network namespace");
	write_sysctl("/proc/sys/net/ipv4/tcp_rmem", "4096 4194304 4194304");
	write_sysctl("/proc/sys/net/ipv4/tcp_wmem", "4096 4194304 4194304");
	must(agent_open(&agent), "netlink family tls_handoff");
	for (int kind = 0; kind < CONNECTION_KINDS; kind++)
		must(connection_open(&connections[kind], kind, agent), connection_names[kind]);
}

static void make_file(void)
{
	file = memfd_create("bench", MFD_CLOEXEC);
	if (file < 0)
		must(-errno, "a file");
	expect(write(file, buffer, sizeof(buffer)), sizeof(buffer), "write");
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1024, 16384, 65536 };
	struct connection connections[CONNECTION_KINDS];

	if (argc > 1)
		rounds = (unsigned int)atoi(argv[1]);
	if (argc > 2)
		batches = (unsigned int)atoi(argv[2]);
	if (!rounds || rounds > MAX_ROUNDS || !batches) {
		fprintf(stderr, "usage: datapath [ROUNDS [BATCHES]]\n");
		return 2;
	}
	memset(buffer, 'd', sizeof(buffer));
	make_file();
	open_connections(connections);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++)
			measure_all(&operations[i], connections, sizes[j]);
	for (int kind = 0; kind < CONNECTION_KINDS; kind++)
		connection_close(&connections[kind]);
	return 0;
}
