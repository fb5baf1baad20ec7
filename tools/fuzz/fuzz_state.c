// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a predecessor left, whoever wrote it: the successor takes over what it can use, and
 * what it took over can be saved and taken over once more.  Input: the memory's content; if it
 * does not begin with the magic, records that a sound header is put before.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "fuzz.h"
#include "log.h"
#include "memory.h"
#include "profile.h"
#include "resume.h"
#include "saved.h"
#include "session.h"
#include "state.h"
#include "succession.h"

static struct profiles profiles;
static struct room room = { .profiles = &profiles };
static int agent_fd, memory_fd;

static void on_closed(void *arg, int error)
{
}

static const struct channel_ops ops = { session_message, on_closed, false };

/* In log_message()'s place: log lines are not what is tested. */
void __wrap_log_message(int priority, const char *format, ...);

void __wrap_log_message(int priority, const char *format, ...)
{
}

static void prepare(void)
{
	int fds[2];

	if (room.base)
		return;
	room.base = event_base_new();
	memory_fd = memfd_create("state", MFD_CLOEXEC);
	if (!room.base || memory_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 ||
	    channel_new(room.base, fds[0], &ops, &room, &room.agent) < 0)
		abort();
	agent_fd = fds[1];
}

static void drain(void)
{
	static uint8_t buffer[sizeof(struct channel_header) + CHANNEL_MAX_PAYLOAD];

	do
		event_base_loop(room.base, EVLOOP_NONBLOCK);
	while (recv(agent_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0);
}

static void begin(void)
{
	if (session_table_new(&room) < 0 || resume_new(room.base, &room.resume) < 0)
		abort();
}

static void end(void)
{
	session_table_free(room.sessions);
	resume_free(room.resume);
	room.sessions = NULL;
	room.resume = NULL;
	drain();
}

static void count(struct session *session, void *arg)
{
	++*(uint32_t *)arg;
}

/* All that was sound the first time is sound the second time. */
static void save_and_read_again(void)
{
	struct state_writer *writer;
	uint32_t sessions = 0;
	uint8_t *data;
	size_t length;

	if (state_writer_new(memory_fd, &writer) < 0)
		abort();
	session_each(&room, count, &sessions);
	saved_put_all(&room, writer);
	if (state_writer_finish(writer) < 0 ||
	    memory_load(memory_fd, STATE_MAX_LENGTH, &data, &length) < 0)
		abort();
	end();
	begin();
	if (succession_read(&room, data, length) != sessions)
		abort();
	memory_unload(data, length);
	memory_wipe(memory_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_header header = {
		.magic = STATE_MAGIC, .version = STATE_VERSION, .complete = 1, .length = size
	};
	uint8_t *whole;

	prepare();
	begin();
	if (size >= sizeof(header.magic) && memcmp(data, STATE_MAGIC, sizeof(header.magic)) == 0) {
		succession_read(&room, data, size);
	} else {
		whole = malloc(sizeof(header) + size);
		if (!whole)
			abort();
		memcpy(whole, &header, sizeof(header));
		if (size)
			memcpy(whole + sizeof(header), data, size);
		succession_read(&room, whole, sizeof(header) + size);
		free(whole);
	}
	save_and_read_again();
	end();
	return 0;
}
