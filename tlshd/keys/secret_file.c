// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a small file that may hold a secret, see secret_file.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret_file.h"

static int read_all(int fd, char *data, size_t size, size_t *ret_length)
{
	size_t length = 0;

	while (length < size) {
		ssize_t n = read(fd, data + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	*ret_length = length;
	return 0;
}

int secret_file_read(const char *path, struct secret_file *ret_file, struct keys_words *words)
{
	struct secret_file file = { 0 };
	struct stat st;
	int fd, ret;

	/* O_NONBLOCK: a FIFO must not stop the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return keys_fail(words, errno, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st) < 0) {
		ret = keys_fail(words, errno, "cannot be examined: %s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = keys_fail(words, EINVAL, "is not a regular file");
		goto out;
	}
	file.mode = st.st_mode;
	file.data = calloc(1, SECRET_FILE_MAX + 2);
	if (!file.data) {
		ret = keys_fail(words, ENOMEM, "out of memory");
		goto out;
	}
	ret = read_all(fd, file.data, SECRET_FILE_MAX + 1, &file.length);
	if (ret < 0) {
		keys_say(words, "cannot be read: %s", strerror(-ret));
		goto out;
	}
	if (file.length > SECRET_FILE_MAX) {
		ret = keys_fail(words, EFBIG, "is larger than %d bytes", SECRET_FILE_MAX);
		goto out;
	}
	*ret_file = file;
	file.data = NULL;
out:
	secret_file_clear(&file);
	close(fd);
	return ret;
}

int secret_file_private(const struct secret_file *file, struct keys_words *words)
{
	if (!(file->mode & (S_IRWXG | S_IRWXO)))
		return 0;
	return keys_fail(words, EACCES,
			 "holds a secret and others may use it (mode %04o): chmod 600",
			 (unsigned int)(file->mode & 07777));
}

void secret_file_clear(struct secret_file *file)
{
	if (file->data)
		explicit_bzero(file->data, SECRET_FILE_MAX + 2);
	free(file->data);
	memset(file, 0, sizeof(*file));
}
