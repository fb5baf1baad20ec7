// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The session handler and the key holder, natively: handshakes per second with keys
 * in files and in a TPM, and what an established connection keeps.  This program is
 * the agent, and the clients, which are OpenSSL; it needs TLSHD_SESSION and
 * TLSHD_KEYS, paths of the two daemons.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "figure.h"
#include "test_rig.h"

#define AT_ONCE	     50	  /* handshakes that run at the same time */
#define MEMORY_FIRST 1000 /* connections at the first look, which is after the pools are filled */
#define MEMORY_LAST  5000
#define SETTLE_LOOKS 50	 /* of 200 ms: what handshakes needed is given back when there are none */
#define MIN_SECONDS  2.0 /* one rate is measured for at least so long */

/* Private memory of a process in bytes */
static size_t read_memory(pid_t pid)
{
	char path[64], line[128];
	size_t sum = 0, kib;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Clean: %zu", &kib) == 1 ||
		    sscanf(line, "Private_Dirty: %zu", &kib) == 1)
			sum += kib;
	if (file)
		fclose(file);
	return sum * 1024;
}

/* The handler cannot be looked at but by root, and this process gives root up: a child that
 * keeps it answers with the memory of each process asked for. */
static int look_request, look_answer;

static void start_looker(void)
{
	int request[2], answer[2];
	size_t bytes;
	pid_t pid;

	assert_int_equal(pipe2(request, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	look_request = request[1];
	look_answer = answer[0];
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(request[0]);
		close(answer[1]);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(request[1]);
	while (read(request[0], &pid, sizeof(pid)) == sizeof(pid)) {
		bytes = read_memory(pid);
		if (write(answer[1], &bytes, sizeof(bytes)) != sizeof(bytes))
			break;
	}
	_exit(0);
}

static size_t memory_of(pid_t pid)
{
	size_t bytes;

	assert_int_equal(write(look_request, &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(read(look_answer, &bytes, sizeof(bytes)), sizeof(bytes));
	assert_true(bytes > 0);
	return bytes;
}

static size_t settled_memory_of(pid_t pid)
{
	size_t last = memory_of(pid), bytes;
	int same = 0;

	for (int look = 0; look < SETTLE_LOOKS && same < 5; look++) {
		poll(NULL, 0, 200);
		bytes = memory_of(pid);
		same = bytes == last ? same + 1 : 0;
		last = bytes;
	}
	return last;
}

/* AT_ONCE full handshakes at the same time; the agent then forgets or keeps them. */
static void handshakes(struct rig *rig, const struct peer_setup *client, bool keep)
{
	static struct connection connections[AT_ONCE];
	size_t open = AT_ONCE;
	bool moved;

	for (size_t i = 0; i < AT_ONCE; i++) {
		struct attr_builder options = rig_options(TLS_HANDOFF_SERVER, "server");

		connection_open(&connections[i], rig, &options, peer_openssl(client));
	}
	while (open) {
		moved = false;
		open = 0;
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (connections[i].done)
				continue;
			if (connections[i].failed)
				fail_msg("a handshake failed: %s", connections[i].words);
			open++;
			moved |= connection_relay(&connections[i]);
		}
		if (open && !moved)
			assert_true(rig_step(rig));
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (keep)
			peer_free(connections[i].peer);
		else
			connection_close(&connections[i]);
	}
	memset(rig->connections, 0, sizeof(rig->connections));
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Processor time of all threads of a process, in seconds: unlike a rate it does not depend on
 * what else the machine does. */
static double processor_time(pid_t pid)
{
	unsigned long long sum = 0, ns;
	char path[300];
	struct dirent *task;
	FILE *file;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			sum += ns;
		fclose(file);
	}
	closedir(tasks);
	return (double)sum / 1e9;
}

static void rate(const char *name, const char *certificate, const char *key, bool mutual)
{
	const struct peer_setup client = {
		.certificate = mutual ? "client.pem" : NULL,
		.key = mutual ? "client.key" : NULL,
	};
	unsigned int done = 0;
	char config[256];
	struct rig rig;
	double start, spent, session, keys;

	snprintf(config, sizeof(config),
		 "[profile server]\ntruststore = ca.pem\ncertificate = %s\nprivate_key = %s\n%s",
		 certificate, key, mutual ? "client_cert = require\n" : "");
	fprintf(stderr, "bench: %s\n", name);
	rig_start(&rig, config);
	handshakes(&rig, &client, false);
	session = processor_time(rig.session);
	keys = processor_time(rig.keys);
	start = now();
	do {
		handshakes(&rig, &client, false);
		done += AT_ONCE;
		spent = now() - start;
	} while (spent < MIN_SECONDS);
	session = processor_time(rig.session) - session;
	keys = processor_time(rig.keys) - keys;
	rig_stop(&rig);
	figure(done / spent, "handshakes/second", "%s.per_second", name);
	figure(session / done * 1e6, "microseconds", "%s.session_handler_time", name);
	figure(keys / done * 1e6, "microseconds", "%s.key_holder_time", name);
}

static void __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

/* A software TPM on a UNIX socket; the process id.  It ends with us. */
static pid_t start_tpm(void)
{
	char tcti[128], folder[96];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* it tells about every client that leaves */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", "dir=.", "--server",
		       "type=unixio,path=tpm", "--ctrl", "type=unixio,path=tpm.ctrl", "--flags",
		       "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	for (int look = 0; access("tpm.ctrl", F_OK) || access("tpm", F_OK); look++) {
		assert_true(look < 1000);
		poll(NULL, 0, 10);
	}
	assert_non_null(getcwd(folder, sizeof(folder)));
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s/tpm", folder);
	setenv("TCTI", tcti, 1);
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
	return pid;
}

static void make_tpm_key(const char *name, const char *kind)
{
	const char *provider = "-provider tpm2 -provider default -propquery '?provider=tpm2'";

	run("openssl genpkey -quiet %s %s -out %s.tss", provider, kind, name);
	run("openssl req -x509 -new %s -key %s.tss -subj /CN=%s -days 2 -out %s-tpm.pem", provider,
	    name, name, name);
}

static void handshake_rates(void **state)
{
	pid_t tpm;

	rate("handshake.full.p256.software", "server.pem", "server.key", false);
	rate("handshake.full.rsa2048.software", "rsa.pem", "rsa.key", false);
	rate("handshake.mutual.p256.software", "server.pem", "server.key", true);
	tpm = start_tpm();
	make_tpm_key("p256", "-algorithm EC -pkeyopt group:P-256");
	make_tpm_key("rsa2048", "-algorithm RSA -pkeyopt bits:2048");
	rate("handshake.full.p256.swtpm", "p256-tpm.pem", "p256.tss", false);
	rate("handshake.full.rsa2048.swtpm", "rsa2048-tpm.pem", "rsa2048.tss", false);
	rate("handshake.mutual.p256.swtpm", "p256-tpm.pem", "p256.tss", true);
	assert_int_equal(kill(tpm, SIGTERM), 0);
	assert_int_equal(waitpid(tpm, NULL, 0), tpm);
}

static void memory_of_established_connections(void **state)
{
	const struct peer_setup client = { 0 };
	size_t first = 0, last;
	struct rig rig;

	fprintf(stderr, "bench: %d connections in the session handler\n", MEMORY_LAST);
	rig_start(&rig, "[profile server]\ntruststore = ca.pem\n"
			"certificate = server.pem\nprivate_key = server.key\n");
	for (int made = 0; made < MEMORY_LAST; made += AT_ONCE) {
		if (made == MEMORY_FIRST)
			first = settled_memory_of(rig.session);
		handshakes(&rig, &client, true);
	}
	last = settled_memory_of(rig.session);
	rig_stop(&rig);
	printf("session handler: %zu KiB with %d connections, %zu KiB with %d\n", first / 1024,
	       MEMORY_FIRST, last / 1024, MEMORY_LAST);
	figure(((double)last - (double)first) / (MEMORY_LAST - MEMORY_FIRST), "bytes",
	       "memory.session_handler_per_connection");
}

static int set_up(void **state)
{
	start_looker();
	rig_enter_folder();
	return 0;
}

static int tear_down(void **state)
{
	rig_leave_folder();
	return 0;
}

int main(void)
{
	const struct CMUnitTest parts[] = {
		cmocka_unit_test(memory_of_established_connections),
		cmocka_unit_test(handshake_rates),
	};

	return cmocka_run_group_tests(parts, set_up, tear_down);
}
