// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The succession of session handlers.  The old one ends its handshakes, its sessions
 * are parked, it hears nothing more, says its last words and leaves its state; only
 * then does the new one take that over.  So nothing that the old one said is done
 * after the new one's first message, and what was not read from a session fd waits
 * there.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "restore.h"
#include "succession.h"

#define SUCCESSION_DRAIN_SECONDS   30	      /* for handshakes that run in the predecessor */
#define SUCCESSION_STOP_SECONDS	   4	      /* the same when this process ends */
#define SUCCESSION_RESTORE_SECONDS 30	      /* for RESTORED of all sessions */
#define SUCCESSION_BARRIER	   UINT32_MAX /* TICKETS' request number; nobody else uses it */

struct succession {
	struct netlink *netlink;
	struct sessions *sessions;
	struct statestore *store;
	void (*settled)(void *arg);
	void *arg;
	struct generation *current;
	struct generation *predecessor;
	struct restore *restore; /* sessions that an agent before this one had */
	bool surveyed;		 /* that was looked for */
	bool restoring;		 /* current was sent RESTORE */
	size_t restored;	 /* sessions so far */
	bool stopping;
	bool late;	    /* the time for handshakes is over */
	bool unsettled;	    /* settled() is due */
	struct event *step; /* looks what is to be done next */
	struct event *deadline;
};

struct generation *succession_current(const struct succession *succession)
{
	return succession->current;
}

struct generation *succession_predecessor(const struct succession *succession)
{
	return succession->predecessor;
}

bool succession_busy(const struct succession *succession)
{
	return succession->predecessor || succession->restoring ||
	       (succession->current && statestore_has_left(succession->store));
}

static void look(struct succession *succession)
{
	event_active(succession->step, EV_TIMEOUT, 1);
}

static void set_deadline(struct succession *succession, int seconds)
{
	const struct timeval time = { seconds, 0 };

	if (evtimer_add(succession->deadline, &time))
		log_message(LOG_ERR, "out of memory for a timer");
}

static bool drained(const struct succession *succession, struct generation *generation)
{
	return succession->late || !generation_handler(generation)->handshakes;
}

/* From here on nothing is read for its sessions. */
static void park(struct succession *succession, struct generation *generation)
{
	struct handler *handler = generation_handler(generation);

	sessions_fail_handshakes(
		succession->sessions, handler, ECONNRESET,
		"tlshd-session is being replaced, and the handshake took too long");
	sessions_park(succession->sessions, handler);
}

/* The predecessor has nothing to do any more. */
static void hand_over(struct succession *succession)
{
	struct generation *predecessor = succession->predecessor;

	if (!succession->current || !predecessor || generation_finishing(predecessor) ||
	    !generation_alive(succession->current) || !drained(succession, predecessor))
		return;
	evtimer_del(succession->deadline);
	succession->late = false;
	park(succession, predecessor);
	/* What waits for a session fd stays here: the next one's records come behind it. */
	generation_finish(predecessor);
}

static void restore_end(struct succession *succession)
{
	succession->restoring = false;
	evtimer_del(succession->deadline);
	if (succession->restore)
		restore_rest(succession->restore);
	restore_free(succession->restore);
	succession->restore = NULL;
	sessions_abandon(succession->sessions);
	statestore_drop_left(succession->store);
	if (succession->restored)
		log_message(LOG_NOTICE, "%zu sessions have a new session handler, generation %u",
			    succession->restored, generation_handler(succession->current)->number);
	look(succession);
}

/* The current one takes over what is left. */
static void take_over(struct succession *succession)
{
	struct handler *handler;
	int ret;

	if (!succession->current || succession->predecessor || succession->restoring ||
	    succession->stopping || !generation_alive(succession->current))
		return;
	if (!succession->surveyed) {
		succession->surveyed = true;
		ret = restore_new(succession->netlink, succession->sessions, &succession->restore);
		if (ret < 0)
			log_message(LOG_ERR, "cannot ask the kernel for its sessions: %s",
				    strerror(-ret));
	} else if (!statestore_has_left(succession->store)) {
		return;
	}
	succession->restored = 0;
	handler = generation_handler(succession->current);
	ret = statestore_has_left(succession->store) ?
		      channel_send(handler->channel, CHANNEL_RESTORE, 0, false, NULL, 0) :
		      -ENOENT;
	if (ret < 0) {
		restore_end(succession);
		return;
	}
	succession->restoring = true;
	set_deadline(succession, SUCCESSION_RESTORE_SECONDS);
}

/* Of an ending agent: what waits for a session fd goes back, then the channel ends. */
static void let_finish(struct succession *succession, struct generation *generation)
{
	if (generation_finishing(generation))
		return;
	sessions_return(succession->sessions, generation_handler(generation));
	generation_finish(generation);
}

static void stop_one(struct succession *succession, struct generation *generation)
{
	uint32_t request[2] = { htole32(SUCCESSION_BARRIER), htole32(CHANNEL_TICKETS_SHOW) };
	struct handler *handler;

	if (!generation || generation_finishing(generation) || !drained(succession, generation))
		return;
	handler = generation_handler(generation);
	if (!handler->parked) {
		park(succession, generation);
		/*
		 * What it has not answered yet may become a record that waits: only behind that
		 * can all of them go back.  The answer to this comes behind the others.
		 */
		if (!succession->late && channel_send(handler->channel, CHANNEL_TICKETS, 0, true,
						      request, sizeof(request)) == 0)
			return;
	}
	if (succession->late || !generation_alive(generation))
		let_finish(succession, generation);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct succession *succession = arg;

	if (succession->stopping) {
		stop_one(succession, succession->predecessor);
		stop_one(succession, succession->current);
	} else {
		hand_over(succession);
		take_over(succession);
	}
	if (!succession->unsettled)
		return;
	if (succession->stopping ? succession->current || succession->predecessor :
				   succession_busy(succession))
		return;
	succession->unsettled = false;
	succession->settled(succession->arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct succession *succession = arg;

	if (succession->restoring && !succession->stopping) {
		log_message(LOG_ERR,
			    "tlshd-session did not take over its predecessor's sessions "
			    "within %d seconds",
			    SUCCESSION_RESTORE_SECONDS);
		restore_end(succession);
	}
	succession->late = true;
	look(succession);
}

void succession_follow(struct succession *succession, struct generation *next)
{
	int state = generation_take_state(next);

	if (state >= 0)
		statestore_add(succession->store, generation_handler(next)->number, state);
	if (succession->current) {
		succession->predecessor = succession->current;
		succession->late = false;
		set_deadline(succession, SUCCESSION_DRAIN_SECONDS);
	}
	succession->current = next;
	succession->unsettled = true;
	look(succession);
}

/* It ended without a state that could be used. */
static void died(struct succession *succession, struct handler *handler, const char *words)
{
	sessions_orphan(succession->sessions, handler, words);
	statestore_drop(succession->store, handler->number);
}

void succession_ended(struct succession *succession, struct generation *generation,
		      enum generation_end how, const char *words)
{
	struct handler *handler = generation_handler(generation);

	if (how == GENERATION_FINISHED && statestore_left(succession->store, handler->number)) {
		sessions_leave(succession->sessions, handler);
	} else {
		if (generation == succession->predecessor)
			log_message(LOG_ERR, "generation %u: %s", handler->number, words);
		died(succession, handler, words);
	}
	if (generation == succession->predecessor)
		succession->predecessor = NULL;
	if (generation == succession->current) {
		succession->current = NULL;
		/* What it has not taken over is the next one's. */
		succession->restoring = false;
	}
	succession->unsettled = true;
	look(succession);
}

void succession_idle(struct succession *succession, struct generation *generation)
{
	look(succession);
}

/* Sessions that it names and that are not there, or not its own, are to be forgotten. */
static void on_restored(struct succession *succession, struct handler *handler,
			const struct channel_message *message)
{
	const struct channel_restored *restored = (const void *)message->payload;
	uint32_t error;
	int ret = -ENOENT;

	if (succession->restoring && handler == generation_handler(succession->current) &&
	    message->length == sizeof(*restored)) {
		ret = sessions_bind(succession->sessions, handler, message->session);
		if (ret == -ENOENT && succession->restore)
			ret = restore_session(succession->restore, handler, message->session,
					      restored);
	}
	if (ret == 0) {
		succession->restored++;
		return;
	}
	log_message(LOG_DEBUG, "session %" PRIu64 " is not restored: %s", message->session,
		    strerror(-ret));
	error = htole32(-ret);
	(void)!channel_send(handler->channel, CHANNEL_CLOSE, message->session, false, &error,
			    sizeof(error));
}

bool succession_message(struct succession *succession, struct generation *generation,
			const struct channel_message *message)
{
	uint32_t request = 0;

	if (message->type == CHANNEL_RESTORED && message->session) {
		on_restored(succession, generation_handler(generation), message);
		return true;
	}
	if (message->type == CHANNEL_RESTORED) {
		if (succession->restoring && generation == succession->current)
			restore_end(succession);
		return true;
	}
	if (message->type != CHANNEL_COUNTS || message->length < sizeof(request))
		return false;
	memcpy(&request, message->payload, sizeof(request));
	if (le32toh(request) != SUCCESSION_BARRIER)
		return false;
	if (succession->stopping && generation_handler(generation)->parked)
		let_finish(succession, generation);
	return true;
}

void succession_stop(struct succession *succession)
{
	succession->stopping = true;
	succession->late = false;
	succession->unsettled = true;
	set_deadline(succession, SUCCESSION_STOP_SECONDS);
	look(succession);
}

int succession_new(struct event_base *base, struct netlink *netlink, struct sessions *sessions,
		   struct statestore *store, void (*settled)(void *arg), void *arg,
		   struct succession **ret_succession)
{
	struct succession *succession = calloc(1, sizeof(*succession));

	if (!succession)
		return -ENOMEM;
	succession->netlink = netlink;
	succession->sessions = sessions;
	succession->store = store;
	succession->settled = settled;
	succession->arg = arg;
	succession->step = event_new(base, -1, 0, on_step, succession);
	succession->deadline = evtimer_new(base, on_deadline, succession);
	if (!succession->step || !succession->deadline) {
		succession_free(succession);
		return -ENOMEM;
	}
	*ret_succession = succession;
	return 0;
}

void succession_free(struct succession *succession)
{
	if (!succession)
		return;
	if (succession->step)
		event_free(succession->step);
	if (succession->deadline)
		event_free(succession->deadline);
	restore_free(succession->restore);
	free(succession);
}
