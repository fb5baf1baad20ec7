/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to a TPM, by a TCTI string as tpm2-tss has them.  "device:" and "swtpm:"
 * are done here over one descriptor that stays open: the library's swtpm module
 * connects anew for each command, which a sandbox without network cannot, and
 * neither module can be given a deadline.  All others come from the library.
 */
#ifndef TLSHD_KEYS_TCTI_H
#define TLSHD_KEYS_TCTI_H

#include <tss2/tss2_tcti.h>

#include "words.h"

#define TCTI_DEFAULT	    "device:/dev/tpmrm0"
#define TCTI_PROBE_DEADLINE 10	/* seconds for the first answer */
#define TCTI_OPEN_DEADLINE  300 /* seconds: making an RSA key takes its time */
#define TCTI_SIGN_DEADLINE  30	/* seconds for one signature */

/* 0, or -errno with words.  tcti_free() it. */
int tcti_open(const char *name, TSS2_TCTI_CONTEXT **ret_tcti, struct keys_words *words);
void tcti_free(TSS2_TCTI_CONTEXT *tcti);
/* Seconds that one command may take from now on; no effect on the library's own modules. */
void tcti_set_deadline(TSS2_TCTI_CONTEXT *tcti, int seconds);
/* Why the last command failed on its way, or NULL. */
const char *tcti_words(const TSS2_TCTI_CONTEXT *tcti);

#endif /* TLSHD_KEYS_TCTI_H */
