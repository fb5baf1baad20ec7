// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests and answers, see serve.h.
 */
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "channel.h"
#include "log.h"
#include "scheme.h"
#include "serve.h"
#include "signer.h"

/**
 * struct keys_server - the one connection we serve
 * @pending: request id -> struct keys_job, from SIGN or UNSEAL until it is answered
 *	or, cancelled, comes back from its signer; the jobs belong to the signers
 * @finished_fd: eventfd that the signers write to
 */
struct keys_server {
	struct event_base *base;
	const struct keyset *keyset;
	struct channel *channel;
	int result;
	GHashTable *pending;
	int finished_fd;
	struct event *finished;
	struct keys_signer *signers[KEYS_SIGNER_COUNT];
};

static int send_error(struct keys_server *server, uint64_t request, int error, const char *words)
{
	uint32_t number = htole32((uint32_t)error);

	return channel_send2(server->channel, KEYS_ERROR, request, false, &number, sizeof(number),
			     words, strlen(words));
}

static const char *words_of(const struct keys_job *job)
{
	return job->words.text[0] ? job->words.text : strerror(-job->error);
}

static const struct keys_entry *entry_of(const struct keys_server *server,
					 const struct keys_job *job)
{
	return job->object->backend->sign ? &server->keyset->keys[job->number] :
					    &server->keyset->psks[job->number];
}

/* Every use of a key leaves a line, whether or not somebody still waits for it. */
static void log_job(const struct keys_server *server, const struct keys_job *job)
{
	const struct keys_entry *entry = entry_of(server, job);
	bool psk = !job->object->backend->sign;
	char name[256];

	log_escape(name, sizeof(name), job->object->name, strlen(job->object->name));
	if (job->error)
		log_message(LOG_WARNING, "%s %u \"%s\" (%s), profile %s, user %u, session %llu: %s",
			    psk ? "PSK" : "key", job->number, name, job->object->backend->name,
			    entry->profile, job->uid, (unsigned long long)job->session,
			    words_of(job));
	else if (psk)
		log_message(LOG_INFO, "PSK %u (%s) given out, profile %s, user %u, request %llu",
			    job->number, job->object->backend->name, entry->profile, job->uid,
			    (unsigned long long)job->request);
	else
		log_message(LOG_INFO, "key %u (%s) signed %s, profile %s, user %u, session %llu",
			    job->number, job->object->backend->name,
			    keys_scheme_name(job->scheme, job->hash), entry->profile, job->uid,
			    (unsigned long long)job->session);
}

static void answer(struct keys_server *server, const struct keys_job *job)
{
	uint16_t type = job->object->backend->sign ? KEYS_SIGNED : KEYS_SECRET;
	int ret;

	if (job->error)
		ret = send_error(server, job->request, -job->error, words_of(job));
	else
		ret = channel_send(server->channel, type, job->request, false, job->result,
				   job->result_len);
	/* A dead channel ends us by its closed callback. */
	if (ret < 0 && ret != -EPIPE)
		log_message(LOG_ERR, "cannot answer request %llu: %s",
			    (unsigned long long)job->request, strerror(-ret));
}

static void finish(struct keys_server *server, struct keys_job *job)
{
	log_job(server, job);
	g_hash_table_remove(server->pending, &job->request);
	if (!job->cancelled)
		answer(server, job);
	keys_job_free(job);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct keys_server *server = arg;
	struct keys_job *job, *next;
	eventfd_t count;

	(void)what;
	eventfd_read(fd, &count);
	for (size_t i = 0; i < KEYS_SIGNER_COUNT; i++)
		for (job = keys_signer_finished(server->signers[i]); job; job = next) {
			next = job->next;
			finish(server, job);
		}
}

/* Takes over @job. */
static int submit(struct keys_server *server, struct keys_job *job)
{
	struct keys_signer *signer = server->signers[job->object->backend->signer];
	struct keys_job *evicted = NULL;
	int ret;

	ret = keys_signer_submit(signer, job, &evicted);
	if (ret < 0) {
		struct keys_words words;

		keys_say(&words,
			 ret == -EAGAIN ? "user %u waits for too many signatures already" :
					  "too many signatures wait, user %u has to try again",
			 job->uid);
		ret = send_error(server, job->request, -ret, words.text);
		keys_job_free(job);
		return ret;
	}
	g_hash_table_insert(server->pending, &job->request, job);
	if (evicted) {
		evicted->error = keys_fail(&evicted->words, ENOBUFS,
					   "too many signatures wait and most are of user %u",
					   evicted->uid);
		finish(server, evicted);
	}
	return 0;
}

static int check_sign(const struct keys_server *server, const struct keys_sign *sign,
		      size_t input_len, struct keys_words *words)
{
	const struct keys_public *public;
	size_t length = keys_hash_length(sign->hash);

	if (sign->number >= server->keyset->key_count)
		return keys_fail(words, ENOKEY, "there is no key %u", sign->number);
	public = &server->keyset->keys[sign->number].object->public;
	if (!keys_scheme_fits(public->kind, sign->scheme))
		return keys_fail(words, EINVAL, "key %u (%s) does not sign with scheme %u",
				 sign->number, keys_kind_name(public->kind), sign->scheme);
	if (!length)
		return keys_fail(words, EINVAL, "there is no hash %u", sign->hash);
	if (input_len != length)
		return keys_fail(words, EINVAL, "a digest of %zu bytes came, %zu are right",
				 input_len, length);
	return 0;
}

static int on_sign(struct keys_server *server, const struct channel_message *msg)
{
	struct keys_words words;
	struct keys_sign sign;
	struct keys_job *job;
	size_t input_len;
	int ret;

	if (msg->length < sizeof(sign))
		return -EPROTO;
	input_len = msg->length - sizeof(sign);
	if (input_len > KEYS_MAX_INPUT)
		return -EPROTO;
	memcpy(&sign, msg->payload, sizeof(sign));
	sign.number = le32toh(sign.number);
	sign.uid = le32toh(sign.uid);
	sign.scheme = le16toh(sign.scheme);
	sign.hash = le16toh(sign.hash);
	sign.session = le64toh(sign.session);
	ret = check_sign(server, &sign, input_len, &words);
	if (ret < 0)
		return send_error(server, msg->session, -ret, words.text);

	job = calloc(1, sizeof(*job));
	if (!job)
		return send_error(server, msg->session, ENOMEM, "the key holder is out of memory");
	job->request = msg->session;
	job->session = sign.session;
	job->uid = sign.uid;
	job->number = sign.number;
	job->object = server->keyset->keys[sign.number].object;
	job->scheme = sign.scheme;
	job->hash = sign.hash;
	job->digest_len = input_len;
	memcpy(job->digest, msg->payload + sizeof(sign), input_len);
	return submit(server, job);
}

static int on_unseal(struct keys_server *server, const struct channel_message *msg)
{
	struct keys_words words;
	struct keys_job *job;
	uint32_t fields[2];
	uint32_t number;
	int ret;

	if (msg->length != sizeof(fields))
		return -EPROTO;
	memcpy(fields, msg->payload, sizeof(fields));
	number = le32toh(fields[0]);
	if (number >= server->keyset->psk_count) {
		ret = keys_fail(&words, ENOKEY, "there is no PSK %u", number);
		return send_error(server, msg->session, -ret, words.text);
	}
	job = calloc(1, sizeof(*job));
	if (!job)
		return send_error(server, msg->session, ENOMEM, "the key holder is out of memory");
	job->request = msg->session;
	job->uid = le32toh(fields[1]);
	job->number = number;
	job->object = server->keyset->psks[number].object;
	return submit(server, job);
}

/* An answer may cross it, so an unknown request is no mistake. */
static int on_cancel(struct keys_server *server, const struct channel_message *msg)
{
	struct keys_job *job, *waiting;

	if (msg->length)
		return -EPROTO;
	job = g_hash_table_lookup(server->pending, &msg->session);
	if (!job)
		return 0;
	waiting = keys_signer_cancel(server->signers[job->object->backend->signer], job->uid,
				     job->request);
	if (!waiting) {
		job->cancelled = true;
		return 0;
	}
	g_hash_table_remove(server->pending, &waiting->request);
	keys_job_free(waiting);
	return 0;
}

static int on_message(void *arg, const struct channel_message *msg)
{
	struct keys_server *server = arg;

	switch (msg->type) {
	case KEYS_SIGN:
	case KEYS_UNSEAL:
		/* Answers find their way back by the id: one at a time, 0 is nobody's. */
		if (!msg->session || g_hash_table_contains(server->pending, &msg->session))
			return -EPROTO;
		return msg->type == KEYS_SIGN ? on_sign(server, msg) : on_unseal(server, msg);
	case KEYS_CANCEL:
		return on_cancel(server, msg);
	default:
		return -EPROTO;
	}
}

static void on_closed(void *arg, int error)
{
	struct keys_server *server = arg;

	server->result = error;
	event_base_loopbreak(server->base);
}

static const struct channel_ops server_ops = {
	.message = on_message,
	.closed = on_closed,
};

/* All but the signers */
static void destroy(struct keys_server *server)
{
	channel_free(server->channel);
	if (server->finished)
		event_free(server->finished);
	if (server->finished_fd >= 0)
		close(server->finished_fd);
	g_hash_table_destroy(server->pending);
	free(server);
}

int keys_server_new(struct event_base *base, int fd, const struct keyset *keyset,
		    struct keys_server **ret_server)
{
	struct keys_server *server = calloc(1, sizeof(*server));
	int ret = -ENOMEM;

	if (!server)
		return -ENOMEM;
	server->base = base;
	server->keyset = keyset;
	server->pending = g_hash_table_new(g_int64_hash, g_int64_equal);
	server->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->finished_fd < 0) {
		ret = -errno;
		goto fail;
	}
	server->finished =
		event_new(base, server->finished_fd, EV_READ | EV_PERSIST, on_finished, server);
	if (!server->finished || event_add(server->finished, NULL) < 0)
		goto fail;
	ret = channel_new(base, fd, &server_ops, server, &server->channel);
	if (ret < 0)
		goto fail;
	*ret_server = server;
	return 0;
fail:
	destroy(server);
	return ret;
}

static int announce_key(struct keys_server *server, size_t number)
{
	const struct keys_entry *entry = &server->keyset->keys[number];
	const struct keys_public *public = &entry->object->public;
	struct keys_announce announce = {
		.number = htole32((uint32_t)number),
		.kind = htole32(public->kind),
		.bits = htole32(public->bits),
		.index = htole32(entry->index),
	};

	memcpy(announce.profile, entry->profile, sizeof(announce.profile));
	return channel_send2(server->channel, KEYS_KEY, 0, false, &announce, sizeof(announce),
			     public->spki, public->spki_len);
}

static int announce_psk(struct keys_server *server, size_t number)
{
	const struct keys_entry *entry = &server->keyset->psks[number];
	struct keys_psk announce = { .number = htole32((uint32_t)number) };

	memcpy(announce.profile, entry->profile, sizeof(announce.profile));
	return channel_send2(server->channel, KEYS_PSK, 0, false, &announce, sizeof(announce),
			     entry->identity, strlen(entry->identity));
}

int keys_server_start(struct keys_server *server)
{
	int ret;

	for (size_t i = 0; i < KEYS_SIGNER_COUNT; i++) {
		ret = keys_signer_new(server->finished_fd, &server->signers[i]);
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < server->keyset->key_count; i++) {
		ret = announce_key(server, i);
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < server->keyset->psk_count; i++) {
		ret = announce_psk(server, i);
		if (ret < 0)
			return ret;
	}
	return channel_send(server->channel, KEYS_READY, 0, false, TLS_HANDOFF_VERSION,
			    strlen(TLS_HANDOFF_VERSION));
}

int keys_server_result(const struct keys_server *server)
{
	return server->result;
}

int keys_server_free(struct keys_server *server)
{
	int ret = 0;

	if (!server)
		return 0;
	for (size_t i = 0; i < KEYS_SIGNER_COUNT; i++)
		if (keys_signer_free(server->signers[i]) < 0)
			ret = -EBUSY;
	if (ret < 0)
		return ret;
	destroy(server);
	return 0;
}
