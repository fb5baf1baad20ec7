// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff sessions: who talks TLS to whom, a table for people or JSON.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "holders.h"
#include "info.h"
#include "json.h"
#include "names.h"
#include "sessions.h"

#define COLUMNS	 14
#define ALL_UIDS UINT64_MAX
#define ESCAPED	 (4 * TLS_HANDOFF_MAX_IDENTITY + 1)

static const char *const titles[COLUMNS] = { "ID",     "ROLE", "STATE",	  "PROTOCOL", "LOCAL",
					     "REMOTE", "USER", "PROGRAM", "AUTH",     "KEYS",
					     "TIME",   "AGE",  "PROFILE", "PEER" };

struct row {
	struct row *next;
	char *cells[COLUMNS];
};

struct list {
	/* what is wanted; NULL: everything */
	const char *profile, *peer;
	int state;
	uint64_t uid;
	struct holders *holders;
	struct json_object *array; /* NULL: a table */
	struct row *first, **last;
	bool failed; /* no memory for a row */
};

static void help(void)
{
	puts("usage: tls-handoff sessions [OPTIONS]\n"
	     "\n"
	     "Who talks TLS to whom. Root, or who has CAP_NET_ADMIN, sees every session of this\n"
	     "network namespace; others see their own, which tlshd tells them.\n"
	     "\n"
	     "      --state STATE             only in this state: handshake, established, closed or\n"
	     "                                failed\n"
	     "      --user USER               only of this user, by name or number\n"
	     "      --profile NAME            only with this profile\n"
	     "      --peer PEER               only with this peer: its address, with the port or\n"
	     "                                without, the name that was asked for or proven\n"
	     "      --json                    an array with an object for each session\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 done, 1 I/O error, 2 usage, 4 no module, or no tlshd to ask");
}

static void address(const struct sockaddr_storage *from, char buffer[ADDRESS_MAX])
{
	if (from->ss_family)
		address_words((const struct sockaddr *)from, buffer);
	else
		*buffer = '\0';
}

static const char *user_name(uint32_t uid)
{
	static char name[64];
	static uint32_t last = UINT32_MAX;
	struct passwd *user;

	if (uid == last && *name)
		return name;
	user = getpwuid(uid);
	if (user)
		snprintf(name, sizeof(name), "%s", user->pw_name);
	else
		snprintf(name, sizeof(name), "%" PRIu32, uid);
	last = uid;
	return name;
}

/* Without the kind, as in "dns:www.example" */
static const char *bare_identity(const char *identity)
{
	const char *colon = strchr(identity, ':');

	return colon ? colon + 1 : identity;
}

static bool is_peer(const struct session *session, const char *peer)
{
	char words[ADDRESS_MAX], *port;

	if (*peer &&
	    (!strcasecmp(peer, session->peer_name) || !strcasecmp(peer, session->server_name) ||
	     !strcasecmp(peer, session->peer_identity) ||
	     !strcasecmp(peer, bare_identity(session->peer_identity))))
		return true;
	address(&session->remote, words);
	if (!strcasecmp(peer, words))
		return true;
	port = strrchr(words, ':');
	if (!port)
		return false;
	*port = '\0';
	if (!strcasecmp(peer, words))
		return true;
	if (*words != '[')
		return false;
	words[strlen(words) - 1] = '\0';
	return !strcasecmp(peer, words + 1);
}

static bool is_wanted(const struct session *session, const struct list *list)
{
	return (list->state < 0 || session->state == list->state) &&
	       (list->uid == ALL_UIDS || session->uid == list->uid) &&
	       (!list->profile || !strcmp(session->profile, list->profile)) &&
	       (!list->peer || is_peer(session, list->peer));
}

static void __attribute__((format(printf, 3, 4))) set_cell(struct row *row, int column,
							   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&row->cells[column], format, args) < 0)
		row->cells[column] = NULL;
	va_end(args);
}

static void set_program(struct row *row, int column, const struct session *session,
			const struct list *list)
{
	char command[4 * sizeof(((struct holder *)0)->command) + 1];
	const struct holder *holder;
	size_t count;

	holder = holders_find(list->holders, session->inode, &count);
	if (!holder && session->pid)
		set_cell(row, column, "%" PRIu32, session->pid);
	else if (!holder)
		set_cell(row, column, "-");
	else if (count == 1)
		set_cell(row, column, "%s/%d", escape(holder->command, command, sizeof(command)),
			 holder->pid);
	else
		set_cell(row, column, "%s/%d+%zu",
			 escape(holder->command, command, sizeof(command)), holder->pid, count - 1);
}

static void set_peer(struct row *row, int column, const struct session *session)
{
	const char *label = session->role == TLS_HANDOFF_SERVER ? "sni" : "name";
	const char *name = session->role == TLS_HANDOFF_SERVER ? session->server_name :
								 session->peer_name;
	char words[4 * TLS_HANDOFF_MAX_PEER_NAME + 1], identity[ESCAPED], error[ESCAPED];
	bool show = *name && strcasecmp(name, bare_identity(session->peer_identity)) != 0;

	set_cell(row, column, "%s%s%s%s%s%s%s",
		 *session->peer_identity ?
			 escape(session->peer_identity, identity, sizeof(identity)) :
			 "-",
		 show ? " " : "", show ? label : "", show ? "=" : "",
		 show ? escape(name, words, sizeof(words)) : "", *session->error ? ": " : "",
		 escape(session->error, error, sizeof(error)));
}

static void set_age(struct row *row, int column, uint64_t seconds)
{
	if (seconds < 60)
		set_cell(row, column, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		set_cell(row, column, "%" PRIu64 "m%02" PRIu64, seconds / 60, seconds % 60);
	else if (seconds < 86400)
		set_cell(row, column, "%" PRIu64 "h%02" PRIu64, seconds / 3600, seconds / 60 % 60);
	else
		set_cell(row, column, "%" PRIu64 "d%02" PRIu64, seconds / 86400,
			 seconds / 3600 % 24);
}

static void add_row(const struct session *session, struct list *list)
{
	char local[ADDRESS_MAX], remote[ADDRESS_MAX];
	char profile[4 * TLS_HANDOFF_MAX_PROFILE + 1];
	struct row *row = calloc(1, sizeof(*row));
	int i = 0;

	if (!row) {
		list->failed = true;
		return;
	}
	address(&session->local, local);
	address(&session->remote, remote);
	set_cell(row, i++, "%" PRIu64, session->id);
	set_cell(row, i++, "%s", role_name(session->role));
	set_cell(row, i++, "%s", state_name(session->state));
	if (session->version)
		set_cell(row, i++, "%s %s", version_name(session->version),
			 cipher_name(session->cipher));
	else
		set_cell(row, i++, "-");
	set_cell(row, i++, "%s", *local ? local : "-");
	set_cell(row, i++, "%s", *remote ? remote : "-");
	set_cell(row, i++, "%s", user_name(session->uid));
	set_program(row, i++, session, list);
	set_cell(row, i++, "%s%s", session->auth ? auth_name(session->auth) : "-",
		 session->resumed ? ",resumed" : "");
	set_cell(row, i++, "%" PRIu64 "/%" PRIu64, session->tx_generation, session->rx_generation);
	if (session->handshake_usec)
		set_cell(row, i++, "%.1fms", session->handshake_usec / 1000.0);
	else
		set_cell(row, i++, "-");
	set_age(row, i++, session->age / 1000);
	set_cell(row, i++, "%s", escape(session->profile, profile, sizeof(profile)));
	set_peer(row, i, session);
	*list->last = row;
	list->last = &row->next;
}

static void print_cells(const char *const cells[COLUMNS], const int widths[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++)
		printf("%-*s%s", i == COLUMNS - 1 ? 0 : widths[i], cells[i] ? cells[i] : "?",
		       i == COLUMNS - 1 ? "\n" : " ");
}

static void print_table(const struct row *first)
{
	int widths[COLUMNS];

	for (int i = 0; i < COLUMNS; i++) {
		widths[i] = (int)strlen(titles[i]);
		for (const struct row *row = first; row; row = row->next)
			if (row->cells[i] && (int)strlen(row->cells[i]) > widths[i])
				widths[i] = (int)strlen(row->cells[i]);
	}
	if (!first)
		puts("no sessions");
	else
		print_cells(titles, widths);
	for (const struct row *row = first; row; row = row->next)
		print_cells((const char *const *)row->cells, widths);
}

static void free_rows(struct row *row)
{
	while (row) {
		struct row *next = row->next;

		for (int i = 0; i < COLUMNS; i++)
			free(row->cells[i]);
		free(row);
		row = next;
	}
}

/* What nobody has checked yet; peer_identity and error were where they were made. */
static void add_escaped(struct json_object *o, const char *key, const char *value)
{
	char escaped[ESCAPED];

	json_put_string(o, key, escape(value, escaped, sizeof(escaped)));
}

static void add_alert(struct json_object *o, const char *key, int alert)
{
	json_object_object_add(o, key,
			       alert < 0 ? NULL : json_object_new_string(alert_words(alert)));
}

static struct json_object *programs(const struct session *session, const struct list *list)
{
	struct json_object *array = json_object_new_array(), *o;
	const struct holder *holder;
	size_t count;

	holder = holders_find(list->holders, session->inode, &count);
	for (size_t i = 0; i < count; i++) {
		o = json_object_new_object();
		json_put_number(o, "pid", (uint64_t)holder[i].pid);
		add_escaped(o, "command", holder[i].command);
		json_object_array_add(array, o);
	}
	return array;
}

static void add_object(const struct session *session, struct list *list)
{
	struct json_object *o = json_object_new_object();
	char words[ADDRESS_MAX];

	json_put_number(o, "session_id", session->id);
	add_escaped(o, "role", role_name(session->role));
	add_escaped(o, "state", state_name(session->state));
	add_escaped(o, "version", version_name(session->version));
	add_escaped(o, "cipher", cipher_name(session->cipher));
	add_escaped(o, "auth", auth_name(session->auth));
	json_put_flag(o, "resumed", session->resumed);
	add_escaped(o, "profile", session->profile);
	add_escaped(o, "peer_name", session->peer_name);
	json_put_string(o, "peer_identity", session->peer_identity);
	add_escaped(o, "server_name", session->server_name);
	add_escaped(o, "alpn", session->alpn);
	address(&session->local, words);
	add_escaped(o, "local", words);
	address(&session->remote, words);
	add_escaped(o, "remote", words);
	json_put_number(o, "uid", session->uid);
	add_escaped(o, "user", user_name(session->uid));
	json_put_number(o, "pid", session->pid);
	json_object_object_add(o, "programs", programs(session, list));
	json_put_number(o, "inode", session->inode);
	json_put_number(o, "tx_generation", session->tx_generation);
	json_put_number(o, "rx_generation", session->rx_generation);
	json_put_number(o, "records_diverted", session->records_diverted);
	json_put_number(o, "handshake_usec", session->handshake_usec);
	json_put_number(o, "age_msec", session->age);
	json_put_flag(o, "peer_cert", session->flags & TLS_HANDOFF_F_PEER_CERT);
	json_put_flag(o, "close_sent", session->flags & TLS_HANDOFF_F_CLOSE_SENT);
	json_put_flag(o, "close_received", session->flags & TLS_HANDOFF_F_CLOSE_RECEIVED);
	json_put_flag(o, "truncated", session->flags & TLS_HANDOFF_F_TRUNCATED);
	json_object_object_add(o, "verify", info_verify_json(session->verify_status));
	json_put_number(o, "errno", session->status);
	json_put_string(o, "error", session->error);
	add_alert(o, "alert_sent", session->alert_sent);
	add_alert(o, "alert_received", session->alert_received);
	json_object_array_add(list->array, o);
}

static void on_session(const struct session *session, void *data)
{
	struct list *list = data;

	if (!is_wanted(session, list))
		return;
	if (list->array)
		add_object(session, list);
	else
		add_row(session, list);
}

static bool parse_state(const char *name, struct list *list)
{
	for (int state = TLS_HANDOFF_STATE_HANDSHAKE; state <= TLS_HANDOFF_STATE_FAILED; state++)
		if (!strcmp(name, state_name((__u8)state))) {
			list->state = state;
			return true;
		}
	fprintf(stderr,
		"tls-handoff sessions: state: \"%s\" is none of handshake, established, closed "
		"and failed\n",
		name);
	return false;
}

static bool parse_user(const char *name, struct list *list)
{
	struct passwd *user = getpwnam(name);
	char *end;

	if (user) {
		list->uid = user->pw_uid;
		return true;
	}
	errno = 0;
	list->uid = strtoull(name, &end, 10);
	if (isdigit((unsigned char)*name) && !*end && !errno && list->uid < UINT32_MAX)
		return true;
	fprintf(stderr, "tls-handoff sessions: user: there is no user \"%s\"\n", name);
	return false;
}

/* 1: go on; else the exit status is in *ret_status. */
static int parse(int argc, char **argv, struct list *list, bool *ret_json, int *ret_status)
{
	static const struct option table[] = { { "state", required_argument, NULL, 's' },
					       { "user", required_argument, NULL, 'u' },
					       { "profile", required_argument, NULL, 'p' },
					       { "peer", required_argument, NULL, 'r' },
					       { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       {} };
	int key;

	*ret_status = EXIT_USAGE;
	while ((key = getopt_long(argc, argv, "hV", table, NULL)) != -1) {
		switch (key) {
		case 's':
			if (!parse_state(optarg, list))
				return 0;
			break;
		case 'u':
			if (!parse_user(optarg, list))
				return 0;
			break;
		case 'p':
			list->profile = optarg;
			break;
		case 'r':
			list->peer = optarg;
			break;
		default:
			if (!command_option(key, help, ret_json, ret_status))
				return 0;
		}
	}
	if (optind == argc)
		return 1;
	fputs("tls-handoff sessions: too many words; see tls-handoff sessions --help\n", stderr);
	return 0;
}

int sessions_command(int argc, char **argv)
{
	struct list list = { .state = -1, .uid = ALL_UIDS, .last = &list.first };
	static struct control_answer answer;
	bool json = false, asked = false;
	int r, status;

	if (parse(argc, argv, &list, &json, &status) <= 0)
		return status;
	if (json)
		list.array = json_object_new_array();
	list.holders = holders_new();
	r = sessions_dump(on_session, &list, &asked, &answer);
	if (r == 0 && list.failed)
		r = -ENOMEM;
	if (r == 0 && json)
		json_print(list.array);
	else if (json)
		json_object_put(list.array);
	else if (r == 0)
		print_table(list.first);
	holders_free(list.holders);
	free_rows(list.first);
	if (r == 0)
		return fflush(stdout) ? EXIT_IO : EXIT_DONE;
	return asked ? command_failed("sessions", r, &answer) :
		       command_kernel_failed("sessions", r);
}
