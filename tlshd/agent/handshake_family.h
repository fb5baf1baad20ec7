/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own netlink family `handshake` (net/handshake): how NFS and NVMe/TCP
 * ask for TLS.  A request is answered inside the kernel before it returns, so nothing
 * here waits.
 */
#ifndef TLSHD_AGENT_HANDSHAKE_FAMILY_H
#define TLSHD_AGENT_HANDSHAKE_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>

#include <linux/handshake.h>
#include <linux/tls_handoff.h>

#include "protocol.h"

struct handshake_family;

/* What a consumer asks for.  Serials of kernel keys are positive; 0: it named none. */
struct consumer_request {
	int fd;		  /* its socket; its taker sets it to -1 */
	uint32_t type;	  /* HANDSHAKE_MSG_TYPE_* */
	uint32_t auth;	  /* HANDSHAKE_AUTH_* */
	uint32_t timeout; /* milliseconds; 0: it did not say */
	char peer_name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	uint32_t keyring;			 /* linked into our process keyring by ACCEPT */
	uint32_t psk_keys[CHANNEL_MAX_PSK_KEYS]; /* preference first */
	size_t psk_key_count;
	uint32_t cert_key, private_key;
};

/* @ready runs from the event loop whenever requests may wait, also after joining. */
struct handshake_family_ops {
	void (*ready)(void *arg);
};

/* @inherited: the socket of an earlier process, a member of the group, or -1; taken over.
 * 0, -ENOENT: the kernel does not have the family; -errno. */
int handshake_family_open(struct event_base *base, const struct handshake_family_ops *ops,
			  void *arg, int inherited, struct handshake_family **ret_family);
void handshake_family_close(struct handshake_family *family);

/* The socket: while anybody holds it, consumers wait for an agent instead of failing. */
int handshake_family_fd(const struct handshake_family *family);

/* From now on consumers find us.  0 or -errno. */
int handshake_family_join(struct handshake_family *family) __attribute__((warn_unused_result));

/* 0; -EAGAIN: none waits; -EBADMSG: one that cannot be understood, which was refused; -errno. */
int handshake_family_accept(struct handshake_family *family, struct consumer_request *ret_request)
	__attribute__((warn_unused_result));

/*
 * The result for the consumer of @fd: @status 0 or a positive errno, with 0 the identity of
 * the peer: the serial of a key, or HANDSHAKE_PEER_WITHOUT_KEY, or 0 if it has proven none.
 * 0; -EBUSY: the consumer has given it up; -errno.
 */
#define HANDSHAKE_PEER_WITHOUT_KEY UINT32_MAX
int handshake_family_done(struct handshake_family *family, int fd, uint32_t status, uint32_t peer)
	__attribute__((warn_unused_result));

#endif /* TLSHD_AGENT_HANDSHAKE_FAMILY_H */
