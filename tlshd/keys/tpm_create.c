// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making a signing key in a TPM: unrestricted, for signing only, with no scheme of
 * its own and no password.
 */
#include <errno.h>

#include "tpm_device.h"

/* Without noDA a lock-out that some other program causes would stop every handshake. */
#define SIGNING_KEY                                                                   \
	(TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_FIXEDTPM | \
	 TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA)

static TPM2B_PUBLIC signing_template(enum keys_kind kind)
{
	TPM2B_PUBLIC template = {
		.publicArea = {
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = SIGNING_KEY,
		},
	};
	TPMT_PUBLIC *area = &template.publicArea;

	if (kind == KEYS_KIND_RSA) {
		area->type = TPM2_ALG_RSA;
		area->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
		area->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		area->parameters.rsaDetail.keyBits = 2048;
		return template;
	}
	area->type = TPM2_ALG_ECC;
	area->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	area->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	area->parameters.eccDetail.curveID = kind == KEYS_KIND_EC_P384 ? TPM2_ECC_NIST_P384 :
									 TPM2_ECC_NIST_P256;
	area->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	return template;
}

int tpm_create(struct tpm *tpm, enum keys_kind kind, TPM2_HANDLE parent, struct tss2_pem *ret_pem,
	       struct keys_words *words)
{
	const TPM2B_PUBLIC template = signing_template(kind);
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	const TPM2B_DATA outside = { 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR handle;
	int ret;
	TSS2_RC rc;

	ret = tpm_parent_get(tpm, parent, TPM_PRIMARY_ECC, &handle, words);
	if (ret < 0)
		return ret;
	do {
		rc = Esys_Create(tpm->esys, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				 &sensitive, &template, &outside, &pcrs, &private, &public, NULL,
				 NULL, NULL);
	} while (tpm_made_room(tpm, rc, &tpm->primaries[TPM_PRIMARY_ECC]));
	tpm_parent_release(tpm, parent, handle);
	switch (tpm_code(rc)) {
	case TSS2_RC_SUCCESS:
		break;
	case TPM2_RC_CURVE + TPM2_RC_P + TPM2_RC_2:
	case TPM2_RC_VALUE + TPM2_RC_P + TPM2_RC_2:
	case TPM2_RC_ASYMMETRIC + TPM2_RC_P + TPM2_RC_2:
	case TPM2_RC_KEY_SIZE + TPM2_RC_P + TPM2_RC_2:
		return keys_fail(words, EOPNOTSUPP, "this TPM does not make such keys");
	default:
		return tpm_fail(tpm, rc, "making the key in the TPM", words);
	}
	*ret_pem = (struct tss2_pem){
		.type = TSS2_PEM_LOADABLE,
		.empty_auth = true,
		.parent = parent,
		.public = *public,
		.private = *private,
	};
	Esys_Free(public);
	Esys_Free(private);
	return 0;
}
