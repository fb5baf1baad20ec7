// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of the agent's sessions: their table, their epoll set, how they begin
 * and how they end.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "attr.h"
#include "consumer.h"
#include "counters.h"
#include "log.h"
#include "ratelimit.h"
#include "session.h"

#define SESSIONS_BATCH 64 /* events taken at once */

struct sessions {
	struct netlink *netlink;
	struct counters *counters;
	struct ratelimit *ratelimit;
	GHashTable *table; /* struct session by id */
	int epoll;	   /* all session fds; with libevent's there would be no EPOLLHUP alone */
	struct event *event;
	SLIST_HEAD(, session) dead;
	bool busy; /* events of a batch may still name a dead session */
};

uint64_t session_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct event_base *session_base(const struct session *session)
{
	return event_get_base(session->all->event);
}

static void items_clear(struct session *session)
{
	struct item *item;

	while ((item = STAILQ_FIRST(&session->items))) {
		STAILQ_REMOVE_HEAD(&session->items, entry);
		explicit_bzero(item->payload, item->length);
		free(item);
	}
	session->queued = 0;
}

static void session_free(struct session *session)
{
	consumer_free(session->consumer);
	free(session->profile);
	free(session->peer_name);
	free(session);
}

static void sessions_bury(struct sessions *sessions)
{
	struct session *session;

	while ((session = SLIST_FIRST(&sessions->dead))) {
		SLIST_REMOVE_HEAD(&sessions->dead, dead);
		session_free(session);
	}
}

static void sessions_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct epoll_event events[SESSIONS_BATCH];
	struct sessions *sessions = arg;
	int i, n;

	n = epoll_wait(sessions->epoll, events, SESSIONS_BATCH, 0);
	sessions->busy = true;
	for (i = 0; i < n; i++) {
		struct session *session = events[i].data.ptr;

		if (!session->ended)
			relay_event(session, events[i].events);
	}
	sessions->busy = false;
	sessions_bury(sessions);
}

int sessions_new(struct event_base *base, struct netlink *netlink, struct sessions **ret_sessions)
{
	struct sessions *sessions;

	sessions = calloc(1, sizeof(*sessions));
	if (!sessions)
		return -ENOMEM;
	sessions->netlink = netlink;
	SLIST_INIT(&sessions->dead);
	sessions->table = g_hash_table_new(g_int64_hash, g_int64_equal);
	sessions->counters = counters_new();
	sessions->ratelimit = ratelimit_new();
	sessions->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sessions->epoll >= 0)
		sessions->event = event_new(base, sessions->epoll, EV_READ | EV_PERSIST,
					    sessions_on_event, sessions);
	if (!sessions->counters || !sessions->event || event_add(sessions->event, NULL)) {
		sessions_free(sessions);
		return -ENOMEM;
	}
	*ret_sessions = sessions;
	return 0;
}

/* Closes the session fds: pending handshakes fail by that, established ones wait for an agent. */
void sessions_free(struct sessions *sessions)
{
	GHashTableIter iter;
	gpointer value;

	if (!sessions)
		return;
	g_hash_table_iter_init(&iter, sessions->table);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct session *session = value;

		if (session->alert_timer)
			event_free(session->alert_timer);
		close(session->fd);
		items_clear(session);
		session_free(session);
	}
	sessions_bury(sessions);
	g_hash_table_unref(sessions->table);
	counters_free(sessions->counters);
	ratelimit_free(sessions->ratelimit);
	if (sessions->event)
		event_free(sessions->event);
	if (sessions->epoll >= 0)
		close(sessions->epoll);
	free(sessions);
}

size_t sessions_count(const struct sessions *sessions)
{
	return g_hash_table_size(sessions->table);
}

void sessions_each(const struct sessions *sessions,
		   void (*each)(void *arg, const struct session *session), void *arg)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, sessions->table);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		each(arg, value);
}

struct counters *sessions_counters(const struct sessions *sessions)
{
	return sessions->counters;
}

struct ratelimit *sessions_ratelimit(const struct sessions *sessions)
{
	return sessions->ratelimit;
}

void session_poll(struct session *session, uint32_t events, bool parked)
{
	struct epoll_event event = { .events = events, .data.ptr = session };
	int operation;

	if (session->ended)
		return;
	parked |= session->parked;
	if (parked)
		operation = EPOLL_CTL_DEL;
	else
		operation = session->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (parked ? !session->polled : session->polled && session->events == events)
		return;
	if (epoll_ctl(session->all->epoll, operation, session->fd, &event) < 0) {
		session_fail(session, ENOMEM, "cannot wait for the session fd: %s",
			     strerror(errno));
		return;
	}
	session->polled = !parked;
	session->events = events;
}

static void handshake_over(struct handler *handler)
{
	if (!--handler->handshakes)
		handler->idle(handler);
}

void session_established(struct session *session)
{
	session->established = true;
	if (session->handler)
		handshake_over(session->handler);
}

void session_detach(struct session *session)
{
	struct handler *handler = session->handler;

	if (!handler)
		return;
	session->handler = NULL;
	session->state = CHANNEL_STATE_NONE;
	session->want = 0;
	handler->sessions--;
	if (!session->established)
		handshake_over(handler);
}

/* A consumer hears of success when its socket is ready for it, and of failure as early. */
int session_done(struct session *session, const struct handshake_result *result)
{
	int ret = 0;

	if (!session->consumer || consumer_adopted(session->consumer))
		ret = netlink_done(session->all->netlink, result);
	if (session->consumer && (ret == 0 || result->status))
		ret = consumer_done(session->consumer, result);
	return ret;
}

void session_end(struct session *session, const struct handshake_result *result, int close_errno)
{
	struct sessions *sessions = session->all;
	uint32_t error = htole32(close_errno);
	int ret;

	if (session->ended)
		return;
	session->ended = true;
	/* A dead or shut channel needs no CLOSE: its successor will hear it. */
	if (session->handler && session->handler->channel)
		(void)!channel_send(session->handler->channel, CHANNEL_CLOSE, session->id, false,
				    &error, sizeof(error));
	session_detach(session);
	if (result) {
		ret = session_done(session, result);
		if (ret < 0)
			log_message(LOG_DEBUG, "session %" PRIu64 ": DONE: %s", session->id,
				    strerror(-ret));
	}
	items_clear(session);
	if (session->alert_timer)
		event_free(session->alert_timer);
	close(session->fd);
	g_hash_table_remove(sessions->table, &session->id);
	SLIST_INSERT_HEAD(&sessions->dead, session, dead);
	if (!sessions->busy)
		event_active(sessions->event, EV_READ, 1);
}

void session_fail(struct session *session, int status, const char *format, ...)
{
	struct handshake_result result = HANDSHAKE_RESULT_INIT;
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	va_list args;

	if (session->ended)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	report_failure(session, status, words);
	result.id = session->id;
	result.status = status;
	result.error = words;
	session_end(session, &result, status);
}

static char *escaped_copy(const char *text)
{
	char buffer[4 * TLS_HANDOFF_MAX_PEER_NAME + 1];

	log_escape(buffer, sizeof(buffer), text, strlen(text));
	return strdup(buffer);
}

static struct session *session_new(struct sessions *sessions, struct handshake *handshake)
{
	struct session *session;

	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	session->profile = escaped_copy(handshake->profile);
	if (handshake->peer_name[0])
		session->peer_name = escaped_copy(handshake->peer_name);
	if (!session->profile || (handshake->peer_name[0] && !session->peer_name)) {
		session_free(session);
		return NULL;
	}
	STAILQ_INIT(&session->items);
	session->all = sessions;
	session->id = handshake->id;
	session->fd = handshake->fd;
	handshake->fd = -1;
	session->role = handshake->role;
	session->uid = handshake->uid;
	session->version = handshake->version;
	session->cipher = handshake->cipher;
	session->timeout = handshake->timeout;
	session->consumer = handshake->consumer;
	handshake->consumer = NULL;
	session->accepted = session_now();
	session->state = CHANNEL_STATE_HANDSHAKE;
	report_remote(handshake, session->remote, sizeof(session->remote));
	g_hash_table_insert(sessions->table, &session->id, session);
	return session;
}

void sessions_refuse(struct sessions *sessions, struct handshake *handshake, int status,
		     const char *words)
{
	struct session *session = session_new(sessions, handshake);
	struct handshake_result result = HANDSHAKE_RESULT_INIT;

	result.id = handshake->id;
	result.status = status;
	result.error = words;
	if (session) {
		report_refusal(session, handshake->pid, status, words);
		session_end(session, &result, status);
		return;
	}
	log_message(LOG_ERR, "session %" PRIu64 ": out of memory", handshake->id);
	if (!handshake->consumer)
		(void)!netlink_done(sessions->netlink, &result);
}

static int send_open(struct session *session, const struct handshake *h)
{
	__attribute__((cleanup(attr_builder_free))) struct attr_builder open = { 0 };
	uint16_t ciphers[TLS_HANDOFF_MAX_CIPHERS];
	struct attr_table table;
	size_t i;
	int ret;

	attr_put_u32(&open, CHANNEL_A_ROLE, h->role);
	attr_put_string(&open, CHANNEL_A_PROFILE, h->profile);
	attr_put_u32(&open, CHANNEL_A_UID, h->uid);
	attr_put_string(&open, CHANNEL_A_REMOTE, session->remote);
	attr_put_string(&open, CHANNEL_A_PEER_NAME, h->peer_name[0] ? h->peer_name : NULL);
	attr_put_string(&open, CHANNEL_A_PSK_IDENTITY, h->psk_identity[0] ? h->psk_identity : NULL);
	if (h->alpn_len)
		attr_put(&open, CHANNEL_A_ALPN, h->alpn, h->alpn_len);
	if (h->auth)
		attr_put_u32(&open, CHANNEL_A_AUTH, h->auth);
	if (h->has_client_cert)
		attr_put_u32(&open, CHANNEL_A_CLIENT_CERT, h->client_cert);
	if (h->min_version)
		attr_put_u16(&open, CHANNEL_A_MIN_VERSION, h->min_version);
	if (h->max_version)
		attr_put_u16(&open, CHANNEL_A_MAX_VERSION, h->max_version);
	for (i = 0; i < h->cipher_count; i++)
		ciphers[i] = htole16(h->ciphers[i]);
	if (h->cipher_count)
		attr_put(&open, CHANNEL_A_CIPHERS, ciphers, h->cipher_count * sizeof(ciphers[0]));
	if (h->has_resume)
		attr_put_u32(&open, CHANNEL_A_RESUME, h->resume);
	if (session->consumer)
		consumer_put_open(session->consumer, &open);
	ret = attr_builder_error(&open);
	/* What the other side would refuse is refused here, where there are words for it. */
	if (ret == 0 && attr_parse(CHANNEL_OPEN, open.data, open.length, &table) < 0)
		ret = -EINVAL;
	if (ret == 0)
		ret = channel_send(session->handler->channel, CHANNEL_OPEN, session->id, false,
				   open.data, open.length);
	return ret;
}

void sessions_open(struct sessions *sessions, struct handler *handler, struct handshake *handshake)
{
	struct session *session;
	int ret;

	if (g_hash_table_contains(sessions->table, &handshake->id)) {
		log_message(LOG_ERR, "session %" PRIu64 " was accepted twice", handshake->id);
		return;
	}
	if (handler->sessions >= CHANNEL_MAX_SESSIONS) {
		sessions_refuse(sessions, handshake, ENOBUFS, "too many sessions are open");
		return;
	}
	session = session_new(sessions, handshake);
	if (!session) {
		sessions_refuse(sessions, handshake, ENOMEM, "out of memory");
		return;
	}
	session->handler = handler;
	handler->sessions++;
	handler->handshakes++;
	ret = session->consumer ? consumer_start(session->consumer, session) : 0;
	if (ret == 0)
		ret = send_open(session, handshake);
	if (ret == -EINVAL)
		session_fail(session, EINVAL, "an option has a value that is out of range");
	else if (ret < 0)
		session_fail(session, ECONNRESET, "cannot reach tlshd-session: %s", strerror(-ret));
	else
		session_poll(session, 0, false);
}

int sessions_message(struct sessions *sessions, struct handler *handler,
		     const struct channel_message *message)
{
	struct session *session = g_hash_table_lookup(sessions->table, &message->session);

	/* Crossed our CLOSE, or names a session that is not this handler's */
	if (!session || session->handler != handler)
		return 0;
	if (!channel_permitted(CHANNEL_TO_AGENT, session->state, message->type))
		session_fail(session, EPROTO,
			     "tlshd-session broke the channel's protocol: message %u in state %d",
			     message->type, session->state);
	else
		relay_message(session, message);
	return 0;
}

/* Sessions of @handler, which is not NULL, in an array: what is done to them may end them. */
static GPtrArray *sessions_of(struct sessions *sessions, const struct handler *handler,
			      bool established)
{
	GPtrArray *array = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, sessions->table);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct session *session = value;

		if (session->handler == handler && session->established == established)
			g_ptr_array_add(array, session);
	}
	return array;
}

void sessions_fail_handshakes(struct sessions *sessions, struct handler *handler, int status,
			      const char *words)
{
	g_autoptr(GPtrArray) pending = sessions_of(sessions, handler, false);
	size_t i;

	for (i = 0; i < pending->len; i++)
		session_fail(pending->pdata[i], status, "%s", words);
}

static void session_unpark(struct session *session)
{
	session->parked = false;
	session->returned = false;
	relay_resume(session);
}

static void sessions_say_orphans(size_t count)
{
	if (count)
		log_message(LOG_WARNING,
			    "%zu established sessions go on without a session handler, "
			    "until they need one",
			    count);
}

void sessions_orphan(struct sessions *sessions, struct handler *handler, const char *words)
{
	g_autoptr(GPtrArray) established = sessions_of(sessions, handler, true);
	size_t i;

	for (i = 0; i < established->len; i++) {
		session_detach(established->pdata[i]);
		session_unpark(established->pdata[i]);
	}
	sessions_fail_handshakes(sessions, handler, ECONNRESET, words);
	sessions_say_orphans(established->len);
}

void sessions_park(struct sessions *sessions, struct handler *handler)
{
	g_autoptr(GPtrArray) established = sessions_of(sessions, handler, true);
	size_t i;

	handler->parked = true;
	for (i = 0; i < established->len; i++) {
		struct session *session = established->pdata[i];

		session->parked = true;
		session_poll(session, 0, true);
	}
}

void sessions_return(struct sessions *sessions, struct handler *handler)
{
	g_autoptr(GPtrArray) established = sessions_of(sessions, handler, true);
	struct item *item;
	size_t i;
	int ret = 0;

	for (i = 0; i < established->len; i++) {
		struct session *session = established->pdata[i];

		if (STAILQ_EMPTY(&session->items))
			continue;
		/* A record that it sends from now on would overtake those that it gets back. */
		session->returned = true;
		STAILQ_FOREACH(item, &session->items, entry)
		if (ret == 0)
			ret = channel_send(handler->channel, CHANNEL_RETURN, session->id, false,
					   item->payload, item->length);
		items_clear(session);
	}
	if (ret < 0)
		log_message(LOG_WARNING, "records that wait for their connection are lost: %s",
			    strerror(-ret));
}

void sessions_leave(struct sessions *sessions, struct handler *handler)
{
	g_autoptr(GPtrArray) established = sessions_of(sessions, handler, true);
	size_t i;

	sessions_fail_handshakes(sessions, handler, ECONNRESET, "tlshd-session was replaced");
	for (i = 0; i < established->len; i++)
		session_detach(established->pdata[i]);
}

static void session_bind(struct session *session, struct handler *handler)
{
	session->handler = handler;
	session->state = CHANNEL_STATE_ESTABLISHED;
	handler->sessions++;
}

int sessions_bind(struct sessions *sessions, struct handler *handler, uint64_t id)
{
	struct session *session = g_hash_table_lookup(sessions->table, &id);

	if (!session || session->handler || !session->parked ||
	    handler->sessions >= CHANNEL_MAX_SESSIONS)
		return -ENOENT;
	session_bind(session, handler);
	if (!handler->parked)
		session_unpark(session);
	return 0;
}

void sessions_abandon(struct sessions *sessions)
{
	g_autoptr(GPtrArray) orphans = sessions_of(sessions, NULL, true);
	size_t i, count = 0;

	for (i = 0; i < orphans->len; i++) {
		struct session *session = orphans->pdata[i];

		if (session->parked) {
			session_unpark(session);
			count++;
		}
	}
	sessions_say_orphans(count);
}

int sessions_adopt(struct sessions *sessions, struct handler *handler, struct handshake *handshake)
{
	struct session *session;

	if (sessions_has(sessions, handshake->id))
		return -EEXIST;
	if (handler && handler->sessions >= CHANNEL_MAX_SESSIONS)
		return -ENOBUFS;
	session = session_new(sessions, handshake);
	if (!session)
		return -ENOMEM;
	session->established = true;
	session->state = CHANNEL_STATE_NONE;
	session->parked = handler && handler->parked;
	if (handler)
		session_bind(session, handler);
	relay_resume(session);
	return 0;
}

bool sessions_has(const struct sessions *sessions, uint64_t id)
{
	return g_hash_table_contains(sessions->table, &id);
}
