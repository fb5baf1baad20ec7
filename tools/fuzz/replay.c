// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main() of a harness without libFuzzer: runs every file of the folders given, and
 * every one of them cut short at each length, so that the corpus is a unit test.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define REPLAY_MAX_SIZE (128 * 1024)
#define REPLAY_CUTS	512 /* longer ones are cut at 512 places */

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size > REPLAY_MAX_SIZE)
		abort();
	/* A copy of exactly this size, so that a sanitizer sees a read behind it. */
	copy = malloc(size + !size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int run_file(const char *path)
{
	static uint8_t data[REPLAY_MAX_SIZE];
	FILE *file = fopen(path, "rb");
	size_t size, cut, step;

	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	run(data, size);
	step = size / REPLAY_CUTS + 1;
	for (cut = 0; cut < size; cut += step)
		run(data, cut);
	return 0;
}

int main(int argc, char *argv[])
{
	struct dirent *entry;
	char path[4096];
	int i, count = 0;
	DIR *folder;

	for (i = 1; i < argc; i++) {
		folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(folder))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (run_file(path) < 0)
				return 1;
			count++;
		}
		closedir(folder);
	}
	printf("%d files\n", count);
	return count ? 0 : 1;
}
