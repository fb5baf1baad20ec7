// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection of connect or listen: the handshake and the traffic, with a sentence on
 * standard error and an exit status for whatever goes wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "info.h"
#include "names.h"
#include "relay.h"

static int unavailable(int error)
{
	if (error == -ENOENT)
		fputs("tls-handoff: the kernel module is not loaded: modprobe tls_handoff\n",
		      stderr);
	else
		fputs("tls-handoff: no tlshd is running here: systemctl start tlshd\n", stderr);
	return EXIT_UNAVAILABLE;
}

int connection_check(void)
{
	int r = handoff_available();

	if (!r)
		return EXIT_DONE;
	if (r == -ENOENT)
		return unavailable(r);
	fprintf(stderr, "tls-handoff: socket: %s\n", strerror(-r));
	return EXIT_IO;
}

/* The channel binding of @fd in hexadecimal; -errno after a message. */
static int read_binding(int fd, const char *peer, char hex[2 * HANDOFF_BINDING + 1])
{
	unsigned char binding[HANDOFF_BINDING];
	int r;

	r = handoff_channel_binding(fd, binding);
	if (r < 0) {
		fprintf(stderr, "tls-handoff: %s: no channel binding: %s\n", peer, strerror(-r));
		return r;
	}
	for (size_t i = 0; i < sizeof(binding); i++)
		sprintf(hex + 2 * i, "%02x", binding[i]);
	return 0;
}

/* Prints what was asked for, of a handshake that succeeded or not. */
static int print_negotiated(int fd, const struct options *options, const char *peer, bool ready)
{
	char hex[2 * HANDOFF_BINDING + 1];
	const char *binding = NULL;
	int r = 0;

	if (ready && options->channel_binding) {
		r = read_binding(fd, peer, hex);
		if (r == 0)
			binding = hex;
	}
	if (options->info)
		info_print(stderr, fd, options->json, binding);
	else if (binding)
		fprintf(stderr, "tls-exporter %s\n", binding);
	return r;
}

int connection_secure(int fd, __u32 role, const struct options *options, const char *peer)
{
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	const char *option;
	int r, printed;

	r = handoff_take(fd);
	if (r == -ENOENT)
		return unavailable(r);
	if (r < 0) {
		fprintf(stderr, "tls-handoff: %s: cannot take the socket over: %s\n", peer,
			strerror(-r));
		return EXIT_IO;
	}

	r = handoff_configure(fd, &options->handoff, &option);
	if (r < 0) {
		fprintf(stderr, "tls-handoff: --%s: %s\n", option, strerror(-r));
		return EXIT_USAGE;
	}

	r = handoff_start(fd, role);
	if (r == -ESRCH)
		return unavailable(r);
	printed = print_negotiated(fd, options, peer, r == 0);
	if (r < 0) {
		handoff_error(fd, r, words, sizeof(words));
		fprintf(stderr, "tls-handoff: handshake with %s failed: %s\n", peer, words);
		return EXIT_HANDSHAKE;
	}
	return printed < 0 ? EXIT_IO : EXIT_DONE;
}

/* The alert that ended the connection, if the peer sent one. */
static const char *received_alert(int fd)
{
	struct tls_handoff_info info;

	if (handoff_info(fd, &info) < 0 || info.alert_received <= 0)
		return NULL;
	return alert_words(info.alert_received);
}

int connection_relay(int fd, const struct options *options, const char *peer)
{
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	const char *where, *alert;
	int r;

	r = relay(fd, options->recv_only, options->send_only, &where);
	if (!r)
		return EXIT_DONE;
	if (r == -ECONNABORTED)
		snprintf(words, sizeof(words), "%s",
			 "the peer ended the connection without saying so: it is truncated");
	else
		handoff_error(fd, r, words, sizeof(words));
	alert = received_alert(fd);
	fprintf(stderr, "tls-handoff: %s: %s: %s%s%s\n", peer, where, words,
		alert ? ": alert " : "", alert ? alert : "");
	return EXIT_IO;
}
