// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache: every ticket is in one list by arrival and in one of its peer's.
 */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "boottime.h"
#include "resume.h"
#include "session.h"
#include "state.h"
#include "tickets.h"

struct peer_tickets;

struct ticket {
	GList of_all, of_peer; /* links of the two lists */
	struct peer_tickets *peer;
	uint64_t expires; /* CLOCK_BOOTTIME seconds */
	size_t length;
	uint16_t version; /* TLS_1_x_VERSION */
	uint8_t data[];
};

/* STATE_TICKET: this, then the data */
struct saved_ticket {
	uint8_t key[TICKETS_KEY];
	uint64_t expires;
	uint32_t length;
	uint32_t version;
};

/* Lives as long as it has a ticket. */
struct peer_tickets {
	uint8_t key[TICKETS_KEY];
	GQueue list; /* the oldest first */
};

struct tickets {
	struct counts *counts;
	GHashTable *peers; /* key: peer_tickets */
	GQueue list;	   /* the oldest first */
	size_t bytes;
	uint64_t first;	     /* no ticket expires before, CLOCK_BOOTTIME seconds */
	struct event *timer; /* for then */
};

/* A key is a hash already. */
static guint hash_key(gconstpointer key)
{
	guint hash;

	memcpy(&hash, key, sizeof(hash));
	return hash;
}

static gboolean same_key(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, TICKETS_KEY) == 0;
}

/* Out of both lists; the caller has it then. */
static void unlink_ticket(struct tickets *tickets, struct ticket *ticket)
{
	struct peer_tickets *peer = ticket->peer;

	g_queue_unlink(&tickets->list, &ticket->of_all);
	g_queue_unlink(&peer->list, &ticket->of_peer);
	tickets->bytes -= ticket->length;
	if (!g_queue_is_empty(&peer->list))
		return;
	g_hash_table_remove(tickets->peers, peer->key);
	free(peer);
}

static void drop(struct tickets *tickets, struct ticket *ticket)
{
	unlink_ticket(tickets, ticket);
	explicit_bzero(ticket->data, ticket->length);
	free(ticket);
}

static void drop_all(struct tickets *tickets)
{
	struct ticket *ticket;

	while ((ticket = g_queue_peek_head(&tickets->list)))
		drop(tickets, ticket);
}

/* One event for the ticket that goes first; early when that one is gone already. */
static void arm(struct tickets *tickets)
{
	uint64_t now = boottime_seconds();
	struct timeval delay = { .tv_sec = 1 };

	if (g_queue_is_empty(&tickets->list)) {
		event_del(tickets->timer);
		return;
	}
	if (tickets->first > now)
		delay.tv_sec = (time_t)(tickets->first - now);
	event_add(tickets->timer, &delay);
}

static void expire(struct tickets *tickets)
{
	uint64_t now = boottime_seconds(), first = UINT64_MAX;
	GList *at, *next;

	if (now < tickets->first)
		return;
	for (at = tickets->list.head; at; at = next) {
		struct ticket *ticket = at->data;

		next = at->next;
		if (ticket->expires > now) {
			first = ticket->expires < first ? ticket->expires : first;
			continue;
		}
		drop(tickets, ticket);
		tickets->counts->value[COUNT_EXPIRED]++;
	}
	tickets->first = first;
}

static void handle_timer(evutil_socket_t fd, short what, void *arg)
{
	struct tickets *tickets = arg;

	expire(tickets);
	arm(tickets);
}

int tickets_new(struct event_base *base, struct counts *counts, struct tickets **ret_tickets)
{
	struct tickets *tickets = calloc(1, sizeof(*tickets));

	if (!tickets)
		return -ENOMEM;
	g_queue_init(&tickets->list);
	tickets->counts = counts;
	tickets->first = UINT64_MAX;
	tickets->peers = g_hash_table_new(hash_key, same_key);
	tickets->timer = event_new(base, -1, 0, handle_timer, tickets);
	if (!tickets->timer) {
		tickets_free(tickets);
		return -ENOMEM;
	}
	*ret_tickets = tickets;
	return 0;
}

void tickets_free(struct tickets *tickets)
{
	if (!tickets)
		return;
	drop_all(tickets);
	g_hash_table_destroy(tickets->peers);
	if (tickets->timer)
		event_free(tickets->timer);
	free(tickets);
}

static void evict(struct tickets *tickets, struct ticket *ticket)
{
	drop(tickets, ticket);
	tickets->counts->value[COUNT_EVICTED]++;
}

/* Room for one more of @length bytes */
static void make_room(struct tickets *tickets, const uint8_t key[TICKETS_KEY], size_t length)
{
	struct peer_tickets *peer = g_hash_table_lookup(tickets->peers, key);

	if (peer && g_queue_get_length(&peer->list) >= TICKETS_PER_PEER)
		evict(tickets, g_queue_peek_head(&peer->list));
	while (g_queue_get_length(&tickets->list) >= TICKETS_MAX ||
	       tickets->bytes + length > TICKETS_MAX_BYTES)
		evict(tickets, g_queue_peek_head(&tickets->list));
}

static struct peer_tickets *get_peer(struct tickets *tickets, const uint8_t key[TICKETS_KEY])
{
	struct peer_tickets *peer = g_hash_table_lookup(tickets->peers, key);

	if (peer)
		return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	memcpy(peer->key, key, TICKETS_KEY);
	g_queue_init(&peer->list);
	g_hash_table_insert(tickets->peers, peer->key, peer);
	return peer;
}

static int put(struct tickets *tickets, const uint8_t key[TICKETS_KEY], uint16_t version,
	       const void *data, size_t length, uint64_t expires)
{
	struct peer_tickets *peer;
	struct ticket *ticket;

	expire(tickets);
	make_room(tickets, key, length);
	ticket = malloc(sizeof(*ticket) + length);
	if (!ticket)
		return -ENOMEM;
	peer = get_peer(tickets, key);
	if (!peer) {
		free(ticket);
		return -ENOMEM;
	}
	ticket->peer = peer;
	ticket->expires = expires;
	ticket->length = length;
	ticket->version = version;
	memcpy(ticket->data, data, length);
	ticket->of_all = ticket->of_peer = (GList){ .data = ticket };
	g_queue_push_tail_link(&tickets->list, &ticket->of_all);
	g_queue_push_tail_link(&peer->list, &ticket->of_peer);
	tickets->bytes += length;
	if (ticket->expires < tickets->first) {
		tickets->first = ticket->expires;
		arm(tickets);
	}
	return 0;
}

int tickets_put(struct tickets *tickets, const uint8_t key[TICKETS_KEY], uint16_t version,
		const void *data, size_t length, uint64_t lifetime)
{
	int r;

	if (length == 0 || length > TICKETS_MAX_ONE || lifetime == 0)
		return 0;
	if (lifetime > TICKETS_MAX_LIFETIME)
		lifetime = TICKETS_MAX_LIFETIME;
	r = put(tickets, key, version, data, length, boottime_seconds() + lifetime);
	if (r == 0)
		tickets->counts->value[COUNT_STORED]++;
	return r;
}

int tickets_take(struct tickets *tickets, const uint8_t key[TICKETS_KEY], uint16_t *ret_version,
		 gnutls_datum_t *ret_data)
{
	gnutls_datum_t data = { NULL, 0 };
	struct peer_tickets *peer;
	struct ticket *ticket;
	uint16_t version;

	expire(tickets);
	peer = g_hash_table_lookup(tickets->peers, key);
	if (!peer)
		return -ENOENT;
	ticket = g_queue_peek_tail(&peer->list);
	data.size = (unsigned int)ticket->length;
	data.data = malloc(ticket->length);
	if (data.data)
		memcpy(data.data, ticket->data, ticket->length);
	version = ticket->version;
	drop(tickets, ticket);
	if (!data.data)
		return -ENOENT;
	*ret_version = version;
	*ret_data = data;
	return 0;
}

void tickets_wipe(gnutls_datum_t *data)
{
	if (data->data)
		explicit_bzero(data->data, data->size);
	free(data->data);
	*data = (gnutls_datum_t){ NULL, 0 };
}

void tickets_flush(struct tickets *tickets)
{
	drop_all(tickets);
	tickets->first = UINT64_MAX;
	arm(tickets);
}

size_t tickets_count(const struct tickets *tickets)
{
	return tickets->list.length;
}

void tickets_save(struct room *room, struct state_writer *writer)
{
	struct tickets *tickets = room->resume->tickets;

	expire(tickets);
	for (const GList *at = tickets->list.head; at; at = at->next) {
		const struct ticket *ticket = at->data;
		struct saved_ticket saved = {
			.expires = ticket->expires,
			.length = (uint32_t)ticket->length,
			.version = ticket->version,
		};
		const struct state_part parts[] = {
			{ &saved, sizeof(saved) },
			{ ticket->data, ticket->length },
		};

		memcpy(saved.key, ticket->peer->key, TICKETS_KEY);
		state_put_parts(writer, STATE_TICKET, parts, sizeof(parts) / sizeof(parts[0]));
	}
}

int tickets_restore(struct room *room, const uint8_t *payload, size_t length)
{
	uint64_t now = boottime_seconds();
	struct saved_ticket saved;

	if (length < sizeof(saved))
		return -EPROTO;
	memcpy(&saved, payload, sizeof(saved));
	if (saved.length == 0 || saved.length > TICKETS_MAX_ONE ||
	    saved.length > length - sizeof(saved) || saved.expires > now + TICKETS_MAX_LIFETIME)
		return -EPROTO;
	if (saved.expires <= now)
		return 0;
	return put(room->resume->tickets, saved.key, (uint16_t)saved.version,
		   payload + sizeof(saved), saved.length, saved.expires);
}
