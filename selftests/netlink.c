// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink family: many handshakes, ATTACH, the dump, and messages that no
 * honest agent sends.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define MANY 2000
#define DUMPED 500

FIXTURE(netlink)
{
	struct pair pair;
};

FIXTURE_SETUP(netlink)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(netlink)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(netlink, register_comes_first_and_once)
{
	struct accepted accepted;
	struct agent *agent;

	ASSERT_EQ(0, agent_connect(&agent));
	EXPECT_EQ(-ENOTCONN, agent_accept(agent, &accepted));
	EXPECT_EQ(0, agent_raw(agent, TLS_HANDOFF_CMD_REGISTER, NULL, 0));
	EXPECT_EQ(-EALREADY, agent_raw(agent, TLS_HANDOFF_CMD_REGISTER, NULL, 0));
	EXPECT_EQ(-EAGAIN, agent_accept(agent, &accepted));
	EXPECT_EQ(-EOPNOTSUPP, agent_raw(agent, TLS_HANDOFF_CMD_READY, NULL, 0));
	EXPECT_EQ(-EOPNOTSUPP, agent_raw(agent, 99, NULL, 0));
	agent_close(agent);
}

TEST_F_TIMEOUT(netlink, thousands_of_handshakes_wait_and_are_accepted_in_order, 240)
{
	struct pair *pairs = calloc(MANY, sizeof(*pairs));
	struct accepted accepted;
	uint64_t last = 0;
	int count = 0, err;

	ASSERT_NE(NULL, pairs);
	ASSERT_EQ(0, agent_open(&self->pair.agent));
	for (int i = 0; i < MANY; i++) {
		pairs[i].agent = self->pair.agent;
		ASSERT_EQ(0, pair_prepare(&pairs[i], AF_INET));
		ASSERT_EQ(0, set_u32(pairs[i].app, TLS_HANDOFF_TIMEOUT, 600000));
		ASSERT_EQ(0, set_nonblock(pairs[i].app, true));
		ASSERT_EQ(-EINPROGRESS, start(pairs[i].app, TLS_HANDOFF_CLIENT));
	}
	EXPECT_EQ(MANY, stat_read("HandoffCurrPending"));
	while (!(err = agent_accept(self->pair.agent, &accepted))) {
		ASSERT_EQ(get_info(pairs[count].app).session_id, accepted.id);
		ASSERT_LT(last, accepted.id);
		last = accepted.id;
		pairs[count++].session = accepted.fd;
	}
	EXPECT_EQ(-EAGAIN, err);
	EXPECT_EQ(MANY, count);
	EXPECT_EQ(MANY, stat_read("HandoffCurrSessionFds"));
	EXPECT_EQ(0, stat_read("HandoffFailed"));
	for (int i = 0; i < MANY; i++)
		pair_close_sockets(&pairs[i]);
	free(pairs);
}

struct dumped {
	uint64_t first;
	unsigned int seen[DUMPED], established, handshake, other;
};

static void on_dumped(uint64_t id, uint32_t state, void *arg)
{
	struct dumped *dumped = arg;

	if (id < dumped->first || id >= dumped->first + DUMPED) {
		dumped->other++;
		return;
	}
	dumped->seen[id - dumped->first]++;
	dumped->established += state == TLS_HANDOFF_STATE_ESTABLISHED;
	dumped->handshake += state == TLS_HANDOFF_STATE_HANDSHAKE;
}

TEST_F_TIMEOUT(netlink, dump_shows_every_session_once, 240)
{
	struct pair *pairs = calloc(DUMPED, sizeof(*pairs));
	struct dumped dumped = {};

	ASSERT_NE(NULL, pairs);
	ASSERT_EQ(0, agent_open(&self->pair.agent));
	dumped.first = 1;
	EXPECT_EQ(0, agent_dump(self->pair.agent, on_dumped, &dumped));
	EXPECT_EQ(0, dumped.other + dumped.established);
	for (int i = 0; i < DUMPED; i++) {
		pairs[i].agent = self->pair.agent;
		pairs[i].version = TLS_1_3_VERSION;
		pairs[i].cipher = TLS_CIPHER_AES_GCM_128;
		ASSERT_EQ(0, pair_prepare(&pairs[i], i & 1 ? AF_INET : AF_INET6));
		ASSERT_EQ(0, set_u32(pairs[i].app, TLS_HANDOFF_TIMEOUT, 600000));
		ASSERT_EQ(0, pair_begin(&pairs[i], TLS_HANDOFF_CLIENT));
		if (i % 5 == 0)
			ASSERT_EQ(0, pair_finish(&pairs[i], NULL));
	}
	dumped.first = pairs[0].id;
	EXPECT_EQ(0, agent_dump(self->pair.agent, on_dumped, &dumped));
	EXPECT_EQ(0, dumped.other);
	EXPECT_EQ(DUMPED / 5, dumped.established);
	EXPECT_EQ(DUMPED - DUMPED / 5, dumped.handshake);
	for (int i = 0; i < DUMPED; i++)
		EXPECT_EQ(1, dumped.seen[i]);
	for (int i = 0; i < DUMPED; i++)
		pair_close_sockets(&pairs[i]);
	memset(&dumped, 0, sizeof(dumped));
	EXPECT_EQ(0, agent_dump(self->pair.agent, on_dumped, &dumped));
	EXPECT_EQ(0, dumped.other);
	free(pairs);
}

TEST_F(netlink, attach_gives_a_new_session_fd_when_the_old_one_is_closed)
{
	struct pair *p = &self->pair;
	char buffer[16] = {};
	struct agent *other;
	uint8_t type = 0;
	int fd = -1;

	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(-ENOENT, agent_attach(p->agent, p->id, &fd));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-EBUSY, agent_attach(p->agent, p->id, &fd));
	EXPECT_EQ(-ENOENT, agent_attach(p->agent, p->id + 1000, &fd));
	EXPECT_EQ(-EINVAL, agent_raw(p->agent, TLS_HANDOFF_CMD_ATTACH, NULL, 0));
	close(p->session);
	p->session = -1;
	/* The agent died: the connection lives on until a record needs a handler */
	agent_close(p->agent);
	p->agent = NULL;
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, buffer, 4));
	ASSERT_EQ(4, send(p->peer, "pong", 4, 0));
	ASSERT_EQ(4, read_all(p->app, buffer, 4));
	ASSERT_EQ(6, send_record(p->peer, RECORD_HANDSHAKE, "ticket", 6));
	ASSERT_EQ(4, send(p->peer, "more", 4, 0));
	EXPECT_EQ(-1, recv(p->app, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);

	ASSERT_EQ(0, agent_open(&other));
	p->agent = other;
	ASSERT_EQ(0, agent_attach(other, p->id, &fd));
	p->session = fd;
	EXPECT_TRUE(wait_for(fd, POLLIN) & POLLIN);
	/* Data was read before: the module may say so first */
	do {
		ASSERT_LT(0, recv_record(fd, &type, buffer, sizeof(buffer), 0));
	} while (type == TLS_HANDOFF_RECORD_EVENT);
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	EXPECT_EQ(0, memcmp(buffer, "ticket", 6));
	ASSERT_EQ(0, set_u32(fd, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_DONE));
	ASSERT_EQ(4, read_all(p->app, buffer, 4));
	EXPECT_EQ(0, memcmp(buffer, "more", 4));
	close(p->app);
	p->app = -1;
	close(fd);
	p->session = -1;
	EXPECT_EQ(-ENOENT, agent_attach(other, p->id, &fd));
}

struct attribute {
	struct nlattr header;
	uint8_t data[4096];
};

static size_t attribute(struct attribute *attr, uint16_t type, uint16_t length, const void *data,
			size_t size)
{
	attr->header.nla_type = type;
	attr->header.nla_len = NLA_HDRLEN + length;
	memset(attr->data, 0, sizeof(attr->data));
	memcpy(attr->data, data, size);
	return NLA_HDRLEN + size;
}

static int raw(struct agent *agent, int command, uint16_t type, uint16_t length, const void *data,
	       size_t size)
{
	struct attribute attr;

	return agent_raw(agent, command, &attr, attribute(&attr, type, length, data, size));
}

TEST_F(netlink, malformed_attributes_are_refused_and_change_nothing)
{
	static const int commands[] = { TLS_HANDOFF_CMD_DONE, TLS_HANDOFF_CMD_ATTACH };
	struct pair *p = &self->pair;
	uint8_t zeros[600] = {};

	ASSERT_EQ(0, pair_start(p, AF_INET));
	for (int i = 0; i < 2; i++) {
		int command = commands[i];

		/* Says it is longer than the message, shorter than its header, ends in it */
		EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_ID, 200, &p->id, 8));
		EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_ID, -1, &p->id, 8));
		EXPECT_GT(0, agent_raw(p->agent, command, "\x0c", 2));
		/* An id of every length but the right one */
		for (int length = 0; length < 20; length++)
			if (length != 8)
				EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_ID,
						 length, zeros, length));
		/* Attributes that this command does not have, and none at all */
		EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_SESSION_FD, 4, zeros, 4));
		EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_STATE, 4, zeros, 4));
		EXPECT_GT(0, raw(p->agent, command, 1000, 4, zeros, 4));
		EXPECT_GT(0, raw(p->agent, command, TLS_HANDOFF_A_SESSION_ID | NLA_F_NESTED, 8,
				 &p->id, 8));
		EXPECT_GT(0, agent_raw(p->agent, command, NULL, 0));
	}
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
}

/* DONE with the session's id and one attribute more */
static int done_with(struct pair *p, uint16_t type, const void *data, uint16_t length)
{
	uint8_t message[8192] = {};
	struct attribute attr;
	size_t size, used;

	size = attribute(&attr, TLS_HANDOFF_A_SESSION_ID, 8, &p->id, 8);
	memcpy(message, &attr, size);
	used = NLA_ALIGN(size);
	size = attribute(&attr, type, length, data, length);
	memcpy(message + used, &attr, size);
	return agent_raw(p->agent, TLS_HANDOFF_CMD_DONE, message, used + size);
}

TEST_F(netlink, done_out_of_range_is_refused_and_changes_nothing)
{
	struct pair *p = &self->pair;
	uint32_t status = 4096;
	char text[3000];

	memset(text, 'a', sizeof(text));
	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(-ERANGE, done_with(p, TLS_HANDOFF_A_SESSION_STATUS, &status, 4));
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_STATUS, &status, 3));
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_VERSION, &status, 4));
	/* Without its NUL, and longer than allowed */
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_ERROR, "no end", 6));
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_ERROR, text, 300));
	text[299] = 0;
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_ERROR, text, 300));
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_SERVER_NAME, text, 300));
	text[2999] = 0;
	text[299] = 'a';
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_PEER_IDENTITY, text, 3000));
	EXPECT_GT(0, done_with(p, TLS_HANDOFF_A_SESSION_TRUNCATION_EOF, text, 4));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
}

TEST_F_TIMEOUT(netlink, garbage_does_no_harm, 60)
{
	struct pair *p = &self->pair;
	uint8_t message[256];
	int fd = -1;

	srandom(20);
	for (int round = 0; round < 1500; round++) {
		size_t size = random() % sizeof(message);

		if (p->session < 0)
			ASSERT_EQ(0, pair_start(p, AF_INET));
		for (size_t i = 0; i < size; i++)
			message[i] = random() % 4 ? random() % 48 : random();
		/* Half of them name a session that there is */
		if (round & 1 && size > 12) {
			memcpy(message, &(struct nlattr){ 12, TLS_HANDOFF_A_SESSION_ID }, 4);
			memcpy(message + 4, &p->id, 8);
		}
		agent_raw(p->agent, 1 + random() % TLS_HANDOFF_CMD_GET, message, size);
		if (get_info(p->app).state != TLS_HANDOFF_STATE_HANDSHAKE)
			pair_close_sockets(p);
	}
	if (p->session < 0)
		ASSERT_EQ(0, pair_start(p, AF_INET));
	ASSERT_EQ(0, pair_finish(p, NULL));
	EXPECT_EQ(-EBUSY, agent_attach(p->agent, p->id, &fd));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
}

static void count_dumped(uint64_t id, uint32_t state, void *arg)
{
	++*(int *)arg;
}

/* The exit status of a child that runs @body */
static int in_a_child(int (*body)(struct pair *pair), struct pair *pair)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(body(pair));
	return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* What an unprivileged process is told; 0 if it is EPERM throughout */
static int try_unprivileged(struct pair *pair)
{
	struct done done = { .id = pair->id, .status = EACCES };
	struct accepted accepted;
	struct agent *agent;
	int fd, dumped = 0;

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 1;
	if (agent_connect(&agent))
		return 2;
	if (agent_raw(agent, TLS_HANDOFF_CMD_REGISTER, NULL, 0) != -EPERM)
		return 3;
	if (agent_accept(agent, &accepted) != -EPERM)
		return 4;
	if (agent_done(agent, &done) != -EPERM)
		return 5;
	if (agent_attach(agent, pair->id, &fd) != -EPERM)
		return 6;
	if (agent_dump(agent, count_dumped, &dumped) != -EPERM || dumped)
		return 7;
	return 0;
}

TEST_F(netlink, without_cap_net_admin_everything_is_eperm)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(0, in_a_child(try_unprivileged, p));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(0, pair_finish(p, NULL));
}

/* A privileged agent's socket that falls into other hands is worth nothing there */
static int try_inherited(struct pair *pair)
{
	struct done done = { .id = pair->id, .status = EACCES };

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 1;
	return agent_done(pair->agent, &done) != -EPERM;
}

TEST_F(netlink, an_inherited_agent_socket_without_cap_net_admin_is_eperm)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(0, in_a_child(try_inherited, p));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
}

TEST_HARNESS_MAIN
