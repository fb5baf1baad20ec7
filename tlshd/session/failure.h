/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a session ends: errno for the program, verification status, alerts and one
 * sentence.  The one place where GnuTLS's errors become ours.
 */
#ifndef TLSHD_SESSION_FAILURE_H
#define TLSHD_SESSION_FAILURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "../../uapi/linux/tls_handoff.h"

/* Alert descriptions (RFC 8446 6) that GnuTLS has no name for or that are ours to choose. */
enum {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_UNSUPPORTED_CERTIFICATE = 43,
	ALERT_CERTIFICATE_REVOKED = 44,
	ALERT_CERTIFICATE_EXPIRED = 45,
	ALERT_CERTIFICATE_UNKNOWN = 46,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_UNKNOWN_CA = 48,
	ALERT_DECODE_ERROR = 50,
	ALERT_DECRYPT_ERROR = 51,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_USER_CANCELED = 90,
	ALERT_NO_RENEGOTIATION = 100,
	ALERT_UNKNOWN_PSK_IDENTITY = 115,
	ALERT_CERTIFICATE_REQUIRED = 116,
	ALERT_NONE = -1,
};

/**
 * struct failure - the first reason why a session ends
 * @error: positive errno; 0 while nothing failed
 * @verify: TLS_HANDOFF_VERIFY_* bits
 * @alert: to send to the peer, or ALERT_NONE
 * @alert_received: from the peer, or ALERT_NONE
 * @words: one sentence, the peer's text in it escaped
 */
struct failure {
	int error;
	uint32_t verify;
	int alert;
	int alert_received;
	char words[TLS_HANDOFF_MAX_ERROR];
};

void failure_init(struct failure *failure);

/* The first call counts; what fails while we give up is a consequence. */
void failure_set(struct failure *failure, int error, int alert, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Bytes of @text, at most @max, that end with a whole character: for "%.*s" in a sentence. */
int failure_cut(const char *text, size_t max);

/* @code is what gnutls_handshake() returned; @received the alert if it was one. */
void failure_gnutls(struct failure *failure, int code, int received);

#endif /* TLSHD_SESSION_FAILURE_H */
