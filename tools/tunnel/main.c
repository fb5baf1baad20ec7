// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff-tunnel, which "tls-handoff tunnel" runs: signals, and what systemd hears.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "command.h"
#include "commands.h"
#include "handoff.h"
#include "log.h"
#include "tunnel.h"

/* What signals ask for; looked at between two turns of the loop */
struct signals {
	struct watch watch;
	bool reload;
	unsigned int stops;
};

static void signals_ready(struct watch *watch, uint32_t events)
{
	struct signals *signals = (struct signals *)watch;
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			signals->reload = true;
		else
			signals->stops++;
	}
}

static int signals_open(struct signals *signals, struct loop *loop)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	*signals = (struct signals){ .watch.ready = signals_ready };
	signals->watch.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->watch.fd < 0)
		return -errno;
	return loop_add(loop, &signals->watch, EPOLLIN);
}

static void reload(struct tunnel *tunnel)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	if (tunnel_reload(tunnel) < 0)
		log_message(LOG_ERR, "the new configuration is not used, the old one stays");
	else
		log_message(LOG_NOTICE, "configuration reloaded, %u connections open",
			    tunnel->connections.count);
	sd_notify(0, "READY=1");
}

/* Lets the open connections end, for @drain seconds or until the next signal. */
static int drain(struct tunnel *tunnel, const struct signals *signals, unsigned int seconds)
{
	uint64_t end = tunnel->connections.loop.now + (uint64_t)seconds * 1000;
	int r = 0;

	sd_notify(0, "STOPPING=1");
	tunnel_stop(tunnel);
	log_message(LOG_NOTICE, "ending, %u connections open", tunnel->connections.count);
	while (r == 0 && tunnel->connections.count && signals->stops == 1 &&
	       tunnel->connections.loop.now < end)
		r = tunnel_turn(tunnel, (int)(end - tunnel->connections.loop.now));
	if (tunnel->connections.count)
		log_message(LOG_NOTICE, "%u connections are cut off", tunnel->connections.count);
	return r;
}

static int serve(struct tunnel *tunnel, const struct command *command)
{
	struct signals signals;
	int r;

	r = signals_open(&signals, &tunnel->connections.loop);
	if (r == 0) {
		log_message(LOG_NOTICE, "ready");
		sd_notify(0, "READY=1");
	}
	while (r == 0 && !signals.stops) {
		r = tunnel_turn(tunnel, -1);
		if (signals.reload && !signals.stops) {
			signals.reload = false;
			reload(tunnel);
		}
	}
	if (r == 0)
		r = drain(tunnel, &signals, command->drain);
	if (r < 0)
		log_message(LOG_ERR, "the event loop failed: %s", strerror(-r));
	return r;
}

static int test(const struct command *command)
{
	struct settings_list list;
	char *error;

	if (settings_load(command->path, command->text, &list, &error) < 0) {
		log_message(LOG_ERR, "%s", error ? error : "out of memory");
		free(error);
		return EXIT_USAGE;
	}
	settings_list_clear(&list);
	return EXIT_DONE;
}

static int run(const struct command *command)
{
	struct tunnel tunnel;
	int r;

	if (handoff_available() == -ENOENT) {
		log_message(LOG_ERR, "the kernel module is not loaded: modprobe tls_handoff");
		return EXIT_UNAVAILABLE;
	}
	r = tunnel_open(&tunnel, command->path, command->text);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : EXIT_IO;
	r = serve(&tunnel, command);
	tunnel_close(&tunnel);
	return r < 0 ? EXIT_IO : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct command command;
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = command_parse(argc, argv, &command);
	if (r <= 0)
		return r < 0 ? EXIT_USAGE : EXIT_DONE;
	log_open("tls-handoff tunnel", true, command.verbose);
	r = command.test ? test(&command) : run(&command);
	free(command.text);
	return r;
}
