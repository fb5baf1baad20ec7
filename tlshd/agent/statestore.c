// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memories that session handlers leave, and the service manager's copies of
 * them: FDSTORE in sd_pid_notify_with_fds(3), back through sd_listen_fds(3); or
 * tlshd-keeper's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "keeper.h"
#include "log.h"
#include "statestore.h"

#define STATESTORE_MAX 16 /* entries; more than a predecessor, a successor and what failed */
#define STATE_NAME     "state-"
#define HELD_NAME      "handshake"

struct entry {
	unsigned int number;
	int fd;
	bool left; /* its generation is gone */
};

struct statestore {
	struct entry entries[STATESTORE_MAX]; /* oldest first */
	size_t count;
	unsigned int last;
	int inherited, held;   /* -1: none */
	struct keeper *keeper; /* or NULL: the service manager keeps copies, or nobody */
};

static void notify_add(struct statestore *store, const char *name, int fd)
{
	char text[80];

	keeper_add(store->keeper, name, fd);
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	(void)sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void notify_add_entry(struct statestore *store, const struct entry *entry)
{
	char name[24];

	snprintf(name, sizeof(name), STATE_NAME "%u", entry->number);
	notify_add(store, name, entry->fd);
}

static void notify_remove(struct statestore *store, unsigned int number)
{
	char name[24];

	snprintf(name, sizeof(name), STATE_NAME "%u", number);
	keeper_remove(store->keeper, name);
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static void entry_remove(struct statestore *store, size_t i)
{
	notify_remove(store, store->entries[i].number);
	close(store->entries[i].fd);
	store->count--;
	memmove(&store->entries[i], &store->entries[i + 1],
		(store->count - i) * sizeof(store->entries[0]));
}

static int append(struct statestore *store, unsigned int number, int fd, bool left)
{
	if (store->count == STATESTORE_MAX)
		entry_remove(store, 0);
	store->entries[store->count] = (struct entry){ number, fd, left };
	store->count++;
	if (number > store->last)
		store->last = number;
	return 0;
}

static struct entry *find(struct statestore *store, unsigned int number)
{
	size_t i;

	for (i = 0; i < store->count; i++)
		if (store->entries[i].number == number)
			return &store->entries[i];
	return NULL;
}

/* The number in "state-7", or 0. */
static unsigned int name_number(const char *name)
{
	unsigned long number;
	char *end;

	if (strncmp(name, STATE_NAME, strlen(STATE_NAME)) != 0)
		return 0;
	name += strlen(STATE_NAME);
	number = strtoul(name, &end, 10);
	return *name >= '1' && *name <= '9' && !*end && number < 1000000000 ? number : 0;
}

/* Of an earlier tlshd; something may come twice, from the service manager and by execv(). */
static void collect(void *arg, const char *name, int fd)
{
	struct statestore *store = arg;
	unsigned int number = name_number(name);

	if (number && !find(store, number))
		append(store, number, fd, true);
	else if (strcmp(name, HELD_NAME) == 0 && store->inherited < 0)
		store->inherited = fd;
	else
		close(fd);
}

int statestore_new(struct statestore **ret_store)
{
	struct statestore *store = calloc(1, sizeof(*store));
	char **names = NULL;
	int i, n;

	if (!store)
		return -ENOMEM;
	store->inherited = -1;
	store->held = -1;
	n = sd_listen_fds_with_names(1, &names);
	for (i = 0; i < n; i++) {
		collect(store, names[i], SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
	if (store->count)
		log_message(LOG_INFO, "%zu session handlers before this have left their state",
			    store->count);
	*ret_store = store;
	return 0;
}

void statestore_keep(struct statestore *store)
{
	int ret;

	/* As systemd says it: how many descriptors it keeps for the service */
	if (getenv("FDSTORE"))
		return;
	ret = keeper_collect(collect, store);
	if (ret == 0)
		ret = keeper_start(&store->keeper);
	if (ret < 0) {
		log_message(LOG_WARNING, "sessions will not survive the end of this tlshd: %s",
			    ret == -EBUSY ? "another one is running" : strerror(-ret));
		return;
	}
	for (size_t i = 0; i < store->count; i++)
		notify_add_entry(store, &store->entries[i]);
}

/* The copies stay where they are. */
void statestore_free(struct statestore *store)
{
	size_t i;

	if (!store)
		return;
	for (i = 0; i < store->count; i++)
		close(store->entries[i].fd);
	if (store->inherited >= 0)
		close(store->inherited);
	if (store->held >= 0)
		close(store->held);
	keeper_free(store->keeper);
	free(store);
}

unsigned int statestore_next(struct statestore *store)
{
	return ++store->last;
}

void statestore_add(struct statestore *store, unsigned int number, int fd)
{
	append(store, number, fd, false);
	notify_add_entry(store, &store->entries[store->count - 1]);
}

bool statestore_left(struct statestore *store, unsigned int number)
{
	struct entry *entry = find(store, number);

	if (entry)
		entry->left = true;
	return entry;
}

void statestore_drop(struct statestore *store, unsigned int number)
{
	struct entry *entry = find(store, number);

	if (entry)
		entry_remove(store, entry - store->entries);
}

void statestore_drop_left(struct statestore *store)
{
	size_t i = store->count;

	while (i--)
		if (store->entries[i].left)
			entry_remove(store, i);
}

bool statestore_has_left(const struct statestore *store)
{
	size_t i;

	for (i = 0; i < store->count; i++)
		if (store->entries[i].left)
			return true;
	return false;
}

void statestore_hold(struct statestore *store, int fd)
{
	store->held = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (store->held < 0)
		return;
	/* An earlier agent's copy may be there: one will do */
	(void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" HELD_NAME);
	notify_add(store, HELD_NAME, store->held);
}

int statestore_take_held(struct statestore *store)
{
	int fd = store->inherited;

	store->inherited = -1;
	return fd;
}

size_t statestore_list(const struct statestore *store, int *fds, size_t size)
{
	size_t skip = store->count > size ? store->count - size : 0, i;

	for (i = skip; i < store->count; i++)
		fds[i - skip] = store->entries[i].fd;
	return store->count - skip;
}

/* Out of the way first: a source may be another one's target. */
static int move_up(int *fd)
{
	int high = fcntl(*fd, F_DUPFD, SD_LISTEN_FDS_START + STATESTORE_MAX + 1);

	if (high < 0)
		return -errno;
	*fd = high;
	return 0;
}

int statestore_pass_on(struct statestore *store)
{
	char names[STATESTORE_MAX * 20 + sizeof(HELD_NAME)] = "", number[24];
	int i, count = store->count, used = 0, ret = 0;

	for (i = 0; ret == 0 && i < count; i++)
		ret = move_up(&store->entries[i].fd);
	if (ret == 0 && store->held >= 0)
		ret = move_up(&store->held);
	if (ret < 0)
		return ret;
	for (i = 0; i < count; i++) {
		if (dup2(store->entries[i].fd, SD_LISTEN_FDS_START + i) < 0)
			return -errno;
		used += snprintf(names + used, sizeof(names) - used, "%s" STATE_NAME "%u",
				 i ? ":" : "", store->entries[i].number);
	}
	if (store->held >= 0) {
		if (dup2(store->held, SD_LISTEN_FDS_START + count) < 0)
			return -errno;
		snprintf(names + used, sizeof(names) - used, "%s" HELD_NAME, count ? ":" : "");
		count++;
	}
	if (close_range(SD_LISTEN_FDS_START + count, ~0u, 0) < 0)
		return -errno;
	if (!count)
		return 0;
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d", count);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	return 0;
}
