/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libtls_handoff_preload.so, which tls-handoff run puts before libc: its parts.
 */
#ifndef TLS_HANDOFF_PRELOAD_H
#define TLS_HANDOFF_PRELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "options.h"

/* What run was told. */
const struct options *settings(void);

/* Who is to speak TLS. */
enum rule {
	RULE_NONE,  /* the program's own business */
	RULE_TLS,   /* a plain TCP socket on one of our ports */
	RULE_REFUSE /* it must not speak plaintext and cannot speak TLS: errno and a message */
};

/* What the rules say of the socket @fd that connects to, or listens on, @address. */
enum rule rule_for(int fd, const struct sockaddr *address, socklen_t length, bool client);

/* Takes @fd over and starts the handshake, or makes the listener one for TLS.  0, or -errno
 * after a message; then the socket carries nothing any more.  -EINPROGRESS is no failure. */
int secure(int fd, __u32 role, const char *peer_name);

/* Standard error, while it is still the one that the program was started with. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Once per connection: a failed handshake in a sentence, a good one if --info wants it.
 * Anything but a socket of ours whose handshake is over is ignored. */
void report_connection(int fd);

void report_init(bool info);

#endif /* TLS_HANDOFF_PRELOAD_H */
