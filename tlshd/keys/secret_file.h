/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a small file that may hold a secret: bounded, never blocking on a pipe,
 * and a look at who else may read it.
 */
#ifndef TLSHD_KEYS_SECRET_FILE_H
#define TLSHD_KEYS_SECRET_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "words.h"

#define SECRET_FILE_MAX (64 * 1024) /* bytes */

struct secret_file {
	char *data; /* NUL-terminated for convenience; may hold NULs */
	size_t length;
	mode_t mode;
};

/* 0, or -errno with words that do not repeat the path.  -EFBIG above SECRET_FILE_MAX. */
int secret_file_read(const char *path, struct secret_file *ret_file, struct keys_words *words);
/* -EACCES with words if anybody but the owner may read or write it. */
int secret_file_private(const struct secret_file *file, struct keys_words *words);
/* Wipes and frees the contents; leaves an empty one. */
void secret_file_clear(struct secret_file *file);

#endif /* TLSHD_KEYS_SECRET_FILE_H */
