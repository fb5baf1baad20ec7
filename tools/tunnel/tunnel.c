// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All services, see tunnel.h: accepting within limits.  What is in force and how it is
 * replaced is in reload.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "log.h"
#include "service.h"

#define ACCEPT_BATCH   64  /* connections before it is somebody else's turn */
#define RETRY_PAUSE    100 /* milliseconds without trying to accept */
#define FDS_RESERVED   64  /* for everything but connections */
#define FDS_CONNECTION 6   /* two sockets, and a pipe each way */

static void service_free(struct tunnel *tunnel, struct service *service)
{
	TAILQ_REMOVE(&tunnel->services, service, entry);
	settings_put(service->settings);
	free(service);
}

void service_put(struct tunnel *tunnel, struct service *service)
{
	if (!--service->refs)
		service_free(tunnel, service);
}

void services_drop(struct tunnel *tunnel, bool all)
{
	struct service *service, *next;

	for (service = TAILQ_FIRST(&tunnel->services); service; service = next) {
		next = TAILQ_NEXT(service, entry);
		if (all || !service->refs)
			service_free(tunnel, service);
	}
}

static bool is_full(const struct tunnel *tunnel, const struct service *service)
{
	unsigned int most = service->settings->max_connections;

	return tunnel->retry || tunnel->connections.count >= tunnel->most ||
	       (most && service->connections >= most);
}

void tunnel_update(struct tunnel *tunnel)
{
	struct loop *loop = &tunnel->connections.loop;
	struct listener *listener;
	bool wanted;

	TAILQ_FOREACH (listener, &tunnel->listeners, entry) {
		wanted = listener->service && !is_full(tunnel, listener->service);
		if (wanted == listener->listening)
			continue;
		if (!wanted)
			loop_remove(loop, &listener->watch);
		else if (loop_add(loop, &listener->watch, EPOLLIN) < 0)
			continue;
		listener->listening = wanted;
	}
}

/* The machine has no room for another connection: those who wait may go on waiting. */
static void pause_accepting(struct tunnel *tunnel, int error)
{
	log_message(LOG_WARNING, "cannot accept for now: %s", strerror(-error));
	tunnel->retry = tunnel->connections.loop.now + RETRY_PAUSE;
	tunnel_update(tunnel);
}

void tunnel_accept(struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;
	struct service *service = listener->service;
	struct tunnel *tunnel = service->tunnel;
	char peer[ADDRESS_MAX];
	int fd;

	for (int i = 0; i < ACCEPT_BATCH && !is_full(tunnel, service); i++) {
		fd = listener_accept(listener, peer);
		if (fd == -EAGAIN)
			break;
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
			pause_accepting(tunnel, fd);
			return;
		}
		/* It was gone before it was accepted (accept(2)) */
		if (fd < 0)
			continue;
		service->refs++;
		service->connections++;
		connection_new(&tunnel->connections, service->settings, fd, peer, service);
	}
	if (is_full(tunnel, service))
		tunnel_update(tunnel);
}

static void connection_ended(void *data)
{
	struct service *service = data;
	struct tunnel *tunnel = service->tunnel;
	unsigned int most = service->settings->max_connections;
	bool was_full = tunnel->connections.count + 1 >= tunnel->most ||
			(most && service->connections >= most);

	service->connections--;
	if (was_full)
		tunnel_update(tunnel);
	service_put(tunnel, service);
}

/* As many file descriptors as we may have. */
static unsigned int raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur <= FDS_RESERVED + FDS_CONNECTION)
		return 1;
	return (limit.rlim_cur - FDS_RESERVED) / FDS_CONNECTION;
}

int tunnel_open(struct tunnel *tunnel, const char *path, const char *text)
{
	int r;

	*tunnel = (struct tunnel){ .path = path, .text = text, .most = raise_limit() };
	TAILQ_INIT(&tunnel->services);
	TAILQ_INIT(&tunnel->listeners);
	tunnel->connections.ended = connection_ended;
	r = connections_open(&tunnel->connections);
	if (r < 0) {
		log_message(LOG_ERR, "epoll: %s", strerror(-r));
		return r;
	}
	r = listeners_inherit(&tunnel->listeners);
	if (r < 0)
		log_message(LOG_ERR, "sockets of systemd: %s", strerror(-r));
	else
		r = tunnel_reload(tunnel);
	if (r < 0)
		tunnel_close(tunnel);
	return r;
}

void tunnel_close(struct tunnel *tunnel)
{
	tunnel_stop(tunnel);
	connections_close(&tunnel->connections);
	services_drop(tunnel, true);
}

void tunnel_stop(struct tunnel *tunnel)
{
	struct listener *listener;

	tunnel->stopping = true;
	while ((listener = TAILQ_FIRST(&tunnel->listeners))) {
		TAILQ_REMOVE(&tunnel->listeners, listener, entry);
		listener_free(&tunnel->connections.loop, listener);
	}
}

int tunnel_turn(struct tunnel *tunnel, int timeout)
{
	int limit = connections_timeout(&tunnel->connections), r;

	if (tunnel->retry && (limit < 0 || limit > RETRY_PAUSE))
		limit = RETRY_PAUSE;
	if (timeout >= 0 && (limit < 0 || limit > timeout))
		limit = timeout;
	r = loop_turn(&tunnel->connections.loop, limit);
	if (r < 0)
		return r;
	connections_turn_end(&tunnel->connections);
	if (tunnel->retry && tunnel->retry <= tunnel->connections.loop.now) {
		tunnel->retry = 0;
		tunnel_update(tunnel);
	}
	return 0;
}
