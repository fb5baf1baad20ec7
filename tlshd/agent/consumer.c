// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel consumers, see consumer.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "consumer.h"
#include "log.h"
#include "policy.h"
#include "session.h"
#include "session_fd.h"

/* Where no module gives them: never one of its own, which count from 1 */
#define CONSUMER_FIRST_ID     ((uint64_t)1 << 63)
#define CONSUMER_TIMEOUT      10000 /* milliseconds, where the consumer does not say */
#define CONSUMERS_BATCH	      64
#define CONSUMERS_MAX_WAITING 1024 /* the next ones wait in the kernel */
#define ALERT_UNKNOWN_PSK     115  /* unknown_psk_identity, RFC 8446 6 */

/* RFC 9289 5: the protocol's ALPN name, length-prefixed */
static const uint8_t alpn_sunrpc[] = { 6, 's', 'u', 'n', 'r', 'p', 'c' };

struct consumer {
	STAILQ_ENTRY(consumer) entry; /* while it waits */
	struct consumers *all;
	struct consumer_request request; /* its fd is -1 once the consumer has its result */
	bool adopted;
	struct session *session; /* NULL before consumer_start() */
	struct event *deadline;
};

/* A PSK is NVMe's and a certificate NFS's: the kernel has no other consumers. */
static const char *profile_of(const struct consumers *consumers,
			      const struct consumer_request *request)
{
	bool client = request->type == HANDSHAKE_MSG_TYPE_CLIENTHELLO;
	const char *name = client ? "nfs" : "nfsd";

	if (request->auth == HANDSHAKE_AUTH_PSK)
		name = client ? "nvme" : "nvmet";
	return policy_has_profile(consumers->policy, name) ? name : "default";
}

/*
 * The family's UNAUTH is about us alone: the server is verified all the same.  A server asks
 * for certificates as its profile says.
 */
static void fill_auth(const struct consumer_request *request, struct handshake *h)
{
	h->auth = TLS_HANDOFF_AUTH_X509;
	if (request->auth == HANDSHAKE_AUTH_PSK)
		h->auth = TLS_HANDOFF_AUTH_PSK;
	else if (h->role == TLS_HANDOFF_CLIENT) {
		h->has_client_cert = true;
		h->client_cert = request->auth == HANDSHAKE_AUTH_UNAUTH ? TLS_HANDOFF_CERT_NONE :
									  TLS_HANDOFF_CERT_REQUIRE;
	}
	if (h->auth == TLS_HANDOFF_AUTH_X509) {
		memcpy(h->alpn, alpn_sunrpc, sizeof(alpn_sunrpc));
		h->alpn_len = sizeof(alpn_sunrpc);
	}
}

static void fill(const struct consumer *consumer, struct handshake *h)
{
	const struct consumer_request *request = &consumer->request;
	socklen_t length = sizeof(h->remote);

	memset(h, 0, sizeof(*h));
	h->fd = -1;
	h->role = request->type == HANDSHAKE_MSG_TYPE_CLIENTHELLO ? TLS_HANDOFF_CLIENT :
								    TLS_HANDOFF_SERVER;
	h->timeout = request->timeout;
	h->min_version = TLS_1_3_VERSION;
	h->max_version = TLS_1_3_VERSION;
	snprintf(h->profile, sizeof(h->profile), "%s", profile_of(consumer->all, request));
	snprintf(h->peer_name, sizeof(h->peer_name), "%s", request->peer_name);
	fill_auth(request, h);
	/* What cannot be had is logged as "unknown". */
	(void)getpeername(request->fd, &h->remote.any, &length);
}

/* Everything that the consumer's socket sends or receives from here on is the session's. */
static int take_socket(struct consumer *consumer, struct handshake *h)
{
	int ret;

	if (netlink_present(consumer->all->netlink)) {
		consumer->adopted = true;
		return session_fd_adopt(consumer->request.fd, h, &h->fd, &h->id);
	}
	ret = session_fd_attach_tls(consumer->request.fd);
	if (ret < 0)
		return ret;
	h->fd = fcntl(consumer->request.fd, F_DUPFD_CLOEXEC, 0);
	if (h->fd < 0)
		return -errno;
	h->id = CONSUMER_FIRST_ID + ++consumer->all->last_id;
	/* Tickets would come when nobody listens any more. */
	h->has_resume = true;
	h->resume = 0;
	return 0;
}

static void close_socket(struct consumer *consumer)
{
	if (consumer->request.fd < 0)
		return;
	close(consumer->request.fd);
	consumer->request.fd = -1;
	keyrings_drop(consumer->all->keyrings, consumer->request.keyring);
}

void consumers_init(struct consumers *consumers)
{
	memset(consumers, 0, sizeof(*consumers));
	STAILQ_INIT(&consumers->waiting);
}

static struct consumer *take_first(struct consumers *consumers)
{
	struct consumer *consumer = STAILQ_FIRST(&consumers->waiting);

	if (!consumer)
		return NULL;
	STAILQ_REMOVE_HEAD(&consumers->waiting, entry);
	consumers->waiting_count--;
	return consumer;
}

void consumers_free(struct consumers *consumers)
{
	struct consumer *consumer;

	while ((consumer = take_first(consumers)))
		consumer_free(consumer);
}

static int accept_one(struct consumers *consumers)
{
	struct consumer_request request;
	struct consumer *consumer;
	int ret;

	ret = handshake_family_accept(consumers->family, &request);
	if (ret < 0)
		return ret;
	consumer = calloc(1, sizeof(*consumer));
	if (!consumer) {
		(void)!handshake_family_done(consumers->family, request.fd, ETIMEDOUT, 0);
		close(request.fd);
		return -ENOMEM;
	}
	consumer->all = consumers;
	consumer->request = request;
	if (!request.timeout)
		consumer->request.timeout = CONSUMER_TIMEOUT;
	keyrings_take(consumers->keyrings, request.keyring);
	if (request.cert_key)
		keyrings_link_known(consumers->keyrings);
	STAILQ_INSERT_TAIL(&consumers->waiting, consumer, entry);
	consumers->waiting_count++;
	return 0;
}

/* No request was taken, so the next ACCEPT would end in the same way. */
static bool accepted_none(int ret)
{
	return ret == -EIO || ret == -EPERM || ret == -EOPNOTSUPP || ret == -EINVAL ||
	       ret == -ENOMEM;
}

bool consumers_accept(struct consumers *consumers)
{
	int i, ret;

	for (i = 0; i < CONSUMERS_BATCH; i++) {
		if (consumers->waiting_count == CONSUMERS_MAX_WAITING)
			return false;
		ret = accept_one(consumers);
		if (ret == -EAGAIN)
			return false;
		if (ret < 0)
			log_message(LOG_ERR, "cannot accept a handshake of the kernel: %s",
				    strerror(-ret));
		if (accepted_none(ret))
			return false;
	}
	return true;
}

static int begin(struct consumer *consumer, struct handshake *ret_handshake)
{
	int ret;

	fill(consumer, ret_handshake);
	ret = take_socket(consumer, ret_handshake);
	if (ret < 0) {
		log_message(ret == -ENOTCONN ? LOG_INFO : LOG_ERR,
			    "%s: the kernel does not let go of the socket: %s",
			    ret_handshake->profile, strerror(-ret));
		handshake_clear(ret_handshake);
		return ret;
	}
	ret_handshake->consumer = consumer;
	return 0;
}

int consumers_next(struct consumers *consumers, struct handshake *ret_handshake)
{
	struct consumer *consumer;

	while ((consumer = take_first(consumers))) {
		if (begin(consumer, ret_handshake) == 0)
			return 0;
		consumer_free(consumer);
	}
	return -EAGAIN;
}

void consumer_free(struct consumer *consumer)
{
	if (!consumer)
		return;
	if (consumer->request.fd >= 0)
		(void)!handshake_family_done(consumer->all->family, consumer->request.fd, ETIMEDOUT,
					     0);
	close_socket(consumer);
	if (consumer->deadline)
		event_free(consumer->deadline);
	free(consumer);
}

void consumer_put_open(const struct consumer *consumer, struct attr_builder *open)
{
	const struct consumer_request *request = &consumer->request;
	uint32_t keys[CHANNEL_MAX_PSK_KEYS];
	size_t i;

	attr_put_u32(open, CHANNEL_A_KEYRING, request->keyring);
	for (i = 0; i < request->psk_key_count; i++)
		keys[i] = htole32(request->psk_keys[i]);
	if (request->psk_key_count)
		attr_put(open, CHANNEL_A_PSK_KEYS, keys, request->psk_key_count * sizeof(keys[0]));
	if (request->cert_key)
		attr_put_u32(open, CHANNEL_A_CERT_KEY, request->cert_key);
	if (request->private_key)
		attr_put_u32(open, CHANNEL_A_PRIVATE_KEY, request->private_key);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct consumer *consumer = arg;

	session_fail(consumer->session, ETIMEDOUT, "the handshake took longer than %u ms",
		     consumer->request.timeout);
}

int consumer_start(struct consumer *consumer, struct session *session)
{
	uint32_t timeout = consumer->request.timeout;
	const struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };

	consumer->session = session;
	/* The module has a timer of its own. */
	if (consumer->adopted)
		return 0;
	consumer->deadline = evtimer_new(session_base(session), on_deadline, consumer);
	return consumer->deadline && evtimer_add(consumer->deadline, &limit) == 0 ? 0 : -ENOMEM;
}

bool consumer_adopted(const struct consumer *consumer)
{
	return consumer->adopted;
}

/*
 * sunrpc knows EACCES, which fails the mount, and ETIMEDOUT, after which it tries again; so
 * does what passes by itself.  NVMe fails with either.
 */
static uint32_t status_for(const struct handshake_result *result)
{
	if (result->alert_received == ALERT_UNKNOWN_PSK)
		return EKEYREJECTED;
	switch (result->status) {
	case 0:
		return 0;
	case ETIMEDOUT:
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ESRCH:
	case ENOBUFS:
	case ENOMEM:
		return ETIMEDOUT;
	}
	return EACCES;
}

/* A client of sunrpc would take it for a connection, and try to send for minutes. */
static bool is_gone(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

int consumer_done(struct consumer *consumer, const struct handshake_result *result)
{
	int fd = consumer->request.fd, ret;
	uint32_t status = status_for(result);
	uint32_t peer = result->psk_key;

	if (fd < 0)
		return 0;
	if (consumer->deadline)
		evtimer_del(consumer->deadline);
	if (!peer && result->peer_cert_len)
		peer = HANDSHAKE_PEER_WITHOUT_KEY;
	if (!status && is_gone(fd))
		status = ETIMEDOUT;
	ret = handshake_family_done(consumer->all->family, fd, status, peer);
	/* From here on it is the consumer's alone. */
	close_socket(consumer);
	return ret;
}
