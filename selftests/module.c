// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: not while anything of the module is in use, and at any
 * other moment without harm, whatever programs do meanwhile. Runs last, because
 * agents outside of the test lose their registration.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tls_handoff.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define UNLOADS 25

FIXTURE(module)
{
	struct pair pair;
};

static int load(void)
{
	return system("modprobe tls_handoff") ? -EIO : 0;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "tls_handoff", O_NONBLOCK) ? -errno : 0;
}

static bool unloaded(void *arg)
{
	int err = unload();

	return !err || err == -ENOENT;
}

FIXTURE_SETUP(module)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, load());
}

FIXTURE_TEARDOWN(module)
{
	pair_close(&self->pair);
	EXPECT_EQ(0, load());
	EXPECT_TRUE(nothing_left());
}

/* The last reference goes a moment after the file that held it */
static void expect_unloads(struct __test_metadata *_metadata)
{
	EXPECT_TRUE(until(unloaded, NULL));
	EXPECT_EQ(-1, stat_read("HandoffCurrSockets"));
	EXPECT_EQ(0, load());
	EXPECT_EQ(0, stat_read("HandoffCurrSockets"));
}

TEST_F(module, stays_while_a_socket_is_taken_over)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	/* START without an agent: the socket failed, and is still ours */
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_SERVER));
	EXPECT_EQ(-EAGAIN, unload());
	close(p->app);
	p->app = -1;
	expect_unloads(_metadata);
}

TEST_F(module, stays_during_a_handshake_and_while_a_connection_is_established)
{
	struct pair *p = &self->pair;
	char buffer[4];

	ASSERT_EQ(0, pair_start(p, AF_INET6));
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, buffer, 4));
	pair_close(p);
	expect_unloads(_metadata);
}

TEST_F(module, stays_while_a_session_fd_is_open)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_open(p, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	close(p->app);
	p->app = -1;
	EXPECT_EQ(-EAGAIN, unload());
	close(p->session);
	p->session = -1;
	expect_unloads(_metadata);
}

TEST_F(module, goes_with_an_agent_registered_that_then_is_told)
{
	struct pair *p = &self->pair;
	struct accepted accepted;

	ASSERT_EQ(0, agent_open(&p->agent));
	expect_unloads(_metadata);
	/* The agent's family is gone; one that comes back knows nothing of it */
	EXPECT_GT(0, agent_accept(p->agent, &accepted));
	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_SERVER));
}

TEST_F(module, programs_can_tell_whether_it_is_there)
{
	EXPECT_EQ(0, tls_handoff_available());
	ASSERT_TRUE(until(unloaded, NULL));
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-ENOENT, tls_handoff_available());
	/* Root has it loaded by asking */
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(0, tls_handoff_available());
	EXPECT_EQ(0, stat_read("HandoffCurrSockets"));
}

static atomic_bool stop;
static atomic_long opened, established;

/* A program that knows no agent: the ULP may be there or not */
static long open_and_close(void *arg)
{
	int app, peer, err;

	while (!atomic_load(&stop)) {
		err = tcp_pair(random() & 1 ? AF_INET : AF_INET6, &app, &peer);
		if (err)
			return err;
		if (!take_over(app)) {
			atomic_fetch_add(&opened, 1);
			set_string(app, TLS_HANDOFF_PEER_NAME, "peer.test");
			send(app, "ping", 4, MSG_DONTWAIT);
			start(app, TLS_HANDOFF_CLIENT);
			recv(app, sink, 4, MSG_DONTWAIT);
		}
		close(app);
		close(peer);
	}
	return 0;
}

/* An agent and a program of it, in a namespace of the thread's own */
static long establish_and_close(void *arg)
{
	struct pair pair;
	int err = net_enter();

	while (!err && !atomic_load(&stop)) {
		pair = PAIR_NONE;
		/* Without the module, or without it any more, each of these may fail */
		if (!pair_open(&pair, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128) &&
		    send(pair.app, "ping", 4, 0) == 4)
			atomic_fetch_add(&established, 1);
		pair_close(&pair);
	}
	return err;
}

static long read_counters(void *arg)
{
	while (!atomic_load(&stop))
		stat_read("HandoffCurrSockets");
	return 0;
}

TEST_F_TIMEOUT(module, comes_and_goes_while_programs_use_it, 240)
{
	long long end = now_ms() + TEST_DEADLINE_MS;
	struct task tasks[4];
	int unloads = 0;

	atomic_store(&stop, false);
	ASSERT_EQ(0, task_start(&tasks[0], open_and_close, NULL));
	ASSERT_EQ(0, task_start(&tasks[1], open_and_close, NULL));
	ASSERT_EQ(0, task_start(&tasks[2], establish_and_close, NULL));
	ASSERT_EQ(0, task_start(&tasks[3], read_counters, NULL));
	/* As often as there is a moment without a user; a slow machine has few */
	while (unloads < UNLOADS && now_ms() < end) {
		if (unload()) {
			sched_yield();
			continue;
		}
		unloads++;
		ASSERT_EQ(0, load());
	}
	EXPECT_LE(2, unloads);
	/* Both kinds of program had their turns */
	for (end = now_ms() + TEST_DEADLINE_MS;
	     (!atomic_load(&opened) || !atomic_load(&established)) && now_ms() < end;)
		sched_yield();
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, task_end(&tasks[i]));
	EXPECT_LT(0, atomic_load(&opened));
	EXPECT_LT(0, atomic_load(&established));
	expect_unloads(_metadata);
}

TEST_HARNESS_MAIN
