/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of connect or listen, with everything reported: each function returns
 * the exit status, EXIT_DONE to go on.
 */
#ifndef TLS_HANDOFF_CONNECTION_H
#define TLS_HANDOFF_CONNECTION_H

#include "options.h"

/* Says so if the module is missing. */
int connection_check(void);

/* Secures @fd with a handshake in @role; @peer is whom it is with, for messages. */
int connection_secure(int fd, __u32 role, const struct options *options, const char *peer);

/* Standard input and output over the secured @fd until the peer closes. */
int connection_relay(int fd, const struct options *options, const char *peer);

#endif /* TLS_HANDOFF_CONNECTION_H */
