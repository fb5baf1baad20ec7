// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Figures, see figure.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "figure.h"

void figure(double value, const char *unit, const char *name, ...)
{
	va_list args;

	printf("figure ");
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf(" %.6g %s\n", value, unit);
	fflush(stdout);
}
