// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff connect: a TLS client on standard input and output.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands.h"
#include "connection.h"

/* connect(2) that gives up after @timeout milliseconds, 0 for the kernel's own limit. */
static int connect_address(const struct addrinfo *address, __u32 timeout)
{
	const struct timeval limit = {
		.tv_sec = timeout / 1000,
		.tv_usec = timeout % 1000 * 1000,
	};
	const struct timeval none = {};
	int fd, error;

	fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !connect(fd, address->ai_addr, address->ai_addrlen) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)))
		return fd;
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	return -error;
}

/* The first address of @host that answers: its fd, or -1 with the reason reported. */
static int connect_host(const char *host, const char *port, const struct options *options)
{
	const struct addrinfo hints = { .ai_family = options->family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses, *address;
	int fd = -ENOENT, r;

	r = getaddrinfo(host, port, &hints, &addresses);
	if (r) {
		fprintf(stderr, "tls-handoff: %s port %s: %s\n", host, port, gai_strerror(r));
		return -1;
	}
	for (address = addresses; address; address = address->ai_next) {
		fd = connect_address(address, options->handoff.timeout);
		if (fd >= 0)
			break;
	}
	freeaddrinfo(addresses);
	if (fd < 0) {
		fprintf(stderr, "tls-handoff: %s port %s: %s\n", host, port, strerror(-fd));
		return -1;
	}
	return fd;
}

/* The name to find in the server's certificate: HOST without what only routing needs. */
static void expected_name(const char *host, char name[NI_MAXHOST])
{
	char *zone;
	size_t length;

	snprintf(name, NI_MAXHOST, "%s", host);
	zone = strchr(name, '%');
	if (zone)
		*zone = '\0';
	length = strlen(name);
	if (length > 1 && name[length - 1] == '.')
		name[length - 1] = '\0';
}

int connect_command(int argc, char **argv)
{
	struct options options = {};
	char name[NI_MAXHOST];
	const char *host;
	int first, fd, r;

	r = options_parse(OPTIONS_CONNECT, argc, argv, &options, &first);
	if (r <= 0)
		return r < 0 ? EXIT_USAGE : EXIT_DONE;
	if (argc - first != 2) {
		fputs("usage: tls-handoff connect [OPTIONS] HOST PORT\n", stderr);
		return EXIT_USAGE;
	}
	if (!options_port(OPTIONS_CONNECT, argv[first + 1]))
		return EXIT_USAGE;
	host = argv[first];
	expected_name(host, name);
	if (!options.handoff.peer_name)
		options.handoff.peer_name = name;
	if (!*options.handoff.peer_name && !options.handoff.auth) {
		fputs("tls-handoff connect: certificates need a --name to look for\n", stderr);
		return EXIT_USAGE;
	}

	r = connection_check();
	if (r != EXIT_DONE)
		return r;
	fd = connect_host(host, argv[first + 1], &options);
	if (fd < 0)
		return EXIT_IO;
	r = connection_secure(fd, TLS_HANDOFF_CLIENT, &options, host);
	if (r == EXIT_DONE)
		r = connection_relay(fd, &options, host);
	close(fd);
	return r;
}
