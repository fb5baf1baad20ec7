// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time limits: of a handshake, and of waiting for the session handler. Readers
 * wait for it after a handshake record, senders when a new key is due; one that
 * never answers must not hang them for ever.
 */

#include "tls_handoff.h"

/* Time limits run out here, so that unloading can wait for them */
static struct workqueue_struct *tls_handoff_wq;

/**
 * tls_handoff_timer_start() - let @work run later, with a reference to the context
 * @ctx: the context; the caller holds a reference
 * @work: of the context; it gives the reference up, and so does
 *	tls_handoff_timer_stop(). One that is pending keeps its time
 * @delay: jiffies
 */
void tls_handoff_timer_start(struct tls_handoff_ctx *ctx, struct delayed_work *work,
			     unsigned long delay)
{
	tls_handoff_get(ctx);
	if (!queue_delayed_work(tls_handoff_wq, work, delay))
		tls_handoff_put(ctx);
}

/**
 * tls_handoff_timer_stop() - @work shall not run; if it does already, it ends by itself
 * @ctx: the context; the caller holds a reference of its own
 * @work: as for tls_handoff_timer_start()
 *
 * Return: true if it was pending.
 */
bool tls_handoff_timer_stop(struct tls_handoff_ctx *ctx, struct delayed_work *work)
{
	if (!cancel_delayed_work(work))
		return false;
	tls_handoff_put(ctx);
	return true;
}

/**
 * tls_handoff_work_start() - let @work run at once, with a reference to the context
 * @ctx: the context; the caller holds a reference
 * @work: of the context; it gives the reference up
 *
 * May be called under lock_sock.
 */
void tls_handoff_work_start(struct tls_handoff_ctx *ctx, struct work_struct *work)
{
	tls_handoff_get(ctx);
	if (!queue_work(tls_handoff_wq, work))
		tls_handoff_put(ctx);
}

/**
 * tls_handoff_hold() - nobody reads, or sends, until the session handler answers
 * @ctx: the context, established
 * @bit: TLS_HANDOFF_BIT_RX_HOLD, TX_HOLD, or TX_TURN: until the agent comes again
 *
 * From now on the time counts. Whoever clears the bit need not stop the timer: it
 * looks for itself.
 */
void tls_handoff_hold(struct tls_handoff_ctx *ctx, unsigned int bit)
{
	unsigned long *since = bit == TLS_HANDOFF_BIT_RX_HOLD ? &ctx->rx_since : &ctx->tx_since;

	if (test_bit(bit, &ctx->flags))
		return;
	WRITE_ONCE(*since, jiffies);
	/* Pairs with tls_handoff_hold_left(): who sees the bit sees when it was set */
	smp_mb__before_atomic();
	set_bit(bit, &ctx->flags);
	tls_handoff_timer_start(ctx, &ctx->hold, ctx->hold_limit);
}

static long tls_handoff_hold_left(const struct tls_handoff_ctx *ctx, unsigned long since)
{
	/* Pairs with tls_handoff_hold() */
	smp_rmb();
	return (long)(READ_ONCE(since) + ctx->hold_limit - jiffies);
}

/* Jiffies until the first limit is reached, at most 0 if one is; LONG_MAX if nobody waits */
static long tls_handoff_hold_next(struct tls_handoff_ctx *ctx)
{
	unsigned long flags = READ_ONCE(ctx->flags);
	long left = LONG_MAX;

	if (flags & BIT(TLS_HANDOFF_BIT_RX_HOLD))
		left = tls_handoff_hold_left(ctx, ctx->rx_since);
	/*
	 * If the new key is here, it is a sender that is stuck, by the peer's doing; after
	 * close_notify nobody waits for one
	 */
	if (flags & BIT(TLS_HANDOFF_BIT_TX_HOLD) &&
	    !(flags & (BIT(TLS_HANDOFF_BIT_TX_OFFERED) | BIT(TLS_HANDOFF_BIT_CLOSE_SENT))))
		left = min(left, tls_handoff_hold_left(ctx, ctx->tx_since));
	/* While a sender is stuck it cannot come */
	if (flags & BIT(TLS_HANDOFF_BIT_TX_TURN))
		left = min(left, mutex_is_locked(&ctx->tx_mutex) ? (long)ctx->hold_limit :
			   tls_handoff_hold_left(ctx, ctx->tx_since));
	return left;
}

static void tls_handoff_hold_timeout(struct work_struct *work)
{
	struct tls_handoff_ctx *ctx =
		container_of(to_delayed_work(work), struct tls_handoff_ctx, hold);
	long left = LONG_MAX;

	mutex_lock(&ctx->lock);
	if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED)
		left = tls_handoff_hold_next(ctx);
	if (left > 0 && left != LONG_MAX)
		tls_handoff_timer_start(ctx, &ctx->hold, left);
	mutex_unlock(&ctx->lock);
	if (left <= 0) {
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_HANDLER_TIMEOUTS);
		tls_handoff_fail(ctx, ETIMEDOUT,
				 "tlshd did not answer within the time limit of the profile");
	}
	tls_handoff_put(ctx);
}

/**
 * tls_handoff_timers_ctx() - before the context's first timer
 * @ctx: the context
 */
void tls_handoff_timers_ctx(struct tls_handoff_ctx *ctx)
{
	INIT_DELAYED_WORK(&ctx->hold, tls_handoff_hold_timeout);
	ctx->hold_limit = msecs_to_jiffies(TLS_HANDOFF_HANDLER_TIMEOUT);
}

/**
 * tls_handoff_timers_init() - before the first context
 *
 * Return: 0 or -ENOMEM.
 */
int __init tls_handoff_timers_init(void)
{
	tls_handoff_wq = alloc_workqueue("tls_handoff", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return tls_handoff_wq ? 0 : -ENOMEM;
}

/**
 * tls_handoff_timers_exit() - waits for what runs; nothing is pending any more
 */
void tls_handoff_timers_exit(void)
{
	destroy_workqueue(tls_handoff_wq);
}
