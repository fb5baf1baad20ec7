// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fetch HOST PORT PATH: a file from a web server to standard output.  All that it
 * knows of TLS are the four socket options in secure().
 */
#include <err.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

static void secure(int fd, const char *name)
{
	const __u32 role = TLS_HANDOFF_CLIENT;
	char words[TLS_HANDOFF_MAX_ERROR];
	socklen_t size = sizeof(words);

	if (setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, sizeof(TLS_HANDOFF_ULP)) ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_PROFILE, "demo", strlen("demo")) ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, name, strlen(name)))
		err(1, "tls_handoff");
	if (!setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)))
		return;
	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ERROR, words, &size))
		err(3, "%s", name);
	errx(3, "%s: %.*s", name, (int)size, words);
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *address;
	char data[65536], *body;
	ssize_t n, size = 0;
	int fd;

	if (argc != 4 || getaddrinfo(argv[1], argv[2], &hints, &address))
		errx(2, "usage: fetch HOST PORT PATH");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen))
		err(1, "%s port %s", argv[1], argv[2]);
	secure(fd, argv[1]);

	if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", argv[3]) < 0)
		err(1, "send");
	for (body = NULL; !body; body = strstr(data, "\r\n\r\n")) {
		n = recv(fd, data + size, sizeof(data) - 1 - size, 0);
		if (n <= 0)
			errx(1, "this is no HTTP answer");
		size += n;
		data[size] = '\0';
	}
	body += 4;
	for (n = size - (body - data); n > 0; n = recv(fd, body = data, sizeof(data), 0))
		if (write(STDOUT_FILENO, body, n) != n)
			err(1, "write");
	if (n < 0)
		err(1, "recv");
	return 0;
}
