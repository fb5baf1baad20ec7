/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keying material for the program (RFC 8446 7.5, RFC 5705), from what is kept of
 * a session after its handshake.
 */
#ifndef TLSHD_SESSION_EXPORTER_H
#define TLSHD_SESSION_EXPORTER_H

#include <stddef.h>
#include <stdint.h>

struct session;

#define EXPORTER_MAX 255 /* bytes of label, context, and what is exported, each */

/* Who asks for what */
struct exporter_request {
	const uint8_t *label, *context; /* @context is NULL if absent, which TLS 1.2 tells
					 * from empty */
	size_t label_length, context_length;
	size_t length; /* bytes wanted */
};

/* 0, -EINVAL, -EOPNOTSUPP where the session has nothing to export from (TLS 1.2 without
 * extended master secret), or -EIO.  @ret has room for request->length bytes. */
int exporter_export(const struct session *session, const struct exporter_request *request,
		    uint8_t *ret) __attribute__((warn_unused_result));

/* EXPORT, answered with EXPORTED.  0, or -EPROTO for a malformed message. */
int exporter_message(struct session *session, const uint8_t *payload, size_t length)
	__attribute__((warn_unused_result));

#endif /* TLSHD_SESSION_EXPORTER_H */
