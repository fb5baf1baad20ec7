// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once: program, agent, peer and time-outs end connections under
 * each other. What is proven is that nothing is left, nobody hangs, and (under
 * the debug kernel) that no memory is used after it was freed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define ROUNDS 40

FIXTURE(races)
{
	struct pair pair;
};

FIXTURE_SETUP(races)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, agent_open(&self->pair.agent));
}

FIXTURE_TEARDOWN(races)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

struct racer {
	struct task task;
	struct pair *pair;
	int app;
	atomic_int *turns;
	atomic_bool *stop;
};

/* All that a program does; its socket may be closed under it at any moment */
static long race_program(void *arg)
{
	struct racer *racer = arg;
	struct pollfd pfd = { .fd = racer->app, .events = POLLIN | POLLOUT };
	char buffer[3000] = {};
	int bytes;

	while (!atomic_load(racer->stop)) {
		send(racer->app, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
		poll(&pfd, 1, 0);
		recv(racer->app, buffer, sizeof(buffer), MSG_DONTWAIT);
		recv(racer->app, buffer, 10, MSG_DONTWAIT | MSG_PEEK);
		ioctl(racer->app, FIONREAD, &bytes);
		get_info(racer->app);
		set_u32(racer->app, TLS_HANDOFF_REKEY, 0);
		atomic_fetch_add(racer->turns, 1);
	}
	return 0;
}

/* All that a session handler does, without waiting for anything */
static long race_session(void *arg)
{
	struct racer *racer = arg;
	struct pollfd pfd = { .fd = racer->pair->session, .events = POLLIN | POLLOUT };
	char buffer[TLS_HANDOFF_MAX_RECORD];
	struct keys keys;
	uint8_t type;

	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 1);
	while (!atomic_load(racer->stop)) {
		poll(&pfd, 1, 0);
		recv_record(pfd.fd, &type, buffer, sizeof(buffer), MSG_DONTWAIT);
		set_u32(pfd.fd, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE);
		send_record(pfd.fd, RECORD_HANDSHAKE, "ticket", 6);
		tx_update(pfd.fd, &keys);
		atomic_fetch_add(racer->turns, 1);
	}
	return 0;
}

static long race_peer(void *arg)
{
	struct racer *racer = arg;
	char buffer[3000] = {};

	while (!atomic_load(racer->stop)) {
		send(racer->pair->peer, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
		send_record(racer->pair->peer, RECORD_HANDSHAKE, "ticket", 6);
		recv(racer->pair->peer, buffer, sizeof(buffer), MSG_DONTWAIT);
		atomic_fetch_add(racer->turns, 1);
		/* Its buffers may be full: the others make room */
		sched_yield();
	}
	return 0;
}

static bool turns_taken(void *arg)
{
	return atomic_load((atomic_int *)arg) > 30;
}

/* How a round ends, while all of them go on */
static void end_round(struct pair *p, int round)
{
	struct linger linger = { .l_onoff = 1 };
	struct done done = { .id = p->id, .status = EPROTO };

	switch (round % 6) {
	case 0:
		close(p->app);
		p->app = -1;
		break;
	case 1:
		close(p->session);
		p->session = -1;
		break;
	case 2:
		setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(p->peer);
		p->peer = -1;
		break;
	case 3:
		shutdown(p->app, SHUT_RDWR);
		break;
	case 4:
		agent_done(p->agent, &done);
		break;
	case 5:
		send_alert(p->peer, 2, 80);
		break;
	}
}

TEST_F_TIMEOUT(races, a_connection_ends_while_everybody_uses_it, 120)
{
	static long (*const runs[])(void *) = { race_program, race_program, race_session,
						race_peer };
	struct pair *p = &self->pair;

	for (int round = 0; round < ROUNDS; round++) {
		struct racer racers[ARRAY_SIZE(runs)] = {};
		atomic_bool stop = false;
		atomic_int turns = 0;

		ASSERT_EQ(0, pair_open(p, round & 1 ? AF_INET : AF_INET6, TLS_1_3_VERSION,
				       TLS_CIPHER_AES_GCM_128));
		for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++) {
			racers[i] = (struct racer){ .pair = p, .app = p->app, .turns = &turns,
						    .stop = &stop };
			ASSERT_EQ(0, task_start(&racers[i].task, runs[i], &racers[i]));
		}
		ASSERT_TRUE(until(turns_taken, &turns));
		end_round(p, round);
		atomic_store(&turns, 0);
		ASSERT_TRUE(until(turns_taken, &turns));
		atomic_store(&stop, true);
		for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++)
			EXPECT_EQ(0, task_end(&racers[i].task));
		pair_close_sockets(p);
	}
}

/* Accepts whatever comes and ends it in one way or another */
static long race_agent(void *arg)
{
	struct racer *racer = arg;
	struct accepted accepted;
	unsigned int seed = 7;
	struct agent *agent;
	struct keys keys;

	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	while (!atomic_load(racer->stop)) {
		if (agent_open(&agent))
			return -EIO;
		for (int i = 0; i < 20 && !atomic_load(racer->stop); i++) {
			struct done done = { .version = TLS_1_3_VERSION,
					     .cipher = TLS_CIPHER_AES_GCM_128 };

			if (agent_accept(agent, &accepted)) {
				sched_yield();
				continue;
			}
			done.id = accepted.id;
			done.status = rand_r(&seed) % 3 ? 0 : EKEYREJECTED;
			if (rand_r(&seed) % 4)
				keys_install(accepted.fd, &keys, &keys);
			if (rand_r(&seed) % 4)
				agent_done(agent, &done);
			close(accepted.fd);
		}
		/* It dies, with handshakes waiting for it or not */
		agent_close(agent);
		atomic_fetch_add(racer->turns, 1);
	}
	return 0;
}

static long race_start(void *arg)
{
	struct racer *racer = arg;
	unsigned int seed = (uintptr_t)racer;
	int app, peer, err;

	while (!atomic_load(racer->stop)) {
		if (tcp_pair(AF_INET, &app, &peer))
			return -EIO;
		if (take_over(app) || set_u32(app, TLS_HANDOFF_TIMEOUT, 1 + rand_r(&seed) % 20))
			return -EIO;
		set_nonblock(app, rand_r(&seed) & 1);
		err = start(app, TLS_HANDOFF_SERVER);
		if (err != -EINPROGRESS && err != -ESRCH && err != -ETIMEDOUT && err &&
		    err != -EKEYREJECTED && err != -EPROTO && err != -ECONNRESET)
			return err;
		if (rand_r(&seed) & 1)
			send(app, "data", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(app);
		close(peer);
		atomic_fetch_add(racer->turns, 1);
	}
	return 0;
}

static bool many_turns_taken(void *arg)
{
	return atomic_load((atomic_int *)arg) > 150;
}

TEST_F_TIMEOUT(races, handshakes_begin_and_end_while_agents_come_and_go, 120)
{
	struct racer racers[5] = {};
	atomic_bool stop = false;
	atomic_int turns = 0;

	agent_close(self->pair.agent);
	self->pair.agent = NULL;
	for (int i = 0; i < 5; i++) {
		racers[i] = (struct racer){ .turns = &turns, .stop = &stop };
		ASSERT_EQ(0, task_start(&racers[i].task, i < 2 ? race_agent : race_start,
					&racers[i]));
	}
	EXPECT_TRUE(until(many_turns_taken, &turns));
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(0, task_end(&racers[i].task));
	EXPECT_LT(0, stat_read("HandoffStarted"));
	EXPECT_LT(0, stat_read("HandoffAgentLost") + stat_read("HandoffNoAgent"));
}

TEST_HARNESS_MAIN
