// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting, watching and ending the pair of tlshd-session and tlshd-keys.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "generation.h"
#include "log.h"
#include "policy.h"

#define GENERATION_HELLO_SECONDS 60   /* a slow TPM loads and tests many keys meanwhile */
#define GENERATION_WAIT_MS	 500  /* between a channel's end and the exit status */
#define GENERATION_EXIT_MS	 3000 /* to exit by itself, so that a TPM's slots are given back */

enum { SESSION, KEYS, CHILDREN };

static const char *const programs[CHILDREN] = { "tlshd-session", "tlshd-keys" };

struct child {
	pid_t pid;		  /* 0: not running */
	int status;		  /* as wait(2) tells it, when it is not */
	struct event *exit_event; /* its pidfd */
	int pidfd;
	struct child_log *log;
};

struct generation {
	struct handler handler; /* must be first */
	struct event_base *base;
	const struct generation_ops *ops;
	void *arg;
	struct policy *policy;
	struct child children[CHILDREN];
	struct event *timer; /* HELLO's deadline, then the wait for an exit status */
	struct event *end;   /* runs the end from the loop */
	bool ready;
	bool closed; /* the channel is at its end */
	bool retired;
	bool ended;   /* end is scheduled; words say why */
	bool reaping; /* the owner knows; only the processes' exit is missing */
	char words[256];
};

struct handler *generation_handler(struct generation *generation)
{
	return &generation->handler;
}

bool generation_usable(const struct generation *generation)
{
	return generation->ready && !generation->closed && !generation->ended;
}

const struct policy *generation_policy(const struct generation *generation)
{
	return generation->policy;
}

/* The first reason counts.  Everything is taken down from the event loop, not from here. */
static void __attribute__((format(printf, 2, 3))) generation_stop(struct generation *generation,
								  const char *format, ...)
{
	va_list args;

	if (generation->ended)
		return;
	generation->ended = true;
	va_start(args, format);
	vsnprintf(generation->words, sizeof(generation->words), format, args);
	va_end(args);
	event_active(generation->end, EV_TIMEOUT, 1);
}

static bool generation_running(const struct generation *generation)
{
	return generation->children[SESSION].pid || generation->children[KEYS].pid;
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval patience = { GENERATION_EXIT_MS / 1000, 0 };
	struct generation *generation = arg;
	enum generation_end how = GENERATION_FAILED;

	/* Its end is what tells the processes to exit, and its sessions must not send any more. */
	channel_free(generation->handler.channel);
	generation->handler.channel = NULL;
	generation->reaping = true;
	if (generation->retired)
		how = GENERATION_RETIRED;
	else if (generation->ready)
		how = GENERATION_DIED;
	generation->ops->ended(generation->arg, generation, how, generation->words);
	if (!generation_running(generation) || evtimer_add(generation->timer, &patience))
		generation_free(generation);
}

static void on_idle(struct handler *handler)
{
	struct generation *generation = (struct generation *)handler;

	if (generation->retired)
		generation_stop(generation, "its last session was closed");
}

static int on_hello(struct generation *generation, const struct channel_message *message)
{
	uint32_t version;

	if (generation->ready || message->session || message->length != sizeof(version))
		return -EPROTO;
	memcpy(&version, message->payload, sizeof(version));
	if (le32toh(version) != CHANNEL_VERSION) {
		log_message(LOG_ERR, "tlshd-session speaks version %u of the channel, not %u",
			    le32toh(version), CHANNEL_VERSION);
		return -EPROTO;
	}
	generation->ready = true;
	evtimer_del(generation->timer);
	generation->ops->ready(generation->arg, generation);
	return 0;
}

static int on_message(void *arg, const struct channel_message *message)
{
	struct generation *generation = arg;

	if (message->type == CHANNEL_HELLO)
		return on_hello(generation, message);
	if (!generation->ready)
		return -EPROTO;
	return generation->ops->message(generation->arg, generation, message);
}

/* The channel ends a moment before the process does: its exit status says more. */
static void on_channel_closed(void *arg, int error)
{
	const struct timeval moment = { 0, GENERATION_WAIT_MS * 1000 };
	struct generation *generation = arg;

	generation->closed = true;
	if (error && error != -ECONNRESET)
		generation_stop(generation, "tlshd-session's channel failed: %s", strerror(-error));
	else if (evtimer_add(generation->timer, &moment))
		generation_stop(generation, "tlshd-session closed its channel");
}

static const struct channel_ops channel_ops = { on_message, on_channel_closed };

/* Which child's end is the reason of the other's: -1 if none has ended. */
static int generation_cause(const struct generation *generation)
{
	const struct child *children = generation->children;
	int i, cause = -1;

	for (i = 0; i < CHILDREN; i++) {
		if (children[i].pidfd < 0 || children[i].pid)
			continue;
		if (WIFSIGNALED(children[i].status))
			return i;
		if (cause < 0 || !children[cause].status)
			cause = i;
	}
	return cause;
}

static void generation_blame(struct generation *generation, int cause)
{
	char how[64];

	child_describe(generation->children[cause].status, how, sizeof(how));
	generation_stop(generation, "%s ended unexpectedly (%s)", programs[cause], how);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct generation *generation = arg;
	int cause = generation_cause(generation);

	if (generation->reaping)
		generation_free(generation);
	else if (cause >= 0)
		generation_blame(generation, cause);
	else if (generation->closed)
		generation_stop(generation, "tlshd-session closed its channel");
	else
		generation_stop(generation, "tlshd-session was not ready within %d seconds",
				GENERATION_HELLO_SECONDS);
}

/* One that ends draws the other one with it, and they are not always seen in that order. */
static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval moment = { 0, GENERATION_WAIT_MS * 1000 };
	struct generation *generation = arg;
	int i, cause;

	for (i = 0; i < CHILDREN; i++) {
		struct child *child = &generation->children[i];

		if (!child->pid || waitpid(child->pid, &child->status, WNOHANG) != child->pid)
			continue;
		child->pid = 0;
		event_del(child->exit_event);
	}
	cause = generation_cause(generation);
	if (generation->reaping) {
		if (!generation_running(generation))
			generation_free(generation);
	} else if (cause >= 0) {
		generation->closed = true;
		if (WIFSIGNALED(generation->children[cause].status) ||
		    !generation_running(generation) || evtimer_add(generation->timer, &moment))
			generation_blame(generation, cause);
	}
}

static void child_free(struct child *child, bool patient)
{
	struct pollfd poller = { child->pidfd, POLLIN };

	if (child->pid) {
		/* It was told by its channel's end; but nothing may be left behind. */
		if (!patient || child->pidfd < 0 || poll(&poller, 1, GENERATION_EXIT_MS) <= 0)
			kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	if (child->exit_event)
		event_free(child->exit_event);
	if (child->pidfd >= 0)
		close(child->pidfd);
	child_log_free(child->log);
}

static int start_child(struct generation *generation, int which,
		       const struct generation_settings *settings, const int *fds, size_t fd_count)
{
	const char *argv[6] = { programs[which], "-c", settings->config_path, "-s" };
	struct child *child = &generation->children[which];
	int ret, log[2] = { -1, -1 };

	if (settings->verbose)
		argv[4] = "-v";
	if (!settings->to_stderr) {
		if (pipe2(log, O_CLOEXEC) < 0)
			return -errno;
		ret = child_log_new(generation->base, log[0], programs[which], &child->log);
		if (ret < 0) {
			close(log[0]);
			close(log[1]);
			return ret;
		}
	}
	ret = child_start(programs[which], argv, fds, fd_count, log[1], &child->pid);
	if (log[1] >= 0)
		close(log[1]);
	if (ret < 0)
		return ret;
	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0)
		return -errno;
	child->exit_event = event_new(generation->base, child->pidfd, EV_READ | EV_PERSIST,
				      on_exit_event, generation);
	if (!child->exit_event || event_add(child->exit_event, NULL))
		return -ENOMEM;
	return 0;
}

/* Both pairs of sockets, both processes; the agent keeps one end of four. */
static int start_children(struct generation *generation, const struct generation_settings *settings)
{
	int agent[2] = { -1, -1 }, keys[2] = { -1, -1 }, ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keys) < 0) {
		ret = -errno;
		goto out;
	}
	ret = start_child(generation, KEYS, settings, (int[]){ keys[1] }, 1);
	if (ret == 0)
		ret = start_child(generation, SESSION, settings, (int[]){ agent[1], keys[0] }, 2);
	if (ret == 0)
		ret = channel_new(generation->base, agent[0], &channel_ops, generation,
				  &generation->handler.channel);
	if (ret == 0)
		agent[0] = -1;
out:
	for (int i = 0; i < 2; i++) {
		if (agent[i] >= 0)
			close(agent[i]);
		if (keys[i] >= 0)
			close(keys[i]);
	}
	return ret;
}

int generation_start(struct event_base *base, const struct generation_settings *settings,
		     struct policy *policy, const struct generation_ops *ops, void *arg,
		     struct generation **ret_generation)
{
	const struct timeval deadline = { GENERATION_HELLO_SECONDS, 0 };
	static unsigned int number;
	struct generation *generation;
	uint32_t version = htole32(CHANNEL_VERSION);
	int ret = -ENOMEM;

	generation = calloc(1, sizeof(*generation));
	if (!generation) {
		policy_free(policy);
		return -ENOMEM;
	}
	generation->base = base;
	generation->ops = ops;
	generation->arg = arg;
	generation->policy = policy;
	generation->handler.number = ++number;
	generation->handler.idle = on_idle;
	for (int i = 0; i < CHILDREN; i++)
		generation->children[i].pidfd = -1;
	generation->timer = evtimer_new(base, on_timer, generation);
	generation->end = event_new(base, -1, 0, on_end, generation);
	if (generation->timer && generation->end && !evtimer_add(generation->timer, &deadline))
		ret = start_children(generation, settings);
	if (ret == 0)
		ret = channel_send(generation->handler.channel, CHANNEL_HELLO, 0, false, &version,
				   sizeof(version));
	/* Gone already: the event loop will see how it ended. */
	if (ret == -EPIPE)
		ret = 0;
	if (ret < 0) {
		log_message(LOG_ERR, "cannot start tlshd-session and tlshd-keys: %s",
			    strerror(-ret));
		generation_free(generation);
		return ret;
	}
	*ret_generation = generation;
	return 0;
}

void generation_retire(struct generation *generation)
{
	generation->retired = true;
	if (!generation->handler.sessions)
		generation_stop(generation, "it has no sessions");
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	channel_free(generation->handler.channel);
	for (int i = 0; i < CHILDREN; i++)
		child_free(&generation->children[i], !generation->reaping);
	if (generation->timer)
		event_free(generation->timer);
	if (generation->end)
		event_free(generation->end);
	policy_free(generation->policy);
	free(generation);
}

int generation_check(const char *program, const struct generation_settings *settings)
{
	const char *argv[] = { program, "-c", settings->config_path, "-s", "-t", NULL };
	char how[64];
	int ret, status;
	pid_t pid;

	ret = child_start(program, argv, NULL, 0, -1, &pid);
	if (ret < 0)
		return 1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		return WEXITSTATUS(status);
	child_describe(status, how, sizeof(how));
	log_message(LOG_ERR, "%s -t ended with %s", program, how);
	return 1;
}
