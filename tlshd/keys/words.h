/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors in words: what failed and what to do, next to a negative errno.  Library
 * code fills them; only the program that calls it prints, logs or sends them.
 */
#ifndef TLSHD_KEYS_WORDS_H
#define TLSHD_KEYS_WORDS_H

struct keys_words {
	char text[320];		/* one line, NUL-terminated, truncated if need be */
};

/* Fills @words and returns -@error, so that a refusal is one statement. */
int keys_fail(struct keys_words *words, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* TLSHD_KEYS_WORDS_H */
