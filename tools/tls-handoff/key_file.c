// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing a key or a request: whole or not at all, see key_command.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_command.h"

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

int key_file_begin(struct key_file *file, const char *path, const char *text, size_t length,
		   mode_t mode, bool replace)
{
	int fd, ret;

	*file = (struct key_file){ .path = path, .replace = replace };
	if (asprintf(&file->temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		key_say("cannot write beside %s: %s", path, strerror(-ret));
		free(file->temporary);
		return ret;
	}
	ret = write_all(fd, text, length);
	if (ret == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		ret = -errno;
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0)
		return 0;
	key_say("cannot write %s: %s", file->temporary, strerror(-ret));
	key_file_discard(file);
	return ret;
}

int key_file_commit(struct key_file *file)
{
	int ret;

	ret = renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path,
			file->replace ? 0 : RENAME_NOREPLACE);
	if (ret < 0) {
		ret = -errno;
		key_say("%s: %s%s", file->path, strerror(-ret),
			ret == -EEXIST ? "; --force replaces it" : "");
		key_file_discard(file);
		return ret;
	}
	free(file->temporary);
	return 0;
}

void key_file_discard(struct key_file *file)
{
	unlink(file->temporary);
	free(file->temporary);
}
