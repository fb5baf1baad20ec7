// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the user is told on standard error: why a handshake failed, and with --info what
 * was negotiated.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names.h"
#include "preload.h"

#define TOLD 1024 /* sessions that are remembered, by their number's remainder */

static struct stat standard_error;
static int (*info_print)(FILE *stream, int fd, bool json, const char *binding);
static atomic_ullong told[TOLD];

/* A program may have closed it, and have something else there. */
static bool have_standard_error(void)
{
	struct stat now;

	return fstat(STDERR_FILENO, &now) == 0 && now.st_dev == standard_error.st_dev &&
	       now.st_ino == standard_error.st_ino && standard_error.st_nlink;
}

void report_init(bool info)
{
	void *printer;

	if (fstat(STDERR_FILENO, &standard_error) < 0)
		standard_error.st_nlink = 0;
	if (!info)
		return;
	/* Apart, so that only programs with --info get a JSON library. */
	printer = dlopen(PRELOAD_DIR "/libtls_handoff_info.so", RTLD_NOW | RTLD_LOCAL);
	if (printer)
		*(void **)&info_print = dlsym(printer, "info_print");
	if (!info_print)
		report("--info: %s", dlerror());
}

void report(const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int error = errno, used, length;

	if (!have_standard_error())
		return;
	used = snprintf(line, sizeof(line), "tls-handoff: ");
	va_start(arguments, format);
	length = vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length > sizeof(line) - used - 2)
		length = sizeof(line) - used - 2;
	length += used;
	line[length++] = '\n';
	/* Nobody could be told of an error. */
	if (write(STDERR_FILENO, line, length) < 0)
		errno = error;
	errno = error;
}

static void report_failure(int fd, const struct tls_handoff_info *info)
{
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	char raw[TLS_HANDOFF_MAX_PEER_NAME + 1];
	char name[4 * sizeof(raw)] = "a client";

	if (info->role == TLS_HANDOFF_CLIENT &&
	    handoff_string(fd, TLS_HANDOFF_PEER_NAME, raw, sizeof(raw)) > 0)
		escape(raw, name, sizeof(name));
	handoff_error(fd, info->error, words, sizeof(words));
	report("handshake with %s failed: %s", name, words);
}

/* A session without a number was refused by the kernel, which only the call that started
 * it can be asking about. */
static bool is_news(const struct tls_handoff_info *info)
{
	if (info->handshake_usec ? !info_print : info->state != TLS_HANDOFF_STATE_FAILED)
		return false;
	return !info->session_id || atomic_exchange(&told[info->session_id % TOLD],
						    info->session_id) != info->session_id;
}

void report_connection(int fd)
{
	struct tls_handoff_info info;
	int error = errno;

	if (handoff_info(fd, &info) == 0 && is_news(&info)) {
		if (!info.handshake_usec)
			report_failure(fd, &info);
		else if (have_standard_error())
			info_print(stderr, fd, settings()->json, NULL);
	}
	errno = error;
}
