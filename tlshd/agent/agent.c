// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent: gives each handshake that waits to the current generation, if the
 * policy allows it, and keeps a generation there through deaths and reloads.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <time.h>

#include <glib.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "config.h"
#include "log.h"
#include "netlink.h"
#include "policy.h"
#include "session.h"

#define AGENT_ACCEPT_BATCH   64 /* handshakes per turn of the event loop */
#define AGENT_MAX_FDS	     1048576
#define AGENT_BACKOFF_MIN_MS 100 /* between starts that fail; doubled each time */
#define AGENT_BACKOFF_MAX_MS 10000
#define AGENT_STABLE_USEC    10000000 /* a generation that lived so long is started anew at once */

enum { SIGNAL_TERM, SIGNAL_INT, SIGNAL_HUP, SIGNALS };

struct agent {
	const struct generation_settings *settings;
	struct event_base *base;
	struct netlink *netlink;
	struct sessions *sessions;
	GPtrArray *generations;	      /* all of them, for the agent's end */
	struct generation *current;   /* gets new handshakes; NULL: none is there */
	struct generation *candidate; /* is being started */
	bool registered;
	unsigned int failures; /* starts in a row that did not come to HELLO or died soon */
	uint64_t ready_since;  /* of current, microseconds */
	char reason[200];      /* of the last failure */
	struct event *restart;
	struct event *accept;
	struct event *signals[SIGNALS];
	int status; /* exit status */
};

static const struct generation_ops generation_ops;

/*
 * What the agent itself takes from the file as it is now: the policy, and whether
 * ktls-utils' loglevel asks for more lines.  On failure *ret_error (to free()) is
 * the mistake.
 */
static int load_file(const char *path, struct policy **ret_policy, bool *ret_verbose,
		     char **ret_error)
{
	struct config *config = NULL;
	uint64_t level = 0;
	char *error = NULL;
	int ret;

	ret = config_load(path, &config, &error);
	if (ret == 0)
		ret = config_u64(config, "debug", "loglevel", 0, INT_MAX, &level, &error);
	if (ret >= 0)
		ret = policy_load(config, ret_policy, &error);
	config_free(config);
	if (ret < 0)
		*ret_error = error ? error : strdup(strerror(-ret));
	else
		*ret_verbose = level > 0;
	return ret;
}

int agent_check(const struct generation_settings *settings)
{
	struct policy *policy = NULL;
	char *error = NULL;
	bool verbose;
	int status;

	if (load_file(settings->config_path, &policy, &verbose, &error) < 0) {
		fprintf(stderr, "%s\n", error);
		free(error);
		return AGENT_EXIT_FAILED;
	}
	policy_free(policy);
	status = generation_check("tlshd-session", settings);
	return generation_check("tlshd-keys", settings) | status;
}

static int start_candidate(struct agent *agent)
{
	struct generation_settings settings = *agent->settings;
	struct policy *policy = NULL;
	bool verbose = false;
	char *error = NULL;
	int ret;

	ret = load_file(settings.config_path, &policy, &verbose, &error);
	if (ret < 0) {
		log_message(LOG_ERR, "%s", error);
		free(error);
		return ret;
	}
	settings.verbose |= verbose;
	log_open("tlshd", settings.to_stderr, settings.verbose);
	ret = generation_start(agent->base, &settings, policy, &generation_ops, agent,
			       &agent->candidate);
	if (ret == 0)
		g_ptr_array_add(agent->generations, agent->candidate);
	return ret;
}

static void schedule_restart(struct agent *agent)
{
	unsigned int ms = 0;
	struct timeval delay;

	if (agent->failures) {
		ms = AGENT_BACKOFF_MIN_MS << MIN(agent->failures - 1, 7);
		ms = MIN(ms, AGENT_BACKOFF_MAX_MS);
		log_message(LOG_NOTICE, "starting tlshd-session and tlshd-keys again in %u ms", ms);
	}
	delay.tv_sec = ms / 1000;
	delay.tv_usec = ms % 1000 * 1000;
	evtimer_add(agent->restart, &delay);
	/* Whoever waits meanwhile shall not wait for a time-out. */
	event_active(agent->accept, EV_TIMEOUT, 1);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	if (agent->current || agent->candidate)
		return;
	if (start_candidate(agent) < 0) {
		snprintf(agent->reason, sizeof(agent->reason), "tlshd-session cannot be started");
		agent->failures++;
		schedule_restart(agent);
	}
}

static void stop(struct agent *agent, int status)
{
	agent->status = status;
	event_base_loopbreak(agent->base);
}

static void on_ready(void *arg, struct generation *generation)
{
	struct agent *agent = arg;
	int ret;

	if (generation != agent->candidate)
		return;
	if (agent->current) {
		log_message(LOG_NOTICE, "configuration reloaded: generation %u follows %u",
			    generation_handler(generation)->number,
			    generation_handler(agent->current)->number);
		generation_retire(agent->current);
	}
	agent->current = generation;
	agent->candidate = NULL;
	agent->ready_since = session_now();
	if (!agent->registered) {
		ret = netlink_register(agent->netlink);
		if (ret < 0) {
			log_message(LOG_ERR, "cannot register with tls_handoff.ko: %s%s",
				    strerror(-ret),
				    ret == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
			stop(agent, AGENT_EXIT_FAILED);
			return;
		}
		agent->registered = true;
		log_message(LOG_NOTICE, "ready");
	}
	sd_notify(0, "READY=1");
	event_active(agent->accept, EV_TIMEOUT, 1);
}

static int on_message(void *arg, struct generation *generation,
		      const struct channel_message *message)
{
	struct agent *agent = arg;

	return sessions_message(agent->sessions, generation_handler(generation), message);
}

static void on_candidate_failed(struct agent *agent, const char *words)
{
	agent->candidate = NULL;
	if (agent->current) {
		log_message(LOG_ERR, "the new configuration is not used, the old one stays: %s",
			    words);
		sd_notify(0, "READY=1");
	} else if (!agent->registered) {
		log_message(LOG_ERR, "%s", words);
		stop(agent, AGENT_EXIT_FAILED);
	} else {
		log_message(LOG_ERR, "%s", words);
		agent->failures++;
		schedule_restart(agent);
	}
}

static void on_current_died(struct agent *agent, const char *words)
{
	agent->current = NULL;
	log_message(LOG_ERR, "%s", words);
	if (session_now() - agent->ready_since >= AGENT_STABLE_USEC)
		agent->failures = 0;
	if (!agent->candidate)
		schedule_restart(agent);
	agent->failures++;
}

static void on_ended(void *arg, struct generation *generation, enum generation_end how,
		     const char *words)
{
	struct handler *handler = generation_handler(generation);
	struct agent *agent = arg;

	g_ptr_array_remove_fast(agent->generations, generation);
	if (how != GENERATION_RETIRED)
		snprintf(agent->reason, sizeof(agent->reason), "%s", words);
	if (how == GENERATION_RETIRED)
		log_message(handler->sessions ? LOG_ERR : LOG_DEBUG, "generation %u: %s",
			    handler->number, words);
	sessions_orphan(agent->sessions, handler, words);
	if (generation == agent->candidate)
		on_candidate_failed(agent, words);
	else if (generation == agent->current)
		on_current_died(agent, words);
}

static const struct generation_ops generation_ops = {
	.ready = on_ready,
	.message = on_message,
	.ended = on_ended,
};

static void begin(struct agent *agent, struct handshake *handshake)
{
	const struct policy_caller caller = {
		.profile = handshake->profile[0] ? handshake->profile : "default",
		.role = handshake->role,
		.uid = handshake->uid,
		.gid = handshake->gid,
		.cgroup = handshake->cgroup,
	};
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	int ret;

	if (!agent->current) {
		snprintf(words, sizeof(words), "tlshd cannot handshake now: %s", agent->reason);
		sessions_refuse(agent->sessions, handshake, ESRCH, words);
		return;
	}
	ret = policy_check(generation_policy(agent->current), &caller, words, sizeof(words));
	if (ret < 0)
		sessions_refuse(agent->sessions, handshake, -ret, words);
	else
		sessions_open(agent->sessions, generation_handler(agent->current), handshake);
}

/* Handshakes wait in the kernel while a generation is being started, except after failures. */
static bool may_accept(const struct agent *agent)
{
	if (agent->current)
		return generation_usable(agent->current);
	return agent->registered && agent->failures > 1;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct handshake handshake;
	int i, ret;

	for (i = 0; i < AGENT_ACCEPT_BATCH; i++) {
		if (!may_accept(agent))
			return;
		ret = netlink_accept(agent->netlink, &handshake);
		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			log_message(LOG_ERR, "cannot accept a handshake: %s", strerror(-ret));
			/* The kernel failed that one; behind it may be others. */
			if (ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM || ret == -EMSGSIZE)
				continue;
			return;
		}
		begin(agent, &handshake);
		handshake_clear(&handshake);
	}
	event_active(agent->accept, EV_TIMEOUT, 1);
}

static void on_netlink_ready(void *arg)
{
	on_accept(-1, 0, arg);
}

static const struct netlink_ops netlink_ops = { on_netlink_ready };

static void reload(struct agent *agent)
{
	struct generation *previous = agent->candidate;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	agent->candidate = NULL;
	if (start_candidate(agent) < 0) {
		agent->candidate = previous;
		log_message(LOG_ERR, "the new configuration is not used, the old one stays");
		sd_notify(0, "READY=1");
		return;
	}
	/* One that was still starting would come with an older state of the file. */
	if (previous)
		generation_retire(previous);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct agent *agent = arg;

	if (number == SIGHUP) {
		reload(agent);
		return;
	}
	sd_notify(0, "STOPPING=1");
	log_message(LOG_NOTICE, "ending, %zu sessions open", sessions_count(agent->sessions));
	stop(agent, 0);
}

static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < AGENT_MAX_FDS) {
		struct rlimit more = { AGENT_MAX_FDS, AGENT_MAX_FDS };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * What is kept: CAP_NET_ADMIN for the netlink family, CAP_KILL to end children that
 * have other user ids.  As root, a child that is executed on a reload gets the
 * capabilities back that it needs to enter its sandbox.
 */
static int drop_capabilities(void)
{
	const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_KILL };
	cap_t caps = cap_init();
	cap_flag_value_t has;
	cap_t now = cap_get_proc();
	int ret = 0;

	if (!caps || !now) {
		ret = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &has) < 0 || has != CAP_SET)
			continue;
		cap_set_flag(caps, CAP_PERMITTED, 1, &kept[i], CAP_SET);
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept[i], CAP_SET);
	}
	if (cap_set_proc(caps) < 0)
		ret = -errno;
out:
	cap_free(caps);
	cap_free(now);
	return ret;
}

static bool may_administer(void)
{
	cap_flag_value_t has = CAP_CLEAR;
	cap_t now = cap_get_proc();

	if (now)
		cap_get_flag(now, CAP_NET_ADMIN, CAP_EFFECTIVE, &has);
	cap_free(now);
	return has == CAP_SET;
}

static int setup(struct agent *agent)
{
	const int signals[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
	int i;

	agent->base = event_base_new();
	if (!agent->base)
		return -ENOMEM;
	agent->restart = evtimer_new(agent->base, on_restart, agent);
	agent->accept = event_new(agent->base, -1, 0, on_accept, agent);
	if (!agent->restart || !agent->accept)
		return -ENOMEM;
	for (i = 0; i < SIGNALS; i++) {
		agent->signals[i] = evsignal_new(agent->base, signals[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL))
			return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int start(struct agent *agent)
{
	int ret;

	if (!may_administer()) {
		log_message(LOG_ERR, "tlshd must be started as root: CAP_NET_ADMIN is missing");
		return AGENT_EXIT_FAILED;
	}
	ret = setup(agent);
	if (ret == 0)
		ret = netlink_open(agent->base, &netlink_ops, agent, &agent->netlink);
	if (ret == -ENOENT) {
		log_message(LOG_ERR, "the kernel does not have tls_handoff.ko: load it with "
				     "\"modprobe tls_handoff\" and start tlshd again");
		return AGENT_EXIT_NO_MODULE;
	}
	if (ret == 0)
		ret = sessions_new(agent->base, agent->netlink, &agent->sessions);
	if (ret < 0) {
		log_message(LOG_ERR, "cannot start: %s", strerror(-ret));
		return AGENT_EXIT_FAILED;
	}
	raise_fd_limit();
	if (start_candidate(agent) < 0)
		return AGENT_EXIT_FAILED;
	ret = drop_capabilities();
	if (ret < 0) {
		log_message(LOG_ERR, "cannot drop capabilities: %s", strerror(-ret));
		return AGENT_EXIT_FAILED;
	}
	return 0;
}

int agent_run(const struct generation_settings *settings)
{
	struct agent agent = { .settings = settings };
	guint i;

	agent.generations = g_ptr_array_new();
	agent.status = start(&agent);
	if (agent.status == 0)
		event_base_dispatch(agent.base);
	/* Closing the session fds ends pending handshakes; closing the channels, the children. */
	sessions_free(agent.sessions);
	for (i = 0; i < agent.generations->len; i++)
		generation_free(agent.generations->pdata[i]);
	g_ptr_array_unref(agent.generations);
	netlink_close(agent.netlink);
	for (i = 0; i < SIGNALS; i++)
		if (agent.signals[i])
			event_free(agent.signals[i]);
	if (agent.accept)
		event_free(agent.accept);
	if (agent.restart)
		event_free(agent.restart);
	if (agent.base)
		event_base_free(agent.base);
	return agent.status;
}
