// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket options of tls_handoff(7): what any program does to secure a connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handoff.h"

int handoff_take(int fd)
{
	if (setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, sizeof(TLS_HANDOFF_ULP)) < 0)
		return -errno;
	return 0;
}

int handoff_available(void)
{
	int fd, r;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The kernel looks for the module first and at the socket, which is not connected, next. */
	r = handoff_take(fd);
	close(fd);
	return r == -ENOENT ? r : 0;
}

static int set(int fd, int option, const void *value, size_t size)
{
	if (setsockopt(fd, SOL_TLS_HANDOFF, option, value, size) < 0)
		return -errno;
	return 0;
}

static size_t length(const char *string)
{
	return string ? strlen(string) : 0;
}

int handoff_configure(int fd, const struct handoff_options *o, const char **ret_option)
{
	static const __u32 no = 0;
	const struct setting {
		const char *name;
		int option;
		const void *value; /* NULL: leave it to the profile */
		size_t size;
	} settings[] = {
		{ "profile", TLS_HANDOFF_PROFILE, o->profile, length(o->profile) },
		{ "name", TLS_HANDOFF_PEER_NAME, o->peer_name, length(o->peer_name) },
		{ "psk", TLS_HANDOFF_PSK_IDENTITY, o->psk_identity, length(o->psk_identity) },
		{ "alpn", TLS_HANDOFF_ALPN, o->alpn_size ? o->alpn : NULL, o->alpn_size },
		{ "authentication", TLS_HANDOFF_AUTH, o->auth ? &o->auth : NULL, sizeof(o->auth) },
		{ "client-cert", TLS_HANDOFF_CLIENT_CERT,
		  o->has_client_cert ? &o->client_cert : NULL, sizeof(o->client_cert) },
		{ "min-version", TLS_HANDOFF_MIN_VERSION, o->min_version ? &o->min_version : NULL,
		  sizeof(o->min_version) },
		{ "max-version", TLS_HANDOFF_MAX_VERSION, o->max_version ? &o->max_version : NULL,
		  sizeof(o->max_version) },
		{ "ciphers", TLS_HANDOFF_CIPHERS, o->cipher_count ? o->ciphers : NULL,
		  o->cipher_count * sizeof(*o->ciphers) },
		{ "timeout", TLS_HANDOFF_TIMEOUT, o->timeout ? &o->timeout : NULL,
		  sizeof(o->timeout) },
		{ "no-resume", TLS_HANDOFF_RESUME, o->no_resume ? &no : NULL, sizeof(no) },
	};
	int r;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (!settings[i].value)
			continue;
		r = set(fd, settings[i].option, settings[i].value, settings[i].size);
		if (r < 0) {
			*ret_option = settings[i].name;
			return r;
		}
	}
	return 0;
}

int handoff_start(int fd, __u32 role)
{
	int r;

	/* A signal leaves the handshake running: asking again waits for the same one. */
	do
		r = set(fd, TLS_HANDOFF_START, &role, sizeof(role));
	while (r == -EINTR);
	return r;
}

int handoff_info(int fd, struct tls_handoff_info *ret_info)
{
	struct tls_handoff_info info = { .alert_sent = -1, .alert_received = -1 };
	socklen_t size = sizeof(info);

	/* An older module's struct is shorter; a newer one's is cut: both are right. */
	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &size) < 0)
		return -errno;
	*ret_info = info;
	return 0;
}

ssize_t handoff_string(int fd, int option, char *buffer, size_t size)
{
	socklen_t length = size - 1;

	if (getsockopt(fd, SOL_TLS_HANDOFF, option, buffer, &length) < 0)
		return -errno;
	buffer[length] = '\0';
	return length;
}

int handoff_channel_binding(int fd, unsigned char ret_binding[HANDOFF_BINDING])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	union {
		struct tls_handoff_exporter exporter;
		unsigned char bytes[sizeof(struct tls_handoff_exporter) + sizeof(label)];
	} value = {
		.exporter = {
			.label_len = sizeof(label) - 1,
			.out_len = HANDOFF_BINDING,
			.flags = 1, /* a context, which is empty */
		},
	};
	socklen_t size = sizeof(value);

	memcpy(value.exporter.data, label, sizeof(label) - 1);
	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, &value, &size) < 0)
		return -errno;
	if (size != HANDOFF_BINDING)
		return -EPROTO;
	memcpy(ret_binding, &value, HANDOFF_BINDING);
	return 0;
}

void handoff_error(int fd, int error, char *buffer, size_t size)
{
	if (handoff_string(fd, TLS_HANDOFF_ERROR, buffer, size) <= 0)
		snprintf(buffer, size, "%s", strerror(error < 0 ? -error : error));
}
