/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the programs hand their figures to tools/bench/report.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

/* "figure NAME VALUE UNIT" on standard output; lines of any other form are for people. */
void figure(double value, const char *unit, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* BENCH_FIGURE_H */
