/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session handler leaves to its successor: the format of its memory and
 * who writes and reads each kind of record.  Only ever read on the same machine
 * and in the same boot: integers are native, points in time CLOCK_BOOTTIME.
 */
#ifndef TLSHD_SESSION_STATE_H
#define TLSHD_SESSION_STATE_H

#include <stddef.h>
#include <stdint.h>

struct room;

#define STATE_MAGIC	  "tlshd-session\r\n" /* its NUL included: 16 bytes */
#define STATE_VERSION	  1
#define STATE_MAX_PAYLOAD (256 * 1024)	      /* bytes of one record */
#define STATE_MAX_LENGTH  (256 * 1024 * 1024) /* bytes of all of them */

/* At the start of the memory; the last that is written */
struct state_header {
	char magic[16];
	uint32_t version;
	uint32_t complete; /* 1; anything else: the writer did not come to its end */
	uint64_t length;   /* bytes of records behind it */
};

/* Then records, each with this before it.  One of unknown type is passed over. */
struct state_record {
	uint16_t type;	 /* enum state_type */
	uint16_t flags;	 /* 0 */
	uint32_t length; /* of the payload, bytes; <= STATE_MAX_PAYLOAD */
};

/* Numbers are never used again for something else. */
enum state_type {
	STATE_SESSION = 1,	 /* an established session */
	STATE_STEK = 2,		 /* roots of the ticket keys of one profile */
	STATE_TICKET = 3,	 /* a ticket for a client */
	STATE_TICKET_COUNTS = 4, /* what is counted about tickets */
};

/*
 * Writing.  A record is put in at once; the first error is kept, and then nothing is
 * left of the whole state.  Does not allocate.
 */
struct state_writer;
void state_put(struct state_writer *writer, enum state_type type, const void *payload,
	       size_t length);
/* The same of several parts */
struct state_part {
	const void *data;
	size_t length;
};
void state_put_parts(struct state_writer *writer, enum state_type type,
		     const struct state_part *parts, size_t count);

/* Writes to @fd, a memory file, from its beginning.  0 or -errno. */
int state_writer_new(int fd, struct state_writer **ret_writer);
/* Completes the state and frees the writer.  On any failure the memory is wiped.  0 or -errno. */
int state_writer_finish(struct state_writer *writer) __attribute__((warn_unused_result));

/*
 * Reading.  All of @data is looked at before the first record is given out.  @take gets
 * each in the order in which they were written; what it returns is its own affair.
 * 0, or -EPROTO with words (a string constant) in *@ret_why and nothing given out.
 */
typedef void (*state_take)(void *arg, uint16_t type, const uint8_t *payload, size_t length);
int state_read(const uint8_t *data, size_t length, state_take take, void *arg, const char **ret_why)
	__attribute__((warn_unused_result));

/*
 * Who has something to leave has one function of each type, in the tables of succession.c.
 * A saver puts all it has.  A restorer gets the payload of one record as the saver of the
 * same program, or of an older or newer one, put it: 0, -EPROTO if it is malformed, -ENOENT
 * if it belongs to something that the configuration no longer has, or another -errno; that
 * record is then dropped with a line in the log, and the rest goes on.  Payloads may grow at
 * their end only: longer ones than expected are taken.
 */
typedef void (*state_saver)(struct room *room, struct state_writer *writer);
typedef int (*state_restorer)(struct room *room, const uint8_t *payload, size_t length);

#endif /* TLSHD_SESSION_STATE_H */
