/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened to tickets, and how often keys were used, counted since the room came to
 * be, its predecessors included.
 */
#ifndef TLSHD_SESSION_COUNTS_H
#define TLSHD_SESSION_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct room;
struct state_writer;

/* Grows at its end only: so they are saved. */
enum count {
	/* as server */
	COUNT_ISSUED,		    /* tickets sent */
	COUNT_RESUMED_AS_SERVER,    /* handshakes */
	COUNT_REFUSED_UNKNOWN_KEY,  /* tickets under no key of this profile, policy and name */
	COUNT_REFUSED_EXPIRED,	    /* the key is known, but the ticket is too old or damaged */
	COUNT_REFUSED_POLICY,	    /* this connection may not be resumed at all */
	COUNT_REFUSED_VERIFICATION, /* resumed, but the peer would not be let in today; both roles */
	/* as client */
	COUNT_RECEIVED, /* tickets */
	COUNT_STORED,
	COUNT_EVICTED, /* for want of room */
	COUNT_EXPIRED, /* before they were of use */
	COUNT_OFFERED,
	COUNT_RESUMED_AS_CLIENT, /* handshakes */
	COUNT_REFUSED_BY_PEER,	 /* offered, but the peer wanted a full handshake */
	/* both */
	COUNT_SIGNATURES,
	COUNT_SIGNATURES_FAILED,
	COUNT_MAX,
};

struct counts {
	uint64_t value[COUNT_MAX];
};

/* "TicketsIssued" and the like */
const char *counts_name(enum count count);

/* For the successor: STATE_TICKET_COUNTS, see state.h. */
void counts_save(struct room *room, struct state_writer *writer);
int counts_restore(struct room *room, const uint8_t *payload, size_t length);

#endif /* TLSHD_SESSION_COUNTS_H */
