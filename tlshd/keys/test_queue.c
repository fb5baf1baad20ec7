// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fair queue: turns, limits, taking out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue.h"

static struct keys_job *job(uint32_t uid, uint64_t request)
{
	struct keys_job *new = calloc(1, sizeof(*new));

	assert_non_null(new);
	new->uid = uid;
	new->request = request;
	return new;
}

static int push(struct keys_queue *queue, uint32_t uid, uint64_t request)
{
	struct keys_job *evicted = NULL, *new = job(uid, request);
	int ret = keys_queue_push(queue, new, &evicted);

	if (ret < 0)
		keys_job_free(new);
	assert_null(evicted);
	return ret;
}

/* The request that comes next, 0 if none. */
static uint64_t pop(struct keys_queue *queue)
{
	struct keys_job *next = keys_queue_pop(queue);
	uint64_t request = next ? next->request : 0;

	keys_job_free(next);
	return request;
}

static void one_user_is_served_in_order(void **state)
{
	struct keys_queue *queue;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(push(queue, 7, i), 0);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(pop(queue), i);
	assert_int_equal(pop(queue), 0);
	assert_int_equal(push(queue, 7, 6), 0);
	assert_int_equal(pop(queue), 6);
	keys_queue_free(queue);
}

static void users_take_turns(void **state)
{
	static const uint64_t order[] = { 11, 21, 31, 12, 22, 13, 23, 14 };
	struct keys_queue *queue;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint64_t i = 11; i <= 14; i++)
		assert_int_equal(push(queue, 1, i), 0);
	for (uint64_t i = 21; i <= 23; i++)
		assert_int_equal(push(queue, 2, i), 0);
	assert_int_equal(push(queue, 3, 31), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_int_equal(pop(queue), order[i]);
	assert_int_equal(keys_queue_length(queue), 0);
	keys_queue_free(queue);
}

/* While one request of a flood is served, whoever comes is next. */
static void a_newcomer_waits_for_one_signature_only(void **state)
{
	struct keys_queue *queue;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(push(queue, 1, i), 0);
	assert_int_equal(pop(queue), 1);
	assert_int_equal(push(queue, 2, 200), 0);
	assert_int_equal(pop(queue), 200);
	assert_int_equal(pop(queue), 2);
	/* nor does coming back at once get it more than every second turn */
	assert_int_equal(push(queue, 2, 201), 0);
	assert_int_equal(pop(queue), 201);
	assert_int_equal(push(queue, 2, 202), 0);
	assert_int_equal(pop(queue), 3);
	assert_int_equal(pop(queue), 202);
	keys_queue_free(queue);
}

static void a_user_has_a_limit(void **state)
{
	struct keys_queue *queue;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint64_t i = 1; i <= KEYS_MAX_PENDING_PER_UID; i++)
		assert_int_equal(push(queue, 1, i), 0);
	assert_int_equal(push(queue, 1, 5000), -EAGAIN);
	assert_int_equal(push(queue, 2, 5001), 0);
	assert_int_equal(pop(queue), 1);
	assert_int_equal(push(queue, 1, 5002), 0);
	assert_int_equal(push(queue, 1, 5003), -EAGAIN);
	keys_queue_free(queue);
}

static void a_full_queue_takes_from_who_has_most(void **state)
{
	const uint32_t users = KEYS_MAX_PENDING_PER_SIGNER / KEYS_MAX_PENDING_PER_UID;
	struct keys_job *evicted = NULL, *new;
	struct keys_queue *queue;
	uint32_t evicted_uid;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint32_t uid = 1; uid <= users; uid++)
		for (uint64_t i = 1; i <= KEYS_MAX_PENDING_PER_UID; i++)
			assert_int_equal(push(queue, uid, uid * 10000 + i), 0);
	assert_int_equal(keys_queue_length(queue), KEYS_MAX_PENDING_PER_SIGNER);

	new = job(99, 1);
	assert_int_equal(keys_queue_push(queue, new, &evicted), 0);
	assert_non_null(evicted);
	/* the newest one */
	assert_int_equal(evicted->request, evicted->uid * 10000 + KEYS_MAX_PENDING_PER_UID);
	evicted_uid = evicted->uid;
	keys_job_free(evicted);
	assert_int_equal(keys_queue_length(queue), KEYS_MAX_PENDING_PER_SIGNER);

	/* Who has one fewer than the busiest would only change places with them. */
	new = job(evicted_uid, 2);
	evicted = NULL;
	assert_int_equal(keys_queue_push(queue, new, &evicted), -ENOBUFS);
	assert_null(evicted);
	keys_job_free(new);
	keys_queue_free(queue);
}

static void a_request_can_be_taken_out(void **state)
{
	struct keys_queue *queue;
	struct keys_job *out;

	(void)state;
	assert_int_equal(keys_queue_new(&queue), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(push(queue, 1, i), 0);
	assert_int_equal(push(queue, 2, 4), 0);
	assert_null(keys_queue_remove(queue, 1, 4));
	assert_null(keys_queue_remove(queue, 3, 1));
	/* the last, so that the next one is appended in the right place */
	out = keys_queue_remove(queue, 1, 3);
	assert_non_null(out);
	keys_job_free(out);
	assert_int_equal(push(queue, 1, 5), 0);
	/* a user's only one, and one of the user who is being served */
	keys_job_free(keys_queue_remove(queue, 2, 4));
	assert_int_equal(pop(queue), 1);
	keys_job_free(keys_queue_remove(queue, 1, 2));
	assert_int_equal(pop(queue), 5);
	assert_int_equal(pop(queue), 0);
	assert_int_equal(keys_queue_length(queue), 0);
	keys_queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_user_is_served_in_order),
		cmocka_unit_test(users_take_turns),
		cmocka_unit_test(a_newcomer_waits_for_one_signature_only),
		cmocka_unit_test(a_user_has_a_limit),
		cmocka_unit_test(a_full_queue_takes_from_who_has_most),
		cmocka_unit_test(a_request_can_be_taken_out),
	};

	return cmocka_run_group_tests_name("keys.queue", tests, NULL, NULL);
}
