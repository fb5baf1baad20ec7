/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: plays the session handler towards a real tlshd-keys.  Every wait has a
 * deadline; what goes wrong fails the cmocka test.
 */
#ifndef TLSHD_KEYS_TEST_HARNESS_H
#define TLSHD_KEYS_TEST_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

#define HARNESS_DEADLINE 60 /* seconds for one answer; a sanitized RSA key is slow */

struct harness_message {
	uint16_t type;
	uint64_t id;
	size_t length;
	uint8_t payload[20480];
};

/**
 * struct harness - one running tlshd-keys
 * @pid: 0 when it has ended
 * @keys, @psks: what it announced, by number
 * @log: path of the file with its log lines
 */
struct harness {
	pid_t pid;
	int fd;
	struct {
		struct keys_announce announce;
		uint8_t spki[KEYS_MAX_SPKI];
		size_t spki_len;
	} keys[16];
	size_t key_count;
	struct {
		struct keys_psk announce;
		char identity[129];
	} psks[16];
	size_t psk_count;
	char log[256];
};

/* A private folder for the test; the process gives up root first, so that the daemon does
 * not ask for its account and namespaces.  Files in it go with harness_leave_folder(). */
const char *harness_enter_folder(void);
void harness_leave_folder(void);
/* Writes @text to @name in the folder, mode 0600.  Returns the path, good until the 8th next call. */
const char *harness_write(const char *name, const char *text, size_t length);

/* Starts it with this configuration and takes its announcements until READY. */
void harness_start(struct harness *harness, const char *config);
/* After each test, cmocka's teardown: ends one that a failed test left, and shows its log. */
int harness_teardown(void **state);
/* tlshd-keys -t: its exit status; @output gets what it printed. */
int harness_check(const char *config, char *output, size_t size);
/* Closes the channel; the exit status (or 128 + signal). */
int harness_stop(struct harness *harness);
/* The exit status of one that ends by itself. */
int harness_wait(struct harness *harness);

/* Takes what it answered so far; false once it has closed the channel. */
bool harness_alive(struct harness *harness);
/* Sends no more, and takes answers until it has closed the channel. */
void harness_drain(struct harness *harness);

void harness_send(struct harness *harness, uint16_t type, uint64_t id, const void *head,
		  size_t head_len, const void *body, size_t body_len);
void harness_receive(struct harness *harness, struct harness_message *message);
/* SIGN for @digest; the answer is left to harness_receive(). */
void harness_sign(struct harness *harness, uint64_t id, uint32_t number, uint32_t uid,
		  uint16_t scheme, uint16_t hash, const uint8_t *digest, size_t length);
void harness_unseal(struct harness *harness, uint64_t id, uint32_t number, uint32_t uid);
/* UNSEAL_KERNEL by @serial, or if that is 0 by @identity in @keyring. */
void harness_unseal_kernel(struct harness *harness, uint64_t id, uint32_t keyring, uint32_t serial,
			   const char *identity);
/* OPEN_KERNEL; the answer is left to harness_receive() in both. */
void harness_open_kernel(struct harness *harness, uint64_t id, uint32_t certificate,
			 uint32_t private_key);
/* An ERROR for @id (0: any) with @error and @words in its text. */
void harness_expect_error(struct harness *harness, uint64_t id, int error, const char *words);
/* Signs with announced key @number and lets GnuTLS and libcrypto verify it. */
void harness_sign_and_verify(struct harness *harness, uint32_t number, uint16_t scheme,
			     uint16_t hash);
/* The same with a key that is not announced */
void harness_sign_and_verify_with(struct harness *harness, uint32_t number, const uint8_t *spki,
				  size_t spki_len, uint16_t scheme, uint16_t hash);

/**
 * struct harness_tpm - a software TPM of this test
 * @tcti: how to reach it; also put into the environment as TCTI, TPM2TOOLS_TCTI and
 *	TPM2OPENSSL_TCTI
 */
struct harness_tpm {
	pid_t pid;
	char tcti[256];
};

void harness_tpm_start(struct harness_tpm *tpm, const char *name);
void harness_tpm_kill(struct harness_tpm *tpm);
/* Stops it in its tracks, and lets it go on. */
void harness_tpm_pause(const struct harness_tpm *tpm);
void harness_tpm_continue(const struct harness_tpm *tpm);

/* Whether the log (its first 64 KiB) has @text in it. */
bool harness_logged(const struct harness *harness, const char *text);
/* Runs a shell command, whose exit status has to be 0. */
void harness_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* TLSHD_KEYS_TEST_HARNESS_H */
