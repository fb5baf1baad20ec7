/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock that a test shares with the programs under test, see test_clock.c.
 */
#ifndef TLSHD_SESSION_TEST_CLOCK_H
#define TLSHD_SESSION_TEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* In a file that both have mapped */
struct test_clock {
	int64_t ahead;		    /* seconds, of every clock */
	bool held;		    /* only @ahead moves them, on from these: */
	struct timespec real, boot; /* the latter for all that are never set */
};

#endif /* TLSHD_SESSION_TEST_CLOCK_H */
