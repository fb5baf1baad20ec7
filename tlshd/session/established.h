/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection after its handshake: records that are not application data, and
 * key updates in both directions.
 */
#ifndef TLSHD_SESSION_ESTABLISHED_H
#define TLSHD_SESSION_ESTABLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Called once, when DONE went out. */
void established_start(struct session *session);

/* A diverted record, or a pseudo record of the kernel (type 0).  May free the session. */
void established_record(struct session *session, uint8_t type, const uint8_t *data, size_t length);

/* A new sending key is wanted.  May free the session. */
void established_rekey(struct session *session);

/* The last KeyUpdate of ours is out; what was wished for meanwhile follows it.  May free the
 * session. */
void established_sent(struct session *session);

/* The kernel has gone through @tx and @rx key updates: where the last keys were lost with the
 * agent, they are sent again.  -EPROTO: that cannot be.  May free the session. */
int established_resync(struct session *session, uint64_t tx, uint64_t rx)
	__attribute__((warn_unused_result));

/* Whether the sending key is older than the profile wants. */
bool established_is_due(const struct session *session);

/* The part of a handshake message that a predecessor had.  0 or -EPROTO. */
int established_restore_fragment(struct session *session, const uint8_t *data, size_t length)
	__attribute__((warn_unused_result));

/* Frees and wipes what established_*() keep in the session. */
void established_forget(struct session *session);

#endif /* TLSHD_SESSION_ESTABLISHED_H */
