// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which backend a key takes, see open.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "open.h"
#include "tcti.h"
#include "tss2_pem.h"

int keys_opener_init(struct keys_opener *opener, const char *tcti)
{
	memset(opener, 0, sizeof(*opener));
	if (!tcti)
		tcti = getenv("TCTI");
	opener->tcti = strdup(tcti && *tcti ? tcti : TCTI_DEFAULT);
	return opener->tcti ? 0 : -ENOMEM;
}

void keys_opener_clear(struct keys_opener *opener)
{
	tpm_free(opener->tpm);
	free(opener->tcti);
	memset(opener, 0, sizeof(*opener));
}

int keys_opener_tpm(struct keys_opener *opener, struct tpm **ret_tpm, struct keys_words *words)
{
	/* One that did not open costs its deadline once, not once per key. */
	if (!opener->tpm && !opener->error)
		opener->error = tpm_open(opener->tcti, &opener->tpm, &opener->words);
	if (opener->error) {
		*words = opener->words;
		return opener->error;
	}
	*ret_tpm = opener->tpm;
	return 0;
}

static int open_handle(struct keys_opener *opener, const char *source, const char *digits,
		       struct keys_object **ret_object, struct keys_words *words)
{
	unsigned long handle;
	struct tpm *tpm = NULL;
	char *end;
	int ret;

	errno = 0;
	handle = strtoul(digits, &end, 0);
	if (errno || end == digits || *end || handle > UINT32_MAX)
		return keys_fail(words, EINVAL, "is not of the form tpm2:0x81000000");
	ret = keys_opener_tpm(opener, &tpm, words);
	if (ret < 0)
		return ret;
	return tpm_handle_open(tpm, source, (uint32_t)handle, ret_object, words);
}

static int open_file(struct keys_opener *opener, const char *source, bool psk,
		     struct keys_object **ret_object, struct keys_words *words)
{
	struct secret_file file = { 0 };
	struct tpm *tpm = NULL;
	int ret;

	ret = secret_file_read(source, &file, words);
	if (ret < 0)
		return ret;
	if (!tss2_pem_is(file.data)) {
		ret = psk ? file_psk_open(source, &file, ret_object, words) :
			    file_key_open(source, &file, ret_object, words);
		goto out;
	}
	ret = keys_opener_tpm(opener, &tpm, words);
	if (ret < 0)
		goto out;
	ret = psk ? tpm_psk_open(tpm, source, &file, ret_object, words) :
		    tpm_key_open(tpm, source, &file, ret_object, words);
out:
	secret_file_clear(&file);
	return ret;
}

int keys_open(struct keys_opener *opener, const char *source, struct keys_object **ret_object,
	      struct keys_words *words)
{
	if (!strncmp(source, "pkcs11:", 7))
		return keys_fail(words, EOPNOTSUPP, "needs PKCS#11, which is not built in");
	if (!strncmp(source, "tpm2:", 5))
		return open_handle(opener, source, source + 5, ret_object, words);
	return open_file(opener, source, false, ret_object, words);
}

int keys_open_psk(struct keys_opener *opener, const char *source, struct keys_object **ret_object,
		  struct keys_words *words)
{
	return open_file(opener, source, true, ret_object, words);
}
