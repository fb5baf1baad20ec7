// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The looking child, see test_looker.h.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_looker.h"

#define MAX_MAPPING (1UL << 30) /* bytes */

struct question {
	pid_t pid;
	bool for_secret;
	uint8_t secret[LOOKER_SECRET];
};

static int to_looker, from_looker;

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

static long read_memory(pid_t pid)
{
	FILE *file = open_proc(pid, "smaps_rollup");
	char line[256];
	long kib = 0, n;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Clean: %ld", &n) == 1 ||
		    sscanf(line, "Private_Dirty: %ld", &n) == 1)
			kib += n;
	if (file)
		fclose(file);
	return kib * 1024;
}

static long count_in(const uint8_t *bytes, size_t length, const uint8_t *secret)
{
	const uint8_t *at = bytes;
	long count = 0;

	while ((at = memmem(at, (size_t)(bytes + length - at), secret, LOOKER_SECRET))) {
		count++;
		at++;
	}
	return count;
}

/* Places in one mapping */
static long count_in_mapping(int mem, unsigned long start, size_t length, const uint8_t *secret)
{
	uint8_t *bytes = length < MAX_MAPPING ? malloc(length) : NULL;
	ssize_t n = bytes ? pread(mem, bytes, length, (off_t)start) : -1;
	long count = n > 0 ? count_in(bytes, (size_t)n, secret) : 0;

	free(bytes);
	return count;
}

static long count_places(pid_t pid, const uint8_t *secret)
{
	FILE *maps = open_proc(pid, "maps"), *mem = open_proc(pid, "mem");
	unsigned long start, end;
	char line[512];
	long count = maps && mem ? 0 : -1;

	while (maps && mem && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx rw", &start, &end) == 2)
			count += count_in_mapping(fileno(mem), start, end - start, secret);
	if (maps)
		fclose(maps);
	if (mem)
		fclose(mem);
	return count;
}

static void look(int requests, int answers)
{
	struct question q;
	long answer;

	while (read(requests, &q, sizeof(q)) == sizeof(q)) {
		answer = q.for_secret ? count_places(q.pid, q.secret) : read_memory(q.pid);
		if (write(answers, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

void looker_start(void)
{
	int request[2], answer[2];

	assert_int_equal(pipe2(request, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	if (fork() == 0) {
		close(request[1]);
		look(request[0], answer[1]);
	}
	close(request[0]);
	close(answer[1]);
	to_looker = request[1];
	from_looker = answer[0];
}

static long ask(const struct question *q)
{
	long answer;

	assert_int_equal(write(to_looker, q, sizeof(*q)), sizeof(*q));
	assert_int_equal(read(from_looker, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

size_t looker_memory(pid_t pid)
{
	const struct question q = { .pid = pid };

	return (size_t)ask(&q);
}

int looker_places(pid_t pid, const uint8_t *secret)
{
	struct question q = { .pid = pid, .for_secret = true };

	memcpy(q.secret, secret, LOOKER_SECRET);
	return (int)ask(&q);
}
