/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tickets of our clients: kept by what they are bound to, given out once,
 * newest first, forgotten when their time or room is over.
 */
#ifndef TLSHD_SESSION_TICKETS_H
#define TLSHD_SESSION_TICKETS_H

#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "counts.h"

struct event_base;
struct room;
struct state_writer;

#define TICKETS_KEY	     32		       /* bytes: SHA-256 of all that a ticket is bound to */
#define TICKETS_MAX	     2048	       /* in all */
#define TICKETS_MAX_BYTES    (4 * 1024 * 1024) /* of session data in all */
#define TICKETS_MAX_ONE	     65536	       /* bytes of one; larger ones are not kept */
#define TICKETS_PER_PEER     4
#define TICKETS_MAX_LIFETIME 604800 /* seconds, RFC 8446 4.6.1 */

struct tickets;

int tickets_new(struct event_base *base, struct counts *counts, struct tickets **ret_tickets);
void tickets_free(struct tickets *tickets);

/* Keeps a copy of @data, a session of @version (TLS_1_x_VERSION), for @lifetime seconds at most.
 * When there is no room, the oldest of the same peer or of all go.  0 or -ENOMEM. */
int tickets_put(struct tickets *tickets, const uint8_t key[TICKETS_KEY], uint16_t version,
		const void *data, size_t length, uint64_t lifetime)
	__attribute__((warn_unused_result));

/* Takes out the newest ticket for @key.  -ENOENT if there is none; else 0, and the caller
 * gives *ret_data to tickets_wipe(). */
int tickets_take(struct tickets *tickets, const uint8_t key[TICKETS_KEY], uint16_t *ret_version,
		 gnutls_datum_t *ret_data) __attribute__((warn_unused_result));
void tickets_wipe(gnutls_datum_t *data);

/* Wipes all. */
void tickets_flush(struct tickets *tickets);

size_t tickets_count(const struct tickets *tickets);

/* For the successor: STATE_TICKET, see state.h. */
void tickets_save(struct room *room, struct state_writer *writer);
int tickets_restore(struct room *room, const uint8_t *payload, size_t length);

#endif /* TLSHD_SESSION_TICKETS_H */
