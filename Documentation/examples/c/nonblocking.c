// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
/*
 * TLS in a program with an event loop: connects to several servers at once and says
 * what became of each: nonblocking HOST PORT [HOST PORT]...
 */
#include <err.h>
#include <fcntl.h>
#include <tls_handoff.h>

#define MOST 16

/* A connected socket that does not block, with its handshake begun */
static int begin(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *to;
	int fd, r;

	if (getaddrinfo(host, port, &hints, &to))
		errx(1, "%s: unknown", host);
	fd = socket(to->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		err(1, "%s", host);
	freeaddrinfo(to);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r = tls_handoff_client(fd, host);
	if (r < 0 && r != -EINPROGRESS)
		errx(1, "%s: %s", host, strerror(-r));
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd polled[MOST];
	int i, r, running, count = argc / 2, failed = 0;
	char why[TLS_HANDOFF_WHY];

	if (argc < 3 || argc % 2 == 0 || count > MOST)
		errx(1, "usage: nonblocking HOST PORT [HOST PORT]...");
	for (i = 0; i < count; i++) {
		polled[i].fd = begin(argv[1 + 2 * i], argv[2 + 2 * i]);
		polled[i].events = POLLOUT;
	}
	for (running = count; running && poll(polled, count, -1) > 0;)
		for (i = 0; i < count; i++) {
			if (polled[i].fd < 0 || !polled[i].revents)
				continue;
			r = tls_handoff_wait(polled[i].fd, 0);
			if (r == -EINPROGRESS)
				continue;
			tls_handoff_why(polled[i].fd, r, why);
			printf("%s %s: %s\n", argv[1 + 2 * i], argv[2 + 2 * i],
			       r ? why : "secured");
			failed |= r;
			close(polled[i].fd);
			polled[i].fd = -1;
			running--;
		}
	return failed ? 1 : 0;
}
