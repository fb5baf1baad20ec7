// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The few places that a TPM has for loaded objects, shared by all keys: the least
 * recently used one makes room, saved by the TPM for us so that it comes back
 * quickly, without its parent.
 */
#include <stdlib.h>

#include "tpm_device.h"

void tpm_slot_init(struct tpm_slot *slot)
{
	slot->handle = ESYS_TR_NONE;
	slot->saved = NULL;
}

void tpm_slot_loaded(struct tpm *tpm, struct tpm_slot *slot, ESYS_TR handle)
{
	slot->handle = handle;
	TAILQ_INSERT_TAIL(&tpm->loaded, slot, link);
	tpm->loaded_count++;
}

void tpm_slot_used(struct tpm *tpm, struct tpm_slot *slot)
{
	TAILQ_REMOVE(&tpm->loaded, slot, link);
	TAILQ_INSERT_TAIL(&tpm->loaded, slot, link);
}

static void slot_forget(struct tpm *tpm, struct tpm_slot *slot)
{
	TAILQ_REMOVE(&tpm->loaded, slot, link);
	tpm->loaded_count--;
	slot->handle = ESYS_TR_NONE;
}

static void slot_drop_saved(struct tpm_slot *slot)
{
	Esys_Free(slot->saved);
	slot->saved = NULL;
}

static void slot_flush(struct tpm *tpm, struct tpm_slot *slot)
{
	/* What cannot be flushed, ESYS at least forgets. */
	if (tpm->gone || Esys_FlushContext(tpm->esys, slot->handle) != TSS2_RC_SUCCESS)
		Esys_TR_Close(tpm->esys, &slot->handle);
	slot_forget(tpm, slot);
}

void tpm_slot_clear(struct tpm *tpm, struct tpm_slot *slot)
{
	if (slot->handle != ESYS_TR_NONE)
		slot_flush(tpm, slot);
	slot_drop_saved(slot);
}

/* Makes the least recently used one leave; false if there is none but @keep. */
static bool evict(struct tpm *tpm, const struct tpm_slot *keep)
{
	struct tpm_slot *slot = TAILQ_FIRST(&tpm->loaded);

	if (slot && slot == keep)
		slot = TAILQ_NEXT(slot, link);
	if (!slot)
		return false;
	/* Not saved, it is loaded from its file again. */
	if (!slot->saved && Esys_ContextSave(tpm->esys, slot->handle, &slot->saved))
		slot->saved = NULL;
	slot_flush(tpm, slot);
	return true;
}

void tpm_reserve_place(struct tpm *tpm, const struct tpm_slot *keep)
{
	while (tpm->loaded_count >= TPM_PLACES && evict(tpm, keep))
		;
}

bool tpm_made_room(struct tpm *tpm, TSS2_RC rc, const struct tpm_slot *keep)
{
	return tpm_answered(rc) && tpm_code(rc) == TPM2_RC_OBJECT_MEMORY && evict(tpm, keep);
}

bool tpm_slot_restore(struct tpm *tpm, struct tpm_slot *slot)
{
	ESYS_TR handle = ESYS_TR_NONE;
	TSS2_RC rc;

	if (!slot->saved)
		return false;
	tpm_reserve_place(tpm, NULL);
	do {
		rc = Esys_ContextLoad(tpm->esys, slot->saved, &handle);
	} while (tpm_made_room(tpm, rc, NULL));
	if (rc != TSS2_RC_SUCCESS) {
		/* of before a reset */
		slot_drop_saved(slot);
		return false;
	}
	tpm_slot_loaded(tpm, slot, handle);
	return true;
}

/* After a reset the TPM knows none of our handles, and says so in several ways. */
bool tpm_forgot(struct tpm *tpm, TSS2_RC rc)
{
	TSS2_RC code = tpm_code(rc);
	struct tpm_slot *slot;
	bool any = false;

	if (!tpm_answered(rc))
		return false;
	if (code != TPM2_RC_REFERENCE_H0 && code != TPM2_RC_REFERENCE_H1 &&
	    code != TPM2_RC_HANDLE + TPM2_RC_H + TPM2_RC_1 &&
	    code != TPM2_RC_VALUE + TPM2_RC_H + TPM2_RC_1)
		return false;
	/* Some may still be there, if another program took the others away. */
	while ((slot = TAILQ_FIRST(&tpm->loaded))) {
		slot_flush(tpm, slot);
		any = true;
	}
	return any;
}
