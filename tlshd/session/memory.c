// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory files.  They are made, and opened again, with the file system rights of
 * the user alone: no capability is needed, and none opens somebody else's file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#define WIPE_BLOCK 4096

/* Whose rights files are opened with, and whose they were */
struct rights {
	uid_t uid, before_uid;
	gid_t before_gid;
};

static int rights_take(const char *user, struct rights *rights)
{
	struct passwd *account;

	rights->before_uid = rights->uid = geteuid();
	rights->before_gid = getegid();
	if (rights->uid != 0)
		return 0;
	errno = 0;
	account = getpwnam(user);
	if (!account)
		return errno ? -errno : -ENOENT;
	rights->uid = account->pw_uid;
	setfsgid(account->pw_gid);
	setfsuid(account->pw_uid);
	/* it tells the one before, whatever it is given */
	return (uid_t)setfsuid((uid_t)-1) == account->pw_uid ? 0 : -EPERM;
}

static void rights_give_back(const struct rights *rights)
{
	setfsuid(rights->before_uid);
	setfsgid(rights->before_gid);
}

/* Held by the open file that the maker has, not by the file: it ends with the process. */
static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int make(void)
{
	struct flock lock = whole_file();
	int fd, r;

	fd = memfd_create("tlshd-session state", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("tlshd-session state", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int memory_new(const char *user, int *ret_fd)
{
	struct rights rights;
	int r;

	r = rights_take(user, &rights);
	if (r == 0)
		r = make();
	rights_give_back(&rights);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

static int open_again(int fd, int flags)
{
	char path[32];
	int opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, flags | O_CLOEXEC);
	return opened < 0 ? -errno : opened;
}

int memory_path(int fd, int *ret_path)
{
	int path = open_again(fd, O_PATH);

	if (path < 0)
		return path;
	*ret_path = path;
	return 0;
}

/* Nobody but session handlers can have written it, and nobody else can have read it. */
static int check(int path, uid_t uid)
{
	struct stat info;

	if (fstat(path, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode) || info.st_nlink != 0 || info.st_uid != uid ||
	    (info.st_mode & 07777) != 0600)
		return -EPERM;
	return 0;
}

int memory_open(const char *user, int path, int *ret_fd)
{
	struct rights rights;
	int r;

	r = rights_take(user, &rights);
	if (r == 0)
		r = check(path, rights.uid);
	if (r == 0)
		r = open_again(path, O_RDWR);
	rights_give_back(&rights);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

bool memory_is_written(int fd)
{
	struct flock lock = whole_file();

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int memory_load(int fd, size_t max, uint8_t **ret_data, size_t *ret_length)
{
	size_t length, got = 0;
	struct stat info;
	uint8_t *data;
	ssize_t n;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (info.st_size < 0 || (uint64_t)info.st_size > max)
		return -EFBIG;
	length = (size_t)info.st_size;
	data = malloc(length + !length);
	if (!data)
		return -ENOMEM;
	/* A copy, so that nobody changes what was looked at */
	while (got < length) {
		n = pread(fd, data + got, length - got, (off_t)got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	*ret_data = data;
	*ret_length = got;
	return 0;
}

void memory_unload(uint8_t *data, size_t length)
{
	explicit_bzero(data, length);
	free(data);
}

void memory_wipe(int fd)
{
	static const uint8_t zeros[WIPE_BLOCK];
	struct stat info;

	if (fstat(fd, &info) < 0)
		return;
	/* A short write leaves no more than truncating frees anyway */
	for (off_t at = 0; at < info.st_size; at += WIPE_BLOCK) {
		size_t left = (size_t)(info.st_size - at);

		if (pwrite(fd, zeros, left < WIPE_BLOCK ? left : WIPE_BLOCK, at) < 0)
			break;
	}
	if (ftruncate(fd, 0) < 0)
		return; /* zeroed all the same */
}
