// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lines of the requests "status" and "metrics".
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

#include "counters.h"
#include "overview.h"

/* Sessions of one kind: version and cipher are 0 in a handshake. */
struct tally {
	uint32_t role;
	uint16_t version, cipher;
	size_t count;
};

#define TALLIES 32 /* 2 roles, each with 2 versions of 4 ciphers, or none; what else there is */

struct tallies {
	struct tally tally[TALLIES];
	size_t used;
	size_t handshakes, established;
};

static void count_session(void *arg, const struct session *session)
{
	uint16_t version = session->established ? session->version : 0;
	uint16_t cipher = session->established ? session->cipher : 0;
	struct tallies *tallies = arg;
	size_t i;

	if (session->established)
		tallies->established++;
	else
		tallies->handshakes++;
	for (i = 0; i < tallies->used; i++) {
		struct tally *tally = &tallies->tally[i];

		if (tally->role == session->role && tally->version == version &&
		    tally->cipher == cipher)
			break;
	}
	if (i == TALLIES)
		return;
	if (i == tallies->used)
		tallies->tally[tallies->used++] = (struct tally){ session->role, version, cipher };
	tallies->tally[i].count++;
}

static void write_generation(const struct generation *generation, FILE *lines)
{
	struct generation_info info;

	generation_info(generation, &info);
	fprintf(lines, "Generation %u\nGenerationSince %lld\n", info.number, (long long)info.since);
	if (info.session)
		fprintf(lines, "SessionHandlerPid %d\n", info.session);
	if (info.keys)
		fprintf(lines, "KeyHolderPid %d\n", info.keys);
}

static void write_reloads(const struct overview *overview, uid_t uid, FILE *lines)
{
	fprintf(lines, "Reloads %u\nReloadsFailed %u\n", overview->reloads,
		overview->failed_reloads);
	if (!overview->last_reload)
		return;
	fprintf(lines, "LastReload %lld\nLastReloadResult %s\n", (long long)overview->last_reload,
		*overview->mistake ? "failed" : "done");
	if (*overview->mistake && uid == 0) {
		fputs("LastReloadMistake ", lines);
		counters_put_text(lines, overview->mistake);
		fputc('\n', lines);
	}
}

/* Whose sessions they are: the reader may be in another one. */
static void write_namespace(FILE *lines)
{
	struct stat status;

	if (stat("/proc/self/ns/net", &status) == 0)
		fprintf(lines, "NetworkNamespace %ju\n", (uintmax_t)status.st_ino);
}

static bool is_usable(const struct overview *overview)
{
	return overview->current && generation_usable(overview->current);
}

void overview_status(const struct overview *overview, uid_t uid, FILE *lines)
{
	const struct counters *counters = sessions_counters(overview->sessions);
	struct tallies tallies = { 0 };

	sessions_each(overview->sessions, count_session, &tallies);
	fprintf(lines, "Version %s\nPid %d\nSince %lld\nRegistered %s\n", TLS_HANDOFF_VERSION,
		getpid(), (long long)overview->since, overview->registered ? "yes" : "no");
	write_namespace(lines);
	fprintf(lines, "Usable %s\n", is_usable(overview) ? "yes" : "no");
	if (!is_usable(overview) && *overview->reason) {
		fputs("Reason ", lines);
		counters_put_text(lines, overview->reason);
		fputc('\n', lines);
	}
	if (overview->current)
		write_generation(overview->current, lines);
	fprintf(lines, "Draining %s\n", overview->predecessor ? "yes" : "no");
	write_reloads(overview, uid, lines);
	fprintf(lines, "SessionsHandshake %zu\nSessionsEstablished %zu\n", tallies.handshakes,
		tallies.established);
	fprintf(lines, "HandshakesDone %" PRIu64 "\nHandshakesFailed %" PRIu64 "\n",
		counters_handshakes(counters), counters_failures(counters));
	counters_write_failures(counters, uid, lines);
}

void overview_metrics(const struct overview *overview, FILE *lines)
{
	struct tallies tallies = { 0 };
	size_t i;

	fprintf(lines, "Version %s\nSince %lld\nRegistered %d\nUsable %d\n", TLS_HANDOFF_VERSION,
		(long long)overview->since, overview->registered, is_usable(overview));
	fprintf(lines, "Reloads done %u\nReloads failed %u\n", overview->reloads,
		overview->failed_reloads);
	sessions_each(overview->sessions, count_session, &tallies);
	for (i = 0; i < tallies.used; i++)
		fprintf(lines, "Sessions %s %u %u %zu\n", counters_role(tallies.tally[i].role),
			tallies.tally[i].version, tallies.tally[i].cipher, tallies.tally[i].count);
	counters_write(sessions_counters(overview->sessions), lines);
}
