// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connections that are compared, see connection.h.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

/* Bytes of a leaf certificate with a P-256 key and a few names */
#define CERTIFICATE_BYTES 600

const char *const connection_names[CONNECTION_KINDS] = {
	[CONNECTION_PLAIN] = "plain_tcp",
	[CONNECTION_RAW_KTLS] = "raw_ktls",
	[CONNECTION_HANDOFF] = "handoff",
};

/* What a client with a verified server knows afterwards */
static int finish(struct agent *agent, const struct accepted *accepted)
{
	static const unsigned char certificate[CERTIFICATE_BYTES] = { 0x30, 0x82 };
	const struct done done = {
		.id = accepted->id,
		.version = CONNECTION_VERSION,
		.cipher = CONNECTION_CIPHER,
		.auth = TLS_HANDOFF_AUTH_X509,
		.alpn = "http/1.1",
		.peer_identity = "dns:server.test",
		.peer_cert = certificate,
		.peer_cert_len = sizeof(certificate),
	};
	struct keys tx, rx;
	int ret;

	keys_fill(&tx, CONNECTION_VERSION, CONNECTION_CIPHER, 0, 0);
	keys_fill(&rx, CONNECTION_VERSION, CONNECTION_CIPHER, 1, 0);
	ret = keys_install(accepted->fd, &tx, &rx);
	return ret ? ret : agent_done(agent, &done);
}

static int hand_off(struct connection *connection, struct agent *agent)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	uint32_t role = TLS_HANDOFF_CLIENT;
	struct accepted accepted;
	int app = connection->app, ret;

	if (setsockopt(app, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)) ||
	    setsockopt(app, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, "server.test", 11) ||
	    setsockopt(app, SOL_TLS_HANDOFF, TLS_HANDOFF_ALPN, alpn, sizeof(alpn) - 1))
		return -errno;
	ret = set_nonblock(app, true);
	if (ret)
		return ret;
	if (!setsockopt(app, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)))
		return -EPROTO;
	if (errno != EINPROGRESS)
		return -errno;
	ret = agent_accept(agent, &accepted);
	if (ret)
		return ret;
	connection->session = accepted.fd;
	ret = finish(agent, &accepted);
	return ret ? ret : set_nonblock(app, false);
}

/* Raw kTLS gets what the module sets, too: a quarter fewer instructions on receive */
static int raw_ktls(int fd, int direction)
{
	struct keys tx, rx;
	int yes = 1, ret;

	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 4))
		return -errno;
	keys_fill(&tx, CONNECTION_VERSION, CONNECTION_CIPHER, direction, 0);
	keys_fill(&rx, CONNECTION_VERSION, CONNECTION_CIPHER, !direction, 0);
	ret = keys_install(fd, &tx, &rx);
	if (!ret && setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &yes, sizeof(yes)))
		ret = -errno;
	return ret;
}

int connection_secure(struct connection *connection, enum connection_kind kind, struct agent *agent)
{
	int ret;

	if (kind == CONNECTION_PLAIN)
		return 0;
	ret = kind == CONNECTION_HANDOFF ? hand_off(connection, agent) :
					   raw_ktls(connection->app, 0);
	return ret ? ret : raw_ktls(connection->peer, 1);
}

int connection_open(struct connection *connection, enum connection_kind kind, struct agent *agent)
{
	int ret;

	connection->session = -1;
	ret = tcp_pair(AF_INET, &connection->app, &connection->peer);
	if (ret)
		return ret;
	ret = connection_secure(connection, kind, agent);
	if (ret)
		connection_close(connection);
	return ret;
}

void connection_close(struct connection *connection)
{
	close(connection->app);
	close(connection->peer);
	if (connection->session >= 0)
		close(connection->session);
}

void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-result));
	exit(1);
}
