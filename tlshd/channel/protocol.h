/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The channel between agent and session handler: messages, states, limits.
 *
 * One SOCK_SEQPACKET socket (AF_UNIX or vsock) carries many sessions.  Each
 * packet is one message: struct channel_header, then the payload.  Integers are
 * little endian; the header carries the length, so that the same bytes can run
 * over a byte stream.  Both sides treat the other as hostile: a message that
 * channel_permitted() refuses ends the session, a malformed header ends the
 * channel.
 *
 *   agent -> session handler            session handler -> agent
 *   HELLO    u32 version                HELLO    u32 version
 *   OPEN     attributes                 READ     u32 bytes wanted now
 *   BYTES    handshake bytes            BYTES    handshake bytes
 *   RECORD   u8 type, payload           KEYS     struct channel_keys, crypto_info
 *   REKEY    nothing                    DONE     attributes
 *   EXPORT   struct channel_export, ...  RECORD   u8 type, u16 length, payload [, keys]
 *   CLOSE    u32 errno                  CONTINUE u32 TLS_HANDOFF_CONTINUE_*
 *   RETURN   as a RECORD to the agent   FAIL     attributes
 *   SENT     nothing                    EXPORTED u32 request, u32 errno, bytes
 *   RESYNC   struct channel_restored
 * with session id 0:
 *   RESTORE  nothing                    RESTORED struct channel_restored; at the end,
 *                                                with session id 0, u32 how many
 *   TICKETS  u32 request, u32 action    COUNTS   u32 request, lines of text
 *                                       RETIRE   nothing
 *
 * Order is kept within a session: what was sent before KEYS, DONE or FAIL has
 * arrived before it.  Between sessions, messages other than BYTES go first.
 *
 * The life of a session.  OPEN starts it.  READ says how many bytes the session
 * handler wants; the agent answers with at most that many in one or more BYTES,
 * and never reads more from the wire, so nothing behind Finished is taken.  KEYS
 * comes once per direction, then DONE: established.  After DONE the agent sends
 * RECORD for each diverted record and the session handler answers a handshake
 * record with CONTINUE or with KEYS for receiving (which implies CONTINUE).  A RECORD
 * with keys may have to wait for room in the socket: SENT says that it is out.  FAIL
 * (session handler) or CLOSE (agent) ends the session at once in every state; its
 * sender forgets the id, its receiver answers nothing, and messages that crossed
 * it on the way are dropped silently.
 *
 * The succession.  With its HELLO the session handler passes a descriptor of the
 * memory that it will leave its state in (O_PATH: the agent keeps it and cannot
 * read it).  When the agent has sent its last message it shuts its side of the
 * channel down; the session handler reads all there is, answers it, writes its
 * state, and exits.  RETURN before that gives back, in order, each RECORD with
 * what belongs to it that the session fd did not take.  The successor, which was
 * started with the same memory, takes the state over at RESTORE: from each
 * RESTORED on, that session is established here.  Where the agent before this one died, the last
 * keys of the session handler may not have come to the kernel: RESYNC says how many the kernel
 * has, and those that are missing, one in each direction at most, are sent again.  RETIRE asks the agent for a
 * successor.
 */
#ifndef TLSHD_CHANNEL_PROTOCOL_H
#define TLSHD_CHANNEL_PROTOCOL_H

#include <stdint.h>

#define CHANNEL_VERSION 2

struct channel_header {
	uint32_t length;   /* of the payload, bytes; <= CHANNEL_MAX_PAYLOAD */
	uint16_t type;	   /* enum channel_type */
	uint16_t reserved; /* 0 */
	uint64_t session;  /* id of the kernel; 0 for HELLO only */
} __attribute__((packed));

enum channel_type {
	CHANNEL_HELLO = 1,
	CHANNEL_OPEN = 2,
	CHANNEL_BYTES = 3,
	CHANNEL_RECORD = 4,
	CHANNEL_REKEY = 5,
	CHANNEL_EXPORT = 6,
	CHANNEL_CLOSE = 7,
	CHANNEL_READ = 8,
	CHANNEL_KEYS = 9,
	CHANNEL_DONE = 10,
	CHANNEL_CONTINUE = 11,
	CHANNEL_FAIL = 12,
	CHANNEL_EXPORTED = 13,
	CHANNEL_RESTORE = 14,
	CHANNEL_RESTORED = 15,
	CHANNEL_RETIRE = 16,
	CHANNEL_RETURN = 17,
	CHANNEL_TICKETS = 18,
	CHANNEL_COUNTS = 19,
	CHANNEL_SENT = 20,
	CHANNEL_RESYNC = 21,
	CHANNEL_TYPE_MAX = 21,
};

/* TICKETS */
enum channel_tickets {
	CHANNEL_TICKETS_SHOW = 0,   /* nothing but the answer, COUNTS */
	CHANNEL_TICKETS_FLUSH = 1,  /* forget every ticket, and make those that are out useless */
	CHANNEL_TICKETS_ROTATE = 2, /* new ticket keys now; the old ones live on as usual */
};

/* Limits */
#define CHANNEL_MAX_PAYLOAD (48 * 1024) /* bytes of one message */
#define CHANNEL_MAX_BYTES   (16 * 1024) /* bytes of one BYTES message */
#define CHANNEL_MAX_READ    (17 * 1024) /* READ never asks for more: one record with header */
#define CHANNEL_WINDOW \
	(64 * 1024) /* BYTES of one session that wait in one direction; more ends it */
#define CHANNEL_MAX_SESSIONS 65536 /* open on one channel */
#define CHANNEL_MAX_COUNTS   4096  /* bytes of text in COUNTS */
#define CHANNEL_MAX_PSK_KEYS 5	   /* identities of a kernel consumer: the kernel has no more */

/* The state of a session as both sides count it */
enum channel_state {
	CHANNEL_STATE_NONE,	   /* not open */
	CHANNEL_STATE_HANDSHAKE,   /* after OPEN */
	CHANNEL_STATE_ESTABLISHED, /* after DONE */
	CHANNEL_STATE_MAX,
};

enum channel_direction {
	CHANNEL_TO_SESSION, /* agent -> session handler */
	CHANNEL_TO_AGENT,   /* session handler -> agent */
};

/* KEYS payload, followed by crypto_info (a struct tls12_crypto_info_* of linux/tls.h) */
struct channel_keys {
	uint8_t direction;	  /* enum channel_keys_direction */
	uint8_t reserved;	  /* 0 */
	uint16_t max_payload;	  /* TLS_TX_MAX_PAYLOAD_LEN; 0: no limit negotiated */
	uint32_t crypto_info_len; /* bytes */
} __attribute__((packed));

enum channel_keys_direction {
	CHANNEL_KEYS_TX = 1, /* the host sends with them */
	CHANNEL_KEYS_RX = 2,
};

/* RESTORED: key updates as struct tls_handoff_info counts them; where the kernel's count is
 * another one, the state is of no use. */
struct channel_restored {
	uint64_t tx_generation;
	uint64_t rx_generation;
} __attribute__((packed));

/* EXPORT: this, then label and context (RFC 8446 7.5).  EXPORTED: u32 request, u32 errno, and
 * with errno 0 out_len bytes. */
struct channel_export {
	uint32_t request;
	uint16_t label_len, context_len, out_len; /* each <= 255 */
	uint16_t flags;				  /* 1: context given */
} __attribute__((packed));

/* Attributes of OPEN, DONE and FAIL: this, then the value, no padding; each at most once */
struct channel_attr {
	uint16_t type;	 /* enum channel_attr_type */
	uint16_t length; /* of the value, bytes */
} __attribute__((packed));

enum channel_attr_type {
	/* OPEN; what the program did not set is absent */
	CHANNEL_A_ROLE = 1,	    /* u32 TLS_HANDOFF_CLIENT, _SERVER; required */
	CHANNEL_A_PROFILE = 2,	    /* string; required */
	CHANNEL_A_UID = 3,	    /* u32; required */
	CHANNEL_A_PEER_NAME = 4,    /* string */
	CHANNEL_A_ALPN = 5,	    /* OPEN: length-prefixed names; DONE: the bare chosen one */
	CHANNEL_A_AUTH = 6,	    /* u32 TLS_HANDOFF_AUTH_*; DONE: what took place */
	CHANNEL_A_CLIENT_CERT = 7,  /* u32 TLS_HANDOFF_CERT_*; a client with NONE shows none, with
				     * REQUIRE must have one */
	CHANNEL_A_PSK_IDENTITY = 8, /* string */
	CHANNEL_A_MIN_VERSION = 9,  /* u16 TLS_1_x_VERSION */
	CHANNEL_A_MAX_VERSION = 10, /* u16 */
	CHANNEL_A_CIPHERS = 11,	    /* array of u16 TLS_CIPHER_* */
	CHANNEL_A_RESUME = 12,	    /* u32 0 or 1 */
	CHANNEL_A_REMOTE = 13, /* string: address and port, for resumption's cache key and logs */
	/* OPEN of a kernel consumer: it has KEYRING; numbers are serials of kernel keys */
	CHANNEL_A_KEYRING = 14,	    /* u32: where its PSKs are; 0: it named none */
	CHANNEL_A_PSK_KEYS = 15,    /* array of u32, client: its identities, preference first */
	CHANNEL_A_CERT_KEY = 16,    /* u32: a certificate (DER) instead of the profile's */
	CHANNEL_A_PRIVATE_KEY = 17, /* u32: the key of CERT_KEY */

	/* DONE */
	CHANNEL_A_VERSION = 32,		/* u16; required */
	CHANNEL_A_CIPHER = 33,		/* u16; required */
	CHANNEL_A_RESUMED = 34,		/* u32 0 or 1 */
	CHANNEL_A_PEER_IDENTITY = 35,	/* string with its kind, control characters escaped */
	CHANNEL_A_PEER_CERT = 36,	/* DER of the leaf */
	CHANNEL_A_SERVER_NAME = 37,	/* string: SNI received */
	CHANNEL_A_LIMIT_RECORDS = 38,	/* u64; 0 default */
	CHANNEL_A_TRUNCATION_EOF = 39,	/* u32 0 or 1 */
	CHANNEL_A_HANDLER_TIMEOUT = 40, /* u32 milliseconds; 0 default */
	CHANNEL_A_PSK_KEY = 41,		/* u32: serial of the kernel key that was used */

	/* FAIL (and DONE where it applies) */
	CHANNEL_A_STATUS = 64,	       /* u32 positive errno; required in FAIL */
	CHANNEL_A_VERIFY_STATUS = 65,  /* u32 TLS_HANDOFF_VERIFY_* */
	CHANNEL_A_ALERT_SENT = 66,     /* u32 alert description; absent: none */
	CHANNEL_A_ALERT_RECEIVED = 67, /* u32 */
	CHANNEL_A_ERROR = 68, /* string: why, in words, one sentence, peer's text escaped */
	CHANNEL_A_MAX = 68,
};

#endif /* TLSHD_CHANNEL_PROTOCOL_H */
