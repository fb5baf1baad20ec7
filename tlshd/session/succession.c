// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The succession: who has something to save, and in which order it is taken over.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "counts.h"
#include "established.h"
#include "log.h"
#include "memory.h"
#include "returned.h"
#include "saved.h"
#include "session.h"
#include "state.h"
#include "stek.h"
#include "succession.h"
#include "tickets.h"

#define LOOK_MS 20 /* between looks at a predecessor that still writes */

struct succession {
	struct room *room;
	int own;			  /* our memory, or -1 */
	int path;			  /* the agent's descriptor of it, or -1 */
	int predecessors[SUCCESSION_MAX]; /* their memories */
	size_t count;
	struct event *timer; /* while one of them still writes */
	int waited;	     /* ms */
};

/* Everything but sessions, which are told to the agent one by one. */
static const struct {
	enum state_type type;
	const char *name;
	state_restorer restore;
} restorers[] = {
	{ STATE_STEK, "ticket keys", stek_restore },
	{ STATE_TICKET, "ticket", tickets_restore },
	{ STATE_TICKET_COUNTS, "counts of tickets", counts_restore },
};

static const state_saver savers[] = { stek_save, tickets_save, counts_save, saved_put_all };

static void make_memory(struct succession *succession, const char *user)
{
	int r = memory_new(user, &succession->own);

	if (r == 0)
		r = memory_path(succession->own, &succession->path);
	if (r == 0)
		return;
	log_message(LOG_WARNING,
		    "no memory for a successor, which will know nothing of our sessions: %s",
		    strerror(-r));
	if (succession->own >= 0)
		close(succession->own);
	succession->own = -1;
}

int succession_new(struct room *room, const char *user, const int *paths, size_t count)
{
	struct succession *succession = calloc(1, sizeof(*succession));

	if (!succession)
		return -ENOMEM;
	succession->room = room;
	succession->own = succession->path = -1;
	room->succession = succession;
	make_memory(succession, user);
	for (size_t i = 0; i < count && i < SUCCESSION_MAX; i++) {
		int r = memory_open(user, paths[i], &succession->predecessors[succession->count]);

		if (r == 0)
			succession->count++;
		else
			log_message(LOG_ERR, "cannot open what a predecessor left: %s",
				    strerror(-r));
		close(paths[i]);
	}
	return 0;
}

void succession_free(struct succession *succession)
{
	if (!succession)
		return;
	for (size_t i = 0; i < succession->count; i++)
		close(succession->predecessors[i]);
	if (succession->timer)
		event_free(succession->timer);
	if (succession->own >= 0)
		close(succession->own);
	if (succession->path >= 0)
		close(succession->path);
	free(succession);
}

int succession_take_path(struct succession *succession)
{
	int path = succession->path;

	succession->path = -1;
	return path;
}

/* From RESTORED on the session is established here; what was given back comes first. */
static int announce(struct session *session)
{
	const struct channel_restored restored = {
		.tx_generation = htole64(session->tx_generation),
		.rx_generation = htole64(session->rx_generation),
	};
	int r;

	r = session_send(session, CHANNEL_RESTORED, &restored, sizeof(restored));
	if (r == 0)
		r = returned_send(session);
	if (r < 0)
		return r;
	session_schedule(session);
	if (session->update_again && !session->update_unsent)
		established_sent(session);
	return 0;
}

static int restore_session(struct room *room, const uint8_t *payload, size_t length)
{
	struct session *session;
	int r;

	r = saved_restore(room, payload, length, &session);
	if (r < 0)
		return r;
	r = announce(session);
	if (r < 0)
		session_free(session);
	return r;
}

struct reading {
	struct room *room;
	uint32_t sessions;
};

static void take(void *arg, uint16_t type, const uint8_t *payload, size_t length)
{
	struct reading *reading = arg;
	const char *name = "session";
	int r = 0;

	if (type == STATE_SESSION) {
		r = restore_session(reading->room, payload, length);
		reading->sessions += r == 0;
	} else {
		size_t i = 0;

		while (i < sizeof(restorers) / sizeof(restorers[0]) && restorers[i].type != type)
			i++;
		if (i == sizeof(restorers) / sizeof(restorers[0])) {
			log_message(LOG_INFO, "a predecessor left something of unknown kind %u",
				    type);
			return;
		}
		name = restorers[i].name;
		r = restorers[i].restore(reading->room, payload, length);
	}
	if (r < 0)
		log_message(LOG_WARNING, "a predecessor's %s cannot be taken over: %s", name,
			    strerror(-r));
}

uint32_t succession_read(struct room *room, const uint8_t *data, size_t length)
{
	struct reading reading = { .room = room };
	const char *why;

	if (state_read(data, length, take, &reading, &why) < 0)
		log_message(LOG_WARNING, "what a predecessor left cannot be used: %s", why);
	return reading.sessions;
}

static uint32_t read_memory(struct room *room, int fd)
{
	uint32_t sessions = 0;
	uint8_t *data;
	size_t length;
	int r;

	r = memory_load(fd, sizeof(struct state_header) + STATE_MAX_LENGTH, &data, &length);
	if (r < 0) {
		log_message(LOG_ERR, "cannot read what a predecessor left: %s", strerror(-r));
	} else {
		sessions = succession_read(room, data, length);
		memory_unload(data, length);
	}
	memory_wipe(fd);
	close(fd);
	return sessions;
}

static int finish(struct succession *succession)
{
	uint32_t sessions = 0;

	for (size_t i = 0; i < succession->count; i++)
		sessions += read_memory(succession->room, succession->predecessors[i]);
	succession->count = 0;
	log_message(LOG_DEBUG, "%u sessions of predecessors are taken over", sessions);
	sessions = htole32(sessions);
	return channel_send(succession->room->agent, CHANNEL_RESTORED, 0, false, &sessions,
			    sizeof(sessions));
}

static bool is_written(const struct succession *succession)
{
	bool written = false;

	for (size_t i = 0; i < succession->count; i++)
		written |= memory_is_written(succession->predecessors[i]);
	return written;
}

static bool wait_more(struct succession *succession)
{
	static const struct timeval look = { .tv_usec = LOOK_MS * 1000 };

	if (!is_written(succession))
		return false;
	succession->waited += LOOK_MS;
	return succession->waited <= SUCCESSION_WAIT_MS && event_add(succession->timer, &look) == 0;
}

static void handle_timer(evutil_socket_t fd, short what, void *arg)
{
	struct succession *succession = arg;

	if (wait_more(succession))
		return;
	/* -EPIPE: the agent is gone, and nobody is left to be told */
	if (finish(succession) < 0)
		log_message(LOG_ERR, "cannot tell the agent that everything is taken over");
}

int succession_restore(struct room *room)
{
	struct succession *succession = room->succession;

	if (!succession || (succession->timer && evtimer_pending(succession->timer, NULL)))
		return -EPROTO;
	if (!succession->timer)
		succession->timer = evtimer_new(room->base, handle_timer, succession);
	succession->waited = 0;
	if (succession->timer && wait_more(succession))
		return 0;
	return finish(succession);
}

void succession_save(struct room *room)
{
	struct succession *succession = room->succession;
	struct state_writer *writer;
	int r;

	if (!succession || succession->own < 0)
		return;
	r = state_writer_new(succession->own, &writer);
	if (r == 0) {
		for (size_t i = 0; i < sizeof(savers) / sizeof(savers[0]); i++)
			savers[i](room, writer);
		r = state_writer_finish(writer);
	}
	if (r < 0)
		log_message(LOG_ERR, "cannot leave anything to a successor: %s", strerror(-r));
}
