/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that works off one fair queue: one for the TPM, which does one thing at
 * a time and slowly, and one for software keys.  The main loop never waits for it;
 * it learns of finished jobs by an eventfd.
 */
#ifndef TLSHD_KEYS_SIGNER_H
#define TLSHD_KEYS_SIGNER_H

#include <stdint.h>

#include "queue.h"

struct keys_signer;

/* @notify_fd: an eventfd, borrowed, written to when a job is done.  Starts the thread,
 * so call it after the sandbox was entered: seccomp filters are per thread. */
int keys_signer_new(int notify_fd, struct keys_signer **ret_signer);
/* Ends the thread after the job it works on and frees all jobs.  -EBUSY if that job does
 * not end within some seconds; the caller can only exit then. */
int keys_signer_free(struct keys_signer *signer);

/* As keys_queue_push(). */
int keys_signer_submit(struct keys_signer *signer, struct keys_job *job,
		       struct keys_job **ret_evicted);
/* The job if it still waited: now the caller's.  NULL if the thread has it. */
struct keys_job *keys_signer_cancel(struct keys_signer *signer, uint32_t uid, uint64_t request);
/* All finished jobs, oldest first, linked by next: now the caller's. */
struct keys_job *keys_signer_finished(struct keys_signer *signer);

#endif /* TLSHD_KEYS_SIGNER_H */
