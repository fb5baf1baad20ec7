// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records after the handshake.  Handshake messages are put together from
 * fragments and taken apart when coalesced, strictly (RFC 8446 5.1): a message
 * that changes keys ends its record, and nothing comes between fragments.
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "awaiting.h"
#include "boottime.h"
#include "established.h"
#include "log.h"
#include "session.h"

#define RECORD_ALERT	 21
#define RECORD_HANDSHAKE 22

#define MESSAGE_HELLO_REQUEST	   0
#define MESSAGE_CLIENT_HELLO	   1
#define MESSAGE_NEW_SESSION_TICKET 4
#define MESSAGE_KEY_UPDATE	   24
#define MESSAGE_HEADER		   4	       /* bytes: type and 24-bit length */
#define MAX_MESSAGE		   (64 * 1024) /* bytes; a ticket may hold a certificate */

#define ALERT_LEVEL_WARNING 1
#define ALERT_LEVEL_FATAL   2

#define UPDATE_NOT_REQUESTED 0
#define UPDATE_REQUESTED     1
/* KeyUpdates, or tries to renegotiate, that a peer may send without data in between.  Only
 * the kernel sees data; it tells with TLS_HANDOFF_EVENT_DATA. */
#define MAX_UPDATES	     32

#define SECOND UINT64_C(1000000000) /* nanoseconds */

/* Ends the session with an alert: this peer broke the protocol, or a record failed here. */
static void fail(struct session *session, int error, int alert, const char *words)
{
	const uint8_t record[2] = { ALERT_LEVEL_FATAL, (uint8_t)alert };
	struct failure failure;

	failure_init(&failure);
	failure_set(&failure, error, alert, "%s", words);
	if (session_send_record(session, RECORD_ALERT, record, sizeof(record), NULL, 0) < 0)
		failure.alert = ALERT_NONE;
	session_fail(session, &failure);
}

static void fail_internal(struct session *session, int error)
{
	fail(session, -error, ALERT_INTERNAL_ERROR,
	     "New record keys could not be made or passed on.");
}

/* The keys under the current traffic secret, from their first record on. */
static int current_keys(struct session *session, enum session_direction direction,
			union keyinfo *ret_info, size_t *ret_length)
{
	uint8_t key[SECRETS_MAX_KEY], iv[SECRETS_IV];
	int r;

	r = secrets_record_key(session->cipher, session->secret[direction], key, iv);
	if (r == 0)
		r = keyinfo_build(session->version, session->cipher, key, iv, sizeof(iv), 0,
				  ret_info, ret_length);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(iv, sizeof(iv));
	return r;
}

/* KeyUpdate and the current sending keys behind it */
static int put_update(struct session *session, uint8_t request)
{
	const uint8_t message[] = { MESSAGE_KEY_UPDATE, 0, 0, 1, request };
	union keyinfo info = { 0 };
	size_t length = 0;
	int r;

	r = current_keys(session, SESSION_TX, &info, &length);
	if (r < 0)
		return r;
	r = session_send_record(session, RECORD_HANDSHAKE, message, sizeof(message), &info, length);
	explicit_bzero(&info, sizeof(info));
	session->update_unsent = r == 0;
	return r;
}

static int make_update(struct session *session, uint8_t request)
{
	int r;

	r = secrets_update(session->cipher, session->secret[SESSION_TX]);
	if (r == 0)
		r = put_update(session, request);
	session->tx_generation += r == 0;
	return r;
}

/* KeyUpdate and the keys behind it.  We request one only when the peer's key is used up: peers
 * built on GnuTLS break when two requests cross.  While one waits for room in the socket, the
 * one that follows it serves all wishes (RFC 8446 4.6.3): a peer that reads nothing may
 * wish as often as it likes. */
static int send_update(struct session *session, uint8_t request)
{
	if (!session->update_unsent)
		return make_update(session, request);
	session->update_again |= 1 << request;
	return 0;
}

static int put_rx_keys(struct session *session)
{
	union keyinfo info = { 0 };
	size_t length = 0;
	int r;

	r = current_keys(session, SESSION_RX, &info, &length);
	if (r < 0)
		return r;
	r = session_send_keys(session, SESSION_RX, &info, length);
	explicit_bzero(&info, sizeof(info));
	return r;
}

static int send_rx_keys(struct session *session)
{
	int r;

	r = secrets_update(session->cipher, session->secret[SESSION_RX]);
	if (r == 0)
		r = put_rx_keys(session);
	session->rx_generation += r == 0;
	return r;
}

static int send_continue(struct session *session, uint32_t how)
{
	uint32_t wire = htole32(how);

	return session_send(session, CHANNEL_CONTINUE, &wire, sizeof(wire));
}

/* What one message asked for; an alert and words if it ends the session. */
struct verdict {
	bool key_update;    /* receiving keys change */
	bool update_wanted; /* and ours shall, too */
	bool renegotiation; /* TLS 1.2: to be declined */
	int alert;
	const char *words;
};

static void refuse(struct verdict *verdict, int alert, const char *words)
{
	verdict->alert = alert;
	verdict->words = words;
}

static bool too_many_updates(struct session *session)
{
	return ++session->updates > MAX_UPDATES;
}

/* A bucket of one second's updates that fills at update_rate: what is kept is the point in
 * time at which those seen so far would have been due at that rate. */
static bool above_rate(struct session *session)
{
	uint64_t now = boottime_nanoseconds(), each;

	if (!session->update_rate)
		return false;
	each = SECOND / session->update_rate;
	if (session->update_time < now)
		session->update_time = now;
	if (session->update_time - now > SECOND - each)
		return true;
	session->update_time += each;
	return false;
}

static void judge_key_update(struct session *session, const uint8_t *body, size_t length,
			     bool ends_record, struct verdict *verdict)
{
	if (length != 1)
		refuse(verdict, ALERT_DECODE_ERROR, "The peer sent a malformed KeyUpdate.");
	else if (body[0] > UPDATE_REQUESTED)
		refuse(verdict, ALERT_ILLEGAL_PARAMETER,
		       "The peer sent a KeyUpdate with an unknown request.");
	else if (!ends_record)
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent a KeyUpdate that does not end its record.");
	else if (too_many_updates(session))
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent too many KeyUpdates without data in between.");
	else if (above_rate(session))
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent more KeyUpdates a second than its profile's update_rate.");
	verdict->key_update = true;
	verdict->update_wanted = length == 1 && body[0] == UPDATE_REQUESTED;
}

/* Extensions, each a type and data<0..2^16-1>: known or not, they end where their list does */
static bool extensions_are_well_formed(const uint8_t *list, size_t length)
{
	size_t at = 0;

	while (length - at >= 4) {
		size_t size = (size_t)list[at + 2] << 8 | list[at + 3];

		at += 4;
		if (size > length - at)
			return false;
		at += size;
	}
	return at == length;
}

/* lifetime, age_add, nonce<0..255>, ticket<1..2^16-1>, extensions<0..2^16-2>.  Any lifetime
 * will do: how long a ticket is kept is decided where that is done. */
static bool ticket_is_well_formed(const uint8_t *body, size_t length)
{
	size_t at = 4 + 4, field = 0;

	if (length < at + 1)
		return false;
	at += (size_t)1 + body[at];
	for (int i = 0; i < 2; i++) {
		if (length < at + 2)
			return false;
		field = (size_t)body[at] << 8 | body[at + 1];
		if (i == 0 && field == 0)
			return false;
		at += 2 + field;
	}
	return at == length && extensions_are_well_formed(body + at - field, field);
}

static void judge_ticket(struct session *session, const uint8_t *body, size_t length,
			 struct verdict *verdict)
{
	if (session->role != TLS_HANDOFF_CLIENT)
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE, "The client sent a session ticket.");
	else if (!ticket_is_well_formed(body, length))
		refuse(verdict, ALERT_DECODE_ERROR, "The peer sent a malformed session ticket.");
	else
		awaiting_ticket(session, body - MESSAGE_HEADER, MESSAGE_HEADER + length);
}

static void judge_renegotiation(struct session *session, uint8_t type, size_t length,
				struct verdict *verdict)
{
	if (type !=
	    (session->role == TLS_HANDOFF_CLIENT ? MESSAGE_HELLO_REQUEST : MESSAGE_CLIENT_HELLO))
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent a handshake message that does not belong here.");
	else if (type == MESSAGE_HELLO_REQUEST && length != 0)
		refuse(verdict, ALERT_DECODE_ERROR, "The peer sent a malformed HelloRequest.");
	else if (too_many_updates(session))
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer tried to renegotiate too often.");
	else if (above_rate(session))
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer tried to renegotiate more often a second than its profile's "
		       "update_rate.");
	verdict->renegotiation = true;
}

static void judge_message(struct session *session, uint8_t type, const uint8_t *body, size_t length,
			  bool ends_record, struct verdict *verdict)
{
	if (session->version == TLS_1_2_VERSION)
		judge_renegotiation(session, type, length, verdict);
	else if (type == MESSAGE_KEY_UPDATE)
		judge_key_update(session, body, length, ends_record, verdict);
	else if (type == MESSAGE_NEW_SESSION_TICKET)
		judge_ticket(session, body, length, verdict);
	else
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent a handshake message that does not belong here.");
}

static size_t message_size(const uint8_t *header)
{
	return MESSAGE_HEADER + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Makes room for a message of @size bytes, keeping what is there. */
static int fragment_grow(struct session *session, size_t size)
{
	struct fragment *fragment;

	if (size > MAX_MESSAGE)
		return -EMSGSIZE;
	fragment = realloc(session->fragment, sizeof(*fragment) + size);
	if (!fragment)
		return -ENOMEM;
	if (!session->fragment)
		fragment->length = 0;
	fragment->size = size;
	session->fragment = fragment;
	return 0;
}

static void fragment_free(struct session *session)
{
	free(session->fragment);
	session->fragment = NULL;
}

/* Takes from @data what the message under construction still lacks, first its header.
 * Bytes taken, or -errno. */
static ssize_t fragment_take(struct session *session, const uint8_t *data, size_t length)
{
	size_t taken = 0, part;
	int r = 0;

	if (!session->fragment)
		r = fragment_grow(session, MESSAGE_HEADER);
	while (r == 0 && taken < length && session->fragment->length < session->fragment->size) {
		struct fragment *fragment = session->fragment;

		part = min_size(length - taken, fragment->size - fragment->length);
		memcpy(fragment->data + fragment->length, data + taken, part);
		fragment->length += part;
		taken += part;
		if (fragment->length == MESSAGE_HEADER && fragment->size == MESSAGE_HEADER)
			r = fragment_grow(session, message_size(fragment->data));
	}
	return r < 0 ? r : (ssize_t)taken;
}

static bool fragment_is_whole(const struct session *session)
{
	return session->fragment && session->fragment->length >= MESSAGE_HEADER &&
	       session->fragment->length == session->fragment->size;
}

static void judge_record(struct session *session, const uint8_t *data, size_t length,
			 struct verdict *verdict)
{
	ssize_t taken;

	if (length == 0) {
		refuse(verdict, ALERT_UNEXPECTED_MESSAGE,
		       "The peer sent an empty handshake record.");
		return;
	}
	while (length && !verdict->words) {
		taken = fragment_take(session, data, length);
		if (taken < 0) {
			refuse(verdict,
			       taken == -EMSGSIZE ? ALERT_DECODE_ERROR : ALERT_INTERNAL_ERROR,
			       "The peer sent a handshake message that is too long.");
			return;
		}
		data += taken;
		length -= (size_t)taken;
		if (!fragment_is_whole(session))
			continue;
		judge_message(session, session->fragment->data[0],
			      session->fragment->data + MESSAGE_HEADER,
			      session->fragment->size - MESSAGE_HEADER, length == 0, verdict);
		fragment_free(session);
	}
}

static void decline_renegotiation(struct session *session)
{
	static const uint8_t alert[] = { ALERT_LEVEL_WARNING, ALERT_NO_RENEGOTIATION };

	if (session_send_record(session, RECORD_ALERT, alert, sizeof(alert), NULL, 0) < 0)
		log_message(LOG_WARNING, "session %llu: renegotiation could not be declined",
			    (unsigned long long)session->id);
}

static void handle_handshake(struct session *session, const uint8_t *data, size_t length)
{
	struct verdict verdict = { .words = NULL };
	int r = 0;

	judge_record(session, data, length, &verdict);
	if (verdict.words) {
		fail(session, EPROTO, verdict.alert, verdict.words);
		return;
	}
	if (verdict.renegotiation)
		decline_renegotiation(session);
	/* Readers first: the answer may have to wait for a full socket (RFC 8446 4.6.3). */
	if (verdict.key_update)
		r = send_rx_keys(session);
	else
		r = send_continue(session, session->fragment ? TLS_HANDOFF_CONTINUE_MORE :
							       TLS_HANDOFF_CONTINUE_DONE);
	if (r == 0 && verdict.update_wanted)
		r = send_update(session, UPDATE_NOT_REQUESTED);
	if (r < 0)
		fail_internal(session, r);
}

static void handle_alert(struct session *session, const uint8_t *data, size_t length)
{
	struct failure failure;
	const char *name;

	if (length != 2) {
		/* The errno that the kernel gives it: whoever comes first */
		fail(session, EINVAL, ALERT_DECODE_ERROR, "The peer sent a malformed alert.");
		return;
	}
	if (data[1] == ALERT_CLOSE_NOTIFY || data[1] == ALERT_USER_CANCELED)
		return;
	if (session->version == TLS_1_2_VERSION && data[0] == ALERT_LEVEL_WARNING)
		return;
	name = alert_name(data[1]);
	failure_init(&failure);
	failure.alert_received = data[1];
	failure_set(&failure, ECONNRESET, ALERT_NONE,
		    "The peer ended the connection with the alert %s (%u).",
		    name ? name : "of unknown meaning", data[1]);
	session_fail(session, &failure);
}

static void handle_local_failure(struct session *session, uint32_t error)
{
	switch (error) {
	case EBADMSG:
		fail(session, EBADMSG, ALERT_BAD_RECORD_MAC, "A record could not be decrypted.");
		break;
	case EMSGSIZE:
		fail(session, EMSGSIZE, ALERT_RECORD_OVERFLOW, "A record was too long.");
		break;
	case EINVAL:
		fail(session, EINVAL, ALERT_DECODE_ERROR, "A record was malformed.");
		break;
	case EPROTO:
		fail(session, EPROTO, ALERT_UNEXPECTED_MESSAGE,
		     "The peer sent a record that does not belong there.");
		break;
	default:
		fail(session, EIO, ALERT_INTERNAL_ERROR, "The kernel failed to receive a record.");
	}
}

/* RFC 8446 5.5, for a peer that does not look after its key.  The kernel asks once a key. */
static void request_update(struct session *session)
{
	int r = 0;

	if (session->version == TLS_1_3_VERSION)
		r = send_update(session, UPDATE_REQUESTED);
	if (r < 0)
		fail_internal(session, r);
}

static void handle_event(struct session *session, const uint8_t *data, size_t length)
{
	struct tls_handoff_event event;

	if (length != sizeof(event)) {
		fail(session, EPROTO, ALERT_INTERNAL_ERROR, "The agent sent a malformed event.");
		return;
	}
	memcpy(&event, data, sizeof(event));
	switch (event.event) {
	case TLS_HANDOFF_EVENT_FAILED:
		handle_local_failure(session, event.error);
		break;
	case TLS_HANDOFF_EVENT_REKEY:
		established_rekey(session);
		break;
	case TLS_HANDOFF_EVENT_PEER_REKEY:
		request_update(session);
		break;
	case TLS_HANDOFF_EVENT_DATA:
		session->updates = 0;
		break;
	default:
		/* truncated and closed are the program's and the agent's affair */
		break;
	}
}

void established_start(struct session *session)
{
	if (!session->rekey_seconds || session->version != TLS_1_3_VERSION)
		return;
	session->rekey_due = boottime_seconds() + session->rekey_seconds;
	session_schedule(session);
}

bool established_is_due(const struct session *session)
{
	return session->rekey_due && session->rekey_due <= boottime_seconds();
}

int established_restore_fragment(struct session *session, const uint8_t *data, size_t length)
{
	if (!length)
		return 0;
	if (fragment_take(session, data, length) != (ssize_t)length || fragment_is_whole(session))
		return -EPROTO;
	return 0;
}

void established_record(struct session *session, uint8_t type, const uint8_t *data, size_t length)
{
	/* one that says what failed there may come at any time */
	bool error_alert = type == RECORD_ALERT && length == 2 && data[1] != ALERT_CLOSE_NOTIFY &&
			   data[1] != ALERT_USER_CANCELED;

	if (session->fragment && type != RECORD_HANDSHAKE && type != TLS_HANDOFF_RECORD_EVENT &&
	    !error_alert) {
		fail(session, EPROTO, ALERT_UNEXPECTED_MESSAGE,
		     "The peer sent another record between the parts of a handshake message.");
		return;
	}
	switch (type) {
	case TLS_HANDOFF_RECORD_EVENT:
		handle_event(session, data, length);
		break;
	case RECORD_ALERT:
		handle_alert(session, data, length);
		break;
	case RECORD_HANDSHAKE:
		handle_handshake(session, data, length);
		break;
	default:
		fail(session, EPROTO, ALERT_UNEXPECTED_MESSAGE,
		     "The peer sent a record of a type that does not belong here.");
	}
}

void established_rekey(struct session *session)
{
	static const uint8_t close_notify[] = { ALERT_LEVEL_WARNING, ALERT_CLOSE_NOTIFY };
	struct failure failure;
	int r;

	if (session->version == TLS_1_3_VERSION) {
		established_start(session);
		r = send_update(session, UPDATE_NOT_REQUESTED);
		if (r < 0)
			fail_internal(session, r);
		return;
	}
	failure_init(&failure);
	failure_set(&failure, EKEYEXPIRED, ALERT_CLOSE_NOTIFY,
		    "The key of this TLS 1.2 connection is used up, and TLS 1.2 cannot change it.");
	if (session_send_record(session, RECORD_ALERT, close_notify, sizeof(close_notify), NULL,
				0) < 0)
		failure.alert = ALERT_NONE;
	session_fail(session, &failure);
}

void established_sent(struct session *session)
{
	uint8_t request = UPDATE_NOT_REQUESTED;
	int r = 0;

	session->update_unsent = false;
	/* An answer must not be a request: each kind has its own */
	while (request <= UPDATE_REQUESTED && !(session->update_again & 1 << request))
		request++;
	session->update_again &= ~(1 << request);
	if (request <= UPDATE_REQUESTED)
		r = make_update(session, request);
	if (r < 0)
		fail_internal(session, r);
}

void established_forget(struct session *session)
{
	fragment_free(session);
	awaiting_end(session);
	explicit_bzero(session->secrets, sizeof(session->secrets));
}

int established_resync(struct session *session, uint64_t tx, uint64_t rx)
{
	int r = 0;

	if (session->version != TLS_1_3_VERSION)
		return -EPROTO;
	/* What goes out under a key that nobody has would end the connection anyway. */
	if ((tx != session->tx_generation &&
	     (tx + 1 != session->tx_generation || session->update_unsent)) ||
	    (rx != session->rx_generation && rx + 1 != session->rx_generation))
		return -EPROTO;
	if (rx != session->rx_generation)
		r = put_rx_keys(session);
	if (r == 0 && tx != session->tx_generation)
		r = put_update(session, UPDATE_NOT_REQUESTED);
	if (r < 0)
		fail_internal(session, r);
	return 0;
}
