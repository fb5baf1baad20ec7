/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's sessions: one for each handshake that was accepted, until the
 * program closes its socket.  session.c is their life, relay.c moves what is
 * sent between session fd and session handler, report.c writes the log lines.
 */
#ifndef TLSHD_AGENT_SESSION_H
#define TLSHD_AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <event2/event.h>

#include "channel.h"
#include "netlink.h"

struct counters;
struct ratelimit;
struct sessions;

/* A session handler as its sessions see it; part of a generation */
struct handler {
	unsigned int number;		       /* of the generation, for log lines */
	struct channel *channel;	       /* NULL: it is dead */
	size_t sessions;		       /* that it still knows */
	size_t handshakes;		       /* of them, that are not established */
	bool parked;			       /* nothing is read for its sessions any more */
	void (*idle)(struct handler *handler); /* the last handshake is over */
};

/* A message of the session handler that waits until the session fd takes what is before it */
struct item {
	STAILQ_ENTRY(item) entry;
	uint16_t type; /* enum channel_type */
	size_t offset; /* BYTES: what was written already */
	size_t length;
	uint8_t payload[];
};

STAILQ_HEAD(items, item);

struct session {
	uint64_t id;
	int fd;
	struct sessions *all;
	struct handler *handler;   /* NULL: dead, or it ended the session */
	enum channel_state state;  /* as the session handler counts: DONE may still be in items */
	bool established;	   /* the kernel knows */
	bool ended;		   /* memory is freed when the event is over */
	bool parked;		   /* its handler is being replaced: nothing is read */
	bool sending_closed;	   /* by the program: new keys have no use */
	bool returned;		   /* what its handler says now can no longer be sent in order */
	bool has_tx, has_rx;	   /* keys came, in the handshake */
	int write_error;	   /* the wire takes nothing more; what it said is still read */
	uint32_t want;		   /* bytes the session handler asked for and did not get */
	uint32_t events;	   /* epoll's mask now */
	bool polled;		   /* in the epoll set */
	bool alert_due;		   /* a record failed: the kernel waits for the handler's alert */
	bool over;		   /* the kernel has no more records, and that wait is on */
	bool late;		   /* what waits behind a sender is tried once more, then dropped */
	bool alert_lost;	   /* that happened to an alert */
	struct event *alert_timer; /* ends either wait; NULL: none */
	struct items items;
	size_t queued; /* bytes of payloads in items */
	SLIST_ENTRY(session) dead;
	/* For log lines and resumption */
	uint64_t accepted; /* microseconds, CLOCK_MONOTONIC */
	uint32_t timeout;  /* milliseconds */
	uint32_t role;
	uint32_t uid;
	uint16_t version, cipher;  /* once established */
	struct consumer *consumer; /* of the kernel; NULL: a program */
	char *profile;
	char *peer_name; /* escaped; NULL: not set */
	char remote[80]; /* address and port */
};

int sessions_new(struct event_base *base, struct netlink *netlink, struct sessions **ret_sessions);
void sessions_free(struct sessions *sessions);
size_t sessions_count(const struct sessions *sessions);
void sessions_each(const struct sessions *sessions,
		   void (*each)(void *arg, const struct session *session), void *arg);
/* What happened to them, for status and metrics */
struct counters *sessions_counters(const struct sessions *sessions);
/* Whether their users may have one more line in the log */
struct ratelimit *sessions_ratelimit(const struct sessions *sessions);

/* Starts the session that @handshake asks for; takes its fd.  A failure is told to the
 * kernel and logged here. */
void sessions_open(struct sessions *sessions, struct handler *handler, struct handshake *handshake);
/* Ends a handshake that nobody began, with @status and words; logged, but not too often. */
void sessions_refuse(struct sessions *sessions, struct handshake *handshake, int status,
		     const char *words);
/* One message of the session handler, about a session.  Always 0: at worst that session ends. */
int sessions_message(struct sessions *sessions, struct handler *handler,
		     const struct channel_message *message);
/* @handler is dead: its handshakes fail with @words, its established sessions live on. */
void sessions_orphan(struct sessions *sessions, struct handler *handler, const char *words);

/* The succession: @handler's established sessions pass to another one.  Nothing is read from
 * their session fds from sessions_park() until they are bound again; what waits for a session
 * fd stays, unless sessions_return() gives it back because this process ends. */
void sessions_fail_handshakes(struct sessions *sessions, struct handler *handler, int status,
			      const char *words);
void sessions_park(struct sessions *sessions, struct handler *handler);
void sessions_return(struct sessions *sessions, struct handler *handler);
/* @handler is gone in order: its sessions stay parked, without one. */
void sessions_leave(struct sessions *sessions, struct handler *handler);
/* @handler has the state of the parked session @id.  0; -ENOENT: there is none. */
int sessions_bind(struct sessions *sessions, struct handler *handler, uint64_t id);
/* Nobody will come for those that are still parked without a handler. */
void sessions_abandon(struct sessions *sessions);
/* An established session whose fd ATTACH gave; takes @handshake's fd.  @handler NULL: an
 * orphan.  0 or -errno. */
int sessions_adopt(struct sessions *sessions, struct handler *handler, struct handshake *handshake);
bool sessions_has(const struct sessions *sessions, uint64_t id);

/* Ends @session: tells the kernel @result unless it is NULL (the kernel knows), and CLOSE with
 * @close_errno to the session handler if it still knows the session. */
void session_end(struct session *session, const struct handshake_result *result, int close_errno);
/* Tells whoever asked for the handshake @result.  0; -ENOENT: it gave up meanwhile; -errno. */
int session_done(struct session *session, const struct handshake_result *result)
	__attribute__((warn_unused_result));
/* The same for a failure found here: told to both sides, logged. */
void session_fail(struct session *session, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The kernel took DONE. */
void session_established(struct session *session);
/* The session handler forgot the session, or is dead. */
void session_detach(struct session *session);
/* What epoll shall tell of the session fd; EPOLLHUP and EPOLLERR always are unless @parked. */
void session_poll(struct session *session, uint32_t events, bool parked);
struct event_base *session_base(const struct session *session);
/* Microseconds, CLOCK_MONOTONIC */
uint64_t session_now(void);

/* relay.c */
void relay_message(struct session *session, const struct channel_message *message);
void relay_event(struct session *session, uint32_t events);
/* Goes on with a session that was parked. */
void relay_resume(struct session *session);

/* report.c: one line each, and counted */
void report_done(const struct session *session, const struct handshake_result *result);
void report_failure(const struct session *session, int status, const char *words);
/* Of a handshake that nobody began */
void report_refusal(const struct session *session, uint32_t pid, int status, const char *words);
void report_remote(const struct handshake *handshake, char *buffer, size_t size);

#endif /* TLSHD_AGENT_SESSION_H */
