/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * tls_handoff: kernel TLS for any socket program.
 *
 * The whole contract between a program and tls_handoff.ko: socket options at
 * level SOL_TLS_HANDOFF on a TCP socket whose TCP_ULP was set to
 * TLS_HANDOFF_ULP.  Multi-byte integers are in native byte order.
 * See tls_handoff(7).
 */
#ifndef _UAPI_LINUX_TLS_HANDOFF_H
#define _UAPI_LINUX_TLS_HANDOFF_H

#include <linux/types.h>
#include <linux/tls.h>

#define TLS_HANDOFF_ULP			"tls_handoff"
#define SOL_TLS_HANDOFF			0x7453

/* Limits, in bytes unless said otherwise; strings without the trailing NUL */
#define TLS_HANDOFF_MAX_PROFILE		63
#define TLS_HANDOFF_MAX_PEER_NAME	253
#define TLS_HANDOFF_MAX_ALPN_NAMES	8	/* names */
#define TLS_HANDOFF_MAX_ALPN_NAME	32
#define TLS_HANDOFF_MAX_ALPN		(TLS_HANDOFF_MAX_ALPN_NAMES *		\
					 (TLS_HANDOFF_MAX_ALPN_NAME + 1))
#define TLS_HANDOFF_MAX_PSK_IDENTITY	128
#define TLS_HANDOFF_MAX_CIPHERS		8	/* entries */
#define TLS_HANDOFF_MAX_IDENTITY	512
#define TLS_HANDOFF_MAX_ERROR		256
#define TLS_HANDOFF_MAX_CERT		16384
#define TLS_HANDOFF_MAX_RECORD		16384	/* plaintext of one record, RFC 8446 5.1 */
#define TLS_HANDOFF_DEFAULT_TIMEOUT	10000	/* milliseconds */

/* Socket options at level SOL_TLS_HANDOFF */
enum {
	/* what is wanted: set before START, get returns what was set */
	TLS_HANDOFF_PROFILE = 1,	/* string, default "default" */
	TLS_HANDOFF_PEER_NAME = 2,	/* string: host name or address literal */
	TLS_HANDOFF_ALPN = 3,		/* length-prefixed names; bare chosen name afterwards */
	TLS_HANDOFF_AUTH = 4,		/* u32: TLS_HANDOFF_AUTH_* */
	TLS_HANDOFF_CLIENT_CERT = 5,	/* u32: TLS_HANDOFF_CERT_*, server */
	TLS_HANDOFF_PSK_IDENTITY = 6,	/* string */
	TLS_HANDOFF_MIN_VERSION = 7,	/* u16: TLS_1_2_VERSION, TLS_1_3_VERSION */
	TLS_HANDOFF_MAX_VERSION = 8,	/* u16 */
	TLS_HANDOFF_CIPHERS = 9,	/* array of u16 TLS_CIPHER_*, preference first */
	TLS_HANDOFF_TIMEOUT = 10,	/* u32: milliseconds for the handshake, not 0 */
	TLS_HANDOFF_RESUME = 11,	/* u32: 0 or 1 */
	TLS_HANDOFF_ACCEPT_READY = 12,	/* u32: 0 or 1, listener */

	/* acting */
	TLS_HANDOFF_START = 32,		/* u32: TLS_HANDOFF_CLIENT, TLS_HANDOFF_SERVER */
	TLS_HANDOFF_REKEY = 33,		/* u32: 0 */

	/* results: get only */
	TLS_HANDOFF_INFO = 64,		/* struct tls_handoff_info; any time */
	TLS_HANDOFF_PEER_CERT = 65,	/* DER of the leaf */
	TLS_HANDOFF_PEER_IDENTITY = 66,	/* string with its kind, as "dns:www.example" */
	TLS_HANDOFF_SERVER_NAME = 67,	/* string, server: the SNI received */
	TLS_HANDOFF_ERROR = 68,		/* string: why it failed; any time */
	TLS_HANDOFF_EXPORTER = 69,	/* struct tls_handoff_exporter */
	TLS_HANDOFF_SESSION_FD = 70,	/* int: role, overwritten with the fd; adopts */

	/* on the session fd: set only */
	TLS_HANDOFF_CONTINUE = 96,	/* u32: TLS_HANDOFF_CONTINUE_* */
	TLS_HANDOFF_TX_UPDATE = 97,	/* struct tls_handoff_tx_update */
	TLS_HANDOFF_EXPORTED = 98,	/* struct tls_handoff_exported */
};

/* TLS_HANDOFF_START and tls_handoff_info.role */
enum {
	TLS_HANDOFF_CLIENT = 1,
	TLS_HANDOFF_SERVER = 2,
};

/* TLS_HANDOFF_AUTH and tls_handoff_info.auth */
enum {
	TLS_HANDOFF_AUTH_X509 = 1,
	TLS_HANDOFF_AUTH_PSK = 2,
	TLS_HANDOFF_AUTH_UNAUTH = 3,
	TLS_HANDOFF_AUTH_RAWPK = 4,
};

/* TLS_HANDOFF_CLIENT_CERT */
enum {
	TLS_HANDOFF_CERT_NONE = 0,
	TLS_HANDOFF_CERT_REQUEST = 1,
	TLS_HANDOFF_CERT_REQUIRE = 2,
};

/* tls_handoff_info.state */
enum {
	TLS_HANDOFF_STATE_IDLE,
	TLS_HANDOFF_STATE_HANDSHAKE,
	TLS_HANDOFF_STATE_ESTABLISHED,
	TLS_HANDOFF_STATE_CLOSED,
	TLS_HANDOFF_STATE_FAILED,
};

/* tls_handoff_info.flags */
enum {
	TLS_HANDOFF_F_PEER_CERT = 1,		/* the peer showed a certificate */
	TLS_HANDOFF_F_CLOSE_SENT = 2,		/* close_notify went out */
	TLS_HANDOFF_F_CLOSE_RECEIVED = 4,	/* close_notify came in */
	TLS_HANDOFF_F_TRUNCATED = 8,		/* FIN without close_notify */
	TLS_HANDOFF_F_PARTIAL = 16,		/* with F_TRUNCATED: in the middle of a record */
};

/* tls_handoff_info.verify_status: why the peer was refused; 0 is verified */
enum {
	TLS_HANDOFF_VERIFY_UNTRUSTED = 1 << 0,	/* no path to a trust anchor */
	TLS_HANDOFF_VERIFY_EXPIRED = 1 << 1,
	TLS_HANDOFF_VERIFY_NOT_YET_VALID = 1 << 2,
	TLS_HANDOFF_VERIFY_REVOKED = 1 << 3,
	TLS_HANDOFF_VERIFY_NAME = 1 << 4,	/* not the name that was asked for */
	TLS_HANDOFF_VERIFY_PURPOSE = 1 << 5,	/* key usage does not allow it */
	TLS_HANDOFF_VERIFY_SIGNATURE = 1 << 6,	/* a signature is wrong or too weak */
	TLS_HANDOFF_VERIFY_CRL_STALE = 1 << 7,
	TLS_HANDOFF_VERIFY_MISSING = 1 << 8,	/* required and not shown */
	TLS_HANDOFF_VERIFY_PSK = 1 << 9,	/* unknown identity or wrong key */
	TLS_HANDOFF_VERIFY_OTHER = 1 << 31,
};

/*
 * getsockopt(TLS_HANDOFF_INFO).  Grows only at its end: get copies
 * min(optlen, size) bytes and sets optlen to that.
 */
struct tls_handoff_info {
	__u64 session_id;	/* as in log lines and netlink; 0 before START */
	__u16 version;		/* TLS_1_x_VERSION; 0 not yet */
	__u16 cipher;		/* TLS_CIPHER_* of linux/tls.h; 0 not yet */
	__u8  state;		/* TLS_HANDOFF_STATE_* */
	__u8  role;		/* TLS_HANDOFF_CLIENT, TLS_HANDOFF_SERVER */
	__u8  auth;		/* TLS_HANDOFF_AUTH_* that took place */
	__u8  resumed;		/* 0 or 1 */
	__u32 flags;		/* TLS_HANDOFF_F_* */
	__u32 verify_status;	/* TLS_HANDOFF_VERIFY_*; 0 verified */
	__s32 error;		/* 0, or the positive errno of the failure; sticky */
	__s16 alert_sent;	/* -1 none (0 is close_notify) */
	__s16 alert_received;
	__u64 tx_generation;	/* 0: the handshake's keys; +1 per key update */
	__u64 rx_generation;
	__u64 records_diverted;
	__u64 handshake_usec;	/* START to ready */
};

/* getsockopt(TLS_HANDOFF_EXPORTER): read as input, overwritten with out_len bytes */
struct tls_handoff_exporter {
	__u16 label_len, context_len, out_len;	/* each <= 255 */
	__u16 flags;				/* 1: context given (empty differs from absent) */
	__u8  data[];				/* label, then context */
};

/* setsockopt(TLS_HANDOFF_CONTINUE) on the session fd: receiving goes back to the host */
enum {
	TLS_HANDOFF_CONTINUE_DONE = 0,		/* the handshake message was complete */
	TLS_HANDOFF_CONTINUE_MORE = 1,		/* the next record must be a handshake record */
};

/*
 * setsockopt(TLS_HANDOFF_TX_UPDATE) on the session fd: hold senders, close the
 * open record, send the record under the old key, install the new key with
 * sequence number 0, let senders go.  One call, so that no record is ever sent
 * under a wrong key (RFC 8446 4.6.3).
 */
struct tls_handoff_tx_update {
	__u16 crypto_info_len;	/* bytes: a struct tls12_crypto_info_* of linux/tls.h */
	__u16 record_len;	/* bytes: plaintext, 1 to TLS_HANDOFF_MAX_RECORD */
	__u8  record_type;	/* content type, as 22 for handshake */
	__u8  reserved[3];	/* 0 */
	__u8  data[];		/* crypto_info, then record */
};

/*
 * Type of the pseudo record that the session fd hands out when something local
 * needs the session handler.  Its payload is struct tls_handoff_event.
 */
#define TLS_HANDOFF_RECORD_EVENT	0

enum {
	/* a record failed locally; error is EBADMSG, EMSGSIZE, EINVAL, EPROTO */
	TLS_HANDOFF_EVENT_FAILED = 1,
	TLS_HANDOFF_EVENT_TRUNCATED = 2,	/* FIN without close_notify */
	TLS_HANDOFF_EVENT_CLOSED = 3,		/* the program closed the socket */
	/* a new sending key is wanted: limit near, or TLS_HANDOFF_REKEY */
	TLS_HANDOFF_EVENT_REKEY = 4,
	/* data was read since the last handshake record; comes before the next */
	TLS_HANDOFF_EVENT_DATA = 5,
	/*
	 * the program asks for keying material: error is the number of the request, and
	 * the program's struct tls_handoff_exporter follows
	 */
	TLS_HANDOFF_EVENT_EXPORT = 6,
	/* the peer's key is near its limit: it is to be asked for a KeyUpdate */
	TLS_HANDOFF_EVENT_PEER_REKEY = 7,
};

struct tls_handoff_event {
	__u32 event;		/* TLS_HANDOFF_EVENT_* */
	__u32 error;		/* positive errno, or 0 */
};

/* setsockopt(TLS_HANDOFF_EXPORTED) on the session fd: the answer to EVENT_EXPORT */
struct tls_handoff_exported {
	__u32 request;		/* its number */
	__u32 error;		/* 0, or the positive errno that the program gets */
	__u8  data[];		/* with error 0, as many bytes as were asked for */
};

#endif /* _UAPI_LINUX_TLS_HANDOFF_H */
