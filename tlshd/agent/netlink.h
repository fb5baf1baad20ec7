/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's end of the netlink family tls_handoff: REGISTER, READY, ACCEPT,
 * DONE, ATTACH and GET.  A request is answered inside the kernel before it
 * returns, so nothing here waits.
 */
#ifndef TLSHD_AGENT_NETLINK_H
#define TLSHD_AGENT_NETLINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <event2/event.h>

#include <linux/tls_handoff.h>

struct netlink;
struct consumer;

/* One handshake that ACCEPT handed out; what the program did not set is empty or has_ is false. */
struct handshake {
	uint64_t id;
	int fd; /* session fd; its taker sets it to -1 */
	uint32_t role;
	uint32_t uid, gid, pid; /* pid 0: not visible here */
	uint32_t timeout;	/* milliseconds */
	char *cgroup;		/* NULL: unknown */
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} remote;
	char profile[TLS_HANDOFF_MAX_PROFILE + 1];
	char peer_name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	char psk_identity[TLS_HANDOFF_MAX_PSK_IDENTITY + 1];
	uint8_t alpn[TLS_HANDOFF_MAX_ALPN];
	size_t alpn_len; /* bytes */
	uint16_t ciphers[TLS_HANDOFF_MAX_CIPHERS];
	size_t cipher_count;
	uint16_t min_version, max_version; /* 0: not set */
	uint16_t version, cipher;	   /* what was negotiated: only GET tells */
	uint32_t auth;			   /* 0: not set */
	bool has_client_cert, has_resume;
	uint32_t client_cert, resume;
	struct consumer *consumer; /* NULL: a program's; its taker sets it to NULL */
};

void handshake_clear(struct handshake *handshake);

/* What DONE tells the kernel.  With a status only id, verify_status, alerts and error count. */
struct handshake_result {
	uint64_t id;
	uint32_t status; /* 0 or positive errno */
	uint16_t version, cipher;
	uint32_t auth;
	bool resumed, truncation_eof;
	uint64_t limit_records;
	uint32_t handler_timeout; /* milliseconds; 0: the kernel's default */
	uint32_t verify_status;
	uint32_t psk_key;		/* serial of the kernel key that was used; 0: none */
	int alert_sent, alert_received; /* -1: none */
	const uint8_t *alpn;		/* bare name */
	size_t alpn_len;
	const uint8_t *peer_cert;
	size_t peer_cert_len;
	const char *peer_identity; /* NULL: none */
	const char *server_name;
	const char *error;
};

#define HANDSHAKE_RESULT_INIT { .alert_sent = -1, .alert_received = -1 }

/* @ready runs from the event loop whenever handshakes may wait, also after registering. */
struct netlink_ops {
	void (*ready)(void *arg);
};

/* Also without the module, which may be loaded later.  0 or -errno. */
int netlink_open(struct event_base *base, const struct netlink_ops *ops, void *arg,
		 struct netlink **ret_netlink);
void netlink_close(struct netlink *netlink);

/* The module is there. */
bool netlink_present(const struct netlink *netlink);

/* Announces this agent; again by itself when the module is loaded, or loaded anew. */
int netlink_register(struct netlink *netlink) __attribute__((warn_unused_result));

/* 0, -EAGAIN: none waits, else -errno.  handshake_clear() afterwards. */
int netlink_accept(struct netlink *netlink, struct handshake *ret_handshake)
	__attribute__((warn_unused_result));

/* 0; -ENOENT: the program gave up meanwhile; else -errno. */
int netlink_done(struct netlink *netlink, const struct handshake_result *result)
	__attribute__((warn_unused_result));

/* A session of this namespace as GET tells of it */
struct netlink_session {
	struct handshake
		handshake; /* id, role, uid, remote, profile, names, version, cipher; no fd */
	uint32_t state;	   /* TLS_HANDOFF_STATE_* */
	uint64_t tx_generation, rx_generation;
};

/* Calls @each for every session.  0 or -errno, perhaps after some of them. */
int netlink_get(struct netlink *netlink,
		void (*each)(void *arg, const struct netlink_session *session), void *arg)
	__attribute__((warn_unused_result));

/* The number of the family, as the kernel has it now. */
uint16_t netlink_family(const struct netlink *netlink);

/* A new session fd for an established session.  0; -ENOENT: it is over; -EBUSY: another agent
 * has it; else -errno. */
int netlink_attach(struct netlink *netlink, uint64_t id, int *ret_fd)
	__attribute__((warn_unused_result));

#endif /* TLSHD_AGENT_NETLINK_H */
