/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for one signer, fair per requesting user: users take turns,
 * one request each, so that a flood of one costs another at most the one signature
 * that is being made.  Not thread-safe; signer.c holds a lock around it.
 */
#ifndef TLSHD_KEYS_QUEUE_H
#define TLSHD_KEYS_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "scheme.h"

/* Requests of one user that may wait for one signer */
#define KEYS_MAX_PENDING_PER_UID    1024
/* Requests that may wait for one signer */
#define KEYS_MAX_PENDING_PER_SIGNER (KEYS_MAX_PENDING / KEYS_SIGNER_COUNT)

struct kernel_request;

/**
 * struct keys_job - one request on its way
 * @request: id chosen by the session handler
 * @session: session id, for the log
 * @number: of the key or PSK, as announced or opened
 * @object: that key or PSK, or NULL for a request about kernel keys: @kernel, owned
 * @digest: what to sign; unused for a PSK
 * @cancelled: nobody waits for the answer any more
 * @error: 0 or a negative errno, with @words
 * @result: signature or secret; wiped with the job
 * @next: owned by whoever holds the job
 */
struct keys_job {
	uint64_t request;
	uint64_t session;
	uint32_t uid;
	uint32_t number;
	struct keys_object *object;
	struct kernel_request *kernel;
	uint16_t scheme;
	uint16_t hash;
	size_t digest_len;
	uint8_t digest[KEYS_MAX_DIGEST];
	int cancelled;

	int error;
	struct keys_words words;
	size_t result_len;
	uint8_t result[KEYS_MAX_SIGNATURE];
	struct keys_job *next;
};

/* Wipes and frees. */
void keys_job_free(struct keys_job *job);

struct keys_queue;

int keys_queue_new(struct keys_queue **ret_queue);
/* Frees the jobs in it as well. */
void keys_queue_free(struct keys_queue *queue);

/*
 * Takes over @job.  -EAGAIN: this user has too many waiting.  When the queue is full,
 * the user with most waiting requests loses the newest: *ret_evicted is that job, to
 * be answered and freed by the caller, or -ENOBUFS if that user is the one asking.
 * On failure the job stays the caller's.
 */
int keys_queue_push(struct keys_queue *queue, struct keys_job *job, struct keys_job **ret_evicted);
/* The next one in turn, or NULL.  The one before it is done: its user queues up again
 * only now, behind whoever came while it was served. */
struct keys_job *keys_queue_pop(struct keys_queue *queue);
/* Takes the job of @uid with this request id out, or NULL. */
struct keys_job *keys_queue_remove(struct keys_queue *queue, uint32_t uid, uint64_t request);
size_t keys_queue_length(const struct keys_queue *queue);

#endif /* TLSHD_KEYS_QUEUE_H */
