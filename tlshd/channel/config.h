/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlshd.conf, the part that all rooms share: finding profiles and keys, with
 * errors that name file, line and mistake.  Each room reads its own keys.
 *
 * A GLib key file as ktls-utils has it: [debug], [authenticate],
 * [authenticate.client], [authenticate.server]; ours are [profile NAME] and [tpm].
 * The ktls-utils sections appear as the profiles nfs, nvme (client) and nfsd,
 * nvmet (server), with their keys under our names.  A profile "default" always
 * exists.  config_load() refuses unknown sections and keys.
 */
#ifndef TLSHD_CHANNEL_CONFIG_H
#define TLSHD_CHANNEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DEFAULT_PATH "/etc/tlshd.conf"
#define CONFIG_KTLS_PATH    "/etc/tlshd/config" /* where ktls-utils looks since 1.2 */
#define CONFIG_MAX_SIZE	    (1024 * 1024)	/* bytes of the file */
#define CONFIG_MAX_PROFILES 256
#define CONFIG_MAX_LIST	    64 /* entries of one list */

struct config;

/* A missing file at CONFIG_DEFAULT_PATH is an empty configuration; elsewhere -ENOENT.
 * On failure *ret_error (caller frees) is "FILE:LINE: mistake" and the return -errno. */
int config_load(const char *path, struct config **ret_config, char **ret_error);
void config_free(struct config *config);

/* Another file of that kind, whose sections are all "[PREFIX NAME]" with the same keys; the
 * NAMEs are its profiles. */
struct config_form {
	const char *prefix;	 /* with the space */
	const char *const *keys; /* NULL-terminated */
};

/* As config_load(), by @form; with @text, which is then the file's content, @path is only for
 * errors. */
int config_load_form(const char *path, const char *text, const struct config_form *form,
		     struct config **ret_config, char **ret_error);

/* "nfs", "nfsd", "nvme", "nvmet": meant for the kernel's own connections. */
bool config_is_kernel_profile(const char *profile);

/* Profile names, NULL-terminated, owned by @config. */
const char *const *config_profiles(const struct config *config);
bool config_has_profile(const struct config *config, const char *profile);

/* All getters: 1 and the value if the key is there, 0 if not (out untouched), -errno and
 * *ret_error on a bad value.  @profile NULL with section given means a plain section. */
int config_string(const struct config *config, const char *section, const char *key,
		  char **ret_value, char **ret_error);
int config_list(const struct config *config, const char *section, const char *key,
		char ***ret_values, size_t *ret_count,
		char **ret_error); /* ';'-separated; config_list_free() */
int config_u64(const struct config *config, const char *section, const char *key, uint64_t min,
	       uint64_t max, uint64_t *ret_value, char **ret_error);
int config_bool(const struct config *config, const char *section, const char *key, bool *ret_value,
		char **ret_error); /* yes/no, true/false, 1/0 */
/* @names is NULL-terminated; the value is the index. */
int config_enum(const struct config *config, const char *section, const char *key,
		const char *const *names, unsigned int *ret_value, char **ret_error);
void config_list_free(char **values, size_t count);

/* "FILE:LINE: <printf text>" for @key of @section (its line, or the section's), to report
 * a semantic mistake such as a file that does not exist. */
char *config_error(const struct config *config, const char *section, const char *key,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The section of a profile, as the getters take it: "profile NAME".  For nfs, nfsd, nvme,
 * nvmet without a section of their own it resolves to the ktls-utils section. */
const char *config_profile_section(const struct config *config, const char *profile);

#endif /* TLSHD_CHANNEL_CONFIG_H */
