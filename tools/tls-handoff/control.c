// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket of tlshd, see control.h.  One request and one answer a connection,
 * each a packet of text, which more packets may follow; whoever answers has to be root.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

#define RUNTIME_DIR "/run/tlshd"

static int socket_address(struct sockaddr_un *ret_address)
{
	const char *folder = secure_getenv("TLSHD_RUNTIME_DIR");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length;

	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control",
			  folder ? folder : RUNTIME_DIR);
	if (length >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret_address = address;
	return 0;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* What is left until @deadline becomes the limit of the next call. */
static int set_limit(int fd, int option, long long deadline)
{
	long long left = deadline - now();
	struct timeval limit = { .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };

	if (left <= 0)
		return -ETIMEDOUT;
	return setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

/* errno of a call with a limit: EAGAIN says that the limit was reached. */
static int limited_error(void)
{
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int open_control(int fd, long long deadline)
{
	struct sockaddr_un address;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int r;

	r = socket_address(&address);
	if (r == 0)
		r = set_limit(fd, SO_SNDTIMEO, deadline);
	if (r < 0)
		return r;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ESRCH : limited_error();
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.uid == 0 ? 0 : -EPERM;
}

static ssize_t receive(int fd, long long deadline, void *buffer, size_t size)
{
	bool again = true;
	ssize_t n;
	int r;

	for (;;) {
		r = set_limit(fd, SO_RCVTIMEO, deadline);
		if (r < 0)
			return r;
		n = recv(fd, buffer, size, MSG_TRUNC);
		if (n >= 0)
			return n > (ssize_t)size ? -EBADMSG : n;
		/* Who closes without reading resets, but its words are still there. */
		if (errno != EINTR && !(errno == ECONNRESET && again))
			return limited_error();
		again = again && errno == EINTR;
	}
}

static int exchange(int fd, const char *request, long long deadline, char *text, size_t *ret_length)
{
	ssize_t n;
	int r;

	r = set_limit(fd, SO_SNDTIMEO, deadline);
	if (r < 0)
		return r;
	/* who has closed already may have said why */
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return limited_error();
	n = receive(fd, deadline, text, CONTROL_MAX_ANSWER);
	if (n <= 0)
		return n < 0 ? (int)n : -ECONNRESET;
	*ret_length = (size_t)n;
	return 0;
}

static int understand(struct control_answer *answer, size_t length)
{
	char *text = answer->text, *end;

	text[length] = '\0';
	if (strlen(text) != length)
		return -EBADMSG;
	end = strchr(text, '\n');
	answer->lines = end ? end + 1 : text + length;
	if (end)
		*end = '\0';
	if (!strcmp(text, "ok"))
		return 0;
	if (strncmp(text, "error ", 6) != 0)
		return -EBADMSG;
	memmove(text, text + 6, strlen(text + 6) + 1);
	return -EREMOTEIO;
}

int control_open(const char *request, unsigned int timeout, struct control_answer *answer,
		 int *ret_fd)
{
	long long deadline = now() + timeout;
	size_t length = 0;
	int fd, r;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = open_control(fd, deadline);
	if (r == 0)
		r = exchange(fd, request, deadline, answer->text, &length);
	if (r == 0)
		r = understand(answer, length);
	if (r == 0)
		*ret_fd = fd;
	else
		close(fd);
	return r;
}

int control_request(const char *request, unsigned int timeout, struct control_answer *answer)
{
	int fd = -1, r;

	r = control_open(request, timeout, answer, &fd);
	if (r == 0)
		close(fd);
	return r;
}

ssize_t control_read(int fd, unsigned int timeout, void *buffer, size_t size)
{
	return receive(fd, now() + timeout, buffer, size);
}

static int take_line(const char *line, size_t length, char *name, char *value)
{
	const char *space = memchr(line, ' ', length);
	size_t name_length, value_length;

	if (!space)
		return -EBADMSG;
	name_length = (size_t)(space - line);
	value_length = length - name_length - 1;
	if (!name_length || name_length > CONTROL_MAX_NAME || !value_length ||
	    value_length > CONTROL_MAX_VALUE)
		return -EBADMSG;
	for (size_t i = 0; i < name_length; i++)
		if (!isascii(line[i]) || !isalnum((unsigned char)line[i]))
			return -EBADMSG;
	for (size_t i = name_length; i < length; i++)
		if (!isascii(line[i]) || !isprint((unsigned char)line[i]))
			return -EBADMSG;
	memcpy(name, line, name_length);
	name[name_length] = '\0';
	memcpy(value, space + 1, value_length);
	value[value_length] = '\0';
	return 0;
}

int control_lines(const struct control_answer *answer,
		  void (*each)(const char *name, const char *value, void *data), void *data)
{
	char name[CONTROL_MAX_NAME + 1], value[CONTROL_MAX_VALUE + 1];
	const char *line = answer->lines;

	while (*line) {
		size_t length = strcspn(line, "\n");
		int r = take_line(line, length, name, value);

		if (r < 0)
			return r;
		each(name, value, data);
		line += length + (line[length] == '\n');
	}
	return 0;
}
