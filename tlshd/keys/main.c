// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tlshd-keys, the key holder: opens all keys, gives up everything else, and then
 * signs for the session handler, which it has an inherited channel to.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/keyctl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "keyset.h"
#include "log.h"
#include "sandbox.h"
#include "serve.h"

#define SESSION_FD 3 /* the channel to the session handler */

struct options {
	const char *config;
	bool to_stderr;
	bool verbose;
	bool test;
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: tlshd-keys [-c FILE] [-s] [-v] [-t] [-h]\n"
		"The key holder of tlshd(8), which starts it.\n"
		"  -c FILE  configuration (default %s)\n"
		"  -s       log to standard error\n"
		"  -v       log more\n"
		"  -t       check keys and PSKs of the configuration, then exit\n"
		"  -h       this text\n",
		CONFIG_DEFAULT_PATH);
}

static int parse_options(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "c:svth")) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->to_stderr = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 't':
			options->test = true;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	usage(stderr);
	return -EINVAL;
}

static void print_mistake(const char *mistake)
{
	fprintf(stderr, "%s\n", mistake);
}

static void log_mistake(const char *mistake)
{
	log_message(LOG_ERR, "%s", mistake);
}

/* Before the sandbox: everything that needs a file or a device.  The number of mistakes,
 * or -errno after reporting. */
static int load(const struct options *options, struct keyset **ret_keyset)
{
	keyset_report *report = options->test ? print_mistake : log_mistake;
	struct config *config = NULL;
	char *error = NULL;
	int ret;

	ret = config_load(options->config, &config, &error);
	if (ret < 0) {
		report(error ? error : strerror(-ret));
		free(error);
		return ret;
	}
	ret = keyset_load(config, report, ret_keyset);
	config_free(config);
	return ret;
}

static int enter_sandbox(void)
{
	/* Signers are threads that start inside: filters and credentials are per thread. */
	static const int syscalls[] = { SCMP_SYS(clone3), SCMP_SYS(clone) };
	/* The session keyring came from the agent: it and what is linked there stays as it is. */
	static const struct sandbox_operation operations[] = {
		{ SCMP_SYS(keyctl), KEYCTL_DESCRIBE },
		{ SCMP_SYS(keyctl), KEYCTL_READ },
	};
	const struct sandbox sandbox = {
		.user = "tlshd-keys",
		.syscalls = syscalls,
		.syscall_count = sizeof(syscalls) / sizeof(syscalls[0]),
		.operations = operations,
		.operation_count = sizeof(operations) / sizeof(operations[0]),
	};
	int ret = sandbox_enter(&sandbox);

	if (ret == -ENOENT)
		log_message(LOG_ERR, "the account tlshd-keys does not exist: run systemd-sysusers");
	else if (ret < 0)
		log_message(LOG_ERR, "cannot enter the sandbox: %s", strerror(-ret));
	return ret;
}

static int serve(const struct keyset *keyset)
{
	struct keys_server *server = NULL;
	struct event_base *base;
	int ret;

	base = event_base_new();
	if (!base)
		return -ENOMEM;
	ret = keys_server_new(base, SESSION_FD, keyset, &server);
	if (ret < 0) {
		log_message(LOG_ERR, "no channel on descriptor %d: %s; tlshd starts this program",
			    SESSION_FD, strerror(-ret));
		goto out;
	}
	ret = enter_sandbox();
	if (ret < 0)
		goto out;
	ret = keys_server_start(server);
	if (ret < 0) {
		log_message(LOG_ERR, "cannot start: %s", strerror(-ret));
		goto out;
	}
	log_message(LOG_INFO, "ready with %zu keys and %zu PSKs", keyset->key_count,
		    keyset->psk_count);
	event_base_dispatch(base);
	ret = keys_server_result(server);
	if (ret < 0)
		log_message(LOG_ERR, "the session handler broke the protocol: %s", strerror(-ret));
out:
	/* A signer that hangs in a dead device still uses server and keys. */
	if (keys_server_free(server) < 0)
		_exit(EXIT_FAILURE);
	event_base_free(base);
	return ret;
}

int main(int argc, char **argv)
{
	struct options options = { .config = CONFIG_DEFAULT_PATH };
	struct keyset *keyset = NULL;
	int ret;

	if (parse_options(argc, argv, &options) < 0)
		return EX_USAGE;
	log_open("tlshd-keys", options.to_stderr, options.verbose);
	signal(SIGPIPE, SIG_IGN);
	/* The TPM library prints what we report in words anyway. */
	setenv("TSS2_LOG", "all+none", 0);
	ret = sandbox_early(SESSION_FD);
	if (ret < 0) {
		log_message(LOG_ERR, "cannot protect memory: %s", strerror(-ret));
		return EXIT_FAILURE;
	}
	ret = load(&options, &keyset);
	if (ret >= 0 && !options.test)
		ret = serve(keyset);
	keyset_free(keyset);
	return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
