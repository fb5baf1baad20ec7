/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened to this agent's sessions since it was started: sums for metrics, and the
 * last failures for those whom they concern.
 */
#ifndef TLSHD_AGENT_COUNTERS_H
#define TLSHD_AGENT_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct counters;

struct counters *counters_new(void);
void counters_free(struct counters *counters);

/* A handshake in @role (TLS_HANDOFF_CLIENT, _SERVER) succeeded after @usec microseconds. */
void counters_done(struct counters *counters, uint32_t role, bool resumed, uint64_t usec);

/* A session failed with @status, a positive errno. */
struct counters_failure {
	uint64_t id;
	uint32_t role, uid;
	int status;
	bool established; /* so it was no handshake any more */
	const char *words;
};

void counters_failed(struct counters *counters, const struct counters_failure *failure);

/* Alert @description; a number that no alert has is counted as "unknown". */
void counters_alert_sent(struct counters *counters, int description);
void counters_alert_received(struct counters *counters, int description);

/* Handshakes so far */
uint64_t counters_handshakes(const struct counters *counters);
uint64_t counters_failures(const struct counters *counters);

/* Lines "Name value", of printable ASCII.  The failures are those of @uid, or all of them for
 * root: "Error SECONDS ID ROLE UID handshake|connection ERRNO WORDS", the last one first. */
void counters_write(const struct counters *counters, FILE *lines);
void counters_write_failures(const struct counters *counters, uid_t uid, FILE *lines);

/* @text with all that is not printable ASCII as \xNN */
void counters_put_text(FILE *lines, const char *text);

/* "client", "server" */
const char *counters_role(uint32_t role);

#endif /* TLSHD_AGENT_COUNTERS_H */
