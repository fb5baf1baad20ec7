/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the agent's: its table, its messages in and out, its life.
 * What is kept after the handshake is small on purpose: there are thousands.
 */
#ifndef TLSHD_SESSION_SESSION_H
#define TLSHD_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>

#include "failure.h"
#include "keyinfo.h"
#include "protocol.h"
#include "secrets.h"

struct awaiting_session;
struct channel;
struct handshake;
struct keyclient;
struct profile;
struct profiles;
struct resume;
struct returned;
struct succession;

#define SESSION_MAX_HANDSHAKES 16384 /* that run at the same time; as many as the module lets */
#define SESSION_MAX_RECORD     64    /* bytes of a record of ours: alert or KeyUpdate */
#define SESSION_RANDOM	       32    /* bytes of a hello's random */

/* Direction of traffic secrets, seen from the host */
enum session_direction {
	SESSION_TX,
	SESSION_RX,
	SESSION_DIRECTIONS,
};

/* The room: what every session refers to.  Lives in main(). */
struct room {
	struct event_base *base;
	struct channel *agent;
	struct keyclient *keys;
	struct profiles *profiles;
	struct session_table *sessions;
	struct resume *resume;
	struct succession *succession;
	struct event *sigterm;
	bool retiring; /* the agent was asked for a successor */
};

/* A handshake message that came in more than one record so far */
struct fragment {
	size_t length; /* bytes that are there */
	size_t size;   /* bytes of the whole message, header included */
	uint8_t data[];
};

struct session {
	uint64_t id;
	struct room *room;
	const struct profile *profile; /* during the handshake; the next generation's is another */
	struct handshake *handshake;   /* while it runs, else NULL */

	/* below: valid once established */
	struct fragment *fragment;	   /* or NULL */
	struct awaiting_session *awaiting; /* client: while tickets may come, else NULL */
	struct returned *returned;	   /* records for the successor, or NULL */
	uint64_t tx_generation;		   /* key updates, as in struct tls_handoff_info */
	uint64_t rx_generation;
	uint64_t rekey_due;   /* CLOCK_BOOTTIME seconds; 0 never */
	uint64_t update_time; /* CLOCK_BOOTTIME nanoseconds: when all updates so far were due */
	uint32_t rekey_seconds;
	uint32_t update_rate; /* updates a second that the peer may send */
	uint16_t version;     /* TLS_1_x_VERSION */
	uint16_t cipher;      /* TLS_CIPHER_* */
	uint16_t max_payload; /* as in struct channel_keys */
	uint8_t role;
	uint8_t updates;      /* KeyUpdates received since data was read */
	bool pending;	      /* before that: counts as a running handshake */
	bool update_unsent;   /* one of ours still waits for room in the socket */
	uint8_t update_again; /* bit per request_update: wished for meanwhile */
	bool exportable;      /* there is an exporter secret, or an extended master secret */
	union {
		struct {						 /* TLS 1.3 */
			uint8_t secret[SESSION_DIRECTIONS][SECRETS_MAX]; /* traffic secrets */
			uint8_t exporter_secret[SECRETS_MAX];
		};
		struct { /* TLS 1.2: for exporters only */
			uint8_t master_secret[SECRETS_MAX];
			uint8_t randoms[2 * SESSION_RANDOM]; /* client's, server's */
		};
		uint8_t secrets[(SESSION_DIRECTIONS + 1) * SECRETS_MAX]; /* all of it */
	};
};

int session_table_new(struct room *room);
/* Ends every session; handshakes unwind. */
void session_table_free(struct session_table *table);

/* The agent's channel: a struct channel_ops message handler over struct room. */
struct channel_message;
int session_message(void *room, const struct channel_message *msg);

/* Sends one message of the session.  -errno if it cannot be queued. */
int session_send(struct session *session, uint16_t type, const void *payload, size_t length)
	__attribute__((warn_unused_result));

/* KEYS for one direction.  0 or -errno. */
int session_send_keys(struct session *session, enum session_direction direction,
		      const union keyinfo *info, size_t info_length)
	__attribute__((warn_unused_result));

/* A record for the peer; with @info, the TX keys that follow it.  0 or -errno. */
int session_send_record(struct session *session, uint8_t type, const uint8_t *payload,
			size_t length, const union keyinfo *info, size_t info_length)
	__attribute__((warn_unused_result));

/* FAIL with all of @failure, then the session is gone. */
void session_fail(struct session *session, const struct failure *failure);

/* The handshake ended well: from now on records come. */
void session_established(struct session *session);

/* Forgets the session without a word. */
void session_free(struct session *session);

/* A predecessor's session @id, to be filled in.  0, -EEXIST, -ENOBUFS or -ENOMEM. */
int session_adopt(struct room *room, uint64_t id, struct session **ret_session);
/* Something of it is due at session->rekey_due. */
void session_schedule(struct session *session);
/* Calls @each for every established session; it must not end any. */
void session_each(struct room *room, void (*each)(struct session *session, void *arg), void *arg);

#endif /* TLSHD_SESSION_SESSION_H */
