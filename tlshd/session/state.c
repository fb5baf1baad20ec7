// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The form of the state: records behind a header that is written last, so that
 * what a process did not finish is never taken for whole.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "state.h"

struct state_writer {
	int fd;
	int error;	 /* the first */
	uint64_t length; /* bytes of records that are written */
	/* one record, so that writing one costs one system call */
	uint8_t buffer[sizeof(struct state_record) + STATE_MAX_PAYLOAD];
};

static int write_at(int fd, uint64_t at, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	ssize_t n;

	while (length) {
		n = pwrite(fd, bytes, length, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		at += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

int state_writer_new(int fd, struct state_writer **ret_writer)
{
	struct state_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	if (ftruncate(fd, 0) < 0) {
		free(writer);
		return -errno;
	}
	writer->fd = fd;
	*ret_writer = writer;
	return 0;
}

void state_put_parts(struct state_writer *writer, enum state_type type,
		     const struct state_part *parts, size_t count)
{
	struct state_record record = { .type = (uint16_t)type };
	size_t size = sizeof(record);

	for (size_t i = 0; i < count && !writer->error; i++) {
		if (parts[i].length > sizeof(writer->buffer) - size) {
			writer->error = -EMSGSIZE;
			break;
		}
		if (parts[i].length)
			memcpy(writer->buffer + size, parts[i].data, parts[i].length);
		size += parts[i].length;
	}
	if (!writer->error && writer->length + size > STATE_MAX_LENGTH)
		writer->error = -EFBIG;
	if (!writer->error) {
		record.length = (uint32_t)(size - sizeof(record));
		memcpy(writer->buffer, &record, sizeof(record));
		writer->error = write_at(writer->fd, sizeof(struct state_header) + writer->length,
					 writer->buffer, size);
		writer->length += size;
	}
	explicit_bzero(writer->buffer, size);
}

void state_put(struct state_writer *writer, enum state_type type, const void *payload,
	       size_t length)
{
	const struct state_part part = { payload, length };

	state_put_parts(writer, type, &part, 1);
}

int state_writer_finish(struct state_writer *writer)
{
	struct state_header header = {
		.magic = STATE_MAGIC,
		.version = STATE_VERSION,
		.complete = 1,
		.length = writer->length,
	};
	int r = writer->error;

	if (r == 0)
		r = write_at(writer->fd, 0, &header, sizeof(header));
	if (r < 0)
		memory_wipe(writer->fd);
	explicit_bzero(writer, sizeof(*writer));
	free(writer);
	return r;
}

static const char *check_header(const uint8_t *data, size_t length, uint64_t *ret_length)
{
	struct state_header header;

	if (length < sizeof(header))
		return "it is shorter than a header";
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, STATE_MAGIC, sizeof(header.magic)) != 0)
		return "it is not a session handler's";
	if (header.version != STATE_VERSION)
		return "it is of another version of the format";
	if (header.complete != 1)
		return "it was not written to its end";
	if (header.length != length - sizeof(header))
		return "it is not as long as it says";
	*ret_length = header.length;
	return NULL;
}

/* The record at @data, of which @left bytes are there; false if it is not all there. */
static bool next_record(const uint8_t *data, size_t left, struct state_record *ret)
{
	if (left < sizeof(*ret))
		return false;
	memcpy(ret, data, sizeof(*ret));
	return ret->length <= STATE_MAX_PAYLOAD && ret->length <= left - sizeof(*ret);
}

int state_read(const uint8_t *data, size_t length, state_take take, void *arg, const char **ret_why)
{
	struct state_record record;
	const char *why;
	uint64_t size;
	size_t at;

	why = check_header(data, length, &size);
	if (why) {
		*ret_why = why;
		return -EPROTO;
	}
	data += sizeof(struct state_header);
	for (at = 0; at < size; at += sizeof(record) + record.length) {
		if (!next_record(data + at, size - at, &record)) {
			*ret_why = "a record is longer than what is there";
			return -EPROTO;
		}
	}
	for (at = 0; at < size; at += sizeof(record) + record.length) {
		memcpy(&record, data + at, sizeof(record));
		take(arg, record.type, data + at + sizeof(record), record.length);
	}
	return 0;
}
