// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between the handshake and what is kept: ticket keys, cache, sessions that wait.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <gnutls/gnutls.h>

#include "awaiting.h"
#include "binding.h"
#include "handshake.h"
#include "log.h"
#include "profile.h"
#include "protocol.h"
#include "resume.h"
#include "verify.h"

static void count(struct handshake *handshake, enum count what)
{
	handshake->session->room->resume->counts.value[what]++;
}

int resume_new(struct event_base *base, struct resume **ret_resume)
{
	struct resume *resume = calloc(1, sizeof(*resume));
	int r;

	if (!resume)
		return -ENOMEM;
	r = stek_new(base, &resume->stek);
	if (r == 0)
		r = tickets_new(base, &resume->counts, &resume->tickets);
	if (r == 0)
		r = awaiting_new(base, resume->tickets, &resume->counts, &resume->awaiting);
	if (r < 0) {
		resume_free(resume);
		return r;
	}
	*ret_resume = resume;
	return 0;
}

void resume_free(struct resume *resume)
{
	if (!resume)
		return;
	awaiting_free(resume->awaiting);
	tickets_free(resume->tickets);
	stek_free(resume->stek);
	free(resume);
}

/* A server's tickets are switched on by the key that ClientHello makes us choose; GnuTLS
 * would send them before we have verified the client again. */
unsigned int resume_flags(const struct parameters *p)
{
	if (p->role == TLS_HANDOFF_SERVER)
		return GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET;
	return p->resume ? 0 : GNUTLS_NO_TICKETS;
}

void resume_prepare(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	struct resume_attempt *attempt = &handshake->resume;
	struct session *session = handshake->session;
	gnutls_datum_t data = { NULL, 0 };

	if (!p->resume)
		return;
	gnutls_db_set_cache_expiration(handshake->tls, (int)session->profile->ticket_lifetime);
	if (p->role != TLS_HANDOFF_CLIENT)
		return;
	attempt->keep = binding_of_client(session->profile, p, attempt->key) == 0;
	if (!attempt->keep || tickets_take(session->room->resume->tickets, attempt->key,
					   &attempt->version, &data) < 0)
		return;
	attempt->offered = gnutls_session_set_data(handshake->tls, data.data, data.size) == 0;
	tickets_wipe(&data);
	if (attempt->offered)
		count(handshake, COUNT_OFFERED);
}

/* Tickets that the client offers for the version that will be chosen */
static const struct hello_tickets *tickets_offered(const struct handshake *handshake, bool tls13)
{
	return tls13 ? &handshake->hello.psk : &handshake->hello.ticket;
}

/* RFC 8446 4.2.9: tickets only for a client that can use them with a fresh key exchange.  In
 * TLS 1.2, RFC 7627 5.4: only where the master secret is bound to the handshake. */
static bool is_permitted(const struct handshake *handshake, bool tls13)
{
	const struct parameters *p = &handshake->parameters;

	return tls13 ? p->resume && handshake->hello.psk_dhe_ke :
		       p->resume_tls12 && handshake->hello.extended_master_secret;
}

static int choose_key(struct handshake *handshake, bool tls13, const struct hello_tickets *offered)
{
	struct resume_attempt *attempt = &handshake->resume;
	const struct profile *profile = handshake->session->profile;
	uint8_t binding[BINDING_MAX];
	int length;

	memcpy(attempt->server_name, handshake->hello.server_name, sizeof(attempt->server_name));
	length = binding_of_server(profile, &handshake->parameters, tls13, attempt->server_name,
				   binding);
	if (length < 0)
		return length;
	return stek_choose(handshake->session->room->resume->stek, profile, binding, (size_t)length,
			   offered->names, offered->count, &attempt->stek);
}

int resume_client_hello(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	struct resume_attempt *attempt = &handshake->resume;
	bool tls13 = handshake->hello.offers_tls13 && p->max_version >= TLS_1_3_VERSION;
	const struct hello_tickets *offered = tickets_offered(handshake, tls13);
	const gnutls_datum_t key = { attempt->stek.key, STEK_KEY };

	if (attempt->looked) {
		/* behind HelloRetryRequest: the key was bound to the first one's name */
		if (attempt->enabled &&
		    strcmp(attempt->server_name, handshake->hello.server_name) != 0)
			return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
		return 0;
	}
	attempt->looked = true;
	if (p->auth != TLS_HANDOFF_AUTH_X509 && p->auth != TLS_HANDOFF_AUTH_UNAUTH)
		return 0;
	if (!is_permitted(handshake, tls13)) {
		if (offered->count)
			count(handshake, COUNT_REFUSED_POLICY);
		return 0;
	}
	if (choose_key(handshake, tls13, offered) < 0 ||
	    gnutls_session_ticket_enable_server(handshake->tls, &key) < 0)
		return 0; /* then without tickets */
	attempt->enabled = true;
	if (offered->count && !attempt->stek.known)
		count(handshake, COUNT_REFUSED_UNKNOWN_KEY);
	return 0;
}

void resume_client_hello_sent(struct handshake *handshake, const gnutls_datum_t *message)
{
	struct hello hello;

	hello_parse(GNUTLS_HANDSHAKE_CLIENT_HELLO, message, &hello);
	memcpy(handshake->resume.session_id, hello.session_id, sizeof(hello.session_id));
	handshake->resume.session_id_length = hello.session_id_length;
}

/* To GnuTLS's clients a ServerHello of TLS 1.2 with the session id of ClientHello is a resumption,
 * even of a ticket of TLS 1.3: and then they go on with a master secret of zeros, and the version
 * of the ticket. */
static bool claims_tls13_session(const struct resume_attempt *attempt, const struct hello *hello)
{
	return attempt->offered && attempt->version == TLS_1_3_VERSION && !hello->selects_tls13 &&
	       hello->session_id_length && hello->session_id_length == attempt->session_id_length &&
	       memcmp(hello->session_id, attempt->session_id, hello->session_id_length) == 0;
}

int resume_server_hello(struct handshake *handshake, const gnutls_datum_t *message)
{
	struct hello hello;

	hello_parse(GNUTLS_HANDSHAKE_SERVER_HELLO, message, &hello);
	handshake->resume.tls13_selected = hello.selects_tls13;
	handshake->resume.psk_selected = hello.selects_tls13 && hello.selects_psk;
	if (!claims_tls13_session(&handshake->resume, &hello))
		return 0;
	failure_set(&handshake->failure, EPROTO, ALERT_ILLEGAL_PARAMETER,
		    "The peer resumes a session of TLS 1.3 in TLS 1.2.");
	return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
}

/* lifetime, then in TLS 1.3 age_add and nonce<0..255>; ticket<0..2^16-1> */
static const uint8_t *ticket_of(const gnutls_datum_t *message, bool tls13)
{
	size_t at = 4;

	if (tls13) {
		at += 4;
		if (message->size <= at)
			return NULL;
		at += (size_t)1 + message->data[at];
	}
	at += 2;
	return message->size >= at + STEK_NAME ? message->data + at : NULL;
}

void resume_ticket(struct handshake *handshake, bool incoming, const gnutls_datum_t *message)
{
	struct resume *resume = handshake->session->room->resume;
	bool tls13 = gnutls_protocol_get_version(handshake->tls) == GNUTLS_TLS1_3;
	const uint8_t *data = message->data;
	const uint8_t *ticket;

	if (incoming) {
		if (tls13 || message->size < 4)
			return;
		handshake->resume.hint = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 |
					 (uint32_t)data[2] << 8 | data[3];
		count(handshake, COUNT_RECEIVED);
		return;
	}
	count(handshake, COUNT_ISSUED);
	ticket = ticket_of(message, tls13);
	if (ticket)
		stek_check_name(resume->stek, handshake->session->profile, &handshake->resume.stek,
				ticket);
}

static int refuse(struct handshake *handshake, int alert, const char *words)
{
	failure_set(&handshake->failure, EPROTO, alert, "%s", words);
	return -1;
}

/* How GnuTLS names the server must be what the ticket key was bound to. */
static bool name_fits(struct handshake *handshake)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1] = "";
	size_t length = sizeof(name);
	unsigned int type;

	if (gnutls_server_name_get(handshake->tls, name, &length, &type, 0) < 0)
		name[0] = 0;
	return strcmp(name, handshake->resume.server_name) == 0;
}

/* What GnuTLS says, what the peers said and what was offered must agree. */
static bool version_fits(const struct handshake *handshake, bool tls13)
{
	if (tls13 != handshake->resume.tls13_selected)
		return false;
	if (handshake->parameters.role == TLS_HANDOFF_SERVER)
		return tls13 || handshake->parameters.resume_tls12;
	return handshake->resume.offered &&
	       handshake->resume.version == (tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION);
}

static int judge_resumed(struct handshake *handshake)
{
	bool tls13 = gnutls_protocol_get_version(handshake->tls) == GNUTLS_TLS1_3;

	if (!version_fits(handshake, tls13))
		return refuse(handshake, ALERT_ILLEGAL_PARAMETER,
			      "The connection was resumed in another version of TLS.");
	if (tls13 && !handshake->resume.psk_selected)
		return refuse(handshake, ALERT_HANDSHAKE_FAILURE,
			      "The connection was resumed without proof of the ticket's secret.");
	if (tls13 && gnutls_group_get(handshake->tls) == GNUTLS_GROUP_INVALID)
		return refuse(handshake, ALERT_ILLEGAL_PARAMETER,
			      "The connection was resumed without a fresh key exchange.");
	if (!tls13 && !(gnutls_session_get_flags(handshake->tls) & GNUTLS_SFLAGS_EXT_MASTER_SECRET))
		return refuse(handshake, ALERT_HANDSHAKE_FAILURE,
			      "The connection was resumed without extended master secret.");
	if (handshake->parameters.role == TLS_HANDOFF_SERVER && !name_fits(handshake))
		return refuse(handshake, ALERT_ILLEGAL_PARAMETER,
			      "The ticket was issued for another server name.");
	return 0;
}

/* GnuTLS restores the peer's certificates and looks at nothing. */
static int judge_peer(struct handshake *handshake)
{
	int r = verify_peer(handshake->tls);

	if (r < 0)
		failure_gnutls(&handshake->failure, r, ALERT_NONE);
	return r < 0 ? -1 : 0;
}

int resume_judge(struct handshake *handshake)
{
	struct resume_attempt *attempt = &handshake->resume;
	bool client = handshake->parameters.role == TLS_HANDOFF_CLIENT;

	attempt->resumed = gnutls_session_is_resumed(handshake->tls);
	if (!attempt->resumed) {
		if (attempt->offered)
			count(handshake, COUNT_REFUSED_BY_PEER);
		if (attempt->enabled && attempt->stek.known)
			count(handshake, COUNT_REFUSED_EXPIRED);
		return 0;
	}
	if (judge_resumed(handshake) < 0 || judge_peer(handshake) < 0) {
		count(handshake, COUNT_REFUSED_VERIFICATION);
		return -1;
	}
	count(handshake, client ? COUNT_RESUMED_AS_CLIENT : COUNT_RESUMED_AS_SERVER);
	return 0;
}

/* A ticket holds the client's certificates, and has to fit into 64 KiB: GnuTLS does not look. */
static bool fits_ticket(const struct handshake *handshake)
{
	const gnutls_datum_t *certificates;
	unsigned int count = 0;
	size_t length = 0;

	certificates = gnutls_certificate_get_peers(handshake->tls, &count);
	for (unsigned int i = 0; certificates && i < count; i++)
		length += certificates[i].size;
	return length <= RESUME_MAX_CHAIN;
}

int resume_issue(struct handshake *handshake)
{
	const struct resume_attempt *attempt = &handshake->resume;
	int r;

	if (!attempt->enabled || !attempt->stek.newest || !fits_ticket(handshake) ||
	    gnutls_protocol_get_version(handshake->tls) != GNUTLS_TLS1_3)
		return 0;
	do {
		r = gnutls_session_ticket_send(
			handshake->tls, attempt->resumed ? RESUME_TICKETS_AGAIN : RESUME_TICKETS,
			0);
	} while (r < 0 && !gnutls_error_is_fatal(r) && !handshake->closed);
	if (r < 0)
		failure_gnutls(&handshake->failure, r, ALERT_NONE);
	return r < 0 ? -1 : 0;
}

/* Seconds that tickets of this peer may be kept: never longer than its certificate is good */
static uint64_t keep_for(const struct handshake *handshake)
{
	uint64_t lifetime = handshake->session->profile->ticket_lifetime;
	time_t now = time(NULL);

	if (handshake->peer_expires == (time_t)-1 || handshake->peer_expires <= now)
		return 0;
	return (uint64_t)(handshake->peer_expires - now) < lifetime ?
		       (uint64_t)(handshake->peer_expires - now) :
		       lifetime;
}

/* TLS 1.2 gives its ticket before Finished; a hint of 0 says nothing (RFC 5077 3.3). */
static void keep_tls12(struct handshake *handshake)
{
	const unsigned int wanted = GNUTLS_SFLAGS_SESSION_TICKET | GNUTLS_SFLAGS_EXT_MASTER_SECRET;
	const struct resume_attempt *attempt = &handshake->resume;
	uint64_t lifetime = keep_for(handshake);
	gnutls_datum_t data = { NULL, 0 };

	/* of a resumed one GnuTLS would give the ticket that was used */
	if (!handshake->parameters.resume_tls12 || attempt->resumed ||
	    (gnutls_session_get_flags(handshake->tls) & wanted) != wanted ||
	    gnutls_session_get_data2(handshake->tls, &data) < 0)
		return;
	if (attempt->hint && attempt->hint < lifetime)
		lifetime = attempt->hint;
	if (tickets_put(handshake->session->room->resume->tickets, attempt->key, TLS_1_2_VERSION,
			data.data, data.size, lifetime) < 0)
		log_message(LOG_WARNING, "session %llu: no memory for a ticket",
			    (unsigned long long)handshake->session->id);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
}

void resume_keep(struct handshake *handshake)
{
	struct session *session = handshake->session;

	if (!handshake->resume.keep)
		return;
	if (session->version == TLS_1_2_VERSION) {
		keep_tls12(handshake);
		return;
	}
	awaiting_add(session->room->resume->awaiting, session, handshake->tls,
		     handshake->resume.key, keep_for(handshake));
	handshake->tls = NULL;
}

static void write_counts(const struct resume *resume, char *text, size_t size)
{
	size_t n = 0;

	for (enum count i = 0; i < COUNT_MAX; i++)
		n += (size_t)snprintf(text + n, size - n, "%s %llu\n", counts_name(i),
				      (unsigned long long)resume->counts.value[i]);
	snprintf(text + n, size - n, "TicketKeys %zu\nTicketsKept %zu\nSessionsAwaiting %zu\n",
		 stek_count(resume->stek), tickets_count(resume->tickets),
		 awaiting_count(resume->awaiting));
}

int resume_command(struct resume *resume, uint32_t action, char *ret_text, size_t size)
{
	switch (action) {
	case CHANNEL_TICKETS_SHOW:
		break;
	case CHANNEL_TICKETS_FLUSH:
		awaiting_flush(resume->awaiting);
		tickets_flush(resume->tickets);
		stek_flush(resume->stek);
		break;
	case CHANNEL_TICKETS_ROTATE:
		stek_rotate(resume->stek);
		break;
	default:
		return -EINVAL;
	}
	write_counts(resume, ret_text, size);
	return 0;
}
