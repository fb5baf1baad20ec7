/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "TSS2 PRIVATE KEY" files: a TPM object that only its TPM can load, in PEM.  The
 * format that the tpm2-openssl provider, tpm2-tools and others share.
 */
#ifndef TLSHD_KEYS_TSS2_PEM_H
#define TLSHD_KEYS_TSS2_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tss2/tss2_tpm2_types.h>

#include "words.h"

enum tss2_pem_type {
	TSS2_PEM_LOADABLE, /* a key */
	TSS2_PEM_SEALED,   /* data */
};

/**
 * struct tss2_pem - what such a file says
 * @empty_auth: it says that it needs no password; some writers never do
 * @policy: it has a policy of its own that we do not follow
 * @rsa_parent: the hierarchy's primary key is to be RSA, not P-256
 * @parent: a hierarchy (TPM2_RH_OWNER) or a persistent handle
 */
struct tss2_pem {
	enum tss2_pem_type type;
	bool empty_auth;
	bool policy;
	bool rsa_parent;
	TPM2_HANDLE parent;
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
};

/* Whether @text has such a block; what follows in it may still be wrong. */
bool tss2_pem_is(const char *text);
/* -EINVAL with words that do not repeat the file's name. */
int tss2_pem_read(const char *text, size_t length, struct tss2_pem *ret_pem,
		  struct keys_words *words);
/* The caller frees *ret_text. */
int tss2_pem_write(const struct tss2_pem *pem, char **ret_text, size_t *ret_length,
		   struct keys_words *words);

#endif /* TLSHD_KEYS_TSS2_PEM_H */
