// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading kernel keys, see kernel_key.h.  KEYCTL_DESCRIBE and KEYCTL_READ are all that
 * the sandbox allows.
 */
#include <errno.h>
#include <keyutils.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_key.h"

/* "type;uid;gid;permissions;description" */
#define DESCRIPTION_AT	4 /* fields before it */
#define MAX_DESCRIPTION (KEYS_MAX_KERNEL_IDENTITY + 96)
#define MAX_DATA	KEYS_MAX_KERNEL_CERTIFICATE

struct described {
	char text[MAX_DESCRIPTION + 1]; /* starts with the type, which ends with a NUL */
	const char *description;
};

static int cannot(struct keys_words *words, const char *what, uint32_t serial, int error)
{
	switch (error) {
	case ENOKEY:
	case EINVAL:
		return keys_fail(words, ENOKEY, "there is no %s %u", what, serial);
	case EACCES:
		return keys_fail(words, EACCES,
				 "%s %u may not be read: its keyring is not linked for tlshd, "
				 "or the key denies its possessor view and read",
				 what, serial);
	case EKEYREVOKED:
		return keys_fail(words, EKEYREVOKED, "%s %u was revoked", what, serial);
	case EKEYEXPIRED:
		return keys_fail(words, EKEYEXPIRED, "%s %u has expired", what, serial);
	default:
		return keys_fail(words, error, "%s %u cannot be read: %s", what, serial,
				 strerror(error));
	}
}

/* Negative numbers are names for keyrings of this process. */
static bool is_serial(uint32_t serial)
{
	return serial > 0 && serial <= INT32_MAX;
}

static int describe(uint32_t serial, struct described *ret)
{
	char *at = ret->text;
	long length;

	if (!is_serial(serial))
		return -EINVAL;
	length = keyctl_describe((key_serial_t)serial, ret->text, MAX_DESCRIPTION);
	if (length < 0)
		return -errno;
	if (length > MAX_DESCRIPTION)
		return -E2BIG;
	ret->text[length] = '\0';
	for (int i = 0; i < DESCRIPTION_AT; i++) {
		at = strchr(at, ';');
		if (!at)
			return -EBADMSG;
		*at++ = '\0';
	}
	ret->description = at;
	return 0;
}

static bool is_psk_type(const struct described *key)
{
	return strcmp(key->text, "psk") == 0 || strcmp(key->text, "user") == 0;
}

/* Bytes, or -errno; one that is longer than @size was not copied. */
static long read_data(uint32_t serial, void *data, size_t size)
{
	long length = keyctl_read((key_serial_t)serial, data, size);

	return length < 0 ? -errno : length;
}

static int read_psk(uint32_t serial, const struct described *key, struct kernel_psk *psk,
		    struct keys_words *words)
{
	size_t length = strlen(key->description);
	long n;

	if (!is_psk_type(key))
		return keys_fail(words, EINVAL, "kernel key %u is neither of type psk nor user",
				 serial);
	if (length == 0 || length > KEYS_MAX_KERNEL_IDENTITY)
		return keys_fail(words, EINVAL,
				 "kernel key %u has an identity of %zu bytes; 1 to %d are possible",
				 serial, length, KEYS_MAX_KERNEL_IDENTITY);
	n = read_data(serial, psk->secret, sizeof(psk->secret));
	if (n < 0)
		return cannot(words, "kernel key", serial, (int)-n);
	if (n < KEYS_MIN_PSK || n > KEYS_MAX_PSK)
		return keys_fail(words, EINVAL, "kernel key %u has %ld bytes; a PSK has %d to %d",
				 serial, n, KEYS_MIN_PSK, KEYS_MAX_PSK);
	psk->serial = serial;
	psk->length = (size_t)n;
	psk->identity_length = length;
	memcpy(psk->identity, key->description, length);
	return 0;
}

int kernel_psk_read(uint32_t serial, struct kernel_psk *ret_psk, struct keys_words *words)
{
	struct described key;
	int ret = describe(serial, &key);

	return ret < 0 ? cannot(words, "kernel key", serial, -ret) :
			 read_psk(serial, &key, ret_psk, words);
}

static bool has_identity(const struct described *key, const char *identity, size_t length)
{
	return is_psk_type(key) && strlen(key->description) == length &&
	       memcmp(key->description, identity, length) == 0;
}

static int look_through(uint32_t keyring, const key_serial_t *members, size_t count,
			const char *identity, size_t length, struct kernel_psk *ret_psk,
			struct keys_words *words)
{
	struct described key;
	int ret, hidden = 0;

	for (size_t i = 0; i < count; i++) {
		ret = describe((uint32_t)members[i], &key);
		if (ret == 0 && has_identity(&key, identity, length))
			return read_psk((uint32_t)members[i], &key, ret_psk, words);
		if (ret < 0 && ret != -E2BIG)
			hidden = -ret;
	}
	return hidden ? keys_fail(words, ENOKEY,
				  "keyring %u has no such key that can be used (others: %s)",
				  keyring, strerror(hidden)) :
			keys_fail(words, ENOKEY, "keyring %u has no such key", keyring);
}

int kernel_psk_find(uint32_t keyring, const char *identity, size_t length,
		    struct kernel_psk *ret_psk, struct keys_words *words)
{
	key_serial_t members[KEYS_MAX_KEYRING];
	struct described key;
	long n;
	int ret;

	if (!keyring)
		return keys_fail(words, ENOKEY, "the kernel named no keyring to look in");
	ret = describe(keyring, &key);
	if (ret < 0)
		return cannot(words, "keyring", keyring, -ret);
	if (strcmp(key.text, "keyring") != 0)
		return keys_fail(words, ENOTDIR, "kernel key %u is no keyring", keyring);
	n = read_data(keyring, members, sizeof(members));
	if (n < 0)
		return cannot(words, "keyring", keyring, (int)-n);
	if ((size_t)n > sizeof(members))
		return keys_fail(words, E2BIG,
				 "keyring %u has more than %d keys, which is too many to look at",
				 keyring, KEYS_MAX_KEYRING);
	return look_through(keyring, members, (size_t)n / sizeof(members[0]), identity, length,
			    ret_psk, words);
}

/* The content of a key of type "user"; @data has MAX_DATA bytes. */
static int read_user_key(const char *what, uint32_t serial, void *data, size_t *ret_length,
			 struct keys_words *words)
{
	struct described key;
	long n = describe(serial, &key);

	if (n == 0 && strcmp(key.text, "user") != 0)
		return keys_fail(words, EINVAL, "%s %u is not of type user", what, serial);
	if (n == 0)
		n = read_data(serial, data, MAX_DATA);
	if (n < 0)
		return cannot(words, what, serial, (int)-n);
	if (n == 0 || n > MAX_DATA)
		return keys_fail(words, EINVAL, "%s %u has %ld bytes; up to %d are possible", what,
				 serial, n, MAX_DATA);
	*ret_length = (size_t)n;
	return 0;
}

int kernel_private_key_open(uint32_t serial, struct keys_object **ret_object,
			    struct keys_words *words)
{
	struct keys_object *object = NULL;
	struct keys_words why = { "" };
	uint8_t data[MAX_DATA];
	char name[32];
	size_t length;
	int ret;

	ret = read_user_key("private key", serial, data, &length, words);
	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "kernel key %u", serial);
	ret = memory_key_open(name, data, length, &object, &why);
	explicit_bzero(data, sizeof(data));
	if (ret == 0)
		ret = keys_self_test(object, &why);
	if (ret < 0) {
		keys_object_free(object);
		keys_say(words, "private key %u %s", serial, why.text);
		return ret;
	}
	*ret_object = object;
	return 0;
}

int kernel_certificate_read(uint32_t serial, uint8_t **ret_data, size_t *ret_length,
			    struct keys_words *words)
{
	uint8_t data[MAX_DATA];
	size_t length;
	int ret;

	ret = read_user_key("certificate", serial, data, &length, words);
	if (ret < 0)
		return ret;
	*ret_data = malloc(length);
	if (!*ret_data)
		return keys_fail(words, ENOMEM, "out of memory");
	memcpy(*ret_data, data, length);
	*ret_length = length;
	return 0;
}
