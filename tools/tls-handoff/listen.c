// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff listen: a TLS server on standard input and output, or with a COMMAND for
 * each connection, which finds a socket there and need not know of TLS.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "connection.h"
#include "names.h"

#define MAX_LISTENERS 16  /* addresses of one --bind name */
#define MAX_CHILDREN  512 /* COMMANDs at a time; more connections wait in the backlog */

struct listener {
	const struct options *options;
	char **command;				 /* NULL: standard input and output */
	struct pollfd polled[MAX_LISTENERS + 1]; /* the sockets, then child_fd */
	nfds_t count;				 /* sockets */
	int child_fd;				 /* signalfd for SIGCHLD */
	sigset_t inherited;			 /* signal mask to give to commands */
	unsigned int children;
};

static int bind_address(const struct addrinfo *address)
{
	const int on = 1;
	int fd, error;

	fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    address->ai_protocol);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    (address->ai_family != AF_INET6 ||
	     !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) &&
	    !bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, SOMAXCONN))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* One socket for each address; an address that this machine lacks is no mistake as long as
 * there is another. */
static int bind_all(struct listener *listener, const char *port)
{
	const struct addrinfo hints = {
		.ai_family = listener->options->family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *addresses, *address;
	int fd, r, error = -EADDRNOTAVAIL;

	r = getaddrinfo(listener->options->bind, port, &hints, &addresses);
	if (r) {
		fprintf(stderr, "tls-handoff: port %s: %s\n", port, gai_strerror(r));
		return -EINVAL;
	}
	for (address = addresses; address && listener->count < MAX_LISTENERS;
	     address = address->ai_next) {
		fd = bind_address(address);
		if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
			continue;
		error = fd < 0 ? fd : 0;
		if (fd < 0)
			break;
		listener->polled[listener->count].fd = fd;
		listener->polled[listener->count++].events = POLLIN;
	}
	freeaddrinfo(addresses);
	if (error < 0)
		fprintf(stderr, "tls-handoff: port %s: %s\n", port, strerror(-error));
	return error;
}

static void __attribute__((noreturn)) become_command(struct listener *listener, int fd)
{
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &listener->inherited, NULL);
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(listener->command[0], listener->command);
	fprintf(stderr, "tls-handoff: %s: %s\n", listener->command[0], strerror(errno));
	exit(EXIT_IO);
}

/* Waits for the one COMMAND. */
static int command_status(const char *command, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_IO;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return EXIT_DONE;
	if (WIFSIGNALED(status))
		fprintf(stderr, "tls-handoff: %s: %s\n", command, strsignal(WTERMSIG(status)));
	return EXIT_IO;
}

/* The only connection: the exit status is about it. */
static int serve_one(struct listener *listener, int fd, const char *peer)
{
	pid_t pid;
	int r;

	for (nfds_t i = 0; i < listener->count; i++)
		close(listener->polled[i].fd);
	r = connection_secure(fd, TLS_HANDOFF_SERVER, listener->options, peer);
	if (r != EXIT_DONE)
		return r;
	if (!listener->command)
		return connection_relay(fd, listener->options, peer);
	pid = fork();
	if (!pid)
		become_command(listener, fd);
	if (pid < 0) {
		fprintf(stderr, "tls-handoff: fork: %s\n", strerror(errno));
		return EXIT_IO;
	}
	close(fd);
	return command_status(listener->command[0], pid);
}

static void reap(struct listener *listener, int flags)
{
	while (listener->children && waitpid(-1, NULL, flags) > 0) {
		listener->children--;
		flags |= WNOHANG;
	}
}

/* One of many: what goes wrong with it is reported and concerns no other.  A COMMAND's
 * handshake runs in its own process, so that a slow peer keeps nobody waiting. */
static void serve_another(struct listener *listener, int fd, const char *peer)
{
	pid_t pid;

	if (!listener->command) {
		if (connection_secure(fd, TLS_HANDOFF_SERVER, listener->options, peer) == EXIT_DONE)
			connection_relay(fd, listener->options, peer);
		return;
	}
	if (listener->children >= MAX_CHILDREN)
		reap(listener, 0);
	pid = fork();
	if (!pid) {
		int r = connection_secure(fd, TLS_HANDOFF_SERVER, listener->options, peer);

		if (r != EXIT_DONE)
			exit(r);
		become_command(listener, fd);
	}
	if (pid > 0)
		listener->children++;
	else
		fprintf(stderr, "tls-handoff: fork: %s\n", strerror(errno));
}

/* Accepts from @listening and serves.  1, 0 if the connection was gone again, -errno; the
 * only connection's exit status goes to *ret_status. */
static int accept_one(struct listener *listener, int listening, int *ret_status)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char peer[ADDRESS_MAX];
	int fd;

	fd = accept4(listening, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		return -errno;
	if (fd < 0)
		return 0;
	address_words((struct sockaddr *)&address, peer);
	if (!listener->options->keep_open) {
		*ret_status = serve_one(listener, fd, peer);
		return 1;
	}
	serve_another(listener, fd, peer);
	close(fd);
	return 1;
}

/* Serves until the end: of the one connection, or never. */
static int serve_all(struct listener *listener)
{
	struct signalfd_siginfo ignored;
	int r, status;

	for (;;) {
		r = poll(listener->polled, listener->count + 1, -1);
		if (r < 0 && errno != EINTR) {
			fprintf(stderr, "tls-handoff: poll: %s\n", strerror(errno));
			return EXIT_IO;
		}
		if (r < 0)
			continue;
		if (listener->polled[listener->count].revents) {
			while (read(listener->child_fd, &ignored, sizeof(ignored)) > 0)
				;
			reap(listener, WNOHANG);
		}
		for (nfds_t i = 0; i < listener->count; i++) {
			if (!listener->polled[i].revents)
				continue;
			r = accept_one(listener, listener->polled[i].fd, &status);
			if (r < 0) {
				fprintf(stderr, "tls-handoff: accept: %s\n", strerror(-r));
				return EXIT_IO;
			}
			if (r > 0 && !listener->options->keep_open)
				return status;
		}
	}
}

/* Children announce their end through a file descriptor that poll(2) can watch. */
static int watch_children(struct listener *listener)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &listener->inherited);
	listener->child_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (listener->child_fd < 0)
		return -errno;
	listener->polled[listener->count].fd = listener->child_fd;
	listener->polled[listener->count].events = POLLIN;
	return 0;
}

int listen_command(int argc, char **argv)
{
	struct options options = {};
	struct listener listener = { .options = &options };
	int first, r;

	r = options_parse(OPTIONS_LISTEN, argc, argv, &options, &first);
	if (r <= 0)
		return r < 0 ? EXIT_USAGE : EXIT_DONE;
	if (argc == first) {
		fputs("usage: tls-handoff listen [OPTIONS] PORT [-- COMMAND...]\n", stderr);
		return EXIT_USAGE;
	}
	if (!options_port(OPTIONS_LISTEN, argv[first]))
		return EXIT_USAGE;
	if (argc - first > 1)
		listener.command = argv + first + 1;

	r = connection_check();
	if (r != EXIT_DONE)
		return r;
	if (bind_all(&listener, argv[first]) < 0)
		return EXIT_IO;
	if (watch_children(&listener) < 0) {
		fprintf(stderr, "tls-handoff: signalfd: %s\n", strerror(errno));
		return EXIT_IO;
	}
	return serve_all(&listener);
}
