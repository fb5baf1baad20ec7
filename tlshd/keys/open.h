/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a configuration or a command line calls a key to an open one, whatever
 * backend it takes.
 */
#ifndef TLSHD_KEYS_OPEN_H
#define TLSHD_KEYS_OPEN_H

#include "backend.h"
#include "tpm_device.h"

/**
 * struct keys_opener - the TPM that keys are opened in, opened by the first of them
 * @tcti: its TCTI string, owned
 * @tpm: NULL while none was needed, or if it cannot be opened: then @error and @words
 */
struct keys_opener {
	char *tcti;
	struct tpm *tpm;
	int error;
	struct keys_words words;
};

/* @tcti NULL: the environment's TCTI, else TCTI_DEFAULT.  -ENOMEM. */
int keys_opener_init(struct keys_opener *opener, const char *tcti);
/* After all objects it opened are gone. */
void keys_opener_clear(struct keys_opener *opener);
/* The TPM, opened if it was not. */
int keys_opener_tpm(struct keys_opener *opener, struct tpm **ret_tpm, struct keys_words *words);

/* @source: a file in PEM, "tpm2:0x81......"; for a PSK a file.  -errno with words that do
 * not repeat @source. */
int keys_open(struct keys_opener *opener, const char *source, struct keys_object **ret_object,
	      struct keys_words *words);
int keys_open_psk(struct keys_opener *opener, const char *source, struct keys_object **ret_object,
		  struct keys_words *words);

#endif /* TLSHD_KEYS_OPEN_H */
