/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a handshake may negotiate, in GnuTLS's words.
 */
#ifndef TLSHD_SESSION_PRIORITY_H
#define TLSHD_SESSION_PRIORITY_H

struct handshake;

/* Sets versions, ciphers, key exchange and certificate types as the handshake's parameters say;
 * @types (CREDENTIALS_*) leaves only key exchange for these keys, 0 any.  0, or -1 with the
 * handshake's failure set. */
int priority_set(struct handshake *handshake, unsigned int types);

/* Forgets what was kept from one handshake to the next. */
void priority_forget(void);

#endif /* TLSHD_SESSION_PRIORITY_H */
