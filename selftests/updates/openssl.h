/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer's connection on OpenSSL, which counts KeyUpdates and remembers alerts.
 */
#ifndef SELFTESTS_UPDATES_OPENSSL_H
#define SELFTESTS_UPDATES_OPENSSL_H

#include "peer.h"

int openssl_handshake(struct peer *peer);
ssize_t openssl_read(struct peer *peer, void *data, size_t size);
ssize_t openssl_write(struct peer *peer, const void *data, size_t size);
int openssl_update(struct peer *peer, bool request);
int openssl_close(struct peer *peer);
/* TLS 1.2: asks for a new handshake, which never comes to its end */
int openssl_renegotiate(struct peer *peer);

#endif /* SELFTESTS_UPDATES_OPENSSL_H */
