/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of tls_handoff(7) as words, the same ones for people and for scripts, and
 * back.  Unknown numbers give "unknown", never NULL.
 */
#ifndef TLS_HANDOFF_NAMES_H
#define TLS_HANDOFF_NAMES_H

#include <stdio.h>
#include <sys/socket.h>

#include <linux/tls_handoff.h>

#define ADDRESS_MAX 72 /* bytes: "[address%zone]:port" and NUL */

const char *version_name(__u16 version); /* "1.2", "1.3"; "none" for 0 */
const char *cipher_name(__u16 cipher);	 /* "AES-128-GCM"...; "none" for 0 */
const char *auth_name(__u8 auth);	 /* "x509", "psk", "unauth", "rawpk" */
const char *role_name(__u8 role);	 /* "client", "server" */
const char *state_name(__u8 state);	 /* "established"... */
const char *alert_words(__s16 alert);	 /* RFC 8446 6: "close_notify"... */
/* The name of bit @bit of tls_handoff_info.verify_status, NULL if it has none. */
const char *verify_name(unsigned int bit);

/* 0 if there is no such version or cipher. */
__u16 version_number(const char *name);
__u16 cipher_number(const char *name);

/* "127.0.0.1:443" or "[::1]:443"; an IPv4 address is shown as one even on an IPv6 socket. */
void address_words(const struct sockaddr *address, char buffer[ADDRESS_MAX]);

/* Copies @text to @buffer with all that is not printable ASCII as \xNN: for what another
 * program or a peer chose and nobody has checked.  Returns @buffer. */
const char *escape(const char *text, char *buffer, size_t size);

#endif /* TLS_HANDOFF_NAMES_H */
