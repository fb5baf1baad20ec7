// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sums and the last failures.  Every one of them has few names, whatever peers and programs
 * do: what has no name of its own here is counted as "other" or "unknown".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/tls_handoff.h>

#include "alert.h"
#include "counters.h"

#define COUNTERS_ALERTS	  256 /* descriptions are one byte; the last one is for all without name */
#define COUNTERS_FAILURES 16  /* that are remembered */
#define COUNTERS_SHOWN	  5   /* of them */

enum { CLIENT, SERVER, ROLES };

static const char *const roles[ROLES] = { "client", "server" };

/* Microseconds; a handshake takes as many as one of them, or less */
static const uint64_t bounds[] = { 1000,   2500,   5000,    10000,   25000,   50000,   100000,
				   250000, 500000, 1000000, 2500000, 5000000, 10000000 };

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static const struct reason {
	int status; /* the last one is for all others */
	const char *name;
} reasons[] = {
	{ EACCES, "EACCES" },
	{ ENOENT, "ENOENT" },
	{ ESRCH, "ESRCH" },
	{ ENOBUFS, "ENOBUFS" },
	{ EKEYREJECTED, "EKEYREJECTED" },
	{ EKEYEXPIRED, "EKEYEXPIRED" },
	{ EPROTO, "EPROTO" },
	{ ECONNRESET, "ECONNRESET" },
	{ ETIMEDOUT, "ETIMEDOUT" },
	{ 0, "other" },
};

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

struct remembered {
	time_t when;
	uint64_t id;
	uint32_t role, uid;
	int status;
	bool established;
	char words[TLS_HANDOFF_MAX_ERROR + 1];
};

struct counters {
	uint64_t done[ROLES][2]; /* full, resumed */
	uint64_t durations[ROLES][2][BOUNDS + 1];
	uint64_t usec[ROLES][2];
	uint64_t failed[ROLES][2][REASONS]; /* handshake, connection */
	uint64_t sent[COUNTERS_ALERTS], received[COUNTERS_ALERTS];
	struct remembered failures[COUNTERS_FAILURES]; /* a ring */
	size_t failure_count;
};

struct counters *counters_new(void)
{
	return calloc(1, sizeof(struct counters));
}

void counters_free(struct counters *counters)
{
	free(counters);
}

static int role_index(uint32_t role)
{
	return role == TLS_HANDOFF_SERVER ? SERVER : CLIENT;
}

const char *counters_role(uint32_t role)
{
	return roles[role_index(role)];
}

void counters_done(struct counters *counters, uint32_t role, bool resumed, uint64_t usec)
{
	int i = role_index(role);
	size_t bucket = 0;

	while (bucket < BOUNDS && usec > bounds[bucket])
		bucket++;
	counters->done[i][resumed]++;
	counters->durations[i][resumed][bucket]++;
	counters->usec[i][resumed] += usec;
}

void counters_failed(struct counters *counters, const struct counters_failure *failure)
{
	struct remembered *place =
		&counters->failures[counters->failure_count++ % COUNTERS_FAILURES];
	size_t reason = 0;

	while (reasons[reason].status && reasons[reason].status != failure->status)
		reason++;
	counters->failed[role_index(failure->role)][failure->established][reason]++;
	place->when = time(NULL);
	place->id = failure->id;
	place->role = failure->role;
	place->uid = failure->uid;
	place->status = failure->status;
	place->established = failure->established;
	snprintf(place->words, sizeof(place->words), "%s", failure->words);
}

static int alert_index(int description)
{
	return alert_name(description) ? description : COUNTERS_ALERTS - 1;
}

void counters_alert_sent(struct counters *counters, int description)
{
	counters->sent[alert_index(description)]++;
}

void counters_alert_received(struct counters *counters, int description)
{
	counters->received[alert_index(description)]++;
}

uint64_t counters_handshakes(const struct counters *counters)
{
	return counters->done[CLIENT][0] + counters->done[CLIENT][1] + counters->done[SERVER][0] +
	       counters->done[SERVER][1];
}

uint64_t counters_failures(const struct counters *counters)
{
	uint64_t sum = 0;

	for (int role = 0; role < ROLES; role++)
		for (size_t reason = 0; reason < REASONS; reason++)
			sum += counters->failed[role][0][reason];
	return sum;
}

static void write_alerts(FILE *lines, const char *name, const uint64_t alerts[COUNTERS_ALERTS])
{
	for (int i = 0; i < COUNTERS_ALERTS; i++)
		if (alerts[i])
			fprintf(lines, "%s %s %" PRIu64 "\n", name,
				alert_name(i) ? alert_name(i) : "unknown", alerts[i]);
}

static void write_role(const struct counters *counters, int role, FILE *lines)
{
	static const char *const kinds[] = { "full", "resumed" };
	static const char *const failed[] = { "HandshakesFailed", "ConnectionsFailed" };

	for (int kind = 0; kind < 2; kind++) {
		fprintf(lines, "HandshakesDone %s %s %" PRIu64 "\n", roles[role], kinds[kind],
			counters->done[role][kind]);
		fprintf(lines, "HandshakeDurations %s %s", roles[role], kinds[kind]);
		for (size_t i = 0; i <= BOUNDS; i++)
			fprintf(lines, " %" PRIu64, counters->durations[role][kind][i]);
		fprintf(lines, " %" PRIu64 "\n", counters->usec[role][kind]);
		for (size_t i = 0; i < REASONS; i++)
			fprintf(lines, "%s %s %s %" PRIu64 "\n", failed[kind], roles[role],
				reasons[i].name, counters->failed[role][kind][i]);
	}
}

void counters_write(const struct counters *counters, FILE *lines)
{
	fputs("DurationBounds", lines);
	for (size_t i = 0; i < BOUNDS; i++)
		fprintf(lines, " %" PRIu64, bounds[i]);
	fputc('\n', lines);
	for (int role = 0; role < ROLES; role++)
		write_role(counters, role, lines);
	write_alerts(lines, "AlertsSent", counters->sent);
	write_alerts(lines, "AlertsReceived", counters->received);
}

void counters_put_text(FILE *lines, const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c < 0x7f)
			fputc(c, lines);
		else
			fprintf(lines, "\\x%02x", c);
	}
}

void counters_write_failures(const struct counters *counters, uid_t uid, FILE *lines)
{
	size_t count = counters->failure_count, shown = 0;

	for (size_t i = 1; i <= count && i <= COUNTERS_FAILURES && shown < COUNTERS_SHOWN; i++) {
		const struct remembered *failure =
			&counters->failures[(count - i) % COUNTERS_FAILURES];
		const char *name = strerrorname_np(failure->status);

		if (uid != 0 && failure->uid != uid)
			continue;
		shown++;
		fprintf(lines, "Error %lld %" PRIu64 " %s %u %s %s ", (long long)failure->when,
			failure->id, counters_role(failure->role), failure->uid,
			failure->established ? "connection" : "handshake", name ? name : "?");
		counters_put_text(lines, failure->words);
		fputc('\n', lines);
	}
}
