// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff metrics: what is counted, as OpenMetrics text 1.0.  No label has more values
 * than this program knows: no peers, no users.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "about.h"
#include "command.h"
#include "names.h"

#define MAX_WORDS 32 /* of one line */

/* A counter or gauge of its own, or one sample of a family of those */
struct family {
	const char *source; /* the name of the kernel's counter, or of tlshd's line */
	const char *name;
	const char *labels; /* with their braces */
	const char *help;   /* NULL: another sample of the family before */
};

static const struct family kernel_gauges[] = {
	{ "HandoffCurrSockets", "tls_handoff_sockets", "", "Sockets that were taken over." },
	{ "HandoffCurrPending", "tls_handoff_pending_handshakes", "", "Handshakes that run." },
	{ "HandoffCurrEstablished", "tls_handoff_established_sessions", "",
	  "Sessions that are established." },
	{ "HandoffCurrSessionFds", "tls_handoff_session_fds", "",
	  "Session descriptors that agents hold." },
	{}
};

static const struct family kernel_counters[] = {
	{ "HandoffStarted", "tls_handoff_started", "", "Handshakes that programs started." },
	{ "HandoffEstablished", "tls_handoff_established", "", "Handshakes that succeeded." },
	{ "HandoffFailed", "tls_handoff_failed", "",
	  "Connections that failed, in the handshake or later." },
	{ "HandoffTimedOut", "tls_handoff_timed_out", "", "Handshakes that took too long." },
	{ "HandoffNoAgent", "tls_handoff_no_agent", "", "Handshakes that found no tlshd." },
	{ "HandoffAgentLost", "tls_handoff_agent_lost", "", "Handshakes whose tlshd ended." },
	{ "HandoffRecordsDiverted", "tls_handoff_records_diverted", "",
	  "Received records that are not data." },
	{ "HandoffCloseSent", "tls_handoff_close_notify", "{direction=\"sent\"}",
	  "Alerts close_notify that the kernel sent or received." },
	{ "HandoffCloseReceived", "tls_handoff_close_notify", "{direction=\"received\"}", NULL },
	{ "HandoffAlertsReceived", "tls_handoff_fatal_alerts", "",
	  "Other alerts that ended a connection." },
	{ "HandoffRecordErrors", "tls_handoff_record_errors", "",
	  "Records that were malformed or not authentic." },
	{ "HandoffTruncated", "tls_handoff_truncations", "",
	  "Connections that ended without close_notify." },
	{ "HandoffTxRekeys", "tls_handoff_key_updates", "{direction=\"sent\"}",
	  "Keys that were changed in established sessions." },
	{ "HandoffRxRekeys", "tls_handoff_key_updates", "{direction=\"received\"}", NULL },
	{ "HandoffAcceptDropped", "tls_handoff_accept_dropped", "",
	  "Connections of listeners that failed before accept() could return them." },
	{ "HandoffHandlerTimeouts", "tls_handoff_handler_timeouts", "",
	  "Connections that waited too long for the session handler." },
	{}
};

static const struct family handler_gauges[] = {
	{ "TicketKeys", "tls_handoff_ticket_keys", "", "Ticket keys that are alive." },
	{ "TicketsKept", "tls_handoff_tickets_kept", "", "Tickets that can be used as client." },
	{ "SessionsAwaiting", "tls_handoff_sessions_awaiting", "",
	  "Client sessions that still wait for tickets." },
	{}
};

static const struct family handler_counters[] = {
	{ "TicketsIssued", "tls_handoff_tickets_issued", "", "Tickets sent as server." },
	{ "ResumedAsServer", "tls_handoff_resumptions", "{role=\"server\"}",
	  "Handshakes that resumed a session." },
	{ "ResumedAsClient", "tls_handoff_resumptions", "{role=\"client\"}", NULL },
	{ "RefusedUnknownKey", "tls_handoff_tickets_refused", "{reason=\"unknown_key\"}",
	  "Tickets that were offered in vain." },
	{ "RefusedExpired", "tls_handoff_tickets_refused", "{reason=\"expired\"}", NULL },
	{ "RefusedPolicy", "tls_handoff_tickets_refused", "{reason=\"policy\"}", NULL },
	{ "RefusedVerification", "tls_handoff_tickets_refused", "{reason=\"verification\"}", NULL },
	{ "RefusedByPeer", "tls_handoff_tickets_refused", "{reason=\"by_peer\"}", NULL },
	{ "TicketsReceived", "tls_handoff_tickets_received", "", "Tickets received as client." },
	{ "TicketsStored", "tls_handoff_tickets_stored", "", "Of them, those that were kept." },
	{ "TicketsEvicted", "tls_handoff_tickets_evicted", "",
	  "Of them, dropped for want of room." },
	{ "TicketsExpired", "tls_handoff_tickets_expired", "", "Of them, too old before any use." },
	{ "TicketsOffered", "tls_handoff_tickets_offered", "",
	  "Of them, those offered to a server." },
	{ "Signatures", "tls_handoff_signatures", "{result=\"done\"}",
	  "Signatures that the key holder was asked for." },
	{ "SignaturesFailed", "tls_handoff_signatures", "{result=\"failed\"}", NULL },
	{}
};

static void help(void)
{
	puts("usage: tls-handoff metrics\n"
	     "\n"
	     "What module, tlshd and session handler count, as OpenMetrics text 1.0, for\n"
	     "everybody. Without tlshd only what the module counts is printed.\n"
	     "\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 all is there, 1 I/O error, 2 usage, 4 no tlshd or no module");
}

static void begin(const char *name, const char *type, const char *unit, const char *text)
{
	printf("# TYPE %s %s\n", name, type);
	if (unit)
		printf("# UNIT %s %s\n", name, unit);
	printf("# HELP %s %s\n", name, text);
}

static void print_families(const struct family *family, const char *type, const char *suffix,
			   uint64_t (*value)(const struct about *about, const char *source),
			   const struct about *about)
{
	for (; family->source; family++) {
		if (family->help)
			begin(family->name, type, NULL, family->help);
		printf("%s%s%s %" PRIu64 "\n", family->name, suffix, family->labels,
		       value(about, family->source));
	}
}

static uint64_t handler_value(const struct about *about, const char *source)
{
	return about_number(&about->handler, source);
}

/* The words of @line, which is cut up; their number, those that are missing are "". */
static int cut(char *line, const char *words[MAX_WORDS])
{
	int count = 0;
	char *rest;

	for (int i = 0; i < MAX_WORDS; i++)
		words[i] = "";
	for (char *word = strtok_r(line, " ", &rest); word && count < MAX_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

static uint64_t number(const char *word)
{
	return strtoull(word, NULL, 10);
}

/* Only what this program can have made itself goes into a label. */
static bool is_label(const char *word)
{
	return *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789_.-")];
}

/* Runs @print for the words of each of tlshd's lines of that name. */
static void each_line(const struct about *about, const char *name,
		      void (*print)(const struct about *about, const char *const *words, int count))
{
	for (int i = 0; i < about->tlshd.count; i++) {
		char value[CONTROL_MAX_VALUE + 1];
		const char *words[MAX_WORDS];
		int count;

		if (strcmp(about->tlshd.line[i].name, name) != 0)
			continue;
		snprintf(value, sizeof(value), "%s", about->tlshd.line[i].value);
		count = cut(value, words);
		if (is_label(words[0]))
			print(about, words, count);
	}
}

static void print_done(const struct about *about, const char *const *words, int count)
{
	if (is_label(words[1]))
		printf("tls_handoff_handshakes_total{role=\"%s\",result=\"%s\"} %" PRIu64 "\n",
		       words[0], words[1], number(words[2]));
}

static void print_failed(const char *name, const char *const *words)
{
	if (is_label(words[1]))
		printf("%s_total{role=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name, words[0],
		       words[1], number(words[2]));
}

static void print_failed_handshake(const struct about *about, const char *const *words, int count)
{
	print_failed("tls_handoff_handshake_failures", words);
}

static void print_failed_connection(const struct about *about, const char *const *words, int count)
{
	print_failed("tls_handoff_connection_failures", words);
}

/* Microseconds as seconds, in the canonical form of numbers: "0.0025", "1.0" */
static const char *seconds(uint64_t usec, char buffer[32])
{
	size_t length;

	snprintf(buffer, 32, "%" PRIu64 ".%06" PRIu64, usec / 1000000, usec % 1000000);
	length = strlen(buffer);
	while (buffer[length - 1] == '0' && buffer[length - 2] != '.')
		buffer[--length] = '\0';
	return buffer;
}

/* "ROLE KIND", a number for each bound and one above them, and the sum in microseconds */
static void print_duration(const struct about *about, const char *const *words, int count)
{
	static const char name[] = "tls_handoff_handshake_duration_seconds";
	char bounds[CONTROL_MAX_VALUE + 1], buffer[32];
	const char *bound[MAX_WORDS];
	uint64_t sum = 0;
	int bound_count;

	snprintf(bounds, sizeof(bounds), "%s", about_value(&about->tlshd, "DurationBounds"));
	bound_count = cut(bounds, bound);
	if (!is_label(words[1]) || count != bound_count + 4)
		return;
	for (int i = 0; i <= bound_count; i++) {
		sum += number(words[2 + i]);
		printf("%s_bucket{role=\"%s\",kind=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, words[0],
		       words[1], i < bound_count ? seconds(number(bound[i]), buffer) : "+Inf", sum);
	}
	printf("%s_count{role=\"%s\",kind=\"%s\"} %" PRIu64 "\n", name, words[0], words[1], sum);
	printf("%s_sum{role=\"%s\",kind=\"%s\"} %s\n", name, words[0], words[1],
	       seconds(number(words[count - 1]), buffer));
}

static void print_session(const struct about *about, const char *const *words, int count)
{
	__u16 version = (__u16)number(words[1]), cipher = (__u16)number(words[2]);

	printf("tls_handoff_sessions{role=\"%s\",state=\"%s\",version=\"%s\",cipher=\"%s\"} %" PRIu64
	       "\n",
	       words[0], version ? "established" : "handshake", version_name(version),
	       cipher_name(cipher), number(words[3]));
}

static void print_sent(const struct about *about, const char *const *words, int count)
{
	printf("tls_handoff_alerts_total{direction=\"sent\",alert=\"%s\"} %" PRIu64 "\n", words[0],
	       number(words[1]));
}

static void print_received(const struct about *about, const char *const *words, int count)
{
	printf("tls_handoff_alerts_total{direction=\"received\",alert=\"%s\"} %" PRIu64 "\n",
	       words[0], number(words[1]));
}

static void print_reloads(const struct about *about, const char *const *words, int count)
{
	printf("tls_handoff_reloads_total{result=\"%s\"} %" PRIu64 "\n", words[0],
	       number(words[1]));
}

static void print_tlshd(const struct about *about)
{
	char buffer[32];

	begin("tls_handoff_start_time_seconds", "gauge", "seconds",
	      "When tlshd was started, since the epoch.");
	printf("tls_handoff_start_time_seconds %s\n",
	       seconds(about_number(&about->tlshd, "Since") * 1000000, buffer));
	begin("tls_handoff_sessions", "gauge", NULL, "Sessions that tlshd serves.");
	each_line(about, "Sessions", print_session);
	begin("tls_handoff_handshakes", "counter", NULL,
	      "Handshakes that succeeded since tlshd was started.");
	each_line(about, "HandshakesDone", print_done);
	begin("tls_handoff_handshake_failures", "counter", NULL,
	      "Handshakes that failed since then, by the errno that the program got.");
	each_line(about, "HandshakesFailed", print_failed_handshake);
	begin("tls_handoff_connection_failures", "counter", NULL,
	      "Established sessions that tlshd ended since then, by errno.");
	each_line(about, "ConnectionsFailed", print_failed_connection);
	begin("tls_handoff_handshake_duration_seconds", "histogram", "seconds",
	      "How long successful handshakes took in tlshd.");
	each_line(about, "HandshakeDurations", print_duration);
	begin("tls_handoff_alerts", "counter", NULL,
	      "Alerts that passed tlshd since then; close_notify is sent by the kernel.");
	each_line(about, "AlertsSent", print_sent);
	each_line(about, "AlertsReceived", print_received);
	begin("tls_handoff_reloads", "counter", NULL, "Reloads of the configuration since then.");
	each_line(about, "Reloads", print_reloads);
}

static void print_all(const struct about *about)
{
	bool up = !about->error && about_number(&about->tlshd, "Registered") &&
		  about_number(&about->tlshd, "Usable");

	begin("tls_handoff_up", "gauge", NULL, "Whether tlshd is there and takes handshakes.");
	printf("tls_handoff_up %d\n", up);
	begin("tls_handoff_build", "info", NULL, "The version of tlshd.");
	if (is_label(about_value(&about->tlshd, "Version")))
		printf("tls_handoff_build_info{version=\"%s\"} 1\n",
		       about_value(&about->tlshd, "Version"));
	print_families(kernel_gauges, "gauge", "", about_counter, about);
	begin("tls_handoff_max_pending_handshakes", "gauge", NULL,
	      "The limits net.tls_handoff.max_pending and max_pending_per_user.");
	printf("tls_handoff_max_pending_handshakes{of=\"namespace\"} %" PRIu64 "\n"
	       "tls_handoff_max_pending_handshakes{of=\"user\"} %" PRIu64 "\n",
	       about->max_pending, about->max_pending_per_user);
	print_families(kernel_counters, "counter", "_total", about_counter, about);
	if (!about->error)
		print_tlshd(about);
	if (about->handler.count) {
		print_families(handler_gauges, "gauge", "", handler_value, about);
		print_families(handler_counters, "counter", "_total", handler_value, about);
	}
	puts("# EOF");
}

int metrics_command(int argc, char **argv)
{
	struct about *about;
	int status;

	if (command_parse(argc, argv, help, NULL, NULL, &status) <= 0)
		return status;
	about = about_new("metrics");
	if (!about)
		return command_kernel_failed("metrics", -ENOMEM);
	if (about->module)
		print_all(about);
	status = fflush(stdout) ? EXIT_IO : about_missing(about, "metrics");
	about_free(about);
	return status;
}
