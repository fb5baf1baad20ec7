// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
/* Fetches / from a web server over TLS: client HOST PORT */
#include <err.h>
#include <tls_handoff.h>

int main(int argc, char **argv)
{
	char data[16384], why[TLS_HANDOFF_WHY] = "usage: client HOST PORT";
	int fd = argc == 3 ? tls_handoff_connect(argv[1], argv[2], why) : -1;
	ssize_t n;

	if (fd < 0)
		errx(1, "%s", why);
	n = send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0);
	while (n > 0 && (n = recv(fd, data, sizeof(data), 0)) > 0)
		fwrite(data, 1, n, stdout);
	if (n < 0)
		err(1, "%s", argv[1]);
	return 0;
}
