// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options and error messages of status, sessions, metrics, tickets and reload.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "names.h"

int command_failed(const char *command, int error, const struct control_answer *answer)
{
	char words[4 * 256 + 1];

	switch (error) {
	case -ESRCH:
		fputs("tls-handoff: no tlshd is running here: systemctl start tlshd\n", stderr);
		return EXIT_UNAVAILABLE;
	case -EREMOTEIO:
		fprintf(stderr, "tls-handoff %s: %s\n", command,
			escape(answer->text, words, sizeof(words)));
		return EXIT_IO;
	case -EACCES:
		fprintf(stderr, "tls-handoff %s: only root may do this\n", command);
		return EXIT_IO;
	case -EPERM:
		fprintf(stderr,
			"tls-handoff %s: what listens on the control socket is not root's, so it is "
			"no tlshd\n",
			command);
		return EXIT_IO;
	case -ETIMEDOUT:
		fprintf(stderr, "tls-handoff %s: tlshd did not answer in time\n", command);
		return EXIT_IO;
	case -ECONNRESET:
		fprintf(stderr, "tls-handoff %s: tlshd closed the connection without an answer\n",
			command);
		return EXIT_IO;
	case -EBADMSG:
		fprintf(stderr, "tls-handoff %s: tlshd's answer is not understood\n", command);
		return EXIT_IO;
	default:
		fprintf(stderr, "tls-handoff %s: %s\n", command, strerror(-error));
		return EXIT_IO;
	}
}

bool command_option(int key, void (*help)(void), bool *ret_json, int *ret_status)
{
	switch (key) {
	case 'j':
		*ret_json = true;
		return true;
	case 'h':
		help();
		*ret_status = EXIT_DONE;
		return false;
	case 'V':
		puts("tls-handoff " TLS_HANDOFF_VERSION);
		*ret_status = EXIT_DONE;
		return false;
	default:
		*ret_status = EXIT_USAGE;
		return false;
	}
}

int command_parse(int argc, char **argv, void (*help)(void), bool *ret_json, const char **ret_word,
		  int *ret_status)
{
	static const struct option table[] = { { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       {} };
	int key;

	*ret_status = EXIT_USAGE;
	while ((key = getopt_long(argc, argv, "hV", ret_json ? table : table + 1, NULL)) != -1) {
		if (!command_option(key, help, ret_json, ret_status))
			return 0;
	}
	if (optind < argc && ret_word)
		*ret_word = argv[optind++];
	if (optind == argc)
		return 1;
	fprintf(stderr, "tls-handoff %s: too many words; see tls-handoff %s --help\n", argv[0],
		argv[0]);
	return 0;
}

int command_kernel_failed(const char *command, int error)
{
	if (error == -ENOENT) {
		fputs("tls-handoff: the kernel module is not loaded: modprobe tls_handoff\n",
		      stderr);
		return EXIT_UNAVAILABLE;
	}
	fprintf(stderr, "tls-handoff %s: %s\n", command, strerror(-error));
	return EXIT_IO;
}
