/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption as a handshake sees it: which ticket to offer, under which key to take
 * one, whether the peer may be let in with it, and what to keep for the next time.
 */
#ifndef TLSHD_SESSION_RESUME_H
#define TLSHD_SESSION_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "counts.h"
#include "hello.h"
#include "stek.h"
#include "tickets.h"
#include "../../uapi/linux/tls_handoff.h"

struct awaiting;
struct event_base;
struct handshake;
struct parameters;

#define RESUME_TICKETS	     2		 /* issued after a full handshake */
#define RESUME_TICKETS_AGAIN 1		 /* after a resumed one: for the one that was used */
#define RESUME_MAX_CHAIN     (32 * 1024) /* bytes of a client's certificates; else no tickets */

/* The room's */
struct resume {
	struct counts counts;
	struct stek *stek;
	struct tickets *tickets;
	struct awaiting *awaiting;
};

/* Of one handshake */
struct resume_attempt {
	uint8_t key[TICKETS_KEY]; /* client: what tickets of this peer are kept under */
	bool keep;		  /* client: @key is valid */
	bool offered;		  /* client: a ticket */
	uint16_t version;	  /* client: of the ticket, TLS_1_x_VERSION */
	uint8_t session_id[HELLO_SESSION_ID], session_id_length; /* client: in ClientHello */
	uint32_t hint;		 /* client, TLS 1.2: lifetime of the ticket that came, seconds */
	struct stek_choice stek; /* server */
	bool looked;		 /* server: a first ClientHello came */
	bool enabled;		 /* server: GnuTLS has @stek */
	char server_name[TLS_HANDOFF_MAX_PEER_NAME + 1]; /* that @stek is bound to */
	bool tls13_selected, psk_selected;		 /* ServerHello says so */
	bool resumed;					 /* this is how it ended */
};

int resume_new(struct event_base *base, struct resume **ret_resume);
void resume_free(struct resume *resume);

/* Flags for gnutls_init() */
unsigned int resume_flags(const struct parameters *parameters);

/* Before the handshake: a client looks for a ticket. */
void resume_prepare(struct handshake *handshake);

/* Server, before GnuTLS reads ClientHello, which is in handshake->hello: chooses the ticket
 * key.  0 or a GnuTLS error. */
int resume_client_hello(struct handshake *handshake);

/* ClientHello of ours, ServerHello of either side.  0 or a GnuTLS error. */
void resume_client_hello_sent(struct handshake *handshake, const gnutls_datum_t *message);
int resume_server_hello(struct handshake *handshake, const gnutls_datum_t *message);

/* A NewSessionTicket message is sent or (TLS 1.2) received. */
void resume_ticket(struct handshake *handshake, bool incoming, const gnutls_datum_t *message);

/* After the handshake: if it was resumed, what a full one has proven then is looked at again, for
 * policy and the world may have changed.  0, or -1 with the failure set. */
int resume_judge(struct handshake *handshake);

/* Server: issues tickets.  0, or -1 with the failure set. */
int resume_issue(struct handshake *handshake);

/* Client, when all is well: keeps the ticket, or the GnuTLS session that waits for some. */
void resume_keep(struct handshake *handshake);

/* TICKETS of the agent (enum channel_tickets): 0, and what is counted as lines "Name value"; or
 * -EINVAL for an unknown action. */
int resume_command(struct resume *resume, uint32_t action, char *ret_text, size_t size);

#endif /* TLSHD_SESSION_RESUME_H */
