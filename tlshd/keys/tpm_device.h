/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TPM with its ESYS context: loading objects (made room for when the TPM has
 * only three places), signing, unsealing, creating.  Not thread-safe: ESYS is not.
 */
#ifndef TLSHD_KEYS_TPM_DEVICE_H
#define TLSHD_KEYS_TPM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <tss2/tss2_esys.h>

#include "public.h"
#include "tss2_pem.h"
#include "words.h"

/* How the primary key of a hierarchy was made that a file calls its parent */
enum tpm_primary {
	TPM_PRIMARY_ECC, /* what the tpm2-openssl provider makes, and we */
	TPM_PRIMARY_RSA,
	TPM_PRIMARY_ECC_TOOLS, /* what tpm2_createprimary makes */
	TPM_PRIMARY_RSA_TOOLS,
	TPM_PRIMARY_COUNT,
};

/* Places for loaded objects that we use at a time: what every TPM has, and as many as the
 * kernel's resource manager keeps per open file; one more is an I/O error there. */
#define TPM_PLACES 3

/**
 * struct tpm_slot - something that takes one of the TPM's places while loaded
 * @handle: ESYS_TR_NONE while it is not
 * @saved: what brings it back after it made room for others, or NULL
 * @link: in the TPM's list of what is loaded, least recently used first
 */
struct tpm_slot {
	ESYS_TR handle;
	TPMS_CONTEXT *saved;
	TAILQ_ENTRY(tpm_slot) link;
};

TAILQ_HEAD(tpm_slots, tpm_slot);

/**
 * struct tpm - an open TPM
 * @name: its TCTI string
 * @serving: in the daemon's sandbox, where it cannot be opened again
 * @gone: it does not answer; @gone_words say why, and every call fails with them
 */
struct tpm {
	char *name;
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	struct tpm_slots loaded;
	size_t loaded_count;
	struct tpm_slot primaries[TPM_PRIMARY_COUNT];
	bool serving;
	bool gone;
	struct keys_words gone_words;
};

/**
 * struct tpm_object - a key or sealed data, loaded when it is used
 * @persistent: a persistent object's handle, else 0 and @pem says what to load
 * @primary: the one @pem loads under; TPM_PRIMARY_COUNT: not known yet
 */
struct tpm_object {
	struct tpm_slot slot;
	TPM2_HANDLE persistent;
	struct tss2_pem pem;
	enum tpm_primary primary;
};

/* All of these: 0 or -errno with words; -EIO if the TPM refused or is gone. */

/* @name: a TCTI string.  Fails soon if nobody answers there. */
int tpm_open(const char *name, struct tpm **ret_tpm, struct keys_words *words);
/* Flushes what is loaded. */
void tpm_free(struct tpm *tpm);
/* From now on, in the daemon: commands are answered within TCTI_SIGN_DEADLINE, or the TPM
 * is gone until the next start. */
void tpm_serve(struct tpm *tpm);

/* Makes @object stand for a file's contents, or for a persistent handle (whose public
 * part is read).  Neither owns memory; tpm_object_unload() when it is no longer used. */
int tpm_object_from_pem(const struct tss2_pem *pem, struct tpm_object *ret_object,
			struct keys_words *words);
int tpm_object_from_handle(struct tpm *tpm, TPM2_HANDLE handle, struct tpm_object *ret_object,
			   struct keys_words *words);
int tpm_object_load(struct tpm *tpm, struct tpm_object *object, struct keys_words *words);
void tpm_object_unload(struct tpm *tpm, struct tpm_object *object);

/* -EINVAL if it is no unrestricted signing key of a kind that is served. */
int tpm_object_describe(const struct tpm_object *object, struct keys_public *ret_public,
			struct keys_words *words);
/* The scheme fits the key; @digest has a hash's length, which tells the hash;
 * @signature has KEYS_MAX_SIGNATURE bytes. */
int tpm_sign(struct tpm *tpm, struct tpm_object *object, uint16_t scheme, const uint8_t *digest,
	     size_t digest_len, uint8_t *signature, size_t *ret_len, struct keys_words *words);
/* @secret has KEYS_MAX_PSK bytes; -EINVAL if there is more. */
int tpm_unseal(struct tpm *tpm, struct tpm_object *object, uint8_t *secret, size_t *ret_len,
	       struct keys_words *words);
/* A new signing key under @parent (TPM2_RH_OWNER or persistent), as a file's contents. */
int tpm_create(struct tpm *tpm, enum keys_kind kind, TPM2_HANDLE parent, struct tss2_pem *ret_pem,
	       struct keys_words *words);

/* For tpm_*.c only */

/* Turns @rc into words beginning with @what, remembers a TPM that is gone.  -EIO. */
int tpm_fail(struct tpm *tpm, TSS2_RC rc, const char *what, struct keys_words *words);
/* @rc without the layer that reported it */
TSS2_RC tpm_code(TSS2_RC rc);
/* Whether @rc comes from the TPM or its resource manager, not from the way there. */
bool tpm_answered(TSS2_RC rc);
/* Whether @rc says that the empty password is the wrong one. */
bool tpm_wants_password(TSS2_RC rc);
/* Before something is loaded: one of our places is free (never by taking @keep's). */
void tpm_reserve_place(struct tpm *tpm, const struct tpm_slot *keep);
/* Whether @rc says that the TPM has no place; if so one was made (never @keep's). */
bool tpm_made_room(struct tpm *tpm, TSS2_RC rc, const struct tpm_slot *keep);
void tpm_slot_init(struct tpm_slot *slot);
void tpm_slot_loaded(struct tpm *tpm, struct tpm_slot *slot, ESYS_TR handle);
void tpm_slot_used(struct tpm *tpm, struct tpm_slot *slot);
/* Loads what made room for others; false if it has to be loaded from the start. */
bool tpm_slot_restore(struct tpm *tpm, struct tpm_slot *slot);
/* Nothing of it stays, in the TPM or here. */
void tpm_slot_clear(struct tpm *tpm, struct tpm_slot *slot);
/* Forgets what is loaded if @rc says that the TPM has; then trying again makes sense. */
bool tpm_forgot(struct tpm *tpm, TSS2_RC rc);
/* The parent's handle; tpm_parent_release() it.  @primary: which one for a hierarchy. */
int tpm_parent_get(struct tpm *tpm, TPM2_HANDLE parent, enum tpm_primary primary,
		   ESYS_TR *ret_handle, struct keys_words *words);
void tpm_parent_release(struct tpm *tpm, TPM2_HANDLE parent, ESYS_TR handle);

#endif /* TLSHD_KEYS_TPM_DEVICE_H */
