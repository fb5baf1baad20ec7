// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * By what name the program knows an address: a bounded table that lookups fill and
 * connections read.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "peers.h"

/* IPv4 addresses are IPv4-mapped IPv6 ones, as a program may use either form. */
struct peer {
	struct in6_addr address; /* all zero: free */
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];
};

/* Protects what follows.  Its holder has all signals blocked, so that a handler that
 * connects cannot wait for its own thread. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct peer peers[PEERS_MAX];
static unsigned int next;

static void lock(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_before);
	pthread_mutex_lock(&mutex);
}

static void unlock(const sigset_t *before)
{
	pthread_mutex_unlock(&mutex);
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static sigset_t before_fork;

static void fork_prepare(void)
{
	sigset_t before;

	lock(&before);
	before_fork = before;
}

static void fork_done(void)
{
	sigset_t before = before_fork;

	unlock(&before);
}

void peers_init(void)
{
	/* A child of a program with threads must not find the mutex taken for ever. */
	pthread_atfork(fork_prepare, fork_done, fork_done);
}

static bool canonical(const struct sockaddr *address, struct in6_addr *ret_canonical)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	switch (address->sa_family) {
	case AF_INET:
		memcpy(mapped.s6_addr + 12, &in->sin_addr, sizeof(in->sin_addr));
		*ret_canonical = mapped;
		return true;
	case AF_INET6:
		*ret_canonical = in6->sin6_addr;
		return !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	default:
		return false;
	}
}

/* Every form of an address that getaddrinfo(3) takes, as "127.1" and "fe80::1%eth0" */
static bool is_literal(const char *name)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in;
	size_t length = strcspn(name, "%");

	if (inet_aton(name, &in))
		return true;
	if (length >= sizeof(text))
		return false;
	memcpy(text, name, length);
	text[length] = '\0';
	return inet_pton(AF_INET6, text, &in6) == 1;
}

/* The length of @name without the dot of the root, 0 if it is no host name. */
static size_t host_name_length(const char *name)
{
	size_t length = strlen(name);

	if (length && name[length - 1] == '.')
		length--;
	if (length > TLS_HANDOFF_MAX_PEER_NAME || is_literal(name))
		return 0;
	return length;
}

static struct peer *find(const struct in6_addr *address)
{
	for (unsigned int i = 0; i < PEERS_MAX; i++)
		if (IN6_ARE_ADDR_EQUAL(&peers[i].address, address))
			return &peers[i];
	return NULL;
}

void peers_learn(const struct sockaddr *address, const char *name)
{
	size_t length = host_name_length(name);
	struct in6_addr key;
	struct peer *peer;
	sigset_t before;

	if (!canonical(address, &key))
		return;
	lock(&before);
	peer = find(&key);
	if (!peer && length) {
		peer = &peers[next];
		next = (next + 1) % PEERS_MAX;
		peer->address = key;
	}
	if (peer) {
		memcpy(peer->name, name, length);
		peer->name[length] = '\0';
	}
	unlock(&before);
}

void peers_name(const struct sockaddr *address, char name[TLS_HANDOFF_MAX_PEER_NAME + 1])
{
	const struct peer *peer;
	struct in6_addr key;
	sigset_t before;

	*name = '\0';
	if (!canonical(address, &key))
		return;
	lock(&before);
	peer = find(&key);
	if (peer)
		memcpy(name, peer->name, sizeof(peer->name));
	unlock(&before);
	if (*name)
		return;
	if (IN6_IS_ADDR_V4MAPPED(&key))
		inet_ntop(AF_INET, key.s6_addr + 12, name, INET_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &key, name, INET6_ADDRSTRLEN);
}
