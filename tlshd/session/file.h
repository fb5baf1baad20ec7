/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the files that a profile names: whole, bounded, regular.
 */
#ifndef TLSHD_SESSION_FILE_H
#define TLSHD_SESSION_FILE_H

#include <stddef.h>
#include <gnutls/gnutls.h>

/* Fills @ret_data (NUL-terminated behind its size; free(ret_data->data)).  0 or -errno,
 * then *ret_mistake (caller frees) is "PATH: what is wrong". */
int file_read(const char *path, size_t max, gnutls_datum_t *ret_data, char **ret_mistake);

#endif /* TLSHD_SESSION_FILE_H */
