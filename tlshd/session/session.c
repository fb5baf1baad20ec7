// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of sessions and the agent's messages.  Whatever the protocol does not
 * permit ends the session it came for; a malformed header ended the channel.
 */
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "boottime.h"
#include "channel.h"
#include "coroutine.h"
#include "established.h"
#include "exporter.h"
#include "handshake.h"
#include "log.h"
#include "keyclient.h"
#include "narrow.h"
#include "pool.h"
#include "profile.h"
#include "resume.h"
#include "returned.h"
#include "session.h"
#include "succession.h"

#define CLOCK_LOOK 60 /* seconds between looks at the clock, at most */

struct session_table {
	GHashTable *by_id;	 /* &session->id: session */
	struct pool pool;	 /* of sessions */
	unsigned int handshakes; /* that run */
	bool greeted;		 /* HELLO came */
	struct event *rest;	 /* soon after the last handshake */
	struct event *clock;	 /* for rekey_due */
	uint64_t next_due;	 /* the earliest that the clock waits for, or 0 */
};

/* One timer for whatever is due next.  It does not run while the machine sleeps, so it is
 * looked at again from time to time. */
static void schedule(struct session_table *table, uint64_t due)
{
	uint64_t now = boottime_seconds();
	struct timeval wait = { .tv_sec = due > now ? (time_t)(due - now) : 0, .tv_usec = 1 };

	if (table->next_due && table->next_due <= due)
		return;
	table->next_due = due;
	if (wait.tv_sec > CLOCK_LOOK)
		wait.tv_sec = CLOCK_LOOK;
	event_add(table->clock, &wait);
}

/* Rekeying may end a session and so change the table: look first, act then. */
static void handle_clock(evutil_socket_t fd, short what, void *arg)
{
	struct session_table *table = arg;
	GPtrArray *due = g_ptr_array_new();
	uint64_t next = UINT64_MAX;
	struct session *session;
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, table->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		session = value;
		if (established_is_due(session))
			g_ptr_array_add(due, session);
		else if (session->rekey_due && session->rekey_due < next)
			next = session->rekey_due;
	}
	table->next_due = 0;
	if (next != UINT64_MAX)
		schedule(table, next);
	for (guint i = 0; i < due->len; i++)
		established_rekey(g_ptr_array_index(due, i));
	g_ptr_array_free(due, TRUE);
}

void session_schedule(struct session *session)
{
	if (session->rekey_due)
		schedule(session->room->sessions, session->rekey_due);
}

/* What a wave of handshakes needed is not kept for the next one. */
static void handle_rest(evutil_socket_t fd, short what, void *arg)
{
	struct session_table *table = arg;

	if (table->handshakes)
		return;
	coroutine_drain();
	malloc_trim(0);
}

static void handshake_ended(struct session *session)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct session_table *table = session->room->sessions;

	if (!session->pending)
		return;
	session->pending = false;
	/* without the timer the memory stays; that is all */
	if (--table->handshakes == 0)
		event_add(table->rest, &second);
}

int session_table_new(struct room *room)
{
	room->sessions = calloc(1, sizeof(*room->sessions));
	if (!room->sessions)
		return -ENOMEM;
	room->sessions->by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	room->sessions->pool.size = (sizeof(struct session) + 15) & ~(size_t)15;
	room->sessions->rest = event_new(room->base, -1, 0, handle_rest, room->sessions);
	room->sessions->clock = evtimer_new(room->base, handle_clock, room->sessions);
	return room->sessions->rest && room->sessions->clock ? 0 : -ENOMEM;
}

void session_table_free(struct session_table *table)
{
	GHashTableIter iter;
	gpointer session;

	if (!table)
		return;
	for (g_hash_table_iter_init(&iter, table->by_id);
	     g_hash_table_iter_next(&iter, NULL, &session);
	     g_hash_table_iter_init(&iter, table->by_id))
		session_free(session);
	g_hash_table_destroy(table->by_id);
	if (table->clock)
		event_free(table->clock);
	if (table->rest)
		event_free(table->rest);
	pool_free(&table->pool);
	free(table);
}

static struct session *session_new(struct room *room, uint64_t id)
{
	struct session *session = pool_take(&room->sessions->pool);

	if (!session)
		return NULL;
	session->id = id;
	session->room = room;
	session->pending = true;
	room->sessions->handshakes++;
	g_hash_table_insert(room->sessions->by_id, &session->id, session);
	return session;
}

int session_adopt(struct room *room, uint64_t id, struct session **ret_session)
{
	struct session_table *table = room->sessions;
	struct session *session;

	if (g_hash_table_contains(table->by_id, &id))
		return -EEXIST;
	if (g_hash_table_size(table->by_id) >= CHANNEL_MAX_SESSIONS)
		return -ENOBUFS;
	session = pool_take(&table->pool);
	if (!session)
		return -ENOMEM;
	session->id = id;
	session->room = room;
	g_hash_table_insert(table->by_id, &session->id, session);
	*ret_session = session;
	return 0;
}

void session_each(struct room *room, void (*each)(struct session *session, void *arg), void *arg)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, room->sessions->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct session *session = value;

		if (!session->handshake && !session->pending)
			each(session, arg);
	}
}

void session_free(struct session *session)
{
	struct session_table *table = session->room->sessions;

	if (session->handshake)
		handshake_abort(session->handshake);
	handshake_ended(session);
	g_hash_table_remove(table->by_id, &session->id);
	established_forget(session);
	returned_free(session);
	pool_give(&table->pool, session);
}

int session_send(struct session *session, uint16_t type, const void *payload, size_t length)
{
	return channel_send(session->room->agent, type, session->id, type == CHANNEL_BYTES, payload,
			    length);
}

static struct channel_keys keys_header(const struct session *session,
				       enum session_direction direction, size_t info_length)
{
	bool tx = direction == SESSION_TX;

	return (struct channel_keys){
		.direction = tx ? CHANNEL_KEYS_TX : CHANNEL_KEYS_RX,
		.max_payload = htole16(tx ? session->max_payload : 0),
		.crypto_info_len = htole32((uint32_t)info_length),
	};
}

int session_send_keys(struct session *session, enum session_direction direction,
		      const union keyinfo *info, size_t info_length)
{
	struct channel_keys header = keys_header(session, direction, info_length);

	return channel_send2(session->room->agent, CHANNEL_KEYS, session->id, false, &header,
			     sizeof(header), info, info_length);
}

int session_send_record(struct session *session, uint8_t type, const uint8_t *payload,
			size_t length, const union keyinfo *info, size_t info_length)
{
	struct channel_keys header;
	uint8_t head[3 + SESSION_MAX_RECORD];
	uint8_t tail[sizeof(header) + sizeof(*info)];
	size_t tail_length = 0;
	int r;

	if (length > SESSION_MAX_RECORD || length == 0)
		return -EMSGSIZE;
	head[0] = type;
	head[1] = (uint8_t)length;
	head[2] = (uint8_t)(length >> 8);
	memcpy(head + 3, payload, length);
	if (info) {
		header = keys_header(session, SESSION_TX, info_length);
		memcpy(tail, &header, sizeof(header));
		memcpy(tail + sizeof(header), info, info_length);
		tail_length = sizeof(header) + info_length;
	}
	r = channel_send2(session->room->agent, CHANNEL_RECORD, session->id, false, head,
			  3 + length, tail, tail_length);
	explicit_bzero(tail, sizeof(tail));
	return r;
}

void session_fail(struct session *session, const struct failure *failure)
{
	struct attr_builder fail = { 0 };
	int r;

	log_message(LOG_DEBUG, "session %llu: %s", (unsigned long long)session->id, failure->words);
	attr_put_u32(&fail, CHANNEL_A_STATUS, (uint32_t)failure->error);
	if (failure->verify)
		attr_put_u32(&fail, CHANNEL_A_VERIFY_STATUS, failure->verify);
	if (failure->alert != ALERT_NONE)
		attr_put_u32(&fail, CHANNEL_A_ALERT_SENT, (uint32_t)failure->alert);
	if (failure->alert_received != ALERT_NONE)
		attr_put_u32(&fail, CHANNEL_A_ALERT_RECEIVED, (uint32_t)failure->alert_received);
	if (failure->words[0])
		attr_put_string(&fail, CHANNEL_A_ERROR, failure->words);
	r = attr_builder_error(&fail);
	if (r == 0)
		r = session_send(session, CHANNEL_FAIL, fail.data, fail.length);
	attr_builder_free(&fail);
	/* -EPIPE: the agent is gone, and with it everybody who could be told */
	if (r < 0 && r != -EPIPE)
		log_message(LOG_ERR, "session %llu: cannot tell the agent of a failure: %s",
			    (unsigned long long)session->id, strerror(-r));
	session_free(session);
}

void session_established(struct session *session)
{
	handshake_ended(session);
	if (session->profile) {
		session->rekey_seconds = (uint32_t)session->profile->rekey_seconds;
		session->update_rate = (uint32_t)session->profile->update_rate;
		session->profile = NULL;
	}
	established_start(session);
}

static void protocol_error(struct session *session, const char *what)
{
	struct failure failure;

	log_message(LOG_ERR, "session %llu: the agent broke the protocol: %s",
		    (unsigned long long)session->id, what);
	failure_init(&failure);
	failure_set(&failure, EPROTO, ALERT_NONE,
		    "The agent broke the protocol of the session channel: %s.", what);
	session_fail(session, &failure);
}

/* A session that never came to be: its FAIL. */
static void refuse_open(struct room *room, uint64_t id, int error, const char *words)
{
	struct failure failure;
	struct session *session = session_new(room, id);

	if (!session)
		return;
	failure_init(&failure);
	failure_set(&failure, error, ALERT_NONE, "%s", words);
	session_fail(session, &failure);
}

static int start(struct session *session, const struct attr_table *options, struct failure *failure)
{
	struct parameters parameters;
	int r;

	r = narrow_parameters(session->profile, options, &parameters, failure);
	if (r < 0)
		return r;
	r = handshake_start(session, &parameters);
	explicit_bzero(&parameters, sizeof(parameters));
	if (r < 0)
		failure_set(failure, -r, ALERT_NONE, "There is not enough memory for a handshake.");
	return r;
}

static void handle_open(struct room *room, const struct channel_message *msg)
{
	struct attr_table options;
	struct failure failure;
	struct session *session;
	char *name = NULL;

	if (attr_parse(CHANNEL_OPEN, msg->payload, msg->length, &options) < 0) {
		refuse_open(room, msg->session, EPROTO, "The agent sent a malformed OPEN.");
		return;
	}
	if (room->sessions->handshakes >= SESSION_MAX_HANDSHAKES ||
	    g_hash_table_size(room->sessions->by_id) >= CHANNEL_MAX_SESSIONS) {
		refuse_open(room, msg->session, ENOBUFS, "Too many handshakes are pending.");
		return;
	}
	session = session_new(room, msg->session);
	if (!session)
		return;
	failure_init(&failure);
	if (attr_string(&options, CHANNEL_A_PROFILE, &name) == 0)
		session->profile = profiles_find(room->profiles, name);
	if (!session->profile)
		failure_set(&failure, ENOENT, ALERT_NONE, "There is no profile \"%s\".",
			    name ? name : "");
	free(name);
	if (!session->profile || start(session, &options, &failure) < 0)
		session_fail(session, &failure);
}

static int handle_resync(struct session *session, const struct channel_message *msg)
{
	struct channel_restored kernels;

	if (msg->length != sizeof(kernels))
		return -EPROTO;
	memcpy(&kernels, msg->payload, sizeof(kernels));
	return established_resync(session, le64toh(kernels.tx_generation),
				  le64toh(kernels.rx_generation));
}

static void handle_message(struct session *session, const struct channel_message *msg)
{
	switch (msg->type) {
	case CHANNEL_BYTES:
		if (handshake_bytes(session->handshake, msg->payload, msg->length) < 0)
			protocol_error(session, "bytes that nobody asked for");
		break;
	case CHANNEL_RECORD:
		if (msg->length < 1 || msg->length > 1 + TLS_HANDOFF_MAX_RECORD)
			protocol_error(session, "a record of impossible length");
		else
			established_record(session, msg->payload[0], msg->payload + 1,
					   msg->length - 1);
		break;
	case CHANNEL_REKEY:
		established_rekey(session);
		break;
	case CHANNEL_SENT:
		established_sent(session);
		break;
	case CHANNEL_EXPORT:
		if (exporter_message(session, msg->payload, msg->length) < 0)
			protocol_error(session, "a malformed EXPORT");
		break;
	case CHANNEL_RETURN:
		if (returned_take(session, msg->payload, msg->length) < 0)
			protocol_error(session, "a record given back that was none of ours");
		break;
	case CHANNEL_RESYNC:
		if (handle_resync(session, msg) < 0)
			protocol_error(session, "key updates that there were not");
		break;
	case CHANNEL_CLOSE:
		session_free(session);
		break;
	default:
		protocol_error(session, "a message that does not belong here");
	}
}

/* TICKETS and its answer */
static int handle_tickets(struct room *room, const struct channel_message *msg)
{
	char text[CHANNEL_MAX_COUNTS] = "";
	uint32_t wire[2];
	size_t length;

	if (msg->length != sizeof(wire))
		return -EPROTO;
	memcpy(wire, msg->payload, sizeof(wire));
	if (resume_command(room->resume, le32toh(wire[1]), text, sizeof(text)) < 0)
		return -EPROTO;
	length = strlen(text);
	snprintf(text + length, sizeof(text) - length,
		 "SessionHandlerVersion %s\nKeyHolderVersion %s\n", TLS_HANDOFF_VERSION,
		 keyclient_version(room->keys));
	return channel_send2(room->agent, CHANNEL_COUNTS, 0, false, &wire[0], sizeof(wire[0]), text,
			     strlen(text));
}

static int handle_hello(struct room *room, const struct channel_message *msg)
{
	uint32_t version;

	if (room->sessions->greeted || msg->session || msg->length != sizeof(version))
		return -EPROTO;
	memcpy(&version, msg->payload, sizeof(version));
	if (le32toh(version) != CHANNEL_VERSION)
		return -EPROTO;
	room->sessions->greeted = true;
	return 0;
}

/* Messages for the whole room */
static int handle_general(struct room *room, const struct channel_message *msg)
{
	int r = -EPROTO;

	if (room->sessions->greeted && msg->type == CHANNEL_TICKETS)
		r = handle_tickets(room, msg);
	else if (room->sessions->greeted && msg->type == CHANNEL_RESTORE)
		r = succession_restore(room);
	/* the agent is gone, but what it said before may still wait for us */
	return r == -EPIPE ? 0 : r;
}

int session_message(void *arg, const struct channel_message *msg)
{
	struct room *room = arg;
	enum channel_state state = CHANNEL_STATE_NONE;
	struct session *session;

	if (msg->type == CHANNEL_HELLO)
		return handle_hello(room, msg);
	if (msg->session == 0)
		return handle_general(room, msg);
	if (!room->sessions->greeted)
		return -EPROTO;
	session = g_hash_table_lookup(room->sessions->by_id, &msg->session);
	if (session)
		state = session->handshake ? CHANNEL_STATE_HANDSHAKE : CHANNEL_STATE_ESTABLISHED;
	if (!channel_permitted(CHANNEL_TO_SESSION, state, msg->type)) {
		/* without a session, it crossed our FAIL on the way */
		if (session)
			protocol_error(session, "a message that this state does not permit");
		return 0;
	}
	if (session)
		handle_message(session, msg);
	else if (msg->type == CHANNEL_OPEN)
		handle_open(room, msg);
	return 0;
}
