// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listening sockets of services, see listener.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "listener.h"
#include "log.h"

static const char *local_path(const struct address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;

	return address->storage.ss_family == AF_UNIX ? name->sun_path : NULL;
}

/* A socket that nobody listens at any more is in the way. */
static void remove_stale(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&address->storage, address->length) < 0 &&
	    errno == ECONNREFUSED)
		unlink(local_path(address));
	close(fd);
}

/* What accepted connections inherit; a UNIX socket has none of it. */
static void set_inherited(int fd)
{
	const int on = 1;

	setsockopt(fd, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int open_socket(const struct address *address)
{
	const int on = 1;
	int fd, error;

	fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (local_path(address))
		remove_stale(address);
	else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		goto fail;
	/* The IPv4 addresses have a socket of their own */
	if (address->storage.ss_family == AF_INET6 &&
	    setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		goto fail;
	if (bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 &&
	    listen(fd, SOMAXCONN) == 0) {
		set_inherited(fd);
		return fd;
	}
fail:
	error = errno;
	close(fd);
	return -error;
}

static struct listener *listener_new(int fd)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (listener)
		listener->watch.fd = fd;
	return listener;
}

int listener_bind(const struct address *address, struct listener **ret_listener)
{
	struct listener *listener;
	int fd = open_socket(address);

	if (fd < 0)
		return fd;
	listener = listener_new(fd);
	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	listener->address = *address;
	*ret_listener = listener;
	return 0;
}

/* One that systemd made; its name becomes the listener's. */
static int inherit(int fd, char *name, struct listener_list *list)
{
	struct listener *listener;

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
		log_message(LOG_WARNING, "file descriptor %d is no listening socket: not used", fd);
		close(fd);
		return -EINVAL;
	}
	listener = listener_new(fd);
	if (!listener)
		return -ENOMEM;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	set_inherited(fd);
	listener->name = name;
	TAILQ_INSERT_TAIL(list, listener, entry);
	return 0;
}

int listeners_inherit(struct listener_list *list)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < count; i++)
		if (inherit(SD_LISTEN_FDS_START + i, names[i], list) < 0)
			free(names[i]);
	free(names);
	return count < 0 ? count : 0;
}

void listener_free(struct loop *loop, struct listener *listener)
{
	const char *path = local_path(&listener->address);

	if (path && listener->watch.fd >= 0)
		unlink(path);
	loop_end(loop, &listener->watch);
	free(listener->name);
	free(listener);
}

int listener_accept(struct listener *listener, char peer[ADDRESS_MAX])
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof(address);
	int fd;

	fd = accept4(listener->watch.fd, (struct sockaddr *)&address, &size,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (address.ss_family == AF_UNIX)
		snprintf(peer, ADDRESS_MAX, "a local client");
	else
		address_words((const struct sockaddr *)&address, peer);
	return fd;
}
