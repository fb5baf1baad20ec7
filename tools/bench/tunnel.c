// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes per instruction of tunnels between plain TCP and TLS.  Runs under tools/vm/run
 * --icount, where a nanosecond of virtual time is one executed instruction.
 *
 * Both ends are here, and cost as little as ends can, so that what is counted is the tunnel:
 * after the handshake, which is OpenSSL's, records were encrypted before the clock starts and
 * are sent with sendfile(2), or are received and thrown away as they are; plain data is sent
 * with sendfile(2), and thrown away in the kernel.  What comes is checked before that, once for
 * each connection and direction.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "figure.h"

#define MiB	   (1024 * 1024)
#define BULK	   (16 * MiB)	/* bytes of one measurement */
#define CHECKED	   (256 * 1024) /* bytes that are compared */
#define RECORD	   16384	/* bytes of plaintext in one record */
#define HEADER	   5		/* bytes before a record's payload */
#define OVERHEAD   17		/* bytes of a TLS 1.3 record's payload that are no data */
#define MAX_ROUNDS 15
#define TUNNELS	   3

static const char *const tunnels[TUNNELS] = { "handoff", "stunnel", "nginx_ktls" };
static unsigned char pattern[BULK];
static int plain_file; /* BULK bytes of pattern */

static void __attribute__((noreturn)) fatal(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void expect(bool right, const char *what)
{
	if (!right)
		fatal(what);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int listen_at(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	expect(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
		       !bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 16),
	       "listen");
	return fd;
}

static int connect_to(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	expect(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)), "connect");
	return fd;
}

/* One connection through a tunnel: we are at both of its ends. */
struct path {
	int plain, secure;
	SSL *ssl;
	int records; /* file with BULK bytes of data as records, to be sent next */
	off_t records_size;
};

static SSL_CTX *context(bool server, const char *certificate, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	expect(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
		       SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"),
	       "SSL_CTX");
	if (server)
		expect(SSL_CTX_use_certificate_chain_file(ctx, certificate) == 1 &&
			       SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1,
		       "certificate");
	return ctx;
}

/* The BULK behind what was written until now, encrypted into a file. */
static void encrypt(struct path *path)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *bytes;
	long size;

	expect(memory != NULL, "BIO");
	SSL_set0_wbio(path->ssl, memory);
	for (size_t at = 0; at < BULK; at += RECORD)
		expect(SSL_write(path->ssl, pattern + at, RECORD) == RECORD, "SSL_write");
	size = BIO_get_mem_data(memory, &bytes);
	path->records = memfd_create("records", 0);
	expect(path->records >= 0, "memfd_create");
	for (long at = 0; at < size;) {
		ssize_t n = write(path->records, bytes + at, (size_t)(size - at));

		expect(n > 0, "write");
		at += n;
	}
	path->records_size = size;
	SSL_set0_wbio(path->ssl, BIO_new_socket(path->secure, BIO_NOCLOSE));
}

/* Both directions carry what they should, and nothing is left that came with the handshake. */
static void check(struct path *path)
{
	static unsigned char got[CHECKED];
	size_t at;

	for (at = 0; at < CHECKED; at += RECORD)
		expect(SSL_write(path->ssl, pattern + at, RECORD) == RECORD, "SSL_write");
	expect(recv(path->plain, got, CHECKED, MSG_WAITALL) == CHECKED, "recv");
	expect(!memcmp(got, pattern, CHECKED), "the plain side got something else");
	expect(send(path->plain, pattern, CHECKED, 0) == CHECKED, "send");
	for (at = 0; at < CHECKED;) {
		int n = SSL_read(path->ssl, got + at, (int)(CHECKED - at));

		expect(n > 0, "SSL_read");
		at += (size_t)n;
	}
	expect(!memcmp(got, pattern, CHECKED), "the TLS side got something else");
	expect(!SSL_has_pending(path->ssl), "there is more than was sent");
}

static void path_open(struct path *path, int port, int listener, SSL_CTX *ctx, bool terminate)
{
	const struct timeval limit = { .tv_sec = 100 };
	int connected = connect_to(port);

	path->ssl = SSL_new(ctx);
	expect(path->ssl != NULL, "SSL_new");
	path->secure = terminate ? connected : accept(listener, NULL, NULL);
	SSL_set_fd(path->ssl, path->secure);
	expect((terminate ? SSL_connect(path->ssl) : SSL_accept(path->ssl)) == 1, "handshake");
	path->plain = terminate ? accept(listener, NULL, NULL) : connected;
	expect(path->secure >= 0 && path->plain >= 0, "accept");
	setsockopt(path->plain, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(path->secure, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	check(path);
}

static void path_close(struct path *path)
{
	SSL_free(path->ssl);
	close(path->plain);
	close(path->secure);
	close(path->records);
}

struct source {
	int fd, file;
	off_t size;
};

static void *send_all(void *arg)
{
	const struct source *source = arg;
	off_t at = 0;

	while (at < source->size)
		expect(sendfile(source->fd, source->file, &at, (size_t)(source->size - at)) > 0,
		       "sendfile");
	return NULL;
}

static void discard(int fd, size_t size)
{
	while (size) {
		ssize_t n = recv(fd, NULL, size, MSG_TRUNC);

		expect(n > 0, "recv");
		size -= (size_t)n;
	}
}

/* Counts the data in records, which nobody decrypts. */
static void discard_records(int fd)
{
	unsigned char header[HEADER];
	size_t at = 0, length;

	while (at < BULK) {
		expect(recv(fd, header, HEADER, MSG_WAITALL) == HEADER, "recv");
		length = (size_t)header[3] << 8 | header[4];
		expect(header[0] == 23 && length > OVERHEAD, "this is no record of data");
		discard(fd, length);
		at += length - OVERHEAD;
	}
	expect(at == BULK, "there is more than was sent");
}

/* Instructions of BULK bytes through the tunnel. */
static double transfer(struct path *path, bool encrypting)
{
	struct source source = { path->plain, plain_file, BULK };
	pthread_t thread;
	double start;

	if (!encrypting)
		source = (struct source){ path->secure, path->records, path->records_size };
	start = now();
	expect(!pthread_create(&thread, NULL, send_all, &source), "a thread");
	if (encrypting)
		discard_records(path->secure);
	else
		discard(path->plain, BULK);
	pthread_join(thread, NULL);
	return now() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* Ours in relation to each of the others, round by round.  @what ends with a dot, if it is not
 * empty. */
static void report(const char *role, const char *what, double cost[TUNNELS][MAX_ROUNDS],
		   unsigned int rounds)
{
	double ratio[MAX_ROUNDS], copy[MAX_ROUNDS], each[TUNNELS], to[TUNNELS] = { 1 };

	for (int tunnel = 0; tunnel < TUNNELS; tunnel++) {
		memcpy(copy, cost[tunnel], sizeof(copy));
		each[tunnel] = median(copy, rounds);
		figure(each[tunnel], "instructions/byte", "tunnel.%s.%s%s.instructions_per_byte",
		       role, what, tunnels[tunnel]);
		if (!tunnel)
			continue;
		for (unsigned int round = 0; round < rounds; round++)
			ratio[round] = cost[tunnel][round] / cost[0][round];
		to[tunnel] = median(ratio, rounds);
		figure(to[tunnel], "ratio", "tunnel.%s.%sbytes_per_instruction_to_%s", role, what,
		       tunnels[tunnel]);
	}
	printf("%-9s %-9s %6.3f handoff, %6.3f stunnel, %6.3f nginx: ratios %.3f, %.3f\n", role,
	       what, each[0], each[1], each[2], to[1], to[2]);
	fflush(stdout);
}

static void measure(bool terminate, int port, SSL_CTX *ctx, unsigned int rounds)
{
	static double decrypt[TUNNELS][MAX_ROUNDS], encrypt_cost[TUNNELS][MAX_ROUNDS],
		both[TUNNELS][MAX_ROUNDS];
	const char *role = terminate ? "terminate" : "originate";
	int listener = listen_at(port);

	for (unsigned int round = 0; round < rounds; round++)
		for (unsigned int turn = 0; turn < TUNNELS; turn++) {
			unsigned int tunnel = (round + turn) % TUNNELS;
			struct path path;

			path_open(&path, port + 1 + (int)tunnel, listener, ctx, terminate);
			encrypt(&path);
			decrypt[tunnel][round] = transfer(&path, false) / BULK;
			encrypt_cost[tunnel][round] = transfer(&path, true) / BULK;
			both[tunnel][round] =
				(decrypt[tunnel][round] + encrypt_cost[tunnel][round]) / 2;
			path_close(&path);
		}
	report(role, "decrypt.", decrypt, rounds);
	report(role, "encrypt.", encrypt_cost, rounds);
	report(role, "", both, rounds);
	close(listener);
}

int main(int argc, char **argv)
{
	unsigned int rounds;

	if (argc != 6 || !(rounds = (unsigned int)atoi(argv[1])) || rounds > MAX_ROUNDS) {
		fprintf(stderr,
			"usage: tunnel ROUNDS TERMINATE_PORT ORIGINATE_PORT CERTIFICATE KEY\n"
			"The tunnels are at the three ports behind each, and connect to it.\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i * 7 + i / 253);
	plain_file = memfd_create("plain", 0);
	expect(write(plain_file, pattern, sizeof(pattern)) == sizeof(pattern), "write");
	measure(true, atoi(argv[2]), context(false, NULL, NULL), rounds);
	measure(false, atoi(argv[3]), context(true, argv[4], argv[5]), rounds);
	return 0;
}
