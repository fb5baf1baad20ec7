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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "generation.h"
#include "log.h"
#include "policy.h"

#define GENERATION_HELLO_SECONDS 60   /* a slow TPM loads and tests many keys meanwhile */
#define GENERATION_WAIT_MS	 500  /* between a channel's end and the exit status */
#define GENERATION_EXIT_MS	 3000 /* to exit by itself, so that a TPM's slots are given back */

#define GENERATION_FINISH_SECONDS 5 /* to answer, save and exit */
#define SESSION_SOCKETS		  2 /* what tlshd-session inherits first */

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
	time_t since;
	struct child children[CHILDREN];
	struct event *timer; /* HELLO's deadline, then the wait for an exit status */
	struct event *end;   /* runs the end from the loop */
	int state;	     /* O_PATH descriptor that came with HELLO, or -1 */
	bool ready;
	bool keyless;	/* the key holder has died */
	bool closed;	/* the channel is at its end */
	bool finishing; /* the agent has said its last word */
	bool finished;	/* and the session handler, too */
	bool retired;
	bool ended;   /* end is scheduled; words say why */
	bool reaping; /* the owner knows; only the processes' exit is missing */
	char words[256];
};

void generation_info(const struct generation *generation, struct generation_info *ret_info)
{
	ret_info->number = generation->handler.number;
	ret_info->session = generation->children[SESSION].pid;
	ret_info->keys = generation->children[KEYS].pid;
	ret_info->since = generation->since;
}

struct handler *generation_handler(struct generation *generation)
{
	return &generation->handler;
}

bool generation_alive(const struct generation *generation)
{
	return generation->ready && !generation->closed && !generation->finishing &&
	       !generation->ended;
}

bool generation_usable(const struct generation *generation)
{
	return generation_alive(generation) && !generation->keyless;
}

bool generation_finishing(const struct generation *generation)
{
	return generation->finishing;
}

int generation_take_state(struct generation *generation)
{
	int fd = generation->state;

	generation->state = -1;
	return fd;
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

/* The owner looks at the number of handshakes itself, from the loop. */
static void on_idle(struct handler *handler)
{
	struct generation *generation = (struct generation *)handler;

	if (generation->ops->idle && generation->ready)
		generation->ops->idle(generation->arg, generation);
}

static bool generation_running(const struct generation *generation)
{
	return generation->children[SESSION].pid || generation->children[KEYS].pid;
}

/* Who did not come up has said why: a mistake in the configuration, for instance. */
static void generation_find_mistake(struct generation *generation)
{
	const char *error = NULL;
	int i;

	for (i = 0; i < CHILDREN && !error; i++)
		if (generation->children[i].status)
			error = child_log_error(generation->children[i].log);
	if (error)
		snprintf(generation->words, sizeof(generation->words), "%s", error);
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
	if (generation->finished)
		how = GENERATION_FINISHED;
	else if (generation->retired)
		how = GENERATION_RETIRED;
	else if (generation->ready)
		how = GENERATION_DIED;
	else
		generation_find_mistake(generation);
	generation->ops->ended(generation->arg, generation, how, generation->words);
	if (!generation_running(generation) || evtimer_add(generation->timer, &patience))
		generation_free(generation);
}

/* Only a path to a file, as the protocol has it: nothing that reading or closing could hang on. */
static bool is_state(int fd)
{
	struct stat status;

	return fcntl(fd, F_GETFL) & O_PATH && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
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
	generation->state = channel_take_fd(message);
	if (generation->state >= 0 && !is_state(generation->state)) {
		log_message(LOG_ERR, "tlshd-session passed something else than its memory");
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
	if (message->type == CHANNEL_RETIRE) {
		generation->ops->failing(generation->arg, generation,
					 "tlshd-session was asked to end");
		return 0;
	}
	return generation->ops->message(generation->arg, generation, message);
}

/* Its last words are heard when the channel is at its end; its state is complete when it exited. */
static void generation_check_finished(struct generation *generation)
{
	const struct child *session = &generation->children[SESSION];

	if (!generation->closed || session->pid)
		return;
	generation->finished = WIFEXITED(session->status) && !WEXITSTATUS(session->status);
	generation->retired = true;
	generation_stop(generation, generation->finished ? "it has left its state" :
							   "it could not leave its state");
}

/* The channel ends a moment before the process does: its exit status says more. */
static void on_channel_closed(void *arg, int error)
{
	const struct timeval moment = { 0, GENERATION_WAIT_MS * 1000 };
	struct generation *generation = arg;

	generation->closed = true;
	if (generation->finishing && !error)
		generation_check_finished(generation);
	else if (error && error != -ECONNRESET)
		generation_stop(generation, "tlshd-session's channel failed: %s", strerror(-error));
	else if (evtimer_add(generation->timer, &moment))
		generation_stop(generation, "tlshd-session closed its channel");
}

static const struct channel_ops channel_ops = { on_message, on_channel_closed, true };

/* Which child's end is the reason of the other's: -1 if none has ended. */
static int generation_cause(const struct generation *generation)
{
	const struct child *children = generation->children;
	int i, cause = -1;

	for (i = 0; i < CHILDREN; i++) {
		if (children[i].pidfd < 0 || children[i].pid)
			continue;
		if (i == KEYS && generation->keyless)
			continue; /* that was said */
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

/* The session handler can do without the key holder, except in handshakes. */
static void generation_lost_keys(struct generation *generation)
{
	char how[64], words[128];

	generation->keyless = true;
	child_describe(generation->children[KEYS].status, how, sizeof(how));
	snprintf(words, sizeof(words), "tlshd-keys ended unexpectedly (%s)", how);
	generation->ops->failing(generation->arg, generation, words);
}

static bool generation_has_lost_keys(const struct generation *generation, int cause)
{
	return cause == KEYS && generation->ready && !generation->closed &&
	       generation->children[SESSION].pid;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct generation *generation = arg;
	int cause = generation_cause(generation);

	if (generation->reaping) {
		generation_free(generation);
	} else if (generation->finishing) {
		generation->retired = true;
		if (generation->children[SESSION].pid)
			kill(generation->children[SESSION].pid, SIGKILL);
		generation_stop(generation, "it did not leave its state within %d seconds",
				GENERATION_FINISH_SECONDS);
	} else if (generation_has_lost_keys(generation, cause)) {
		generation_lost_keys(generation);
	} else if (cause >= 0) {
		generation_blame(generation, cause);
	} else if (generation->closed) {
		generation_stop(generation, "tlshd-session closed its channel");
	} else if (!generation->ready) {
		generation_stop(generation, "tlshd-session was not ready within %d seconds",
				GENERATION_HELLO_SECONDS);
	}
}

/* One that ends draws the other one with it, and they are not always seen in that order. */
static void generation_child_ended(struct generation *generation)
{
	const struct timeval moment = { 0, GENERATION_WAIT_MS * 1000 };
	int cause = generation_cause(generation);

	if (cause < 0)
		return;
	if (generation_has_lost_keys(generation, cause)) {
		if (generation->children[KEYS].status || evtimer_add(generation->timer, &moment))
			generation_lost_keys(generation);
		return;
	}
	generation->closed = true;
	if (WIFSIGNALED(generation->children[cause].status) || !generation_running(generation) ||
	    evtimer_add(generation->timer, &moment))
		generation_blame(generation, cause);
}

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct generation *generation = arg;
	int i;

	for (i = 0; i < CHILDREN; i++) {
		struct child *child = &generation->children[i];

		if (!child->pid || waitpid(child->pid, &child->status, WNOHANG) != child->pid)
			continue;
		child->pid = 0;
		event_del(child->exit_event);
	}
	if (generation->reaping) {
		if (!generation_running(generation))
			generation_free(generation);
	} else if (generation->finishing) {
		generation_check_finished(generation);
	} else {
		generation_child_ended(generation);
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
	const char *argv[6 + 2 * GENERATION_MAX_STATES] = { programs[which], "-c",
							    settings->config_path, "-s" };
	struct child *child = &generation->children[which];
	char numbers[GENERATION_MAX_STATES][8];
	size_t i, argc = 4;
	int ret, log[2];

	if (settings->verbose)
		argv[argc++] = "-v";
	/* Behind the two sockets come the memories of those before it. */
	for (i = SESSION_SOCKETS; i < fd_count; i++) {
		snprintf(numbers[i - SESSION_SOCKETS], sizeof(numbers[0]), "%zu",
			 CHILD_FIRST_FD + i);
		argv[argc++] = "-r";
		argv[argc++] = numbers[i - SESSION_SOCKETS];
	}
	if (pipe2(log, O_CLOEXEC) < 0)
		return -errno;
	ret = child_log_new(generation->base, log[0], programs[which], settings->to_stderr,
			    &child->log);
	if (ret < 0) {
		close(log[0]);
		close(log[1]);
		return ret;
	}
	ret = child_start(programs[which], argv, fds, fd_count, log[1], &child->pid);
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
	int fds[SESSION_SOCKETS + GENERATION_MAX_STATES];
	size_t i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keys) < 0) {
		ret = -errno;
		goto out;
	}
	fds[0] = agent[1];
	fds[1] = keys[0];
	for (i = 0; i < settings->state_count; i++)
		fds[SESSION_SOCKETS + i] = settings->states[i];
	ret = start_child(generation, KEYS, settings, (int[]){ keys[1] }, 1);
	if (ret == 0)
		ret = start_child(generation, SESSION, settings, fds,
				  SESSION_SOCKETS + settings->state_count);
	if (ret == 0)
		ret = channel_new(generation->base, agent[0], &channel_ops, generation,
				  &generation->handler.channel);
	if (ret == 0)
		agent[0] = -1;
out:
	for (i = 0; i < 2; i++) {
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
	generation->since = time(NULL);
	generation->handler.number = settings->number;
	generation->handler.idle = on_idle;
	generation->state = -1;
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
	generation_stop(generation, "it is not wanted any more");
}

void generation_finish(struct generation *generation)
{
	const struct timeval patience = { GENERATION_FINISH_SECONDS, 0 };

	if (generation->finishing || generation->ended)
		return;
	generation->finishing = true;
	if (evtimer_add(generation->timer, &patience)) {
		generation_retire(generation);
		return;
	}
	channel_shut(generation->handler.channel);
	generation_check_finished(generation);
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
	if (generation->state >= 0)
		close(generation->state);
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
