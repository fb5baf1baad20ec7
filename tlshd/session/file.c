// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of a profile.  They are opened before the sandbox is entered.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

static int mistake(char **ret_mistake, const char *path, int error, const char *words)
{
	if (asprintf(ret_mistake, "%s: %s", path, words ? words : strerror(error)) < 0)
		*ret_mistake = NULL;
	return -error;
}

static int read_all(int fd, size_t size, gnutls_datum_t *ret_data)
{
	unsigned char *data = malloc(size + 1);
	size_t got = 0;
	ssize_t n;
	int error;

	if (!data)
		return -ENOMEM;
	while (got < size) {
		n = read(fd, data + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error = n < 0 ? errno : EIO;
			free(data);
			return -error;
		}
		got += (size_t)n;
	}
	data[size] = 0;
	*ret_data = (gnutls_datum_t){ data, (unsigned int)size };
	return 0;
}

int file_read(const char *path, size_t max, gnutls_datum_t *ret_data, char **ret_mistake)
{
	struct stat st;
	int fd, r;

	/* O_NONBLOCK: a FIFO must not hold up the start */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return mistake(ret_mistake, path, errno, NULL);
	if (fstat(fd, &st) < 0)
		r = mistake(ret_mistake, path, errno, NULL);
	else if (!S_ISREG(st.st_mode))
		r = mistake(ret_mistake, path, EINVAL, "not a regular file");
	else if (st.st_size == 0)
		r = mistake(ret_mistake, path, EINVAL, "empty");
	else if ((unsigned long long)st.st_size > max)
		r = mistake(ret_mistake, path, EFBIG, NULL);
	else if ((r = read_all(fd, (size_t)st.st_size, ret_data)) < 0)
		r = mistake(ret_mistake, path, -r, NULL);
	close(fd);
	return r;
}
