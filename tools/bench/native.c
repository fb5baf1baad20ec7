// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Batches, a TPM and looks from outside, see native.h.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "native.h"
#include "test_looker.h"

#define SETTLE_LOOKS 50	   /* of 200 ms: what handshakes needed is given back when there are none */
#define TPM_DEADLINE 20000 /* ms until it listens */

int native_set_up(void **state)
{
	(void)state;
	looker_start();
	rig_enter_folder();
	return 0;
}

int native_tear_down(void **state)
{
	(void)state;
	rig_leave_folder();
	return 0;
}

double native_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Adds up what @read finds in the file @name of each thread. */
static unsigned long long sum_of_threads(pid_t pid, const char *name,
					 unsigned long long (*read)(FILE *file))
{
	unsigned long long sum = 0;
	char path[300];
	struct dirent *task;
	FILE *file;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)pid, task->d_name, name);
		file = *task->d_name == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		sum += read(file);
		fclose(file);
	}
	closedir(tasks);
	return sum;
}

static unsigned long long read_time(FILE *schedstat)
{
	unsigned long long ns;

	return fscanf(schedstat, "%llu", &ns) == 1 ? ns : 0;
}

static unsigned long long read_switches(FILE *status)
{
	unsigned long long sum = 0, n;
	char line[256];

	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
			sum += n;
	return sum;
}

double native_processor_time(pid_t pid)
{
	return (double)sum_of_threads(pid, "schedstat", read_time) / 1e9;
}

unsigned long long native_context_switches(pid_t pid)
{
	unsigned long long switches = sum_of_threads(pid, "status", read_switches);

	/* whoever runs has been waited for at least once */
	assert_true(switches > 0);
	return switches;
}

size_t native_settled_memory(pid_t pid)
{
	size_t last = looker_memory(pid), bytes;
	int same = 0;

	for (int look = 0; look < SETTLE_LOOKS && same < 5; look++) {
		poll(NULL, 0, 200);
		bytes = looker_memory(pid);
		same = bytes == last ? same + 1 : 0;
		last = bytes;
	}
	assert_true(last > 0);
	return last;
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

static pid_t tpm;

void native_tpm_start(void)
{
	struct pollfd listens = { .events = POLLIN };
	char tcti[128], folder[96];

	assert_int_equal(mkfifo("listens", 0600), 0);
	tpm = fork();
	assert_true(tpm >= 0);
	if (tpm == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* it tells about every client that leaves */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", "dir=.", "--server",
		       "type=unixio,path=tpm", "--ctrl", "type=unixio,path=tpm.ctrl", "--flags",
		       "not-need-init,startup-clear", "--pid", "file=listens", (char *)NULL);
		_exit(127);
	}
	/* it writes its process id once it listens */
	listens.fd = open("listens", O_RDWR | O_CLOEXEC);
	assert_int_equal(poll(&listens, 1, TPM_DEADLINE), 1);
	close(listens.fd);
	assert_non_null(getcwd(folder, sizeof(folder)));
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s/tpm", folder);
	setenv("TCTI", tcti, 1);
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
}

void native_tpm_stop(void)
{
	assert_int_equal(kill(tpm, SIGTERM), 0);
	assert_int_equal(waitpid(tpm, NULL, 0), tpm);
}

void native_tpm_key(const char *name, const char *kind)
{
	const char *provider = "-provider tpm2 -provider default -propquery '?provider=tpm2'";

	run("openssl genpkey -quiet %s %s -out %s.tss", provider, kind, name);
	run("openssl req -x509 -new %s -key %s.tss -subj /CN=%s -days 2 -out %s-tpm.pem", provider,
	    name, name, name);
}

static void open_one(struct batch *batch, size_t i)
{
	bool client = batch->role == TLS_HANDOFF_CLIENT;
	struct attr_builder options = rig_options(batch->role, client ? "client" : "server");
	char remote[32];

	if (client) {
		snprintf(remote, sizeof(remote), "127.0.0.1:%zu", batch->first_remote + i);
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
		attr_put_string(&options, CHANNEL_A_REMOTE, remote);
	}
	connection_open(&batch->connections[i], batch->rig, &options,
			party_connect(batch->party, client ? NULL : &batch->sessions[i]));
}

static void run_handshakes(struct batch *batch)
{
	size_t open = BATCH_SIZE;
	bool moved;

	while (open) {
		moved = false;
		open = 0;
		for (size_t i = 0; i < BATCH_SIZE; i++) {
			struct connection *c = &batch->connections[i];

			if (c->done)
				continue;
			if (c->failed)
				fail_msg("a handshake failed: %s", c->words);
			open++;
			moved |= connection_relay(c);
		}
		if (open && !moved)
			assert_true(rig_step(batch->rig));
	}
}

/* The tickets: the party's clients read theirs, the handler gets those of the party's servers. */
static void finish_one(struct batch *batch, struct connection *c)
{
	char byte;

	if (!c->peer_ready)
		c->peer_ready = peer_handshake(c->peer);
	assert_true(c->peer_ready);
	if (batch->role == TLS_HANDOFF_SERVER)
		assert_int_equal(peer_read(c->peer, &byte, 1), 0);
	while (batch->role == TLS_HANDOFF_CLIENT && peer_pending(c->peer))
		connection_divert(c);
	assert_false(c->failed);
	batch->resumed += party_resumed(c->peer);
}

void batch_run(struct batch *batch)
{
	batch->resumed = 0;
	for (size_t i = 0; i < BATCH_SIZE; i++)
		open_one(batch, i);
	run_handshakes(batch);
	for (size_t i = 0; i < BATCH_SIZE; i++)
		finish_one(batch, &batch->connections[i]);
	for (size_t i = 0; i < BATCH_SIZE; i++) {
		if (batch->keep)
			peer_free(batch->connections[i].peer);
		else
			connection_close(&batch->connections[i]);
	}
	memset(batch->rig->connections, 0, sizeof(batch->rig->connections));
}

void batch_forget_sessions(struct batch *batch)
{
	for (size_t i = 0; i < BATCH_SIZE; i++) {
		SSL_SESSION_free(batch->sessions[i]);
		batch->sessions[i] = NULL;
	}
}
