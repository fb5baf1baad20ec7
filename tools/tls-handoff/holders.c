// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sockets of all processes, from /proc/PID/fd, sorted by inode.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holders.h"

struct holders {
	struct holder *holder;
	size_t count, room;
};

static bool holders_add(struct holders *holders, const struct holder *holder)
{
	struct holder *more;

	if (holders->count == holders->room) {
		size_t room = holders->room ? 2 * holders->room : 256;

		more = reallocarray(holders->holder, room, sizeof(*more));
		if (!more)
			return false;
		holders->holder = more;
		holders->room = room;
	}
	holders->holder[holders->count++] = *holder;
	return true;
}

static void read_command(pid_t pid, struct holder *holder)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, holder->command, sizeof(holder->command) - 1);
	if (fd >= 0)
		close(fd);
	if (n > 0 && holder->command[n - 1] == '\n')
		n--;
	holder->command[n > 0 ? n : 0] = '\0';
}

/* A process that cannot be looked at, or ends meanwhile, holds nothing. */
static bool look_at(struct holders *holders, pid_t pid)
{
	struct holder holder = { .pid = pid };
	bool good = true;
	struct dirent *entry;
	char path[32];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return true;
	while (good && (entry = readdir(folder))) {
		char target[64];
		ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &holder.inode) != 1)
			continue;
		if (!*holder.command)
			read_command(pid, &holder);
		good = holders_add(holders, &holder);
	}
	closedir(folder);
	return good;
}

static int compare(const void *a, const void *b)
{
	const struct holder *first = a, *second = b;

	if (first->inode != second->inode)
		return first->inode < second->inode ? -1 : 1;
	return (first->pid > second->pid) - (first->pid < second->pid);
}

/* Descriptors of one process that are the same socket count once. */
static void drop_doubles(struct holders *holders)
{
	size_t used = 0;

	for (size_t i = 0; i < holders->count; i++)
		if (!used || compare(&holders->holder[used - 1], &holders->holder[i]) != 0)
			holders->holder[used++] = holders->holder[i];
	holders->count = used;
}

struct holders *holders_new(void)
{
	struct holders *holders = calloc(1, sizeof(*holders));
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool good = holders;

	while (good && processes && (entry = readdir(processes)))
		if (isdigit((unsigned char)entry->d_name[0]))
			good = look_at(holders, atoi(entry->d_name));
	if (processes)
		closedir(processes);
	if (!good) {
		holders_free(holders);
		return NULL;
	}
	if (holders->count)
		qsort(holders->holder, holders->count, sizeof(*holders->holder), compare);
	drop_doubles(holders);
	return holders;
}

void holders_free(struct holders *holders)
{
	if (!holders)
		return;
	free(holders->holder);
	free(holders);
}

const struct holder *holders_find(const struct holders *holders, uint64_t inode, size_t *ret_count)
{
	size_t low = 0, high = holders ? holders->count : 0, count = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holders->holder[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	while (holders && inode && low + count < holders->count &&
	       holders->holder[low + count].inode == inode)
		count++;
	*ret_count = count;
	return count ? &holders->holder[low] : NULL;
}
