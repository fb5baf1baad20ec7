/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNSEAL_KERNEL and OPEN_KERNEL from message to answer.  Whoever holds the job that
 * owns a request may use it: the main thread, then a signer, then the main thread.
 */
#ifndef TLSHD_KEYS_KERNEL_REQUEST_H
#define TLSHD_KEYS_KERNEL_REQUEST_H

#include "kernel_key.h"
#include "queue.h"

/**
 * struct kernel_request - what is asked for, and what was found
 * @type: KEYS_UNSEAL_KERNEL or KEYS_OPEN_KERNEL
 * @identity: what is looked for if @serial is 0
 * @psk: found for UNSEAL_KERNEL; wiped with the request
 * @object, @certificate_data: found for OPEN_KERNEL; owned, unless taken away
 */
struct kernel_request {
	uint16_t type;
	uint32_t keyring;
	uint32_t serial;
	size_t identity_length; /* bytes */
	char identity[KEYS_MAX_KERNEL_IDENTITY];
	uint32_t certificate, private_key;

	struct kernel_psk psk;
	struct keys_object *object;
	uint8_t *certificate_data;
	size_t certificate_length; /* bytes */
};

/* @job gets request, uid and session.  -EPROTO or -ENOMEM. */
int kernel_request_parse(uint16_t type, const uint8_t *payload, size_t length,
			 struct keys_job *job);
/* Reads the keys.  0 or -errno with words. */
int kernel_request_run(struct kernel_request *request, struct keys_words *words);
/* For the log: "kernel key 5" or "identity "x" in keyring 7", escaped. */
void kernel_request_describe(const struct kernel_request *request, char *text, size_t size);
void kernel_request_free(struct kernel_request *request);

#endif /* TLSHD_KEYS_KERNEL_REQUEST_H */
