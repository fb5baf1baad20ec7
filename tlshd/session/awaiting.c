// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sessions in the order of their handshakes.  GnuTLS gets the tickets' messages
 * as if it ran over QUIC, and has no way to the peer any more.
 */
#include <errno.h>
#include <glib.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "awaiting.h"
#include "boottime.h"
#include "log.h"
#include "resume.h"
#include "session.h"

#define MESSAGE_HEADER 4 /* bytes */

struct awaiting_session {
	GList link; /* in the list */
	struct awaiting *awaiting;
	struct session *session;
	gnutls_session_t tls;
	uint8_t key[TICKETS_KEY];
	uint64_t lifetime;  /* of tickets at most, seconds from the handshake */
	uint64_t since;	    /* CLOCK_BOOTTIME seconds */
	uint32_t announced; /* lifetime of the ticket that is being read */
	unsigned int tickets;
};

struct awaiting {
	GQueue list; /* the oldest first */
	struct tickets *cache;
	struct counts *counts;
	struct event *timer; /* for the oldest; when there is none any more, once for the heap */
};

static void arm(struct awaiting *awaiting)
{
	const struct awaiting_session *oldest = g_queue_peek_head(&awaiting->list);
	uint64_t now = boottime_seconds();
	struct timeval delay = { .tv_sec = 1 };

	if (oldest && oldest->since + AWAITING_MAX_SECONDS > now)
		delay.tv_sec = (time_t)(oldest->since + AWAITING_MAX_SECONDS - now);
	event_add(awaiting->timer, &delay);
}

static void end(struct awaiting_session *waiting)
{
	struct awaiting *awaiting = waiting->awaiting;

	g_queue_unlink(&awaiting->list, &waiting->link);
	waiting->session->awaiting = NULL;
	gnutls_deinit(waiting->tls);
	explicit_bzero(waiting, sizeof(*waiting));
	free(waiting);
	if (g_queue_is_empty(&awaiting->list))
		arm(awaiting);
}

static void handle_timer(evutil_socket_t fd, short what, void *arg)
{
	struct awaiting *awaiting = arg;
	uint64_t now = boottime_seconds();
	struct awaiting_session *oldest;

	while ((oldest = g_queue_peek_head(&awaiting->list)) &&
	       oldest->since + AWAITING_MAX_SECONDS <= now)
		end(oldest);
	if (oldest)
		arm(awaiting);
	else if (!event_pending(awaiting->timer, EV_TIMEOUT, NULL))
		malloc_trim(0);
}

int awaiting_new(struct event_base *base, struct tickets *tickets, struct counts *counts,
		 struct awaiting **ret_awaiting)
{
	struct awaiting *awaiting = calloc(1, sizeof(*awaiting));

	if (!awaiting)
		return -ENOMEM;
	g_queue_init(&awaiting->list);
	awaiting->cache = tickets;
	awaiting->counts = counts;
	awaiting->timer = event_new(base, -1, 0, handle_timer, awaiting);
	if (!awaiting->timer) {
		free(awaiting);
		return -ENOMEM;
	}
	*ret_awaiting = awaiting;
	return 0;
}

void awaiting_free(struct awaiting *awaiting)
{
	if (!awaiting)
		return;
	awaiting_flush(awaiting);
	event_free(awaiting->timer);
	free(awaiting);
}

/* Seconds that a ticket may be kept from now on */
static uint64_t ticket_lifetime(const struct awaiting_session *waiting)
{
	uint64_t gone = boottime_seconds() - waiting->since;
	uint64_t left = waiting->lifetime > gone ? waiting->lifetime - gone : 0;

	return waiting->announced < left ? waiting->announced : left;
}

/* GnuTLS has read a ticket; of two messages only the last one's could be had afterwards. */
static int keep_ticket(gnutls_session_t tls, unsigned int type, unsigned int when,
		       unsigned int incoming, const gnutls_datum_t *message)
{
	struct awaiting_session *waiting = gnutls_session_get_ptr(tls);
	struct awaiting *awaiting = waiting->awaiting;
	uint64_t lifetime = ticket_lifetime(waiting);
	gnutls_datum_t data = { NULL, 0 };

	waiting->tickets++;
	if (lifetime == 0 || gnutls_session_get_data2(tls, &data) < 0)
		return 0;
	if (tickets_put(awaiting->cache, waiting->key, TLS_1_3_VERSION, data.data, data.size,
			lifetime) < 0)
		log_message(LOG_WARNING, "session %llu: no memory for a ticket",
			    (unsigned long long)waiting->session->id);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return 0;
}

static int ignore_message(gnutls_session_t tls, gnutls_record_encryption_level_t level,
			  gnutls_handshake_description_t type, const void *data, size_t size)
{
	return 0;
}

static int ignore_alert(gnutls_session_t tls, gnutls_record_encryption_level_t level,
			gnutls_alert_level_t alert_level, gnutls_alert_description_t alert)
{
	return 0;
}

static int ignore_secret(gnutls_session_t tls, gnutls_record_encryption_level_t level,
			 const void *secret_read, const void *secret_write, size_t size)
{
	return 0;
}

static ssize_t no_pull(gnutls_transport_ptr_t arg, void *buffer, size_t size)
{
	errno = ECONNABORTED;
	return -1;
}

static int no_pull_timeout(gnutls_transport_ptr_t arg, unsigned int ms)
{
	return 0;
}

static ssize_t no_push(gnutls_transport_ptr_t arg, const void *buffer, size_t size)
{
	errno = ECONNABORTED;
	return -1;
}

/* The read function before the handshake would have meant QUIC; now it means that messages
 * come from us and go nowhere. */
static void detach(struct awaiting_session *waiting)
{
	gnutls_session_t tls = waiting->tls;

	gnutls_session_set_ptr(tls, waiting);
	gnutls_handshake_set_secret_function(tls, ignore_secret);
	gnutls_session_set_keylog_function(tls, NULL);
	gnutls_handshake_set_read_function(tls, ignore_message);
	gnutls_alert_set_read_function(tls, ignore_alert);
	gnutls_handshake_set_hook_function(tls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_POST, keep_ticket);
	gnutls_transport_set_ptr(tls, waiting);
	gnutls_transport_set_pull_function(tls, no_pull);
	gnutls_transport_set_pull_timeout_function(tls, no_pull_timeout);
	gnutls_transport_set_push_function(tls, no_push);
}

void awaiting_add(struct awaiting *awaiting, struct session *session, gnutls_session_t tls,
		  const uint8_t key[TICKETS_KEY], uint64_t lifetime)
{
	struct awaiting_session *waiting = calloc(1, sizeof(*waiting));

	if (!waiting) {
		gnutls_deinit(tls);
		return;
	}
	if (g_queue_get_length(&awaiting->list) >= AWAITING_MAX_SESSIONS)
		end(g_queue_peek_head(&awaiting->list));
	waiting->awaiting = awaiting;
	waiting->session = session;
	waiting->tls = tls;
	memcpy(waiting->key, key, TICKETS_KEY);
	waiting->lifetime = lifetime;
	waiting->since = boottime_seconds();
	session->awaiting = waiting;
	waiting->link.data = waiting;
	g_queue_push_tail_link(&awaiting->list, &waiting->link);
	if (g_queue_get_length(&awaiting->list) == 1)
		arm(awaiting);
	detach(waiting);
}

void awaiting_ticket(struct session *session, const uint8_t *message, size_t length)
{
	struct awaiting_session *waiting = session->awaiting;
	const uint8_t *lifetime = message + MESSAGE_HEADER;
	int r;

	session->room->resume->counts.value[COUNT_RECEIVED]++;
	if (!waiting)
		return;
	waiting->announced = (uint32_t)lifetime[0] << 24 | (uint32_t)lifetime[1] << 16 |
			     (uint32_t)lifetime[2] << 8 | lifetime[3];
	r = gnutls_handshake_write(waiting->tls, GNUTLS_ENCRYPTION_LEVEL_APPLICATION, message,
				   length);
	if (r < 0)
		log_message(LOG_DEBUG, "session %llu: a ticket is of no use: %s",
			    (unsigned long long)session->id, gnutls_strerror(r));
	if (r < 0 || waiting->tickets >= AWAITING_MAX_TICKETS)
		end(waiting);
}

void awaiting_end(struct session *session)
{
	if (session->awaiting)
		end(session->awaiting);
}

void awaiting_flush(struct awaiting *awaiting)
{
	struct awaiting_session *oldest;

	while ((oldest = g_queue_peek_head(&awaiting->list)))
		end(oldest);
}

size_t awaiting_count(const struct awaiting *awaiting)
{
	return awaiting->list.length;
}
