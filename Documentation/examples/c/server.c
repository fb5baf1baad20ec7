// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
/* Says hello to everyone who comes over TLS, one after the other: server PORT */
#include <err.h>
#include <tls_handoff.h>

int main(int argc, char **argv)
{
	const char hello[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n";
	char request[4096], why[TLS_HANDOFF_WHY] = "usage: server PORT";
	int listener = argc == 2 ? tls_handoff_listen(NULL, argv[1], why) : -1;

	if (listener < 0)
		errx(1, "%s", why);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			err(1, "accept");
		if (recv(fd, request, sizeof(request), 0) > 0)
			send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL);
		close(fd);
	}
}
