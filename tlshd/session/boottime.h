/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock for ages: nobody sets it, and it goes on while the machine sleeps.
 */
#ifndef TLSHD_SESSION_BOOTTIME_H
#define TLSHD_SESSION_BOOTTIME_H

#include <stdint.h>
#include <time.h>

/* CLOCK_BOOTTIME in seconds */
static inline uint64_t boottime_seconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* The same in nanoseconds */
static inline uint64_t boottime_nanoseconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif /* TLSHD_SESSION_BOOTTIME_H */
