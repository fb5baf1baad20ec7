/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a certificate speaks for: matching a wanted name against its subject
 * alternative names (RFC 9525), and writing an identity with its kind.
 */
#ifndef TLSHD_SESSION_NAMES_H
#define TLSHD_SESSION_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/x509.h>

#include "../../uapi/linux/tls_handoff.h"

#define NAMES_IDENTITY (TLS_HANDOFF_MAX_IDENTITY + 1) /* bytes, with the NUL */

/* An IPv4 or IPv6 address literal: its 4 or 16 bytes, or 0 if @name is none. */
size_t names_address(const char *name, uint8_t ret_address[16]);

/* Whether @name has only what A-labels (and the underscore) are made of, and none is empty. */
bool names_is_host(const char *name);

/* Whether a dNSName of a certificate stands for the host @name (both A-labels): equal in any
 * case, or "*" for exactly its first label. */
bool names_match_dns(const char *pattern, size_t pattern_length, const char *name);

/* Whether a subject alternative name of @certificate is @name (host name or address literal);
 * the common name never counts.  If so, @ret_identity (NAMES_IDENTITY bytes) is the one. */
bool names_match_certificate(gnutls_x509_crt_t certificate, const char *name, char *ret_identity);

/* The first subject alternative name that has a kind of ours, else "dn:" and the subject. */
void names_of_certificate(gnutls_x509_crt_t certificate, char *ret_identity);

/* "KIND:TEXT" with TEXT escaped, cut at NAMES_IDENTITY. */
void names_identity(char *ret_identity, const char *kind, const void *text, size_t length);

/* "rawpk:" and the SHA-256 of a SubjectPublicKeyInfo in hexadecimal */
void names_of_public_key(const uint8_t *spki, size_t length, char *ret_identity);

#endif /* TLSHD_SESSION_NAMES_H */
