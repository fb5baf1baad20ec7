// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What goes between a session fd and the session handler, in both directions:
 * handshake bytes, keys, records.  The session handler is hostile until its
 * message is checked; what it sends is done in its order, and waits where the
 * session fd makes it wait.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "attr.h"
#include "consumer.h"
#include "counters.h"
#include "log.h"
#include "session.h"
#include "session_fd.h"

#define RECORD_ALERT	      21 /* RFC 8446 5.1 */
#define RECORD_HANDSHAKE      22
#define ALERT_SIZE	      2			   /* level and description */
#define RELAY_MAX_QUEUED      (2 * CHANNEL_WINDOW) /* bytes that wait for one session fd */
#define RELAY_ITEM_COST	      128 /* bytes that an item counts besides its payload */
#define RELAY_MAX_CRYPTO_INFO 128 /* bytes; those of linux/tls.h are 40 to 56 */
#define RELAY_BATCH	      16  /* records taken per event */
#define RELAY_RECORD_SLACK    256 /* bytes beyond the plaintext limit, as kTLS may let through */
#define RELAY_MAX_EXPORT      255 /* bytes of keying material */
#define RELAY_MAX_ERRNO	      4095
#define RELAY_ALERT_SECONDS   2 /* how long a failed connection waits for its alert */

static void broken(struct session *session, const char *what)
{
	session_fail(session, EPROTO, "tlshd-session broke the channel's protocol: %s", what);
}

/* KEYS, alone or behind a RECORD.  0 or -EPROTO. */
static int parse_keys(const uint8_t *payload, size_t length, struct channel_keys *ret_keys,
		      const uint8_t **ret_crypto_info)
{
	struct channel_keys keys;

	if (length < sizeof(keys))
		return -EPROTO;
	memcpy(&keys, payload, sizeof(keys));
	keys.max_payload = le16toh(keys.max_payload);
	keys.crypto_info_len = le32toh(keys.crypto_info_len);
	if ((keys.direction != CHANNEL_KEYS_TX && keys.direction != CHANNEL_KEYS_RX) ||
	    keys.reserved || keys.crypto_info_len != length - sizeof(keys) ||
	    keys.crypto_info_len < sizeof(struct tls_crypto_info) ||
	    keys.crypto_info_len > RELAY_MAX_CRYPTO_INFO)
		return -EPROTO;
	*ret_keys = keys;
	*ret_crypto_info = payload + sizeof(keys);
	return 0;
}

struct record {
	uint8_t type;
	uint16_t length;
	const uint8_t *payload;
	uint16_t crypto_info_len; /* 0: no new keys */
	const uint8_t *crypto_info;
};

/* RECORD from the session handler: an alert or a handshake record, never the program's data. */
static int parse_record(const uint8_t *payload, size_t length, struct record *ret_record)
{
	struct record record = { 0 };
	struct channel_keys keys;

	if (length < 3)
		return -EPROTO;
	record.type = payload[0];
	record.length = payload[1] | payload[2] << 8;
	record.payload = payload + 3;
	length -= 3;
	if ((record.type != RECORD_ALERT && record.type != RECORD_HANDSHAKE) || !record.length ||
	    record.length > TLS_HANDOFF_MAX_RECORD || record.length > length)
		return -EPROTO;
	length -= record.length;
	if (length) {
		if (parse_keys(record.payload + record.length, length, &keys,
			       &record.crypto_info) ||
		    keys.direction != CHANNEL_KEYS_TX)
			return -EPROTO;
		record.crypto_info_len = keys.crypto_info_len;
	}
	*ret_record = record;
	return 0;
}

static void install_keys(struct session *session, const uint8_t *payload, size_t length)
{
	const uint8_t *crypto_info;
	struct channel_keys keys = { 0 };
	const char *direction;
	int ret;

	if (session->write_error) {
		session_fail(session, ECONNRESET, "the connection was lost in the handshake: %s",
			     strerror(session->write_error));
		return;
	}
	ret = parse_keys(payload, length, &keys, &crypto_info);
	if (ret == 0) {
		ret = session_fd_set_keys(session->fd, keys.direction, crypto_info,
					  keys.crypto_info_len);
		if (ret == 0 && keys.max_payload && keys.direction == CHANNEL_KEYS_TX)
			ret = session_fd_set_max_payload(session->fd, keys.max_payload);
	}
	if (ret == 0)
		return;
	direction = keys.direction == CHANNEL_KEYS_TX ? "sending" : "receiving";
	if (ret == -ENOTCONN || ret == -EPIPE || ret == -ECONNRESET)
		session_fail(session, ECONNRESET,
			     "the connection was lost before its %s keys were there", direction);
	else
		session_fail(session, -ret, "the kernel refused the %s keys: %s", direction,
			     strerror(-ret));
}

/* A copy of an attribute's text in @buffer, or NULL if it is absent. */
static const char *attr_text(const struct attr_table *table, uint16_t type, char *buffer,
			     size_t size)
{
	size_t length = table->view[type].length;

	if (!attr_has(table, type))
		return NULL;
	if (length >= size)
		length = size - 1;
	memcpy(buffer, table->view[type].value, length);
	buffer[length] = '\0';
	return buffer;
}

static void common_result(const struct session *session, const struct attr_table *table,
			  struct handshake_result *result)
{
	result->id = session->id;
	result->verify_status = attr_u32(table, CHANNEL_A_VERIFY_STATUS, 0);
	result->alert_sent = (int)attr_u32(table, CHANNEL_A_ALERT_SENT, UINT32_MAX);
	result->alert_received = (int)attr_u32(table, CHANNEL_A_ALERT_RECEIVED, UINT32_MAX);
}

static void finish(struct session *session, const uint8_t *payload, size_t length)
{
	char identity[TLS_HANDOFF_MAX_IDENTITY + 1], name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	struct handshake_result result = HANDSHAKE_RESULT_INIT;
	struct attr_table table;
	int ret;

	ret = attr_parse(CHANNEL_DONE, payload, length, &table);
	if (ret < 0) {
		broken(session, "malformed DONE");
		return;
	}
	if (session->write_error) {
		session_fail(session, ECONNRESET, "the connection was lost in the handshake: %s",
			     strerror(session->write_error));
		return;
	}
	common_result(session, &table, &result);
	result.version = attr_u16(&table, CHANNEL_A_VERSION, 0);
	result.cipher = attr_u16(&table, CHANNEL_A_CIPHER, 0);
	result.auth = attr_u32(&table, CHANNEL_A_AUTH, 0);
	result.resumed = attr_u32(&table, CHANNEL_A_RESUMED, 0);
	/* NFS and NVMe/TCP know their messages' lengths, and many end without close_notify */
	result.truncation_eof = session->consumer || attr_u32(&table, CHANNEL_A_TRUNCATION_EOF, 0);
	result.handler_timeout = attr_u32(&table, CHANNEL_A_HANDLER_TIMEOUT, 0);
	result.limit_records = attr_u64(&table, CHANNEL_A_LIMIT_RECORDS, 0);
	result.alpn = table.view[CHANNEL_A_ALPN].value;
	result.alpn_len = table.view[CHANNEL_A_ALPN].length;
	result.peer_cert = table.view[CHANNEL_A_PEER_CERT].value;
	result.peer_cert_len = table.view[CHANNEL_A_PEER_CERT].length;
	result.peer_identity =
		attr_text(&table, CHANNEL_A_PEER_IDENTITY, identity, sizeof(identity));
	result.server_name = attr_text(&table, CHANNEL_A_SERVER_NAME, name, sizeof(name));
	result.psk_key = attr_u32(&table, CHANNEL_A_PSK_KEY, 0);
	ret = session_done(session, &result);
	if (ret < 0) {
		/* Its socket was closed, or the time-out passed, meanwhile. */
		report_failure(session, -ret, "the kernel did not take the result");
		session_end(session, NULL, -ret);
		return;
	}
	session->version = result.version;
	session->cipher = result.cipher;
	session_established(session);
	report_done(session, &result);
	/* Without the module nothing more will be heard of it. */
	if (session->consumer && !consumer_adopted(session->consumer))
		session_end(session, NULL, 0);
}

static struct counters *session_counters(const struct session *session)
{
	return sessions_counters(session->all);
}

static void count_alerts(const struct session *session, const struct handshake_result *result)
{
	if (result->alert_sent >= 0)
		counters_alert_sent(session_counters(session), result->alert_sent);
	if (result->alert_received >= 0)
		counters_alert_received(session_counters(session), result->alert_received);
}

static void fail(struct session *session, const uint8_t *payload, size_t length)
{
	struct handshake_result result = HANDSHAKE_RESULT_INIT;
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	struct attr_table table;

	if (attr_parse(CHANNEL_FAIL, payload, length, &table) < 0) {
		broken(session, "malformed FAIL");
		return;
	}
	common_result(session, &table, &result);
	if (session->alert_lost)
		result.alert_sent = -1;
	/* Those of an established session are records of their own. */
	if (!session->established)
		count_alerts(session, &result);
	result.status = attr_u32(&table, CHANNEL_A_STATUS, EPROTO);
	result.error = attr_text(&table, CHANNEL_A_ERROR, words, sizeof(words));
	report_failure(session, result.status, result.error ? result.error : "no reason was given");
	session_end(session, &result, 0);
}

/* 0 or -EAGAIN. */
static int write_bytes(struct session *session, struct item *item)
{
	ssize_t n;

	while (item->offset < item->length && !session->write_error) {
		n = session_fd_write(session->fd, item->payload + item->offset,
				     item->length - item->offset);
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n < 0)
			session->write_error = -n; /* an alert may still be there to read */
		else
			item->offset += n;
	}
	return 0;
}

/* A KeyUpdate and the keys behind it; SENT tells the session handler when it is out.  After
 * close_notify it has to wait for ever, and receiving goes on.  0, -EAGAIN, or the session
 * has ended. */
static int update_keys(struct session *session, const struct record *record)
{
	int ret;

	if (session->sending_closed)
		return -EAGAIN;
	ret = session_fd_tx_update(session->fd, record->type, record->payload, record->length,
				   record->crypto_info, record->crypto_info_len);
	if (ret == -EPIPE) {
		session->sending_closed = true;
		return -EAGAIN;
	}
	if (ret == -EAGAIN)
		return ret;
	if (ret < 0)
		session_fail(session, -ret, "the kernel refused new sending keys: %s",
			     strerror(-ret));
	else if (session->handler)
		/* A successor asks no more than it knows; a channel that ended says so itself. */
		(void)!channel_send(session->handler->channel, CHANNEL_SENT, session->id, false,
				    NULL, 0);
	return 0;
}

/* 0, -EAGAIN, or the session has ended. */
static int send_record(struct session *session, const struct item *item)
{
	struct record record;
	int ret;

	ret = parse_record(item->payload, item->length, &record);
	if (ret < 0)
		return ret;
	if (record.crypto_info_len)
		return update_keys(session, &record);
	ret = session_fd_send(session->fd, record.type, record.payload, record.length);
	if (ret == -EAGAIN)
		return ret;
	/* A lost connection shows itself to the program; the kernel ends the session. */
	if (ret < 0)
		log_message(LOG_DEBUG, "session %" PRIu64 ": a record of type %u was not sent: %s",
			    session->id, record.type, strerror(-ret));
	else if (record.type == RECORD_ALERT && record.length == ALERT_SIZE)
		counters_alert_sent(session_counters(session), record.payload[1]);
	return 0;
}

static int run_item(struct session *session, struct item *item)
{
	switch (item->type) {
	case CHANNEL_BYTES:
		return write_bytes(session, item);
	case CHANNEL_KEYS:
		install_keys(session, item->payload, item->length);
		return 0;
	case CHANNEL_DONE:
		finish(session, item->payload, item->length);
		return 0;
	case CHANNEL_FAIL:
		fail(session, item->payload, item->length);
		return 0;
	case CHANNEL_RECORD:
		return send_record(session, item);
	}
	return 0;
}

static void update_poll(struct session *session)
{
	uint32_t events = 0;

	/* At its end the session fd would only repeat that it is. */
	if (session->ended || session->over || session->parked)
		return;
	/* Last words of a session handler: what comes now is nobody's any more. */
	if (session->want || (session->established && !session->alert_timer))
		events |= EPOLLIN;
	if (!STAILQ_EMPTY(&session->items) && !session->sending_closed)
		events |= EPOLLOUT;
	session_poll(session, events, false);
}

static void on_alert_timeout(evutil_socket_t fd, short what, void *arg);

/* Starts the one wait of a session whose end is near.  False: it cannot. */
static bool wait_for_alert(struct session *session)
{
	const struct timeval patience = { RELAY_ALERT_SECONDS, 0 };

	if (session->alert_timer)
		return true;
	session->alert_timer = evtimer_new(session_base(session), on_alert_timeout, session);
	return session->alert_timer && evtimer_add(session->alert_timer, &patience) == 0;
}

/* An established session whose handler gave it up waits for a sender only so long. */
static bool may_wait(struct session *session)
{
	if (session->handler || !session->established)
		return true;
	return !session->late && !session->sending_closed && wait_for_alert(session);
}

/* Does what is queued, in order, until the session fd makes it wait. */
static void run_items(struct session *session)
{
	struct item *item;
	int ret;

	while (!session->ended && (item = STAILQ_FIRST(&session->items))) {
		ret = run_item(session, item);
		if (ret == -EAGAIN && may_wait(session))
			break;
		if (session->ended)
			return; /* and the items are gone */
		session->alert_lost |= ret == -EAGAIN && item->type == CHANNEL_RECORD &&
				       item->payload[0] == RECORD_ALERT;
		STAILQ_REMOVE_HEAD(&session->items, entry);
		session->queued -= item->length + RELAY_ITEM_COST;
		explicit_bzero(item->payload, item->length);
		free(item);
	}
	if (session->over && STAILQ_EMPTY(&session->items))
		session_end(session, NULL, 0); /* the alert was what it waited for */
	else
		update_poll(session);
}

static void queue_item(struct session *session, const struct channel_message *message)
{
	struct item *item;

	if (session->queued + message->length + RELAY_ITEM_COST > RELAY_MAX_QUEUED) {
		broken(session, "more bytes than the window allows");
		return;
	}
	item = malloc(sizeof(*item) + message->length);
	if (!item) {
		session_fail(session, ENOMEM, "out of memory");
		return;
	}
	item->type = message->type;
	item->offset = 0;
	item->length = message->length;
	memcpy(item->payload, message->payload, message->length);
	STAILQ_INSERT_TAIL(&session->items, item, entry);
	session->queued += item->length + RELAY_ITEM_COST;
	run_items(session);
}

static void on_read_wish(struct session *session, const struct channel_message *message)
{
	uint32_t want;

	if (message->length != sizeof(want)) {
		broken(session, "malformed READ");
		return;
	}
	memcpy(&want, message->payload, sizeof(want));
	want = le32toh(want);
	if (!want || want > CHANNEL_MAX_READ || session->want) {
		broken(session, "READ of too much, or before the last one was answered");
		return;
	}
	session->want = want;
	update_poll(session);
}

static void on_keys(struct session *session, const struct channel_message *message)
{
	const uint8_t *crypto_info;
	struct channel_keys keys;
	bool *has;

	if (parse_keys(message->payload, message->length, &keys, &crypto_info) < 0) {
		broken(session, "malformed KEYS");
		return;
	}
	if (session->state == CHANNEL_STATE_HANDSHAKE) {
		has = keys.direction == CHANNEL_KEYS_TX ? &session->has_tx : &session->has_rx;
		if (*has) {
			broken(session, "KEYS twice for one direction");
			return;
		}
		*has = true;
		queue_item(session, message);
	} else if (keys.direction != CHANNEL_KEYS_RX) {
		broken(session, "sending keys without their record");
	} else if (session->established) {
		/* Receiving never waits behind what is to be sent. */
		install_keys(session, message->payload, message->length);
	} else {
		queue_item(session, message);
	}
}

static void on_continue(struct session *session, const struct channel_message *message)
{
	uint32_t what;
	int ret;

	if (message->length != sizeof(what)) {
		broken(session, "malformed CONTINUE");
		return;
	}
	memcpy(&what, message->payload, sizeof(what));
	what = le32toh(what);
	if (what > TLS_HANDOFF_CONTINUE_MORE || !session->established) {
		broken(session, "CONTINUE that nobody waits for");
		return;
	}
	ret = session_fd_continue(session->fd, what);
	if (ret < 0)
		log_message(LOG_DEBUG, "session %" PRIu64 ": CONTINUE: %s", session->id,
			    strerror(-ret));
}

/* The answer to a program that asked for keying material */
static void on_exported(struct session *session, const struct channel_message *message)
{
	size_t length = message->length - 2 * sizeof(uint32_t);
	uint32_t head[2];
	int ret;

	if (message->length < sizeof(head)) {
		broken(session, "malformed EXPORTED");
		return;
	}
	memcpy(head, message->payload, sizeof(head));
	head[0] = le32toh(head[0]);
	head[1] = le32toh(head[1]);
	if (head[1] > RELAY_MAX_ERRNO || (head[1] ? length > 0 : !length) ||
	    length > RELAY_MAX_EXPORT) {
		broken(session, "malformed EXPORTED");
		return;
	}
	ret = session_fd_exported(session->fd, head[0], head[1], message->payload + sizeof(head),
				  length);
	/* Nobody waits for it any more, for instance. */
	if (ret < 0)
		log_message(LOG_DEBUG, "session %" PRIu64 ": EXPORTED: %s", session->id,
			    strerror(-ret));
}

void relay_message(struct session *session, const struct channel_message *message)
{
	struct record record;

	switch (message->type) {
	case CHANNEL_READ:
		on_read_wish(session, message);
		break;
	case CHANNEL_BYTES:
		if (!message->length || message->length > CHANNEL_MAX_BYTES)
			broken(session, "malformed BYTES");
		else if (session->has_tx)
			broken(session, "handshake bytes behind the sending keys");
		else
			queue_item(session, message);
		break;
	case CHANNEL_KEYS:
		on_keys(session, message);
		break;
	case CHANNEL_DONE:
		if (!session->has_tx || !session->has_rx) {
			broken(session, "DONE before both keys");
			break;
		}
		session->state = CHANNEL_STATE_ESTABLISHED;
		session->want = 0;
		queue_item(session, message);
		break;
	case CHANNEL_FAIL:
		session_detach(session);
		queue_item(session, message);
		break;
	case CHANNEL_RECORD:
		if (parse_record(message->payload, message->length, &record) < 0)
			broken(session, "malformed RECORD");
		else if (session->returned)
			log_message(LOG_DEBUG, "session %" PRIu64 ": a record came too late",
				    session->id);
		else
			queue_item(session, message);
		break;
	case CHANNEL_CONTINUE:
		on_continue(session, message);
		break;
	case CHANNEL_EXPORTED:
		on_exported(session, message);
		break;
	default:
		broken(session, "an answer that was not asked for");
	}
}

/* The kernel ended the handshake, which looks like HUP without what TCP's end brings. */
static bool kernel_ended(const struct session *session)
{
	struct pollfd poller = { session->fd, POLLRDHUP };

	return poll(&poller, 1, 0) == 1 && (poller.revents & (POLLHUP | POLLRDHUP)) == POLLHUP;
}

/* Nothing more will come of this handshake. */
static void lost(struct session *session, int error)
{
	if (kernel_ended(session))
		session_fail(session, ETIMEDOUT,
			     "the program gave it up, or it took longer than %u ms",
			     session->timeout);
	else if (error)
		session_fail(session, ECONNRESET, "the connection was lost in the handshake: %s",
			     strerror(error));
	else
		session_fail(session, ECONNRESET,
			     "the peer closed the connection in the handshake");
}

static void read_bytes(struct session *session)
{
	uint8_t buffer[CHANNEL_MAX_BYTES];
	size_t size = session->want < sizeof(buffer) ? session->want : sizeof(buffer);
	ssize_t n;
	int ret;

	n = session_fd_read(session->fd, buffer, size);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		lost(session, -n);
		return;
	}
	session->want -= n;
	ret = channel_send(session->handler->channel, CHANNEL_BYTES, session->id, true, buffer, n);
	if (ret < 0)
		session_fail(session, ECONNRESET, "cannot reach tlshd-session: %s", strerror(-ret));
}

static void handshake_event(struct session *session, uint32_t events)
{
	bool over = events & (EPOLLHUP | EPOLLERR);

	if (session->want && (over || events & EPOLLIN))
		read_bytes(session);
	if (!session->ended && !STAILQ_EMPTY(&session->items) && (over || events & EPOLLOUT))
		run_items(session);
	if (session->ended || session->established)
		return;
	if (over && !session->want && STAILQ_EMPTY(&session->items)) {
		/* TCP is at its end, but an alert may wait to be asked for: the handler decides. */
		if (kernel_ended(session))
			lost(session, 0);
		else
			session_poll(session, 0, true);
		return;
	}
	update_poll(session);
}

static void on_alert_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	session->late = true;
	if (!session->over)
		run_items(session);
	if (!session->ended)
		session_end(session, NULL, ETIMEDOUT);
}

/* The kernel has no more records.  If one failed it holds the connection for the alert. */
static void at_end(struct session *session)
{
	if (!session->alert_due || !session->handler) {
		session_end(session, NULL, 0);
		return;
	}
	session_poll(session, 0, true);
	if (session->ended || session->over)
		return;
	session->over = true;
	if (!wait_for_alert(session))
		session_end(session, NULL, ENOMEM);
}

/* A program wants keying material: asks the session handler, or answers at once. */
static void on_export(struct session *session, uint32_t request, const uint8_t *payload,
		      size_t length)
{
	struct tls_handoff_exporter wish;
	struct channel_export export;
	int ret = -ESRCH;

	if (length < sizeof(wish)) {
		session_fail(session, EPROTO, "malformed event from the kernel");
		return;
	}
	memcpy(&wish, payload, sizeof(wish));
	payload += sizeof(wish);
	length -= sizeof(wish);
	if (length != (size_t)wish.label_len + wish.context_len) {
		session_fail(session, EPROTO, "malformed event from the kernel");
		return;
	}
	export.request = htole32(request);
	export.label_len = htole16(wish.label_len);
	export.context_len = htole16(wish.context_len);
	export.out_len = htole16(wish.out_len);
	export.flags = htole16(wish.flags);
	if (session->handler)
		ret = channel_send2(session->handler->channel, CHANNEL_EXPORT, session->id, true,
				    &export, sizeof(export), payload, length);
	if (ret < 0)
		(void)!session_fd_exported(session->fd, request, ESRCH, NULL, 0);
}

/* What the kernel tells besides records.  True: it is done with. */
static bool on_kernel_event(struct session *session, uint8_t *payload, size_t length)
{
	struct tls_handoff_event event;

	if (length < sizeof(event)) {
		session_fail(session, EPROTO, "malformed event from the kernel");
		return true;
	}
	memcpy(&event, payload, sizeof(event));
	if (event.event == TLS_HANDOFF_EVENT_EXPORT) {
		on_export(session, event.error, payload + sizeof(event), length - sizeof(event));
		return true;
	}
	if (length != sizeof(event)) {
		session_fail(session, EPROTO, "malformed event from the kernel");
		return true;
	}
	if (event.event == TLS_HANDOFF_EVENT_CLOSED) {
		log_message(LOG_DEBUG, "session %" PRIu64 ": the program closed it", session->id);
		session_end(session, NULL, 0);
		return true;
	}
	session->alert_due |= event.event == TLS_HANDOFF_EVENT_FAILED;
	event.event = htole32(event.event);
	event.error = htole32(event.error);
	memcpy(payload, &event, sizeof(event));
	return false;
}

/*
 * On alerts, and on most of its events, the kernel has acted itself; what a session
 * handler would add to that can be done without.
 */
static bool needs_handler(uint8_t type, const uint8_t *payload)
{
	struct tls_handoff_event event;

	if (type != TLS_HANDOFF_RECORD_EVENT)
		return type != RECORD_ALERT;
	memcpy(&event, payload, sizeof(event));
	return le32toh(event.event) == TLS_HANDOFF_EVENT_REKEY;
}

/* True: there may be more. */
static bool receive_record(struct session *session)
{
	uint8_t buffer[TLS_HANDOFF_MAX_RECORD + RELAY_RECORD_SLACK], type;
	ssize_t n;
	int ret;

	n = session_fd_receive(session->fd, &type, buffer, sizeof(buffer));
	if (n == -EAGAIN)
		return false;
	if (n == 0) {
		at_end(session);
		return false;
	}
	if (n < 0) {
		session_fail(session, -n, "cannot take a record: %s", strerror(-n));
		return false;
	}
	if (type == TLS_HANDOFF_RECORD_EVENT && on_kernel_event(session, buffer, n))
		return !session->ended;
	if (type == RECORD_ALERT && n == ALERT_SIZE)
		counters_alert_received(session_counters(session), buffer[1]);
	if (!session->handler && !needs_handler(type, buffer))
		return true;
	if (!session->handler) {
		session_fail(
			session, ESRCH,
			"a record needs tlshd-session, and the one that knew the session is gone");
		return false;
	}
	ret = channel_send2(session->handler->channel, CHANNEL_RECORD, session->id, true, &type,
			    sizeof(type), buffer, n);
	explicit_bzero(buffer, n);
	if (ret < 0) {
		session_fail(session, ECONNRESET, "cannot reach tlshd-session: %s", strerror(-ret));
		return false;
	}
	return true;
}

static void established_event(struct session *session, uint32_t events)
{
	int i;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		for (i = 0; i < RELAY_BATCH; i++)
			if (!receive_record(session))
				break;
	if (!session->ended && events & EPOLLOUT)
		run_items(session);
}

void relay_resume(struct session *session)
{
	run_items(session);
}

void relay_event(struct session *session, uint32_t events)
{
	if (session->parked)
		return;
	if (session->established)
		established_event(session, events);
	else
		handshake_event(session, events);
}
