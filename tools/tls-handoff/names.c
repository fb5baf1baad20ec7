// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The numbers of tls_handoff(7) as words, and back.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "names.h"

struct name {
	int number;
	const char *words;
};

static const struct name versions[] = {
	{ 0, "none" }, { TLS_1_2_VERSION, "1.2" }, { TLS_1_3_VERSION, "1.3" }, {}
};

static const struct name ciphers[] = { { 0, "none" },
				       { TLS_CIPHER_AES_GCM_128, "AES-128-GCM" },
				       { TLS_CIPHER_AES_GCM_256, "AES-256-GCM" },
				       { TLS_CIPHER_CHACHA20_POLY1305, "CHACHA20-POLY1305" },
				       { TLS_CIPHER_AES_CCM_128, "AES-128-CCM" },
				       {} };

static const struct name auths[] = { { 0, "none" },
				     { TLS_HANDOFF_AUTH_X509, "x509" },
				     { TLS_HANDOFF_AUTH_PSK, "psk" },
				     { TLS_HANDOFF_AUTH_UNAUTH, "unauth" },
				     { TLS_HANDOFF_AUTH_RAWPK, "rawpk" },
				     {} };

static const struct name roles[] = {
	{ 0, "none" }, { TLS_HANDOFF_CLIENT, "client" }, { TLS_HANDOFF_SERVER, "server" }, {}
};

static const struct name states[] = { { TLS_HANDOFF_STATE_IDLE, "idle" },
				      { TLS_HANDOFF_STATE_HANDSHAKE, "handshake" },
				      { TLS_HANDOFF_STATE_ESTABLISHED, "established" },
				      { TLS_HANDOFF_STATE_CLOSED, "closed" },
				      { TLS_HANDOFF_STATE_FAILED, "failed" },
				      {} };

/* By bit number of TLS_HANDOFF_VERIFY_* */
static const struct name verify_bits[] = {
	{ 0, "untrusted" }, { 1, "expired" }, { 2, "not_yet_valid" }, { 3, "revoked" },
	{ 4, "name" },	    { 5, "purpose" }, { 6, "signature" },     { 7, "crl_stale" },
	{ 8, "missing" },   { 9, "psk" },     { 31, "other" },	      {}
};

static const char *find_words(const struct name *names, int number, const char *otherwise)
{
	for (; names->words; names++)
		if (names->number == number)
			return names->words;
	return otherwise;
}

static __u16 find_number(const struct name *names, const char *words)
{
	for (; names->words; names++)
		if (names->number && !strcasecmp(names->words, words))
			return names->number;
	return 0;
}

const char *version_name(__u16 version)
{
	return find_words(versions, version, "unknown");
}

const char *cipher_name(__u16 cipher)
{
	return find_words(ciphers, cipher, "unknown");
}

const char *auth_name(__u8 auth)
{
	return find_words(auths, auth, "unknown");
}

const char *role_name(__u8 role)
{
	return find_words(roles, role, "unknown");
}

const char *state_name(__u8 state)
{
	return find_words(states, state, "unknown");
}

const char *alert_words(__s16 alert)
{
	const char *name = alert_name(alert);

	return name ? name : alert < 0 ? "none" : "unknown";
}

const char *verify_name(unsigned int bit)
{
	return find_words(verify_bits, bit, NULL);
}

__u16 version_number(const char *name)
{
	return find_number(versions, name);
}

__u16 cipher_number(const char *name)
{
	return find_number(ciphers, name);
}

void address_words(const struct sockaddr *address, char buffer[ADDRESS_MAX])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN];

	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(buffer, ADDRESS_MAX, "%s:%u", host, ntohs(in->sin_port));
	} else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(buffer, ADDRESS_MAX, "%s:%u", host, ntohs(in6->sin6_port));
	} else if (address->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(buffer, ADDRESS_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		snprintf(buffer, ADDRESS_MAX, "?");
	}
}

const char *escape(const char *text, char *buffer, size_t size)
{
	size_t used = 0;

	for (; *text && used + sizeof("\\xNN") <= size; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c < 0x7f)
			buffer[used++] = c;
		else
			used += snprintf(buffer + used, size - used, "\\x%02x", c);
	}
	buffer[used] = '\0';
	return buffer;
}
