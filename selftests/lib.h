/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share: a namespace of their own, a TCP pair, an agent
 * played with fixed keys, and a peer on raw kTLS that can send any record.
 */
#ifndef SELFTESTS_LIB_H
#define SELFTESTS_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/tls.h>
#include <linux/tls_handoff.h>
#include <linux/tls_handoff_netlink.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

enum {
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
};

/* Everything that waits in a test ends by then */
#define TEST_DEADLINE_MS	20000

/* A network namespace with loopback up, for this process. 0 or -errno. */
int net_enter(void);
/* A connected TCP pair of AF_INET or AF_INET6 over loopback. 0 or -errno. */
int tcp_pair(int family, int *ret_app, int *ret_peer);
int set_nonblock(int fd, bool on);
/* Waits for any of @events; the events that came, 0 at the deadline. */
short wait_for(int fd, short events);

struct agent;
int agent_connect(struct agent **ret_agent);	/* without REGISTER */
int agent_open(struct agent **ret_agent);	/* and REGISTER */
void agent_close(struct agent *agent);
int agent_port(struct agent *agent);

struct accepted {
	uint64_t id;
	int fd;
	uint32_t role, uid, gid, pid, timeout, auth, client_cert, resume;
	uint16_t min_version, max_version;
	uint16_t ciphers[TLS_HANDOFF_MAX_CIPHERS];
	unsigned int cipher_count;
	char profile[TLS_HANDOFF_MAX_PROFILE + 1];
	char peer_name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	char psk_identity[TLS_HANDOFF_MAX_PSK_IDENTITY + 1];
	uint8_t alpn[TLS_HANDOFF_MAX_ALPN];
	size_t alpn_len;
	char cgroup[256];
};

struct done {
	uint64_t id;
	uint32_t status;
	uint16_t version, cipher;
	uint32_t auth, verify_status;
	const char *alpn, *peer_identity, *server_name, *error;
	const void *peer_cert;
	size_t peer_cert_len;
	bool truncation_eof;
	int alert_sent;		/* 0: not given */
	uint64_t limit_records;	/* 0: not given */
	uint32_t handler_timeout; /* milliseconds; 0: not given */
};

/* The next waiting handshake. 0 or -errno (-EAGAIN: none). */
int agent_accept(struct agent *agent, struct accepted *ret_accepted);
int agent_done(struct agent *agent, const struct done *done);
int agent_attach(struct agent *agent, uint64_t id, int *ret_fd);
/* TLS_HANDOFF_SESSION_FD: adopts the connection of @fd. 0 or -errno. */
int agent_adopt(int fd, int role, int *ret_session);
/* GET: @each is told of every session. 0 or -errno. */
int agent_dump(struct agent *agent, void (*each)(uint64_t id, uint32_t state, void *arg),
	       void *arg);
/* Sends a command with raw attributes, for abuse. The kernel's answer. */
int agent_raw(struct agent *agent, int command, const void *attrs, size_t length);

/* Fixed keys: direction 0 is app to peer, 1 peer to app; generation counts updates. */
struct keys {
	union {
		struct tls_crypto_info info;
		struct tls12_crypto_info_aes_gcm_128 gcm128;
		struct tls12_crypto_info_aes_gcm_256 gcm256;
		struct tls12_crypto_info_chacha20_poly1305 chacha;
		struct tls12_crypto_info_aes_ccm_128 ccm;
	};
	size_t length;
};

void keys_fill(struct keys *keys, uint16_t version, uint16_t cipher, int direction,
	       unsigned int generation);
/* TLS_TX and TLS_RX on a session fd, or on a plain socket that becomes a kTLS peer. */
int keys_install(int fd, const struct keys *tx, const struct keys *rx);
int peer_tls(int fd, uint16_t version, uint16_t cipher);
/* The same for the other end: the program itself set kTLS up. */
int app_tls(int fd, uint16_t version, uint16_t cipher);

/* One record of @type over a kTLS socket or session fd; bytes or -errno. */
ssize_t send_record(int fd, uint8_t type, const void *data, size_t length);
/* One record and its type; bytes or -errno. */
ssize_t recv_record(int fd, uint8_t *ret_type, void *data, size_t size, int flags);
int send_alert(int fd, uint8_t level, uint8_t description);
/*
 * The next record of a session fd, waited for; a pseudo record that tells of data
 * read is skipped. Bytes, or -errno; -ETIME at the deadline.
 */
ssize_t next_record(int session, uint8_t *ret_type, void *data, size_t size);
/* TLS_HANDOFF_TX_UPDATE with the keys of @keys and a KeyUpdate. 0 or -errno. */
int tx_update(int session, const struct keys *keys);

/* RFC 8446 4.6.3: a KeyUpdate that asks for nothing */
#define KEY_UPDATE "\x18\x00\x00\x01\x00"
#define KEY_UPDATE_LENGTH 5

/* A counter of /proc/net/tls_handoff_stat, or -1 */
long long stat_read(const char *name);

/* A connection that is to be handed off; 0 or -errno from all that open one */
struct pair {
	struct agent *agent;
	int app, peer, session;
	uint64_t id;
	uint16_t version, cipher;
};

#define PAIR_NONE ((struct pair){ .app = -1, .peer = -1, .session = -1 })

/* An agent unless there is one, a taken-over socket with a PEER_NAME */
int pair_prepare(struct pair *pair, int family);
/* ACCEPT: the session fd is there */
int pair_accept(struct pair *pair);
/* START, and ACCEPT */
int pair_begin(struct pair *pair, uint32_t role);
/* Both of these, as client */
int pair_start(struct pair *pair, int family);
/* Keys, DONE (%NULL: success), and the peer's keys */
int pair_finish(struct pair *pair, const struct done *done);
/* The same without START: the agent adopts the socket, as a kernel consumer's */
int pair_adopt(struct pair *pair, int family, int role);
/* All of these: ready for data */
int pair_open(struct pair *pair, int family, uint16_t version, uint16_t cipher);

/* What calls are compared on: plain TCP, kTLS that the program set up itself, a handoff */
enum kind { KIND_PLAIN, KIND_KTLS, KIND_HANDOFF };

/* A connection of that kind: ready for data */
int pair_open_kind(struct pair *pair, enum kind kind, int family, uint16_t version,
		   uint16_t cipher);
/* The peer's end of the stream: FIN, after close_notify if it is a handoff. 0 or -errno. */
int peer_end(int peer, enum kind kind);
/* All but the agent */
void pair_close_sockets(struct pair *pair);
void pair_close(struct pair *pair);

/* The directions of the fixed keys */
enum { TO_PEER = 0, FROM_PEER = 1 };

struct keys pair_keys(const struct pair *pair, int direction, unsigned int generation);
/* The peer's KeyUpdate and its new sending key. 0 or -errno. */
int peer_updates(struct pair *pair, unsigned int generation);
/* The session handler takes the peer's KeyUpdate and installs what follows it */
int agent_follows(struct pair *pair, unsigned int generation);
/* The session handler updates the sending key, as soon as a sender lets it */
int agent_updates(struct pair *pair, unsigned int generation);

/* TLS_HANDOFF_INFO */
struct tls_handoff_info get_info(int fd);
/* TLS_HANDOFF_ERROR in a static buffer */
const char *get_error(int fd);

#endif /* SELFTESTS_LIB_H */
