// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fair queue, see queue.h: users in the order of their turns, each with its
 * requests in order of arrival.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "kernel_request.h"
#include "queue.h"

/* A user; exists while it has requests waiting or is being served. */
struct keys_user {
	TAILQ_ENTRY(keys_user) link;
	uint32_t uid;
	size_t waiting;
	struct keys_job *first;
	struct keys_job **last; /* where the next one goes */
};

/* @users: whose turn is next comes first; @served, whose request was taken last, is
 * not among them */
struct keys_queue {
	TAILQ_HEAD(, keys_user) users;
	struct keys_user *served;
	size_t waiting;
};

void keys_job_free(struct keys_job *job)
{
	if (!job)
		return;
	kernel_request_free(job->kernel);
	explicit_bzero(job, sizeof(*job));
	free(job);
}

int keys_queue_new(struct keys_queue **ret_queue)
{
	struct keys_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	TAILQ_INIT(&queue->users);
	*ret_queue = queue;
	return 0;
}

void keys_queue_free(struct keys_queue *queue)
{
	struct keys_job *job;

	if (!queue)
		return;
	while ((job = keys_queue_pop(queue)))
		keys_job_free(job);
	free(queue->served);
	free(queue);
}

static struct keys_user *find_user(struct keys_queue *queue, uint32_t uid)
{
	struct keys_user *user;

	if (queue->served && queue->served->uid == uid)
		return queue->served;
	TAILQ_FOREACH (user, &queue->users, link)
		if (user->uid == uid)
			return user;
	return NULL;
}

static struct keys_user *add_user(struct keys_queue *queue, uint32_t uid)
{
	struct keys_user *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->uid = uid;
	user->last = &user->first;
	TAILQ_INSERT_TAIL(&queue->users, user, link);
	return user;
}

static void drop_user_if_idle(struct keys_queue *queue, struct keys_user *user)
{
	if (user->waiting || user == queue->served)
		return;
	TAILQ_REMOVE(&queue->users, user, link);
	free(user);
}

static struct keys_job *unlink_job(struct keys_queue *queue, struct keys_user *user,
				   struct keys_job **at)
{
	struct keys_job *job = *at;

	assert(job);
	*at = job->next;
	if (!*at)
		user->last = at;
	job->next = NULL;
	user->waiting--;
	queue->waiting--;
	return job;
}

static struct keys_user *busiest_user(struct keys_queue *queue)
{
	struct keys_user *user, *busiest = queue->served;

	TAILQ_FOREACH (user, &queue->users, link)
		if (!busiest || user->waiting > busiest->waiting)
			busiest = user;
	return busiest;
}

static struct keys_job *evict(struct keys_queue *queue, struct keys_user *user)
{
	struct keys_job **at = &user->first;
	struct keys_job *job;

	while ((*at)->next)
		at = &(*at)->next;
	job = unlink_job(queue, user, at);
	drop_user_if_idle(queue, user);
	return job;
}

int keys_queue_push(struct keys_queue *queue, struct keys_job *job, struct keys_job **ret_evicted)
{
	struct keys_user *user = find_user(queue, job->uid);
	size_t waiting = user ? user->waiting : 0;
	struct keys_user *busiest = NULL;

	if (waiting >= KEYS_MAX_PENDING_PER_UID)
		return -EAGAIN;
	if (queue->waiting >= KEYS_MAX_PENDING_PER_SIGNER) {
		busiest = busiest_user(queue);
		if (busiest->waiting <= waiting + 1)
			return -ENOBUFS;
	}
	if (!user)
		user = add_user(queue, job->uid);
	if (!user)
		return -ENOMEM;
	*ret_evicted = busiest ? evict(queue, busiest) : NULL;
	job->next = NULL;
	*user->last = job;
	user->last = &job->next;
	user->waiting++;
	queue->waiting++;
	return 0;
}

struct keys_job *keys_queue_pop(struct keys_queue *queue)
{
	struct keys_user *user = queue->served;

	queue->served = NULL;
	if (user && user->waiting)
		TAILQ_INSERT_TAIL(&queue->users, user, link);
	else
		free(user);
	user = TAILQ_FIRST(&queue->users);
	if (!user)
		return NULL;
	TAILQ_REMOVE(&queue->users, user, link);
	queue->served = user;
	return unlink_job(queue, user, &user->first);
}

struct keys_job *keys_queue_remove(struct keys_queue *queue, uint32_t uid, uint64_t request)
{
	struct keys_user *user = find_user(queue, uid);
	struct keys_job **at, *job;

	if (!user)
		return NULL;
	for (at = &user->first; *at; at = &(*at)->next) {
		if ((*at)->request != request)
			continue;
		job = unlink_job(queue, user, at);
		drop_user_if_idle(queue, user);
		return job;
	}
	return NULL;
}

size_t keys_queue_length(const struct keys_queue *queue)
{
	return queue->waiting;
}
