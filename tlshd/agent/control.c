// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket, /run/tlshd/control: for root only, bounded in connections,
 * time and size.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>

#include "control.h"
#include "log.h"
#include "protocol.h"

#define CONTROL_FOLDER	    "/run/tlshd"
#define CONTROL_CONNECTIONS 8
#define CONTROL_SECONDS	    60 /* for request and answer; a reload may wait for a slow TPM */
#define CONTROL_REQUEST	    64 /* bytes */
#define CONTROL_ANSWER	    (CHANNEL_MAX_COUNTS + 512)

enum waiting { FOR_REQUEST, FOR_COUNTS, FOR_RELOAD };

struct connection {
	struct control *control;
	int fd;		     /* -1: free */
	struct event *event; /* the request, then the end; with the time limit */
	enum waiting waiting;
	uint32_t request;
};

struct control {
	struct event_base *base;
	const struct control_ops *ops;
	void *arg;
	int fd;
	struct event *event;
	struct sockaddr_un address;
	uint32_t last_request;
	struct connection connections[CONTROL_CONNECTIONS];
};

static void connection_end(struct connection *connection)
{
	if (connection->event)
		event_free(connection->event);
	connection->event = NULL;
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

/* One packet, or none: who does not take it gets the end of file. */
static void answer(struct connection *connection, const char *text, size_t length)
{
	(void)!send(connection->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	connection_end(connection);
}

static void __attribute__((format(printf, 2, 3))) answer_error(struct connection *connection,
							       const char *format, ...)
{
	char text[512] = "error ";
	va_list args;

	va_start(args, format);
	vsnprintf(text + 6, sizeof(text) - 6, format, args);
	va_end(args);
	answer(connection, text, strlen(text));
}

static void ask_tickets(struct connection *connection, uint32_t action)
{
	struct control *control = connection->control;
	int ret;

	connection->waiting = FOR_COUNTS;
	/* The last number is the succession's. */
	control->last_request = control->last_request % (UINT32_MAX - 1) + 1;
	connection->request = control->last_request;
	ret = control->ops->tickets(control->arg, connection->request, action);
	if (ret < 0)
		answer_error(connection, "tlshd-session cannot be asked now: %s", strerror(-ret));
}

static void on_request(struct connection *connection, const char *request)
{
	struct control *control = connection->control;

	if (strcmp(request, "tickets show") == 0) {
		ask_tickets(connection, CHANNEL_TICKETS_SHOW);
	} else if (strcmp(request, "tickets flush") == 0) {
		ask_tickets(connection, CHANNEL_TICKETS_FLUSH);
	} else if (strcmp(request, "tickets rotate") == 0) {
		ask_tickets(connection, CHANNEL_TICKETS_ROTATE);
	} else if (strcmp(request, "reload") == 0) {
		connection->waiting = FOR_RELOAD;
		control->ops->reload(control->arg);
	} else {
		answer_error(connection, "unknown request");
	}
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	char request[CONTROL_REQUEST + 1];
	ssize_t n;

	if (what & EV_TIMEOUT) {
		answer_error(connection, "no answer within %d seconds", CONTROL_SECONDS);
		return;
	}
	n = recv(fd, request, CONTROL_REQUEST, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The end, or a second request */
	if (n <= 0 || connection->waiting != FOR_REQUEST) {
		connection_end(connection);
		return;
	}
	if (n > CONTROL_REQUEST || memchr(request, '\0', n)) {
		answer_error(connection, "unknown request");
		return;
	}
	if (request[n - 1] == '\n')
		n--;
	request[n] = '\0';
	on_request(connection, request);
}

static bool is_root(int fd)
{
	struct ucred peer = { .uid = -1 };
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval limit = { CONTROL_SECONDS, 0 };
	struct control *control = arg;
	struct connection *connection = NULL;
	int i;

	fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	for (i = 0; i < CONTROL_CONNECTIONS && !connection; i++)
		if (control->connections[i].fd < 0)
			connection = &control->connections[i];
	if (!connection || !is_root(fd)) {
		close(fd);
		return;
	}
	connection->control = control;
	connection->fd = fd;
	connection->waiting = FOR_REQUEST;
	connection->event =
		event_new(control->base, fd, EV_READ | EV_PERSIST, on_connection, connection);
	if (!connection->event || event_add(connection->event, &limit))
		connection_end(connection);
}

void control_counts(struct control *control, uint32_t request, const uint8_t *text, size_t length)
{
	char lines[CONTROL_ANSWER] = "ok\n";
	size_t used = strlen(lines), i;

	if (!control)
		return;
	for (i = 0; i < length && used < sizeof(lines); i++)
		lines[used++] = text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f) ? text[i] :
											'?';
	for (i = 0; i < CONTROL_CONNECTIONS; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd >= 0 && connection->waiting == FOR_COUNTS &&
		    connection->request == request)
			answer(connection, lines, used);
	}
}

void control_reloaded(struct control *control, const char *error)
{
	int i;

	for (i = 0; control && i < CONTROL_CONNECTIONS; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd < 0 || connection->waiting != FOR_RELOAD)
			continue;
		if (error)
			answer_error(connection, "%s", error);
		else
			answer(connection, "ok\n", 3);
	}
}

/* A socket that nobody listens on is one that a dead tlshd left. */
static int remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret = -EADDRINUSE;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    (errno == ECONNREFUSED || errno == ENOENT))
		ret = unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
	close(fd);
	return ret;
}

static int control_listen(struct control *control)
{
	const char *folder = secure_getenv("TLSHD_RUNTIME_DIR");
	struct sockaddr_un *address = &control->address;
	mode_t mask;
	int ret, fd;

	if (!folder)
		folder = CONTROL_FOLDER;
	address->sun_family = AF_UNIX;
	ret = snprintf(address->sun_path, sizeof(address->sun_path), "%s/control", folder);
	if (ret >= (int)sizeof(address->sun_path))
		return -ENAMETOOLONG;
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	ret = remove_stale(address);
	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(mask);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	control->fd = fd;
	return listen(fd, CONTROL_CONNECTIONS) < 0 ? -errno : 0;
}

int control_new(struct event_base *base, const struct control_ops *ops, void *arg,
		struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int i, ret;

	if (!control)
		return -ENOMEM;
	control->base = base;
	control->ops = ops;
	control->arg = arg;
	control->fd = -1;
	for (i = 0; i < CONTROL_CONNECTIONS; i++)
		control->connections[i].fd = -1;
	ret = control_listen(control);
	if (ret == 0) {
		control->event =
			event_new(base, control->fd, EV_READ | EV_PERSIST, on_accept, control);
		if (!control->event || event_add(control->event, NULL))
			ret = -ENOMEM;
	}
	if (ret < 0) {
		control_free(control);
		return ret;
	}
	*ret_control = control;
	return 0;
}

void control_free(struct control *control)
{
	int i;

	if (!control)
		return;
	for (i = 0; i < CONTROL_CONNECTIONS; i++)
		connection_end(&control->connections[i]);
	if (control->event)
		event_free(control->event);
	/* The path is ours only if it was bound. */
	if (control->fd >= 0) {
		unlink(control->address.sun_path);
		close(control->fd);
	}
	free(control);
}
