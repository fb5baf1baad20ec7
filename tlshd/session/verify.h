/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the peer is who it must be.
 */
#ifndef TLSHD_SESSION_VERIFY_H
#define TLSHD_SESSION_VERIFY_H

#include <gnutls/gnutls.h>

/* For gnutls_session_set_verify_function(); the session's pointer is the handshake.  Sets the
 * handshake's identity and certificate, or its failure and returns GNUTLS_E_CERTIFICATE_ERROR. */
int verify_peer(gnutls_session_t tls);

#endif /* TLSHD_SESSION_VERIFY_H */
