// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS 1.3 record protection (RFC 8446 5.2, 5.3) on libcrypto's AES-128-GCM.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/evp.h>

#include "program.h"
#include "seal.h"

#define HEADER	5
#define TAG	16
#define NONCE	12

void seal_start(struct seal *seal, int direction, unsigned int generation)
{
	keys_fill(&seal->keys, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, direction, generation);
	seal->sequence = 0;
}

static void nonce_of(const struct seal *seal, uint8_t *nonce)
{
	memcpy(nonce, seal->keys.gcm128.salt, 4);
	memcpy(nonce + 4, seal->keys.gcm128.iv, 8);
	for (int i = 0; i < 8; i++)
		nonce[NONCE - 1 - i] ^= (uint8_t)(seal->sequence >> 8 * i);
}

size_t seal_record(struct seal *seal, const void *plaintext, size_t length, uint8_t *record)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t body = length + TAG;
	uint8_t nonce[NONCE];
	int n, good;

	if (!ctx)
		return 0;
	nonce_of(seal, nonce);
	record[0] = RECORD_DATA;
	record[1] = 3;
	record[2] = 3;
	record[3] = body >> 8;
	record[4] = body;
	good = EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, seal->keys.gcm128.key, nonce) &&
	       EVP_EncryptUpdate(ctx, NULL, &n, record, HEADER) &&
	       (!length || EVP_EncryptUpdate(ctx, record + HEADER, &n, plaintext, length)) &&
	       EVP_EncryptFinal_ex(ctx, record + HEADER + length, &n) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, record + HEADER + length);
	EVP_CIPHER_CTX_free(ctx);
	seal->sequence++;
	return good ? HEADER + body : 0;
}

int seal_send(struct seal *seal, int fd, uint8_t type, const void *content, size_t length,
	      size_t padding)
{
	static uint8_t plaintext[SEAL_MAX_PLAINTEXT], record[SEAL_MAX_RECORD];
	size_t size = length + 1 + padding;
	long ret;

	if (size > sizeof(plaintext))
		return -EMSGSIZE;
	memset(plaintext, 0, size);
	if (length)
		memcpy(plaintext, content, length);
	plaintext[length] = type;
	size = seal_record(seal, plaintext, size, record);
	if (!size)
		return -EIO;
	ret = write_all(fd, record, size);
	return ret < 0 ? ret : 0;
}

int seal_finish(struct pair *pair, struct seal *seal, bool truncation_eof)
{
	struct done done = { .id = pair->id, .version = TLS_1_3_VERSION,
			     .cipher = TLS_CIPHER_AES_GCM_128, .auth = TLS_HANDOFF_AUTH_X509,
			     .truncation_eof = truncation_eof };
	struct keys tx;
	int err;

	seal_start(seal, 1, 0);
	keys_fill(&tx, done.version, done.cipher, 0, 0);
	pair->version = done.version;
	pair->cipher = done.cipher;
	err = keys_install(pair->session, &tx, &seal->keys);
	if (!err)
		err = agent_done(pair->agent, &done);
	if (!err && setsockopt(pair->peer, SOL_TCP, TCP_ULP, "tls", 4))
		err = -errno;
	return err ? err : keys_install(pair->peer, NULL, &tx);
}
