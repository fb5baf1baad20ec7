/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pre-shared keys: unsealed by the key holder for one handshake.
 */
#ifndef TLSHD_SESSION_PSK_H
#define TLSHD_SESSION_PSK_H

struct handshake;

/* Gives the handshake's GnuTLS session PSK credentials.  0, or -1 with the handshake's failure
 * set. */
int psk_attach(struct handshake *handshake);
void psk_free(struct handshake *handshake);

#endif /* TLSHD_SESSION_PSK_H */
