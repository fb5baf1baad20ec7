// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process before the TPM, see tpm_proxy.h.  Commands and responses of TPM 2.0 begin
 * with a tag of two bytes, their size and a code of four each, big endian.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tpm_proxy.h"

#define HEADER	  10
#define MAX_FRAME 4096	     /* bytes of a command or a response */
#define SIGN	  0x0000015d /* TPM_CC_Sign */

/* Shared with the process */
static struct shared {
	atomic_uint delay; /* milliseconds */
	atomic_ulong signatures;
} *shared;

static pid_t proxy;

static bool read_exactly(int fd, uint8_t *bytes, size_t length)
{
	ssize_t n;

	for (; length; bytes += n, length -= (size_t)n) {
		n = read(fd, bytes, length);
		if (n <= 0)
			return false;
	}
	return true;
}

static uint32_t big_endian(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* One command or response in @frame; its length, 0 at the end. */
static size_t read_frame(int fd, uint8_t frame[MAX_FRAME])
{
	size_t length;

	if (!read_exactly(fd, frame, HEADER))
		return 0;
	length = big_endian(frame + 2);
	if (length < HEADER || length > MAX_FRAME ||
	    !read_exactly(fd, frame + HEADER, length - HEADER))
		return 0;
	return length;
}

static bool write_frame(int fd, const uint8_t *frame, size_t length)
{
	return send(fd, frame, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void wait_milliseconds(unsigned int milliseconds)
{
	const struct timespec time = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000L,
	};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* A socket that listens at @path, or is connected to who does; -1 */
static int unix_socket(const char *path, bool listening)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && listening && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, 4) == 0)
		return fd;
	if (fd >= 0 && !listening && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A TPM does one thing at a time, and so does this. */
static void serve(int client)
{
	int tpm = unix_socket("tpm", false);
	uint8_t frame[MAX_FRAME];
	size_t length;
	bool sign;

	while (tpm >= 0 && (length = read_frame(client, frame)) > 0) {
		sign = big_endian(frame + 6) == SIGN;
		if (!write_frame(tpm, frame, length))
			break;
		length = read_frame(tpm, frame);
		if (!length)
			break;
		if (sign) {
			atomic_fetch_add(&shared->signatures, 1);
			wait_milliseconds(atomic_load(&shared->delay));
		}
		if (!write_frame(client, frame, length))
			break;
	}
	if (tpm >= 0)
		close(tpm);
}

void tpm_proxy_start(void)
{
	char tcti[128], folder[96];
	int listening, client;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_true(shared != MAP_FAILED);
	listening = unix_socket("proxy", true);
	assert_true(listening >= 0);
	proxy = fork();
	assert_true(proxy >= 0);
	if (proxy == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while ((client = accept(listening, NULL, NULL)) >= 0) {
			serve(client);
			close(client);
		}
		_exit(1);
	}
	close(listening);
	assert_non_null(getcwd(folder, sizeof(folder)));
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s/proxy", folder);
	assert_int_equal(setenv("TCTI", tcti, 1), 0);
}

void tpm_proxy_stop(void)
{
	assert_int_equal(kill(proxy, SIGTERM), 0);
	assert_int_equal(waitpid(proxy, NULL, 0), proxy);
	munmap(shared, sizeof(*shared));
}

void tpm_proxy_delay(unsigned int milliseconds)
{
	atomic_store(&shared->delay, milliseconds);
}

unsigned long tpm_proxy_signatures(void)
{
	return atomic_load(&shared->signatures);
}
