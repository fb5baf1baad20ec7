// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options of a handed-off socket; handoff.h says what is promised.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "handoff.h"

static void set(int fd, int option, const void *value, socklen_t length)
{
	if (setsockopt(fd, SOL_TLS_HANDOFF, option, value, length))
		give_up("setsockopt", errno);
}

static uint16_t cipher_number(const char *name)
{
	static const char *const names[] = {
		[TLS_CIPHER_AES_GCM_128] = "AES-128-GCM",
		[TLS_CIPHER_AES_GCM_256] = "AES-256-GCM",
		[TLS_CIPHER_AES_CCM_128] = "AES-128-CCM",
		[TLS_CIPHER_CHACHA20_POLY1305] = "CHACHA20-POLY1305",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	give_up("no such cipher", 0);
}

void handoff_start(int fd, const struct options *options)
{
	uint32_t role = options->server ? TLS_HANDOFF_SERVER : TLS_HANDOFF_CLIENT;
	uint16_t version = options->tls12 ? TLS_1_2_VERSION : TLS_1_3_VERSION, cipher;

	if (setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, sizeof(TLS_HANDOFF_ULP)))
		give_up("TCP_ULP", errno);
	if (options->profile)
		set(fd, TLS_HANDOFF_PROFILE, options->profile, strlen(options->profile));
	if (!options->server)
		set(fd, TLS_HANDOFF_PEER_NAME, options->name, strlen(options->name));
	set(fd, TLS_HANDOFF_MIN_VERSION, &version, sizeof(version));
	set(fd, TLS_HANDOFF_MAX_VERSION, &version, sizeof(version));
	if (options->cipher) {
		cipher = cipher_number(options->cipher);
		set(fd, TLS_HANDOFF_CIPHERS, &cipher, sizeof(cipher));
	}
	if (setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)))
		give_up("handshake", errno);
}

struct tls_handoff_info handoff_info(int fd)
{
	struct tls_handoff_info info = {};
	socklen_t length = sizeof(info);

	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &length))
		give_up("TLS_HANDOFF_INFO", errno);
	return info;
}

void handoff_rekey(int fd)
{
	uint32_t zero = 0;

	if (setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_REKEY, &zero, sizeof(zero)))
		give_up("TLS_HANDOFF_REKEY", errno);
}

/* Also before the takeover, when there is nothing to say */
void handoff_say(int fd)
{
	struct tls_handoff_info info = {};
	socklen_t length = sizeof(info);
	char words[TLS_HANDOFF_MAX_ERROR + 1] = "";

	getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &length);
	length = TLS_HANDOFF_MAX_ERROR;
	getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ERROR, words, &length);
	printf("error=%s\nalert_sent=%d\nalert_received=%d\ntx_generation=%llu\n"
	       "rx_generation=%llu\nwords=%s\n",
	       info.error ? strerrorname_np(info.error) : "0", info.alert_sent,
	       info.alert_received, (unsigned long long)info.tx_generation,
	       (unsigned long long)info.rx_generation, words);
}
