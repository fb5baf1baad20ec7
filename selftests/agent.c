// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's side: who gets which handshake with what, and that nobody waits
 * for an agent that is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

#define TEN_MINUTES 600000
#define AT_ONCE_MS 8000		/* on a slow machine */

FIXTURE(agent)
{
	struct pair pair;
};

FIXTURE_SETUP(agent)
{
	ASSERT_EQ(0, net_enter());
	self->pair = PAIR_NONE;
	self->pair.version = TLS_1_3_VERSION;
	self->pair.cipher = TLS_CIPHER_AES_GCM_128;
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(agent)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* A blocking START that would wait for ten minutes, in a thread */
static void start_long(struct __test_metadata *_metadata, struct pair *p, struct task *task,
		       struct call *call)
{
	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, TEN_MINUTES));
	*call = (struct call){ .fd = p->app, .role = TLS_HANDOFF_CLIENT };
	ASSERT_EQ(0, task_start(task, call_start, call));
	ASSERT_TRUE(task_sleeps(task, SYS_setsockopt));
}

TEST_F(agent, closes_the_session_fd_and_start_fails_at_once)
{
	struct pair *p = &self->pair;
	struct accepted accepted;
	struct task task;
	struct call call;
	long long begin;

	start_long(_metadata, p, &task, &call);
	ASSERT_EQ(0, agent_accept(p->agent, &accepted));
	EXPECT_EQ(TEN_MINUTES, accepted.timeout);
	begin = now_ms();
	close(accepted.fd);
	EXPECT_EQ(-ECONNRESET, task_end(&task));
	EXPECT_GE(AT_ONCE_MS, now_ms() - begin);
	EXPECT_NE(0, strlen(get_error(p->app)));
	EXPECT_EQ(-1, recv(p->app, sink, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, recv(p->peer, sink, 1, 0));
}

TEST_F(agent, goes_before_accept_and_start_is_esrch_at_once)
{
	struct pair *p = &self->pair;
	struct task task;
	struct call call;
	long long begin;

	start_long(_metadata, p, &task, &call);
	begin = now_ms();
	agent_close(p->agent);
	p->agent = NULL;
	EXPECT_EQ(-ESRCH, task_end(&task));
	EXPECT_GE(AT_ONCE_MS, now_ms() - begin);
	EXPECT_NE(0, strlen(get_error(p->app)));
	EXPECT_EQ(1, stat_read("HandoffAgentLost"));
}

TEST_F(agent, is_killed_in_mid_handshake_and_start_fails_at_once)
{
	struct pair *p = &self->pair;
	int ready[2], accepted_pipe[2];
	struct call call;
	struct task task;
	long long begin;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(accepted_pipe, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct agent *agent;
		struct accepted accepted;

		if (agent_open(&agent) || write(ready[1], "r", 1) != 1)
			_exit(1);
		if (!(wait_for(agent_port(agent), POLLIN) & POLLIN) ||
		    agent_accept(agent, &accepted) || write(accepted_pipe[1], "a", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, TEN_MINUTES));
	call = (struct call){ .fd = p->app, .role = TLS_HANDOFF_SERVER };
	ASSERT_EQ(0, task_start(&task, call_start, &call));
	ASSERT_EQ(1, read(accepted_pipe[0], &byte, 1));
	begin = now_ms();
	kill(child, SIGKILL);
	EXPECT_EQ(-ECONNRESET, task_end(&task));
	EXPECT_GE(AT_ONCE_MS, now_ms() - begin);
	waitpid(child, NULL, 0);
	/* And there is no agent any more */
	pair_close_sockets(p);
	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_SERVER));
}

TEST_F(agent, of_another_namespace_is_none_of_ours)
{
	struct pair *p = &self->pair;
	int ready[2], done[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(done, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct agent *agent;

		close(done[1]);
		_exit(net_enter() || agent_open(&agent) || write(ready[1], "r", 1) != 1 ||
		      read(done[0], &byte, 1) != 0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	EXPECT_EQ(-ESRCH, start(p->app, TLS_HANDOFF_SERVER));
	close(done[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(agent, done_of_another_port_is_refused)
{
	struct pair *p = &self->pair;
	struct agent *other;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128 };

	ASSERT_EQ(0, pair_start(p, AF_INET));
	ASSERT_EQ(0, agent_open(&other));
	done.id = p->id;
	EXPECT_EQ(-EPERM, agent_done(other, &done));
	done.status = EACCES;
	EXPECT_EQ(-EPERM, agent_done(other, &done));
	EXPECT_EQ(TLS_HANDOFF_STATE_HANDSHAKE, get_info(p->app).state);
	ASSERT_EQ(0, pair_finish(p, NULL));
	agent_close(other);
	ASSERT_EQ(4, send(p->app, "ping", 4, 0));
}

TEST_F(agent, done_without_what_it_needs_is_eproto_for_the_program)
{
	struct pair *p = &self->pair;
	struct keys keys;

	for (int round = 0; round < 4; round++) {
		struct done done = { .version = TLS_1_3_VERSION,
				     .cipher = TLS_CIPHER_AES_GCM_128 };

		ASSERT_EQ(0, pair_start(p, AF_INET));
		keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
		/* No key; one key; the other; both and a version that is none */
		ASSERT_EQ(0, keys_install(p->session, round & 1 ? &keys : NULL,
					  round & 2 ? &keys : NULL));
		if (round == 3)
			done.version = 0x0302;
		done.id = p->id;
		EXPECT_EQ(-EINVAL, agent_done(p->agent, &done));
		EXPECT_EQ(EPROTO, socket_error(p->app));
		EXPECT_EQ(-1, recv(p->app, sink, 1, 0));
		EXPECT_EQ(EPROTO, errno);
		EXPECT_NE(0, strlen(get_error(p->app)));
		pair_close_sockets(p);
	}
}

TEST_F(agent, done_of_no_session_or_of_one_that_is_over_is_enoent)
{
	struct pair *p = &self->pair;
	struct done done = { .id = 1 << 30, .version = TLS_1_3_VERSION,
			     .cipher = TLS_CIPHER_AES_GCM_128 };

	ASSERT_EQ(0, pair_open(p, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
	done.id = 0;
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
	done.id = p->id;
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
	/* A status ends an established connection */
	done.status = EKEYREJECTED;
	done.error = "revoked meanwhile";
	EXPECT_EQ(0, agent_done(p->agent, &done));
	EXPECT_EQ(-1, recv(p->app, sink, 1, 0));
	EXPECT_EQ(EKEYREJECTED, errno);
	EXPECT_STREQ("revoked meanwhile", get_error(p->app));
	EXPECT_EQ(-ENOENT, agent_done(p->agent, &done));
}

TEST_F(agent, keys_are_set_once_in_a_handshake)
{
	struct pair *p = &self->pair;
	struct keys keys;

	ASSERT_EQ(0, pair_start(p, AF_INET));
	keys_fill(&keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	EXPECT_EQ(0, keys_install(p->session, &keys, NULL));
	EXPECT_EQ(-EBUSY, keys_install(p->session, &keys, NULL));
	EXPECT_EQ(0, keys_install(p->session, NULL, &keys));
	EXPECT_EQ(-EBUSY, keys_install(p->session, NULL, &keys));
	EXPECT_EQ(-1, getsockopt(p->session, SOL_TLS, TLS_TX, &keys, &(socklen_t){ 64 }));
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TLS, 99, &keys, 4));
	EXPECT_EQ(ENOPROTOOPT, errno);
	EXPECT_EQ(-1, setsockopt(p->session, SOL_SOCKET, SO_SNDBUF, NULL, 4));
}

TEST_F(agent, reads_no_byte_more_than_it_asks_for_and_never_data)
{
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128 };
	struct pollfd pfd = { .events = POLLIN };
	struct keys tx, rx;
	char buffer[64] = {};

	ASSERT_EQ(0, pair_start(p, AF_INET));
	/* The peer's Finished, and data right behind it */
	ASSERT_EQ(8, send(p->peer, "Finished", 8, 0));
	ASSERT_EQ(0, peer_tls(p->peer, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	ASSERT_EQ(3, recv(p->session, buffer, 3, 0));
	ASSERT_EQ(5, recv(p->session, buffer + 3, 5, 0));
	EXPECT_EQ(0, memcmp("Finished", buffer, 8));
	keys_fill(&tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	keys_fill(&rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1, 0);
	ASSERT_EQ(0, keys_install(p->session, &tx, &rx));
	/* With the key there, what comes is the program's alone */
	EXPECT_EQ(-1, recv(p->session, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, recv(p->app, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	done.id = p->id;
	ASSERT_EQ(0, agent_done(p->agent, &done));
	ASSERT_EQ(4, recv(p->app, buffer, sizeof(buffer), 0));
	EXPECT_EQ(0, memcmp("data", buffer, 4));
	ASSERT_EQ(4, send(p->peer, "more", 4, 0));
	pfd.fd = p->session;
	EXPECT_TRUE(wait_for(p->app, POLLIN) & POLLIN);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, recv(p->session, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(agent, sets_the_size_of_records)
{
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128 };
	uint16_t limit = 600;
	struct keys tx, rx;
	int length, records, sent = 0;
	char buffer[5000] = {};

	ASSERT_EQ(0, pair_start(p, AF_INET));
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &limit, 2));
	keys_fill(&tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 0, 0);
	keys_fill(&rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1, 0);
	ASSERT_EQ(0, keys_install(p->session, &tx, &rx));
	ASSERT_EQ(0, setsockopt(p->session, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &limit, 2));
	done.id = p->id;
	ASSERT_EQ(0, agent_done(p->agent, &done));
	ASSERT_EQ(5000, write_all(p->app, buffer, 5000));
	/* On the wire: header, at most 600 bytes, content type and tag */
	for (records = 0; sent < 5000; records++) {
		ASSERT_EQ(5, read_all(p->peer, buffer, 5));
		length = (uint8_t)buffer[3] << 8 | (uint8_t)buffer[4];
		ASSERT_GE(600 + 1 + 16, length);
		ASSERT_EQ(length, read_all(p->peer, buffer, length));
		sent += length - 1 - 16;
	}
	EXPECT_EQ(5000, sent);
	EXPECT_EQ(9, records);
}

TEST_F(agent, two_agents_share)
{
	struct agent *agents[2];
	struct pair pairs[10];
	struct accepted accepted;
	int counts[2] = {};

	ASSERT_EQ(0, agent_open(&agents[0]));
	ASSERT_EQ(0, agent_open(&agents[1]));
	for (int i = 0; i < 10; i++) {
		pairs[i] = PAIR_NONE;
		pairs[i].agent = agents[0];
		ASSERT_EQ(0, pair_prepare(&pairs[i], AF_INET));
		ASSERT_EQ(0, set_nonblock(pairs[i].app, true));
		ASSERT_EQ(-EINPROGRESS, start(pairs[i].app, TLS_HANDOFF_CLIENT));
	}
	while (!agent_accept(agents[0], &accepted)) {
		counts[0]++;
		close(accepted.fd);
	}
	EXPECT_EQ(5, counts[0]);
	/* What waits for the one that goes fails; new ones go to the other */
	agent_close(agents[1]);
	for (int i = 0; i < 10; i++) {
		int error;

		EXPECT_TRUE(wait_for(pairs[i].app, POLLOUT) & POLLOUT);
		error = socket_error(pairs[i].app);
		counts[1] += error == ESRCH;
		EXPECT_TRUE(error == ESRCH || error == ECONNRESET);
		pair_close_sockets(&pairs[i]);
	}
	EXPECT_EQ(5, counts[1]);
	EXPECT_EQ(5, stat_read("HandoffAgentLost"));
	self->pair.agent = agents[0];
	ASSERT_EQ(0, pair_start(&self->pair, AF_INET));
	ASSERT_EQ(0, pair_finish(&self->pair, NULL));
}

/* START by uid and gid 1234 in a cgroup of its own; its pid */
static pid_t start_as_other_user(struct pair *p, const char *cgroup)
{
	pid_t child = fork();
	char path[128];
	int file;

	if (child)
		return child;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", cgroup);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, "0", 1) != 1 || setresgid(1234, 1234, 1234) ||
	    setresuid(1235, 1235, 1235) || start(p->app, TLS_HANDOFF_CLIENT) != -EINPROGRESS)
		_exit(1);
	_exit(0);
}

TEST_F(agent, accept_tells_all_that_the_program_wants_and_who_it_is)
{
	static const uint16_t ciphers[] = { TLS_CIPHER_AES_GCM_256, TLS_CIPHER_AES_GCM_128 };
	static const char cgroup[] = "/tls_handoff_selftest";
	struct pair *p = &self->pair;
	struct accepted accepted;
	int status;
	pid_t child;

	ASSERT_TRUE(!mkdir("/sys/fs/cgroup/tls_handoff_selftest", 0755) || errno == EEXIST);
	ASSERT_EQ(0, pair_prepare(p, AF_INET6));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PROFILE, "special"));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PEER_NAME, "other.test"));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_PSK_IDENTITY, "me"));
	ASSERT_EQ(0, set_string(p->app, TLS_HANDOFF_ALPN, "\x02h2"));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_AUTH, TLS_HANDOFF_AUTH_RAWPK));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_CLIENT_CERT, TLS_HANDOFF_CERT_REQUIRE));
	ASSERT_EQ(0, set_u16(p->app, TLS_HANDOFF_MIN_VERSION, TLS_1_2_VERSION));
	ASSERT_EQ(0, set_u16(p->app, TLS_HANDOFF_MAX_VERSION, TLS_1_3_VERSION));
	ASSERT_EQ(0, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_CIPHERS, ciphers, 4));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, 4321));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_RESUME, 1));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	child = start_as_other_user(p, cgroup);
	ASSERT_LT(0, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, agent_accept(p->agent, &accepted));
	p->session = accepted.fd;
	EXPECT_EQ(get_info(p->app).session_id, accepted.id);
	EXPECT_EQ(TLS_HANDOFF_CLIENT, accepted.role);
	EXPECT_EQ(1235, accepted.uid);
	EXPECT_EQ(1234, accepted.gid);
	EXPECT_EQ(child, accepted.pid);
	EXPECT_STREQ(cgroup, accepted.cgroup);
	EXPECT_STREQ("special", accepted.profile);
	EXPECT_STREQ("other.test", accepted.peer_name);
	EXPECT_STREQ("me", accepted.psk_identity);
	EXPECT_EQ(3, accepted.alpn_len);
	EXPECT_EQ(0, memcmp("\x02h2", accepted.alpn, 3));
	EXPECT_EQ(TLS_HANDOFF_AUTH_RAWPK, accepted.auth);
	EXPECT_EQ(TLS_HANDOFF_CERT_REQUIRE, accepted.client_cert);
	EXPECT_EQ(TLS_1_2_VERSION, accepted.min_version);
	EXPECT_EQ(TLS_1_3_VERSION, accepted.max_version);
	EXPECT_EQ(2, accepted.cipher_count);
	EXPECT_EQ(0, memcmp(ciphers, accepted.ciphers, 4));
	EXPECT_EQ(4321, accepted.timeout);
	EXPECT_EQ(1, accepted.resume);
	rmdir("/sys/fs/cgroup/tls_handoff_selftest");
}

TEST_F(agent, accept_tells_only_what_was_set)
{
	struct pair *p = &self->pair;
	struct accepted accepted;

	ASSERT_EQ(0, agent_open(&p->agent));
	ASSERT_EQ(0, tcp_pair(AF_INET, &p->app, &p->peer));
	ASSERT_EQ(0, take_over(p->app));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	ASSERT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_SERVER));
	ASSERT_EQ(0, agent_accept(p->agent, &accepted));
	p->session = accepted.fd;
	EXPECT_EQ(TLS_HANDOFF_SERVER, accepted.role);
	EXPECT_EQ(getpid(), accepted.pid);
	EXPECT_EQ(0, accepted.uid);
	EXPECT_STREQ("default", accepted.profile);
	EXPECT_STREQ("", accepted.peer_name);
	EXPECT_STREQ("", accepted.psk_identity);
	EXPECT_EQ(0, accepted.auth);
	EXPECT_EQ(0, accepted.alpn_len);
	EXPECT_EQ(0, accepted.cipher_count);
	EXPECT_EQ(0, accepted.min_version);
	EXPECT_EQ(TLS_HANDOFF_DEFAULT_TIMEOUT, accepted.timeout);
	/* Not for a program that the agent starts */
	EXPECT_EQ(FD_CLOEXEC, fcntl(accepted.fd, F_GETFD));
}

TEST_F(agent, ready_wakes_it)
{
	struct pair *p = &self->pair;
	struct pollfd pfd = { .events = POLLIN };
	struct accepted accepted;

	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, pair_prepare(p, AF_INET));
		pfd.fd = agent_port(p->agent);
		EXPECT_EQ(0, poll(&pfd, 1, 0));
		EXPECT_EQ(-EAGAIN, agent_accept(p->agent, &accepted));
		ASSERT_EQ(0, set_nonblock(p->app, true));
		ASSERT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_CLIENT));
		EXPECT_EQ(1, poll(&pfd, 1, 0));
		if (round == 1) {
			/* Nothing waits any more when the program gives up */
			pair_close_sockets(p);
			EXPECT_EQ(-EAGAIN, agent_accept(p->agent, &accepted));
			continue;
		}
		ASSERT_EQ(0, agent_accept(p->agent, &accepted));
		p->session = accepted.fd;
		EXPECT_EQ(-EAGAIN, agent_accept(p->agent, &accepted));
		EXPECT_EQ(0, poll(&pfd, 1, 0));
		pair_close_sockets(p);
	}
}

TEST_F(agent, without_a_free_descriptor_fails_the_handshake_at_once)
{
	struct pair *p = &self->pair;
	struct rlimit limit, none;
	struct accepted accepted;

	ASSERT_EQ(0, pair_prepare(p, AF_INET));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_TIMEOUT, TEN_MINUTES));
	ASSERT_EQ(0, set_nonblock(p->app, true));
	ASSERT_EQ(-EINPROGRESS, start(p->app, TLS_HANDOFF_CLIENT));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, agent_accept(p->agent, &accepted));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(ENOBUFS, socket_error(p->app));
	EXPECT_NE(0, strlen(get_error(p->app)));
}

struct ask {
	int fd;
	void *buffer;
	int ret;
};

static void *ask_info(void *arg)
{
	struct ask *ask = arg;
	socklen_t size = sizeof(struct tls_handoff_info);

	ask->ret = getsockopt(ask->fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, ask->buffer, &size);
	return NULL;
}

static void *poll_once(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLOUT };

	poll(&pfd, 1, 0);
	return NULL;
}

TEST_F(agent, is_not_held_up_by_a_page_that_the_program_does_not_deliver)
{
	size_t size = sysconf(_SC_PAGESIZE);
	struct pair *p = &self->pair;
	pthread_t program, agent;
	struct timespec deadline;
	struct ask ask = {};
	int faults, late;

	faults = undelivered_page(&ask.buffer, size);
	if (faults < 0)
		SKIP(return, "this kernel has no userfaultfd");
	ASSERT_EQ(0, pair_open(p, AF_INET, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128));
	ask.fd = p->app;
	ASSERT_EQ(0, pthread_create(&program, NULL, ask_info, &ask));
	/* The program's call is in the middle of its copy */
	EXPECT_TRUE(wait_for(faults, POLLIN) & POLLIN);

	ASSERT_EQ(0, pthread_create(&agent, NULL, poll_once, &p->session));
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += AT_ONCE_MS / 1000;
	late = pthread_timedjoin_np(agent, NULL, &deadline);
	EXPECT_EQ(0, late);

	ASSERT_EQ(0, deliver(faults, ask.buffer, size));
	if (late)
		pthread_join(agent, NULL);
	pthread_join(program, NULL);
	EXPECT_EQ(0, ask.ret);
	EXPECT_EQ(p->id, ((struct tls_handoff_info *)ask.buffer)->session_id);
	close(faults);
}

TEST_HARNESS_MAIN
