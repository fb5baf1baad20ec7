// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Puts a configuration into force, the first one and those that follow: listening sockets
 * that stay are kept, open connections go on with what they began with.  Until everything
 * that is new is there, nothing changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "service.h"

/* What a configuration needs before it can come into force */
struct plan {
	struct tunnel *tunnel;
	struct settings_list list;
	/* by the place in @list */
	struct service *services[SETTINGS_MAX_SERVICES];
	struct listener_list added; /* sockets that are new; service is that of the plan */
};

static struct service *find_service(struct tunnel *tunnel, const char *name)
{
	struct service *service;

	TAILQ_FOREACH (service, &tunnel->services, entry)
		if (!strcmp(service->settings->name, name))
			return service;
	return NULL;
}

static struct service *service_new(struct tunnel *tunnel, struct settings *settings)
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	service->tunnel = tunnel;
	service->settings = settings_get(settings);
	TAILQ_INSERT_TAIL(&tunnel->services, service, entry);
	return service;
}

static struct listener *find_listener(struct listener_list *list, const struct address *address)
{
	struct listener *listener;

	TAILQ_FOREACH (listener, list, entry)
		if (!listener->name && address_same(&listener->address, address))
			return listener;
	return NULL;
}

/* Whether systemd made a socket for @service: by its name, or as there is nobody else. */
static bool is_for(const struct plan *plan, const struct listener *listener, const char *name)
{
	return listener->name && (plan->list.count == 1 || !strcmp(listener->name, name));
}

static bool is_inherited(const struct plan *plan, const char *name)
{
	struct listener *listener;

	TAILQ_FOREACH (listener, &plan->tunnel->listeners, entry)
		if (is_for(plan, listener, name))
			return true;
	return false;
}

static bool is_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* The sockets of one service; an address that this machine lacks is no mistake as long as
 * there is another. */
static int plan_listeners(struct plan *plan, const struct settings *settings)
{
	struct listener *listener;
	size_t missing = 0;
	int r = 0;

	if (is_inherited(plan, settings->name))
		return 0;
	if (!settings->accepts) {
		log_message(LOG_ERR, "%s: accept is missing, and no socket came from systemd",
			    settings->name);
		return -EINVAL;
	}
	for (size_t i = 0; i < settings->accept.count; i++) {
		const struct address *address = &settings->accept.list[i];

		if (find_listener(&plan->tunnel->listeners, address)) {
			r = 0;
			continue;
		}
		r = listener_bind(address, &listener);
		if (is_missing(r))
			missing++;
		else if (r < 0)
			break;
		else
			TAILQ_INSERT_TAIL(&plan->added, listener, entry);
	}
	if (missing < settings->accept.count && (r == 0 || is_missing(r)))
		return 0;
	log_message(LOG_ERR, "%s: accept: %s", settings->name, strerror(-r));
	return r;
}

static int make_plan(struct plan *plan)
{
	int r;

	for (size_t i = 0; i < plan->list.count; i++) {
		struct settings *settings = plan->list.services[i];

		r = plan_listeners(plan, settings);
		if (r < 0)
			return r;
		plan->services[i] = find_service(plan->tunnel, settings->name);
		if (!plan->services[i])
			plan->services[i] = service_new(plan->tunnel, settings);
		if (!plan->services[i])
			return -ENOMEM;
	}
	return 0;
}

/* Whatever was made for a plan that is not followed. */
static void drop_plan(struct plan *plan)
{
	struct listener *listener;

	while ((listener = TAILQ_FIRST(&plan->added))) {
		TAILQ_REMOVE(&plan->added, listener, entry);
		listener_free(&plan->tunnel->connections.loop, listener);
	}
	services_drop(plan->tunnel, false);
}

static void assign_listeners(struct plan *plan, size_t number)
{
	const struct settings *settings = plan->list.services[number];
	bool inherited = is_inherited(plan, settings->name);
	struct listener *listener;

	TAILQ_FOREACH (listener, &plan->tunnel->listeners, entry) {
		bool mine = is_for(plan, listener, settings->name);

		for (size_t i = 0; !inherited && settings->accepts && i < settings->accept.count;
		     i++)
			mine |= !listener->name &&
				address_same(&listener->address, &settings->accept.list[i]);
		if (!mine)
			continue;
		listener->service = plan->services[number];
		listener->watch.ready = tunnel_accept;
		listener->used = true;
	}
}

static void drop_listeners(struct tunnel *tunnel)
{
	struct listener *listener, *next;

	for (listener = TAILQ_FIRST(&tunnel->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entry);
		if (listener->used)
			continue;
		listener->service = NULL;
		if (listener->name) {
			log_message(LOG_WARNING, "no service for the socket \"%s\" of systemd",
				    listener->name);
			continue;
		}
		TAILQ_REMOVE(&tunnel->listeners, listener, entry);
		listener_free(&tunnel->connections.loop, listener);
	}
}

/* From here on nothing fails. */
static void follow_plan(struct plan *plan)
{
	struct tunnel *tunnel = plan->tunnel;
	struct listener *listener;
	struct service *service;

	TAILQ_CONCAT(&tunnel->listeners, &plan->added, entry);
	TAILQ_FOREACH (listener, &tunnel->listeners, entry)
		listener->used = false;
	TAILQ_FOREACH (service, &tunnel->services, entry)
		if (service->configured) {
			service->configured = false;
			service->refs--;
		}
	for (size_t i = 0; i < plan->list.count; i++) {
		service = plan->services[i];
		settings_put(service->settings);
		service->settings = settings_get(plan->list.services[i]);
		service->configured = true;
		service->refs++;
		assign_listeners(plan, i);
	}
	drop_listeners(tunnel);
	services_drop(tunnel, false);
	tunnel_update(tunnel);
}

int tunnel_reload(struct tunnel *tunnel)
{
	struct plan plan = { .tunnel = tunnel };
	char *error = NULL;
	int r;

	TAILQ_INIT(&plan.added);
	r = settings_load(tunnel->path, tunnel->text, &plan.list, &error);
	if (r < 0) {
		log_message(LOG_ERR, "%s", error ? error : strerror(-r));
		free(error);
		return -EINVAL;
	}
	r = make_plan(&plan);
	if (r < 0)
		drop_plan(&plan);
	else
		follow_plan(&plan);
	settings_list_clear(&plan.list);
	return r;
}
