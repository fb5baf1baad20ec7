// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines: one for each handshake that succeeded, one for each that did not, and the same
 * for the counters.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

#include "counters.h"
#include "log.h"
#include "ratelimit.h"
#include "session.h"

#define REPORT_COMMAND 16 /* bytes, as the kernel keeps it */

static const char *version_name(uint16_t version)
{
	switch (version) {
	case TLS_1_2_VERSION:
		return "TLS 1.2";
	case TLS_1_3_VERSION:
		return "TLS 1.3";
	}
	return "TLS ?";
}

static const char *cipher_name(uint16_t cipher)
{
	switch (cipher) {
	case TLS_CIPHER_AES_GCM_128:
		return "AES-128-GCM";
	case TLS_CIPHER_AES_GCM_256:
		return "AES-256-GCM";
	case TLS_CIPHER_AES_CCM_128:
		return "AES-128-CCM";
	case TLS_CIPHER_CHACHA20_POLY1305:
		return "CHACHA20-POLY1305";
	}
	return "unknown cipher";
}

static const char *auth_name(uint32_t auth)
{
	switch (auth) {
	case TLS_HANDOFF_AUTH_X509:
		return "X.509";
	case TLS_HANDOFF_AUTH_PSK:
		return "PSK";
	case TLS_HANDOFF_AUTH_UNAUTH:
		return "unauthenticated";
	case TLS_HANDOFF_AUTH_RAWPK:
		return "raw public key";
	}
	return "unknown authentication";
}

void report_done(const struct session *session, const struct handshake_result *result)
{
	char alpn[4 * TLS_HANDOFF_MAX_ALPN_NAME + 1], server_name[512] = "-";
	uint64_t usec = session_now() - session->accepted;

	counters_done(sessions_counters(session->all), session->role, result->resumed, usec);
	if (result->server_name)
		log_escape(server_name, sizeof(server_name), result->server_name,
			   strlen(result->server_name));
	log_escape(alpn, sizeof(alpn), (const char *)result->alpn, result->alpn_len);
	log_message(LOG_INFO,
		    "session %" PRIu64 ": %s handshake done: profile %s, peer %s, name %s, "
		    "identity %s, sni %s, %s, %s, %s, %s, alpn %s, uid %u, %" PRIu64 " us",
		    session->id, counters_role(session->role), session->profile, session->remote,
		    session->peer_name ? session->peer_name : "-",
		    result->peer_identity ? result->peer_identity : "-", server_name,
		    version_name(result->version), cipher_name(result->cipher),
		    auth_name(result->auth), result->resumed ? "resumed" : "full",
		    result->alpn_len ? alpn : "-", session->uid, usec);
}

static void count_failure(const struct session *session, int status, const char *words)
{
	const struct counters_failure failure = {
		.id = session->id,
		.role = session->role,
		.uid = session->uid,
		.status = status,
		.established = session->established,
		.words = words,
	};

	counters_failed(sessions_counters(session->all), &failure);
}

void report_failure(const struct session *session, int status, const char *words)
{
	const char *name = strerrorname_np(status);

	count_failure(session, status, words);
	log_message(LOG_NOTICE,
		    "session %" PRIu64
		    ": %s %s failed: profile %s, peer %s, name %s, uid %u: %s: %s",
		    session->id, counters_role(session->role),
		    session->established ? "connection" : "handshake", session->profile,
		    session->remote, session->peer_name ? session->peer_name : "-", session->uid,
		    name ? name : "unknown error", words);
}

/* What the process runs now, escaped; "-" if it is gone.  It may have chosen that itself. */
static void command_of(uint32_t pid, char *buffer, size_t size)
{
	char path[32], command[REPORT_COMMAND + 1];
	ssize_t n = -1;
	int fd = -1;

	snprintf(buffer, size, "-");
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	if (pid)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, command, sizeof(command));
		close(fd);
	}
	if (n > 0 && command[n - 1] == '\n')
		n--;
	if (n > 0)
		log_escape(buffer, size, command, n);
}

void report_refusal(const struct session *session, uint32_t pid, int status, const char *words)
{
	struct ratelimit *limit = sessions_ratelimit(session->all);
	const char *name = strerrorname_np(status);
	char command[4 * REPORT_COMMAND + 1];
	bool last = false;

	count_failure(session, status, words);
	if (!ratelimit_allows(limit, session->uid, session_now(), &last))
		return;
	command_of(pid, command, sizeof(command));
	log_message(LOG_NOTICE,
		    "session %" PRIu64
		    ": %s handshake failed: profile %s, peer %s, name %s, uid %u, "
		    "pid %u, command %s: %s: %s%s",
		    session->id, counters_role(session->role), session->profile, session->remote,
		    session->peer_name ? session->peer_name : "-", session->uid, pid, command,
		    name ? name : "unknown error", words,
		    last ? " (more of this user's are not logged for some seconds)" : "");
}

void report_remote(const struct handshake *handshake, char *buffer, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "?", scope[IF_NAMESIZE + 1] = "";

	switch (handshake->remote.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &handshake->remote.in.sin_addr, address, sizeof(address));
		snprintf(buffer, size, "%s:%u", address, ntohs(handshake->remote.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &handshake->remote.in6.sin6_addr, address, sizeof(address));
		if (handshake->remote.in6.sin6_scope_id)
			snprintf(scope, sizeof(scope), "%%%u", handshake->remote.in6.sin6_scope_id);
		snprintf(buffer, size, "[%s%s]:%u", address, scope,
			 ntohs(handshake->remote.in6.sin6_port));
		break;
	default:
		snprintf(buffer, size, "unknown");
	}
}
