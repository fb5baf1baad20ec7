/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What create, csr and show share.  Each gets its own argv, argv[0] being its name,
 * and returns the exit status.
 */
#ifndef TLS_HANDOFF_KEY_COMMAND_H
#define TLS_HANDOFF_KEY_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "commands.h"
#include "open.h"

int key_create(int argc, char **argv);
int key_csr(int argc, char **argv);
int key_show(int argc, char **argv);

/* "tls-handoff: ..." on standard error */
void key_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and is @status, so that failing is one statement. */
#define key_error(status, ...) (key_say(__VA_ARGS__), (status))

/* Opens and tries @source; what is wrong is on standard error.  0 or -errno. */
int key_open(struct keys_opener *opener, const char *source, struct keys_object **ret_object);

/*
 * A file that appears under its name as a whole or not at all.  key_file_begin() makes one
 * beside @path, whose name is @temporary; exactly one of the others ends it.  -errno after a
 * message.
 */
struct key_file {
	const char *path;
	char *temporary;
	bool replace; /* whether there may be a file already */
};

int key_file_begin(struct key_file *file, const char *path, const char *text, size_t length,
		   mode_t mode, bool replace);
int key_file_commit(struct key_file *file);
void key_file_discard(struct key_file *file);

#endif /* TLS_HANDOFF_KEY_COMMAND_H */
