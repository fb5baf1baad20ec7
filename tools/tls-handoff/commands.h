/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of tls-handoff.  Each gets its own argv, argv[0] being its name, and
 * returns the program's exit status.
 */
#ifndef TLS_HANDOFF_COMMANDS_H
#define TLS_HANDOFF_COMMANDS_H

/* INTERFACE: what scripts rely on */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_IO = 1, /* an I/O error, truncation included */
	EXIT_USAGE = 2,
	EXIT_HANDSHAKE = 3,   /* the reason is on standard error */
	EXIT_UNAVAILABLE = 4, /* no tlshd, or no module */
};

int connect_command(int argc, char **argv);
int listen_command(int argc, char **argv);
int run_command(int argc, char **argv);
int status_command(int argc, char **argv);
int sessions_command(int argc, char **argv);
int metrics_command(int argc, char **argv);
int tickets_command(int argc, char **argv);
int reload_command(int argc, char **argv);
int key_command(int argc, char **argv);
int tunnel_command(int argc, char **argv);

#endif /* TLS_HANDOFF_COMMANDS_H */
