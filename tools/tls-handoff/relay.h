/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard input to a secured connection and back.
 */
#ifndef TLS_HANDOFF_RELAY_H
#define TLS_HANDOFF_RELAY_H

#include <stdbool.h>

/*
 * Sends standard input to @fd, then shuts down sending; writes what arrives to standard
 * output until the peer's close_notify.  Whatever standard input holds at that moment is
 * still sent; what it might bring later is not waited for.
 * @recv_only leaves standard input alone; @send_only drops what arrives and waits for all
 * of standard input.
 * 0, or -errno with *ret_where saying in which direction.
 */
int relay(int fd, bool recv_only, bool send_only, const char **ret_where);

#endif /* TLS_HANDOFF_RELAY_H */
