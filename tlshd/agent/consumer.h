/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel consumers (NFS, NVMe/TCP): a request of the `handshake` family becomes a
 * handshake like a program's.  With tls_handoff.ko the consumer's socket is adopted, so
 * that tickets and key updates go on afterwards; without it the keys go into kTLS and
 * the session ends there.
 */
#ifndef TLSHD_AGENT_CONSUMER_H
#define TLSHD_AGENT_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "handshake_family.h"
#include "keyrings.h"
#include "netlink.h"

struct policy;
struct session;

/* One for each handshake of a consumer; belongs to the struct handshake, then the session. */
struct consumer;

/* All of them, and what they need */
struct consumers {
	struct handshake_family *family;
	struct keyrings *keyrings;
	const struct netlink *netlink;	 /* tells whether the module is there */
	const struct policy *policy;	 /* as it is now: which profiles there are */
	uint64_t last_id;		 /* of those that have none from the kernel */
	STAILQ_HEAD(, consumer) waiting; /* accepted, not begun */
	size_t waiting_count;
};

void consumers_init(struct consumers *consumers);

/* Tells those who wait that they should try again. */
void consumers_free(struct consumers *consumers);

/*
 * Accepts what waits in the kernel, where only a few may: the next one is refused, and sunrpc
 * tries again at once and for ever.  It waits here for consumers_next().  True: there may be
 * more to accept.
 */
bool consumers_accept(struct consumers *consumers) __attribute__((warn_unused_result));

/* The one that has waited longest becomes a handshake, whatever it asks for.  0, or -EAGAIN:
 * nobody waits.  Those who have given up are left out. */
int consumers_next(struct consumers *consumers, struct handshake *ret_handshake)
	__attribute__((warn_unused_result));

/* The last thing of a consumer: tells it that the handshake failed unless it was told a result
 * already.  NULL is fine. */
void consumer_free(struct consumer *consumer);

/* Its part of OPEN */
void consumer_put_open(const struct consumer *consumer, struct attr_builder *open);

/* @session is under way.  Without the module its time limit is kept here.  0 or -ENOMEM. */
int consumer_start(struct consumer *consumer, struct session *session)
	__attribute__((warn_unused_result));

/* False: the kernel keeps nothing of it, and its session ends with the handshake. */
bool consumer_adopted(const struct consumer *consumer);

/* Tells the consumer the result, once.  0; -EBUSY: it has given up; -errno. */
int consumer_done(struct consumer *consumer, const struct handshake_result *result);

#endif /* TLSHD_AGENT_CONSUMER_H */
