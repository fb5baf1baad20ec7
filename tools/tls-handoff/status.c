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

#include "about.h"
#include "command.h"
#include "json.h"
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
		snprintf(buffer, 64, "?");
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

static void print_daemons(const struct about_lines *lines, const struct about_lines *handler)
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
		say("handlers",
		    "generation %s since %s: tlshd-session %s %s%s, tlshd-keys %s %s%s%s",
		    about_value(lines, "Generation"),
		    date(about_number(lines, "GenerationSince"), when),
		    about_value(handler, "SessionHandlerVersion"),
		    *about_value(lines, "SessionHandlerPid") ? "pid " : "not running",
		    about_value(lines, "SessionHandlerPid"),
		    about_value(handler, "KeyHolderVersion"),
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
		print_daemons(lines, tickets);
	else
		say("tlshd", "none answers");
	if (about->module) {
		say("sessions",
		    "%" PRIu64 " established, %" PRIu64 " in the handshake (at most %" PRIu64
		    ", %" PRIu64 " of one user)",
		    about_counter(about, "HandoffCurrEstablished"),
		    about_counter(about, "HandoffCurrPending"), about->max_pending,
		    about->max_pending_per_user);
		say("handshakes",
		    "%" PRIu64 " started, %" PRIu64 " done; %" PRIu64 " failed, then or later",
		    about_counter(about, "HandoffStarted"),
		    about_counter(about, "HandoffEstablished"),
		    about_counter(about, "HandoffFailed"));
	}
	if (tickets->count)
		say("tickets", "issued %" PRIu64 ", resumed %" PRIu64 ", refused %" PRIu64,
		    about_number(tickets, "TicketsIssued"), about_sum(tickets, "Resumed"),
		    about_sum(tickets, "Refused"));
	print_errors(lines);
}

static struct json_object *module_json(const struct about *about)
{
	struct json_object *o = json_object_new_object();
	char version[128];

	module_version(version, sizeof(version));
	json_put_flag(o, "loaded", about->module);
	json_put_string(o, "version", version);
	json_put_number(o, "sockets", about_counter(about, "HandoffCurrSockets"));
	return o;
}

static struct json_object *tlshd_json(const struct about_lines *lines,
				      const struct about_lines *handler)
{
	struct json_object *o = json_object_new_object();

	json_put_flag(o, "running", lines->count > 0);
	if (!lines->count)
		return o;
	json_put_string(o, "version", about_value(lines, "Version"));
	json_put_number(o, "pid", about_number(lines, "Pid"));
	json_put_number(o, "since", about_number(lines, "Since"));
	json_put_flag(o, "registered", says_yes(lines, "Registered"));
	json_put_flag(o, "same_namespace", !is_elsewhere(lines));
	json_put_flag(o, "usable", says_yes(lines, "Usable"));
	json_put_string(o, "reason", about_value(lines, "Reason"));
	json_put_number(o, "generation", about_number(lines, "Generation"));
	json_put_number(o, "generation_since", about_number(lines, "GenerationSince"));
	json_put_number(o, "session_handler_pid", about_number(lines, "SessionHandlerPid"));
	json_put_string(o, "session_handler_version",
			about_value(handler, "SessionHandlerVersion"));
	json_put_string(o, "key_holder_version", about_value(handler, "KeyHolderVersion"));
	json_put_number(o, "key_holder_pid", about_number(lines, "KeyHolderPid"));
	json_put_flag(o, "draining", says_yes(lines, "Draining"));
	json_put_number(o, "reloads", about_number(lines, "Reloads"));
	json_put_number(o, "reloads_failed", about_number(lines, "ReloadsFailed"));
	json_put_number(o, "last_reload", about_number(lines, "LastReload"));
	json_put_string(o, "last_reload_result", about_value(lines, "LastReloadResult"));
	json_put_string(o, "last_reload_mistake", about_value(lines, "LastReloadMistake"));
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
		json_put_number(o, "time", error.when);
		json_put_number(o, "session_id", error.id);
		json_put_string(o, "role", error.role);
		json_put_number(o, "uid", error.uid);
		json_put_string(o, "what", error.what);
		json_put_string(o, "errno", error.name);
		json_put_string(o, "error", error.words);
		json_object_array_add(array, o);
	}
	return array;
}

static void print_json(const struct about *about, const struct about_lines *lines,
		       const struct about_lines *tickets)
{
	struct json_object *o = json_object_new_object(), *part;

	json_object_object_add(o, "module", module_json(about));
	json_object_object_add(o, "tlshd", tlshd_json(lines, tickets));
	part = json_object_new_object();
	json_put_number(part, "established", about_counter(about, "HandoffCurrEstablished"));
	json_put_number(part, "handshake", about_counter(about, "HandoffCurrPending"));
	json_put_number(part, "max_handshake", about->max_pending);
	json_put_number(part, "max_handshake_per_user", about->max_pending_per_user);
	json_object_object_add(o, "sessions", part);
	part = json_object_new_object();
	json_put_number(part, "started", about_counter(about, "HandoffStarted"));
	json_put_number(part, "done", about_counter(about, "HandoffEstablished"));
	json_put_number(part, "failed", about_counter(about, "HandoffFailed"));
	json_object_object_add(o, "handshakes", part);
	part = json_object_new_object();
	json_put_number(part, "issued", about_number(tickets, "TicketsIssued"));
	json_put_number(part, "resumed", about_sum(tickets, "Resumed"));
	json_put_number(part, "refused", about_sum(tickets, "Refused"));
	json_object_object_add(o, "tickets", part);
	json_object_object_add(o, "errors", errors_json(lines));
	json_print(o);
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
