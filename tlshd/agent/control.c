// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket, /run/tlshd/control.  Everybody may connect: connections are bounded
 * for each user and in all, in time and in size, and nobody is waited for.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>

#include "control.h"
#include "listing.h"
#include "log.h"
#include "protocol.h"

#define CONTROL_FOLDER	    "/run/tlshd"
#define CONTROL_CONNECTIONS 64 /* of all users */
#define CONTROL_FOR_ROOT    8  /* of them, that only root gets */
#define CONTROL_PER_USER    8  /* connections of one user other than root */
#define CONTROL_SECONDS	    60 /* for request and answer; a reload may wait for a slow TPM */
#define CONTROL_REQUEST	    64 /* bytes */

enum waiting { FOR_REQUEST, FOR_COUNTS, FOR_RELOAD, FOR_READER };

struct connection {
	struct control *control;
	int fd; /* -1: free */
	uid_t uid;
	struct event *read;	/* the request, then the end */
	struct event *write;	/* the next piece of the list */
	struct event *deadline; /* of all of it */
	enum waiting waiting;
	uint32_t request;
	struct listing *listing;
	const void *piece; /* that the reader has no room for yet */
	size_t piece_length;
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

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void connection_end(struct connection *connection)
{
	free_event(&connection->read);
	free_event(&connection->write);
	free_event(&connection->deadline);
	listing_free(connection->listing);
	connection->listing = NULL;
	connection->piece_length = 0;
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

static void on_tickets_show(struct connection *connection)
{
	ask_tickets(connection, CHANNEL_TICKETS_SHOW);
}

static void on_tickets_flush(struct connection *connection)
{
	ask_tickets(connection, CHANNEL_TICKETS_FLUSH);
}

static void on_tickets_rotate(struct connection *connection)
{
	ask_tickets(connection, CHANNEL_TICKETS_ROTATE);
}

static void on_reload(struct connection *connection)
{
	connection->waiting = FOR_RELOAD;
	connection->control->ops->reload(connection->control->arg);
}

/* The answer of on_status() and on_metrics(), whose lines @write makes */
static void answer_lines(struct connection *connection,
			 void (*write)(const struct connection *connection, FILE *lines))
{
	char text[CONTROL_MAX_TEXT];
	FILE *lines = fmemopen(text, sizeof(text), "w");
	long length;

	if (!lines) {
		answer_error(connection, "%s", strerror(errno));
		return;
	}
	fputs("ok\n", lines);
	write(connection, lines);
	fflush(lines);
	length = ferror(lines) ? -1 : ftell(lines);
	fclose(lines);
	if (length < 0 || length >= CONTROL_MAX_TEXT)
		answer_error(connection, "the answer is too long");
	else
		answer(connection, text, (size_t)length);
}

static void write_status(const struct connection *connection, FILE *lines)
{
	connection->control->ops->status(connection->control->arg, connection->uid, lines);
}

static void on_status(struct connection *connection)
{
	answer_lines(connection, write_status);
}

static void write_metrics(const struct connection *connection, FILE *lines)
{
	connection->control->ops->metrics(connection->control->arg, lines);
}

static void on_metrics(struct connection *connection)
{
	answer_lines(connection, write_metrics);
}

/* One piece for each turn of the event loop, and only when there is room for it. */
static void on_room(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	ssize_t n;

	if (!connection->piece_length) {
		n = listing_next(connection->listing, &connection->piece);
		if (n == -EAGAIN)
			return;
		/* Without its last piece the reader knows that the list is not complete. */
		if (n <= 0) {
			if (n < 0)
				log_message(LOG_WARNING, "a list of sessions was cut: %s",
					    strerror((int)-n));
			connection_end(connection);
			return;
		}
		connection->piece_length = (size_t)n;
	}
	n = send(fd, connection->piece, connection->piece_length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		connection_end(connection);
	connection->piece_length = 0;
}

static void on_sessions(struct connection *connection)
{
	struct control *control = connection->control;
	int ret = control->ops->list(control->arg, connection->uid == 0, connection->uid,
				     &connection->listing);

	if (ret == 0) {
		connection->waiting = FOR_READER;
		connection->write = event_new(control->base, connection->fd, EV_WRITE | EV_PERSIST,
					      on_room, connection);
		if (!connection->write || event_add(connection->write, NULL))
			ret = -ENOMEM;
	}
	if (ret == 0 && send(connection->fd, "ok\n", 3, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		ret = -errno;
	if (ret < 0)
		answer_error(connection, "the kernel cannot be asked: %s", strerror(-ret));
}

static const struct request {
	const char *name;
	bool for_root;
	void (*run)(struct connection *connection);
} requests[] = {
	{ "sessions", false, on_sessions },
	{ "status", false, on_status },
	{ "metrics", false, on_metrics },
	{ "tickets show", false, on_tickets_show },
	{ "tickets flush", true, on_tickets_flush },
	{ "tickets rotate", true, on_tickets_rotate },
	{ "reload", true, on_reload },
};

static void on_request(struct connection *connection, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(name, requests[i].name) != 0)
			continue;
		if (requests[i].for_root && connection->uid != 0)
			answer_error(connection, "permission denied: only root may do this");
		else
			requests[i].run(connection);
		return;
	}
	answer_error(connection, "unknown request");
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	char request[CONTROL_REQUEST + 1];
	ssize_t n;

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

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	/* In the middle of a list, words would be taken for a part of it. */
	if (connection->waiting == FOR_READER)
		connection_end(connection);
	else
		answer_error(connection, "no answer within %d seconds", CONTROL_SECONDS);
}

static int connection_start(struct connection *connection)
{
	const struct timeval limit = { CONTROL_SECONDS, 0 };
	struct event_base *base = connection->control->base;

	connection->waiting = FOR_REQUEST;
	connection->read =
		event_new(base, connection->fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->deadline = evtimer_new(base, on_deadline, connection);
	if (!connection->read || !connection->deadline || event_add(connection->read, NULL) ||
	    evtimer_add(connection->deadline, &limit))
		return -ENOMEM;
	return 0;
}

/* A free connection that @uid may have, or NULL. */
static struct connection *connection_for(struct control *control, uid_t uid)
{
	struct connection *place = NULL;
	int i, used = 0, users = 0;

	for (i = 0; i < CONTROL_CONNECTIONS; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd < 0) {
			place = connection;
			continue;
		}
		used++;
		users += connection->uid == uid;
	}
	if (uid != 0 &&
	    (users >= CONTROL_PER_USER || used >= CONTROL_CONNECTIONS - CONTROL_FOR_ROOT))
		return NULL;
	return place;
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
	static const char busy[] = "error too many connections";
	struct ucred peer = { .uid = -1 };
	socklen_t length = sizeof(peer);
	struct connection *connection;
	struct control *control = arg;
	int fd;

	fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		close(fd);
		return;
	}
	connection = connection_for(control, peer.uid);
	if (!connection) {
		(void)!send(fd, busy, strlen(busy), MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	connection->control = control;
	connection->fd = fd;
	connection->uid = peer.uid;
	if (connection_start(connection) < 0)
		connection_end(connection);
}

void control_counts(struct control *control, uint32_t request, const uint8_t *text, size_t length)
{
	char lines[CHANNEL_MAX_COUNTS + 8] = "ok\n";
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
	mask = umask(022);
	ret = mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
	umask(mask);
	if (ret == 0)
		ret = remove_stale(address);
	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0111);
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
