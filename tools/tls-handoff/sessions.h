/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of sessions: the GET dump of the netlink family tls_handoff, from the
 * kernel itself or, for who may not ask it, through tlshd.
 */
#ifndef TLS_HANDOFF_SESSIONS_H
#define TLS_HANDOFF_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <linux/tls_handoff.h>

/* One session.  Strings are never NULL, and only valid during the call that shows it. */
struct session {
	uint64_t id, inode;
	uint32_t pid, uid;
	uint8_t state, role, auth;
	int resumed;
	uint16_t version, cipher;
	uint32_t flags, verify_status, status;
	int alert_sent, alert_received;
	uint64_t tx_generation, rx_generation, records_diverted, handshake_usec;
	uint64_t age; /* milliseconds since START */
	const char *profile, *peer_name, *peer_identity, *server_name, *error;
	char alpn[TLS_HANDOFF_MAX_ALPN_NAME + 1];
	struct sockaddr_storage local, remote; /* ss_family 0: not known */
};

/*
 * Shows sessions to @each: to who has CAP_NET_ADMIN every one of this network namespace, to
 * others their own ones of tlshd's.  0, or -errno: with *ret_asked as control_request() has
 * it, and @answer, if tlshd was asked; else -ENOENT is that there is no module.
 */
struct control_answer;
int sessions_dump(void (*each)(const struct session *session, void *data), void *data,
		  bool *ret_asked, struct control_answer *answer);

#endif /* TLS_HANDOFF_SESSIONS_H */
