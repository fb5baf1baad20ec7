// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backend for keys and sealed PSKs in a TPM.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "tpm_device.h"

/* The private part in @tpm_object is only of use to its TPM. */
struct tpm_key {
	struct keys_object object;
	struct tpm *tpm;
	struct tpm_object tpm_object;
};

static int tpm_key_sign(struct keys_object *object, uint16_t scheme, uint16_t hash,
			const uint8_t *digest, size_t digest_len, uint8_t *signature,
			size_t *ret_len, struct keys_words *words)
{
	struct tpm_key *key = (struct tpm_key *)object;

	(void)hash; /* its length is the digest's */
	return tpm_sign(key->tpm, &key->tpm_object, scheme, digest, digest_len, signature, ret_len,
			words);
}

static int tpm_psk_unseal(struct keys_object *object, uint8_t *secret, size_t *ret_len,
			  struct keys_words *words)
{
	struct tpm_key *key = (struct tpm_key *)object;

	return tpm_unseal(key->tpm, &key->tpm_object, secret, ret_len, words);
}

static void tpm_key_free(struct keys_object *object)
{
	struct tpm_key *key = (struct tpm_key *)object;

	tpm_object_unload(key->tpm, &key->tpm_object);
	free(object->name);
	free(key);
}

static const struct keys_backend tpm_key_backend = {
	.name = "tpm",
	.signer = KEYS_SIGNER_TPM,
	.sign = tpm_key_sign,
	.free = tpm_key_free,
};

static const struct keys_backend tpm_psk_backend = {
	.name = "tpm",
	.signer = KEYS_SIGNER_TPM,
	.unseal = tpm_psk_unseal,
	.free = tpm_key_free,
};

/* Takes over what @tpm_object has loaded, also on failure. */
static int new_object(struct tpm *tpm, const char *name, const struct keys_backend *backend,
		      struct tpm_object *tpm_object, struct keys_object **ret_object,
		      struct keys_words *words)
{
	struct tpm_key *key = calloc(1, sizeof(*key));
	int ret = 0;

	if (key)
		key->object.name = strdup(name);
	if (!key || !key->object.name) {
		free(key);
		tpm_object_unload(tpm, tpm_object);
		return keys_fail(words, ENOMEM, "out of memory");
	}
	key->object.backend = backend;
	key->tpm = tpm;
	key->tpm_object = *tpm_object;
	if (backend->sign)
		ret = tpm_object_describe(&key->tpm_object, &key->object.public, words);
	if (ret < 0) {
		tpm_key_free(&key->object);
		return ret;
	}
	*ret_object = &key->object;
	return 0;
}

static int open_pem(struct tpm *tpm, const char *name, const struct secret_file *file,
		    enum tss2_pem_type type, struct keys_object **ret_object,
		    struct keys_words *words)
{
	struct tpm_object tpm_object;
	struct tss2_pem pem;
	int ret;

	ret = tss2_pem_read(file->data, file->length, &pem, words);
	if (ret < 0)
		return ret;
	if (pem.type != type)
		return keys_fail(words, EINVAL,
				 type == TSS2_PEM_SEALED ? "is a TPM key and not a sealed PSK" :
							   "is data sealed by a TPM and not a key");
	ret = tpm_object_from_pem(&pem, &tpm_object, words);
	if (ret < 0)
		return ret;
	return new_object(tpm, name, type == TSS2_PEM_SEALED ? &tpm_psk_backend : &tpm_key_backend,
			  &tpm_object, ret_object, words);
}

int tpm_key_open(struct tpm *tpm, const char *name, const struct secret_file *file,
		 struct keys_object **ret_object, struct keys_words *words)
{
	return open_pem(tpm, name, file, TSS2_PEM_LOADABLE, ret_object, words);
}

int tpm_psk_open(struct tpm *tpm, const char *name, const struct secret_file *file,
		 struct keys_object **ret_object, struct keys_words *words)
{
	return open_pem(tpm, name, file, TSS2_PEM_SEALED, ret_object, words);
}

int tpm_handle_open(struct tpm *tpm, const char *name, uint32_t handle,
		    struct keys_object **ret_object, struct keys_words *words)
{
	struct tpm_object tpm_object;
	int ret;

	ret = tpm_object_from_handle(tpm, handle, &tpm_object, words);
	if (ret < 0)
		return ret;
	return new_object(tpm, name, &tpm_key_backend, &tpm_object, ret_object, words);
}
