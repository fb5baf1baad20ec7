/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: what users and administrators ask of a running agent, one request
 * and one answer for each connection.
 */
#ifndef TLSHD_AGENT_CONTROL_H
#define TLSHD_AGENT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct event_base;
struct control;
struct listing;

#define CONTROL_MAX_TEXT 16384 /* bytes of an answer's lines */

struct control_ops {
	/* Asks the session handlers (enum channel_tickets); control_counts() brings the answer
	 * with that number.  -errno: there is none to ask. */
	int (*tickets)(void *arg, uint32_t request, uint32_t action);
	/* Reads the configuration anew; control_reloaded() tells how it went. */
	void (*reload)(void *arg);
	/* Lines "Name value" about the agent, as @uid may see it. */
	void (*status)(void *arg, uid_t uid, FILE *lines);
	/* Lines "Name value", numbers that concern nobody in particular. */
	void (*metrics)(void *arg, FILE *lines);
	/* The sessions of @uid, or all of them.  0 or -errno. */
	int (*list)(void *arg, bool all, uid_t uid, struct listing **ret_listing);
};

/* 0, -EADDRINUSE: another tlshd has the socket, else -errno. */
int control_new(struct event_base *base, const struct control_ops *ops, void *arg,
		struct control **ret_control);
void control_free(struct control *control);

/* Lines of text from a session handler, which is not trusted. */
void control_counts(struct control *control, uint32_t request, const uint8_t *text, size_t length);
/* To all who asked: @error is the mistake, NULL if the new configuration is in use. */
void control_reloaded(struct control *control, const char *error);

#endif /* TLSHD_AGENT_CONTROL_H */
