// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects in a TPM: from a file or a persistent handle to something loaded that
 * signs or gives out what it seals.
 */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <string.h>

#include "scheme.h"
#include "tpm_device.h"

#define PERSISTENT_FIRST 0x81000000u
#define PERSISTENT_LAST	 0x81ffffffu

int tpm_object_from_pem(const struct tss2_pem *pem, struct tpm_object *ret_object,
			struct keys_words *words)
{
	/* empty_auth does not count: tpm2_encodeobject 5.7 never sets it.  The first use tells. */
	if (pem->policy)
		return keys_fail(words, EOPNOTSUPP, "has a policy, which is not supported");
	if (pem->parent != TPM2_RH_OWNER &&
	    (pem->parent < PERSISTENT_FIRST || pem->parent > PERSISTENT_LAST))
		return keys_fail(
			words, EOPNOTSUPP,
			"has the parent 0x%08x; the owner hierarchy and persistent keys are supported",
			pem->parent);
	memset(ret_object, 0, sizeof(*ret_object));
	tpm_slot_init(&ret_object->slot);
	ret_object->pem = *pem;
	ret_object->primary = TPM_PRIMARY_COUNT;
	return 0;
}

static int find_persistent(struct tpm *tpm, TPM2_HANDLE handle, ESYS_TR *ret_handle,
			   struct keys_words *words)
{
	/* Found in the same way as a persistent parent. */
	return tpm_parent_get(tpm, handle, TPM_PRIMARY_ECC, ret_handle, words);
}

int tpm_object_from_handle(struct tpm *tpm, TPM2_HANDLE handle, struct tpm_object *ret_object,
			   struct keys_words *words)
{
	struct tpm_object object = { .persistent = handle };
	TPM2B_PUBLIC *public = NULL;
	int ret;
	TSS2_RC rc;

	if (handle < PERSISTENT_FIRST || handle > PERSISTENT_LAST)
		return keys_fail(words, EINVAL,
				 "is no persistent handle (0x81000000 to 0x81ffffff)");
	ret = find_persistent(tpm, handle, &object.slot.handle, words);
	if (ret < 0)
		return ret;
	do {
		rc = Esys_ReadPublic(tpm->esys, object.slot.handle, ESYS_TR_NONE, ESYS_TR_NONE,
				     ESYS_TR_NONE, &public, NULL, NULL);
	} while (tpm_made_room(tpm, rc, NULL));
	if (rc != TSS2_RC_SUCCESS) {
		Esys_TR_Close(tpm->esys, &object.slot.handle);
		return tpm_fail(tpm, rc, "reading the public key from the TPM", words);
	}
	object.pem.public = *public;
	Esys_Free(public);
	*ret_object = object;
	return 0;
}

/* Loads under one primary.  -EXDEV: not its child. */
static int load_under(struct tpm *tpm, struct tpm_object *object, enum tpm_primary primary,
		      struct keys_words *words)
{
	const struct tpm_slot *keep = NULL;
	ESYS_TR parent, handle = ESYS_TR_NONE;
	int ret;
	TSS2_RC rc;

	ret = tpm_parent_get(tpm, object->pem.parent, primary, &parent, words);
	if (ret < 0)
		return ret;
	if (object->pem.parent == TPM2_RH_OWNER)
		keep = &tpm->primaries[primary];
	tpm_reserve_place(tpm, keep);
	do {
		rc = Esys_Load(tpm->esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
			       &object->pem.private, &object->pem.public, &handle);
	} while (tpm_made_room(tpm, rc, keep));
	tpm_parent_release(tpm, object->pem.parent, parent);
	switch (tpm_code(rc)) {
	case TSS2_RC_SUCCESS:
		break;
	case TPM2_RC_INTEGRITY + TPM2_RC_P + TPM2_RC_1:
		return keys_fail(
			words, EXDEV,
			"is not of this TPM, or its parent is another one than the file says");
	default:
		if (tpm_wants_password(rc))
			return keys_fail(
				words, EACCES,
				"has a parent with a password, which nobody is there to type");
		return tpm_fail(tpm, rc, "loading it into the TPM", words);
	}
	tpm_slot_loaded(tpm, &object->slot, handle);
	object->primary = primary;
	return 0;
}

/* Files do not say how their primary key was made, apart from rsa_parent: try. */
static int load_under_owner(struct tpm *tpm, struct tpm_object *object, struct keys_words *words)
{
	static const enum tpm_primary order[2][TPM_PRIMARY_COUNT] = {
		{ TPM_PRIMARY_ECC, TPM_PRIMARY_ECC_TOOLS, TPM_PRIMARY_RSA, TPM_PRIMARY_RSA_TOOLS },
		{ TPM_PRIMARY_RSA, TPM_PRIMARY_RSA_TOOLS, TPM_PRIMARY_ECC, TPM_PRIMARY_ECC_TOOLS },
	};
	int ret = -EXDEV;

	for (size_t i = 0; ret == -EXDEV && i < TPM_PRIMARY_COUNT; i++) {
		enum tpm_primary primary = order[object->pem.rsa_parent][i];

		ret = load_under(tpm, object, primary, words);
		if (ret == -EXDEV)
			tpm_slot_clear(tpm, &tpm->primaries[primary]);
	}
	return ret;
}

int tpm_object_load(struct tpm *tpm, struct tpm_object *object, struct keys_words *words)
{
	if (tpm->gone) {
		*words = tpm->gone_words;
		return -EIO;
	}
	if (object->persistent)
		return 0;
	if (object->slot.handle != ESYS_TR_NONE) {
		tpm_slot_used(tpm, &object->slot);
		return 0;
	}
	if (tpm_slot_restore(tpm, &object->slot))
		return 0;
	if (object->pem.parent == TPM2_RH_OWNER && object->primary == TPM_PRIMARY_COUNT)
		return load_under_owner(tpm, object, words);
	return load_under(tpm, object,
			  object->primary == TPM_PRIMARY_COUNT ? TPM_PRIMARY_ECC : object->primary,
			  words);
}

void tpm_object_unload(struct tpm *tpm, struct tpm_object *object)
{
	if (object->persistent)
		Esys_TR_Close(tpm->esys, &object->slot.handle);
	else
		tpm_slot_clear(tpm, &object->slot);
}

static int describe_ecc(const TPMT_PUBLIC *area, gnutls_pubkey_t pub, struct keys_words *words)
{
	gnutls_datum_t x = { (unsigned char *)area->unique.ecc.x.buffer, area->unique.ecc.x.size };
	gnutls_datum_t y = { (unsigned char *)area->unique.ecc.y.buffer, area->unique.ecc.y.size };
	gnutls_ecc_curve_t curve;

	switch (area->parameters.eccDetail.curveID) {
	case TPM2_ECC_NIST_P256:
		curve = GNUTLS_ECC_CURVE_SECP256R1;
		break;
	case TPM2_ECC_NIST_P384:
		curve = GNUTLS_ECC_CURVE_SECP384R1;
		break;
	default:
		return keys_fail(words, EINVAL, "is on another curve than P-256 and P-384");
	}
	if (gnutls_pubkey_import_ecc_raw(pub, curve, &x, &y) < 0)
		return keys_fail(words, EINVAL, "has a damaged public key");
	return 0;
}

static int describe_rsa(const TPMT_PUBLIC *area, gnutls_pubkey_t pub, struct keys_words *words)
{
	uint32_t number = area->parameters.rsaDetail.exponent;
	unsigned char exponent[4];
	gnutls_datum_t n = { (unsigned char *)area->unique.rsa.buffer, area->unique.rsa.size };
	gnutls_datum_t e = { exponent, sizeof(exponent) };

	if (!number)
		number = 65537;
	for (size_t i = 0; i < sizeof(exponent); i++)
		exponent[i] = (unsigned char)(number >> (24 - 8 * i));
	if (gnutls_pubkey_import_rsa_raw(pub, &n, &e) < 0)
		return keys_fail(words, EINVAL, "has a damaged public key");
	return 0;
}

int tpm_object_describe(const struct tpm_object *object, struct keys_public *ret_public,
			struct keys_words *words)
{
	const TPMT_PUBLIC *area = &object->pem.public.publicArea;
	gnutls_pubkey_t pub;
	int ret;

	if (area->type != TPM2_ALG_ECC && area->type != TPM2_ALG_RSA)
		return keys_fail(words, EINVAL, "is neither an RSA nor an EC key");
	if (!(area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT))
		return keys_fail(words, EINVAL, "is no signing key");
	if (area->objectAttributes & TPMA_OBJECT_RESTRICTED)
		return keys_fail(
			words, EINVAL,
			"is restricted: it signs only what the TPM made, not a TLS handshake");
	if (gnutls_pubkey_init(&pub) < 0)
		return keys_fail(words, ENOMEM, "out of memory");
	ret = area->type == TPM2_ALG_ECC ? describe_ecc(area, pub, words) :
					   describe_rsa(area, pub, words);
	if (ret == 0)
		ret = public_describe(pub, ret_public, words);
	gnutls_pubkey_deinit(pub);
	return ret;
}

static int fail_use(struct tpm *tpm, TSS2_RC rc, const char *what, struct keys_words *words)
{
	if (tpm_wants_password(rc))
		return keys_fail(
			words, EACCES,
			"needs a password, which nobody is there to type; the TPM may count this as a wrong one and lock itself");
	return tpm_fail(tpm, rc, what, words);
}

static TPMI_ALG_HASH hash_of_length(size_t length)
{
	switch (length) {
	case 32:
		return TPM2_ALG_SHA256;
	case 48:
		return TPM2_ALG_SHA384;
	default:
		return TPM2_ALG_SHA512;
	}
}

/*
 * ECDSA takes the leftmost bits of a digest as long as the curve's order (FIPS 186-5,
 * 6.4.1).  Done here, it needs no hash of the TPM that is longer than the key.
 */
static size_t useful_length(const TPMT_PUBLIC *area, uint16_t scheme, size_t length)
{
	size_t curve = area->parameters.eccDetail.curveID == TPM2_ECC_NIST_P384 ? 48 : 32;

	return scheme == KEYS_SCHEME_ECDSA && length > curve ? curve : length;
}

static TPMT_SIG_SCHEME scheme_of(uint16_t scheme, TPMI_ALG_HASH hash)
{
	TPMT_SIG_SCHEME result = { .details.any.hashAlg = hash };

	switch (scheme) {
	case KEYS_SCHEME_ECDSA:
		result.scheme = TPM2_ALG_ECDSA;
		break;
	case KEYS_SCHEME_RSA_PSS:
		result.scheme = TPM2_ALG_RSAPSS;
		break;
	default:
		result.scheme = TPM2_ALG_RSASSA;
		break;
	}
	return result;
}

/* r and s as a DER SEQUENCE of minimal INTEGERs */
static int encode_ecdsa(const TPMS_SIGNATURE_ECC *ecc, uint8_t *signature, size_t *ret_len)
{
	BIGNUM *r = BN_bin2bn(ecc->signatureR.buffer, ecc->signatureR.size, NULL);
	BIGNUM *s = BN_bin2bn(ecc->signatureS.buffer, ecc->signatureS.size, NULL);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	int length = -1;

	if (r && s && pair && ECDSA_SIG_set0(pair, r, s)) {
		r = s = NULL; /* the pair owns them */
		length = i2d_ECDSA_SIG(pair, NULL);
		if (length > 0 && length <= KEYS_MAX_SIGNATURE)
			length = i2d_ECDSA_SIG(pair, &signature);
		else
			length = -1;
	}
	ECDSA_SIG_free(pair);
	BN_free(r);
	BN_free(s);
	if (length < 0)
		return -ENOMEM;
	*ret_len = (size_t)length;
	return 0;
}

static int encode_signature(const TPMT_SIGNATURE *made, uint16_t scheme, uint8_t *signature,
			    size_t *ret_len, struct keys_words *words)
{
	const TPM2B_PUBLIC_KEY_RSA *rsa = &made->signature.rsassa.sig;

	if (scheme == KEYS_SCHEME_ECDSA) {
		if (made->sigAlg != TPM2_ALG_ECDSA ||
		    encode_ecdsa(&made->signature.ecdsa, signature, ret_len) < 0)
			return keys_fail(words, EIO, "the TPM's signature cannot be encoded");
		return 0;
	}
	if (made->sigAlg == TPM2_ALG_RSAPSS)
		rsa = &made->signature.rsapss.sig;
	else if (made->sigAlg != TPM2_ALG_RSASSA)
		return keys_fail(words, EIO, "the TPM's signature is of another kind");
	if (rsa->size > KEYS_MAX_SIGNATURE || rsa->size > sizeof(rsa->buffer))
		return keys_fail(words, EIO, "the TPM's signature is too long");
	memcpy(signature, rsa->buffer, rsa->size);
	*ret_len = rsa->size;
	return 0;
}

int tpm_sign(struct tpm *tpm, struct tpm_object *object, uint16_t scheme, const uint8_t *digest,
	     size_t digest_len, uint8_t *signature, size_t *ret_len, struct keys_words *words)
{
	const TPMT_TK_HASHCHECK no_ticket = {
		.tag = TPM2_ST_HASHCHECK,
		.hierarchy = TPM2_RH_NULL,
	};
	size_t length = useful_length(&object->pem.public.publicArea, scheme, digest_len);
	const TPMT_SIG_SCHEME sig_scheme = scheme_of(scheme, hash_of_length(length));
	TPM2B_DIGEST input = { .size = (UINT16)length };
	TPMT_SIGNATURE *made = NULL;
	int ret, resets = 1;
	TSS2_RC rc;

	memcpy(input.buffer, digest, length);
	do {
		ret = tpm_object_load(tpm, object, words);
		if (ret < 0)
			return ret;
		rc = Esys_Sign(tpm->esys, object->slot.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
			       ESYS_TR_NONE, &input, &sig_scheme, &no_ticket, &made);
	} while (tpm_made_room(tpm, rc, &object->slot) || (resets-- && tpm_forgot(tpm, rc)));
	if (rc != TSS2_RC_SUCCESS)
		return fail_use(tpm, rc, "signing in the TPM", words);
	ret = encode_signature(made, scheme, signature, ret_len, words);
	Esys_Free(made);
	return ret;
}

/* ESYS keeps the last response; a longer one takes the secret's place. */
static void scrub(struct tpm *tpm)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;

	Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			   TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FIXED, 64, &more, &data);
	Esys_Free(data);
}

int tpm_unseal(struct tpm *tpm, struct tpm_object *object, uint8_t *secret, size_t *ret_len,
	       struct keys_words *words)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	int ret, resets = 1;
	TSS2_RC rc;

	do {
		ret = tpm_object_load(tpm, object, words);
		if (ret < 0)
			return ret;
		rc = Esys_Unseal(tpm->esys, object->slot.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				 ESYS_TR_NONE, &data);
	} while (tpm_made_room(tpm, rc, &object->slot) || (resets-- && tpm_forgot(tpm, rc)));
	if (rc != TSS2_RC_SUCCESS)
		return fail_use(tpm, rc, "unsealing in the TPM", words);
	if (data->size > KEYS_MAX_PSK) {
		ret = keys_fail(words, EINVAL, "has more than %d bytes of PSK", KEYS_MAX_PSK);
	} else {
		memcpy(secret, data->buffer, data->size);
		*ret_len = data->size;
	}
	explicit_bzero(data, sizeof(*data));
	Esys_Free(data);
	scrub(tpm);
	return ret;
}
