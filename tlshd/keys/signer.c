// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The signer thread, see signer.h.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "kernel_request.h"
#include "signer.h"

#define SIGNER_STACK (256 * 1024) /* bytes */
#define SIGNER_GRACE 5		  /* seconds for the last job when we end */

/* @lock protects queue, done, last_done, stop */
struct keys_signer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wakeup;
	struct keys_queue *queue;
	struct keys_job *done;
	struct keys_job **last_done;
	bool stop;
	int notify_fd;
};

static void work(struct keys_job *job)
{
	struct keys_object *object = job->object;

	if (job->kernel)
		job->error = kernel_request_run(job->kernel, &job->words);
	else if (object->backend->sign)
		job->error = object->backend->sign(object, job->scheme, job->hash, job->digest,
						   job->digest_len, job->result, &job->result_len,
						   &job->words);
	else
		job->error =
			object->backend->unseal(object, job->result, &job->result_len, &job->words);
}

/* The next job, or NULL when it is time to end; called with the lock held. */
static struct keys_job *wait_for_job(struct keys_signer *signer)
{
	struct keys_job *job;

	while (!signer->stop) {
		job = keys_queue_pop(signer->queue);
		if (job)
			return job;
		pthread_cond_wait(&signer->wakeup, &signer->lock);
	}
	return NULL;
}

static void *signer_thread(void *arg)
{
	struct keys_signer *signer = arg;
	struct keys_job *job;

	pthread_mutex_lock(&signer->lock);
	while ((job = wait_for_job(signer))) {
		pthread_mutex_unlock(&signer->lock);
		work(job);
		pthread_mutex_lock(&signer->lock);
		*signer->last_done = job;
		signer->last_done = &job->next;
		eventfd_write(signer->notify_fd, 1);
	}
	pthread_mutex_unlock(&signer->lock);
	return NULL;
}

static int start_thread(struct keys_signer *signer)
{
	pthread_attr_t attr;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	ret = pthread_attr_setstacksize(&attr, SIGNER_STACK);
	if (!ret)
		ret = pthread_create(&signer->thread, &attr, signer_thread, signer);
	pthread_attr_destroy(&attr);
	return -ret;
}

int keys_signer_new(int notify_fd, struct keys_signer **ret_signer)
{
	struct keys_signer *signer = calloc(1, sizeof(*signer));
	int ret;

	if (!signer)
		return -ENOMEM;
	signer->notify_fd = notify_fd;
	signer->last_done = &signer->done;
	pthread_mutex_init(&signer->lock, NULL);
	pthread_cond_init(&signer->wakeup, NULL);
	ret = keys_queue_new(&signer->queue);
	if (ret == 0)
		ret = start_thread(signer);
	if (ret < 0) {
		keys_queue_free(signer->queue);
		pthread_cond_destroy(&signer->wakeup);
		pthread_mutex_destroy(&signer->lock);
		free(signer);
		return ret;
	}
	*ret_signer = signer;
	return 0;
}

int keys_signer_free(struct keys_signer *signer)
{
	struct timespec deadline;
	struct keys_job *job, *next;

	if (!signer)
		return 0;
	pthread_mutex_lock(&signer->lock);
	signer->stop = true;
	pthread_cond_signal(&signer->wakeup);
	pthread_mutex_unlock(&signer->lock);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += SIGNER_GRACE;
	if (pthread_timedjoin_np(signer->thread, NULL, &deadline))
		return -EBUSY;
	for (job = signer->done; job; job = next) {
		next = job->next;
		keys_job_free(job);
	}
	keys_queue_free(signer->queue);
	pthread_cond_destroy(&signer->wakeup);
	pthread_mutex_destroy(&signer->lock);
	free(signer);
	return 0;
}

int keys_signer_submit(struct keys_signer *signer, struct keys_job *job,
		       struct keys_job **ret_evicted)
{
	int ret;

	pthread_mutex_lock(&signer->lock);
	ret = keys_queue_push(signer->queue, job, ret_evicted);
	if (ret == 0)
		pthread_cond_signal(&signer->wakeup);
	pthread_mutex_unlock(&signer->lock);
	return ret;
}

struct keys_job *keys_signer_cancel(struct keys_signer *signer, uint32_t uid, uint64_t request)
{
	struct keys_job *job;

	pthread_mutex_lock(&signer->lock);
	job = keys_queue_remove(signer->queue, uid, request);
	pthread_mutex_unlock(&signer->lock);
	return job;
}

struct keys_job *keys_signer_finished(struct keys_signer *signer)
{
	struct keys_job *done;

	pthread_mutex_lock(&signer->lock);
	done = signer->done;
	signer->done = NULL;
	signer->last_done = &signer->done;
	pthread_mutex_unlock(&signer->lock);
	return done;
}
