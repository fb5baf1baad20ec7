// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection through a service, see connection.h.  It walks through a list of steps; each
 * is called until it says that the next one may begin.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "handoff.h"
#include "log.h"
#include "starttls.h"

#define LOOK_PAUSE  100 /* milliseconds between two looks at all time limits */
#define RETRY_PAUSE 100 /* milliseconds until memory is asked for again */

/* 1: the next step; 0: wait for events; -errno after the log line. */
typedef int (*connection_step)(struct connection *c);

struct connection {
	struct connections *connections;
	struct settings *settings;
	void *data;
	struct end accepted, connected;
	struct end *secure;  /* one of the two */
	struct end *culprit; /* whose own fault it is, NULL: neither's */
	const connection_step *step;
	bool begun; /* the step was called before */
	bool busy;  /* in connections.busy */
	bool dead;
	struct flow flows[2]; /* from the accepted end and to it */
	size_t address;	      /* which one is tried */
	struct starttls *starttls;
	uint64_t deadline; /* of the step; 0: none */
	uint64_t retry;	   /* when a starved flow goes on; 0: none is */
	uint64_t active;   /* when anything happened */
	TAILQ_ENTRY(connection) all, queue;
	char peer[ADDRESS_MAX];
};

static void connection_run(struct connection *c);

static void say(const struct connection *c, int priority, const char *what, const char *words)
{
	log_message(priority, "%s: %s: %s: %s", c->settings->name, c->peer, what, words);
}

/* Logs and is @error, so that failing is one statement. */
static int failure(const struct connection *c, const char *what, int error)
{
	say(c, LOG_ERR, what, strerror(-error));
	return error;
}

static void end_ready(struct watch *watch, uint32_t events)
{
	struct end *end = (struct end *)watch;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		end->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		end->writable = true;
	if (events & EPOLLERR)
		end->failed = true;
	connection_run(end->connection);
}

static void end_init(struct end *end, struct connection *c)
{
	end->watch.fd = -1;
	end->watch.ready = end_ready;
	end->connection = c;
}

static int end_open(struct end *end, int fd)
{
	end->watch.fd = fd;
	end->readable = end->writable = end->failed = false;
	return loop_add(&end->connection->connections->loop, &end->watch,
			EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

/* Closes; @reset so that the peer cannot take it for an end. */
static void end_close(struct end *end, bool reset)
{
	const struct linger linger = { .l_onoff = 1 };

	if (reset && end->watch.fd >= 0)
		setsockopt(end->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	loop_end(&end->connection->connections->loop, &end->watch);
}

static void connection_end(struct connection *c, bool reset)
{
	struct connections *connections = c->connections;

	if (c->dead)
		return;
	c->dead = true;
	/* Whoever failed may still have to hear why, in an alert or in words */
	end_close(&c->accepted, reset && c->culprit != &c->accepted);
	end_close(&c->connected, reset && c->culprit != &c->connected);
	flow_clear(&c->flows[0]);
	flow_clear(&c->flows[1]);
	starttls_free(c->starttls);
	TAILQ_REMOVE(&connections->all, c, all);
	if (c->busy)
		TAILQ_REMOVE(&connections->busy, c, queue);
	TAILQ_INSERT_TAIL(&connections->dead, c, queue);
	connections->count--;
	connections->ended(c->data);
}

static void look_at(struct connections *connections, uint64_t time)
{
	if (time && time < connections->next_look)
		connections->next_look = time;
}

static void limit(struct connection *c, uint32_t milliseconds)
{
	c->deadline = milliseconds ? c->connections->loop.now + milliseconds : 0;
	look_at(c->connections, c->deadline);
}

/* The step's first call. */
static bool begins(struct connection *c)
{
	bool first = !c->begun;

	c->begun = true;
	return first;
}

static int converse(struct connection *c, struct end *end, enum starttls_part part)
{
	const char *words;
	int r;

	if (begins(c)) {
		if (c->settings->protocol == STARTTLS_NONE)
			return 1;
		c->starttls = starttls_new(c->settings->protocol, part);
		if (!c->starttls)
			return failure(c, "STARTTLS", -ENOMEM);
		limit(c, c->settings->timeout_handshake);
	}
	r = starttls_run(c->starttls, end->watch.fd);
	if (r < 0) {
		c->culprit = end;
		words = starttls_error(c->starttls);
		say(c, LOG_ERR, "STARTTLS", words ? words : strerror(-r));
	}
	return r;
}

static int offer(struct connection *c)
{
	return converse(c, &c->accepted, STARTTLS_OFFER);
}

static int ask(struct connection *c)
{
	return converse(c, &c->connected, STARTTLS_ASK);
}

static int greet(struct connection *c)
{
	return converse(c, &c->connected, STARTTLS_GREET);
}

/* Handing the socket over failed before a handshake began, or at once. */
static int start_failed(struct connection *c, const char *what, int error)
{
	char words[TLS_HANDOFF_MAX_ERROR + 1];

	if (error == -ESRCH)
		snprintf(words, sizeof(words), "no tlshd is running here: systemctl start tlshd");
	else
		handoff_error(c->secure->watch.fd, error, words, sizeof(words));
	say(c, LOG_ERR, what, words);
	c->culprit = c->secure;
	return error;
}

static int start(struct connection *c)
{
	int fd = c->secure->watch.fd, r;
	const char *option;

	r = handoff_take(fd);
	if (r < 0)
		return failure(c, "cannot take the socket over", r);
	r = handoff_configure(fd, &c->settings->secure.handoff, &option);
	if (r < 0)
		return failure(c, option, r);
	r = handoff_start(fd, c->settings->client ? TLS_HANDOFF_CLIENT : TLS_HANDOFF_SERVER);
	if (r < 0 && r != -EINPROGRESS)
		return start_failed(c, "handshake failed", r);
	return 0;
}

static int handshake(struct connection *c)
{
	struct tls_handoff_info info;
	int fd = c->secure->watch.fd, r;

	if (begins(c)) {
		/* The kernel has the time limit of the handshake */
		limit(c, 0);
		r = start(c);
		if (r < 0)
			return r;
	}
	r = handoff_info(fd, &info);
	if (r < 0)
		return failure(c, "handshake", r);
	if (info.state == TLS_HANDOFF_STATE_HANDSHAKE)
		return 0;
	if (info.state != TLS_HANDOFF_STATE_ESTABLISHED)
		return start_failed(c, "handshake failed", info.error ? -info.error : -EPROTO);
	log_message(LOG_DEBUG, "%s: %s: TLS %s, %s%s", c->settings->name, c->peer,
		    version_name(info.version), cipher_name(info.cipher),
		    info.resumed ? ", resumed" : "");
	/* What happened before belongs to the plain socket */
	c->secure->readable = c->secure->writable = true;
	c->secure->failed = false;
	return 1;
}

/* Begins to connect to the address whose turn it is; 0 or -errno. */
static int try_address(struct connection *c)
{
	const struct address *address = &c->settings->connect.list[c->address];
	const int on = 1;
	int fd, r;

	fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!c->settings->connect.local) {
		setsockopt(fd, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	r = connect(fd, (const struct sockaddr *)&address->storage, address->length);
	if (r < 0 && errno != EINPROGRESS) {
		r = -errno;
		close(fd);
		return r;
	}
	limit(c, c->settings->timeout_connect);
	return end_open(&c->connected, fd);
}

/* After @error: the next address, as long as there is one. */
static int try_others(struct connection *c, int error)
{
	while (error < 0) {
		end_close(&c->connected, false);
		if (++c->address >= c->settings->connect.count)
			return failure(c, "cannot connect", error);
		error = try_address(c);
	}
	return 0;
}

static int connect_step(struct connection *c)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (begins(c)) {
		c->address = 0;
		return try_others(c, try_address(c));
	}
	if (!c->connected.writable)
		return 0;
	if (getsockopt(c->connected.watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	return error ? try_others(c, -error) : 1;
}

/* The plain client of a server that was asked for TLS waits for its greeting. */
static int hand_on_greeting(struct connection *c)
{
	const char *greeting;
	size_t length;

	if (!c->starttls || !c->settings->client)
		return 0;
	greeting = starttls_greeting(c->starttls, &length);
	if (send(c->accepted.watch.fd, greeting, length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)length)
		return 0;
	return failure(c, "greeting", -EPIPE);
}

static const char *alert_of(const struct end *end)
{
	struct tls_handoff_info info;

	if (!end->secure || handoff_info(end->watch.fd, &info) < 0 || info.alert_received <= 0)
		return NULL;
	return alert_words(info.alert_received);
}

/* One side failed: the other must not take that for an end. */
static int relay_failed(struct connection *c, struct end *end, int error)
{
	/* Whoever said that it sends no more may go whenever it likes */
	const struct flow *from = &c->flows[end == &c->connected];
	bool gone = from->ended && (error == -EPIPE || error == -ECONNRESET);
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	const char *alert = alert_of(end);

	if (end->secure)
		handoff_error(end->watch.fd, error, words, sizeof(words));
	else
		snprintf(words, sizeof(words), "%s", strerror(-error));
	log_message(gone ? LOG_DEBUG : LOG_NOTICE, "%s: %s: %s side: %s%s%s", c->settings->name,
		    c->peer, end->secure ? "TLS" : "plain", words, alert ? ": alert " : "",
		    alert ? alert : "");
	c->culprit = end;
	return error;
}

static int end_error(const struct end *end)
{
	struct tls_handoff_info info;
	int error = 0;
	socklen_t size = sizeof(error);

	if (end->secure && handoff_info(end->watch.fd, &info) == 0 && info.error)
		return -info.error;
	getsockopt(end->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error ? -error : -ECONNRESET;
}

static int relay_step(struct connection *c)
{
	struct end *failed = NULL;
	bool more = false, cut;
	int r;

	if (begins(c)) {
		r = hand_on_greeting(c);
		if (r < 0)
			return r;
		starttls_free(c->starttls);
		c->starttls = NULL;
		limit(c, c->settings->timeout_idle);
	}
	for (int i = 0; i < 2; i++) {
		r = relay_flow(&c->flows[i], &c->connections->pipes, c->settings->eof, &failed);
		if (r < 0)
			return relay_failed(c, failed, r);
		more |= r;
	}
	cut = c->flows[0].cut || c->flows[1].cut;
	if ((c->flows[0].shut && c->flows[1].shut) || (cut && c->flows[c->flows[1].cut].shut)) {
		say(c, LOG_DEBUG, "ended", cut ? "the TLS peer is gone" : "both sides closed");
		connection_end(c, false);
		return 0;
	}
	/* An error that no flow ran into, as both wait for the other end */
	if (c->accepted.failed)
		failed = &c->accepted;
	else if (c->connected.failed)
		failed = &c->connected;
	if (failed && !(cut && failed->secure))
		return relay_failed(c, failed, end_error(failed));
	if (!c->retry && (c->flows[0].starved || c->flows[1].starved)) {
		c->retry = c->connections->loop.now + RETRY_PAUSE;
		look_at(c->connections, c->retry);
	}
	if (more && !c->busy) {
		c->busy = true;
		TAILQ_INSERT_TAIL(&c->connections->busy, c, queue);
	}
	return 0;
}

static const connection_step server_steps[] = { offer, handshake, connect_step, greet, relay_step };
static const connection_step client_steps[] = { connect_step, ask, handshake, relay_step };

static void connection_walk(struct connection *c)
{
	int r;

	while (!c->dead && (r = (*c->step)(c)) != 0) {
		if (r < 0) {
			connection_end(c, true);
			return;
		}
		if (*c->step == offer || *c->step == greet) {
			starttls_free(c->starttls);
			c->starttls = NULL;
		}
		c->step++;
		c->begun = false;
	}
}

static void connection_run(struct connection *c)
{
	c->active = c->connections->loop.now;
	connection_walk(c);
}

void connection_new(struct connections *connections, struct settings *settings, int fd,
		    const char *peer, void *data)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		log_message(LOG_ERR, "%s: %s: %s", settings->name, peer, strerror(ENOMEM));
		close(fd);
		connections->ended(data);
		return;
	}
	c->connections = connections;
	c->settings = settings_get(settings);
	c->data = data;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	end_init(&c->accepted, c);
	end_init(&c->connected, c);
	c->secure = settings->client ? &c->connected : &c->accepted;
	c->secure->secure = true;
	c->flows[0] = (struct flow){ .from = &c->accepted, .to = &c->connected };
	c->flows[1] = (struct flow){ .from = &c->connected, .to = &c->accepted };
	c->step = settings->client ? client_steps : server_steps;
	TAILQ_INSERT_TAIL(&connections->all, c, all);
	connections->count++;
	r = end_open(&c->accepted, fd);
	if (r < 0) {
		failure(c, "epoll", r);
		connection_end(c, true);
		return;
	}
	connection_run(c);
}

static void connection_free(struct connection *c)
{
	settings_put(c->settings);
	free(c);
}

/* A time limit is over, or the connection had nothing to do for too long. */
static void connection_late(struct connection *c)
{
	bool idle = *c->step == relay_step;
	uint64_t now = c->connections->loop.now;

	if (idle && c->active + c->settings->timeout_idle > now) {
		limit(c, c->active + c->settings->timeout_idle - now);
		return;
	}
	if (*c->step == connect_step && !try_others(c, -ETIMEDOUT))
		return;
	if (*c->step != connect_step)
		say(c, LOG_NOTICE, idle ? "idle" : "STARTTLS", "the time limit is over");
	connection_end(c, true);
}

/* Tries what there was no memory for. */
static void connection_retry(struct connection *c)
{
	c->retry = 0;
	for (int i = 0; i < 2; i++) {
		if (c->flows[i].starved)
			c->flows[i].to->writable = true;
		c->flows[i].starved = false;
	}
	connection_walk(c);
}

int connections_open(struct connections *connections)
{
	TAILQ_INIT(&connections->all);
	TAILQ_INIT(&connections->busy);
	TAILQ_INIT(&connections->dead);
	connections->next_look = UINT64_MAX;
	return loop_open(&connections->loop);
}

void connections_close(struct connections *connections)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&connections->all)))
		connection_end(c, true);
	connections_turn_end(connections);
	pipes_clear(&connections->pipes);
	loop_close(&connections->loop);
}

int connections_timeout(const struct connections *connections)
{
	uint64_t now = connections->loop.now;

	if (!TAILQ_EMPTY(&connections->busy))
		return 0;
	if (connections->next_look == UINT64_MAX)
		return -1;
	/* The clock is coarse: a little later rather than again and again a little too early */
	return connections->next_look > now ? (int)(connections->next_look - now) + 4 : LOOK_PAUSE;
}

static void look_at_limits(struct connections *connections)
{
	struct connection *c, *next;

	connections->next_look = UINT64_MAX;
	for (c = TAILQ_FIRST(&connections->all); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (c->retry && c->retry <= connections->loop.now)
			connection_retry(c);
		if (!c->dead && c->deadline && c->deadline <= connections->loop.now)
			connection_late(c);
		if (!c->dead) {
			look_at(connections, c->retry);
			look_at(connections, c->deadline);
		}
	}
	if (connections->next_look < connections->loop.now + LOOK_PAUSE)
		connections->next_look = connections->loop.now + LOOK_PAUSE;
}

void connections_turn_end(struct connections *connections)
{
	struct connection_list busy = TAILQ_HEAD_INITIALIZER(busy);
	struct connection *c;

	TAILQ_CONCAT(&busy, &connections->busy, queue);
	while ((c = TAILQ_FIRST(&busy))) {
		TAILQ_REMOVE(&busy, c, queue);
		c->busy = false;
		connection_run(c);
	}
	if (connections->next_look <= connections->loop.now)
		look_at_limits(connections);
	while ((c = TAILQ_FIRST(&connections->dead))) {
		TAILQ_REMOVE(&connections->dead, c, queue);
		connection_free(c);
	}
}
