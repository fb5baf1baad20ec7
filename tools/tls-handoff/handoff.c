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

int handoff_configure(int fd, const struct handoff_options *options, const char **ret_option)
{
	const __u32 no_resume = 0;
	const struct setting {
		const char *name;
		int option;
		const void *value;
		size_t size;
		bool given;
	} settings[] = {
#define STRING(name, option, field)							\
		{ name, option, options->field, options->field ? strlen(options->field) : 0, \
		  options->field != NULL }
#define NUMBER(name, option, field, given)						\
		{ name, option, &options->field, sizeof(options->field), given }
		STRING("profile", TLS_HANDOFF_PROFILE, profile),
		STRING("name", TLS_HANDOFF_PEER_NAME, peer_name),
		STRING("psk", TLS_HANDOFF_PSK_IDENTITY, psk_identity),
		NUMBER("authentication", TLS_HANDOFF_AUTH, auth, options->auth),
		NUMBER("client-cert", TLS_HANDOFF_CLIENT_CERT, client_cert,
		       options->has_client_cert),
		NUMBER("min-version", TLS_HANDOFF_MIN_VERSION, min_version, options->min_version),
		NUMBER("max-version", TLS_HANDOFF_MAX_VERSION, max_version, options->max_version),
		NUMBER("timeout", TLS_HANDOFF_TIMEOUT, timeout, options->timeout),
		{ "alpn", TLS_HANDOFF_ALPN, options->alpn, options->alpn_size,
		  options->alpn_size },
		{ "ciphers", TLS_HANDOFF_CIPHERS, options->ciphers,
		  options->cipher_count * sizeof(*options->ciphers), options->cipher_count },
		{ "no-resume", TLS_HANDOFF_RESUME, &no_resume, sizeof(no_resume),
		  options->no_resume },
#undef STRING
#undef NUMBER
	};
	int r;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (!settings[i].given)
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

void handoff_error(int fd, int error, char *buffer, size_t size)
{
	if (handoff_string(fd, TLS_HANDOFF_ERROR, buffer, size) <= 0)
		snprintf(buffer, size, "%s", strerror(error < 0 ? -error : error));
}
