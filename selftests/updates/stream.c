// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bytes of a stream, made and checked; stream.h says what is promised.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"

/* Eight bytes of a stream, of which @index is the number */
static uint64_t word_of(uint32_t number, uint64_t index)
{
	uint64_t word = (index + 1) * 0x9e3779b97f4a7c15 + number * 0xd1b54a32d192ed03;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	return word ^ word >> 27;
}

/* Compares @data with the stream if @made is not set, else makes it; false: it differs */
static bool each_word(uint32_t number, uint64_t position, unsigned char *data, size_t size,
		      bool make)
{
	size_t done = 0;

	while (done < size) {
		uint64_t at = position + done, word = word_of(number, at / 8);
		size_t skip = at % 8, part = 8 - skip < size - done ? 8 - skip : size - done;

		if (part == 8) {
			uint64_t there;

			if (make) {
				memcpy(data + done, &word, 8);
			} else {
				memcpy(&there, data + done, 8);
				if (there != word)
					return false;
			}
		} else if (make) {
			memcpy(data + done, (char *)&word + skip, part);
		} else if (memcmp(data + done, (char *)&word + skip, part)) {
			return false;
		}
		done += part;
	}
	return true;
}

static uint64_t add_to_checksum(uint64_t checksum, const unsigned char *data, size_t size)
{
	uint64_t word;

	for (; size; data += 8, size -= size < 8 ? size : 8) {
		word = 0;
		if (size >= 8)
			memcpy(&word, data, 8);
		else
			memcpy(&word, data, size);
		checksum = (checksum << 5 | checksum >> 59) ^ word;
		checksum *= 0x517cc1b727220a95;
	}
	return checksum;
}

void stream_message(struct stream *stream, void *message, size_t size)
{
	struct stream_header header = { stream->number, stream->streams };
	unsigned char *data = (unsigned char *)message + sizeof(header);

	header.length = size - sizeof(header);
	header.position = stream->position;
	memcpy(message, &header, sizeof(header));
	each_word(stream->number, stream->position, data, header.length, true);
	stream->checksum = add_to_checksum(stream->checksum, data, header.length);
	stream->position += header.length;
}

size_t stream_size(uint64_t count, size_t max)
{
	size_t least = sizeof(struct stream_header) + 1;

	return least + word_of(STREAMS, count) % (max - least + 1);
}

void stream_end(const struct stream *stream, struct stream_header *message)
{
	*message = (struct stream_header){ stream->number, stream->streams };
	message->position = stream->position;
	message->checksum = stream->checksum;
}

static int wrong(struct stream_check *check, const char *what)
{
	check->wrong = what;
	return -EILSEQ;
}

static int check_header(struct stream_check *check, const struct stream_header *header)
{
	if (check->complete)
		return wrong(check, "something behind the end of the last stream");
	if (!header->streams || header->streams > STREAMS || header->stream >= header->streams ||
	    header->zero || header->length > STREAM_MESSAGE - sizeof(*header))
		return wrong(check, "a message's header is not what was sent");
	if (header->position != check->streams[header->stream].position)
		return wrong(check, "a stream goes on at another place than it should");
	return 0;
}

static int check_message(struct stream_check *check, const struct stream_header *header)
{
	struct stream *stream = &check->streams[header->stream];
	unsigned char *data = check->message + sizeof(*header);

	if (!header->length) {
		if (header->checksum != stream->checksum)
			return wrong(check, "a stream's checksum is not the sender's");
		check->complete = ++check->ended == header->streams;
		return 0;
	}
	if (!each_word(header->stream, stream->position, data, header->length, false))
		return wrong(check, "bytes are not what was sent");
	stream->checksum = add_to_checksum(stream->checksum, data, header->length);
	stream->position += header->length;
	check->bytes += header->length;
	return 0;
}

int stream_check(struct stream_check *check, const void *data, size_t size)
{
	struct stream_header header;
	size_t wanted, part;
	int err;

	while (size) {
		wanted = sizeof(header);
		if (check->filled >= sizeof(header)) {
			memcpy(&header, check->message, sizeof(header));
			wanted += header.length;
		}
		part = wanted - check->filled < size ? wanted - check->filled : size;
		memcpy(check->message + check->filled, data, part);
		check->filled += part;
		data = (const char *)data + part;
		size -= part;
		if (check->filled < wanted)
			return 0;
		memcpy(&header, check->message, sizeof(header));
		if (wanted == sizeof(header)) {
			err = check_header(check, &header);
			if (err)
				return err;
			if (header.length)
				continue;
		}
		err = check_message(check, &header);
		if (err)
			return err;
		check->filled = 0;
	}
	return 0;
}
