// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Coroutines on ucontext(3): mapped stacks with a guard page below, kept in a
 * small pool and wiped between two handshakes.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "coroutine.h"

#if defined(__SANITIZE_ADDRESS__)
#define COROUTINE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COROUTINE_ASAN 1
#endif
#endif

#ifdef COROUTINE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define COROUTINE_STACK (1024 * 1024) /* bytes; red zones make frames large */
#else
#define COROUTINE_STACK (256 * 1024) /* bytes, committed as they are touched */
#endif
#define COROUTINE_GUARD	   (64 * 1024) /* bytes; more than any frame skips unprobed */
#define COROUTINE_MAX_POOL 64	       /* stacks that wait for the next handshake */

struct coroutine {
	ucontext_t context;
	void (*entry)(void *arg);
	void *arg;
	uint8_t *stack; /* COROUTINE_STACK bytes above the guard */
	bool finished;
	struct coroutine *next; /* in the pool */
#ifdef COROUTINE_ASAN
	void *fake_stack;
#endif
};

static struct {
	ucontext_t main; /* valid while a coroutine runs */
	struct coroutine *current;
	struct coroutine *pool;
	unsigned int pooled;
#ifdef COROUTINE_ASAN
	void *fake_stack;
	const void *stack_bottom;
	size_t stack_size;
#endif
} scheduler;

/* The sanitizer must know which stack is in use; without it these are nothing. */
static void asan_start_switch(void **save, const void *bottom, size_t size)
{
#ifdef COROUTINE_ASAN
	__sanitizer_start_switch_fiber(save, bottom, size);
#endif
}

static void asan_finish_switch(void *saved, const void **ret_bottom, size_t *ret_size)
{
#ifdef COROUTINE_ASAN
	__sanitizer_finish_switch_fiber(saved, ret_bottom, ret_size);
#endif
}

#ifdef COROUTINE_ASAN
#define ASAN_FIELD(expression) (expression)
#else
#define ASAN_FIELD(expression) NULL
#endif

static void coroutine_main(void)
{
	struct coroutine *self = scheduler.current;

	asan_finish_switch(NULL, ASAN_FIELD(&scheduler.stack_bottom),
			   ASAN_FIELD(&scheduler.stack_size));
	self->entry(self->arg);
	self->finished = true;
#ifdef COROUTINE_ASAN
	/* NULL: this fake stack is not needed again */
	asan_start_switch(NULL, scheduler.stack_bottom, scheduler.stack_size);
#endif
	/* uc_link continues in coroutine_enter() */
}

static void coroutine_free(struct coroutine *coroutine)
{
	munmap(coroutine->stack - COROUTINE_GUARD, COROUTINE_GUARD + COROUTINE_STACK);
	free(coroutine);
}

static int coroutine_new(struct coroutine **ret_coroutine)
{
	struct coroutine *coroutine;
	uint8_t *mapping;

	coroutine = calloc(1, sizeof(*coroutine));
	if (!coroutine)
		return -ENOMEM;
	mapping = mmap(NULL, COROUTINE_GUARD + COROUTINE_STACK, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapping == MAP_FAILED) {
		free(coroutine);
		return -ENOMEM;
	}
	coroutine->stack = mapping + COROUTINE_GUARD;
	if (mprotect(coroutine->stack, COROUTINE_STACK, PROT_READ | PROT_WRITE) < 0) {
		coroutine_free(coroutine);
		return -ENOMEM;
	}
	*ret_coroutine = coroutine;
	return 0;
}

/*
 * A stack starts zeroed, so everything below the deepest frame ever reached is
 * still zero: wiping from the first word that is not costs what was used.
 */
static void wipe_stack(struct coroutine *coroutine)
{
	const uint64_t *word = (const uint64_t *)coroutine->stack;
	const uint64_t *end = (const uint64_t *)(coroutine->stack + COROUTINE_STACK);

#ifdef COROUTINE_ASAN
	__asan_unpoison_memory_region(coroutine->stack, COROUTINE_STACK);
#endif
	while (word < end && !*word)
		word++;
	explicit_bzero((void *)(uintptr_t)word, (size_t)((uintptr_t)end - (uintptr_t)word));
}

static void coroutine_recycle(struct coroutine *coroutine)
{
	wipe_stack(coroutine);
	explicit_bzero(&coroutine->context, sizeof(coroutine->context));
	if (scheduler.pooled >= COROUTINE_MAX_POOL) {
		coroutine_free(coroutine);
		return;
	}
	coroutine->next = scheduler.pool;
	scheduler.pool = coroutine;
	scheduler.pooled++;
}

static void coroutine_enter(struct coroutine *coroutine)
{
	void *fake_stack = NULL;

	assert(!scheduler.current);
	scheduler.current = coroutine;
	asan_start_switch(&fake_stack, coroutine->stack, COROUTINE_STACK);
	swapcontext(&scheduler.main, &coroutine->context);
	asan_finish_switch(fake_stack, NULL, NULL);
	scheduler.current = NULL;
	if (coroutine->finished)
		coroutine_recycle(coroutine);
}

int coroutine_start(void (*entry)(void *arg), void *arg, struct coroutine **ret_coroutine)
{
	struct coroutine *coroutine = scheduler.pool;
	int r;

	if (coroutine) {
		scheduler.pool = coroutine->next;
		scheduler.pooled--;
	} else {
		r = coroutine_new(&coroutine);
		if (r < 0)
			return r;
	}

	getcontext(&coroutine->context);
	coroutine->context.uc_stack.ss_sp = coroutine->stack;
	coroutine->context.uc_stack.ss_size = COROUTINE_STACK;
	coroutine->context.uc_link = &scheduler.main;
	coroutine->entry = entry;
	coroutine->arg = arg;
	coroutine->finished = false;
	makecontext(&coroutine->context, coroutine_main, 0);

	*ret_coroutine = coroutine;
	coroutine_enter(coroutine);
	return 0;
}

void coroutine_resume(struct coroutine *coroutine)
{
	coroutine_enter(coroutine);
}

void coroutine_yield(void)
{
	struct coroutine *self = scheduler.current;

	assert(self);
#ifdef COROUTINE_ASAN
	asan_start_switch(&self->fake_stack, scheduler.stack_bottom, scheduler.stack_size);
#endif
	swapcontext(&self->context, &scheduler.main);
	asan_finish_switch(ASAN_FIELD(self->fake_stack), ASAN_FIELD(&scheduler.stack_bottom),
			   ASAN_FIELD(&scheduler.stack_size));
}

struct coroutine *coroutine_current(void)
{
	return scheduler.current;
}

void *coroutine_argument(void)
{
	return scheduler.current ? scheduler.current->arg : NULL;
}

void coroutine_drain(void)
{
	struct coroutine *coroutine;

	while ((coroutine = scheduler.pool)) {
		scheduler.pool = coroutine->next;
		coroutine_free(coroutine);
	}
	scheduler.pooled = 0;
}
