// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was negotiated on a connection: lines for people, one JSON object on one line
 * for scripts.
 */
#include <inttypes.h>

#include "handoff.h"
#include "info.h"
#include "names.h"

#define ESCAPED(bytes) (4 * (bytes) + 1) /* of what nobody has checked; see escape() */

/* The strings of one connection; empty if there is none */
struct strings {
	char alpn[ESCAPED(TLS_HANDOFF_MAX_ALPN_NAME)];
	char peer_identity[TLS_HANDOFF_MAX_IDENTITY + 1];
	char server_name[ESCAPED(TLS_HANDOFF_MAX_PEER_NAME)];
	char error[TLS_HANDOFF_MAX_ERROR + 1];
};

static void read_string(int fd, int option, char *buffer, size_t size)
{
	if (handoff_string(fd, option, buffer, size) < 0)
		*buffer = '\0';
}

static void read_strings(int fd, bool chosen, struct strings *strings)
{
	char raw[TLS_HANDOFF_MAX_ALPN + TLS_HANDOFF_MAX_PEER_NAME + 1] = "";

	/* Before the choice it is the list of wishes, which is no text. */
	if (chosen)
		read_string(fd, TLS_HANDOFF_ALPN, raw, sizeof(raw));
	escape(raw, strings->alpn, sizeof(strings->alpn));
	read_string(fd, TLS_HANDOFF_SERVER_NAME, raw, sizeof(raw));
	escape(raw, strings->server_name, sizeof(strings->server_name));
	read_string(fd, TLS_HANDOFF_PEER_IDENTITY, strings->peer_identity,
		    sizeof(strings->peer_identity));
	read_string(fd, TLS_HANDOFF_ERROR, strings->error, sizeof(strings->error));
}

static void print_line(FILE *stream, const char *what, const char *text)
{
	if (*text)
		fprintf(stream, "%-10s %s\n", what, text);
}

static void print_people(FILE *stream, const struct tls_handoff_info *info,
			 const struct strings *strings, const char *binding)
{
	fprintf(stream, "session    %" PRIu64 ", %s, %s\n", (uint64_t)info->session_id,
		role_name(info->role), state_name(info->state));
	if (info->version)
		fprintf(stream, "protocol   TLS %s, %s\n", version_name(info->version),
			cipher_name(info->cipher));
	if (info->auth)
		print_line(stream, "auth", auth_name(info->auth));
	print_line(stream, "peer", strings->peer_identity);
	print_line(stream, "asked for", strings->server_name);
	print_line(stream, "alpn", strings->alpn);
	if (info->handshake_usec)
		fprintf(stream, "handshake  %s, %.1f ms\n", info->resumed ? "resumed" : "full",
			info->handshake_usec / 1000.0);
	for (unsigned int bit = 0; bit < 32; bit++)
		if (info->verify_status & (1u << bit))
			fprintf(stream, "refused    %s\n",
				verify_name(bit) ? verify_name(bit) : "unknown reason");
	if (info->alert_sent >= 0)
		fprintf(stream, "alert      %s (%d) sent\n", alert_words(info->alert_sent),
			info->alert_sent);
	if (info->alert_received >= 0)
		fprintf(stream, "alert      %s (%d) received\n", alert_words(info->alert_received),
			info->alert_received);
	print_line(stream, "error", strings->error);
	if (binding)
		print_line(stream, "tls-exporter", binding);
}

struct json_object *info_verify_json(__u32 verify_status)
{
	struct json_object *words = json_object_new_array();

	for (unsigned int bit = 0; bit < 32; bit++)
		if (verify_status & (1u << bit))
			json_object_array_add(
				words, json_object_new_string(verify_name(bit) ? verify_name(bit) :
										 "unknown"));
	return words;
}

static struct json_object *alert_json(__s16 alert)
{
	return alert < 0 ? NULL : json_object_new_string(alert_words(alert));
}

static void print_json(FILE *stream, const struct tls_handoff_info *info,
		       const struct strings *strings, const char *binding)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "session_id", json_object_new_uint64(info->session_id));
	json_object_object_add(o, "role", json_object_new_string(role_name(info->role)));
	json_object_object_add(o, "state", json_object_new_string(state_name(info->state)));
	json_object_object_add(o, "version", json_object_new_string(version_name(info->version)));
	json_object_object_add(o, "cipher", json_object_new_string(cipher_name(info->cipher)));
	json_object_object_add(o, "auth", json_object_new_string(auth_name(info->auth)));
	json_object_object_add(o, "resumed", json_object_new_boolean(info->resumed));
	json_object_object_add(o, "alpn", json_object_new_string(strings->alpn));
	json_object_object_add(o, "peer_identity", json_object_new_string(strings->peer_identity));
	json_object_object_add(o, "peer_cert",
			       json_object_new_boolean(info->flags & TLS_HANDOFF_F_PEER_CERT));
	json_object_object_add(o, "server_name", json_object_new_string(strings->server_name));
	json_object_object_add(o, "verify", info_verify_json(info->verify_status));
	json_object_object_add(o, "errno", json_object_new_int(info->error));
	json_object_object_add(o, "error", json_object_new_string(strings->error));
	json_object_object_add(o, "alert_sent", alert_json(info->alert_sent));
	json_object_object_add(o, "alert_received", alert_json(info->alert_received));
	json_object_object_add(o, "handshake_usec", json_object_new_uint64(info->handshake_usec));
	if (binding)
		json_object_object_add(o, "tls_exporter", json_object_new_string(binding));
	fprintf(stream, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int info_print(FILE *stream, int fd, bool json, const char *binding)
{
	struct tls_handoff_info info;
	struct strings strings;
	int r;

	r = handoff_info(fd, &info);
	if (r < 0)
		return r;
	read_strings(fd, info.version != 0, &strings);
	(json ? print_json : print_people)(stream, &info, &strings, binding);
	fflush(stream);
	return 0;
}
