/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GnuTLS's transport: handshake bytes over the agent's channel.
 */
#ifndef TLSHD_SESSION_TRANSPORT_H
#define TLSHD_SESSION_TRANSPORT_H

struct handshake;

/* Sets push and pull of the handshake's GnuTLS session. */
void transport_attach(struct handshake *handshake);

#endif /* TLSHD_SESSION_TRANSPORT_H */
