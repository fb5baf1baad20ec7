// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key show: what a key is, and whether it loads and signs here.
 */
#include <errno.h>
#include <getopt.h>
#include <gnutls/crypto.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_command.h"
#include "scheme.h"

#define FINGERPRINT_SIZE (7 + 2 * 32 + 1) /* "sha256:", hexadecimal, NUL */

struct show_options {
	const char *tcti;
	const char *source;
	bool json;
};

/* @public: kind 0 while not even that is known */
struct shown {
	struct keys_public public;
	const char *kept; /* where the private key is */
	char parent[32];  /* "" if it has none */
	bool loads;
	struct keys_words words; /* why it does not */
};

static void help(void)
{
	puts("usage: tls-handoff key show [OPTIONS] KEY\n"
	     "\n"
	     "Show what KEY is (a file in PEM, of a TPM or not, or tpm2:HANDLE), the SHA-256\n"
	     "fingerprint of its public key, and whether it loads and signs here.\n"
	     "\n"
	     "      --json                    one object\n"
	     "      --tcti TCTI               how to reach the TPM (the environment's TCTI, else\n"
	     "                                device:/dev/tpmrm0)\n"
	     "  -h, --help                    this text\n"
	     "\n"
	     "exit status: 0 it loads, 1 it does not, 2 usage");
}

static int take_option(int option, void *data)
{
	struct show_options *options = data;

	options->json = true;
	return 0;
}

static int parse_options(int argc, char **argv, struct show_options *options)
{
	static const struct option table[] = { { "json", no_argument, NULL, 'j' },
					       KEY_COMMON_OPTIONS };
	static const struct key_options command = { "show", "KEY", "h", table, help, take_option };

	return key_options(argc, argv, &command, options, &options->tcti, &options->source);
}

/* What a TPM's file says without its TPM */
static void look_into_file(const char *source, struct shown *shown)
{
	struct tpm_object object;
	struct secret_file file;
	struct keys_words words;
	struct tss2_pem pem;

	if (secret_file_read(source, &file, &words) < 0)
		return;
	if (tss2_pem_is(file.data) && tss2_pem_read(file.data, file.length, &pem, &words) == 0) {
		if (pem.parent == TPM2_RH_OWNER)
			strcpy(shown->parent, "owner");
		else
			snprintf(shown->parent, sizeof(shown->parent), "0x%08x", pem.parent);
		shown->kept = "tpm";
		if (tpm_object_from_pem(&pem, &object, &words) == 0)
			tpm_object_describe(&object, &shown->public, &words);
	}
	secret_file_clear(&file);
}

static void look(struct keys_opener *opener, const char *source, struct shown *shown)
{
	struct keys_object *object;

	look_into_file(source, shown);
	if (keys_open(opener, source, &object, &shown->words) < 0)
		return;
	shown->kept = object->backend->name;
	shown->public = object->public;
	shown->loads = keys_self_test(object, &shown->words) == 0;
	keys_object_free(object);
}

static void fingerprint(const struct keys_public *public, char text[FINGERPRINT_SIZE])
{
	uint8_t digest[32];

	gnutls_hash_fast(GNUTLS_DIG_SHA256, public->spki, public->spki_len, digest);
	text += sprintf(text, "sha256:");
	for (size_t i = 0; i < sizeof(digest); i++)
		text += sprintf(text, "%02x", digest[i]);
}

static void print_text(const char *source, const struct shown *shown)
{
	char text[FINGERPRINT_SIZE];

	printf("key:         %s\n", source);
	if (shown->public.kind) {
		fingerprint(&shown->public, text);
		printf("type:        %s\n", keys_kind_name(shown->public.kind));
		printf("bits:        %u\n", shown->public.bits);
		printf("kept in:     %s\n", shown->kept);
	}
	if (*shown->parent)
		printf("parent:      %s\n", shown->parent);
	if (shown->public.kind)
		printf("fingerprint: %s\n", text);
	if (shown->loads)
		puts("loads:       yes");
	else
		printf("loads:       no: %s\n", shown->words.text);
}

static void print_json(const char *source, const struct shown *shown)
{
	struct json_object *object = json_object_new_object();
	char text[FINGERPRINT_SIZE];

	json_object_object_add(object, "key", json_object_new_string(source));
	if (shown->public.kind) {
		fingerprint(&shown->public, text);
		json_object_object_add(object, "type",
				       json_object_new_string(keys_kind_name(shown->public.kind)));
		json_object_object_add(object, "bits", json_object_new_int64(shown->public.bits));
		json_object_object_add(object, "kept_in", json_object_new_string(shown->kept));
		json_object_object_add(object, "fingerprint", json_object_new_string(text));
	}
	if (*shown->parent)
		json_object_object_add(object, "parent", json_object_new_string(shown->parent));
	json_object_object_add(object, "loads", json_object_new_boolean(shown->loads));
	if (!shown->loads)
		json_object_object_add(object, "error", json_object_new_string(shown->words.text));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

int key_show(int argc, char **argv)
{
	struct show_options options = { 0 };
	struct keys_opener opener;
	struct shown shown = { 0 };
	int ret;

	ret = parse_options(argc, argv, &options);
	if (ret)
		return ret < 0 ? EXIT_USAGE : EXIT_DONE;
	if (keys_opener_init(&opener, options.tcti) < 0)
		return key_error(EXIT_IO, "out of memory");
	look(&opener, options.source, &shown);
	keys_opener_clear(&opener);
	if (options.json)
		print_json(options.source, &shown);
	else
		print_text(options.source, &shown);
	if (fflush(stdout) == EOF)
		return key_error(EXIT_IO, "cannot write: %s", strerror(errno));
	return shown.loads ? EXIT_DONE : EXIT_IO;
}
