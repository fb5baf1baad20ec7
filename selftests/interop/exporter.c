// SPDX-License-Identifier: GPL-2.0-only
/*
 * exporter [PORT NAME]: a handed-off connection, standard input or one that it makes as
 * client, on which every line that arrives is the label of an exporter without context;
 * the answer is a line with its 32 bytes in hexadecimal, or with the errno's name.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

#define LENGTH	  32
#define MAX_LABEL 255

static int connection_new(const char *port, const char *name)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((unsigned short)atoi(port)),
	};
	unsigned int role = TLS_HANDOFF_CLIENT;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "port %s", port);
	if (setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)) < 0 ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, name, strlen(name)) < 0 ||
	    setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)) < 0)
		err(1, "handshake");
	return fd;
}

static void answer(int fd, const char *label, size_t length)
{
	union {
		struct tls_handoff_exporter exporter;
		unsigned char bytes[sizeof(struct tls_handoff_exporter) + MAX_LABEL];
	} value = { .exporter = { .label_len = (unsigned short)length, .out_len = LENGTH } };
	socklen_t size = sizeof(value.exporter) + length;

	memcpy(value.exporter.data, label, length);
	if (size < LENGTH)
		size = LENGTH;
	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, &value, &size) < 0) {
		dprintf(fd, "%s\n", strerrorname_np(errno));
		return;
	}
	for (socklen_t i = 0; i < size; i++)
		dprintf(fd, "%02X", value.bytes[i]);
	dprintf(fd, "\n");
}

int main(int argc, char *argv[])
{
	int fd = argc == 3 ? connection_new(argv[1], argv[2]) : STDIN_FILENO;
	char label[MAX_LABEL];
	size_t length = 0;

	while (read(fd, label + length, 1) == 1) {
		if (label[length] != '\n') {
			if (++length == sizeof(label))
				errx(1, "the label is too long");
			continue;
		}
		answer(fd, label, length);
		length = 0;
	}
	return 0;
}
