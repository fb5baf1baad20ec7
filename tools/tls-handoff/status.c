// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff status: module, daemons and what they did, on one screen or as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <json-c/json.h>

#include "about.h"
#include "command.h"
#include "names.h"

static void help(void)
{
	puts("usage: tls-handoff status [--json]\n"
	     "\n"
	     "Whether the module and tlshd are there and well, and what they did: for everybody,\n"
	     "with other users' errors and mistakes in the configuration for root only. The\n"
	     "sessions are listed by tls-handoff sessions.\n"
	     "\n"
	     "      --json                    one JSON object\n"
	     "  -h, --help                    this text\n"
	     "  -V, --version                 the version\n"
	     "\n"
	     "exit status: 0 all is there, 1 I/O error, 2 usage, 4 no tlshd or no module");
}

static bool says_yes(const struct about_lines *lines, const char *name)
{
	return !strcmp(about_value(lines, name), "yes");
}

static void module_version(char *buffer, size_t size)
{
	FILE *file = fopen("/sys/module/tls_handoff/version", "re");
	char version[32] = "";

	if (file && fscanf(file, "%31s", version) != 1)
		*version = '\0';
	if (file)
		fclose(file);
	escape(version, buffer, size);
}

static bool is_elsewhere(const struct about_lines *lines)
{
	struct stat status;

	return *about_value(lines, "NetworkNamespace") && stat("/proc/self/ns/net", &status) == 0 &&
	       about_number(lines, "NetworkNamespace") != status.st_ino;
}

static const char *date(uint64_t seconds, char buffer[64])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!localtime_r(&when, &parts) || !strftime(buffer, 64, "%F %T", &parts))
		strcpy(buffer, "?");
	return buffer;
}

static void __attribute__((format(printf, 2, 3))) say(const char *what, const char *format, ...)
{
	va_list args;

	printf("%-11s ", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* One of tlshd's lines "Error SECONDS ID ROLE UID handshake|connection ERRNO WORDS" */
struct error {
	uint64_t when, id;
	uint32_t uid;
	char role[16], what[16], name[32];
	const char *words;
};

static bool parse_error(const char *value, struct error *error)
{
	int read = 0;

	if (sscanf(value, "%" SCNu64 " %" SCNu64 " %15s %" SCNu32 " %15s %31s %n", &error->when,
		   &error->id, error->role, &error->uid, error->what, error->name, &read) != 6 ||
	    !read)
		return false;
	error->words = value + read;
	return true;
}

static void print_daemons(const struct about_lines *lines)
{
	char when[64];

	say("tlshd", "%s, pid %s, since %s, %s", about_value(lines, "Version"),
	    about_value(lines, "Pid"), date(about_number(lines, "Since"), when),
	    says_yes(lines, "Registered") ? "registered with the kernel" :
					    "not registered with the kernel yet");
	if (is_elsewhere(lines))
		say("", "in another network namespace than this command");
	if (!says_yes(lines, "Usable"))
		say("", "takes no handshakes now%s%s", *about_value(lines, "Reason") ? ": " : "",
		    about_value(lines, "Reason"));
	if (*about_value(lines, "Generation"))
		say("handlers", "generation %s since %s: tlshd-session %s%s, tlshd-keys %s%s%s",
		    about_value(lines, "Generation"),
		    date(about_number(lines, "GenerationSince"), when),
		    *about_value(lines, "SessionHandlerPid") ? "pid " : "not running",
		    about_value(lines, "SessionHandlerPid"),
		    *about_value(lines, "KeyHolderPid") ? "pid " : "not running",
		    about_value(lines, "KeyHolderPid"),
		    says_yes(lines, "Draining") ? "; the one before ends its handshakes" : "");
	if (*about_value(lines, "LastReload"))
		say("reloads", "%s, %s of them failed; the last one at %s %s%s%s",
		    about_value(lines, "Reloads"), about_value(lines, "ReloadsFailed"),
		    date(about_number(lines, "LastReload"), when),
		    !strcmp(about_value(lines, "LastReloadResult"), "done") ? "went well" :
									      "failed",
		    *about_value(lines, "LastReloadMistake") ? ": " : "",
		    about_value(lines, "LastReloadMistake"));
}

static void print_errors(const struct about_lines *lines)
{
	const char *title = "errors";
	struct error error;
	char when[64];

	for (int i = 0; i < lines->count; i++) {
		if (strcmp(lines->line[i].name, "Error") != 0 ||
		    !parse_error(lines->line[i].value, &error))
			continue;
		say(title, "%s session %" PRIu64 ", %s, uid %" PRIu32 ", %s: %s: %s",
		    date(error.when, when), error.id, error.role, error.uid, error.what, error.name,
		    error.words);
		title = "";
	}
}

static void print_people(const struct about *about, const struct about_lines *lines,
			 const struct about_lines *tickets)
{
	char version[128];

	module_version(version, sizeof(version));
	if (about->module)
		say("module", "%s%sloaded: %" PRIu64 " sockets", version, *version ? ", " : "",
		    about_counter(about, "HandoffCurrSockets"));
	else
		say("module", "not loaded");
	if (lines->count)
		print_daemons(lines);
	else
		say("tlshd", "none answers");
	if (about->module) {
		say("sessions", "%" PRIu64 " established, %" PRIu64 " in the handshake",
		    about_counter(about, "HandoffCurrEstablished"),
		    about_counter(about, "HandoffCurrPending"));
		say("handshakes", "%" PRIu64 " done, %" PRIu64 " failed of %" PRIu64,
		    about_counter(about, "HandoffEstablished"),
		    about_counter(about, "HandoffFailed"), about_counter(about, "HandoffStarted"));
	}
	if (tickets->count)
		say("tickets", "issued %" PRIu64 ", resumed %" PRIu64 ", refused %" PRIu64,
		    about_number(tickets, "TicketsIssued"), about_sum(tickets, "Resumed"),
		    about_sum(tickets, "Refused"));
	print_errors(lines);
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void add_flag(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static struct json_object *module_json(const struct about *about)
{
	struct json_object *o = json_object_new_object();
	char version[128];

	module_version(version, sizeof(version));
	add_flag(o, "loaded", about->module);
	add_string(o, "version", version);
	add_number(o, "sockets", about_counter(about, "HandoffCurrSockets"));
	return o;
}

static struct json_object *tlshd_json(const struct about_lines *lines)
{
	struct json_object *o = json_object_new_object();

	add_flag(o, "running", lines->count > 0);
	if (!lines->count)
		return o;
	add_string(o, "version", about_value(lines, "Version"));
	add_number(o, "pid", about_number(lines, "Pid"));
	add_number(o, "since", about_number(lines, "Since"));
	add_flag(o, "registered", says_yes(lines, "Registered"));
	add_flag(o, "same_namespace", !is_elsewhere(lines));
	add_flag(o, "usable", says_yes(lines, "Usable"));
	add_string(o, "reason", about_value(lines, "Reason"));
	add_number(o, "generation", about_number(lines, "Generation"));
	add_number(o, "generation_since", about_number(lines, "GenerationSince"));
	add_number(o, "session_handler_pid", about_number(lines, "SessionHandlerPid"));
	add_number(o, "key_holder_pid", about_number(lines, "KeyHolderPid"));
	add_flag(o, "draining", says_yes(lines, "Draining"));
	add_number(o, "reloads", about_number(lines, "Reloads"));
	add_number(o, "reloads_failed", about_number(lines, "ReloadsFailed"));
	add_number(o, "last_reload", about_number(lines, "LastReload"));
	add_string(o, "last_reload_result", about_value(lines, "LastReloadResult"));
	add_string(o, "last_reload_mistake", about_value(lines, "LastReloadMistake"));
	return o;
}

static struct json_object *errors_json(const struct about_lines *lines)
{
	struct json_object *array = json_object_new_array(), *o;
	struct error error;

	for (int i = 0; i < lines->count; i++) {
		if (strcmp(lines->line[i].name, "Error") != 0 ||
		    !parse_error(lines->line[i].value, &error))
			continue;
		o = json_object_new_object();
		add_number(o, "time", error.when);
		add_number(o, "session_id", error.id);
		add_string(o, "role", error.role);
		add_number(o, "uid", error.uid);
		add_string(o, "what", error.what);
		add_string(o, "errno", error.name);
		add_string(o, "error", error.words);
		json_object_array_add(array, o);
	}
	return array;
}

static void print_json(const struct about *about, const struct about_lines *lines,
		       const struct about_lines *tickets)
{
	struct json_object *o = json_object_new_object(), *part;

	json_object_object_add(o, "module", module_json(about));
	json_object_object_add(o, "tlshd", tlshd_json(lines));
	part = json_object_new_object();
	add_number(part, "established", about_counter(about, "HandoffCurrEstablished"));
	add_number(part, "handshake", about_counter(about, "HandoffCurrPending"));
	json_object_object_add(o, "sessions", part);
	part = json_object_new_object();
	add_number(part, "started", about_counter(about, "HandoffStarted"));
	add_number(part, "done", about_counter(about, "HandoffEstablished"));
	add_number(part, "failed", about_counter(about, "HandoffFailed"));
	json_object_object_add(o, "handshakes", part);
	part = json_object_new_object();
	add_number(part, "issued", about_number(tickets, "TicketsIssued"));
	add_number(part, "resumed", about_sum(tickets, "Resumed"));
	add_number(part, "refused", about_sum(tickets, "Refused"));
	json_object_object_add(o, "tickets", part);
	json_object_object_add(o, "errors", errors_json(lines));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int status_command(int argc, char **argv)
{
	struct about *about;
	bool json = false;
	int status;

	if (command_parse(argc, argv, help, &json, NULL, &status) <= 0)
		return status;
	about = about_new("status");
	if (!about)
		return command_kernel_failed("status", -ENOMEM);
	(json ? print_json : print_people)(about, &about->tlshd, &about->handler);
	status = fflush(stdout) ? EXIT_IO : about_missing(about, "status");
	about_free(about);
	return status;
}
