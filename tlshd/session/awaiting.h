/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GnuTLS sessions of our clients that are kept a while after the handshake, because
 * only they can read the tickets that come then: few, and not for long.
 */
#ifndef TLSHD_SESSION_AWAITING_H
#define TLSHD_SESSION_AWAITING_H

#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "counts.h"
#include "tickets.h"

struct event_base;
struct session;

#define AWAITING_MAX_SESSIONS 256 /* of about 20 KiB each; the oldest is freed for the next */
#define AWAITING_MAX_TICKETS  2	  /* that are taken from one connection */
#define AWAITING_MAX_SECONDS  30  /* after the handshake */

struct awaiting;

int awaiting_new(struct event_base *base, struct tickets *tickets, struct counts *counts,
		 struct awaiting **ret_awaiting);
/* Every session of the agent's is gone before. */
void awaiting_free(struct awaiting *awaiting);

/* Takes @tls, whose handshake is over.  Its tickets are kept for @key, no longer than
 * @lifetime seconds. */
void awaiting_add(struct awaiting *awaiting, struct session *session, gnutls_session_t tls,
		  const uint8_t key[TICKETS_KEY], uint64_t lifetime);

/* One whole, well-formed NewSessionTicket message came, header included. */
void awaiting_ticket(struct session *session, const uint8_t *message, size_t length);

/* The agent's session ends: frees what waits for its tickets. */
void awaiting_end(struct session *session);

/* Frees all of them. */
void awaiting_flush(struct awaiting *awaiting);

size_t awaiting_count(const struct awaiting *awaiting);

#endif /* TLSHD_SESSION_AWAITING_H */
