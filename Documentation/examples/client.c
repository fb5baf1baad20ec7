// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetches / from a web server over TLS, with nothing but socket calls: client HOST PORT */
#include <err.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <netinet/tcp.h>
#include <linux/tls_handoff.h>

int main(int argc, char **argv)
{
	const char request[] = "GET / HTTP/1.0\r\n\r\n", alpn[] = "\x08http/1.1";
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *to;
	char data[16384], why[TLS_HANDOFF_MAX_ERROR];
	socklen_t size = sizeof(why);
	__u32 role = TLS_HANDOFF_CLIENT;
	ssize_t n;
	int fd;

	if (argc != 3 || getaddrinfo(argv[1], argv[2], &hints, &to))
		errx(2, "usage: client HOST PORT");
	fd = socket(to->ai_family, SOCK_STREAM, 0);
	if (connect(fd, to->ai_addr, to->ai_addrlen) ||
	    setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)) ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, argv[1], strlen(argv[1])) ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ALPN, alpn, strlen(alpn)))
		err(1, "%s", argv[1]);
	if (setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role))) {
		getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ERROR, why, &size);
		err(3, "%.*s", (int)size, why);
	}
	n = send(fd, request, strlen(request), 0);
	while (n > 0 && (n = recv(fd, data, sizeof(data), 0)) > 0)
		fwrite(data, 1, n, stdout);
	if (n < 0)
		err(1, "%s", argv[1]);
	return 0;
}
