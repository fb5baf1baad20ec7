// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Put before the C library of a daemon under test: its clocks show what the test
 * wants, which stands in a file that the test and the daemon have mapped.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test_clock.h"

static int (*real_clock_gettime)(clockid_t clock, struct timespec *now);
static const volatile struct test_clock *shared;

__attribute__((constructor)) static void test_clock_init(void)
{
	const char *path = getenv("TEST_CLOCK");
	void *symbol = dlsym(RTLD_NEXT, "clock_gettime");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapping;

	*(void **)&real_clock_gettime = symbol;
	if (fd < 0)
		return;
	mapping = mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (mapping != MAP_FAILED)
		shared = mapping;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
	bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
	int r = real_clock_gettime(clock, now);

	if (r < 0 || !shared)
		return r;
	if (shared->held)
		*now = real ? shared->real : shared->boot;
	now->tv_sec += shared->ahead;
	return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *ret)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return (time_t)-1;
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
