// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel memory of established connections: plain TCP, raw kTLS, handed off without
 * and with the session fd.  Both ends are in this process; the other end is raw
 * kTLS for both kinds of TLS, so the end under test is what differs.
 *
 * The parts come from /proc/slabinfo by subtraction: what a handed-off connection
 * has more of than a raw kTLS one, cache by cache.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "figure.h"

#define MAX_CACHES 512
/* Objects of a cache per connection: what is below belongs to no connection but to its stock */
#define NOISE	   0.25
#define MAX_LOOKS  200

struct cache {
	char name[40];
	unsigned long objects, size;
};

struct snapshot {
	struct cache caches[MAX_CACHES];
	unsigned int count;
	long kernel; /* bytes of all that idle connections are made of */
};

static FILE *open_or_die(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		must(-errno, path);
	return file;
}

static long meminfo(const char *wanted)
{
	FILE *file = open_or_die("/proc/meminfo", "r");
	char line[128], name[64];
	long kib, found = 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^:]: %ld", name, &kib) == 2 && !strcmp(name, wanted))
			found = kib * 1024;
	fclose(file);
	return found;
}

/* kmalloc has copies of each size, for accounted memory and at random: one name for all */
static void plain_name(const char *name, char *ret, size_t size)
{
	const char *last = strrchr(name, '-');

	if (last && !strncmp(name, "kmalloc-", 8))
		snprintf(ret, size, "kmalloc%.20s", last);
	else
		snprintf(ret, size, "%.38s", name);
}

static struct cache *cache_of(struct snapshot *snapshot, const char *name)
{
	unsigned int i;

	for (i = 0; i < snapshot->count; i++)
		if (!strcmp(snapshot->caches[i].name, name))
			return &snapshot->caches[i];
	if (i == MAX_CACHES)
		must(-ENOSPC, "the table of caches");
	snprintf(snapshot->caches[i].name, sizeof(snapshot->caches[i].name), "%s", name);
	return &snapshot->caches[snapshot->count++];
}

static void write_file(const char *path, const char *text)
{
	FILE *file = open_or_die(path, "w");

	fputs(text, file);
	if (fclose(file))
		must(-errno, path);
}

/* Returns when a packet socket is gone, and the kernel waits for a grace period of RCU then. */
static void grace_period(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		must(-errno, "a packet socket");
	close(fd);
}

static void read_caches(struct snapshot *snapshot)
{
	FILE *file = open_or_die("/proc/slabinfo", "r");
	char line[512], name[64], plain[40];
	unsigned long active, all, size;
	struct cache *cache;

	memset(snapshot, 0, sizeof(*snapshot));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %lu %lu %lu", name, &active, &all, &size) != 4)
			continue;
		plain_name(name, plain, sizeof(plain));
		cache = cache_of(snapshot, plain);
		cache->objects += active;
		cache->size = size;
	}
	fclose(file);
	/* Not what is missing from MemFree: free pages that each processor keeps are, too */
	snapshot->kernel = meminfo("Slab") + meminfo("Percpu") + meminfo("KernelStack");
}

/* What waits for RCU or can be dropped is gone first: until nothing changes any more */
static void take(struct snapshot *snapshot)
{
	static struct snapshot before;
	int look = 0;

	sync();
	read_caches(snapshot);
	do {
		if (++look > MAX_LOOKS)
			must(-ETIME, "memory that comes to rest");
		before = *snapshot;
		grace_period();
		write_file("/proc/sys/vm/drop_caches", "3\n");
		grace_period();
		read_caches(snapshot);
	} while (memcmp(&before, snapshot, sizeof(before)) != 0);
}

static void open_all(enum connection_kind kind, bool keep_session, unsigned int count,
		     struct agent *agent)
{
	struct connection connection;

	for (unsigned int i = 0; i < count; i++) {
		must(connection_open(&connection, kind, agent), connection_names[kind]);
		if (!keep_session && connection.session >= 0)
			close(connection.session);
		if ((i + 1) % 1000 == 0)
			fprintf(stderr, "bench: %u connections, %s\n", i + 1,
				connection_names[kind]);
	}
}

/* Caches keep a stock of free objects: without this it would be the first one's cost */
static void warm_up(struct agent *agent)
{
	struct connection connections[CONNECTION_KINDS];

	for (int i = 0; i < 64; i++) {
		for (int kind = 0; kind < CONNECTION_KINDS; kind++)
			must(connection_open(&connections[kind], kind, agent), "warming up");
		for (int kind = 0; kind < CONNECTION_KINDS; kind++)
			connection_close(&connections[kind]);
	}
}

/* All of one step's connections stay: memory that is freed comes back too late to be seen */
static const struct step {
	const char *name;
	enum connection_kind kind;
	bool keep_session;
} steps[] = {
	{ "plain_tcp", CONNECTION_PLAIN, false },
	{ "raw_ktls", CONNECTION_RAW_KTLS, false },
	{ "handoff_without_session_fd", CONNECTION_HANDOFF, false },
	{ "handoff", CONNECTION_HANDOFF, true },
};

#define STEPS (sizeof(steps) / sizeof(*steps))

static struct snapshot taken[STEPS + 1];

/* Growth of cache @i in the step that ends with snapshot @at, objects */
static double growth(unsigned int at, const char *name)
{
	return (double)cache_of(&taken[at], name)->objects -
	       (double)cache_of(&taken[at - 1], name)->objects;
}

/* What step @at took more of than the one before it: a line per cache, and the sum */
static double differ(unsigned int at, unsigned int count, const char *what)
{
	double sum = 0, objects;

	printf("%s, per connection:\n", what);
	for (unsigned int i = 0; i < taken[at].count; i++) {
		const struct cache *cache = &taken[at].caches[i];

		objects = (growth(at, cache->name) - growth(at - 1, cache->name)) / count;
		if (objects > -NOISE && objects < NOISE)
			continue;
		printf("  %6.2f of %5lu bytes  %s\n", objects, cache->size, cache->name);
		sum += objects * (double)cache->size;
	}
	printf("  %6.0f bytes\n", sum);
	return sum;
}

static void report(unsigned int count)
{
	figure(count, "connections", "memory.connections");
	figure(differ(3, count, "The module, beyond kTLS and the sockets"), "bytes",
	       "memory.module_per_connection");
	figure(differ(4, count, "The session fd"), "bytes", "memory.session_fd_per_connection");
	for (unsigned int i = 0; i < STEPS; i++)
		figure((double)(taken[i + 1].kernel - taken[i].kernel) / count, "bytes",
		       "memory.total_per_connection.%s", steps[i].name);
}

/* Room in tables that grow by doubling, and for four ports a connection */
static void make_room(unsigned int count)
{
	const int files = 3 * STEPS * count + 64;
	struct rlimit limit = { files, files };

	if (setrlimit(RLIMIT_NOFILE, &limit) || dup2(0, files - 1) < 0)
		must(-errno, "RLIMIT_NOFILE");
	close(files - 1);
	must(net_enter(), "a network namespace");
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 5000;
	struct agent *agent;

	if (!count || count > 8000 || argc > 2) {
		fprintf(stderr, "usage: memory [CONNECTIONS]\n");
		return 2;
	}
	make_room(count);
	must(agent_open(&agent), "netlink family tls_handoff");
	warm_up(agent);
	take(&taken[0]);
	for (unsigned int i = 0; i < STEPS; i++) {
		open_all(steps[i].kind, steps[i].keep_session, count, agent);
		take(&taken[i + 1]);
	}
	report(count);
	return 0;
}
