// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TPM commands and responses over one open descriptor, see tcti.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#include "tcti.h"

#define STREAM_MAGIC 0x746c73682d737472ull
#define HEADER_SIZE  10 /* tag, u32 size, code: of commands and responses */

/**
 * struct stream - a TCTI over a descriptor
 * @common: first, as the library wants it
 * @have: bytes of the response in @buffer
 * @dead: nothing can be sent any more: an answer may still be on its way
 */
struct stream {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;
	int fd;
	bool is_socket;
	bool dead;
	int deadline; /* seconds */
	size_t have;
	uint8_t buffer[TPM2_MAX_RESPONSE_SIZE];
	struct keys_words words;
};

static struct stream *stream_of(TSS2_TCTI_CONTEXT *tcti)
{
	return tcti && TSS2_TCTI_MAGIC(tcti) == STREAM_MAGIC ? (struct stream *)tcti : NULL;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static TSS2_RC stream_fail(struct stream *stream, const char *words)
{
	stream->dead = true;
	keys_say(&stream->words, "%s", words);
	return TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC stream_fail_errno(struct stream *stream, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		return stream_fail(stream, "it closed the connection");
	return stream_fail(stream, strerror(error));
}

/* 1 ready, 0 not until @until (milliseconds of now_ms()), -errno. */
static int wait_for(int fd, short events, int64_t until)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int64_t left = until - now_ms();
	int ret;

	ret = poll(&ready, 1, left > 0 ? (int)left : 0);
	if (ret < 0)
		return errno == EINTR ? 1 : -errno;
	return ret;
}

static TSS2_RC stream_transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command)
{
	struct stream *stream = stream_of(tcti);
	int64_t until;
	ssize_t n;
	int ret;

	if (!stream)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (!command || size < HEADER_SIZE)
		return TSS2_TCTI_RC_BAD_VALUE;
	if (stream->dead)
		return TSS2_TCTI_RC_IO_ERROR;
	stream->have = 0;
	until = now_ms() + (int64_t)stream->deadline * 1000;
	while (size) {
		n = stream->is_socket ? send(stream->fd, command, size, MSG_NOSIGNAL) :
					write(stream->fd, command, size);
		if (n > 0) {
			command += n;
			size -= (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return stream_fail_errno(stream, errno);
		ret = wait_for(stream->fd, POLLOUT, until);
		if (ret < 0)
			return stream_fail_errno(stream, -ret);
		if (ret == 0)
			return stream_fail(stream, "it takes no commands");
	}
	return TSS2_RC_SUCCESS;
}

/* Bytes that the response has in all; HEADER_SIZE while that is not known. */
static size_t response_size(const struct stream *stream)
{
	const uint8_t *size = stream->buffer + 2;

	if (stream->have < HEADER_SIZE)
		return HEADER_SIZE;
	return (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
}

/* A device gives a whole response to one read, a socket what has come so far. */
static TSS2_RC stream_read(struct stream *stream, int64_t until)
{
	ssize_t n;
	int ret;

	ret = wait_for(stream->fd, POLLIN, until);
	if (ret < 0)
		return stream_fail_errno(stream, -ret);
	if (ret == 0)
		return TSS2_TCTI_RC_TRY_AGAIN;
	n = read(stream->fd, stream->buffer + stream->have, sizeof(stream->buffer) - stream->have);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return TSS2_RC_SUCCESS;
	if (n < 0)
		return stream_fail_errno(stream, errno);
	if (n == 0)
		return stream_fail(stream, "it closed the connection");
	stream->have += (size_t)n;
	if (response_size(stream) < HEADER_SIZE || response_size(stream) > sizeof(stream->buffer))
		return stream_fail(stream, "its response has an impossible size");
	return TSS2_RC_SUCCESS;
}

static TSS2_RC stream_receive(TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *response,
			      int32_t timeout)
{
	struct stream *stream = stream_of(tcti);
	int64_t until;
	TSS2_RC rc;

	if (!stream)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (!size)
		return TSS2_TCTI_RC_BAD_REFERENCE;
	if (stream->dead)
		return TSS2_TCTI_RC_IO_ERROR;
	until = now_ms() + (timeout < 0 ? (int64_t)stream->deadline * 1000 : timeout);
	while (stream->have < HEADER_SIZE || stream->have < response_size(stream)) {
		rc = stream_read(stream, until);
		if (rc == TSS2_TCTI_RC_TRY_AGAIN && timeout < 0)
			rc = stream_fail(stream, "no response in time");
		if (rc != TSS2_RC_SUCCESS)
			return rc;
	}
	if (stream->have > response_size(stream))
		return stream_fail(stream, "it sent more than a response");
	if (response && *size < stream->have)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	*size = stream->have;
	if (!response)
		return TSS2_RC_SUCCESS;
	memcpy(response, stream->buffer, stream->have);
	/* It may have been an unsealed secret. */
	explicit_bzero(stream->buffer, stream->have);
	stream->have = 0;
	return TSS2_RC_SUCCESS;
}

static void stream_finalize(TSS2_TCTI_CONTEXT *tcti)
{
	struct stream *stream = stream_of(tcti);

	if (stream && stream->fd >= 0)
		close(stream->fd);
}

static TSS2_RC stream_cancel(TSS2_TCTI_CONTEXT *tcti)
{
	(void)tcti;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC stream_poll_handles(TSS2_TCTI_CONTEXT *tcti, TSS2_TCTI_POLL_HANDLE *handles,
				   size_t *count)
{
	(void)tcti, (void)handles, (void)count;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC stream_locality(TSS2_TCTI_CONTEXT *tcti, uint8_t locality)
{
	(void)tcti, (void)locality;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC stream_sticky(TSS2_TCTI_CONTEXT *tcti, TPM2_HANDLE *handle, uint8_t sticky)
{
	(void)tcti, (void)handle, (void)sticky;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

/* Takes over @fd, also on failure. */
static int stream_new(int fd, bool is_socket, TSS2_TCTI_CONTEXT **ret_tcti,
		      struct keys_words *words)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		close(fd);
		return keys_fail(words, ENOMEM, "out of memory");
	}
	stream->common.v1.magic = STREAM_MAGIC;
	stream->common.v1.version = 2;
	stream->common.v1.transmit = stream_transmit;
	stream->common.v1.receive = stream_receive;
	stream->common.v1.finalize = stream_finalize;
	stream->common.v1.cancel = stream_cancel;
	stream->common.v1.getPollHandles = stream_poll_handles;
	stream->common.v1.setLocality = stream_locality;
	stream->common.makeSticky = stream_sticky;
	stream->fd = fd;
	stream->is_socket = is_socket;
	stream->deadline = TCTI_PROBE_DEADLINE;
	*ret_tcti = (TSS2_TCTI_CONTEXT *)stream;
	return 0;
}

static int open_device(const char *path, TSS2_TCTI_CONTEXT **ret_tcti, struct keys_words *words)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return keys_fail(words, errno, "%s: %s", path, strerror(errno));
	return stream_new(fd, false, ret_tcti, words);
}

static int finish_connect(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);
	int ret;

	ret = wait_for(fd, POLLOUT, now_ms() + TCTI_PROBE_DEADLINE * 1000);
	if (ret <= 0)
		return ret ? ret : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -errno;
	return -error;
}

static int connect_to(const struct sockaddr *address, socklen_t length, int *ret_fd)
{
	int fd, ret = 0;

	fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, address, length) < 0)
		ret = errno == EINPROGRESS ? finish_connect(fd) : -errno;
	if (ret < 0) {
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

static int connect_host(const char *host, const char *port, int *ret_fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *entry;
	int ret = -EADDRNOTAVAIL;

	if (getaddrinfo(host, port, &hints, &list))
		return ret;
	for (entry = list; entry && ret < 0; entry = entry->ai_next)
		ret = connect_to(entry->ai_addr, entry->ai_addrlen, ret_fd);
	freeaddrinfo(list);
	return ret;
}

static int connect_path(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connect_to((struct sockaddr *)&address, sizeof(address), ret_fd);
}

/* "path=PATH" or "host=HOST,port=PORT", either of which may be missing. */
static int open_swtpm(const char *conf, TSS2_TCTI_CONTEXT **ret_tcti, struct keys_words *words)
{
	const char *host = "localhost", *port = "2321", *path = NULL;
	char copy[512], *rest = copy, *item;
	int fd = -1, ret;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", conf) >= sizeof(copy))
		return keys_fail(words, ENAMETOOLONG, "swtpm: too long");
	while ((item = strsep(&rest, ","))) {
		if (!strncmp(item, "host=", 5))
			host = item + 5;
		else if (!strncmp(item, "port=", 5))
			port = item + 5;
		else if (!strncmp(item, "path=", 5))
			path = item + 5;
		else if (*item)
			return keys_fail(words, EINVAL,
					 "swtpm: \"%s\" is not host=, port= or path=", item);
	}
	ret = path ? connect_path(path, &fd) : connect_host(host, port, &fd);
	if (ret < 0)
		return keys_fail(words, -ret, "no swtpm listens there: %s", strerror(-ret));
	return stream_new(fd, true, ret_tcti, words);
}

/* A module of the library */
static int open_module(const char *name, TSS2_TCTI_CONTEXT **ret_tcti, struct keys_words *words)
{
	TSS2_TCTI_CONTEXT *tcti;
	size_t size = 0;
	TSS2_RC rc;

	rc = Tss2_Tcti_TctiLdr_Init(NULL, &size, name);
	if (rc != TSS2_RC_SUCCESS)
		return keys_fail(words, EIO, "%s", Tss2_RC_Decode(rc));
	tcti = calloc(1, size);
	if (!tcti)
		return keys_fail(words, ENOMEM, "out of memory");
	rc = Tss2_Tcti_TctiLdr_Init(tcti, &size, name);
	if (rc != TSS2_RC_SUCCESS) {
		free(tcti);
		return keys_fail(words, EIO, "%s", Tss2_RC_Decode(rc));
	}
	*ret_tcti = tcti;
	return 0;
}

/* What comes after "@kind:" in @name, "" if nothing does, NULL for another kind. */
static const char *conf_of(const char *name, const char *kind)
{
	size_t length = strlen(kind);

	if (strncmp(name, kind, length) != 0)
		return NULL;
	if (!name[length])
		return name + length;
	return name[length] == ':' ? name + length + 1 : NULL;
}

int tcti_open(const char *name, TSS2_TCTI_CONTEXT **ret_tcti, struct keys_words *words)
{
	const char *conf;

	conf = conf_of(name, "device");
	if (conf)
		return open_device(*conf ? conf : "/dev/tpmrm0", ret_tcti, words);
	conf = conf_of(name, "swtpm");
	if (conf)
		return open_swtpm(conf, ret_tcti, words);
	return open_module(name, ret_tcti, words);
}

void tcti_free(TSS2_TCTI_CONTEXT *tcti)
{
	struct stream *stream = stream_of(tcti);

	if (!tcti)
		return;
	if (!stream) {
		Tss2_Tcti_Finalize(tcti);
		free(tcti);
		return;
	}
	stream_finalize(tcti);
	explicit_bzero(stream, sizeof(*stream));
	free(stream);
}

void tcti_set_deadline(TSS2_TCTI_CONTEXT *tcti, int seconds)
{
	struct stream *stream = stream_of(tcti);

	if (stream)
		stream->deadline = seconds;
}

const char *tcti_words(const TSS2_TCTI_CONTEXT *tcti)
{
	const struct stream *stream = stream_of((TSS2_TCTI_CONTEXT *)tcti);

	return stream && stream->words.text[0] ? stream->words.text : NULL;
}
