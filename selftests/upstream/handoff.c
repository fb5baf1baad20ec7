// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into the kernel's net/tls selftest: a socket on which it sets kTLS up is
 * handed off instead, with the keys that it gives, so that its sending and receiving
 * runs over tls_handoff. The agent is played in the same process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib.h"
#include "../program.h"

#define MAX_FDS 1024

/* What became of a descriptor on which TCP_ULP "tls" was set */
static struct {
	bool taken;
	int session;	/* 0: not started */
} sockets[MAX_FDS];

static struct agent *agent;
static pid_t agent_of;

static int next_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	static int (*next)(int fd, int level, int option, const void *value, socklen_t length);

	if (!next)
		next = dlsym(RTLD_NEXT, "setsockopt");
	return next(fd, level, option, value, length);
}

static int set_ulp(int fd)
{
	if (next_setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)))
		return -1;
	sockets[fd].taken = true;
	sockets[fd].session = 0;
	return 0;
}

/* START and ACCEPT; the harness runs each test in a process of its own */
static int begin(struct pair *pair)
{
	int err;

	if (agent_of != getpid()) {
		err = agent_open(&agent);
		if (err)
			return err;
		agent_of = getpid();
	}
	pair->agent = agent;
	return pair_begin(pair, TLS_HANDOFF_SERVER);
}

/* The first key makes the handoff ready; the other direction gets one that nobody has */
static int set_first_key(int fd, int option, const void *value, socklen_t length)
{
	const struct tls_crypto_info *info = value;
	struct pair pair = { .app = fd };
	struct done done = { .auth = TLS_HANDOFF_AUTH_X509 };
	struct keys other;
	int err;

	if (length < sizeof(*info)) {
		errno = EINVAL;
		return -1;
	}
	err = begin(&pair);
	if (err) {
		errno = -err;
		return -1;
	}
	sockets[fd].session = pair.session;
	if (next_setsockopt(pair.session, SOL_TLS, option, value, length))
		return -1;
	keys_fill(&other, info->version, info->cipher_type, TO_PEER, 9);
	err = option == TLS_TX ? keys_install(pair.session, NULL, &other) :
				 keys_install(pair.session, &other, NULL);
	done.id = pair.id;
	done.version = info->version;
	done.cipher = info->cipher_type;
	if (!err)
		err = agent_done(agent, &done);
	errno = -err;
	return err ? -1 : 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (fd < 0 || fd >= MAX_FDS)
		return next_setsockopt(fd, level, option, value, length);
	if (level == SOL_TCP && option == TCP_ULP && length >= 3 && !memcmp(value, "tls", 3) &&
	    (length == 3 || !((const char *)value)[3]))
		return set_ulp(fd);
	if (level != SOL_TLS || !sockets[fd].taken || (option != TLS_TX && option != TLS_RX))
		return next_setsockopt(fd, level, option, value, length);
	if (!sockets[fd].session)
		return set_first_key(fd, option, value, length);
	return next_setsockopt(sockets[fd].session, level, option, value, length);
}
