// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors in words, see words.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "words.h"

void keys_say(struct keys_words *words, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(words->text, sizeof(words->text), format, args);
	va_end(args);
}
