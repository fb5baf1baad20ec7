/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session handler's end of the key holder's channel: what keys there are, and
 * using them from within a handshake.
 */
#ifndef TLSHD_SESSION_KEYCLIENT_H
#define TLSHD_SESSION_KEYCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>
#include <gnutls/gnutls.h>

#include "../../uapi/linux/tls_handoff.h"
#include "../keys/protocol.h"

#define KEYCLIENT_MAX_WORDS 192 /* bytes of the key holder's sentence */

struct keyclient;

struct keyclient_key {
	struct keyclient *client;
	uint32_t number;
	enum keys_kind kind;
	uint32_t bits;
	uint32_t index;	     /* in the profile's private_key list */
	char profile[64];    /* or empty: the kernel's */
	gnutls_datum_t spki; /* DER */
};

/* On whose behalf, and what ends the wait early */
struct keyclient_user {
	uint32_t uid;
	uint64_t session;
	const bool *cancelled; /* set, then the coroutine resumed: -ECANCELED */
};

/* Connects to the key holder on @fd (taken over) and runs @base until all keys are announced.
 * 0, -EPIPE if the key holder ended before, -EPROTO if it broke the protocol. */
int keyclient_new(struct event_base *base, int fd, struct keyclient **ret_client);
void keyclient_free(struct keyclient *client);

/* Of the key holder, escaped; "unknown" if @client is NULL or it did not say. */
const char *keyclient_version(const struct keyclient *client);

size_t keyclient_key_count(const struct keyclient *client);
struct keyclient_key *keyclient_key(struct keyclient *client, size_t i);

/* The number of @profile's PSK with @identity.  0 or -ENOENT. */
int keyclient_find_psk(const struct keyclient *client, const char *profile, const void *identity,
		       size_t length, uint32_t *ret_number);

/*
 * Both wait on the running coroutine.  0 and an answer (free with keyclient_answer_free()),
 * -ECANCELED, -EPIPE if the key holder is gone, or the key holder's -errno; @words has room
 * for KEYCLIENT_MAX_WORDS and gets its sentence, escaped, on failure.
 */
int keyclient_sign(struct keyclient_key *key, const struct keyclient_user *user,
		   enum keys_scheme scheme, enum keys_hash hash, const uint8_t *digest,
		   size_t length, gnutls_datum_t *ret_signature, char *words)
	__attribute__((warn_unused_result));
int keyclient_unseal(struct keyclient *client, const struct keyclient_user *user, uint32_t psk,
		     gnutls_datum_t *ret_secret, char *words) __attribute__((warn_unused_result));
void keyclient_answer_free(gnutls_datum_t *answer); /* wipes */

/* A PSK of a kernel keyring; the caller wipes it. */
struct keyclient_kernel_psk {
	uint32_t serial;
	size_t identity_length; /* bytes */
	char identity[KEYS_MAX_KERNEL_IDENTITY];
	size_t length; /* bytes */
	uint8_t secret[KEYS_MAX_PSK];
};

/* The same for kernel keys: the PSK with @serial; if that is 0, the one of @keyring's own members
 * with @identity (-ENOKEY: there is none; at most KEYS_MAX_KERNEL_IDENTITY bytes). */
int keyclient_unseal_kernel(struct keyclient *client, const struct keyclient_user *user,
			    uint32_t keyring, uint32_t serial, const void *identity, size_t length,
			    struct keyclient_kernel_psk *ret_psk, char *words)
	__attribute__((warn_unused_result));

/* The pair of a certificate and its private key, by serials.  The certificate is what the kernel's
 * key holds, with a NUL behind it, for keyclient_answer_free().  The key is no one of a profile's;
 * keyclient_close_kernel() frees it. */
int keyclient_open_kernel(struct keyclient *client, const struct keyclient_user *user,
			  uint32_t certificate, uint32_t private_key,
			  struct keyclient_key **ret_key, gnutls_datum_t *ret_certificate,
			  char *words) __attribute__((warn_unused_result));
void keyclient_close_kernel(struct keyclient_key *key);

#endif /* TLSHD_SESSION_KEYCLIENT_H */
