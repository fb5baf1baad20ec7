// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines: one for each handshake that succeeded, one for each that did not.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <linux/tls_handoff.h>

#include "log.h"
#include "session.h"

static const char *role_name(uint32_t role)
{
	return role == TLS_HANDOFF_SERVER ? "server" : "client";
}

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

	if (result->server_name)
		log_escape(server_name, sizeof(server_name), result->server_name,
			   strlen(result->server_name));
	log_escape(alpn, sizeof(alpn), (const char *)result->alpn, result->alpn_len);
	log_message(LOG_INFO,
		    "session %" PRIu64 ": %s handshake done: profile %s, peer %s, name %s, "
		    "identity %s, sni %s, %s, %s, %s, %s, alpn %s, uid %u, %" PRIu64 " us",
		    session->id, role_name(session->role), session->profile, session->remote,
		    session->peer_name ? session->peer_name : "-",
		    result->peer_identity ? result->peer_identity : "-", server_name,
		    version_name(result->version), cipher_name(result->cipher),
		    auth_name(result->auth), result->resumed ? "resumed" : "full",
		    result->alpn_len ? alpn : "-", session->uid, session_now() - session->accepted);
}

void report_failure(const struct session *session, int status, const char *words)
{
	const char *name = strerrorname_np(status);

	log_message(LOG_NOTICE,
		    "session %" PRIu64
		    ": %s %s failed: profile %s, peer %s, name %s, uid %u: %s: %s",
		    session->id, role_name(session->role),
		    session->established ? "connection" : "handshake", session->profile,
		    session->remote, session->peer_name ? session->peer_name : "-", session->uid,
		    name ? name : "unknown error", words);
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
