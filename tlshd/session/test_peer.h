/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of a connection, in this process and without a socket: OpenSSL
 * or GnuTLS over two byte queues.
 */
#ifndef TLSHD_SESSION_TEST_PEER_H
#define TLSHD_SESSION_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

/* What outlives a peer: the key that servers issue tickets under, and the last ticket that a
 * client got.  OpenSSL's and GnuTLS's do not fit each other. */
struct peer_memory;

struct peer_setup {
	bool server;
	const char *certificate, *key; /* files, or NULL */
	const char *second_certificate, *second_key;
	const char *ca;		  /* verify the other side against it, or NULL */
	bool require_certificate; /* server */
	bool raw;		  /* raw public keys; OpenSSL only */
	const char *server_name;  /* client: SNI, or NULL */
	int version;		  /* 12 or 13 only, 0 both */
	const char *ciphers;	  /* OpenSSL: cipher string of 1.2 or suites of 1.3 (version set);
					 * GnuTLS: appended to the priority string */
	const char *signatures, *groups; /* OpenSSL only, as its functions take them, or NULL */
	const char *alpn;		 /* one name, or NULL */
	const char *psk_identity, *psk_hex;
	unsigned int max_fragment;	/* client: 512, 1024, 2048, 4096 or 0; OpenSSL only */
	unsigned int record_size_limit; /* GnuTLS only, 0 none */
	struct peer_memory *memory;	/* servers issue tickets, clients offer one; or NULL */
	bool no_master_secret;		/* TLS 1.2 without extended master secret */
};

struct peer_memory *peer_memory_new(void);
void peer_memory_free(struct peer_memory *memory);
/* The client's memory keeps the last ticket that came. */
void peer_remember(struct peer *peer);
/* How many tickets the memory was told of */
unsigned int peer_memory_tickets(const struct peer_memory *memory);

/* What an exporter is asked for; @context is NULL if absent. */
struct peer_export {
	const char *label;
	const uint8_t *context;
	size_t context_length, length;
};

typedef struct peer *(*make_peer)(const struct peer_setup *setup);

struct peer *peer_openssl(const struct peer_setup *setup);
struct peer *peer_gnutls(const struct peer_setup *setup);
void peer_free(struct peer *peer);

/* One step of the handshake with what is there; whether it is complete. */
bool peer_handshake(struct peer *peer);
/* OpenSSL only: ClientHello messages that it sent or received */
unsigned int peer_hellos(const struct peer *peer);
/* Whether its handshake was resumed. */
bool peer_resumed(const struct peer *peer);
/* Whether it failed, by its own decision or an alert. */
bool peer_failed(const struct peer *peer);
/* The last fatal alert that came from the other side, or -1 */
int peer_alert(const struct peer *peer);

/* OpenSSL only: the secret that its key log calls @label; its first @length bytes.  False if it
 * has none. */
bool peer_secret(const struct peer *peer, const char *label, uint8_t *ret, size_t length);

/* Wire bytes */
void peer_put(struct peer *peer, const void *bytes, size_t length);
size_t peer_pending(const struct peer *peer);
size_t peer_peek(const struct peer *peer, void *bytes, size_t max);
size_t peer_take(struct peer *peer, void *bytes, size_t max);

/* Data; reading gives 0 when there is nothing, -1 at the end (close_notify or failure) */
void peer_write(struct peer *peer, const void *data, size_t length);
int peer_read(struct peer *peer, void *data, size_t max);
/* TLS 1.3 */
void peer_key_update(struct peer *peer, bool request);
/* Keying material, @export->length bytes */
void peer_export(struct peer *peer, const struct peer_export *export, uint8_t *ret);
/* GnuTLS only: its tls-exporter channel binding, 32 bytes */
void peer_binding(struct peer *peer, uint8_t *ret);
/* TLS 1.2: asks for a new handshake */
void peer_renegotiate(struct peer *peer);

#endif /* TLSHD_SESSION_TEST_PEER_H */
