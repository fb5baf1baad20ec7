/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every kind of key looks like to the rest of the key holder.  A backend
 * (file.c, tpm.c) opens a key before the sandbox and serves it afterwards; an
 * object is used by one thread at a time: the main one until the signers run,
 * then the signer it names.
 */
#ifndef TLSHD_KEYS_BACKEND_H
#define TLSHD_KEYS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "protocol.h"
#include "public.h"
#include "secret_file.h"
#include "words.h"

struct keys_object;
struct tpm;

/* Which thread works for an object */
enum keys_signer_id {
	KEYS_SIGNER_SOFTWARE,
	KEYS_SIGNER_TPM,
	KEYS_SIGNER_COUNT,
};

/**
 * struct keys_backend - one way to hold a private key or a PSK
 * @name: for logs
 * @signer: the thread that may call the functions below
 * @sign: signs a digest of exactly the hash's length; the caller has checked that
 *	scheme and hash fit the key.  @signature has KEYS_MAX_SIGNATURE bytes.
 * @unseal: gives out a PSK.  @secret has KEYS_MAX_PSK bytes; the caller wipes them.
 * @free: wipes and frees
 *
 * An object has either @sign or @unseal.  Errors: -EIO (the device), -EOPNOTSUPP
 * (the device cannot do it), with words.
 */
struct keys_backend {
	const char *name;
	enum keys_signer_id signer;
	int (*sign)(struct keys_object *object, uint16_t scheme, uint16_t hash,
		    const uint8_t *digest, size_t digest_len, uint8_t *signature, size_t *ret_len,
		    struct keys_words *words);
	int (*unseal)(struct keys_object *object, uint8_t *secret, size_t *ret_len,
		      struct keys_words *words);
	void (*free)(struct keys_object *object);
};

/**
 * struct keys_object - a private key or a PSK; embedded first in a backend's own
 * @name: as the configuration has it, for messages; owned
 * @public: all zero for a PSK
 */
struct keys_object {
	const struct keys_backend *backend;
	char *name;
	struct keys_public public;
};

/* All of these: @name becomes the object's; -errno with words that do not repeat it. */

/* file.c: PEM (PKCS#8, SEC 1, PKCS#1) and PSKs in hexadecimal */
int file_key_open(const char *name, const struct secret_file *file, struct keys_object **ret_object,
		  struct keys_words *words);
int file_psk_open(const char *name, const struct secret_file *file, struct keys_object **ret_object,
		  struct keys_words *words);

/* The same from memory, PEM or DER: a key of the kernel's */
int memory_key_open(const char *name, const void *data, size_t length,
		    struct keys_object **ret_object, struct keys_words *words);

/* tpm.c: TSS2 PEM, and persistent handles.  The object uses @tpm, which must outlive it. */
int tpm_key_open(struct tpm *tpm, const char *name, const struct secret_file *file,
		 struct keys_object **ret_object, struct keys_words *words);
int tpm_psk_open(struct tpm *tpm, const char *name, const struct secret_file *file,
		 struct keys_object **ret_object, struct keys_words *words);
int tpm_handle_open(struct tpm *tpm, const char *name, uint32_t handle,
		    struct keys_object **ret_object, struct keys_words *words);

/* One signature of each scheme that TLS needs, checked with the object's public key;
 * for a PSK one unsealing, its length checked.  0 or -errno with words. */
int keys_self_test(struct keys_object *object, struct keys_words *words);

/* NULL is fine. */
void keys_object_free(struct keys_object *object);

#endif /* TLSHD_KEYS_BACKEND_H */
