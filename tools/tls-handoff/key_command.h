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

/**
 * struct key_options - the command line of one command
 * @name, @operand: for messages: "create", "FILE"
 * @letters: short options as getopt(3) takes them, "h" among them
 * @table: long options, KEY_COMMON_OPTIONS at its end
 * @help: prints what --help says
 * @take: gets each option that is not common, with its value in optarg; 0, or -EINVAL after
 *	a message
 */
struct key_options {
	const char *name, *operand;
	const char *letters;
	const struct option *table;
	void (*help)(void);
	int (*take)(int option, void *data);
};

#define KEY_COMMON_OPTIONS \
	{ "tcti", required_argument, NULL, 'T' }, { "help", no_argument, NULL, 'h' }, { 0 }

/* Reads a command line of options and one operand.  0: go on; *ret_tcti is NULL without --tcti.
 * 1: --help was answered.  -EINVAL after a message. */
int key_options(int argc, char **argv, const struct key_options *options, void *data,
		const char **ret_tcti, const char **ret_operand);

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
