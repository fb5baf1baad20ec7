// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key create: a signing key that never leaves the TPM, and a file that
 * only this TPM can load.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_command.h"
#include "scheme.h"

struct create_options {
	enum keys_kind kind;
	TPM2_HANDLE parent;
	const char *tcti;
	const char *path;
	bool force;
};

static void help(void)
{
	puts("usage: tls-handoff key create [OPTIONS] FILE\n"
	     "\n"
	     "Make a signing key in the TPM and write it to FILE (TSS2 PRIVATE KEY, PEM). Only this\n"
	     "TPM can load FILE; the key itself never leaves it.\n"
	     "\n"
	     "      --type p256|p384|rsa2048  (p256)\n"
	     "      --parent owner|HANDLE     the owner hierarchy's storage key, or a persistent\n"
	     "                                storage key such as 0x81000001 (owner)\n"
	     "      --tcti TCTI               how to reach the TPM (the environment's TCTI, else\n"
	     "                                device:/dev/tpmrm0)\n"
	     "      --force                   replace FILE if it is there\n"
	     "  -h, --help                    this text\n"
	     "\n"
	     "exit status: 0 done, 1 the TPM or a file, 2 usage");
}

static int parse_type(const char *text, enum keys_kind *ret_kind)
{
	if (!strcmp(text, "p256"))
		*ret_kind = KEYS_KIND_EC_P256;
	else if (!strcmp(text, "p384"))
		*ret_kind = KEYS_KIND_EC_P384;
	else if (!strcmp(text, "rsa2048"))
		*ret_kind = KEYS_KIND_RSA;
	else
		return key_error(-EINVAL, "--type is p256, p384 or rsa2048, not \"%s\"", text);
	return 0;
}

static int parse_parent(const char *text, TPM2_HANDLE *ret_parent)
{
	unsigned long handle;
	char *end;

	if (!strcmp(text, "owner")) {
		*ret_parent = TPM2_RH_OWNER;
		return 0;
	}
	errno = 0;
	handle = strtoul(text, &end, 0);
	if (errno || end == text || *end || handle < TPM2_PERSISTENT_FIRST ||
	    handle > TPM2_PERSISTENT_LAST)
		return key_error(-EINVAL,
				 "--parent is \"owner\" or a handle from 0x81000000 on, not \"%s\"",
				 text);
	*ret_parent = (TPM2_HANDLE)handle;
	return 0;
}

static int take_option(int option, void *data)
{
	struct create_options *options = data;

	switch (option) {
	case 't':
		return parse_type(optarg, &options->kind);
	case 'p':
		return parse_parent(optarg, &options->parent);
	default:
		options->force = true;
		return 0;
	}
}

static int parse_options(int argc, char **argv, struct create_options *options)
{
	static const struct option table[] = { { "type", required_argument, NULL, 't' },
					       { "parent", required_argument, NULL, 'p' },
					       { "force", no_argument, NULL, 'f' },
					       KEY_COMMON_OPTIONS };
	static const struct key_options command = {
		"create", "FILE", "h", table, help, take_option
	};

	return key_options(argc, argv, &command, options, &options->tcti, &options->path);
}

/* Before a key is made for which there is no place. */
static int check_place(const struct create_options *options)
{
	if (options->force || faccessat(AT_FDCWD, options->path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return key_error(-EEXIST, "%s is there already; --force replaces it", options->path);
}

static int make(struct keys_opener *opener, const struct create_options *options, char **ret_text,
		size_t *ret_length)
{
	struct keys_words words;
	struct tss2_pem pem;
	struct tpm *tpm;
	int ret;

	ret = keys_opener_tpm(opener, &tpm, &words);
	if (ret < 0)
		return key_error(ret, "%s", words.text);
	if (options->kind == KEYS_KIND_RSA)
		fputs("creating a 2048-bit RSA key in the TPM, this can take a minute\n", stderr);
	ret = tpm_create(tpm, options->kind, options->parent, &pem, &words);
	if (ret == 0)
		ret = tss2_pem_write(&pem, ret_text, ret_length, &words);
	if (ret < 0)
		return key_error(ret, "%s", words.text);
	return 0;
}

/* What was written is loaded and signs, or it is not kept. */
static int write_tried(struct keys_opener *opener, const struct create_options *options,
		       const char *text, size_t length)
{
	struct keys_object *object;
	struct key_file file;
	int ret;

	ret = key_file_begin(&file, options->path, text, length, 0600, options->force);
	if (ret < 0)
		return ret;
	ret = key_open(opener, file.temporary, &object);
	if (ret < 0) {
		key_file_discard(&file);
		return ret;
	}
	keys_object_free(object);
	return key_file_commit(&file);
}

int key_create(int argc, char **argv)
{
	struct create_options options = {
		.kind = KEYS_KIND_EC_P256,
		.parent = TPM2_RH_OWNER,
	};
	struct keys_opener opener;
	char *text = NULL;
	size_t length = 0;
	int ret;

	ret = parse_options(argc, argv, &options);
	if (ret)
		return ret < 0 ? EXIT_USAGE : EXIT_DONE;
	if (check_place(&options) < 0)
		return EXIT_IO;
	if (keys_opener_init(&opener, options.tcti) < 0)
		return key_error(EXIT_IO, "out of memory");
	ret = make(&opener, &options, &text, &length);
	if (ret == 0)
		ret = write_tried(&opener, &options, text, length);
	free(text);
	keys_opener_clear(&opener);
	return ret < 0 ? EXIT_IO : EXIT_DONE;
}
