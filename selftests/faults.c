// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of a connection's life fails once, one after the other: nothing
 * breaks, nothing is left behind. For kernels with fault injection, as the debug
 * kernel; skipped on others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define MAX_ALLOCATIONS	200	/* of one step; more means that counting went wrong */

/* One connection that is taken through its life */
struct life {
	struct pair pair;
	char buffer[4096];
};

static int set_knob(const char *name, const char *value)
{
	char path[96];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/kernel/debug/failslab/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* From now on the @nth allocation of this thread fails */
static int arm(int nth)
{
	char text[16];
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d", nth);

	if (fd < 0 || write(fd, text, length) != length)
		return -1;
	return fd;
}

/* True if it came to that */
static bool disarm(int fd)
{
	char text[16] = "";
	bool injected;

	injected = pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	(void)!pwrite(fd, "0", 1, 0);
	close(fd);
	return injected;
}

static int step_take_over(struct life *life)
{
	return take_over(life->pair.app);
}

static int step_options(struct life *life)
{
	static const uint8_t alpn[] = "\x02h2\x08http/1.1";
	int err = set_string(life->pair.app, TLS_HANDOFF_PEER_NAME, "peer.test");

	if (!err)
		err = set_string(life->pair.app, TLS_HANDOFF_PROFILE, "default");
	if (!err && setsockopt(life->pair.app, SOL_TLS_HANDOFF, TLS_HANDOFF_ALPN, alpn,
			       sizeof(alpn) - 1))
		err = -errno;
	return err;
}

static int step_start(struct life *life)
{
	int err = start(life->pair.app, TLS_HANDOFF_CLIENT);

	return err == -EINPROGRESS ? 0 : err;
}

static int step_accept(struct life *life)
{
	return pair_accept(&life->pair);
}

/* Instead of START and ACCEPT */
static int step_adopt(struct life *life)
{
	int err = agent_adopt(life->pair.app, TLS_HANDOFF_CLIENT, &life->pair.session);

	life->pair.id = get_info(life->pair.app).session_id;
	return err;
}

static int step_handshake_bytes(struct life *life)
{
	if (send(life->pair.session, "hello", 5, MSG_DONTWAIT) != 5 ||
	    recv(life->pair.peer, life->buffer, 5, MSG_WAITALL) != 5)
		return -errno;
	return 0;
}

static int step_keys(struct life *life)
{
	struct pair *p = &life->pair;
	struct keys tx, rx;

	keys_fill(&tx, p->version, p->cipher, 0, 0);
	keys_fill(&rx, p->version, p->cipher, 1, 0);
	return keys_install(p->session, &tx, &rx);
}

static int step_done(struct life *life)
{
	struct pair *p = &life->pair;
	struct done done = { .id = p->id, .version = p->version, .cipher = p->cipher,
			     .auth = TLS_HANDOFF_AUTH_X509, .alpn = "h2", .handler_timeout = 1000,
			     .peer_identity = "dns:peer.test", .server_name = "peer.test",
			     .peer_cert = "certificate", .peer_cert_len = 11 };

	return agent_done(p->agent, &done);
}

static int step_send(struct life *life)
{
	return send(life->pair.app, "data", 4, MSG_NOSIGNAL) == 4 ? 0 : -errno;
}

static int step_receive(struct life *life)
{
	if (recv(life->pair.app, life->buffer, 4, MSG_PEEK) < 0)
		return -errno;
	return recv(life->pair.app, life->buffer, 4, 0) == 4 ? 0 : -errno;
}

static int step_divert(struct life *life)
{
	uint8_t type;
	ssize_t n;

	if (recv(life->pair.app, life->buffer, 4, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		return -errno;
	n = next_record(life->pair.session, &type, life->buffer, sizeof(life->buffer));
	if (n < 0)
		return n;
	return set_u32(life->pair.session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE);
}

static int step_update(struct life *life)
{
	struct keys keys;

	keys_fill(&keys, life->pair.version, life->pair.cipher, 0, 1);
	return tx_update(life->pair.session, &keys);
}

static void ignore(uint64_t id, uint32_t state, void *arg)
{
}

static int step_results(struct life *life)
{
	socklen_t length = sizeof(life->buffer);

	if (getsockopt(life->pair.app, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_CERT, life->buffer,
		       &length))
		return -errno;
	return agent_dump(life->pair.agent, ignore, NULL);
}

static int step_export(struct life *life)
{
	struct tls_handoff_exporter *question = (void *)life->buffer;
	socklen_t length = sizeof(life->buffer);

	*question = (struct tls_handoff_exporter){ .label_len = 4, .out_len = 8 };
	memcpy(question->data, "test", 4);
	/* Nobody answers */
	getsockopt(life->pair.app, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, question, &length);
	return errno == ETIMEDOUT ? 0 : -errno;
}

static int step_attach(struct life *life)
{
	close(life->pair.session);
	life->pair.session = -1;
	return agent_attach(life->pair.agent, life->pair.id, &life->pair.session);
}

static int step_shutdown(struct life *life)
{
	return shutdown(life->pair.app, SHUT_WR) ? -errno : 0;
}

static int step_close(struct life *life)
{
	close(life->pair.app);
	life->pair.app = -1;
	return 0;
}

/* What the peer does before a step, never with a fault */
static int peer_before(struct life *life, int (*step)(struct life *life))
{
	struct pair *p = &life->pair;

	if (step == step_send)
		return peer_tls(p->peer, p->version, p->cipher);
	if (step == step_receive)
		return send(p->peer, "data", 4, 0) == 4 ? 0 : -errno;
	if (step == step_divert)
		return send_record(p->peer, RECORD_HANDSHAKE, "\x04\x00\x00\x04tick", 8) == 8 ?
			       0 : -errno;
	return 0;
}

static int (*const steps[])(struct life *life) = {
	step_take_over, step_options, step_start, step_accept, step_adopt, step_handshake_bytes,
	step_keys, step_done, step_send, step_receive, step_divert, step_update, step_results,
	step_export, step_attach, step_shutdown, step_close,
};

#define STEPS ((int)ARRAY_SIZE(steps))

static bool has_step(int (*step)(struct life *life), int (*faulty)(struct life *life))
{
	/* It waits for an answer that does not come */
	if (step == step_export || step == step_adopt)
		return step == faulty;
	if (step == step_start || step == step_accept)
		return faulty != step_adopt;
	return true;
}

/*
 * A life in which the @nth allocation of @faulty fails. Its end is where that step, or
 * one after it, cannot go on. 1 if the fault happened, 0 if there is no such
 * allocation, -errno if something failed without a fault.
 */
static int live(int faulty, int nth)
{
	const struct timeval deadline = { 5, 0 };
	struct life life = { .pair = PAIR_NONE };
	bool injected = false;
	int err, fd = -1;

	life.pair.version = TLS_1_3_VERSION;
	life.pair.cipher = TLS_CIPHER_AES_GCM_128;
	if (agent_open(&life.pair.agent) || tcp_pair(AF_INET, &life.pair.app, &life.pair.peer))
		return -EIO;
	setsockopt(agent_port(life.pair.agent), SOL_SOCKET, SO_RCVTIMEO, &deadline,
		   sizeof(deadline));
	setsockopt(life.pair.peer, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	setsockopt(life.pair.app, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	set_nonblock(life.pair.app, true);
	err = 0;
	for (int i = 0; i < STEPS && !err; i++) {
		if (!has_step(steps[i], steps[faulty]))
			continue;
		if (steps[i] == step_send)
			set_nonblock(life.pair.app, false);
		err = peer_before(&life, steps[i]);
		if (err)
			break;
		if (i == faulty) {
			fd = arm(nth);
			if (fd < 0)
				return -EIO;
		}
		err = steps[i](&life);
		if (i == faulty)
			injected = disarm(fd);
	}
	pair_close(&life.pair);
	return injected ? 1 : err;
}

FIXTURE(faults)
{
};

FIXTURE_VARIANT(faults)
{
	int (*step)(struct life *life);
};

FIXTURE_VARIANT_ADD(faults, in_take_over)
{
	.step = step_take_over,
};

FIXTURE_VARIANT_ADD(faults, in_options)
{
	.step = step_options,
};

FIXTURE_VARIANT_ADD(faults, in_start)
{
	.step = step_start,
};

FIXTURE_VARIANT_ADD(faults, in_accept)
{
	.step = step_accept,
};

FIXTURE_VARIANT_ADD(faults, in_adopt)
{
	.step = step_adopt,
};

FIXTURE_VARIANT_ADD(faults, in_handshake_bytes)
{
	.step = step_handshake_bytes,
};

FIXTURE_VARIANT_ADD(faults, in_keys)
{
	.step = step_keys,
};

FIXTURE_VARIANT_ADD(faults, in_done)
{
	.step = step_done,
};

FIXTURE_VARIANT_ADD(faults, in_send)
{
	.step = step_send,
};

FIXTURE_VARIANT_ADD(faults, in_receive)
{
	.step = step_receive,
};

FIXTURE_VARIANT_ADD(faults, in_divert)
{
	.step = step_divert,
};

FIXTURE_VARIANT_ADD(faults, in_update)
{
	.step = step_update,
};

FIXTURE_VARIANT_ADD(faults, in_results)
{
	.step = step_results,
};

FIXTURE_VARIANT_ADD(faults, in_export)
{
	.step = step_export,
};

FIXTURE_VARIANT_ADD(faults, in_attach)
{
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(faults, in_shutdown)
{
	.step = step_shutdown,
};

FIXTURE_VARIANT_ADD(faults, in_close)
{
	.step = step_close,
};

FIXTURE_SETUP(faults)
{
	if (access("/proc/self/fail-nth", W_OK) || set_knob("ignore-gfp-wait", "N"))
		SKIP(return, "this kernel has no fault injection");
	set_knob("verbose", "0");
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, net_enter());
}

FIXTURE_TEARDOWN(faults)
{
}

TEST_F_TIMEOUT(faults, leave_nothing_behind, 300)
{
	int faulty = 0, nth, ret = 1;

	while (steps[faulty] != variant->step)
		faulty++;
	/* Without a fault a life goes to its end */
	ASSERT_EQ(0, live(faulty, MAX_ALLOCATIONS));
	for (nth = 1; nth < MAX_ALLOCATIONS && ret == 1; nth++) {
		ret = live(faulty, nth);
		EXPECT_TRUE(nothing_left()) {
			TH_LOG("after allocation %d failed", nth);
		}
	}
	EXPECT_EQ(0, ret);
	TH_LOG("%d allocations failed", nth - 2);
}

enum listening_step { LISTENING_TAKE_OVER, LISTENING_START, LISTENING_ACCEPT, LISTENING_STEPS };

/*
 * A listening socket's life in which the @nth allocation of @faulty fails: what accept()
 * returns is never a plain connection. 1 if the fault happened, 0 if there is no such
 * allocation, -errno if something failed without a fault.
 */
static int live_listening(enum listening_step faulty, int nth)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(address);
	int fd = -1, err = 0, app = -1;
	bool injected = false;
	struct agent *agent;

	if (agent_open(&agent) || bind(listener, (void *)&address, length) ||
	    listen(listener, 4) || getsockname(listener, (void *)&address, &length) ||
	    connect(peer, (void *)&address, length))
		return -EIO;
	for (int step = 0; step < LISTENING_STEPS && !err; step++) {
		if (step == (int)faulty)
			fd = arm(nth);
		switch (step) {
		case LISTENING_TAKE_OVER:
			err = take_over(listener);
			break;
		case LISTENING_START:
			err = start(listener, TLS_HANDOFF_SERVER);
			break;
		default:
			app = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			err = app < 0 ? -errno : 0;
		}
		if (step == (int)faulty)
			injected = disarm(fd);
	}
	if (app >= 0 && get_info(app).state == TLS_HANDOFF_STATE_IDLE)
		err = -EPROTO;
	if (app >= 0)
		close(app);
	close(peer);
	close(listener);
	agent_close(agent);
	if (err == -EPROTO)
		return err;
	return injected ? 1 : err;
}

FIXTURE(listening_faults)
{
};

FIXTURE_SETUP(listening_faults)
{
	if (access("/proc/self/fail-nth", W_OK) || set_knob("ignore-gfp-wait", "N"))
		SKIP(return, "this kernel has no fault injection");
	set_knob("verbose", "0");
	ASSERT_EQ(0, net_enter());
}

FIXTURE_TEARDOWN(listening_faults)
{
}

TEST_F_TIMEOUT(listening_faults, leave_nothing_behind_and_nothing_plain, 300)
{
	for (int step = 0; step < LISTENING_STEPS; step++) {
		int nth, ret = 1;

		ASSERT_EQ(0, live_listening(step, MAX_ALLOCATIONS));
		for (nth = 1; nth < MAX_ALLOCATIONS && ret == 1; nth++) {
			ret = live_listening(step, nth);
			EXPECT_TRUE(nothing_left()) {
				TH_LOG("step %d, after allocation %d failed", step, nth);
			}
		}
		EXPECT_EQ(0, ret);
		TH_LOG("step %d: %d allocations failed", step, nth - 2);
	}
}

/* From now on the next allocation from the slab cache fails, whoever asks for it */
static int fail_next_socket(bool on)
{
	int fd = open("/sys/kernel/slab/sock_inode_cache/failslab", O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, on ? "1" : "0", 1) == 1 ? 0 : -errno;
	close(fd);
	if (!err)
		err = set_knob("cache-filter", on ? "Y" : "N");
	if (!err)
		err = set_knob("times", "1");
	return err ? err : set_knob("probability", on ? "100" : "0");
}

/* How many more will fail */
static int failures_left(void)
{
	char text[16] = "";
	int fd = open("/sys/kernel/debug/failslab/times", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -EIO;
	close(fd);
	return atoi(text);
}

static bool is_accepted(void *arg)
{
	struct pair *p = arg;

	return !pair_accept(p);
}

TEST_F(listening_faults, connection_that_there_was_no_memory_for_is_taken_later)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(address);
	struct pair pair = PAIR_NONE;

	pair.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, agent_open(&pair.agent));
	ASSERT_EQ(0, bind(listener, (void *)&address, length));
	ASSERT_EQ(0, listen(listener, 4));
	ASSERT_EQ(0, getsockname(listener, (void *)&address, &length));
	ASSERT_EQ(0, take_over(listener));
	ASSERT_EQ(0, set_u32(listener, TLS_HANDOFF_ACCEPT_READY, 1));
	ASSERT_EQ(0, start(listener, TLS_HANDOFF_SERVER));

	/* The socket that stands in for the program's */
	ASSERT_EQ(0, fail_next_socket(true));
	ASSERT_EQ(0, connect(pair.peer, (void *)&address, length));
	EXPECT_TRUE(until(is_accepted, &pair));
	EXPECT_EQ(0, failures_left());
	EXPECT_EQ(0, fail_next_socket(false));
	pair_close(&pair);
	close(listener);
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
