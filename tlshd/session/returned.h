/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that the agent gives back because the session fd did not take them:
 * kept in order for the successor, which sends them again as they were.
 */
#ifndef TLSHD_SESSION_RETURNED_H
#define TLSHD_SESSION_RETURNED_H

#include <stddef.h>
#include <stdint.h>

struct session;

#define RETURNED_MAX (64 * 1024) /* bytes of one session, lengths included */

/* RETURN: the payload of a RECORD of ours.  A KeyUpdate in it has not taken place.  0, -EPROTO
 * for what was never ours, -ENOBUFS or -ENOMEM. */
int returned_take(struct session *session, const uint8_t *payload, size_t length)
	__attribute__((warn_unused_result));

/* What is kept, to be written down; NULL and 0 if nothing. */
const uint8_t *returned_bytes(const struct session *session, size_t *ret_length);
/* And read again, all or nothing.  0 or -errno. */
int returned_restore(struct session *session, const uint8_t *bytes, size_t length)
	__attribute__((warn_unused_result));

/* Sends all of it to the agent and forgets it.  0 or -errno. */
int returned_send(struct session *session) __attribute__((warn_unused_result));

void returned_free(struct session *session); /* wipes */

#endif /* TLSHD_SESSION_RETURNED_H */
