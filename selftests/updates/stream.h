/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What flows in one direction of a connection: messages of one or more streams,
 * each byte of which depends on its stream and its place there. Whoever receives
 * them compares every byte, and at the end of each stream a checksum of all of it
 * with the sender's.
 */
#ifndef SELFTESTS_UPDATES_STREAM_H
#define SELFTESTS_UPDATES_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAMS		8
#define STREAM_MESSAGE	65536	/* bytes of a message, its header included */

/* Before each message's bytes; both ends are one machine. Length 0 ends the stream. */
struct stream_header {
	uint32_t stream;	/* below @streams */
	uint32_t streams;	/* there are in this direction, up to STREAMS */
	uint32_t length;	/* bytes that follow */
	uint32_t zero;
	uint64_t position;	/* of the first of them in their stream */
	uint64_t checksum;	/* of the whole stream, when it ends */
};

/* A stream as its sender knows it */
struct stream {
	uint32_t number, streams;
	uint64_t position, checksum;
};

/* The next message, of @size bytes with its header: more than that alone has */
void stream_message(struct stream *stream, void *message, size_t size);
/* A size for message @count that no record, page or buffer has; at most @max */
size_t stream_size(uint64_t count, size_t max);
/* The message that ends it: a header alone */
void stream_end(const struct stream *stream, struct stream_header *message);

/* One direction as its receiver knows it */
struct stream_check {
	struct stream streams[STREAMS];
	unsigned char message[STREAM_MESSAGE];
	size_t filled;		/* bytes of @message */
	uint64_t bytes;		/* of the streams, all together */
	unsigned int ended;	/* streams */
	bool complete;		/* all streams ended */
	const char *wrong;	/* what was found wrong */
};

/* Looks at the next @size bytes: 0, or -EILSEQ and the reason in @check->wrong */
int stream_check(struct stream_check *check, const void *data, size_t size);

#endif /* SELFTESTS_UPDATES_STREAM_H */
