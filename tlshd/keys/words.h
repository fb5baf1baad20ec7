/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors in words: what failed and what to do, next to a negative errno.  Library
 * code fills them; only the program that calls it prints, logs or sends them.
 */
#ifndef TLSHD_KEYS_WORDS_H
#define TLSHD_KEYS_WORDS_H

struct keys_words {
	char text[320]; /* one line, NUL-terminated, truncated if need be */
};

void keys_say(struct keys_words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills @words and is -@error, so that a refusal is one statement; a macro, so that
 * compilers and checkers see that it is one. */
#define keys_fail(words, error, ...)                 \
	({                                           \
		const int keys_fail_error = (error); \
		keys_say(words, __VA_ARGS__);        \
		-keys_fail_error;                    \
	})

#endif /* TLSHD_KEYS_WORDS_H */
