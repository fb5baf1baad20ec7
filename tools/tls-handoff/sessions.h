/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of sessions: the GET dump of the netlink family tls_handoff.
 */
#ifndef TLS_HANDOFF_SESSIONS_H
#define TLS_HANDOFF_SESSIONS_H

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
	const char *profile, *peer_name, *peer_identity, *server_name, *error;
	char alpn[TLS_HANDOFF_MAX_ALPN_NAME + 1];
	struct sockaddr_storage local, remote; /* ss_family 0: not known */
};

/* Shows every session of this network namespace to @each.  0, -ENOENT if the family does
 * not exist, -EPERM without CAP_NET_ADMIN, another -errno. */
int sessions_dump(void (*each)(const struct session *session, void *data), void *data);

#endif /* TLS_HANDOFF_SESSIONS_H */
