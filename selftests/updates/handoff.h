/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that a program does about TLS on a handed-off socket. Failures end the process.
 */
#ifndef SELFTESTS_UPDATES_HANDOFF_H
#define SELFTESTS_UPDATES_HANDOFF_H

#include <linux/tls_handoff.h>

#include "options.h"

/* Takes the connected socket over and waits for the handshake's end. */
void handoff_start(int fd, const struct options *options);
struct tls_handoff_info handoff_info(int fd);
/* TLS_HANDOFF_REKEY */
void handoff_rekey(int fd);
/* Prints TLS_HANDOFF_INFO and TLS_HANDOFF_ERROR, a line for each value. */
void handoff_say(int fd);

#endif /* SELFTESTS_UPDATES_HANDOFF_H */
