// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many connections through a tunnel at once.
 *
 * load open COUNT FRONT BACK	COUNT connections to port FRONT, which come out at port BACK
 *				as plain ones: all are open before data goes each way through
 *				all of them, and then each is closed, one direction first
 * load stall COUNT FRONT	COUNT connections that say nothing, until the end of standard
 *				input
 *
 * Says "open" when they are and "moved" when data has gone through them, and reads a line
 * before it goes on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#define DEADLINE 280   /* seconds that one call may take on a slow machine */
#define BYTES	 16384 /* each way */

static int *clients, *servers; /* by number */

static const char *phase = "opening";

static void check(bool right, const char *what, int number)
{
	if (right)
		return;
	fprintf(stderr, "%s: connection %d: %s: %s\n", phase, number, what, strerror(errno));
	exit(1);
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int new_socket(void)
{
	const struct timeval limit = { .tv_sec = DEADLINE };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0, "socket", -1);
	/* Inherited by what a listener accepts */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static void connect_all(int count, const char *port)
{
	struct sockaddr_in address = loopback(port);

	clients = calloc(count, sizeof(*clients));
	for (int i = 0; i < count; i++) {
		clients[i] = new_socket();
		check(!connect(clients[i], (struct sockaddr *)&address, sizeof(address)), "connect",
		      i);
	}
}

static int listen_at(const char *port)
{
	struct sockaddr_in address = loopback(port);
	int fd = new_socket(), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	check(!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 4096),
	      "listen", -1);
	return fd;
}

/* They come out in any order: each client begins with its number. */
static void accept_all(int count, int listener)
{
	uint32_t number;

	servers = calloc(count, sizeof(*servers));
	for (int i = 0; i < count; i++)
		check(send(clients[i], &(uint32_t){ i }, sizeof(number), MSG_NOSIGNAL) ==
		      sizeof(number), "send a number", i);
	for (int i = 0; i < count; i++) {
		int fd = accept(listener, NULL, NULL);

		check(fd >= 0, "accept", i);
		check(recv(fd, &number, sizeof(number), MSG_WAITALL) == sizeof(number),
		      "receive a number", i);
		check(number < (uint32_t)count && !servers[number], "a number came twice", number);
		servers[number] = fd;
	}
}

static void fill(unsigned char *bytes, int number, int salt)
{
	for (int i = 0; i < BYTES; i++)
		bytes[i] = i * 31 + i / 256 + number * 7 + salt;
}

static void transfer(int count, const int *from, const int *to, int salt)
{
	static unsigned char sent[BYTES], got[BYTES];

	for (int i = 0; i < count; i++) {
		fill(sent, i, salt);
		check(send(from[i], sent, BYTES, MSG_NOSIGNAL) == BYTES, "send", i);
	}
	for (int i = 0; i < count; i++) {
		fill(sent, i, salt);
		check(recv(to[i], got, BYTES, MSG_WAITALL) == BYTES, "receive", i);
		check(!memcmp(sent, got, BYTES), "received something else than was sent", i);
	}
}

/* One direction ends and the other goes on, then that ends, too. */
static void close_all(int count)
{
	char byte;

	for (int i = 0; i < count; i++)
		shutdown(clients[i], SHUT_WR);
	for (int i = 0; i < count; i++) {
		check(!recv(servers[i], &byte, 1, 0), "no end came", i);
		check(send(servers[i], "!", 1, MSG_NOSIGNAL) == 1, "send after the end", i);
		shutdown(servers[i], SHUT_WR);
	}
	for (int i = 0; i < count; i++) {
		check(recv(clients[i], &byte, 1, 0) == 1 && byte == '!', "receive after the end",
		      i);
		check(!recv(clients[i], &byte, 1, 0), "no end came back", i);
	}
}

static void ready(const char *word)
{
	puts(word);
	fflush(stdout);
	getchar();
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int count, listener;

	if (argc < 4 || (strcmp(argv[1], "stall") && argc != 5))
		return 2;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	count = atoi(argv[2]);
	if (argc == 4) {
		connect_all(count, argv[3]);
		ready("open");
		return 0;
	}
	listener = listen_at(argv[4]);
	connect_all(count, argv[3]);
	accept_all(count, listener);
	ready("open");
	phase = "from the clients";
	transfer(count, clients, servers, 1);
	phase = "to the clients";
	transfer(count, servers, clients, 2);
	ready("moved");
	phase = "closing";
	close_all(count);
	puts("right");
	return 0;
}
