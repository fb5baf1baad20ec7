// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One end of a channel: two send queues, one receive buffer, and the rules that
 * keep a stalled or hostile other side from costing more than the limits say.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "channel.h"

/* Bytes that may wait in all: bulk is refused beyond the first, the channel ends at the second */
#define CHANNEL_MAX_BULK_QUEUED (64ul * 1024 * 1024)
#define CHANNEL_MAX_QUEUED	(128ul * 1024 * 1024)
/* Messages handled per wake-up, so that other events get their turn */
#define CHANNEL_BATCH		64
#define CHANNEL_SNDBUF		(1024 * 1024)

struct queued {
	STAILQ_ENTRY(queued) entry;
	uint64_t session;
	bool bulk;
	int fd;		  /* to be sent with it, or -1 */
	size_t length;	  /* bytes of packet */
	uint8_t packet[]; /* header and payload */
};

STAILQ_HEAD(queue, queued);

/* What a session has in the bulk queue; only there while it has something */
struct waiting {
	uint64_t session;
	size_t messages;
	size_t bytes; /* payloads of bulk messages */
};

struct channel {
	int fd;
	const struct channel_ops *ops;
	void *arg;
	struct event *read_event;
	struct event *write_event;
	struct event *dead_event;
	bool write_pending;
	bool deaf;  /* the other side takes nothing more; it may still have sent something */
	bool ended; /* it has said its last; it may still listen */
	bool shut;  /* our side says no more than what waits */
	bool dead;
	bool reset; /* ECONNRESET was seen */
	int error;  /* for ops->closed() */
	/* A message that is not bulk goes to first, unless its session has something in second. */
	struct queue first;
	struct queue second;
	GHashTable *waiting; /* struct waiting by session */
	size_t queued_bytes; /* both queues */
	uint8_t buffer[sizeof(struct channel_header) + CHANNEL_MAX_PAYLOAD];
};

static void queued_free(struct queued *queued)
{
	explicit_bzero(queued->packet, queued->length);
	if (queued->fd >= 0)
		close(queued->fd);
	free(queued);
}

static void queue_clear(struct queue *queue)
{
	struct queued *queued;

	while ((queued = STAILQ_FIRST(queue))) {
		STAILQ_REMOVE_HEAD(queue, entry);
		queued_free(queued);
	}
}

static void channel_clear(struct channel *channel)
{
	queue_clear(&channel->first);
	queue_clear(&channel->second);
	if (channel->waiting)
		g_hash_table_remove_all(channel->waiting);
	channel->queued_bytes = 0;
}

/* The owner hears of it from the event loop, never from inside its own call. */
static void channel_die(struct channel *channel, int error)
{
	if (channel->dead)
		return;
	channel->dead = true;
	channel->error = error;
	event_del(channel->read_event);
	event_del(channel->write_event);
	channel_clear(channel);
	if (!channel->ended)
		event_active(channel->dead_event, EV_TIMEOUT, 1);
}

/* End of file: the owner may want to flush what waits. */
static void channel_end(struct channel *channel)
{
	channel->ended = true;
	event_del(channel->read_event);
	event_active(channel->dead_event, EV_TIMEOUT, 1);
}

static void channel_want_write(struct channel *channel, bool want)
{
	if (want == channel->write_pending)
		return;
	channel->write_pending = want;
	if (want)
		event_add(channel->write_event, NULL);
	else
		event_del(channel->write_event);
}

static void channel_sent(struct channel *channel, struct queue *queue, struct queued *queued)
{
	STAILQ_REMOVE_HEAD(queue, entry);
	channel->queued_bytes -= queued->length;
	if (queue == &channel->second) {
		struct waiting *waiting = g_hash_table_lookup(channel->waiting, &queued->session);

		if (queued->bulk)
			waiting->bytes -= queued->length - sizeof(struct channel_header);
		if (!--waiting->messages)
			g_hash_table_remove(channel->waiting, &queued->session);
	}
	queued_free(queued);
}

static ssize_t channel_transmit(struct channel *channel, struct queued *queued)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { queued->packet, queued->length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (queued->fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &queued->fd, sizeof(queued->fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends what the socket takes; a write event only while something is left. */
static void channel_push(struct channel *channel)
{
	struct queue *queue;
	struct queued *queued;
	ssize_t n;

	while (!channel->dead && !channel->deaf) {
		queue = STAILQ_EMPTY(&channel->first) ? &channel->second : &channel->first;
		queued = STAILQ_FIRST(queue);
		if (!queued) {
			channel_want_write(channel, false);
			if (channel->shut)
				shutdown(channel->fd, SHUT_WR);
			return;
		}
		n = channel_transmit(channel, queued);
		if (n == (ssize_t)queued->length) {
			channel_sent(channel, queue, queued);
		} else if (n >= 0) {
			channel_die(channel, -EPROTO);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			channel_want_write(channel, true);
			return;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			/* Its last words may still wait for us: the reader finds the end. */
			channel->deaf = true;
			channel_want_write(channel, false);
			channel_clear(channel);
		} else if (errno != EINTR) {
			channel_die(channel, -errno);
		}
	}
}

static int received_fd(struct msghdr *msg)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* One packet.  1: handled, 0: none there, else there will be no other one. */
static int channel_receive(struct channel *channel)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct channel_message message = { .fd = -1 };
	struct iovec iov = { channel->buffer, sizeof(channel->buffer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int fd, ret;

	/* Without a control buffer the descriptors that the other side attaches are dropped; in
	 * this one there is room for one only. */
	if (channel->ops->descriptors) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
	}
	n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return 0;
		if (errno == ECONNRESET && !channel->reset) {
			channel->reset = true; /* what it sent before comes next */
			return 1;
		}
		channel_die(channel, -errno);
		return -1;
	}
	fd = received_fd(&msg);
	if (n == 0) {
		if (fd >= 0)
			close(fd);
		if (channel->reset)
			channel_die(channel, -ECONNRESET);
		else
			channel_end(channel);
		return -1;
	}
	if (msg.msg_flags & MSG_TRUNC)
		ret = -EPROTO;
	else
		ret = channel_parse(channel->buffer, n, &message);
	message.fd = fd;
	if (ret == 0)
		ret = channel->ops->message(channel->arg, &message);
	if (message.fd >= 0)
		close(message.fd);
	explicit_bzero(channel->buffer, n);
	if (channel->dead)
		return -1;
	if (ret < 0) {
		channel_die(channel, ret);
		return -1;
	}
	return 1;
}

static void channel_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	int i;

	for (i = 0; i < CHANNEL_BATCH; i++)
		if (channel_receive(channel) <= 0)
			break;
}

static void channel_on_write(evutil_socket_t fd, short what, void *arg)
{
	channel_push(arg);
}

static void channel_on_dead(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	channel->ops->closed(channel->arg, channel->error); /* may free it */
}

int channel_new(struct event_base *base, int fd, const struct channel_ops *ops, void *arg,
		struct channel **ret_channel)
{
	struct channel *channel;
	int size = CHANNEL_SNDBUF;

	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	channel->fd = -1;
	channel->ops = ops;
	channel->arg = arg;
	STAILQ_INIT(&channel->first);
	STAILQ_INIT(&channel->second);
	channel->waiting = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free);
	channel->read_event = event_new(base, fd, EV_READ | EV_PERSIST, channel_on_read, channel);
	channel->write_event =
		event_new(base, fd, EV_WRITE | EV_PERSIST, channel_on_write, channel);
	channel->dead_event = event_new(base, -1, 0, channel_on_dead, channel);
	if (!channel->read_event || !channel->write_event || !channel->dead_event ||
	    evutil_make_socket_nonblocking(fd) || event_add(channel->read_event, NULL)) {
		channel_free(channel);
		return -ENOMEM;
	}
	/* Fewer wake-ups; the default does as well if the system allows no more. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	channel->fd = fd;
	*ret_channel = channel;
	return 0;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->read_event)
		event_free(channel->read_event);
	if (channel->write_event)
		event_free(channel->write_event);
	if (channel->dead_event)
		event_free(channel->dead_event);
	channel_clear(channel);
	g_hash_table_unref(channel->waiting);
	explicit_bzero(channel->buffer, sizeof(channel->buffer));
	if (channel->fd >= 0)
		close(channel->fd);
	free(channel);
}

/* The bulk account of @session, made on demand; NULL if out of memory. */
static struct waiting *channel_waiting(struct channel *channel, uint64_t session, bool create)
{
	struct waiting *waiting = g_hash_table_lookup(channel->waiting, &session);

	if (!waiting && create) {
		waiting = calloc(1, sizeof(*waiting));
		if (!waiting)
			return NULL;
		waiting->session = session;
		g_hash_table_insert(channel->waiting, &waiting->session, waiting);
	}
	return waiting;
}

/* @fd becomes the queue's only when this succeeds. */
static int channel_queue(struct channel *channel, uint16_t type, uint64_t session, bool bulk,
			 const void *head, size_t head_len, const void *body, size_t body_len,
			 int fd)
{
	struct channel_header header;
	struct waiting *waiting;
	struct queued *queued;
	size_t length;

	if (channel->dead || channel->deaf || channel->shut)
		return -EPIPE;
	if (head_len > CHANNEL_MAX_PAYLOAD || body_len > CHANNEL_MAX_PAYLOAD - head_len)
		return -EMSGSIZE;
	length = head_len + body_len;
	waiting = channel_waiting(channel, session, false);
	if (bulk && ((waiting ? waiting->bytes : 0) + length > CHANNEL_WINDOW ||
		     channel->queued_bytes > CHANNEL_MAX_BULK_QUEUED))
		return -ENOBUFS;
	if (channel->queued_bytes > CHANNEL_MAX_QUEUED) {
		channel_die(channel, -ENOBUFS);
		return -EPIPE;
	}

	queued = malloc(sizeof(*queued) + sizeof(header) + length);
	if (!queued)
		return -ENOMEM;
	if (bulk || waiting) {
		waiting = channel_waiting(channel, session, true);
		if (!waiting) {
			free(queued);
			return -ENOMEM;
		}
		waiting->messages++;
		waiting->bytes += bulk ? length : 0;
		STAILQ_INSERT_TAIL(&channel->second, queued, entry);
	} else {
		STAILQ_INSERT_TAIL(&channel->first, queued, entry);
	}
	header.length = htole32(length);
	header.type = htole16(type);
	header.reserved = 0;
	header.session = htole64(session);
	queued->session = session;
	queued->bulk = bulk;
	queued->fd = fd;
	queued->length = sizeof(header) + length;
	memcpy(queued->packet, &header, sizeof(header));
	if (head_len)
		memcpy(queued->packet + sizeof(header), head, head_len);
	if (body_len)
		memcpy(queued->packet + sizeof(header) + head_len, body, body_len);
	channel->queued_bytes += queued->length;
	return 0;
}

static int channel_queued(struct channel *channel)
{
	if (!channel->write_pending)
		channel_push(channel);
	return channel->dead || channel->deaf ? -EPIPE : 0;
}

int channel_send2(struct channel *channel, uint16_t type, uint64_t session, bool bulk,
		  const void *head, size_t head_len, const void *body, size_t body_len)
{
	int ret = channel_queue(channel, type, session, bulk, head, head_len, body, body_len, -1);

	return ret < 0 ? ret : channel_queued(channel);
}

int channel_send(struct channel *channel, uint16_t type, uint64_t session, bool bulk,
		 const void *payload, size_t length)
{
	return channel_send2(channel, type, session, bulk, payload, length, NULL, 0);
}

int channel_send_fd(struct channel *channel, uint16_t type, uint64_t session, const void *payload,
		    size_t length, int fd)
{
	int ret = channel_queue(channel, type, session, false, payload, length, NULL, 0, fd);

	if (ret < 0) {
		close(fd);
		return ret;
	}
	return channel_queued(channel);
}

int channel_take_fd(const struct channel_message *msg)
{
	struct channel_message *message = (struct channel_message *)(uintptr_t)msg;
	int fd = message->fd;

	message->fd = -1;
	return fd;
}

void channel_shut(struct channel *channel)
{
	if (channel->shut || channel->dead)
		return;
	channel->shut = true;
	if (!channel->write_pending)
		channel_push(channel);
}

static int64_t channel_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int channel_flush(struct channel *channel, int ms)
{
	int64_t now = channel_clock(), end = now + ms;
	struct pollfd poller = { channel->fd, POLLOUT, 0 };

	channel_push(channel);
	for (; channel->queued_bytes && !channel->dead && !channel->deaf; now = channel_clock()) {
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&poller, 1, (int)(end - now)) > 0)
			channel_push(channel);
	}
	return channel->dead || channel->deaf ? -EPIPE : 0;
}

/* Bit per message type: what may travel in each state */
#define BIT(type) (1u << (type))

static const uint32_t permitted[2][CHANNEL_STATE_MAX] = {
	[CHANNEL_TO_SESSION] = {
		[CHANNEL_STATE_NONE] = BIT(CHANNEL_HELLO) | BIT(CHANNEL_OPEN) |
			BIT(CHANNEL_RESTORE) | BIT(CHANNEL_TICKETS),
		[CHANNEL_STATE_HANDSHAKE] = BIT(CHANNEL_BYTES) | BIT(CHANNEL_CLOSE),
		[CHANNEL_STATE_ESTABLISHED] = BIT(CHANNEL_RECORD) | BIT(CHANNEL_REKEY) |
			BIT(CHANNEL_EXPORT) | BIT(CHANNEL_RETURN) | BIT(CHANNEL_SENT) | BIT(CHANNEL_RESYNC) |
			BIT(CHANNEL_CLOSE),
	},
	[CHANNEL_TO_AGENT] = {
		[CHANNEL_STATE_NONE] = BIT(CHANNEL_HELLO) | BIT(CHANNEL_RESTORED) |
			BIT(CHANNEL_RETIRE) | BIT(CHANNEL_COUNTS),
		[CHANNEL_STATE_HANDSHAKE] = BIT(CHANNEL_READ) | BIT(CHANNEL_BYTES) |
			BIT(CHANNEL_KEYS) | BIT(CHANNEL_DONE) | BIT(CHANNEL_FAIL),
		[CHANNEL_STATE_ESTABLISHED] = BIT(CHANNEL_KEYS) | BIT(CHANNEL_RECORD) |
			BIT(CHANNEL_CONTINUE) | BIT(CHANNEL_EXPORTED) | BIT(CHANNEL_FAIL),
	},
};

bool channel_permitted(enum channel_direction direction, enum channel_state state, uint16_t type)
{
	if ((unsigned int)direction > CHANNEL_TO_AGENT ||
	    (unsigned int)state >= CHANNEL_STATE_MAX || type > CHANNEL_TYPE_MAX)
		return false;
	return permitted[direction][state] & BIT(type);
}

/* The type is checked by the owner: the key holder's channel has other ones. */
int channel_parse(const uint8_t *packet, size_t length, struct channel_message *ret_message)
{
	struct channel_header header;

	if (length < sizeof(header))
		return -EPROTO;
	memcpy(&header, packet, sizeof(header));
	length -= sizeof(header);
	if (le32toh(header.length) != length || length > CHANNEL_MAX_PAYLOAD || header.reserved)
		return -EPROTO;
	ret_message->type = le16toh(header.type);
	ret_message->session = le64toh(header.session);
	ret_message->payload = packet + sizeof(header);
	ret_message->length = length;
	return 0;
}
