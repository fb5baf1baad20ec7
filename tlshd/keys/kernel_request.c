// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests about kernel keys, see kernel_request.h.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_request.h"
#include "log.h"

#define SHOWN_IDENTITY 128 /* bytes of an escaped identity in a line */

static int parse_unseal(const uint8_t *payload, size_t length, struct keys_job *job,
			struct kernel_request *request)
{
	struct keys_unseal_kernel unseal;

	if (length < sizeof(unseal) || length - sizeof(unseal) > sizeof(request->identity))
		return -EPROTO;
	memcpy(&unseal, payload, sizeof(unseal));
	job->uid = le32toh(unseal.uid);
	job->session = le64toh(unseal.session);
	request->keyring = le32toh(unseal.keyring);
	request->serial = le32toh(unseal.serial);
	request->identity_length = length - sizeof(unseal);
	memcpy(request->identity, payload + sizeof(unseal), request->identity_length);
	/* one of the two says which key */
	return !request->serial == !request->identity_length || unseal.reserved ? -EPROTO : 0;
}

static int parse_open(const uint8_t *payload, size_t length, struct keys_job *job,
		      struct kernel_request *request)
{
	struct keys_open_kernel open;

	if (length != sizeof(open))
		return -EPROTO;
	memcpy(&open, payload, sizeof(open));
	job->uid = le32toh(open.uid);
	job->session = le64toh(open.session);
	request->certificate = le32toh(open.certificate);
	request->private_key = le32toh(open.private_key);
	return open.reserved ? -EPROTO : 0;
}

int kernel_request_parse(uint16_t type, const uint8_t *payload, size_t length, struct keys_job *job)
{
	struct kernel_request *request = calloc(1, sizeof(*request));
	int ret;

	if (!request)
		return -ENOMEM;
	request->type = type;
	ret = type == KEYS_UNSEAL_KERNEL ? parse_unseal(payload, length, job, request) :
					   parse_open(payload, length, job, request);
	if (ret < 0) {
		kernel_request_free(request);
		return ret;
	}
	job->kernel = request;
	return 0;
}

static int open_pair(struct kernel_request *request, struct keys_words *words)
{
	int ret;

	ret = kernel_certificate_read(request->certificate, &request->certificate_data,
				      &request->certificate_length, words);
	return ret < 0 ? ret :
			 kernel_private_key_open(request->private_key, &request->object, words);
}

int kernel_request_run(struct kernel_request *request, struct keys_words *words)
{
	if (request->type == KEYS_OPEN_KERNEL)
		return open_pair(request, words);
	if (request->serial)
		return kernel_psk_read(request->serial, &request->psk, words);
	return kernel_psk_find(request->keyring, request->identity, request->identity_length,
			       &request->psk, words);
}

void kernel_request_describe(const struct kernel_request *request, char *text, size_t size)
{
	char identity[SHOWN_IDENTITY];

	if (request->type == KEYS_OPEN_KERNEL) {
		snprintf(text, size, "certificate %u and private key %u", request->certificate,
			 request->private_key);
	} else if (request->serial) {
		snprintf(text, size, "kernel key %u", request->serial);
	} else {
		log_escape(identity, sizeof(identity), request->identity, request->identity_length);
		snprintf(text, size, "identity \"%s\" in keyring %u", identity, request->keyring);
	}
}

void kernel_request_free(struct kernel_request *request)
{
	if (!request)
		return;
	keys_object_free(request->object);
	free(request->certificate_data);
	explicit_bzero(request, sizeof(*request));
	free(request);
}
