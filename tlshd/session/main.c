// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd-session, the session handler: runs every handshake and keeps what comes
 * after it.  Started by tlshd with two sockets: 3 to the agent, 4 to the key
 * holder.  It reads its files, learns its keys, gives everything up, and only
 * then listens to anybody.
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <seccomp.h>
#include <event2/event.h>
#include <gnutls/gnutls.h>

#include "channel.h"
#include "config.h"
#include "coroutine.h"
#include "keyclient.h"
#include "log.h"
#include "priority.h"
#include "profile.h"
#include "resume.h"
#include "sandbox.h"
#include "session.h"
#include "succession.h"
#include "wipe.h"

#define AGENT_FD 3
#define KEYS_FD	 4
#define LAST_FD	 63 /* that may be passed */
#define USER	 "tlshd-session"
#define FLUSH_MS 2000 /* for what the agent has still to hear at the end */

struct arguments {
	const char *config;
	bool to_stderr, verbose, check;
	int predecessors[SUCCESSION_MAX];
	size_t predecessor_count;
};

static void usage(FILE *out)
{
	fprintf(out, "usage: tlshd-session [-c FILE] [-r N]... [-s] [-v] [-t]\n"
		     "Started by tlshd(8); of use to a person only with -t.\n"
		     "  -c FILE  configuration, default " CONFIG_DEFAULT_PATH "\n"
		     "  -r N     descriptor of what a predecessor left\n"
		     "  -s       log to standard error\n"
		     "  -v       log more\n"
		     "  -t       check the configuration and exit\n");
}

static int parse_predecessor(struct arguments *arguments, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*end || fd <= KEYS_FD || fd > LAST_FD || arguments->predecessor_count >= SUCCESSION_MAX)
		return -EINVAL;
	arguments->predecessors[arguments->predecessor_count++] = (int)fd;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	struct arguments arguments = { .config = CONFIG_DEFAULT_PATH };
	int option;

	while ((option = getopt(argc, argv, "c:r:svth")) != -1) {
		switch (option) {
		case 'c':
			arguments.config = optarg;
			break;
		case 'r':
			if (parse_predecessor(&arguments, optarg) < 0)
				return -EINVAL;
			break;
		case 's':
			arguments.to_stderr = true;
			break;
		case 'v':
			arguments.verbose = true;
			break;
		case 't':
			arguments.check = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	if (optind != argc)
		return -EINVAL;
	*ret = arguments;
	return 0;
}

static void report_to_stderr(const char *mistake)
{
	fprintf(stderr, "%s\n", mistake);
}

static void report_to_log(const char *mistake)
{
	log_message(LOG_ERR, "%s", mistake);
}

static int load(const struct arguments *arguments, struct profiles *ret_profiles)
{
	void (*report)(const char *mistake) = arguments->check ? report_to_stderr : report_to_log;
	struct config *config = NULL;
	char *error = NULL;
	int r;

	r = config_load(arguments->config, &config, &error);
	if (r < 0) {
		report(error ? error : strerror(-r));
		free(error);
		return r;
	}
	r = profiles_load(config, report, ret_profiles);
	config_free(config);
	return r;
}

/* Everything it said was handled.  What it has to hear goes out, and the rest is for whoever
 * comes after us.  Not after an error: what was lost with the channel would be missing. */
static void agent_closed(void *arg, int error)
{
	struct room *room = arg;

	if (error && error != -ECONNRESET) {
		log_message(LOG_ERR, "the agent's channel ended: %s", strerror(-error));
	} else {
		/* -EPIPE: it is gone; the agent finds out which sessions that concerns */
		if (channel_flush(room->agent, FLUSH_MS) == -ETIMEDOUT)
			log_message(LOG_WARNING, "the agent did not hear all that we had to say");
		succession_save(room);
	}
	event_base_loopbreak(room->base);
}

static const struct channel_ops agent_ops = {
	.message = session_message,
	.closed = agent_closed,
};

static int enter_sandbox(void)
{
	static const int state_syscalls[] = { SCMP_SYS(pread64), SCMP_SYS(pwrite64),
					      SCMP_SYS(ftruncate) };
	const struct sandbox sandbox = {
		.user = USER,
		.syscalls = state_syscalls,
		.syscall_count = sizeof(state_syscalls) / sizeof(state_syscalls[0]),
	};
	int r = sandbox_enter(&sandbox);

	if (r < 0)
		log_message(LOG_ERR, "cannot enter the sandbox of user " USER ": %s", strerror(-r));
	return r;
}

static int greet(struct room *room)
{
	uint32_t version = htole32(CHANNEL_VERSION);
	int memory = succession_take_path(room->succession);

	if (memory < 0)
		return channel_send(room->agent, CHANNEL_HELLO, 0, false, &version,
				    sizeof(version));
	return channel_send_fd(room->agent, CHANNEL_HELLO, 0, &version, sizeof(version), memory);
}

/* The first one asks the agent for a successor, and work goes on until that is there; the second
 * does not wait. */
static void handle_sigterm(evutil_socket_t signal, short what, void *arg)
{
	struct room *room = arg;
	bool again = room->retiring;

	room->retiring = true;
	if (again || channel_send(room->agent, CHANNEL_RETIRE, 0, false, NULL, 0) < 0)
		agent_closed(room, 0);
}

/* Everything that needs files or the key holder, then the sandbox, then the agent. */
static int serve(struct room *room, const struct arguments *arguments)
{
	int r;

	r = succession_new(room, USER, arguments->predecessors, arguments->predecessor_count);
	if (r < 0)
		return r;

	r = keyclient_new(room->base, KEYS_FD, &room->keys);
	if (r < 0) {
		log_message(LOG_ERR, "the key holder did not announce its keys: %s", strerror(-r));
		return r;
	}
	r = profiles_attach_keys(room->profiles, room->keys);
	if (r == 0)
		r = session_table_new(room);
	if (r == 0)
		r = resume_new(room->base, &room->resume);
	if (r < 0) {
		log_message(LOG_ERR, "cannot use the profiles: %s", strerror(-r));
		return r;
	}
	/* Nothing is read before the event loop runs, and that is inside the sandbox */
	r = channel_new(room->base, AGENT_FD, &agent_ops, room, &room->agent);
	if (r == 0) {
		/* What libevent restores: systemd's SIGTERM may come when all is saved. */
		signal(SIGTERM, SIG_IGN);
		room->sigterm = evsignal_new(room->base, SIGTERM, handle_sigterm, room);
		if (!room->sigterm || event_add(room->sigterm, NULL))
			r = -ENOMEM;
	}
	if (r == 0)
		r = enter_sandbox();
	if (r == 0)
		r = greet(room);
	if (r < 0) {
		log_message(LOG_ERR, "cannot talk to the agent: %s", strerror(-r));
		return r;
	}
	return event_base_dispatch(room->base) < 0 ? -EIO : 0;
}

static int run(const struct arguments *arguments)
{
	struct profiles profiles = { NULL, 0 };
	struct room room = { .profiles = &profiles };
	int r;

	r = load(arguments, &profiles);
	if (r == 0 && !arguments->check) {
		room.base = event_base_new();
		r = room.base ? serve(&room, arguments) : -ENOMEM;
	}
	session_table_free(room.sessions);
	resume_free(room.resume);
	succession_free(room.succession);
	if (room.sigterm)
		event_free(room.sigterm);
	channel_free(room.agent);
	keyclient_free(room.keys);
	profiles_free(&profiles);
	coroutine_drain();
	priority_forget();
	if (room.base)
		event_base_free(room.base);
	libevent_global_shutdown();
	return r;
}

/* GnuTLS writes traffic secrets wherever the environment tells it to, and leaves some about. */
static void keep_secrets(void)
{
	wipe_freed_memory();
	unsetenv("SSLKEYLOGFILE");
	gnutls_global_set_log_level(0);
}

static int last_fd(const struct arguments *arguments)
{
	int last = KEYS_FD;

	for (size_t i = 0; i < arguments->predecessor_count; i++)
		if (arguments->predecessors[i] > last)
			last = arguments->predecessors[i];
	return last;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	int r;

	if (parse_arguments(argc, argv, &arguments) < 0) {
		usage(stderr);
		return 2;
	}
	keep_secrets();
	signal(SIGPIPE, SIG_IGN);
	log_open("tlshd-session", arguments.to_stderr, arguments.verbose);
	if (!arguments.check) {
		r = sandbox_early(last_fd(&arguments));
		/* whoever possesses a kernel key can read it: the key holder alone */
		if (r == 0)
			r = sandbox_leave_keyrings();
		if (r < 0) {
			log_message(LOG_ERR, "cannot protect this process: %s", strerror(-r));
			return 1;
		}
	}
	return run(&arguments) < 0 ? 1 : 0;
}
