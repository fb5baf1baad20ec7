// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of connect, listen and run.  One table names every option, who takes it
 * and its line of help.  What run was told reaches the preload library by the environment.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "names.h"
#include "options.h"
#include "ports.h"

#define BOTH	    (OPTIONS_CONNECT | OPTIONS_LISTEN)
#define ALL	    (BOTH | OPTIONS_RUN)
#define TIMEOUT_MAX (24 * 3600) /* seconds */

enum option_key {
	KEY_PROFILE = 256,
	KEY_NAME,
	KEY_ALPN,
	KEY_PSK,
	KEY_UNAUTH,
	KEY_RAWPK,
	KEY_CLIENT_CERT,
	KEY_MIN_VERSION,
	KEY_MAX_VERSION,
	KEY_CIPHERS,
	KEY_NO_RESUME,
	KEY_TIMEOUT,
	KEY_INFO,
	KEY_JSON,
	KEY_CHANNEL_BINDING,
	KEY_RECV_ONLY,
	KEY_SEND_ONLY,
	KEY_BIND,
	KEY_CLIENT_PORTS,
	KEY_SERVER_PORTS,
	KEY_EOF_OK,
};

static const struct option_entry {
	const char *name;
	int key;	       /* enum option_key, or the letter */
	unsigned int commands; /* enum options_command */
	const char *argument;  /* NULL if it takes none */
	const char *help;
} entries[] = {
	{ "profile", KEY_PROFILE, ALL, "NAME", "use this profile of tlshd.conf (\"default\")" },
	{ "name", KEY_NAME, ALL, "NAME", "expect this host name or address (connect: HOST)" },
	{ "alpn", KEY_ALPN, ALL, "A,B", "application protocols, preferred first" },
	{ "psk", KEY_PSK, ALL, "ID", "authenticate by this pre-shared key of the profile" },
	{ "unauth", KEY_UNAUTH, ALL, NULL, "encrypt only, if the profile allows it" },
	{ "rawpk", KEY_RAWPK, ALL, NULL, "authenticate by raw public keys" },
	{ "client-cert", KEY_CLIENT_CERT, OPTIONS_LISTEN | OPTIONS_RUN, "none|request|require",
	  "what to ask of clients" },
	{ "min-version", KEY_MIN_VERSION, ALL, "1.2|1.3", "accept no older TLS" },
	{ "max-version", KEY_MAX_VERSION, ALL, "1.2|1.3", "accept no newer TLS" },
	{ "ciphers", KEY_CIPHERS, ALL, "A,B",
	  "AES-128-GCM, AES-256-GCM, CHACHA20-POLY1305, AES-128-CCM" },
	{ "no-resume", KEY_NO_RESUME, ALL, NULL, "always a full handshake" },
	{ "timeout", KEY_TIMEOUT, ALL, "SECONDS", "for connecting and for the handshake (10)" },
	{ "info", KEY_INFO, ALL, NULL, "print what was negotiated to standard error" },
	{ "json", KEY_JSON, ALL, NULL, "the same as one JSON object" },
	{ "channel-binding", KEY_CHANNEL_BINDING, BOTH, NULL,
	  "print what ties other proofs to this connection" },
	{ "recv-only", KEY_RECV_ONLY, BOTH, NULL, "leave standard input alone" },
	{ "send-only", KEY_SEND_ONLY, BOTH, NULL, "send all of standard input, drop what comes" },
	{ "keep-open", 'k', OPTIONS_LISTEN, NULL, "serve one connection after the other" },
	{ "bind", KEY_BIND, OPTIONS_LISTEN, "ADDR", "listen on this address only" },
	{ "client-ports", KEY_CLIENT_PORTS, OPTIONS_RUN, "A,B-C,NAME",
	  "TLS for connections to these ports" },
	{ "server-ports", KEY_SERVER_PORTS, OPTIONS_RUN, "A,B-C,NAME",
	  "TLS for listeners on these ports" },
	{ "eof-ok", KEY_EOF_OK, OPTIONS_RUN, NULL, "an end without close_notify is a good end" },
	{ "ipv4", '4', BOTH, NULL, "IPv4 only" },
	{ "ipv6", '6', BOTH, NULL, "IPv6 only" },
	{ "help", 'h', ALL, NULL, "this text" },
	{ "version", 'V', ALL, NULL, "the version" },
};

#define ENTRIES (sizeof(entries) / sizeof(*entries))

static void help(enum options_command command)
{
	char left[64];

	if (command == OPTIONS_CONNECT)
		puts("usage: tls-handoff connect [OPTIONS] HOST PORT\n"
		     "\n"
		     "Connect with TLS and pass on standard input and output.\n");
	else if (command == OPTIONS_RUN)
		puts("usage: tls-handoff run [OPTIONS] -- PROGRAM [ARGUMENT...]\n"
		     "\n"
		     "Run PROGRAM, whose TCP connections are TLS without its knowing.  Without any\n"
		     "ports all that it opens are, but none that it accepts.\n");
	else
		puts("usage: tls-handoff listen [OPTIONS] PORT [-- COMMAND...]\n"
		     "\n"
		     "Accept a TLS connection and pass on standard input and output, or run\n"
		     "COMMAND with the connection as its standard input and output.\n");
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct option_entry *entry = &entries[i];

		if (!(entry->commands & command))
			continue;
		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", entry->key < 256 ? '-' : ' ',
			 entry->key < 256 ? entry->key : ' ', entry->key < 256 ? ',' : ' ',
			 entry->name, entry->argument ? " " : "",
			 entry->argument ? entry->argument : "");
		printf("  %-30s", left);
		if (strlen(left) > 29)
			printf("\n  %-30s", "");
		puts(entry->help);
	}
	puts("\nexit status: 0 done, 1 I/O error, 2 usage, 3 handshake failed, 4 no tlshd or no module");
}

static int mistake(const char *command, const char *option, const char *value, const char *why)
{
	fprintf(stderr, "tls-handoff %s: --%s%s%s: %s\n", command, option, value ? " " : "",
		value ? value : "", why);
	return -EINVAL;
}

/* Calls @take for each part of a comma-separated @list; NULL or what is wrong. */
static const char *each_part(const char *list, struct handoff_options *options,
			     const char *(*take)(const char *part, struct handoff_options *options))
{
	char part[64];
	const char *why = NULL;

	while (!why) {
		size_t length = strcspn(list, ",");

		if (!length || length >= sizeof(part))
			return length ? "a name is too long" : "a name is empty";
		memcpy(part, list, length);
		part[length] = '\0';
		why = take(part, options);
		if (!list[length])
			break;
		list += length + 1;
	}
	return why;
}

static const char *take_alpn(const char *name, struct handoff_options *options)
{
	size_t length = strlen(name);
	unsigned int names = 0;

	if (length > TLS_HANDOFF_MAX_ALPN_NAME)
		return "a name is longer than 32 bytes";
	for (size_t i = 0; i < options->alpn_size; i += 1 + options->alpn[i])
		names++;
	if (names == TLS_HANDOFF_MAX_ALPN_NAMES)
		return "more than 8 names";
	options->alpn[options->alpn_size++] = length;
	memcpy(options->alpn + options->alpn_size, name, length);
	options->alpn_size += length;
	return NULL;
}

static const char *take_cipher(const char *name, struct handoff_options *options)
{
	__u16 cipher = cipher_number(name);

	if (!cipher)
		return "known are AES-128-GCM, AES-256-GCM, CHACHA20-POLY1305, AES-128-CCM";
	if (options->cipher_count == TLS_HANDOFF_MAX_CIPHERS)
		return "more than 8 ciphers";
	options->ciphers[options->cipher_count++] = cipher;
	return NULL;
}

static const char *take_version(const char *value, __u16 *version)
{
	*version = version_number(value);
	return *version ? NULL : "known are 1.2 and 1.3";
}

static const char *take_client_cert(const char *value, struct handoff_options *options)
{
	options->has_client_cert = true;
	if (!strcmp(value, "none"))
		options->client_cert = TLS_HANDOFF_CERT_NONE;
	else if (!strcmp(value, "request"))
		options->client_cert = TLS_HANDOFF_CERT_REQUEST;
	else if (!strcmp(value, "require"))
		options->client_cert = TLS_HANDOFF_CERT_REQUIRE;
	else
		return "known are none, request and require";
	return NULL;
}

static const char *take_timeout(const char *value, __u32 *milliseconds)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !(seconds >= 0.001) || seconds > TIMEOUT_MAX)
		return "not a number of seconds, above 0 and at most a day";
	*milliseconds = seconds * 1000;
	return NULL;
}

static const char *take_auth(__u32 auth, struct handoff_options *options)
{
	if (options->auth && options->auth != auth)
		return "only one of --psk, --unauth and --rawpk";
	options->auth = auth;
	return NULL;
}

/* NULL, or what is wrong with @value. */
static const char *take_option(int key, const char *value, struct options *options)
{
	struct handoff_options *handoff = &options->handoff;

	switch (key) {
	case KEY_PROFILE:
		handoff->profile = value;
		return strlen(value) > TLS_HANDOFF_MAX_PROFILE ? "longer than 63 bytes" : NULL;
	case KEY_NAME:
		handoff->peer_name = value;
		return strlen(value) > TLS_HANDOFF_MAX_PEER_NAME ? "longer than 253 bytes" : NULL;
	case KEY_ALPN:
		handoff->alpn_size = 0;
		return each_part(value, handoff, take_alpn);
	case KEY_PSK:
		handoff->psk_identity = value;
		if (!*value || strlen(value) > TLS_HANDOFF_MAX_PSK_IDENTITY)
			return "an identity has 1 to 128 bytes";
		return take_auth(TLS_HANDOFF_AUTH_PSK, handoff);
	case KEY_UNAUTH:
		return take_auth(TLS_HANDOFF_AUTH_UNAUTH, handoff);
	case KEY_RAWPK:
		return take_auth(TLS_HANDOFF_AUTH_RAWPK, handoff);
	case KEY_CLIENT_CERT:
		return take_client_cert(value, handoff);
	case KEY_MIN_VERSION:
		return take_version(value, &handoff->min_version);
	case KEY_MAX_VERSION:
		return take_version(value, &handoff->max_version);
	case KEY_CIPHERS:
		handoff->cipher_count = 0;
		return each_part(value, handoff, take_cipher);
	case KEY_NO_RESUME:
		handoff->no_resume = true;
		return NULL;
	case KEY_TIMEOUT:
		return take_timeout(value, &handoff->timeout);
	case KEY_INFO:
		options->info = true;
		return NULL;
	case KEY_JSON:
		options->info = true;
		options->json = true;
		return NULL;
	case KEY_CHANNEL_BINDING:
		options->channel_binding = true;
		return NULL;
	case KEY_RECV_ONLY:
		options->recv_only = true;
		return options->send_only ? "not together with --send-only" : NULL;
	case KEY_SEND_ONLY:
		options->send_only = true;
		return options->recv_only ? "not together with --recv-only" : NULL;
	case KEY_BIND:
		options->bind = value;
		return NULL;
	case KEY_CLIENT_PORTS:
		return ports_parse(value, &options->client_ports);
	case KEY_SERVER_PORTS:
		return ports_parse(value, &options->server_ports);
	case KEY_EOF_OK:
		options->eof_ok = true;
		return NULL;
	case 'k':
		options->keep_open = true;
		return NULL;
	case '4':
		options->family = AF_INET;
		return NULL;
	default:
		options->family = AF_INET6;
		return NULL;
	}
}

const char *options_take(const char *name, const char *value, struct options *options)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (!strcmp(entries[i].name, name))
			return take_option(entries[i].key, value, options);
	return "there is no such option";
}

static const char *entry_name(int key)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (entries[i].key == key)
			return entries[i].name;
	return NULL;
}

/* getopt_long(3) leaves in optopt the entry that lacks a value or takes none, an unknown
 * letter, or 0 for an unknown long option. */
static int unknown(const char *command, bool lacks_value, const char *argument)
{
	const char *name = entry_name(optopt);
	const char letter[] = { '-', optopt, '\0' };

	if (name)
		return mistake(command, name, NULL,
			       lacks_value ? "needs a value" : "takes no value");
	fprintf(stderr, "tls-handoff %s: there is no option %s; see tls-handoff %s --help\n",
		command, optopt ? letter : argument, command);
	return -EINVAL;
}

static const char *command_name(enum options_command command)
{
	return command == OPTIONS_CONNECT ? "connect" :
	       command == OPTIONS_LISTEN  ? "listen" :
					    "run";
}

/* getaddrinfo(3) takes any number and keeps its last 16 bits. */
bool options_port(enum options_command command, const char *port)
{
	unsigned long number, least = command == OPTIONS_CONNECT ? 1 : 0;
	char *end;

	number = strtoul(port, &end, 10);
	if (*port && (*end || (number >= least && number <= UINT16_MAX)))
		return true;
	fprintf(stderr,
		"tls-handoff %s: \"%s\" is no port: %lu to 65535, or a name of services(5)\n",
		command_name(command), port, least);
	return false;
}

/* TLS_HANDOFF_MIN_VERSION for "min-version". */
static const char *variable_name(const char *option, char buffer[64])
{
	size_t used = snprintf(buffer, 64, "TLS_HANDOFF_%s", option);

	for (size_t i = 0; i < used; i++)
		buffer[i] = buffer[i] == '-' ? '_' : toupper((unsigned char)buffer[i]);
	return buffer;
}

static bool is_exported(const struct option_entry *entry)
{
	return entry->commands & OPTIONS_RUN && entry->key >= KEY_PROFILE;
}

/* A run inside of another's begins anew. */
static void clear_environment(void)
{
	char variable[64];

	for (size_t i = 0; i < ENTRIES; i++)
		if (is_exported(&entries[i]))
			unsetenv(variable_name(entries[i].name, variable));
}

const char *options_import(struct options *options, const char **ret_option)
{
	char variable[64];
	const char *value, *why;

	for (size_t i = 0; i < ENTRIES; i++) {
		if (!is_exported(&entries[i]))
			continue;
		value = getenv(variable_name(entries[i].name, variable));
		why = value ? take_option(entries[i].key, value, options) : NULL;
		if (why) {
			*ret_option = entries[i].name;
			return why;
		}
	}
	return NULL;
}

int options_parse(enum options_command command, int argc, char **argv, struct options *options,
		  int *ret_first)
{
	const char *name = command_name(command);
	struct option table[ENTRIES + 1] = {};
	/* The options of run's PROGRAM are not ours. */
	char letters[2 * ENTRIES] = "+:";
	size_t count = 0;
	char variable[64];
	const char *why;
	int key;

	for (size_t i = 0; i < ENTRIES; i++) {
		if (!(entries[i].commands & command))
			continue;
		table[count].name = entries[i].name;
		table[count].has_arg = entries[i].argument ? required_argument : no_argument;
		table[count++].val = entries[i].key;
		if (entries[i].key < 256)
			strncat(letters, &(char){ entries[i].key }, 1);
	}

	if (command == OPTIONS_RUN)
		clear_environment();
	optind = 0;
	opterr = 0;
	while ((key = getopt_long(argc, argv, letters + (command != OPTIONS_RUN), table, NULL)) !=
	       -1) {
		switch (key) {
		case 'h':
			help(command);
			return 0;
		case 'V':
			puts("tls-handoff " TLS_HANDOFF_VERSION);
			return 0;
		case '?':
		case ':':
			return unknown(name, key == ':', argv[optind - 1]);
		default:
			why = take_option(key, optarg, options);
			if (why)
				return mistake(name, entry_name(key), optarg, why);
			if (command == OPTIONS_RUN)
				setenv(variable_name(entry_name(key), variable),
				       optarg ? optarg : "yes", 1);
		}
	}
	if (options->handoff.min_version && options->handoff.max_version &&
	    options->handoff.min_version > options->handoff.max_version)
		return mistake(name, "max-version", version_name(options->handoff.max_version),
			       "below --min-version");
	*ret_first = optind;
	return 1;
}
