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
#include "kernel_request.h"
#include "kernel_table.h"
#include "log.h"
#include "scheme.h"
#include "serve.h"
#include "signer.h"

/**
 * struct keys_server - the one connection we serve
 * @pending: request id -> struct keys_job, from the request until it is answered
 *	or, cancelled, comes back from its signer; the jobs belong to the signers
 * @kernel: private keys that OPEN_KERNEL opened
 * @finished_fd: eventfd that the signers write to
 */
struct keys_server {
	struct event_base *base;
	const struct keyset *keyset;
	struct channel *channel;
	int result;
	GHashTable *pending;
	struct kernel_table *kernel;
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

static bool is_kernel_number(uint32_t number)
{
	return number >= KEYS_KERNEL_NUMBERS;
}

/* After the last look at it */
static void drop_job(struct keys_server *server, struct keys_job *job)
{
	if (!job->kernel && is_kernel_number(job->number))
		kernel_table_put(server->kernel, job->number);
	keys_job_free(job);
}

/* Reading kernel keys takes its turns with software keys. */
static struct keys_signer *signer_of(const struct keys_server *server, const struct keys_job *job)
{
	return server->signers[job->kernel ? KEYS_SIGNER_SOFTWARE : job->object->backend->signer];
}

static const char *profile_of(const struct keys_server *server, const struct keys_job *job)
{
	if (is_kernel_number(job->number))
		return "-";
	return job->object->backend->sign ? server->keyset->keys[job->number].profile :
					    server->keyset->psks[job->number].profile;
}

static void log_kernel_job(const struct keys_job *job)
{
	const struct kernel_request *request = job->kernel;
	unsigned long long session = job->session;
	char what[256];

	kernel_request_describe(request, what, sizeof(what));
	if (job->error)
		log_message(LOG_WARNING, "%s, user %u, session %llu: %s", what, job->uid, session,
			    words_of(job));
	else if (request->type == KEYS_OPEN_KERNEL)
		log_message(LOG_INFO, "%s opened, user %u, session %llu", what, job->uid, session);
	else
		log_message(LOG_INFO, "%s given out: kernel key %u, user %u, session %llu", what,
			    request->psk.serial, job->uid, session);
}

/* Every use of a key leaves a line, whether or not somebody still waits for it. */
static void log_job(const struct keys_server *server, const struct keys_job *job)
{
	const char *profile = profile_of(server, job);
	bool psk = !job->object->backend->sign;
	char name[256];

	log_escape(name, sizeof(name), job->object->name, strlen(job->object->name));
	if (job->error)
		log_message(LOG_WARNING, "%s %u \"%s\" (%s), profile %s, user %u, session %llu: %s",
			    psk ? "PSK" : "key", job->number, name, job->object->backend->name,
			    profile, job->uid, (unsigned long long)job->session, words_of(job));
	else if (psk)
		log_message(LOG_INFO, "PSK %u (%s) given out, profile %s, user %u, request %llu",
			    job->number, job->object->backend->name, profile, job->uid,
			    (unsigned long long)job->request);
	else if (is_kernel_number(job->number))
		log_message(LOG_INFO, "%s signed %s, user %u, session %llu", name,
			    keys_scheme_name(job->scheme, job->hash), job->uid,
			    (unsigned long long)job->session);
	else
		log_message(LOG_INFO, "key %u (%s) signed %s, profile %s, user %u, session %llu",
			    job->number, job->object->backend->name,
			    keys_scheme_name(job->scheme, job->hash), profile, job->uid,
			    (unsigned long long)job->session);
}

static int send_kernel_secret(struct keys_server *server, const struct keys_job *job)
{
	const struct kernel_psk *psk = &job->kernel->psk;
	const struct keys_kernel_secret head = {
		.serial = htole32(psk->serial),
		.identity_length = htole16((uint16_t)psk->identity_length),
	};
	uint8_t rest[KEYS_MAX_KERNEL_IDENTITY + KEYS_MAX_PSK];
	int ret;

	memcpy(rest, psk->identity, psk->identity_length);
	memcpy(rest + psk->identity_length, psk->secret, psk->length);
	ret = channel_send2(server->channel, KEYS_KERNEL_SECRET, job->request, false, &head,
			    sizeof(head), rest, psk->identity_length + psk->length);
	explicit_bzero(rest, sizeof(rest));
	return ret;
}

static int send_opened(struct keys_server *server, const struct keys_job *job)
{
	struct kernel_request *request = job->kernel;
	const struct keys_public *public = &request->object->public;
	struct keys_opened head = {
		.kind = htole32(public->kind),
		.bits = htole32(public->bits),
		.spki_length = htole32((uint32_t)public->spki_len),
	};
	uint8_t rest[KEYS_MAX_SPKI + KEYS_MAX_KERNEL_CERTIFICATE];
	uint32_t number;
	int ret;

	ret = kernel_table_add(server->kernel, request->object, &number);
	if (ret < 0)
		return send_error(server, job->request, -ret,
				  "too many kernel keys are in use, try again");
	memcpy(rest, public->spki, public->spki_len);
	memcpy(rest + public->spki_len, request->certificate_data, request->certificate_length);
	request->object = NULL;
	head.number = htole32(number);
	return channel_send2(server->channel, KEYS_OPENED, job->request, false, &head, sizeof(head),
			     rest, public->spki_len + request->certificate_length);
}

static int send_result(struct keys_server *server, const struct keys_job *job)
{
	if (job->error)
		return send_error(server, job->request, -job->error, words_of(job));
	if (!job->kernel)
		return channel_send(server->channel,
				    job->object->backend->sign ? KEYS_SIGNED : KEYS_SECRET,
				    job->request, false, job->result, job->result_len);
	return job->kernel->type == KEYS_OPEN_KERNEL ? send_opened(server, job) :
						       send_kernel_secret(server, job);
}

static void answer(struct keys_server *server, const struct keys_job *job)
{
	int ret = send_result(server, job);

	/* A dead channel ends us by its closed callback. */
	if (ret < 0 && ret != -EPIPE)
		log_message(LOG_ERR, "cannot answer request %llu: %s",
			    (unsigned long long)job->request, strerror(-ret));
}

static void finish(struct keys_server *server, struct keys_job *job)
{
	if (job->kernel)
		log_kernel_job(job);
	else
		log_job(server, job);
	g_hash_table_remove(server->pending, &job->request);
	if (!job->cancelled)
		answer(server, job);
	drop_job(server, job);
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
	struct keys_job *evicted = NULL;
	int ret;

	ret = keys_signer_submit(signer_of(server, job), job, &evicted);
	if (ret < 0) {
		struct keys_words words;

		keys_say(&words,
			 ret == -EAGAIN ? "user %u waits for too many signatures already" :
					  "too many signatures wait, user %u has to try again",
			 job->uid);
		ret = send_error(server, job->request, -ret, words.text);
		drop_job(server, job);
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

static struct keys_object *find_key(const struct keys_server *server, uint32_t number)
{
	if (is_kernel_number(number))
		return kernel_table_find(server->kernel, number);
	return number < server->keyset->key_count ? server->keyset->keys[number].object : NULL;
}

static int check_sign(const struct keys_server *server, const struct keys_sign *sign,
		      size_t input_len, struct keys_words *words)
{
	const struct keys_object *object = find_key(server, sign->number);
	const struct keys_public *public;
	size_t length = keys_hash_length(sign->hash);

	if (!object)
		return keys_fail(words, ENOKEY, "there is no key %u", sign->number);
	public = &object->public;
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
	job->object = is_kernel_number(sign.number) ?
			      kernel_table_get(server->kernel, sign.number) :
			      server->keyset->keys[sign.number].object;
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

static int on_kernel_request(struct keys_server *server, const struct channel_message *msg)
{
	struct keys_job *job;
	int ret;

	/* looked at again when there is a key to add: a refusal should cost no reading */
	if (msg->type == KEYS_OPEN_KERNEL && kernel_table_full(server->kernel))
		return send_error(server, msg->session, EMFILE,
				  "too many kernel keys are in use, try again");
	job = calloc(1, sizeof(*job));
	ret = job ? kernel_request_parse(msg->type, msg->payload, msg->length, job) : -ENOMEM;
	if (ret < 0) {
		keys_job_free(job);
		return ret == -EPROTO ? ret :
					send_error(server, msg->session, ENOMEM,
						   "the key holder is out of memory");
	}
	job->request = msg->session;
	return submit(server, job);
}

static int on_close_kernel(struct keys_server *server, const struct channel_message *msg)
{
	uint32_t number;

	if (msg->length != sizeof(number) || msg->session)
		return -EPROTO;
	memcpy(&number, msg->payload, sizeof(number));
	return kernel_table_close(server->kernel, le32toh(number)) < 0 ? -EPROTO : 0;
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
	waiting = keys_signer_cancel(signer_of(server, job), job->uid, job->request);
	if (!waiting) {
		job->cancelled = true;
		return 0;
	}
	g_hash_table_remove(server->pending, &waiting->request);
	drop_job(server, waiting);
	return 0;
}

static int on_request(struct keys_server *server, const struct channel_message *msg)
{
	/* Answers find their way back by the id: one at a time, 0 is nobody's. */
	if (!msg->session || g_hash_table_contains(server->pending, &msg->session))
		return -EPROTO;
	switch (msg->type) {
	case KEYS_SIGN:
		return on_sign(server, msg);
	case KEYS_UNSEAL:
		return on_unseal(server, msg);
	default:
		return on_kernel_request(server, msg);
	}
}

static int on_message(void *arg, const struct channel_message *msg)
{
	struct keys_server *server = arg;

	switch (msg->type) {
	case KEYS_SIGN:
	case KEYS_UNSEAL:
	case KEYS_UNSEAL_KERNEL:
	case KEYS_OPEN_KERNEL:
		return on_request(server, msg);
	case KEYS_CLOSE_KERNEL:
		return on_close_kernel(server, msg);
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
	kernel_table_free(server->kernel);
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
	if (kernel_table_new(&server->kernel) < 0)
		goto fail;
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
