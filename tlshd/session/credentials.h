/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own certificates and raw keys towards GnuTLS: loading chains, pairing them
 * with the key holder's keys, choosing one, signing.
 */
#ifndef TLSHD_SESSION_CREDENTIALS_H
#define TLSHD_SESSION_CREDENTIALS_H

#include "profile.h"

struct handshake;

/* Reads one chain (PEM in any order, or one DER certificate).  0 or -errno, then
 * *ret_mistake (caller frees) is "PATH: what is wrong". */
int credentials_load_chain(const char *path, const gnutls_datum_t *data,
			   struct profile_chain *ret_chain, char **ret_mistake);
void credentials_free_chain(struct profile_chain *chain);

/* Finds the key of each certificate by its public key and makes the profile's client,
 * server and raw credentials.  Logs what has no counterpart.  0 or -errno. */
int credentials_attach_keys(struct profile *profile, struct keyclient *keys);

/* Opens the certificate and key that the kernel named for this client: kernel_chain.  Waits on the
 * running coroutine.  0, or -1 with the handshake's failure set. */
int credentials_open_kernel(struct handshake *handshake);

/* Key types of the usable chains that are for @server_name; 0 if none is. */
enum {
	CREDENTIALS_ECDSA = 1 << 0,
	CREDENTIALS_RSA = 1 << 1,
};
unsigned int credentials_key_types(const struct profile *profile, const char *server_name);

#endif /* TLSHD_SESSION_CREDENTIALS_H */
