// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff status: the sessions of this machine, a table for people or JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "commands.h"
#include "control.h"
#include "info.h"
#include "names.h"
#include "sessions.h"

#define COUNTERS_TIMEOUT 1000 /* milliseconds: the sessions are what was asked for */

static void help(void)
{
	puts("usage: tls-handoff status [--json]\n"
	     "\n"
	     "Show the sessions of this network namespace. Needs CAP_NET_ADMIN. Root is told the\n"
	     "sums of tls-handoff tickets, too.\n"
	     "\n"
	     "      --json                    an array with an object for each session\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 done, 1 I/O error, 2 usage, 4 no tlshd or no module");
}

static void address(const struct sockaddr_storage *from, char buffer[ADDRESS_MAX])
{
	if (from->ss_family)
		address_words((const struct sockaddr *)from, buffer);
	else
		*buffer = '\0';
}

static void print_row(const struct session *session, void *data)
{
	char local[ADDRESS_MAX], remote[ADDRESS_MAX], protocol[40] = "-";
	char profile[4 * TLS_HANDOFF_MAX_PROFILE + 1];
	unsigned int *count = data;

	address(&session->local, local);
	address(&session->remote, remote);
	if (session->version)
		snprintf(protocol, sizeof(protocol), "%s %s", version_name(session->version),
			 cipher_name(session->cipher));
	if (!(*count)++)
		printf("%-6s %-6s %-11s %-21s %-21s %-21s %-7s %-12s %s\n", "ID", "ROLE", "STATE",
		       "PROTOCOL", "LOCAL", "REMOTE", "PID", "PROFILE", "PEER");
	printf("%-6" PRIu64 " %-6s %-11s %-21s %-21s %-21s %-7" PRIu32 " %-12s %s%s%s\n",
	       session->id, role_name(session->role), state_name(session->state), protocol, local,
	       remote, session->pid, escape(session->profile, profile, sizeof(profile)),
	       *session->peer_identity ? session->peer_identity : "-", *session->error ? ": " : "",
	       session->error);
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_escaped(struct json_object *o, const char *key, const char *value)
{
	char escaped[4 * TLS_HANDOFF_MAX_PEER_NAME + 1];

	add_string(o, key, escape(value, escaped, sizeof(escaped)));
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void add_alert(struct json_object *o, const char *key, int alert)
{
	json_object_object_add(o, key,
			       alert < 0 ? NULL : json_object_new_string(alert_words(alert)));
}

static void add_object(const struct session *session, void *data)
{
	struct json_object *o = json_object_new_object();
	char words[ADDRESS_MAX];

	add_number(o, "session_id", session->id);
	add_string(o, "role", role_name(session->role));
	add_string(o, "state", state_name(session->state));
	add_string(o, "version", version_name(session->version));
	add_string(o, "cipher", cipher_name(session->cipher));
	add_string(o, "auth", auth_name(session->auth));
	json_object_object_add(o, "resumed", json_object_new_boolean(session->resumed));
	add_escaped(o, "profile", session->profile);
	add_escaped(o, "peer_name", session->peer_name);
	add_string(o, "peer_identity", session->peer_identity);
	add_escaped(o, "server_name", session->server_name);
	add_escaped(o, "alpn", session->alpn);
	address(&session->local, words);
	add_string(o, "local", words);
	address(&session->remote, words);
	add_string(o, "remote", words);
	add_number(o, "uid", session->uid);
	add_number(o, "pid", session->pid);
	add_number(o, "inode", session->inode);
	add_number(o, "tx_generation", session->tx_generation);
	add_number(o, "rx_generation", session->rx_generation);
	add_number(o, "records_diverted", session->records_diverted);
	add_number(o, "handshake_usec", session->handshake_usec);
	json_object_object_add(o, "peer_cert",
			       json_object_new_boolean(session->flags & TLS_HANDOFF_F_PEER_CERT));
	json_object_object_add(o, "close_sent",
			       json_object_new_boolean(session->flags & TLS_HANDOFF_F_CLOSE_SENT));
	json_object_object_add(o, "close_received",
			       json_object_new_boolean(session->flags &
						       TLS_HANDOFF_F_CLOSE_RECEIVED));
	json_object_object_add(o, "truncated",
			       json_object_new_boolean(session->flags & TLS_HANDOFF_F_TRUNCATED));
	json_object_object_add(o, "verify", info_verify_json(session->verify_status));
	add_number(o, "errno", session->status);
	add_string(o, "error", session->error);
	add_alert(o, "alert_sent", session->alert_sent);
	add_alert(o, "alert_received", session->alert_received);
	json_object_array_add(data, o);
}

/* Sums of the counters, whose names begin with what was done. */
struct sums {
	unsigned long long issued, resumed, refused;
};

static void add_counter(const char *name, const char *value, void *data)
{
	unsigned long long number = strtoull(value, NULL, 10);
	struct sums *sums = data;

	if (!strcmp(name, "TicketsIssued"))
		sums->issued += number;
	else if (!strncmp(name, "Resumed", 7))
		sums->resumed += number;
	else if (!strncmp(name, "Refused", 7))
		sums->refused += number;
}

/* Without a tlshd that answers there is nothing to say. */
static void print_tickets(void)
{
	struct control_answer answer;
	struct sums sums = {};

	if (geteuid() == 0 && control_request("tickets show", COUNTERS_TIMEOUT, &answer) == 0 &&
	    control_lines(&answer, add_counter, &sums) == 0)
		printf("tickets issued %llu, resumed %llu, refused %llu\n", sums.issued,
		       sums.resumed, sums.refused);
}

static int report(int error)
{
	if (error == -ENOENT) {
		fputs("tls-handoff: the kernel module is not loaded: modprobe tls_handoff\n",
		      stderr);
		return EXIT_UNAVAILABLE;
	}
	fprintf(stderr, "tls-handoff status: %s%s\n", strerror(-error),
		error == -EPERM ? ": this needs CAP_NET_ADMIN" : "");
	return EXIT_IO;
}

int status_command(int argc, char **argv)
{
	static const struct option table[] = { { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       {} };
	struct json_object *array = NULL;
	unsigned int count = 0;
	int key, r;

	while ((key = getopt_long(argc, argv, "hV", table, NULL)) != -1) {
		switch (key) {
		case 'j':
			array = json_object_new_array();
			break;
		case 'h':
			help();
			return EXIT_DONE;
		case 'V':
			puts("tls-handoff " TLS_HANDOFF_VERSION);
			return EXIT_DONE;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fputs("usage: tls-handoff status [--json]\n", stderr);
		return EXIT_USAGE;
	}
	r = array ? sessions_dump(add_object, array) : sessions_dump(print_row, &count);
	if (!r && array)
		puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (!r && !count)
		puts("no sessions");
	if (!r && !array)
		print_tickets();
	json_object_put(array);
	if (!r && fflush(stdout))
		r = -errno;
	return r < 0 ? report(r) : EXIT_DONE;
}
