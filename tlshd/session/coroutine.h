/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small stacks to run handshakes on.  GnuTLS calls its push, pull, sign and PSK
 * callbacks synchronously; on a stack of its own a handshake can wait in them
 * without holding up the event loop.  One thread, no preemption.
 */
#ifndef TLSHD_SESSION_COROUTINE_H
#define TLSHD_SESSION_COROUTINE_H

struct coroutine;

/* Runs @entry on a fresh, zeroed stack until it first yields or returns; not from within
 * another coroutine.  *ret_coroutine is set before @entry runs and is invalid once it has
 * returned; its stack is wiped then.  0 or -ENOMEM. */
int coroutine_start(void (*entry)(void *arg), void *arg, struct coroutine **ret_coroutine);

/* Continues where it yielded, until it yields again or returns.  Not from within one. */
void coroutine_resume(struct coroutine *coroutine);

/* Back to whoever started or resumed the running coroutine. */
void coroutine_yield(void);

/* The running one, or NULL on the main stack. */
struct coroutine *coroutine_current(void);

/* What the running one was started with, or NULL on the main stack. */
void *coroutine_argument(void);

/* Gives pooled stacks back to the kernel. */
void coroutine_drain(void);

#endif /* TLSHD_SESSION_COROUTINE_H */
