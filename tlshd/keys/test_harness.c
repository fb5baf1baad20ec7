// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The session handler's side for tests, see test_harness.h.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "channel.h"
#include "scheme.h"
#include "test_harness.h"

#define NOBODY 65534

static char folder[64];
static pid_t running;

const char *harness_enter_folder(void)
{
	if (getuid() == 0)
		assert_true(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	strcpy(folder, "/tmp/tlshd-keys-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	return folder;
}

void harness_leave_folder(void)
{
	harness_run("rm -rf '%s'", folder);
}

const char *harness_write(const char *name, const char *text, size_t length)
{
	static char paths[8][256];
	static unsigned int next;
	char *path = paths[next++ % 8];
	int fd;

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
	return path;
}

static const char *program(void)
{
	const char *path = getenv("TLSHD_KEYS");

	assert_non_null(path);
	return path;
}

void harness_start(struct harness *harness, const char *config)
{
	const char *path = harness_write("tlshd.conf", config, strlen(config));
	struct harness_message message;
	int fds[2], log;

	memset(harness, 0, sizeof(*harness));
	snprintf(harness->log, sizeof(harness->log), "%s/log", folder);
	log = open(harness->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log < 0)
		fail_msg("%s: %s", harness->log, strerror(errno));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	harness->fd = fds[0];
	harness->pid = fork();
	if (harness->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Descriptor 3 may be either end of the pair: move out of the way first. */
		fds[1] = fcntl(fds[1], F_DUPFD_CLOEXEC, 10);
		dup2(log, STDERR_FILENO);
		dup2(fds[1], 3);
		execl(program(), "tlshd-keys", "-c", path, "-s", "-v", (char *)NULL);
		_exit(127);
	}
	assert_true(harness->pid > 0);
	running = harness->pid;
	close(fds[1]);
	close(log);
	for (;;) {
		harness_receive(harness, &message);
		assert_int_equal(message.id, 0);
		if (message.type == KEYS_READY)
			return;
		if (message.type == KEYS_KEY) {
			size_t i = harness->key_count++;

			assert_true(i < 16 && message.length > sizeof(struct keys_announce));
			memcpy(&harness->keys[i].announce, message.payload,
			       sizeof(struct keys_announce));
			assert_int_equal(le32toh(harness->keys[i].announce.number), i);
			harness->keys[i].spki_len = message.length - sizeof(struct keys_announce);
			memcpy(harness->keys[i].spki,
			       message.payload + sizeof(struct keys_announce),
			       harness->keys[i].spki_len);
		} else {
			size_t i = harness->psk_count++;

			assert_int_equal(message.type, KEYS_PSK);
			assert_true(i < 16 && message.length > sizeof(struct keys_psk));
			memcpy(&harness->psks[i].announce, message.payload,
			       sizeof(struct keys_psk));
			memcpy(harness->psks[i].identity, message.payload + sizeof(struct keys_psk),
			       message.length - sizeof(struct keys_psk));
		}
	}
}

int harness_teardown(void **state)
{
	(void)state;
	if (running <= 0)
		return 0;
	kill(running, SIGKILL);
	waitpid(running, NULL, 0);
	running = 0;
	harness_run("cat '%s/log' >&2; test -z \"$TCTI\" || tpm2_flushcontext -t || true", folder);
	return 0;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int harness_check(const char *config, char *output, size_t size)
{
	const char *path = harness_write("tlshd.conf", config, strlen(config));
	size_t length = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		execl(program(), "tlshd-keys", "-t", "-c", path, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	close(fds[1]);
	while (length < size - 1 && (n = read(fds[0], output + length, size - 1 - length)) > 0)
		length += (size_t)n;
	output[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return exit_status(status);
}

int harness_wait(struct harness *harness)
{
	int status;

	assert_int_equal(waitpid(harness->pid, &status, 0), harness->pid);
	harness->pid = running = 0;
	if (harness->fd >= 0)
		close(harness->fd);
	harness->fd = -1;
	if (exit_status(status) && exit_status(status) != 1)
		harness_run("cat '%s' >&2", harness->log);
	return exit_status(status);
}

int harness_stop(struct harness *harness)
{
	close(harness->fd);
	harness->fd = -1;
	return harness_wait(harness);
}

void harness_send(struct harness *harness, uint16_t type, uint64_t id, const void *head,
		  size_t head_len, const void *body, size_t body_len)
{
	struct channel_header header = {
		.length = htole32((uint32_t)(head_len + body_len)),
		.type = htole16(type),
		.session = htole64(id),
	};
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ (void *)head, head_len },
		{ (void *)body, body_len },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 3 };

	/* One that has just ended is found out by who receives. */
	if (sendmsg(harness->fd, &packet, MSG_NOSIGNAL) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
}

bool harness_alive(struct harness *harness)
{
	uint8_t message[20480];
	ssize_t n;

	do
		n = recv(harness->fd, message, sizeof(message), MSG_DONTWAIT);
	while (n > 0);
	return n < 0 && errno == EAGAIN;
}

void harness_drain(struct harness *harness)
{
	struct pollfd ready = { .fd = harness->fd, .events = POLLIN };
	uint8_t message[20480];

	shutdown(harness->fd, SHUT_WR);
	do
		if (poll(&ready, 1, HARNESS_DEADLINE * 1000) != 1)
			fail_msg("still open after %d seconds", HARNESS_DEADLINE);
	while (recv(harness->fd, message, sizeof(message), 0) > 0);
}

void harness_receive(struct harness *harness, struct harness_message *message)
{
	struct pollfd ready = { .fd = harness->fd, .events = POLLIN };
	struct channel_header header;
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ message->payload, sizeof(message->payload) },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;

	if (poll(&ready, 1, HARNESS_DEADLINE * 1000) != 1)
		fail_msg("no message within %d seconds", HARNESS_DEADLINE);
	n = recvmsg(harness->fd, &packet, 0);
	if (n <= 0) {
		harness_run("cat '%s' >&2", harness->log);
		fail_msg("the key holder closed the channel");
	}
	assert_true((size_t)n >= sizeof(header));
	assert_int_equal(le32toh(header.length), (size_t)n - sizeof(header));
	message->type = le16toh(header.type);
	message->id = le64toh(header.session);
	message->length = le32toh(header.length);
}

void harness_sign(struct harness *harness, uint64_t id, uint32_t number, uint32_t uid,
		  uint16_t scheme, uint16_t hash, const uint8_t *digest, size_t length)
{
	struct keys_sign sign = {
		.number = htole32(number),
		.uid = htole32(uid),
		.scheme = htole16(scheme),
		.hash = htole16(hash),
		.session = htole64(id + 1000000),
	};

	harness_send(harness, KEYS_SIGN, id, &sign, sizeof(sign), digest, length);
}

void harness_unseal(struct harness *harness, uint64_t id, uint32_t number, uint32_t uid)
{
	uint32_t fields[] = { htole32(number), htole32(uid) };

	harness_send(harness, KEYS_UNSEAL, id, fields, sizeof(fields), NULL, 0);
}

void harness_unseal_kernel(struct harness *harness, uint64_t id, uint32_t keyring, uint32_t serial,
			   const char *identity)
{
	const struct keys_unseal_kernel unseal = {
		.uid = htole32(1000),
		.keyring = htole32(keyring),
		.serial = htole32(serial),
		.session = htole64(id + 1000000),
	};

	harness_send(harness, KEYS_UNSEAL_KERNEL, id, &unseal, sizeof(unseal), identity,
		     identity ? strlen(identity) : 0);
}

void harness_open_kernel(struct harness *harness, uint64_t id, uint32_t certificate,
			 uint32_t private_key)
{
	const struct keys_open_kernel open = {
		.uid = htole32(1000),
		.certificate = htole32(certificate),
		.private_key = htole32(private_key),
		.session = htole64(id + 1000000),
	};

	harness_send(harness, KEYS_OPEN_KERNEL, id, &open, sizeof(open), NULL, 0);
}

void harness_expect_error(struct harness *harness, uint64_t id, int error, const char *words)
{
	struct harness_message message;
	uint32_t number;

	harness_receive(harness, &message);
	assert_int_equal(message.type, KEYS_ERROR);
	if (id)
		assert_int_equal(message.id, id);
	assert_true(message.length > sizeof(number));
	memcpy(&number, message.payload, sizeof(number));
	message.payload[message.length] = '\0';
	if (le32toh(number) != (uint32_t)error ||
	    !strstr((char *)message.payload + sizeof(number), words))
		fail_msg("error %u \"%s\" instead of %d \"%s\"", le32toh(number),
			 (char *)message.payload + sizeof(number), error, words);
}

static void verify_gnutls(const uint8_t *spki, size_t spki_len, uint16_t scheme, uint16_t hash,
			  const uint8_t *digest, const struct harness_message *signature)
{
	gnutls_datum_t key = { (unsigned char *)spki, (unsigned int)spki_len };
	gnutls_datum_t input = { (unsigned char *)digest, (unsigned int)keys_hash_length(hash) };
	gnutls_datum_t output = { (unsigned char *)signature->payload,
				  (unsigned int)signature->length };
	gnutls_pubkey_t pub;

	assert_int_equal(gnutls_pubkey_init(&pub), 0);
	assert_int_equal(gnutls_pubkey_import(pub, &key, GNUTLS_X509_FMT_DER), 0);
	assert_true(gnutls_pubkey_verify_hash2(pub, keys_scheme_gnutls(scheme, hash), 0, &input,
					       &output) >= 0);
	gnutls_pubkey_deinit(pub);
}

static const EVP_MD *message_digest(uint16_t hash)
{
	return hash == KEYS_HASH_SHA256 ? EVP_sha256() :
	       hash == KEYS_HASH_SHA384 ? EVP_sha384() :
					  EVP_sha512();
}

/* libcrypto re-encodes an ECDSA signature before it verifies it, so DER that is not
 * minimal fails here. */
static void verify_libcrypto(const uint8_t *spki, size_t spki_len, uint16_t scheme, uint16_t hash,
			     const uint8_t *digest, const struct harness_message *signature)
{
	EVP_PKEY *key = d2i_PUBKEY(NULL, &spki, (long)spki_len);
	EVP_PKEY_CTX *ctx;

	assert_non_null(key);
	ctx = EVP_PKEY_CTX_new(key, NULL);
	assert_non_null(ctx);
	assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
	if (scheme == KEYS_SCHEME_RSA_PSS) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0);
	}
	assert_true(EVP_PKEY_CTX_set_signature_md(ctx, message_digest(hash)) > 0);
	assert_int_equal(EVP_PKEY_verify(ctx, signature->payload, signature->length, digest,
					 keys_hash_length(hash)),
			 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

void harness_sign_and_verify(struct harness *harness, uint32_t number, uint16_t scheme,
			     uint16_t hash)
{
	harness_sign_and_verify_with(harness, number, harness->keys[number].spki,
				     harness->keys[number].spki_len, scheme, hash);
}

void harness_sign_and_verify_with(struct harness *harness, uint32_t number, const uint8_t *spki,
				  size_t spki_len, uint16_t scheme, uint16_t hash)
{
	static uint64_t id = 0x100000000;
	struct harness_message message;
	uint8_t digest[KEYS_MAX_DIGEST];

	for (size_t i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)(0xa0 + 7 * i + id);
	harness_sign(harness, ++id, number, 1000, scheme, hash, digest, keys_hash_length(hash));
	harness_receive(harness, &message);
	if (message.type == KEYS_ERROR)
		fail_msg("%s: %s", keys_scheme_name(scheme, hash), (char *)message.payload + 4);
	assert_int_equal(message.type, KEYS_SIGNED);
	assert_int_equal(message.id, id);
	verify_gnutls(spki, spki_len, scheme, hash, digest, &message);
	verify_libcrypto(spki, spki_len, scheme, hash, digest, &message);
}

static pid_t read_pid(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	pid = (pid_t)strtol(text, NULL, 10);
	assert_true(pid > 0);
	return pid;
}

/* With --daemon it returns once it listens. */
void harness_tpm_start(struct harness_tpm *tpm, const char *name)
{
	char path[256];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	harness_run(
		"dir='%s/%s' && mkdir -p $dir && swtpm socket --tpm2 --tpmstate dir=$dir "
		"--server type=unixio,path=$dir/socket --ctrl type=unixio,path=$dir/socket.ctrl "
		"--flags not-need-init,startup-clear --pid file=$dir/pid --daemon",
		folder, name);
	snprintf(path, sizeof(path), "%s/%s/pid", folder, name);
	tpm->pid = read_pid(path);
	snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:path=%s/%s/socket", folder, name);
	setenv("TCTI", tpm->tcti, 1);
	setenv("TPM2TOOLS_TCTI", tpm->tcti, 1);
	setenv("TPM2OPENSSL_TCTI", tpm->tcti, 1);
}

void harness_tpm_kill(struct harness_tpm *tpm)
{
	if (tpm->pid <= 0)
		return;
	assert_int_equal(kill(tpm->pid, SIGKILL), 0);
	assert_int_equal(waitpid(tpm->pid, NULL, 0), tpm->pid);
	tpm->pid = 0;
}

void harness_tpm_pause(const struct harness_tpm *tpm)
{
	int status;

	assert_int_equal(kill(tpm->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(tpm->pid, &status, WUNTRACED), tpm->pid);
}

void harness_tpm_continue(const struct harness_tpm *tpm)
{
	assert_int_equal(kill(tpm->pid, SIGCONT), 0);
}

bool harness_logged(const struct harness *harness, const char *text)
{
	char log[64 * 1024];
	int fd = open(harness->log, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, log, sizeof(log) - 1);

	assert_true(n >= 0);
	log[n] = '\0';
	close(fd);
	return strstr(log, text);
}

void harness_run(const char *format, ...)
{
	char command[2048];
	va_list args;
	int status;

	va_start(args, format);
	assert_in_range(vsnprintf(command, sizeof(command), format, args), 1, sizeof(command) - 1);
	va_end(args);
	status = system(command);
	if (status)
		fail_msg("status %d of: %s", status, command);
}
