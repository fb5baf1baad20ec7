/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of connect, listen and run: what they share, and what only one takes.
 */
#ifndef TLS_HANDOFF_OPTIONS_H
#define TLS_HANDOFF_OPTIONS_H

#include <stdbool.h>

#include "handoff.h"
#include "ports.h"

enum options_command {
	OPTIONS_CONNECT = 1 << 0,
	OPTIONS_LISTEN = 1 << 1,
	OPTIONS_RUN = 1 << 2,
};

struct options {
	struct handoff_options handoff;
	int family; /* AF_UNSPEC, AF_INET, AF_INET6 */
	bool info;  /* print what was negotiated */
	bool json;
	bool channel_binding; /* print it */
	bool recv_only, send_only;
	const char *bind; /* listen: the address, NULL for all */
	bool keep_open;	  /* listen: more than one connection */
	/* run: what is to become TLS */
	struct ports client_ports, server_ports;
	bool eof_ok; /* run: a FIN without close_notify is an end of file */
};

/*
 * Reads the options; those of run are also put into the environment, where they replace
 * what an outer run left.  1: go on, operands begin at *ret_first.  0: --help or --version was
 * answered.  -EINVAL: a mistake, and it was reported.
 */
int options_parse(enum options_command command, int argc, char **argv, struct options *options,
		  int *ret_first);

/* What options_parse() put into the environment.  NULL, or what is wrong with *ret_option;
 * the strings stay in the environment. */
const char *options_import(struct options *options, const char **ret_option);

/* One option by its long name, as a configuration file has it.  @value is kept, not copied.
 * NULL, or what is wrong with it. */
const char *options_take(const char *name, const char *value, struct options *options);

/* Whether @port is a service's name or a number that fits; if not, it was reported. */
bool options_port(enum options_command command, const char *port);

#endif /* TLS_HANDOFF_OPTIONS_H */
