/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What status and metrics are made of: the kernel's counters and tlshd's lines.
 */
#ifndef TLS_HANDOFF_ABOUT_H
#define TLS_HANDOFF_ABOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"

#define ABOUT_MAX_COUNTERS 64
#define ABOUT_MAX_LINES	   256 /* of one answer; more are not looked at */

struct about_counter {
	char name[40];
	uint64_t value;
};

struct about_lines {
	struct {
		char name[CONTROL_MAX_NAME + 1];
		char value[CONTROL_MAX_VALUE + 1];
	} line[ABOUT_MAX_LINES];
	int count; /* 0: there is no answer */
};

struct about {
	bool module; /* is loaded */
	struct about_counter counters[ABOUT_MAX_COUNTERS];
	int counter_count;
	uint64_t max_pending, max_pending_per_user; /* sysctls; 0: not there */
	int error;				    /* 0, or why control_request() failed */
	struct control_answer answer;
	struct about_lines tlshd;   /* what it was asked */
	struct about_lines handler; /* the session handler's counters */
};

/* Collects it; @request is what tlshd is asked.  Nothing fails but memory: NULL then. */
struct about *about_new(const char *request);
void about_free(struct about *about);

/* The kernel's counter @name; 0 if there is none of that name. */
uint64_t about_counter(const struct about *about, const char *name);

/* The first value of that name, or "" */
const char *about_value(const struct about_lines *lines, const char *name);
uint64_t about_number(const struct about_lines *lines, const char *name);
/* Sum of the numbers whose names begin with @prefix */
uint64_t about_sum(const struct about_lines *lines, const char *prefix);

/* What is missing of module and tlshd is said on standard error, after @command.  The exit
 * status of that. */
int about_missing(const struct about *about, const char *command);

#endif /* TLS_HANDOFF_ABOUT_H */
