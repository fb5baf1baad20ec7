/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket options of tls_handoff(7) as functions.  Nothing here prints or exits:
 * negative errno returns, results untouched on failure.
 */
#ifndef TLS_HANDOFF_HANDOFF_H
#define TLS_HANDOFF_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <linux/tls_handoff.h>

/* What a program may ask of a handshake; zero means: as the profile has it. */
struct handoff_options {
	const char *profile;
	const char *peer_name;
	const char *psk_identity;
	__u32 auth;	   /* TLS_HANDOFF_AUTH_* */
	__u32 client_cert; /* TLS_HANDOFF_CERT_*, if has_client_cert */
	bool has_client_cert;
	bool no_resume;
	__u16 min_version, max_version; /* TLS_1_x_VERSION */
	__u32 timeout;			/* milliseconds */
	size_t alpn_size;		/* protects the next field */
	unsigned char alpn[TLS_HANDOFF_MAX_ALPN];
	size_t cipher_count;
	__u16 ciphers[TLS_HANDOFF_MAX_CIPHERS];
};

/* 0 if the module is there (it is loaded if the caller may), else -ENOENT. */
int handoff_available(void);

/* Takes over the connected TCP socket @fd.  Its traffic stays plain until handoff_start(). */
int handoff_take(int fd);

/* On failure *ret_option is the name of the option that was refused. */
int handoff_configure(int fd, const struct handoff_options *options, const char **ret_option);

/* Hands the connection over and waits until it is ready; @role is TLS_HANDOFF_CLIENT or
 * _SERVER.  After a failure the socket never carries plaintext again. */
int handoff_start(int fd, __u32 role);

int handoff_info(int fd, struct tls_handoff_info *ret_info);

/* The value of a string option, NUL-terminated.  Its length, or -ENODATA, -ENOTCONN... */
ssize_t handoff_string(int fd, int option, char *buffer, size_t size);

#define HANDOFF_BINDING 32 /* bytes of a channel binding */

/* The channel binding "tls-exporter" (RFC 9266): the same at both ends of this connection
 * and nowhere else.  -EOPNOTSUPP for TLS 1.2 without extended master secret. */
int handoff_channel_binding(int fd, unsigned char ret_binding[HANDOFF_BINDING]);

/* Why the handshake or the connection failed: the kernel's sentence, else @error's. */
void handoff_error(int fd, int error, char *buffer, size_t size);

#endif /* TLS_HANDOFF_HANDOFF_H */
