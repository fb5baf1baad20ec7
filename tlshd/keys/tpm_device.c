// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TPM from opening to closing: errors in words, and the parents that keys are
 * loaded under.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>

#include "tcti.h"
#include "tpm_device.h"

TSS2_RC tpm_code(TSS2_RC rc)
{
	return rc & ~(TSS2_RC)TSS2_RC_LAYER_MASK;
}

bool tpm_answered(TSS2_RC rc)
{
	switch (rc & TSS2_RC_LAYER_MASK) {
	case TSS2_TPM_RC_LAYER:
	case TSS2_RESMGR_TPM_RC_LAYER:
	case TSS2_RESMGR_RC_LAYER:
		return true;
	default:
		return false;
	}
}

bool tpm_wants_password(TSS2_RC rc)
{
	TSS2_RC code = tpm_code(rc);

	return tpm_answered(rc) && (code == TPM2_RC_BAD_AUTH + TPM2_RC_S + TPM2_RC_1 ||
				    code == TPM2_RC_AUTH_FAIL + TPM2_RC_S + TPM2_RC_1);
}

int tpm_fail(struct tpm *tpm, TSS2_RC rc, const char *what, struct keys_words *words)
{
	const char *reason = tcti_words(tpm->tcti);

	if (!tpm->gone && (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
		tpm->gone = true;
		keys_say(&tpm->gone_words, "the TPM at %s does not answer: %s%s", tpm->name,
			 reason ? reason : Tss2_RC_Decode(rc),
			 tpm->serving ? "; reload tlshd when it is back" : "");
	}
	if (tpm->gone) {
		*words = tpm->gone_words;
		return -EIO;
	}
	switch (tpm_code(rc)) {
	case TPM2_RC_LOCKOUT:
		return keys_fail(
			words, EIO,
			"%s: the TPM is locked out after wrong passwords (tpm2_dictionarylockout)",
			what);
	case TPM2_RC_OBJECT_MEMORY:
		return keys_fail(words, EIO,
				 "%s: other programs fill the TPM; use its resource manager, %s",
				 what, TCTI_DEFAULT);
	case TPM2_RC_INITIALIZE:
		return keys_fail(words, EIO, "%s: the TPM was not started (TPM2_Startup)", what);
	default:
		return keys_fail(words, EIO, "%s: %s", what, Tss2_RC_Decode(rc));
	}
}

/* The first command: it also tells a dead peer from a TPM. */
static int probe(struct tpm *tpm, struct keys_words *words)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc;

	rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				TPM2_CAP_TPM_PROPERTIES, TPM2_PT_MANUFACTURER, 1, &more, &data);
	Esys_Free(data);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(tpm, rc, "the TPM", words);
	return 0;
}

int tpm_open(const char *name, struct tpm **ret_tpm, struct keys_words *words)
{
	struct keys_words reason;
	struct tpm *tpm;
	TSS2_RC rc;
	int ret;

	tpm = calloc(1, sizeof(*tpm));
	if (!tpm)
		return keys_fail(words, ENOMEM, "out of memory");
	TAILQ_INIT(&tpm->loaded);
	for (size_t i = 0; i < TPM_PRIMARY_COUNT; i++)
		tpm_slot_init(&tpm->primaries[i]);
	tpm->name = strdup(name);
	if (!tpm->name) {
		ret = keys_fail(words, ENOMEM, "out of memory");
		goto fail;
	}
	ret = tcti_open(name, &tpm->tcti, &reason);
	if (ret < 0) {
		keys_say(words, "the TPM at %s cannot be opened: %s", name, reason.text);
		goto fail;
	}
	rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		ret = tpm_fail(tpm, rc, "ESYS", words);
		goto fail;
	}
	ret = probe(tpm, words);
	if (ret < 0)
		goto fail;
	tcti_set_deadline(tpm->tcti, TCTI_OPEN_DEADLINE);
	*ret_tpm = tpm;
	return 0;
fail:
	tpm_free(tpm);
	return ret;
}

void tpm_free(struct tpm *tpm)
{
	if (!tpm)
		return;
	if (tpm->esys) {
		for (size_t i = 0; i < TPM_PRIMARY_COUNT; i++)
			tpm_slot_clear(tpm, &tpm->primaries[i]);
		Esys_Finalize(&tpm->esys);
	}
	tcti_free(tpm->tcti);
	free(tpm->name);
	free(tpm);
}

void tpm_serve(struct tpm *tpm)
{
	tpm->serving = true;
	tcti_set_deadline(tpm->tcti, TCTI_SIGN_DEADLINE);
}

#define STORAGE_KEY                                                                \
	(TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | \
	 TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

/* A primary key is a function of the hierarchy's seed and this, to the last bit. */
static TPM2B_PUBLIC primary_template(enum tpm_primary primary)
{
	const TPMT_SYM_DEF_OBJECT aes = {
		.algorithm = TPM2_ALG_AES,
		.keyBits.aes = 128,
		.mode.aes = TPM2_ALG_CFB,
	};
	TPM2B_PUBLIC template = { .publicArea.nameAlg = TPM2_ALG_SHA256 };
	TPMT_PUBLIC *area = &template.publicArea;

	area->objectAttributes = STORAGE_KEY;
	if (primary == TPM_PRIMARY_ECC || primary == TPM_PRIMARY_RSA)
		area->objectAttributes |= TPMA_OBJECT_NODA;
	if (primary == TPM_PRIMARY_ECC || primary == TPM_PRIMARY_ECC_TOOLS) {
		area->type = TPM2_ALG_ECC;
		area->parameters.eccDetail.symmetric = aes;
		area->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
		area->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
		area->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	} else {
		area->type = TPM2_ALG_RSA;
		area->parameters.rsaDetail.symmetric = aes;
		area->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		area->parameters.rsaDetail.keyBits = 2048;
	}
	return template;
}

static int create_primary(struct tpm *tpm, struct tpm_slot *slot, enum tpm_primary primary,
			  struct keys_words *words)
{
	const TPM2B_PUBLIC template = primary_template(primary);
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	ESYS_TR handle = ESYS_TR_NONE;
	TSS2_RC rc;

	tpm_reserve_place(tpm, NULL);
	do {
		rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					ESYS_TR_NONE, &sensitive, &template, &outside, &pcrs,
					&handle, NULL, NULL, NULL, NULL);
	} while (tpm_made_room(tpm, rc, NULL));
	if (tpm_wants_password(rc))
		return keys_fail(
			words, EACCES,
			"the TPM's owner hierarchy has a password; put the key under a persistent parent");
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(tpm, rc, "making the primary key in the TPM", words);
	tpm_slot_loaded(tpm, slot, handle);
	return 0;
}

int tpm_parent_get(struct tpm *tpm, TPM2_HANDLE parent, enum tpm_primary primary,
		   ESYS_TR *ret_handle, struct keys_words *words)
{
	struct tpm_slot *slot = &tpm->primaries[primary];
	int ret;
	TSS2_RC rc;

	if (parent != TPM2_RH_OWNER) {
		/* Even this takes a place, for as long as it lasts. */
		do {
			rc = Esys_TR_FromTPMPublic(tpm->esys, parent, ESYS_TR_NONE, ESYS_TR_NONE,
						   ESYS_TR_NONE, ret_handle);
		} while (tpm_made_room(tpm, rc, NULL));
		if (rc == TSS2_RC_SUCCESS)
			return 0;
		if (tpm_answered(rc) && tpm_code(rc) == TPM2_RC_HANDLE + TPM2_RC_1)
			return keys_fail(words, ENOENT, "the TPM has no object 0x%08x", parent);
		return tpm_fail(tpm, rc, "looking up the parent key in the TPM", words);
	}
	if (slot->handle == ESYS_TR_NONE && !tpm_slot_restore(tpm, slot)) {
		ret = create_primary(tpm, slot, primary, words);
		if (ret < 0)
			return ret;
	}
	tpm_slot_used(tpm, slot);
	*ret_handle = slot->handle;
	return 0;
}

void tpm_parent_release(struct tpm *tpm, TPM2_HANDLE parent, ESYS_TR handle)
{
	if (parent != TPM2_RH_OWNER)
		Esys_TR_Close(tpm->esys, &handle);
}
