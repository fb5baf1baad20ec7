// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TSS2 PRIVATE KEY files in PEM and DER through libcrypto, see tss2_pem.h.  The
 * structure is the TPMKey of the "ASN.1 Specification for TPM 2.0 Key Files".
 */
#include <errno.h>
#include <openssl/asn1t.h>
#include <openssl/bn.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tss2_pem.h"

#define TSS2_PEM_LABEL	    "TSS2 PRIVATE KEY"
#define TSS2_OID_LOADABLE   "2.23.133.10.1.3"
#define TSS2_OID_IMPORTABLE "2.23.133.10.1.4"
#define TSS2_OID_SEALED	    "2.23.133.10.1.5"

/* A BOOLEAN that is not there is negative. */
typedef struct tss2_key {
	ASN1_OBJECT *type;
	ASN1_BOOLEAN empty_auth;
	ASN1_TYPE *policy;
	ASN1_OCTET_STRING *secret;
	ASN1_TYPE *auth_policy;
	ASN1_UTF8STRING *description;
	ASN1_BOOLEAN rsa_parent;
	ASN1_INTEGER *parent;
	ASN1_OCTET_STRING *public;
	ASN1_OCTET_STRING *private;
} TSS2_KEY;

ASN1_SEQUENCE(TSS2_KEY) = { ASN1_SIMPLE(TSS2_KEY, type, ASN1_OBJECT),
			    ASN1_EXP_OPT(TSS2_KEY, empty_auth, ASN1_BOOLEAN, 0),
			    ASN1_EXP_OPT(TSS2_KEY, policy, ASN1_ANY, 1),
			    ASN1_EXP_OPT(TSS2_KEY, secret, ASN1_OCTET_STRING, 2),
			    ASN1_EXP_OPT(TSS2_KEY, auth_policy, ASN1_ANY, 3),
			    ASN1_EXP_OPT(TSS2_KEY, description, ASN1_UTF8STRING, 4),
			    ASN1_EXP_OPT(TSS2_KEY, rsa_parent, ASN1_BOOLEAN, 5),
			    ASN1_SIMPLE(TSS2_KEY, parent, ASN1_INTEGER),
			    ASN1_SIMPLE(TSS2_KEY, public, ASN1_OCTET_STRING),
			    ASN1_SIMPLE(TSS2_KEY, private,
					ASN1_OCTET_STRING) } static_ASN1_SEQUENCE_END(TSS2_KEY)

	IMPLEMENT_STATIC_ASN1_ALLOC_FUNCTIONS(TSS2_KEY)

		bool tss2_pem_is(const char *text)
{
	return strstr(text, "-----BEGIN " TSS2_PEM_LABEL "-----");
}

/* The DER in the first block with our label; OPENSSL_free() it. */
static int read_pem(const char *text, size_t length, unsigned char **ret_der, long *ret_length,
		    struct keys_words *words)
{
	char *label = NULL, *header = NULL;
	unsigned char *der = NULL;
	bool found = false;
	BIO *bio;

	bio = BIO_new_mem_buf(text, (int)length);
	if (!bio)
		return keys_fail(words, ENOMEM, "out of memory");
	while (!found && PEM_read_bio(bio, &label, &header, &der, ret_length)) {
		found = !strcmp(label, TSS2_PEM_LABEL) && !*header;
		if (!found)
			OPENSSL_free(der);
		OPENSSL_free(label);
		OPENSSL_free(header);
	}
	BIO_free(bio);
	if (!found)
		return keys_fail(words, EINVAL, "has no readable %s block", TSS2_PEM_LABEL);
	*ret_der = der;
	return 0;
}

static int read_type(const TSS2_KEY *key, enum tss2_pem_type *ret_type, struct keys_words *words)
{
	char oid[64];

	if (OBJ_obj2txt(oid, sizeof(oid), key->type, 1) <= 0)
		oid[0] = '\0';
	if (!strcmp(oid, TSS2_OID_LOADABLE))
		*ret_type = TSS2_PEM_LOADABLE;
	else if (!strcmp(oid, TSS2_OID_SEALED))
		*ret_type = TSS2_PEM_SEALED;
	else if (!strcmp(oid, TSS2_OID_IMPORTABLE))
		return keys_fail(words, EOPNOTSUPP,
				 "is a key to be imported; import it first and use what comes out");
	else
		return keys_fail(words, EINVAL, "is no TPM key but an object of type %s", oid);
	return 0;
}

/* Handles from 0x80000000 on are negative in files of some writers. */
static int read_parent(const TSS2_KEY *key, TPM2_HANDLE *ret_parent, struct keys_words *words)
{
	int64_t number = 0;

	if (!ASN1_INTEGER_get_int64(&number, key->parent) || number > UINT32_MAX ||
	    number < INT32_MIN)
		return keys_fail(words, EINVAL, "names a parent that is no TPM handle");
	*ret_parent = number ? (TPM2_HANDLE)number : TPM2_RH_OWNER;
	return 0;
}

static int read_object(const TSS2_KEY *key, struct tss2_pem *pem, struct keys_words *words)
{
	size_t public_len = (size_t)ASN1_STRING_length(key->public), public_used = 0;
	size_t private_len = (size_t)ASN1_STRING_length(key->private), private_used = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(ASN1_STRING_get0_data(key->public), public_len,
					   &public_used, &pem->public) ||
	    public_used != public_len)
		return keys_fail(words, EINVAL, "has a damaged public part");
	if (Tss2_MU_TPM2B_PRIVATE_Unmarshal(ASN1_STRING_get0_data(key->private), private_len,
					    &private_used, &pem->private) ||
	    private_used != private_len)
		return keys_fail(words, EINVAL, "has a damaged private part");
	return 0;
}

int tss2_pem_read(const char *text, size_t length, struct tss2_pem *ret_pem,
		  struct keys_words *words)
{
	struct tss2_pem pem = { 0 };
	unsigned char *der = NULL;
	const unsigned char *at;
	TSS2_KEY *key;
	long der_len;
	int ret;

	ret = read_pem(text, length, &der, &der_len, words);
	if (ret < 0)
		return ret;
	at = der;
	key = (TSS2_KEY *)ASN1_item_d2i(NULL, &at, der_len, ASN1_ITEM_rptr(TSS2_KEY));
	if (!key || at != der + der_len) {
		ret = keys_fail(words, EINVAL, "is damaged: its contents are not a TPM key's");
		goto out;
	}
	ret = read_type(key, &pem.type, words);
	if (ret == 0)
		ret = read_parent(key, &pem.parent, words);
	if (ret == 0)
		ret = read_object(key, &pem, words);
	if (ret < 0)
		goto out;
	pem.empty_auth = key->empty_auth > 0;
	pem.policy = key->policy || key->auth_policy || key->secret;
	pem.rsa_parent = key->rsa_parent > 0;
	*ret_pem = pem;
out:
	if (key)
		TSS2_KEY_free(key);
	OPENSSL_free(der);
	return ret;
}

static TSS2_KEY *key_of(const struct tss2_pem *pem)
{
	uint8_t public[sizeof(pem->public)], private[sizeof(pem->private)];
	size_t public_len = 0, private_len = 0;
	TSS2_KEY *key;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&pem->public, public, sizeof(public), &public_len) ||
	    Tss2_MU_TPM2B_PRIVATE_Marshal(&pem->private, private, sizeof(private), &private_len))
		return NULL;
	key = TSS2_KEY_new();
	if (!key)
		return NULL;
	ASN1_OBJECT_free(key->type);
	key->type =
		OBJ_txt2obj(pem->type == TSS2_PEM_SEALED ? TSS2_OID_SEALED : TSS2_OID_LOADABLE, 1);
	key->empty_auth = pem->empty_auth ? 0xff : -1;
	key->rsa_parent = pem->rsa_parent ? 0xff : -1;
	if (!key->type || !ASN1_INTEGER_set_uint64(key->parent, pem->parent) ||
	    !ASN1_OCTET_STRING_set(key->public, public, (int)public_len) ||
	    !ASN1_OCTET_STRING_set(key->private, private, (int)private_len)) {
		TSS2_KEY_free(key);
		return NULL;
	}
	return key;
}

int tss2_pem_write(const struct tss2_pem *pem, char **ret_text, size_t *ret_length,
		   struct keys_words *words)
{
	int ret = keys_fail(words, ENOMEM, "out of memory");
	TSS2_KEY *key = key_of(pem);
	unsigned char *der = NULL;
	BIO *bio = NULL;
	char *data, *text;
	long length;
	int der_len;

	if (!key)
		return keys_fail(words, EINVAL, "this key cannot be encoded");
	der_len = ASN1_item_i2d((const ASN1_VALUE *)key, &der, ASN1_ITEM_rptr(TSS2_KEY));
	bio = BIO_new(BIO_s_mem());
	if (der_len <= 0 || !bio || !PEM_write_bio(bio, TSS2_PEM_LABEL, "", der, der_len))
		goto out;
	length = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)length);
	if (!text)
		goto out;
	*ret_text = text;
	*ret_length = (size_t)length;
	ret = 0;
out:
	BIO_free(bio);
	OPENSSL_free(der);
	TSS2_KEY_free(key);
	return ret;
}
