// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests to the key holder.  A request lives on the waiting handshake's stack
 * and is found again by its id; whoever stops waiting takes it out of the table,
 * so an answer can never reach a stack that is gone.
 */
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "coroutine.h"
#include "keyclient.h"
#include "log.h"

struct psk {
	uint32_t number;
	char profile[64];
	size_t length;
	uint8_t identity[TLS_HANDOFF_MAX_PSK_IDENTITY];
};

struct keyclient {
	struct event_base *base;
	struct channel *channel;
	bool ready; /* READY came */
	char version[4 * KEYS_MAX_VERSION + 1];
	int closed;	      /* 0, or why the channel ended: -EPIPE, -EPROTO */
	GPtrArray *keys;      /* struct keyclient_key */
	GPtrArray *psks;      /* struct psk */
	GHashTable *requests; /* &request->id: request */
	uint64_t last_id;
};

struct request {
	uint64_t id;
	uint16_t expected; /* type of the answer */
	struct coroutine *waiter;
	bool answered;
	int result;
	gnutls_datum_t answer;
	char *words;
};

static bool profile_name_is_sane(const char *name, size_t size)
{
	size_t length = strnlen(name, size);

	if (length == 0 || length == size)
		return false;
	for (size_t i = length; i < size; i++)
		if (name[i])
			return false;
	return true;
}

static bool kind_is_known(uint32_t kind)
{
	return kind >= KEYS_KIND_EC_P256 && kind <= KEYS_KIND_RSA;
}

static int handle_key(struct keyclient *client, const struct channel_message *msg)
{
	struct keys_announce announce;
	struct keyclient_key *key;
	size_t spki;

	if (client->ready || msg->session || client->keys->len >= KEYS_MAX_KEYS ||
	    msg->length <= sizeof(announce) || msg->length > sizeof(announce) + KEYS_MAX_SPKI)
		return -EPROTO;
	memcpy(&announce, msg->payload, sizeof(announce));
	spki = msg->length - sizeof(announce);
	if (!profile_name_is_sane(announce.profile, sizeof(announce.profile)) ||
	    !kind_is_known(le32toh(announce.kind)))
		return -EPROTO;

	key = calloc(1, sizeof(*key));
	if (!key)
		return -ENOMEM;
	key->spki.data = malloc(spki);
	if (!key->spki.data) {
		free(key);
		return -ENOMEM;
	}
	memcpy(key->spki.data, msg->payload + sizeof(announce), spki);
	key->spki.size = (unsigned int)spki;
	key->client = client;
	key->number = le32toh(announce.number);
	key->kind = le32toh(announce.kind);
	key->bits = le32toh(announce.bits);
	key->index = le32toh(announce.index);
	memcpy(key->profile, announce.profile, sizeof(key->profile));
	g_ptr_array_add(client->keys, key);
	return 0;
}

static int handle_psk(struct keyclient *client, const struct channel_message *msg)
{
	struct keys_psk announce;
	struct psk *psk;

	if (client->ready || msg->session || client->psks->len >= KEYS_MAX_KEYS ||
	    msg->length <= sizeof(announce) ||
	    msg->length > sizeof(announce) + sizeof(psk->identity))
		return -EPROTO;
	memcpy(&announce, msg->payload, sizeof(announce));
	if (!profile_name_is_sane(announce.profile, sizeof(announce.profile)))
		return -EPROTO;
	psk = calloc(1, sizeof(*psk));
	if (!psk)
		return -ENOMEM;
	psk->number = le32toh(announce.number);
	memcpy(psk->profile, announce.profile, sizeof(psk->profile));
	psk->length = msg->length - sizeof(announce);
	memcpy(psk->identity, msg->payload + sizeof(announce), psk->length);
	g_ptr_array_add(client->psks, psk);
	return 0;
}

static void request_finish(struct request *request, int result)
{
	request->answered = true;
	request->result = result;
	coroutine_resume(request->waiter);
}

/* Identity and secret of a kernel key fill what is behind the head. */
static bool kernel_secret_is_sane(const struct channel_message *msg)
{
	struct keys_kernel_secret head;
	size_t identity, rest;

	if (msg->length < sizeof(head))
		return false;
	memcpy(&head, msg->payload, sizeof(head));
	identity = le16toh(head.identity_length);
	rest = msg->length - sizeof(head);
	return head.serial && identity > 0 && identity <= KEYS_MAX_KERNEL_IDENTITY &&
	       rest > identity && rest - identity <= KEYS_MAX_PSK;
}

/* So do public key and certificate of a pair. */
static bool opened_is_sane(const struct channel_message *msg)
{
	struct keys_opened head;
	size_t spki, rest;

	if (msg->length < sizeof(head))
		return false;
	memcpy(&head, msg->payload, sizeof(head));
	spki = le32toh(head.spki_length);
	rest = msg->length - sizeof(head);
	return le32toh(head.number) >= KEYS_KERNEL_NUMBERS && kind_is_known(le32toh(head.kind)) &&
	       spki > 0 && spki <= KEYS_MAX_SPKI && rest > spki &&
	       rest - spki <= KEYS_MAX_KERNEL_CERTIFICATE;
}

static bool answer_is_sane(const struct channel_message *msg)
{
	switch (msg->type) {
	case KEYS_SIGNED:
		return msg->length > 0 && msg->length <= KEYS_MAX_SIGNATURE;
	case KEYS_SECRET:
		return msg->length > 0 && msg->length <= KEYS_MAX_PSK;
	case KEYS_OPENED:
		return opened_is_sane(msg);
	default:
		return kernel_secret_is_sane(msg);
	}
}

static int take_answer(struct request *request, const struct channel_message *msg)
{
	if (!answer_is_sane(msg))
		return -EPROTO;
	request->answer.data = malloc(msg->length);
	if (!request->answer.data)
		return -ENOMEM;
	memcpy(request->answer.data, msg->payload, msg->length);
	request->answer.size = (unsigned int)msg->length;
	return 0;
}

static int take_error(struct request *request, const struct channel_message *msg)
{
	uint32_t error;

	if (msg->length < sizeof(error))
		return -EPROTO;
	memcpy(&error, msg->payload, sizeof(error));
	error = le32toh(error);
	if (error == 0 || error > 4095)
		return -EPROTO;
	log_escape(request->words, KEYCLIENT_MAX_WORDS, (const char *)msg->payload + sizeof(error),
		   msg->length - sizeof(error));
	return -(int)error;
}

static void close_number(struct keyclient *client, uint32_t number)
{
	const uint32_t wire = htole32(number);

	/* with a dead channel the key is closed, too */
	if (!client->closed &&
	    channel_send(client->channel, KEYS_CLOSE_KERNEL, 0, false, &wire, sizeof(wire)) < 0)
		client->closed = -EPIPE;
}

/* An answer that nobody takes any more */
static int handle_crossed(struct keyclient *client, const struct channel_message *msg)
{
	uint32_t number;

	if (msg->type != KEYS_OPENED)
		return 0;
	if (!opened_is_sane(msg))
		return -EPROTO;
	memcpy(&number, msg->payload, sizeof(number));
	close_number(client, le32toh(number));
	return 0;
}

static int handle_answer(struct keyclient *client, const struct channel_message *msg)
{
	struct request *request = g_hash_table_lookup(client->requests, &msg->session);
	int r;

	if (!request)
		return handle_crossed(client, msg); /* our CANCEL */
	if (msg->type == KEYS_ERROR)
		r = take_error(request, msg);
	else if (msg->type == request->expected)
		r = take_answer(request, msg);
	else
		r = -EPROTO;
	if (r == -ENOMEM)
		(void)handle_crossed(client, msg);
	request_finish(request, r);
	return r == -EPROTO ? -EPROTO : 0;
}

static int handle_ready(struct keyclient *client, const struct channel_message *msg)
{
	if (client->ready || msg->session || msg->length > KEYS_MAX_VERSION)
		return -EPROTO;
	log_escape(client->version, sizeof(client->version), (const char *)msg->payload,
		   msg->length);
	client->ready = true;
	event_base_loopbreak(client->base);
	return 0;
}

static int keyclient_message(void *arg, const struct channel_message *msg)
{
	struct keyclient *client = arg;

	switch (msg->type) {
	case KEYS_KEY:
		return handle_key(client, msg);
	case KEYS_PSK:
		return handle_psk(client, msg);
	case KEYS_READY:
		return handle_ready(client, msg);
	case KEYS_SIGNED:
	case KEYS_SECRET:
	case KEYS_KERNEL_SECRET:
	case KEYS_OPENED:
	case KEYS_ERROR:
		return client->ready ? handle_answer(client, msg) : -EPROTO;
	default:
		return -EPROTO;
	}
}

static void keyclient_closed(void *arg, int error)
{
	struct keyclient *client = arg;
	GHashTableIter iter;
	gpointer request;

	client->closed = error ? error : -EPIPE;
	if (!client->ready) {
		event_base_loopbreak(client->base);
		return;
	}
	log_message(LOG_ERR,
		    "the key holder is gone: no key can be used until it is started again");
	/* A resumed handshake takes its request out of the table: start over each time. */
	for (g_hash_table_iter_init(&iter, client->requests);
	     g_hash_table_iter_next(&iter, NULL, &request);
	     g_hash_table_iter_init(&iter, client->requests))
		request_finish(request, -EPIPE);
}

static const struct channel_ops keyclient_ops = {
	.message = keyclient_message,
	.closed = keyclient_closed,
};

static void key_free(void *arg)
{
	struct keyclient_key *key = arg;

	free(key->spki.data);
	free(key);
}

int keyclient_new(struct event_base *base, int fd, struct keyclient **ret_client)
{
	struct keyclient *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->base = base;
	client->keys = g_ptr_array_new_with_free_func(key_free);
	client->psks = g_ptr_array_new_with_free_func(free);
	client->requests = g_hash_table_new(g_int64_hash, g_int64_equal);
	r = channel_new(base, fd, &keyclient_ops, client, &client->channel);
	if (r == 0 && event_base_dispatch(base) < 0)
		r = -EIO;
	if (r == 0 && !client->ready)
		r = client->closed ? client->closed : -EPIPE;
	if (r < 0) {
		keyclient_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void keyclient_free(struct keyclient *client)
{
	if (!client)
		return;
	channel_free(client->channel);
	g_ptr_array_free(client->keys, TRUE);
	g_ptr_array_free(client->psks, TRUE);
	g_hash_table_destroy(client->requests);
	free(client);
}

const char *keyclient_version(const struct keyclient *client)
{
	return client && *client->version ? client->version : "unknown";
}

size_t keyclient_key_count(const struct keyclient *client)
{
	return client->keys->len;
}

struct keyclient_key *keyclient_key(struct keyclient *client, size_t i)
{
	return g_ptr_array_index(client->keys, i);
}

int keyclient_find_psk(const struct keyclient *client, const char *profile, const void *identity,
		       size_t length, uint32_t *ret_number)
{
	for (guint i = 0; i < client->psks->len; i++) {
		const struct psk *psk = g_ptr_array_index(client->psks, i);

		if (strcmp(psk->profile, profile) == 0 && psk->length == length &&
		    memcmp(psk->identity, identity, length) == 0) {
			*ret_number = psk->number;
			return 0;
		}
	}
	return -ENOENT;
}

/* Waits until @request, which was just sent, is answered. */
static int request_wait(struct keyclient *client, struct request *request,
			const struct keyclient_user *user, gnutls_datum_t *ret_answer)
{
	g_hash_table_insert(client->requests, &request->id, request);
	while (!request->answered && !*user->cancelled)
		coroutine_yield();
	g_hash_table_remove(client->requests, &request->id);

	if (!request->answered) {
		/* if the channel is dead, nobody works on it anyway */
		if (channel_send(client->channel, KEYS_CANCEL, request->id, false, NULL, 0) < 0)
			client->closed = -EPIPE;
		return -ECANCELED;
	}
	if (request->result < 0)
		return request->result;
	*ret_answer = request->answer;
	return 0;
}

static int request_send(struct keyclient *client, struct request *request, uint16_t type,
			const void *head, size_t head_len, const void *body, size_t body_len)
{
	request->words[0] = 0;
	if (client->closed)
		return -EPIPE;
	request->id = ++client->last_id;
	request->waiter = coroutine_current();
	return channel_send2(client->channel, type, request->id, false, head, head_len, body,
			     body_len);
}

int keyclient_sign(struct keyclient_key *key, const struct keyclient_user *user,
		   enum keys_scheme scheme, enum keys_hash hash, const uint8_t *digest,
		   size_t length, gnutls_datum_t *ret_signature, char *words)
{
	struct request request = { .expected = KEYS_SIGNED, .words = words };
	const struct keys_sign sign = {
		.number = htole32(key->number),
		.uid = htole32(user->uid),
		.scheme = htole16((uint16_t)scheme),
		.hash = htole16((uint16_t)hash),
		.session = htole64(user->session),
	};
	int r;

	r = request_send(key->client, &request, KEYS_SIGN, &sign, sizeof(sign), digest, length);
	return r < 0 ? r : request_wait(key->client, &request, user, ret_signature);
}

int keyclient_unseal(struct keyclient *client, const struct keyclient_user *user, uint32_t psk,
		     gnutls_datum_t *ret_secret, char *words)
{
	struct request request = { .expected = KEYS_SECRET, .words = words };
	const uint32_t unseal[2] = { htole32(psk), htole32(user->uid) };
	int r;

	r = request_send(client, &request, KEYS_UNSEAL, unseal, sizeof(unseal), NULL, 0);
	return r < 0 ? r : request_wait(client, &request, user, ret_secret);
}

/* An answer whose form was checked */
static void read_kernel_secret(const gnutls_datum_t *answer, struct keyclient_kernel_psk *psk)
{
	const uint8_t *identity = answer->data + sizeof(struct keys_kernel_secret);
	struct keys_kernel_secret head;

	memcpy(&head, answer->data, sizeof(head));
	psk->serial = le32toh(head.serial);
	psk->identity_length = le16toh(head.identity_length);
	memcpy(psk->identity, identity, psk->identity_length);
	psk->length = answer->size - sizeof(head) - psk->identity_length;
	memcpy(psk->secret, identity + psk->identity_length, psk->length);
}

int keyclient_unseal_kernel(struct keyclient *client, const struct keyclient_user *user,
			    uint32_t keyring, uint32_t serial, const void *identity, size_t length,
			    struct keyclient_kernel_psk *ret_psk, char *words)
{
	struct request request = { .expected = KEYS_KERNEL_SECRET, .words = words };
	const struct keys_unseal_kernel unseal = {
		.uid = htole32(user->uid),
		.keyring = htole32(keyring),
		.serial = htole32(serial),
		.session = htole64(user->session),
	};
	gnutls_datum_t answer = { NULL, 0 };
	int r;

	r = request_send(client, &request, KEYS_UNSEAL_KERNEL, &unseal, sizeof(unseal), identity,
			 serial ? 0 : length);
	if (r == 0)
		r = request_wait(client, &request, user, &answer);
	if (r < 0)
		return r;
	read_kernel_secret(&answer, ret_psk);
	keyclient_answer_free(&answer);
	if (serial ? ret_psk->serial == serial :
		     ret_psk->identity_length == length &&
			     memcmp(ret_psk->identity, identity, length) == 0)
		return 0;
	snprintf(words, KEYCLIENT_MAX_WORDS, "the key holder gave another key");
	return -EPROTO;
}

/* An answer whose form was checked: a key and what is left of it; both or none, then -ENOMEM */
static int read_opened(struct keyclient *client, const gnutls_datum_t *answer,
		       struct keyclient_key **ret_key, gnutls_datum_t *ret_certificate)
{
	struct keyclient_key *key = calloc(1, sizeof(*key));
	const uint8_t *spki = answer->data + sizeof(struct keys_opened);
	struct keys_opened head;
	size_t rest;

	memcpy(&head, answer->data, sizeof(head));
	rest = answer->size - sizeof(head) - le32toh(head.spki_length);
	if (key)
		key->spki.data = malloc(le32toh(head.spki_length));
	ret_certificate->data = malloc(rest + 1);
	if (!key || !key->spki.data || !ret_certificate->data) {
		close_number(client, le32toh(head.number));
		free(ret_certificate->data);
		ret_certificate->data = NULL;
		if (key)
			key_free(key);
		return -ENOMEM;
	}
	key->client = client;
	key->number = le32toh(head.number);
	key->kind = le32toh(head.kind);
	key->bits = le32toh(head.bits);
	key->spki.size = le32toh(head.spki_length);
	memcpy(key->spki.data, spki, key->spki.size);
	memcpy(ret_certificate->data, spki + key->spki.size, rest);
	ret_certificate->data[rest] = 0;
	ret_certificate->size = (unsigned int)rest;
	*ret_key = key;
	return 0;
}

int keyclient_open_kernel(struct keyclient *client, const struct keyclient_user *user,
			  uint32_t certificate, uint32_t private_key,
			  struct keyclient_key **ret_key, gnutls_datum_t *ret_certificate,
			  char *words)
{
	struct request request = { .expected = KEYS_OPENED, .words = words };
	const struct keys_open_kernel open = {
		.uid = htole32(user->uid),
		.certificate = htole32(certificate),
		.private_key = htole32(private_key),
		.session = htole64(user->session),
	};
	gnutls_datum_t answer = { NULL, 0 };
	int r;

	r = request_send(client, &request, KEYS_OPEN_KERNEL, &open, sizeof(open), NULL, 0);
	if (r == 0)
		r = request_wait(client, &request, user, &answer);
	if (r < 0)
		return r;
	r = read_opened(client, &answer, ret_key, ret_certificate);
	keyclient_answer_free(&answer);
	return r;
}

void keyclient_close_kernel(struct keyclient_key *key)
{
	if (!key)
		return;
	close_number(key->client, key->number);
	key_free(key);
}

void keyclient_answer_free(gnutls_datum_t *answer)
{
	if (answer->data)
		explicit_bzero(answer->data, answer->size);
	free(answer->data);
	*answer = (gnutls_datum_t){ NULL, 0 };
}
