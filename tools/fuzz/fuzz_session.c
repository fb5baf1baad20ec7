// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile agent against the session handler: OPEN, bytes for GnuTLS, records for
 * an established session, in any order.  Input: messages, each a byte of type, two
 * bytes of length, payload.  Type 255 opens a session that is established at once.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <gnutls/gnutls.h>

#include "attr.h"
#include "channel.h"
#include "config.h"
#include "established.h"
#include "fuzz.h"
#include "fuzz_messages.h"
#include "handshake.h"
#include "keyclient.h"
#include "profile.h"
#include "resume.h"
#include "session.h"

#define ID		 1
#define INPUT_ESTABLISH	 255
#define ESTABLISH_TLS_12 1 /* in the first byte of its payload */
#define ESTABLISH_SERVER 2

static const char configuration[] = "[profile default]\nunauth = yes\n"
				    "[profile strict]\nmin_version = 1.3\nalpn = h2\n";

static struct profiles profiles;
static struct room room = { .profiles = &profiles };
static int agent_fd;
static int establish = -1; /* flags of the session that handshake_start() shall establish */

static void report(const char *mistake)
{
	fprintf(stderr, "%s\n", mistake);
}

static void on_closed(void *arg, int error)
{
}

static const struct channel_ops ops = { session_message, on_closed };

static void load_profiles(void)
{
	struct config *config = NULL;
	char path[64], *error = NULL;
	int fd = memfd_create("tlshd.conf", 0);

	if (fd < 0 || write(fd, configuration, sizeof(configuration) - 1) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(path, &config, &error) < 0 || profiles_load(config, report, &profiles) < 0)
		abort();
	config_free(config);
	close(fd);
}

/* A key holder that has one PSK and never answers. */
static void attach_keys(void)
{
	struct {
		struct channel_header header;
		struct keys_psk psk;
		char identity[4];
	} __attribute__((packed)) psk = {
		{ htole32(sizeof(struct keys_psk) + 4), htole16(KEYS_PSK), 0, 0 },
		{ .profile = "default" },
		"fuzz",
	};
	const struct channel_header ready = { 0, htole16(KEYS_READY), 0, 0 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 ||
	    send(fds[1], &psk, sizeof(psk), 0) < 0 || send(fds[1], &ready, sizeof(ready), 0) < 0 ||
	    keyclient_new(room.base, fds[0], &room.keys) < 0 ||
	    profiles_attach_keys(&profiles, room.keys) < 0)
		abort();
}

static void prepare(void)
{
	int fds[2];

	if (room.base)
		return;
	room.base = event_base_new();
	if (!room.base || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 ||
	    channel_new(room.base, fds[0], &ops, &room, &room.agent) < 0)
		abort();
	agent_fd = fds[1];
	load_profiles();
	attach_keys();
}

/* The linker puts it in handshake_start()'s place. */
int __real_handshake_start(struct session *session, const struct parameters *parameters);
int __wrap_handshake_start(struct session *session, const struct parameters *parameters);

int __wrap_handshake_start(struct session *session, const struct parameters *parameters)
{
	if (establish < 0)
		return __real_handshake_start(session, parameters);
	session->version = establish & ESTABLISH_TLS_12 ? TLS_1_2_VERSION : TLS_1_3_VERSION;
	session->cipher = TLS_CIPHER_AES_GCM_128;
	session->role = establish & ESTABLISH_SERVER ? TLS_HANDOFF_SERVER : TLS_HANDOFF_CLIENT;
	memset(session->secret, 0x42, sizeof(session->secret));
	session_established(session);
	return 0;
}

/* And this in log_message()'s: log lines are not what is tested. */
void __wrap_log_message(int priority, const char *format, ...);

void __wrap_log_message(int priority, const char *format, ...)
{
}

static void open_established(uint8_t flags)
{
	struct attr_builder open = { 0 };
	struct channel_message message = { .type = CHANNEL_OPEN, .session = ID };

	attr_put_u32(&open, CHANNEL_A_ROLE, TLS_HANDOFF_CLIENT);
	attr_put_string(&open, CHANNEL_A_PROFILE, "default");
	attr_put_u32(&open, CHANNEL_A_UID, 0);
	attr_put_u32(&open, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_UNAUTH);
	message.payload = open.data;
	message.length = open.length;
	establish = flags;
	if (session_message(&room, &message) < 0)
		abort();
	establish = -1;
	attr_builder_free(&open);
}

/* What the session handler says is thrown away, so that its queue never fills. */
static void drain(void)
{
	static uint8_t buffer[sizeof(struct channel_header) + CHANNEL_MAX_PAYLOAD];

	do
		event_base_loop(room.base, EVLOOP_NONBLOCK);
	while (recv(agent_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint32_t version = htole32(CHANNEL_VERSION);
	const struct channel_message hello = {
		.type = CHANNEL_HELLO,
		.payload = (const uint8_t *)&version,
		.length = sizeof(version),
	};
	struct channel_message message;

	prepare();
	if (session_table_new(&room) < 0 || resume_new(room.base, &room.resume) < 0 ||
	    session_message(&room, &hello) < 0)
		abort();
	while (fuzz_message(&data, &size, ID, &message)) {
		if (message.type == INPUT_ESTABLISH)
			open_established(message.length ? message.payload[0] : 0);
		else if (message.type != CHANNEL_HELLO && session_message(&room, &message) < 0)
			abort(); /* no message about a session ends the channel */
		drain();
	}
	session_table_free(room.sessions);
	resume_free(room.resume);
	room.sessions = NULL;
	drain();
	return 0;
}
