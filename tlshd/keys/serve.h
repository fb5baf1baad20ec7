/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key holder's side of protocol.h: announces what there is, checks each request
 * of the session handler, hands it to a signer, answers.
 */
#ifndef TLSHD_KEYS_SERVE_H
#define TLSHD_KEYS_SERVE_H

#include <event2/event.h>

#include "keyset.h"

struct keys_server;

/* Before the sandbox: event loop and channel on @fd (taken over).  Reads nothing yet. */
int keys_server_new(struct event_base *base, int fd, const struct keyset *keyset,
		    struct keys_server **ret_server);
/* After it: starts the signers and announces. */
int keys_server_start(struct keys_server *server);
/* 0 after the session handler closed the channel, -errno if it broke the protocol; once
 * the event loop has ended. */
int keys_server_result(const struct keys_server *server);
/* -EBUSY: a signer hangs in its device and still uses the keys; only exit remains. */
int keys_server_free(struct keys_server *server);

#endif /* TLSHD_KEYS_SERVE_H */
