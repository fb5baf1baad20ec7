/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One end of a channel: framed messages over a SOCK_SEQPACKET socket, driven by
 * libevent, never blocking.  Used between agent and session handler (protocol.h)
 * and between session handler and key holder (../keys/protocol.h).
 */
#ifndef TLSHD_CHANNEL_CHANNEL_H
#define TLSHD_CHANNEL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>

#include "protocol.h"

struct channel;

/**
 * struct channel_message - one received message
 * @type: of the protocol that runs on this channel
 * @session: session id, or request id on the key holder's channel
 * @payload: @length bytes; valid until the handler returns, wiped afterwards
 * @length: bytes, at most CHANNEL_MAX_PAYLOAD
 * @fd: that came with it, or -1; closed when the handler returns, unless it was taken with
 *	channel_take_fd()
 */
struct channel_message {
	uint16_t type;
	uint64_t session;
	const uint8_t *payload;
	size_t length;
	int fd;
};

/**
 * struct channel_ops - what the owner of a channel does
 * @message: one message came; a negative return ends the channel (protocol error).
 *	Must not free the channel.
 * @closed: nothing comes any more: @error is 0 for end of file, else a negative errno
 *	(-EPROTO: malformed header).  Called once, from the event loop; may free it.  After end
 *	of file the other side may still read; after an error the channel is dead.
 * @descriptors: a message may bring one; if false, those attached are dropped by the kernel
 */
struct channel_ops {
	int (*message)(void *arg, const struct channel_message *msg);
	void (*closed)(void *arg, int error);
	bool descriptors;
};

/*
 * Takes over @fd (made non-blocking; closed by channel_free()).  @ops and @arg must
 * live as long as the channel.  0 or -errno.
 */
int channel_new(struct event_base *base, int fd, const struct channel_ops *ops, void *arg,
		struct channel **ret_channel);
void channel_free(struct channel *channel);

/* Queues one message made of two parts (either may be empty).  Copies them; copies are
 * wiped once sent.  @bulk messages of other sessions are overtaken by messages that are
 * not bulk; order within one @session is kept.  0, -EMSGSIZE, -ENOMEM, -EPIPE (channel
 * is dead), -ENOBUFS (more than CHANNEL_WINDOW bytes of bulk wait for this session). */
int channel_send2(struct channel *channel, uint16_t type, uint64_t session, bool bulk,
		  const void *head, size_t head_len, const void *body, size_t body_len)
	__attribute__((warn_unused_result));
int channel_send(struct channel *channel, uint16_t type, uint64_t session, bool bulk,
		 const void *payload, size_t length) __attribute__((warn_unused_result));

/* The same with a descriptor, which is taken over in any case and closed once it was sent. */
int channel_send_fd(struct channel *channel, uint16_t type, uint64_t session, const void *payload,
		    size_t length, int fd) __attribute__((warn_unused_result));

/* The message's descriptor, the caller's from now on, or -1. */
int channel_take_fd(const struct channel_message *msg);

/* No more is sent from now on: what waits goes out, then the other side sees the end of file.
 * What it still has to say goes on coming until it ends, too. */
void channel_shut(struct channel *channel);

/* Waits until all that was queued is sent.  0, -ETIMEDOUT after @ms, or -EPIPE. */
int channel_flush(struct channel *channel, int ms) __attribute__((warn_unused_result));

/* Whether @type may travel in @direction while the session is in @state: the one table. */
bool channel_permitted(enum channel_direction direction, enum channel_state state, uint16_t type);

/* Parses a header of exactly sizeof(struct channel_header) + payload bytes in one packet.
 * 0 or -EPROTO.  Pure; what the fuzzers call. */
int channel_parse(const uint8_t *packet, size_t length, struct channel_message *ret_message);

#endif /* TLSHD_CHANNEL_CHANNEL_H */
