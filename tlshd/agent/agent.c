// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent: gives each handshake that waits to the current generation, if the
 * policy allows it, and keeps a generation there through deaths, reloads and its
 * own restart.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "config.h"
#include "consumer.h"
#include "control.h"
#include "listing.h"
#include "log.h"
#include "netlink.h"
#include "overview.h"
#include "policy.h"
#include "session.h"
#include "succession.h"

#define AGENT_ACCEPT_BATCH   64 /* handshakes per turn of the event loop */
#define AGENT_MAX_FDS	     1048576
#define AGENT_BACKOFF_MIN_MS 100 /* between starts that fail; doubled each time */
#define AGENT_BACKOFF_MAX_MS 10000
#define AGENT_TAGS	     "/etc/tlshd/tags.d"
#define AGENT_STABLE_USEC    10000000 /* a generation that lived so long is started anew at once */

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

struct agent {
	const struct generation_settings *settings;
	struct event_base *base;
	struct netlink *netlink;
	struct consumers consumers; /* family NULL: the kernel has none */
	struct sessions *sessions;
	struct statestore *store;
	struct succession *succession; /* knows the current generation */
	struct control *control;       /* NULL: another tlshd has the socket */
	GPtrArray *generations;	       /* all of them, for the agent's end */
	struct generation *candidate;  /* is being started */
	bool registered;
	bool wanted;	/* a successor, as soon as the last one has settled */
	bool reloading; /* somebody asked for it, and is told how it went */
	bool stopping;
	bool restarting;       /* and is to be executed anew */
	unsigned int failures; /* starts in a row that did not come to HELLO or died soon */
	uint64_t ready_since;  /* of the current generation, microseconds */
	char reason[200];      /* of the last failure */
	time_t since;
	unsigned int reloads, failed_reloads;
	time_t last_reload;
	char mistake[256]; /* of the last reload; empty: there was none */
	struct event *restart;
	struct event *accept, *accept_consumers;
	struct event *signals[G_N_ELEMENTS(signal_numbers)];
	int status; /* exit status */
};

static const struct generation_ops generation_ops;

static int load_keyrings(const struct config *config, struct keyrings *keyrings, char **ret_error)
{
	size_t count = 0;
	char **names;
	int ret;

	ret = config_list(config, "authenticate", "keyrings", &names, &count, ret_error);
	if (ret < 0)
		return ret;
	if (keyrings)
		keyrings_configure(keyrings, names, count);
	if (ret)
		config_list_free(names, count);
	return 0;
}

/*
 * What the agent itself takes from the file as it is now: the policy, the keyrings (@keyrings
 * may be NULL), and whether ktls-utils' loglevel asks for more lines.  On failure *ret_error (to
 * free()) is the mistake.
 */
static int load_file(const char *path, struct policy **ret_policy, struct keyrings *keyrings,
		     bool *ret_verbose, char **ret_error)
{
	struct config *config = NULL;
	uint64_t level = 0;
	char *error = NULL;
	int ret;

	ret = config_load(path, &config, &error);
	if (ret == 0)
		ret = config_u64(config, "debug", "loglevel", 0, INT_MAX, &level, &error);
	if (ret >= 0)
		ret = load_keyrings(config, keyrings, &error);
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

	if (load_file(settings->config_path, &policy, NULL, &verbose, &error) < 0) {
		fprintf(stderr, "%s\n", error);
		free(error);
		return AGENT_EXIT_FAILED;
	}
	policy_free(policy);
	status = generation_check("tlshd-session", settings);
	return generation_check("tlshd-keys", settings) | status;
}

/* ktls-utils 1.4 reads rules from there whose results it hands to the kernel. */
static void look_for_tags(void)
{
	g_autoptr(GDir) folder = g_dir_open(AGENT_TAGS, 0, NULL);

	if (folder && g_dir_read_name(folder))
		log_message(LOG_WARNING,
			    AGENT_TAGS " is not used: this kernel takes no session tags; move "
				       "the folder away to be rid of this message");
}

/* On failure *ret_error, if wanted, is the mistake; to free(). */
static int start_candidate(struct agent *agent, char **ret_error)
{
	struct generation_settings settings = *agent->settings;
	struct policy *policy = NULL;
	bool verbose = false;
	char *error = NULL;
	int ret;

	ret = load_file(settings.config_path, &policy, agent->consumers.keyrings, &verbose, &error);
	if (ret < 0) {
		log_message(LOG_ERR, "%s", error);
		if (ret_error)
			*ret_error = error;
		else
			free(error);
		return ret;
	}
	settings.verbose |= verbose;
	log_open("tlshd", settings.to_stderr, settings.verbose);
	look_for_tags();
	settings.number = statestore_next(agent->store);
	settings.state_count =
		statestore_list(agent->store, settings.states, G_N_ELEMENTS(settings.states));
	ret = generation_start(agent->base, &settings, policy, &generation_ops, agent,
			       &agent->candidate);
	if (ret == 0)
		g_ptr_array_add(agent->generations, agent->candidate);
	return ret;
}

/* Looks from the event loop whether handshakes wait. */
static void accept_all(struct agent *agent)
{
	event_active(agent->accept, EV_TIMEOUT, 1);
	event_active(agent->accept_consumers, EV_TIMEOUT, 1);
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
	accept_all(agent);
}

/* Handshakes can be given to the current generation. */
static bool has_handler(const struct agent *agent)
{
	const struct generation *current = succession_current(agent->succession);

	return current && generation_usable(current);
}

static void stop(struct agent *agent, int status)
{
	agent->status = status;
	event_base_loopbreak(agent->base);
}

/* To those who asked for a reload: @error is the mistake, or NULL. */
static void tell_reload(struct agent *agent, const char *error)
{
	if (!agent->reloading || agent->wanted)
		return;
	agent->reloading = false;
	agent->reloads++;
	agent->failed_reloads += error != NULL;
	agent->last_reload = time(NULL);
	snprintf(agent->mistake, sizeof(agent->mistake), "%s", error ? error : "");
	if (error)
		log_message(LOG_ERR, "the new configuration is not used, the old one stays: %s",
			    error);
	control_reloaded(agent->control, error);
	sd_notify(0, "READY=1");
}

/* Starts the successor that is wanted, unless there would be three generations then. */
static void try_successor(struct agent *agent)
{
	struct generation *previous = agent->candidate;
	char *error = NULL;

	if (!agent->wanted || agent->stopping || succession_busy(agent->succession))
		return;
	agent->wanted = false;
	agent->candidate = NULL;
	if (start_candidate(agent, &error) < 0) {
		agent->candidate = previous;
		tell_reload(agent, error ? error : "tlshd-session cannot be started");
		free(error);
		if (!has_handler(agent) && !previous) {
			agent->failures++;
			schedule_restart(agent);
		}
		return;
	}
	/* One that was still starting would come with an older state of the file. */
	if (previous)
		generation_retire(previous);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	if (has_handler(agent) || agent->candidate || agent->stopping)
		return;
	if (succession_current(agent->succession)) {
		agent->wanted = true;
		try_successor(agent);
	} else if (start_candidate(agent, NULL) < 0) {
		snprintf(agent->reason, sizeof(agent->reason), "tlshd-session cannot be started");
		agent->failures++;
		schedule_restart(agent);
	}
}

static void on_settled(void *arg)
{
	struct agent *agent = arg;

	if (agent->stopping)
		stop(agent, 0);
	else
		try_successor(agent);
}

/* To the module, if it is there; kernel consumers have found us before, and will for longer. */
static int announce(struct agent *agent)
{
	int ret = netlink_register(agent->netlink);

	if (ret == 0 && agent->consumers.family)
		statestore_hold(agent->store, handshake_family_fd(agent->consumers.family));
	return ret;
}

static void on_ready(void *arg, struct generation *generation)
{
	struct generation *current;
	struct agent *agent = arg;
	int ret;

	if (generation != agent->candidate)
		return;
	current = succession_current(agent->succession);
	if (current)
		log_message(LOG_NOTICE, "%s: generation %u follows %u",
			    agent->reloading ? "configuration reloaded" : "new session handler",
			    generation_handler(generation)->number,
			    generation_handler(current)->number);
	agent->candidate = NULL;
	succession_follow(agent->succession, generation);
	agent->ready_since = session_now();
	if (!agent->registered) {
		ret = announce(agent);
		if (ret < 0) {
			log_message(LOG_ERR, "cannot register with the kernel: %s%s",
				    strerror(-ret),
				    ret == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
			stop(agent, AGENT_EXIT_FAILED);
			return;
		}
		agent->registered = true;
		log_message(LOG_NOTICE, "ready");
		sd_notify(0, "READY=1");
	}
	tell_reload(agent, NULL);
	accept_all(agent);
}

static void on_idle(void *arg, struct generation *generation)
{
	struct agent *agent = arg;

	succession_idle(agent->succession, generation);
}

static int on_counts(struct agent *agent, const struct channel_message *message)
{
	uint32_t request;

	if (message->session || message->length < sizeof(request) ||
	    message->length > sizeof(request) + CHANNEL_MAX_COUNTS)
		return -EPROTO;
	memcpy(&request, message->payload, sizeof(request));
	control_counts(agent->control, le32toh(request), message->payload + sizeof(request),
		       message->length - sizeof(request));
	return 0;
}

static int on_message(void *arg, struct generation *generation,
		      const struct channel_message *message)
{
	struct agent *agent = arg;

	if (succession_message(agent->succession, generation, message))
		return 0;
	if (message->type == CHANNEL_COUNTS) {
		/* A predecessor that drains was asked, too; one answer will do. */
		return generation == succession_current(agent->succession) ?
			       on_counts(agent, message) :
			       0;
	}
	return sessions_message(agent->sessions, generation_handler(generation), message);
}

static void on_candidate_failed(struct agent *agent, const char *words)
{
	agent->candidate = NULL;
	if (!agent->reloading)
		log_message(LOG_ERR, "%s", words);
	tell_reload(agent, words);
	if (!agent->registered) {
		stop(agent, AGENT_EXIT_FAILED);
	} else if (!has_handler(agent)) {
		agent->failures++;
		schedule_restart(agent);
	}
}

/* The current generation is of no use for handshakes any more. */
static void on_current_lost(struct agent *agent, const char *words)
{
	log_message(LOG_ERR, "%s", words);
	if (session_now() - agent->ready_since >= AGENT_STABLE_USEC)
		agent->failures = 0;
	if (!agent->candidate)
		schedule_restart(agent);
	agent->failures++;
}

static void on_failing(void *arg, struct generation *generation, const char *words)
{
	struct agent *agent = arg;

	if (!generation_usable(generation)) {
		snprintf(agent->reason, sizeof(agent->reason), "%s", words);
		sessions_fail_handshakes(agent->sessions, generation_handler(generation),
					 ECONNRESET, words);
	}
	if (generation != succession_current(agent->succession) || agent->stopping)
		return;
	if (!generation_usable(generation)) {
		on_current_lost(agent, words);
		return;
	}
	log_message(LOG_NOTICE, "%s: starting its successor", words);
	if (agent->candidate)
		return;
	agent->wanted = true;
	try_successor(agent);
}

static void on_ended(void *arg, struct generation *generation, enum generation_end how,
		     const char *words)
{
	struct agent *agent = arg;
	bool current = generation == succession_current(agent->succession);

	g_ptr_array_remove_fast(agent->generations, generation);
	if (how == GENERATION_FAILED || how == GENERATION_DIED)
		snprintf(agent->reason, sizeof(agent->reason), "%s", words);
	log_message(LOG_DEBUG, "generation %u: %s", generation_handler(generation)->number, words);
	if (generation == agent->candidate) {
		on_candidate_failed(agent, words);
		return;
	}
	succession_ended(agent->succession, generation, how, words);
	if (current && !agent->stopping)
		on_current_lost(agent, words);
}

static const struct generation_ops generation_ops = {
	.ready = on_ready,
	.failing = on_failing,
	.idle = on_idle,
	.message = on_message,
	.ended = on_ended,
};

/* The kernel may use the profiles that it is meant to use; whether there is one is found out
 * by the session handler. */
static int may_use(const struct agent *agent, const struct handshake *handshake, char *words,
		   size_t size)
{
	const struct policy_caller caller = {
		.profile = handshake->profile[0] ? handshake->profile : "default",
		.role = handshake->role,
		.uid = handshake->uid,
		.gid = handshake->gid,
		.cgroup = handshake->cgroup,
	};

	if (handshake->consumer)
		return 0;
	return policy_check(generation_policy(succession_current(agent->succession)), &caller,
			    words, size);
}

static void begin(struct agent *agent, struct handshake *handshake)
{
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	struct generation *current;
	int ret;

	if (!has_handler(agent)) {
		snprintf(words, sizeof(words), "tlshd cannot handshake now: %s", agent->reason);
		sessions_refuse(agent->sessions, handshake, ESRCH, words);
		return;
	}
	current = succession_current(agent->succession);
	ret = may_use(agent, handshake, words, sizeof(words));
	if (ret < 0)
		sessions_refuse(agent->sessions, handshake, -ret, words);
	else
		sessions_open(agent->sessions, generation_handler(current), handshake);
}

/* Handshakes wait in the kernel while a generation is being started, except after failures. */
static bool may_accept(const struct agent *agent)
{
	if (agent->stopping)
		return false;
	return has_handler(agent) || (agent->registered && agent->failures > 1);
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

static const struct policy *policy_now(const struct agent *agent)
{
	const struct generation *current = succession_current(agent->succession);

	return current ? generation_policy(current) : NULL;
}

static void on_accept_consumers(evutil_socket_t fd, short what, void *arg)
{
	struct handshake handshake;
	struct agent *agent = arg;
	bool more;

	if (!agent->consumers.family)
		return;
	agent->consumers.policy = policy_now(agent);
	/* These first: they may be as many as may wait, with others behind them in the kernel. */
	while (may_accept(agent) && consumers_next(&agent->consumers, &handshake) == 0) {
		begin(agent, &handshake);
		consumer_free(handshake.consumer);
		handshake_clear(&handshake);
	}
	more = !agent->stopping && consumers_accept(&agent->consumers);
	if (more || (may_accept(agent) && agent->consumers.waiting_count))
		event_active(agent->accept_consumers, EV_TIMEOUT, 1);
}

static void on_consumers_ready(void *arg)
{
	on_accept_consumers(-1, 0, arg);
}

static const struct handshake_family_ops family_ops = { on_consumers_ready };

static void on_netlink_ready(void *arg)
{
	on_accept(-1, 0, arg);
}

static const struct netlink_ops netlink_ops = { on_netlink_ready };

static void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, session_now());
}

static void reload(struct agent *agent)
{
	notify_reloading();
	agent->reloading = true;
	agent->wanted = true;
	try_successor(agent);
}

static int ask_tickets(struct agent *agent, struct generation *generation, uint32_t request,
		       uint32_t action)
{
	uint32_t payload[2] = { htole32(request), htole32(action) };

	if (!generation || !generation_alive(generation))
		return -ESRCH;
	return channel_send(generation_handler(generation)->channel, CHANNEL_TICKETS, 0, false,
			    payload, sizeof(payload));
}

static int on_control_tickets(void *arg, uint32_t request, uint32_t action)
{
	struct agent *agent = arg;

	/* What one has issued, the other one may get. */
	if (action != CHANNEL_TICKETS_SHOW)
		(void)!ask_tickets(agent, succession_predecessor(agent->succession), request,
				   action);
	return ask_tickets(agent, succession_current(agent->succession), request, action);
}

static void on_control_reload(void *arg)
{
	reload(arg);
}

static void look_over(const struct agent *agent, struct overview *overview)
{
	*overview = (struct overview){
		.registered = agent->registered,
		.since = agent->since,
		.sessions = agent->sessions,
		.current = succession_current(agent->succession),
		.predecessor = succession_predecessor(agent->succession),
		.reason = agent->reason,
		.reloads = agent->reloads,
		.failed_reloads = agent->failed_reloads,
		.last_reload = agent->last_reload,
		.mistake = agent->mistake,
	};
}

static void on_control_status(void *arg, uid_t uid, FILE *lines)
{
	struct overview overview;

	look_over(arg, &overview);
	overview_status(&overview, uid, lines);
}

static void on_control_metrics(void *arg, FILE *lines)
{
	struct overview overview;

	look_over(arg, &overview);
	overview_metrics(&overview, lines);
}

static int on_control_list(void *arg, bool all, uid_t uid, struct listing **ret_listing)
{
	struct agent *agent = arg;

	return listing_new(netlink_family(agent->netlink), all, uid, ret_listing);
}

static const struct control_ops control_ops = {
	.tickets = on_control_tickets,
	.reload = on_control_reload,
	.status = on_control_status,
	.metrics = on_control_metrics,
	.list = on_control_list,
};

/* Without it tlshd serves all the same. */
static void open_control(struct agent *agent)
{
	int ret = control_new(agent->base, &control_ops, agent, &agent->control);

	if (ret == -EADDRINUSE)
		log_message(LOG_WARNING, "another tlshd has the control socket: this one runs "
					 "without");
	else if (ret < 0)
		log_message(LOG_WARNING, "no control socket: %s", strerror(-ret));
}

/* The sessions stay; what their next session handler needs is left for it. */
static void end(struct agent *agent, bool restart)
{
	if (agent->stopping) {
		stop(agent, 0);
		return;
	}
	agent->stopping = true;
	agent->restarting = restart;
	if (restart)
		notify_reloading();
	else
		sd_notify(0, "STOPPING=1");
	log_message(LOG_NOTICE, "%s, %zu sessions open", restart ? "restarting" : "ending",
		    sessions_count(agent->sessions));
	if (agent->candidate)
		generation_retire(agent->candidate);
	agent->candidate = NULL;
	succession_stop(agent->succession);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct agent *agent = arg;

	if (number == SIGHUP)
		reload(agent);
	else
		end(agent, number == SIGUSR2);
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
	size_t i;

	agent->base = event_base_new();
	if (!agent->base)
		return -ENOMEM;
	agent->restart = evtimer_new(agent->base, on_restart, agent);
	agent->accept = event_new(agent->base, -1, 0, on_accept, agent);
	agent->accept_consumers = event_new(agent->base, -1, 0, on_accept_consumers, agent);
	if (!agent->restart || !agent->accept || !agent->accept_consumers)
		return -ENOMEM;
	for (i = 0; i < G_N_ELEMENTS(signal_numbers); i++) {
		agent->signals[i] = evsignal_new(agent->base, signal_numbers[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL))
			return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/*
 * Both families; one of them will do.  Kernel consumers may come from here on, and wait until
 * there is a session handler.  0, or an exit status after a log line.
 */
static int open_kernel(struct agent *agent)
{
	int ret;

	consumers_init(&agent->consumers);
	ret = netlink_open(agent->base, &netlink_ops, agent, &agent->netlink);
	if (ret == 0)
		ret = keyrings_new(&agent->consumers.keyrings);
	if (ret < 0) {
		log_message(LOG_ERR, "cannot start: %s", strerror(-ret));
		return AGENT_EXIT_FAILED;
	}
	agent->consumers.netlink = agent->netlink;
	ret = handshake_family_open(agent->base, &family_ops, agent,
				    statestore_take_held(agent->store), &agent->consumers.family);
	if (ret == 0)
		ret = handshake_family_join(agent->consumers.family);
	if (ret < 0) {
		handshake_family_close(agent->consumers.family);
		agent->consumers.family = NULL;
	}
	if (ret < 0 && !netlink_present(agent->netlink)) {
		log_message(LOG_ERR, "the kernel does not have tls_handoff.ko: load it with "
				     "\"modprobe tls_handoff\" and start tlshd again");
		return AGENT_EXIT_NO_MODULE;
	}
	if (ret < 0)
		log_message(LOG_INFO, "NFS and NVMe/TCP are not served: %s", strerror(-ret));
	else if (!netlink_present(agent->netlink))
		log_message(LOG_NOTICE, "without tls_handoff.ko only NFS and NVMe/TCP are served, "
					"and their key updates are not");
	return 0;
}

static int start(struct agent *agent)
{
	int ret, status;

	if (!may_administer()) {
		log_message(LOG_ERR, "tlshd must be started as root: CAP_NET_ADMIN is missing");
		return AGENT_EXIT_FAILED;
	}
	/* First: what was inherited has the lowest numbers. */
	ret = statestore_new(&agent->store);
	if (ret == 0)
		ret = setup(agent);
	if (ret == 0) {
		statestore_keep(agent->store);
		status = open_kernel(agent);
		if (status)
			return status;
	}
	if (ret == 0)
		ret = sessions_new(agent->base, agent->netlink, &agent->sessions);
	if (ret == 0)
		ret = succession_new(agent->base, agent->netlink, agent->sessions, agent->store,
				     on_settled, agent, &agent->succession);
	if (ret < 0) {
		log_message(LOG_ERR, "cannot start: %s", strerror(-ret));
		return AGENT_EXIT_FAILED;
	}
	raise_fd_limit();
	open_control(agent);
	if (start_candidate(agent, NULL) < 0)
		return AGENT_EXIT_FAILED;
	ret = drop_capabilities();
	if (ret < 0) {
		log_message(LOG_ERR, "cannot drop capabilities: %s", strerror(-ret));
		return AGENT_EXIT_FAILED;
	}
	return 0;
}

static void cleanup(struct agent *agent)
{
	size_t i;

	/* Closing the session fds ends pending handshakes; closing the channels, the children. */
	control_free(agent->control);
	succession_free(agent->succession);
	sessions_free(agent->sessions);
	for (i = 0; i < agent->generations->len; i++)
		generation_free(agent->generations->pdata[i]);
	g_ptr_array_unref(agent->generations);
	consumers_free(&agent->consumers);
	handshake_family_close(agent->consumers.family);
	keyrings_free(agent->consumers.keyrings);
	netlink_close(agent->netlink);
	for (i = 0; i < G_N_ELEMENTS(signal_numbers); i++)
		if (agent->signals[i])
			event_free(agent->signals[i]);
	if (agent->accept)
		event_free(agent->accept);
	if (agent->accept_consumers)
		event_free(agent->accept_consumers);
	if (agent->restart)
		event_free(agent->restart);
	if (agent->base)
		event_base_free(agent->base);
}

/* As root, what is executed has the capabilities again that were dropped. */
static void execute_anew(struct agent *agent, const char *program, char *argv[])
{
	int ret = statestore_pass_on(agent->store);

	if (ret == 0 && program)
		execv(program, argv);
	log_message(LOG_ERR, "cannot execute %s: %s", program ? program : "tlshd",
		    strerror(ret < 0 ? -ret : errno));
	/* Better the program that runs already than none */
	if (ret == 0)
		execv("/proc/self/exe", argv);
}

int agent_run(const struct generation_settings *settings, const char *program, char *argv[])
{
	struct agent agent = { .settings = settings, .since = time(NULL) };

	agent.generations = g_ptr_array_new();
	agent.status = start(&agent);
	if (agent.status == 0)
		event_base_dispatch(agent.base);
	cleanup(&agent);
	if (agent.restarting && agent.status == 0) {
		execute_anew(&agent, program, argv);
		agent.status = AGENT_EXIT_FAILED;
	}
	statestore_free(agent.store);
	return agent.status;
}
