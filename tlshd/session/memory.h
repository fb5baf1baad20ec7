/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory file that a session handler leaves its state in: it belongs to the
 * session handlers' user, so that the agent, which passes it on, cannot open it.
 */
#ifndef TLSHD_SESSION_MEMORY_H
#define TLSHD_SESSION_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An empty one, readable and writable, of @user if we are root, else ours.  Until this process
 * ends memory_is_written() is true of it for others.  0 or -errno. */
int memory_new(const char *user, int *ret_fd);

/* A descriptor of @fd's file that opens nothing by itself (O_PATH).  -errno without /proc. */
int memory_path(int fd, int *ret_path);

/* Opens what memory_path() gave another process.  -EPERM if it is no memory file of @user's,
 * or another -errno. */
int memory_open(const char *user, int path, int *ret_fd);

/* Whether the process that made it still lives. */
bool memory_is_written(int fd);

/* All that is in it, at most @max bytes.  0, -EFBIG or another -errno; the caller gives it back
 * with memory_unload(). */
int memory_load(int fd, size_t max, uint8_t **ret_data, size_t *ret_length);
void memory_unload(uint8_t *data, size_t length); /* wipes */

/* Zeroes what is in it, then makes it empty. */
void memory_wipe(int fd);

#endif /* TLSHD_SESSION_MEMORY_H */
