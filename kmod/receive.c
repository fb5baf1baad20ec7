// SPDX-License-Identifier: GPL-2.0-only
/*
 * Application data from kTLS to the program, every other record to the session
 * fd.
 *
 * kTLS is only ever read without waiting and without a control buffer, under
 * rx_mutex. A record of another type then gives -EIO (-EINVAL from splice) and
 * stays at the head of its rx_list, where tls_handoff_divert() takes it. Waiting
 * is done outside the mutex.
 */

#include <linux/fs.h>
#include <linux/splice.h>
#include <linux/unaligned.h>
#include <net/rps.h>
#include <net/strparser.h>
#include <net/tls_prot.h>

#include "tls_handoff.h"
#include "trace.h"

/*
 * A record that was received and not decrypted is looked at before poll() calls the
 * socket readable, as it may be one that is not for the program. Decrypting it ahead
 * costs a copy later, so only short ones: tickets, key updates and alerts are.
 */
#define TLS_HANDOFF_LOOK_BYTES	4096
/*
 * A program that does not block can be told too much and loses one EAGAIN. After this
 * many records of data in a row only what may be an alert or a KeyUpdate is looked at.
 */
#define TLS_HANDOFF_LOOKS_NONBLOCK	8
#define TLS_HANDOFF_LOOK_BYTES_NONBLOCK	64

/* ctx->flags with which a read is nothing special; data was seen before */
#define TLS_HANDOFF_RX_PLAIN_MASK (TLS_HANDOFF_RX_HELD | BIT(TLS_HANDOFF_BIT_RX_FAILED) |\
				   BIT(TLS_HANDOFF_BIT_RX_EOF) | BIT(TLS_HANDOFF_BIT_RX_FRAGMENT) |\
				   BIT(TLS_HANDOFF_BIT_RX_DATA))
#define TLS_HANDOFF_RX_PLAIN	BIT(TLS_HANDOFF_BIT_RX_DATA)

/* What a record that is no data, or its absence, means for the reader */
enum tls_handoff_verdict {
	TLS_HANDOFF_GO_ON,	/* read again */
	TLS_HANDOFF_END,	/* end of file */
	TLS_HANDOFF_RESET,	/* fatal alert */
	TLS_HANDOFF_MALFORMED,	/* an alert that is none */
	TLS_HANDOFF_EMPTY,	/* nothing in it */
	TLS_HANDOFF_BETWEEN,	/* came between the parts of a handshake message */
	TLS_HANDOFF_NOTHING,	/* there was no such record */
};

static u8 tls_handoff_record_type(const struct sk_buff *skb)
{
	return ((struct sk_skb_cb *)skb->cb)->tls.control;
}

/* lock_sock under rx_mutex, which the caller of tls_handoff_read_sock() has already */
static void tls_handoff_rx_lock_sock(struct tls_handoff_ctx *ctx)
{
	if (!ctx->consumer || !ctx->consumer->reading)
		lock_sock(ctx->inner.sk);
}

static void tls_handoff_rx_release_sock(struct tls_handoff_ctx *ctx)
{
	if (!ctx->consumer || !ctx->consumer->reading)
		release_sock(ctx->inner.sk);
}

/* RFC 8446 6: in TLS 1.3 every alert but two is fatal whatever its level; 5246 7.2 */
static enum tls_handoff_verdict tls_handoff_alert(struct tls_handoff_ctx *ctx, struct sk_buff *skb)
{
	struct strp_msg *rxm = strp_msg(skb);
	bool between = test_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags);
	u8 alert[2];

	if (rxm->full_len != sizeof(alert) ||
	    skb_copy_bits(skb, rxm->offset, alert, sizeof(alert)))
		return TLS_HANDOFF_MALFORMED;

	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_ALERTS_RECEIVED);
	if (alert[1] == TLS_ALERT_DESC_CLOSE_NOTIFY) {
		if (between)
			return TLS_HANDOFF_BETWEEN;
		WRITE_ONCE(ctx->alert_received, alert[1]);
		set_bit(TLS_HANDOFF_BIT_CLOSE_RECEIVED, &ctx->flags);
		set_bit(TLS_HANDOFF_BIT_RX_EOF, &ctx->flags);
		/* Who looked between the record's arrival and this saw neither */
		if (ctx->consumer)
			tls_handoff_consumer_defer(ctx);
		else
			tls_handoff_wake(ctx);
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CLOSE_RECEIVED);
		return TLS_HANDOFF_END;
	}
	if (alert[1] == TLS_ALERT_DESC_USER_CANCELED ||
	    (ctx->version == TLS_1_2_VERSION && alert[0] == TLS_ALERT_LEVEL_WARNING))
		return between ? TLS_HANDOFF_BETWEEN : TLS_HANDOFF_GO_ON;
	WRITE_ONCE(ctx->alert_received, alert[1]);
	return TLS_HANDOFF_RESET;
}

/*
 * Takes a record that is not data off the head of kTLS's list and queues it for
 * the session fd. After anything but an alert, receiving belongs to the session
 * handler until CONTINUE or new keys. Under rx_mutex.
 */
static enum tls_handoff_verdict tls_handoff_divert(struct tls_handoff_ctx *ctx)
{
	struct tls_sw_context_rx *rx = tls_handoff_rx_ctx(ctx);
	enum tls_handoff_verdict verdict = TLS_HANDOFF_GO_ON;
	struct sk_buff *skb;
	u8 type;

	/* Every reader holds rx_mutex, so the list only changes under us where we change it */
	skb = skb_peek(&rx->rx_list);
	if (!skb)
		return TLS_HANDOFF_NOTHING;
	type = tls_handoff_record_type(skb);
	if (type == TLS_RECORD_TYPE_DATA)
		return TLS_HANDOFF_NOTHING;
	tls_handoff_rx_lock_sock(ctx);
	__skb_unlink(skb, &rx->rx_list);
	tls_handoff_rx_release_sock(ctx);

	/* RFC 8446 5.4; the session fd would take it for its end */
	if (!strp_msg(skb)->full_len) {
		consume_skb(skb);
		return TLS_HANDOFF_EMPTY;
	}
	if (type == TLS_RECORD_TYPE_ALERT) {
		verdict = tls_handoff_alert(ctx, skb);
		if (verdict == TLS_HANDOFF_BETWEEN) {
			consume_skb(skb);
			return verdict;
		}
	} else {
		tls_handoff_hold(ctx, TLS_HANDOFF_BIT_RX_HOLD);
		clear_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags);
		if (test_and_clear_bit(TLS_HANDOFF_BIT_RX_DATA, &ctx->flags))
			set_bit(TLS_HANDOFF_EVENT_DATA, &ctx->events);
	}

	trace_tls_handoff_divert(ctx, type, strp_msg(skb)->full_len);
	atomic64_inc(&ctx->records_diverted);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_RECORDS_DIVERTED);
	skb_queue_tail(&ctx->records, skb);
	/* Warnings hold nobody, so they are bounded here: the session fd lifts it */
	if (skb_queue_len(&ctx->records) >= TLS_HANDOFF_MAX_QUEUED)
		set_bit(TLS_HANDOFF_BIT_RX_FULL, &ctx->flags);
	tls_handoff_session_wake(ctx);
	return verdict;
}

/*
 * Takes records of data without any data (RFC 8446 5.1) off kTLS's list, where peeking
 * leaves them: they would hide what is behind them, and look like something to read.
 * Under rx_mutex. True if there were some.
 */
static bool tls_handoff_rx_prune(struct tls_handoff_ctx *ctx)
{
	struct tls_sw_context_rx *rx = tls_handoff_rx_ctx(ctx);
	struct sock *sk = ctx->inner.sk;
	struct sk_buff *skb, *next;
	bool pruned = false;

	if (skb_queue_empty_lockless(&rx->rx_list))
		return false;
	lock_sock(sk);
	skb_queue_walk_safe(&rx->rx_list, skb, next) {
		if (strp_msg(skb)->full_len ||
		    tls_handoff_record_type(skb) != TLS_RECORD_TYPE_DATA)
			continue;
		__skb_unlink(skb, &rx->rx_list);
		consume_skb(skb);
		pruned = true;
	}
	release_sock(sk);
	return pruned;
}

/* One byte of what comes next, which stays; as kTLS's recvmsg. Under rx_mutex */
static int tls_handoff_rx_peek(struct tls_handoff_ctx *ctx, bool *pruned)
{
	struct msghdr msg = {};
	struct kvec iov;
	u8 byte;
	int ret;

	iov.iov_base = &byte;
	iov.iov_len = sizeof(byte);
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &iov, 1, sizeof(byte));
	ret = ctx->inner.ops->recvmsg(&ctx->inner, &msg, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
	*pruned = tls_handoff_rx_prune(ctx);
	return ret;
}

/* End of the TCP stream: whole records were delivered, is there a part of one? */
static bool tls_handoff_partial_record(struct tls_handoff_ctx *ctx)
{
	struct tls_sw_context_rx *rx = tls_handoff_rx_ctx(ctx);
	struct sock *sk = ctx->inner.sk;
	bool partial;

	tls_handoff_rx_lock_sock(ctx);
	partial = tcp_inq(sk) > 0 || (rx->strp.copy_mode && rx->strp.anchor->len);
	tls_handoff_rx_release_sock(ctx);
	return partial;
}

static int tls_handoff_fin(struct tls_handoff_ctx *ctx, struct tls_handoff_rx_failure *failure)
{
	if (test_bit(TLS_HANDOFF_BIT_RX_SHUT, &ctx->flags))
		return 0;
	if (tls_handoff_partial_record(ctx)) {
		set_bit(TLS_HANDOFF_BIT_PARTIAL, &ctx->flags);
	} else if (test_bit(TLS_HANDOFF_BIT_TRUNCATION_EOF, &ctx->flags)) {
		set_bit(TLS_HANDOFF_BIT_RX_EOF, &ctx->flags);
		return 0;
	}
	set_bit(TLS_HANDOFF_BIT_TRUNCATED, &ctx->flags);
	failure->error = ECONNABORTED;
	failure->event = TLS_HANDOFF_EVENT_TRUNCATED;
	failure->words = "the peer closed without close_notify: what was received may be cut";
	return -ECONNABORTED;
}

static int tls_handoff_rx_error(int error, struct tls_handoff_rx_failure *failure)
{
	failure->error = -error;
	switch (error) {
	case -EPROTO:
		failure->words = "a record came that does not belong there";
		failure->event = TLS_HANDOFF_EVENT_FAILED;
		break;
	case -EBADMSG:
		failure->words = "a record failed its integrity check";
		failure->event = TLS_HANDOFF_EVENT_FAILED;
		break;
	case -EMSGSIZE:
		failure->words = "a record is longer than TLS allows";
		failure->event = TLS_HANDOFF_EVENT_FAILED;
		break;
	case -EINVAL:
		failure->words = "a record is malformed";
		failure->event = TLS_HANDOFF_EVENT_FAILED;
		break;
	default:
		failure->words = "the TCP connection failed";
		break;
	}
	return error;
}

/**
 * tls_handoff_rx_divert() - divert what is at the head of kTLS's list
 * @ctx: the context, established; the caller holds rx_mutex
 * @failure: filled where the connection ends by it
 *
 * Return: -EAGAIN to go on, 0 at the end of file, another negative errno with @failure,
 * 1 if the head is data or nothing.
 */
int tls_handoff_rx_divert(struct tls_handoff_ctx *ctx, struct tls_handoff_rx_failure *failure)
{
	switch (tls_handoff_divert(ctx)) {
	case TLS_HANDOFF_GO_ON:
		return -EAGAIN;
	case TLS_HANDOFF_END:
		return 0;
	case TLS_HANDOFF_RESET:
		failure->error = ECONNRESET;
		return -ECONNRESET;
	case TLS_HANDOFF_MALFORMED:
		return tls_handoff_rx_error(-EINVAL, failure);
	case TLS_HANDOFF_EMPTY:
	case TLS_HANDOFF_BETWEEN:
		return tls_handoff_rx_error(-EPROTO, failure);
	case TLS_HANDOFF_NOTHING:
	default:
		return 1;
	}
}

/**
 * tls_handoff_rx_result() - what one non-blocking call into kTLS returned
 * @ctx: the context, established; the caller holds rx_mutex
 * @ret: that
 * @other_type: how that call says that the next record is not data
 * @failure: filled where the connection ends by it
 *
 * Return: bytes of data, an errno that passes, or as tls_handoff_rx_divert(). -EAGAIN
 * means wait, or read again if that is possible.
 */
int tls_handoff_rx_result(struct tls_handoff_ctx *ctx, int ret, int other_type,
			  struct tls_handoff_rx_failure *failure)
{
	int diverted;

	if (ret > 0) {
		/* Whoever counts key updates without data between them must know */
		if (unlikely(!test_bit(TLS_HANDOFF_BIT_RX_DATA, &ctx->flags)))
			set_bit(TLS_HANDOFF_BIT_RX_DATA, &ctx->flags);
		return ret;
	}
	if (!ret && !skb_queue_empty_lockless(&tls_handoff_rx_ctx(ctx)->rx_list)) {
		/* A record without data, all that there was before one of another type */
		diverted = tls_handoff_rx_divert(ctx, failure);
		ret = diverted > 0 ? -EAGAIN : diverted;
		goto out;
	}
	if (!ret) {
		ret = tls_handoff_fin(ctx, failure);
		goto out;
	}
	if (ret == other_type) {
		diverted = tls_handoff_rx_divert(ctx, failure);
		if (diverted <= 0) {
			ret = diverted;
			goto out;
		}
	}

	switch (ret) {
	case -EAGAIN:
	case -EINTR:
	case -ERESTARTSYS:
	case -EFAULT:
	case -ENOMEM:
		return ret;
	case -EKEYEXPIRED:
		/* A KeyUpdate is ahead in the queue; its diversion holds readers */
		return -EAGAIN;
	default:
		/* RFC 8446 5: a record that is not protected, and so of no type that is expected */
		if (ret == -EBADMSG && ctx->version == TLS_1_3_VERSION &&
		    tls_handoff_rx_ctx(ctx)->strp.mark != TLS_RECORD_TYPE_DATA)
			ret = -EPROTO;
		ret = tls_handoff_rx_error(ret, failure);
	}
out:
	/* TCP tells an error once: the next reader must not take what follows for a FIN */
	if (failure->error) {
		cmpxchg(&ctx->error, 0, failure->error);
		set_bit(TLS_HANDOFF_BIT_RX_FAILED, &ctx->flags);
	}
	return ret;
}

/**
 * tls_handoff_rx_sequence() - records received under the current key
 * @ctx: the context, established; the caller holds rx_mutex
 *
 * Return: their number as kTLS counts, from 0 (1 in TLS 1.2).
 */
u64 tls_handoff_rx_sequence(const struct tls_handoff_ctx *ctx)
{
	return get_unaligned_be64(tls_get_ctx(ctx->inner.sk)->rx.rec_seq);
}

/**
 * tls_handoff_rx_limit() - RFC 8446 5.5, for a peer that does not care
 * @ctx: the context, established; rx_mutex is not held
 * @sequence: what tls_handoff_rx_sequence() was under it
 *
 * Near the limit the peer is asked for a new key; in TLS 1.2 the connection ends at it.
 */
noinline void tls_handoff_rx_limit(struct tls_handoff_ctx *ctx, u64 sequence)
{
	if (ctx->version != TLS_1_3_VERSION) {
		if (sequence >= ctx->limit)
			tls_handoff_key_expired(ctx);
	} else if (!test_and_set_bit(TLS_HANDOFF_BIT_RX_ASKED, &ctx->flags)) {
		tls_handoff_session_event(ctx, TLS_HANDOFF_EVENT_PEER_REKEY);
	}
}

/* Something to read, an end, or a change of state. Lockless: a hint for waiting */
static bool tls_handoff_rx_possible(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->inner.sk;
	struct tls_sw_context_rx *rx;

	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED ||
	    test_bit(TLS_HANDOFF_BIT_RX_EOF, &ctx->flags) ||
	    test_bit(TLS_HANDOFF_BIT_RX_FAILED, &ctx->flags))
		return true;
	if (READ_ONCE(ctx->flags) & TLS_HANDOFF_RX_HELD)
		return false;
	rx = tls_handoff_rx_ctx(ctx);
	return !skb_queue_empty_lockless(&rx->rx_list) || READ_ONCE(rx->strp.msg_ready) ||
	       READ_ONCE(sk->sk_err) || READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       sock_flag(sk, SOCK_DONE);
}

/* More than the peeked data: a new record, or an end */
static bool tls_handoff_rx_more(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->inner.sk;

	return READ_ONCE(tls_handoff_rx_ctx(ctx)->strp.msg_ready) ||
	       tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED ||
	       test_bit(TLS_HANDOFF_BIT_RX_EOF, &ctx->flags) || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
}

/*
 * A reader that took a part of a record leaves the rest on kTLS's list, where it was not
 * while that reader was at it: who looked then is told now. Not under rx_mutex.
 */
static void tls_handoff_rx_left(struct tls_handoff_ctx *ctx)
{
	bool empty = skb_queue_empty_lockless(&tls_handoff_rx_ctx(ctx)->rx_list);

	if (empty && !ctx->consumer)
		return;
	/* Pairs with those who set a bit and then look at the list, or try the mutex again */
	smp_mb();
	if (test_bit(TLS_HANDOFF_BIT_RX_BUSY, &ctx->flags) &&
	    test_and_clear_bit(TLS_HANDOFF_BIT_RX_BUSY, &ctx->flags))
		tls_handoff_wake(ctx);
	if (!empty && test_bit(TLS_HANDOFF_BIT_RX_WAITED, &ctx->flags) &&
	    test_and_clear_bit(TLS_HANDOFF_BIT_RX_WAITED, &ctx->flags))
		wake_up_interruptible_poll(&ctx->app->wq.wait, EPOLLIN | EPOLLRDNORM);
}

static int tls_handoff_rx_wait(struct tls_handoff_ctx *ctx, long *timeo,
			       bool (*possible)(struct tls_handoff_ctx *ctx))
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->inner.sk;
	int err = 0;

	add_wait_queue(&ctx->app->wq.wait, &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	for (;;) {
		set_bit(TLS_HANDOFF_BIT_RX_WAITED, &ctx->flags);
		/* Pairs with tls_handoff_rx_left() */
		smp_mb__after_atomic();
		if (possible(ctx))
			break;
		if (!*timeo) {
			err = -EAGAIN;
			break;
		}
		if (signal_pending(current)) {
			err = sock_intr_errno(*timeo);
			break;
		}
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	}
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(&ctx->app->wq.wait, &wait);
	return err;
}

/**
 * tls_handoff_rx_stopped() - may kTLS be read now
 * @ctx: the context, established; the caller holds rx_mutex
 *
 * Return: 1, or what a reader gets instead.
 */
int tls_handoff_rx_stopped(struct tls_handoff_ctx *ctx)
{
	unsigned long flags = READ_ONCE(ctx->flags);

	if (likely(!(flags & (BIT(TLS_HANDOFF_BIT_RX_FAILED) | BIT(TLS_HANDOFF_BIT_RX_EOF) |
			      TLS_HANDOFF_RX_HELD))))
		return 1;
	if (flags & BIT(TLS_HANDOFF_BIT_RX_FAILED))
		return -READ_ONCE(ctx->error);
	return flags & BIT(TLS_HANDOFF_BIT_RX_EOF) ? 0 : -EAGAIN;
}

/**
 * tls_handoff_rx_between() - data came between the parts of a handshake message
 * @ctx: the context, established; the caller holds rx_mutex
 * @failure: filled
 *
 * Return: -EPROTO.
 */
int tls_handoff_rx_between(struct tls_handoff_ctx *ctx, struct tls_handoff_rx_failure *failure)
{
	failure->error = EPROTO;
	failure->event = TLS_HANDOFF_EVENT_FAILED;
	failure->words = "application data came between the parts of a handshake message";
	cmpxchg(&ctx->error, 0, failure->error);
	set_bit(TLS_HANDOFF_BIT_RX_FAILED, &ctx->flags);
	return -EPROTO;
}

/*
 * RFC 8446 5.1: no other record between the parts of a handshake message. What
 * comes is looked at before any of it is given away. Under rx_mutex.
 */
static int tls_handoff_rx_fragment(struct tls_handoff_ctx *ctx,
				   struct tls_handoff_rx_failure *failure)
{
	bool pruned;
	int ret;

	ret = tls_handoff_rx_peek(ctx, &pruned);
	if (ret <= 0 && !pruned)
		return tls_handoff_rx_result(ctx, ret, -EIO, failure);
	return tls_handoff_rx_between(ctx, failure);
}

/* One try under rx_mutex; @msg has no control buffer */
static int tls_handoff_rx_try(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size,
			      int flags, struct tls_handoff_rx_failure *failure)
{
	int ret;

	ret = tls_handoff_rx_stopped(ctx);
	if (unlikely(ret <= 0))
		return ret;
	if (unlikely(test_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags)))
		return tls_handoff_rx_fragment(ctx, failure);
	ret = ctx->inner.ops->recvmsg(&ctx->inner, msg, size,
				      (flags & MSG_PEEK) | MSG_DONTWAIT);
	if (flags & MSG_PEEK)
		tls_handoff_rx_prune(ctx);
	ret = tls_handoff_rx_result(ctx, ret, -EIO, failure);
	/* A record behind the data: start on it now, the program may not come back soon */
	if (ret > 0 && !(flags & MSG_PEEK) &&
	    unlikely(!skb_queue_empty_lockless(&tls_handoff_rx_ctx(ctx)->rx_list)))
		tls_handoff_rx_divert(ctx, failure);
	return ret;
}

static int tls_handoff_rx_locked(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size,
				 int flags)
{
	struct tls_handoff_rx_failure failure = {};
	u64 sequence;
	int ret;

	ret = mutex_lock_interruptible(&ctx->rx_mutex);
	if (ret)
		return ret;
	ret = tls_handoff_rx_try(ctx, msg, size, flags, &failure);
	sequence = tls_handoff_rx_sequence(ctx);
	mutex_unlock(&ctx->rx_mutex);
	tls_handoff_rx_left(ctx);
	if (unlikely(failure.error))
		tls_handoff_fail_record(ctx, failure.error, failure.event, failure.words);
	else if (unlikely(sequence >= ctx->limit_near))
		tls_handoff_rx_limit(ctx, sequence);
	return ret;
}

static int tls_handoff_rx(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size, int flags)
{
	struct sock *sk = ctx->inner.sk;
	size_t target = sock_rcvlowat(sk, flags & MSG_WAITALL, size);
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	/* nvmet is called back before kTLS has looked at what came, and not after that */
	bool tried = !ctx->consumer;
	size_t copied = 0;
	int ret;

	for (;; tried = true) {
		/* A try in vain costs as much as a record */
		if (tried && !tls_handoff_rx_possible(ctx)) {
			ret = tls_handoff_rx_wait(ctx, &timeo, tls_handoff_rx_possible);
			if (ret)
				return copied ? copied : ret;
		}
		ret = tls_handoff_rx_locked(ctx, msg, size - copied, flags);
		if (ret > 0 && flags & MSG_PEEK) {
			copied = ret;
			if (copied >= target || tls_handoff_rx_wait(ctx, &timeo,
								    tls_handoff_rx_more))
				return copied;
			/* What is there may be all that comes: then timeo ends this */
			iov_iter_revert(&msg->msg_iter, copied);
			if (!READ_ONCE(tls_handoff_rx_ctx(ctx)->strp.msg_ready))
				target = 1;
			copied = 0;
			continue;
		}
		if (ret > 0) {
			copied += ret;
			if (copied >= target)
				return copied;
			continue;
		}
		if (ret != -EAGAIN)
			return copied ? copied : ret;
	}
}

/* A kernel consumer that passes a control buffer needs the record type, on data too */
static void tls_handoff_put_type(struct msghdr *msg)
{
	u8 type = TLS_RECORD_TYPE_DATA;

	if (msg->msg_control && !msg->msg_control_is_user)
		put_cmsg(msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type), &type);
}

/* All that tls_handoff_recvmsg() promises */
static noinline int tls_handoff_recvmsg_any(struct socket *app, struct msghdr *msg, size_t size,
					    int flags)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct sock *sk = app->sk;
	bool is_user = msg->msg_control_is_user;
	size_t controllen = msg->msg_controllen;
	void *control = msg->msg_control;
	int ret;

	if (unlikely(flags & MSG_ERRQUEUE))
		return ctx->inner.ops->recvmsg(&ctx->inner, msg, size, flags);

	if (unlikely(tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)) {
		if (tls_handoff_plain_enter(ctx)) {
			ret = ctx->inner.ops->recvmsg(&ctx->inner, msg, size, flags);
			tls_handoff_plain_leave(ctx);
			return ret;
		}
		ret = tls_handoff_wait_ready(ctx, sock_rcvtimeo(sk, flags & MSG_DONTWAIT));
		if (ret)
			return ret;
	}
	if (unlikely(flags & (MSG_OOB | MSG_TRUNC)))
		return -EOPNOTSUPP;
	if (unlikely(!size))
		return 0;

	msg->msg_control = NULL;
	msg->msg_controllen = 0;
	msg->msg_control_is_user = false;
	ret = tls_handoff_rx(ctx, msg, size, flags);
	msg->msg_control = control;
	msg->msg_controllen = controllen;
	msg->msg_control_is_user = is_user;
	/* kTLS misses a control buffer; sunrpc takes EOR for a message's end */
	msg->msg_flags &= ~(MSG_CTRUNC | MSG_EOR);
	if (ret > 0)
		tls_handoff_put_type(msg);
	return ret;
}

/* Under rx_mutex, which it unlocks: a read that was more than plain data */
static noinline int tls_handoff_rx_finish(struct tls_handoff_ctx *ctx, int ret)
{
	struct tls_handoff_rx_failure failure = {};

	ret = tls_handoff_rx_result(ctx, ret, -EIO, &failure);
	/* As in tls_handoff_rx_try(): start on what is behind the data */
	if (ret > 0)
		tls_handoff_rx_divert(ctx, &failure);
	mutex_unlock(&ctx->rx_mutex);
	tls_handoff_rx_left(ctx);
	if (unlikely(failure.error))
		tls_handoff_fail_record(ctx, failure.error, failure.event, failure.words);
	return ret;
}

/**
 * tls_handoff_recvmsg() - proto_ops.recvmsg of a taken-over socket
 * @app: the program's socket
 * @msg: where to
 * @size: bytes
 * @flags: MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL; -EOPNOTSUPP for MSG_OOB and MSG_TRUNC
 *
 * A plain recv() for which a record is there is what throughput depends on: it takes as
 * few instructions as it can, and leaves everything else to tls_handoff_recvmsg_any().
 *
 * Return: bytes of application data, 0 at close_notify, or as recv(2).
 */
int tls_handoff_recvmsg(struct socket *app, struct msghdr *msg, size_t size, int flags)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct tls_sw_context_rx *rx;
	struct tls_context *tls;
	u64 sequence;
	int ret;

	/* A control buffer of a kernel consumer, SO_RCVLOWAT and the like need more care */
	if (flags & ~MSG_DONTWAIT || msg->msg_controllen || !size ||
	    tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED ||
	    READ_ONCE(app->sk->sk_rcvlowat) > 1)
		return tls_handoff_recvmsg_any(app, msg, size, flags);
	tls = tls_get_ctx(app->sk);
	rx = tls_sw_ctx_rx(tls);
	if (!READ_ONCE(rx->strp.msg_ready) || mutex_lock_interruptible(&ctx->rx_mutex))
		return tls_handoff_recvmsg_any(app, msg, size, flags);
	if (unlikely((READ_ONCE(ctx->flags) & TLS_HANDOFF_RX_PLAIN_MASK) !=
		     TLS_HANDOFF_RX_PLAIN)) {
		mutex_unlock(&ctx->rx_mutex);
		return tls_handoff_recvmsg_any(app, msg, size, flags);
	}

	sock_rps_record_flow(app->sk);
	ret = READ_ONCE(app->sk->sk_prot)->recvmsg(app->sk, msg, size, MSG_DONTWAIT);
	sequence = get_unaligned_be64(tls->rx.rec_seq);
	if (likely(ret > 0 && skb_queue_empty_lockless(&rx->rx_list)))
		mutex_unlock(&ctx->rx_mutex);
	else
		ret = tls_handoff_rx_finish(ctx, ret);
	msg->msg_flags &= ~(MSG_CTRUNC | MSG_EOR);
	if (unlikely(sequence >= ctx->limit_near))
		tls_handoff_rx_limit(ctx, sequence);
	if (unlikely(ret == -EAGAIN))
		return tls_handoff_recvmsg_any(app, msg, size, flags);
	return ret;
}

/* Under rx_mutex; -EAGAIN as well after a record of data without any */
static ssize_t tls_handoff_splice_try(struct tls_handoff_ctx *ctx, loff_t *ppos,
				      struct pipe_inode_info *pipe, size_t len,
				      unsigned int flags, struct tls_handoff_rx_failure *failure)
{
	bool pruned;
	int ret;

	ret = ctx->inner.ops->splice_read(&ctx->inner, ppos, pipe, len,
					  flags | SPLICE_F_NONBLOCK);
	if (ret)
		return tls_handoff_rx_result(ctx, ret, -EINVAL, failure);
	/* The end, or such a record: recvmsg can tell */
	ret = tls_handoff_rx_peek(ctx, &pruned);
	return ret > 0 ? -EAGAIN : tls_handoff_rx_result(ctx, ret, -EIO, failure);
}

static ssize_t tls_handoff_splice_locked(struct tls_handoff_ctx *ctx, loff_t *ppos,
					 struct pipe_inode_info *pipe, size_t len,
					 unsigned int flags)
{
	struct tls_handoff_rx_failure failure = {};
	u64 sequence;
	ssize_t ret;

	ret = mutex_lock_interruptible(&ctx->rx_mutex);
	if (ret)
		return ret;
	ret = tls_handoff_rx_stopped(ctx);
	if (ret > 0 && unlikely(test_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags)))
		ret = tls_handoff_rx_fragment(ctx, &failure);
	else if (ret > 0)
		ret = tls_handoff_splice_try(ctx, ppos, pipe, len, flags, &failure);
	sequence = tls_handoff_rx_sequence(ctx);
	mutex_unlock(&ctx->rx_mutex);
	tls_handoff_rx_left(ctx);
	if (unlikely(failure.error))
		tls_handoff_fail_record(ctx, failure.error, failure.event, failure.words);
	else if (unlikely(sequence >= ctx->limit_near))
		tls_handoff_rx_limit(ctx, sequence);
	return ret;
}

/**
 * tls_handoff_splice_read() - proto_ops.splice_read of a taken-over socket
 * @app: the program's socket
 * @ppos: unused
 * @pipe: where to; its lock is held by the caller
 * @len: bytes
 * @flags: SPLICE_F_NONBLOCK, or the file's O_NONBLOCK
 *
 * Return: bytes, 0 at close_notify, or a negative errno.
 */
ssize_t tls_handoff_splice_read(struct socket *app, loff_t *ppos, struct pipe_inode_info *pipe,
				size_t len, unsigned int flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK || app->file->f_flags & O_NONBLOCK;
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	long timeo = sock_rcvtimeo(app->sk, nonblock);
	ssize_t ret;

	if (unlikely(tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)) {
		if (tls_handoff_plain_enter(ctx)) {
			ret = ctx->inner.ops->splice_read(&ctx->inner, ppos, pipe, len, flags);
			tls_handoff_plain_leave(ctx);
			return ret;
		}
		ret = tls_handoff_wait_ready(ctx, timeo);
		if (ret)
			return ret;
	}
	if (!len)
		return 0;

	for (;;) {
		ret = tls_handoff_splice_locked(ctx, ppos, pipe, len, flags);
		if (ret != -EAGAIN)
			return ret;
		ret = tls_handoff_rx_wait(ctx, &timeo, tls_handoff_rx_possible);
		if (ret)
			return ret;
	}
}

/**
 * tls_handoff_rx_look() - before poll(): is the next record one for the program?
 * @ctx: the context, established; the caller is a call on the program's socket
 * @nonblock: the program's file has O_NONBLOCK
 *
 * A lone ticket must not make the socket readable: a blocking recv() would then
 * hang. If a reader is there, it looks itself.
 */
void tls_handoff_rx_look(struct tls_handoff_ctx *ctx, bool nonblock)
{
	bool brief = nonblock && READ_ONCE(ctx->rx_looks) >= TLS_HANDOFF_LOOKS_NONBLOCK;
	int longest = brief ? TLS_HANDOFF_LOOK_BYTES_NONBLOCK : TLS_HANDOFF_LOOK_BYTES;
	struct tls_sw_context_rx *rx = tls_handoff_rx_ctx(ctx);
	struct tls_handoff_rx_failure failure = {};
	struct msghdr msg = {};
	struct kvec iov;
	u8 byte;
	int ret;

	if (skb_queue_empty_lockless(&rx->rx_list) &&
	    (!READ_ONCE(rx->strp.msg_ready) || READ_ONCE(rx->strp.stm.full_len) > longest))
		return;
	if (!mutex_trylock(&ctx->rx_mutex))
		return;
	/* Several tickets may stand in line: each round takes one away */
	while (tls_handoff_rx_stopped(ctx) > 0) {
		if (skb_queue_empty_lockless(&rx->rx_list) &&
		    (!READ_ONCE(rx->strp.msg_ready) ||
		     READ_ONCE(rx->strp.stm.full_len) > longest))
			break;
		iov.iov_base = &byte;
		iov.iov_len = sizeof(byte);
		iov_iter_kvec(&msg.msg_iter, ITER_DEST, &iov, 1, sizeof(byte));
		ret = tls_handoff_rx_try(ctx, &msg, sizeof(byte), MSG_PEEK, &failure);
		if (ret > 0 && ctx->rx_looks < TLS_HANDOFF_LOOKS_NONBLOCK)
			WRITE_ONCE(ctx->rx_looks, ctx->rx_looks + 1);
		if (ret != -EAGAIN)
			break;
		WRITE_ONCE(ctx->rx_looks, 0);
		if (!tls_handoff_rx_possible(ctx))
			break;
	}
	mutex_unlock(&ctx->rx_mutex);
	tls_handoff_rx_left(ctx);
	if (unlikely(failure.error))
		tls_handoff_fail_record(ctx, failure.error, failure.event, failure.words);
}

/**
 * tls_handoff_rx_pending() - ioctl(SIOCINQ): bytes of data that can be read at once
 * @ctx: the context; the caller is a call on the program's socket
 *
 * Padding of a record that was not decrypted yet counts as data.
 *
 * Return: bytes.
 */
int tls_handoff_rx_pending(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->inner.sk;
	struct tls_sw_context_rx *rx;
	struct sk_buff *skb;
	int bytes = 0;

	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)
		return 0;
	lock_sock(sk);
	rx = tls_handoff_rx_ctx(ctx);
	skb_queue_walk(&rx->rx_list, skb) {
		if (tls_handoff_record_type(skb) != TLS_RECORD_TYPE_DATA)
			goto out;
		bytes += strp_msg(skb)->full_len;
	}
	if (rx->strp.msg_ready)
		bytes += max(rx->strp.stm.full_len - tls_get_ctx(sk)->prot_info.overhead_size, 0);
out:
	release_sock(sk);
	return bytes;
}
