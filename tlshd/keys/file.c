// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backend for keys in plain files: PEM private keys through GnuTLS, and PSKs
 * written in hexadecimal; and for private keys that came from the kernel.
 */
#include <ctype.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "public.h"
#include "scheme.h"

struct file_key {
	struct keys_object object;
	gnutls_privkey_t key;
};

struct file_psk {
	struct keys_object object;
	size_t length;
	uint8_t secret[KEYS_MAX_PSK];
};

static int file_key_sign(struct keys_object *object, uint16_t scheme, uint16_t hash,
			 const uint8_t *digest, size_t digest_len, uint8_t *signature,
			 size_t *ret_len, struct keys_words *words)
{
	struct file_key *key = (struct file_key *)object;
	gnutls_datum_t input = { (unsigned char *)digest, (unsigned int)digest_len };
	gnutls_datum_t output = { 0 };
	int ret;

	ret = gnutls_privkey_sign_hash2(key->key, keys_scheme_gnutls(scheme, hash), 0, &input,
					&output);
	if (ret < 0)
		return keys_fail(words, EIO, "signing failed: %s", gnutls_strerror(ret));
	if (output.size > KEYS_MAX_SIGNATURE) {
		gnutls_free(output.data);
		return keys_fail(words, EMSGSIZE, "the signature is too long");
	}
	memcpy(signature, output.data, output.size);
	*ret_len = output.size;
	gnutls_free(output.data);
	return 0;
}

static void file_key_free(struct keys_object *object)
{
	struct file_key *key = (struct file_key *)object;

	gnutls_privkey_deinit(key->key);
	free(object->name);
	free(key);
}

static const struct keys_backend file_key_backend = {
	.name = "file",
	.signer = KEYS_SIGNER_SOFTWARE,
	.sign = file_key_sign,
	.free = file_key_free,
};

static const struct keys_backend memory_key_backend = {
	.name = "kernel",
	.signer = KEYS_SIGNER_SOFTWARE,
	.sign = file_key_sign,
	.free = file_key_free,
};

static int import(gnutls_privkey_t key, const void *data, size_t length,
		  gnutls_x509_crt_fmt_t format, struct keys_words *words)
{
	gnutls_datum_t datum = { (unsigned char *)data, (unsigned int)length };
	int ret;

	ret = gnutls_privkey_import_x509_raw(key, &datum, format, NULL, 0);
	if (ret == GNUTLS_E_DECRYPTION_FAILED)
		return keys_fail(words, EINVAL,
				 "is encrypted with a password, which nobody is there to type");
	if (ret < 0)
		return keys_fail(words, EINVAL, "is not a %s private key: %s",
				 format == GNUTLS_X509_FMT_PEM ? "PEM" : "DER",
				 gnutls_strerror(ret));
	return 0;
}

static int describe(gnutls_privkey_t key, struct keys_public *ret_public, struct keys_words *words)
{
	gnutls_pubkey_t pub = NULL;
	int ret;

	if (gnutls_pubkey_init(&pub) < 0)
		return keys_fail(words, ENOMEM, "out of memory");
	ret = gnutls_pubkey_import_privkey(pub, key, 0, 0);
	if (ret < 0)
		ret = keys_fail(words, EINVAL, "has no usable public key: %s",
				gnutls_strerror(ret));
	else
		ret = public_describe(pub, ret_public, words);
	gnutls_pubkey_deinit(pub);
	return ret;
}

static int open_key(const struct keys_backend *backend, const char *name, const void *data,
		    size_t length, gnutls_x509_crt_fmt_t format, struct keys_object **ret_object,
		    struct keys_words *words)
{
	struct file_key *key;
	int ret;

	key = calloc(1, sizeof(*key));
	if (!key)
		return keys_fail(words, ENOMEM, "out of memory");
	key->object.backend = backend;
	key->object.name = strdup(name);
	if (!key->object.name || gnutls_privkey_init(&key->key) < 0) {
		ret = keys_fail(words, ENOMEM, "out of memory");
		goto out;
	}
	ret = import(key->key, data, length, format, words);
	if (ret < 0)
		goto out;
	ret = describe(key->key, &key->object.public, words);
	if (ret < 0)
		goto out;
	*ret_object = &key->object;
	key = NULL;
out:
	if (key)
		file_key_free(&key->object);
	return ret;
}

int file_key_open(const char *name, const struct secret_file *file, struct keys_object **ret_object,
		  struct keys_words *words)
{
	int ret = secret_file_private(file, words);

	return ret < 0 ? ret :
			 open_key(&file_key_backend, name, file->data, file->length,
				  GNUTLS_X509_FMT_PEM, ret_object, words);
}

int memory_key_open(const char *name, const void *data, size_t length,
		    struct keys_object **ret_object, struct keys_words *words)
{
	bool pem = memmem(data, length, "-----BEGIN", strlen("-----BEGIN"));

	return open_key(&memory_key_backend, name, data, length,
			pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, ret_object, words);
}

static int file_psk_unseal(struct keys_object *object, uint8_t *secret, size_t *ret_len,
			   struct keys_words *words)
{
	const struct file_psk *psk = (const struct file_psk *)object;

	(void)words;
	memcpy(secret, psk->secret, psk->length);
	*ret_len = psk->length;
	return 0;
}

static void destroy_psk(struct file_psk *psk)
{
	free(psk->object.name);
	explicit_bzero(psk, sizeof(*psk));
	free(psk);
}

static void file_psk_free(struct keys_object *object)
{
	destroy_psk((struct file_psk *)object);
}

static const struct keys_backend file_psk_backend = {
	.name = "file",
	.signer = KEYS_SIGNER_SOFTWARE,
	.unseal = file_psk_unseal,
	.free = file_psk_free,
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One line of hexadecimal digits, white space around it. */
static int parse_hex(const struct secret_file *file, struct file_psk *psk, struct keys_words *words)
{
	const char *at = file->data, *end = file->data + file->length;
	size_t length = 0;

	while (at < end && isspace((unsigned char)*at))
		at++;
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	if ((end - at) % 2)
		return keys_fail(words, EINVAL, "has an odd number of hexadecimal digits");
	for (; at < end; at += 2) {
		int high = hex_value(at[0]), low = hex_value(at[1]);

		if (high < 0 || low < 0)
			return keys_fail(words, EINVAL,
					 "is not a PSK: one line of hexadecimal digits is wanted");
		if (length == KEYS_MAX_PSK)
			return keys_fail(words, EINVAL, "has more than %d bytes of PSK",
					 KEYS_MAX_PSK);
		psk->secret[length++] = (uint8_t)(high << 4 | low);
	}
	if (length < KEYS_MIN_PSK)
		return keys_fail(words, EINVAL, "has %zu bytes of PSK, at least %d are needed",
				 length, KEYS_MIN_PSK);
	psk->length = length;
	return 0;
}

int file_psk_open(const char *name, const struct secret_file *file, struct keys_object **ret_object,
		  struct keys_words *words)
{
	struct file_psk *psk;
	int ret;

	psk = calloc(1, sizeof(*psk));
	if (!psk)
		return keys_fail(words, ENOMEM, "out of memory");
	psk->object.backend = &file_psk_backend;
	psk->object.name = strdup(name);
	if (!psk->object.name) {
		ret = keys_fail(words, ENOMEM, "out of memory");
		goto out;
	}
	ret = secret_file_private(file, words);
	if (ret < 0)
		goto out;
	ret = parse_hex(file, psk, words);
	if (ret < 0)
		goto out;
	*ret_object = &psk->object;
	psk = NULL;
out:
	if (psk)
		destroy_psk(psk);
	return ret;
}
