// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data from the program into kTLS, and the records that are not data: those of
 * the session fd, and close_notify, which the module sends itself.
 */

#include <linux/sched/signal.h>
#include <linux/unaligned.h>
#include <net/rps.h>
#include <net/tls_prot.h>

#include "tls_handoff.h"
#include "trace.h"

/* Records of one turn of a sender, after which others may have tx_mutex */
#define TLS_HANDOFF_CHUNK_RECORDS	64

/* What kTLS takes; it refuses the rest, which TCP ignores, as MSG_BATCH of sendmmsg() */
#define TLS_HANDOFF_SEND_FLAGS	(MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_COMPAT | \
				 MSG_SPLICE_PAGES | MSG_EOR | MSG_SENDPAGE_NOPOLICY)

/*
 * A program can neither forge a record nor send anything but data: the record
 * type belongs to the session handler.
 */
static int tls_handoff_check_control(struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	if (!msg->msg_controllen)
		return 0;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level == SOL_TLS)
			return -EPERM;
	}
	return 0;
}

/* Records sent under the current key; kTLS counts from 0 (1 in TLS 1.2). Under tx_mutex */
static u64 tls_handoff_tx_sequence(const struct tls_handoff_ctx *ctx)
{
	return get_unaligned_be64(tls_get_ctx(ctx->inner.sk)->tx.rec_seq);
}

/*
 * RFC 8446 5.5, 5246 has no key update: how many records may still be sent now.
 * Near the limit the session handler is asked for a new key, at the limit senders
 * wait for it. In TLS 1.2 the connection ends there. Under tx_mutex.
 */
static int tls_handoff_tx_budget(struct tls_handoff_ctx *ctx)
{
	u64 sequence = tls_handoff_tx_sequence(ctx);

	if (likely(sequence < ctx->limit_near))
		return TLS_HANDOFF_CHUNK_RECORDS;
	if (ctx->version == TLS_1_3_VERSION &&
	    !test_and_set_bit(TLS_HANDOFF_BIT_TX_ASKED, &ctx->flags))
		tls_handoff_session_event(ctx, TLS_HANDOFF_EVENT_REKEY);
	if (sequence < ctx->limit)
		return min_t(u64, ctx->limit - sequence, TLS_HANDOFF_CHUNK_RECORDS);
	if (ctx->version != TLS_1_3_VERSION)
		return -EKEYEXPIRED;
	tls_handoff_hold(ctx, TLS_HANDOFF_BIT_TX_HOLD);
	return -EAGAIN;
}

/* One turn of a sender: whole records, so that the split is never seen. Under tx_mutex */
static int tls_handoff_send_chunk(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size)
{
	size_t record = tls_get_ctx(ctx->inner.sk)->tx_max_payload_len;
	int budget = tls_handoff_tx_budget(ctx);
	size_t rest;
	int ret;

	if (unlikely(budget < 0))
		return budget;
	if (likely(size <= budget * record))
		return ctx->inner.ops->sendmsg(&ctx->inner, msg, size);
	rest = size - budget * record;
	iov_iter_truncate(&msg->msg_iter, size - rest);
	ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, size - rest);
	iov_iter_reexpand(&msg->msg_iter, iov_iter_count(&msg->msg_iter) + rest);
	return ret;
}

static int tls_handoff_tx_wait(struct tls_handoff_ctx *ctx, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(&ctx->app->wq.wait, &wait);
	while (READ_ONCE(ctx->flags) & TLS_HANDOFF_TX_HELD &&
	       tls_handoff_state(ctx) == TLS_HANDOFF_STATE_ESTABLISHED) {
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
	remove_wait_queue(&ctx->app->wq.wait, &wait);
	return err;
}

/* A sender may hold it for long, waiting for room: who must not wait is told later */
static int tls_handoff_tx_take(struct tls_handoff_ctx *ctx, bool nowait)
{
	if (!nowait)
		return mutex_lock_interruptible(&ctx->tx_mutex);
	if (mutex_trylock(&ctx->tx_mutex))
		return 0;
	set_bit(TLS_HANDOFF_BIT_TX_BUSY, &ctx->flags);
	/* Pairs with tls_handoff_tx_unlock(): it may have let go before it saw the bit */
	smp_mb__after_atomic();
	return mutex_trylock(&ctx->tx_mutex) ? 0 : -EAGAIN;
}

/* The program's way to tx_mutex: behind a new key that is due */
static int tls_handoff_tx_lock(struct tls_handoff_ctx *ctx, long *timeo)
{
	int err;

	for (;;) {
		if (unlikely(READ_ONCE(ctx->flags) & TLS_HANDOFF_TX_HELD)) {
			err = tls_handoff_tx_wait(ctx, timeo);
			if (err)
				return err;
			if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)
				return -EPIPE;
		}
		err = tls_handoff_tx_take(ctx, !*timeo);
		if (err)
			return err;
		if (likely(!(READ_ONCE(ctx->flags) & TLS_HANDOFF_TX_HELD)))
			return 0;
		tls_handoff_tx_unlock(ctx);
	}
}

/* Between chunks tx_mutex is free, for a new key or close_notify */
static int tls_handoff_send_data(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size)
{
	long timeo = sock_sndtimeo(ctx->inner.sk, msg->msg_flags & MSG_DONTWAIT);
	int flags = msg->msg_flags;
	size_t sent = 0;
	int ret;

	do {
		ret = tls_handoff_tx_lock(ctx, &timeo);
		if (ret)
			break;
		/* TCP that was shut down may still take a record, and tell of it next time */
		if (unlikely(test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags) ||
			     test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags) ||
			     tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED))
			ret = -EPIPE;
		else
			ret = tls_handoff_send_chunk(ctx, msg, size - sent);
		tls_handoff_tx_unlock(ctx);
		msg->msg_flags = flags;
		if (ret > 0)
			sent += ret;
		/* The limit of the key was met: the next round waits for the new one */
		else if (ret == -EAGAIN && test_bit(TLS_HANDOFF_BIT_TX_HOLD, &ctx->flags) &&
			 !(flags & MSG_DONTWAIT))
			ret = 0;
		else
			break;
	} while (sent < size);

	if (unlikely(ret == -EKEYEXPIRED && !sent))
		tls_handoff_key_expired(ctx);
	return sent ? sent : ret;
}

/*
 * Always EPIPE: what sk_err holds is for SO_ERROR, which is how poll()ers learn the reason.
 * Who happens to run a consumer's code has no part in it.
 */
static int tls_handoff_broken_pipe(const struct tls_handoff_ctx *ctx, int flags)
{
	if (!(flags & MSG_NOSIGNAL) && !ctx->consumer)
		send_sig(SIGPIPE, current, 0);
	return -EPIPE;
}

/**
 * tls_handoff_send_record() - send one record of a type of its own, without waiting
 * @ctx: the context; the caller holds tx_mutex and TLS_TX is set
 * @type: content type, RFC 8446 5.1
 * @msg: the record's content; its control buffer and flags are replaced
 * @size: bytes, at most TLS_HANDOFF_MAX_RECORD
 *
 * An alert must get out even when the send buffer is full: the limit is lifted
 * for this one record.
 *
 * Return: bytes or a negative errno.
 */
int tls_handoff_send_record(struct tls_handoff_ctx *ctx, u8 type, struct msghdr *msg, size_t size)
{
	char control[CMSG_SPACE(sizeof(type))] = {};
	struct cmsghdr *cmsg = (struct cmsghdr *)control;
	struct sock *sk = ctx->inner.sk;
	int sndbuf, ret;

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(type));
	*(u8 *)CMSG_DATA(cmsg) = type;
	msg->msg_control = control;
	msg->msg_control_is_user = false;
	msg->msg_controllen = sizeof(control);
	msg->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	lock_sock(sk);
	sndbuf = sk->sk_sndbuf;
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	release_sock(sk);
	ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, size);
	lock_sock(sk);
	WRITE_ONCE(sk->sk_sndbuf, sndbuf);
	release_sock(sk);
	return ret;
}

/* close_notify, once; the caller holds tx_mutex */
static void tls_handoff_close_notify(struct tls_handoff_ctx *ctx)
{
	u8 alert[2] = { TLS_ALERT_LEVEL_WARNING, TLS_ALERT_DESC_CLOSE_NOTIFY };
	struct kvec iov = { .iov_base = alert, .iov_len = sizeof(alert) };
	struct msghdr msg = {};

	if (test_and_set_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags))
		return;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &iov, 1, sizeof(alert));
	if (tls_handoff_send_record(ctx, TLS_RECORD_TYPE_ALERT, &msg, sizeof(alert)) < 0)
		return;
	if (READ_ONCE(ctx->alert_sent) < 0)
		WRITE_ONCE(ctx->alert_sent, TLS_ALERT_DESC_CLOSE_NOTIFY);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CLOSE_SENT);
}

/*
 * tls_handshake_close() sends close_notify, the only record besides data that a consumer
 * knows of. Its bytes are in kernel memory, where a program cannot have them from:
 * msg_control_is_user does not tell, as a system call has copied the buffer by now.
 */
static int tls_handoff_consumer_close(struct tls_handoff_ctx *ctx, struct msghdr *msg,
				      size_t size)
{
	u8 alert[2];
	u8 type;

	if (!ctx->consumer || !iov_iter_is_kvec(&msg->msg_iter) || size != sizeof(alert) ||
	    tls_handoff_session_type(msg, &type) || type != TLS_RECORD_TYPE_ALERT ||
	    copy_from_iter(alert, sizeof(alert), &msg->msg_iter) != sizeof(alert) ||
	    alert[1] != TLS_ALERT_DESC_CLOSE_NOTIFY)
		return -EPERM;
	/* Behind a sender it goes out with the shutdown() that comes next */
	if (!mutex_trylock(&ctx->tx_mutex))
		return -EAGAIN;
	tls_handoff_close_notify(ctx);
	tls_handoff_tx_unlock(ctx);
	return size;
}

/*
 * knfsd asks for its handshake before it has sent the answer, in plaintext, that the client
 * waits for (svcauth_tls_accept()). A server has nothing else to send before it has heard
 * of the client. False if the caller is to wait for the handshake.
 */
static bool tls_handoff_consumer_plain(struct tls_handoff_ctx *ctx, struct msghdr *msg,
				       size_t size, int *ret)
{
	bool plain;

	mutex_lock(&ctx->lock);
	plain = ctx->state == TLS_HANDOFF_STATE_HANDSHAKE && ctx->role == TLS_HANDOFF_SERVER &&
		!test_bit(TLS_HANDOFF_BIT_TALKED, &ctx->flags) &&
		!test_bit(TLS_HANDOFF_BIT_TX_READY, &ctx->flags);
	if (plain) {
		/* The agent waits for the lock */
		msg->msg_flags |= MSG_DONTWAIT;
		*ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, size);
	}
	mutex_unlock(&ctx->lock);
	return plain;
}

/* All that tls_handoff_sendmsg() promises */
static noinline int tls_handoff_sendmsg_any(struct socket *app, struct msghdr *msg, size_t size)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct sock *sk = app->sk;
	size_t controllen;
	int ret;

	if (unlikely(tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)) {
		if (tls_handoff_plain_enter(ctx)) {
			ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, size);
			tls_handoff_plain_leave(ctx);
			return ret;
		}
		if (ctx->consumer && tls_handoff_consumer_plain(ctx, msg, size, &ret))
			return ret;
		ret = tls_handoff_wait_ready(ctx, sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT));
		if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED)
			return tls_handoff_broken_pipe(ctx, msg->msg_flags);
		if (ret)
			return ret;
	}

	if (unlikely(msg->msg_flags & (MSG_OOB | MSG_ZEROCOPY)))
		return -EOPNOTSUPP;
	ret = tls_handoff_check_control(msg);
	if (ret)
		return ret == -EPERM ? tls_handoff_consumer_close(ctx, msg, size) : ret;
	msg->msg_flags &= TLS_HANDOFF_SEND_FLAGS;

	controllen = msg->msg_controllen;
	msg->msg_controllen = 0;
	ret = tls_handoff_send_data(ctx, msg, size);
	msg->msg_controllen = controllen;
	if (unlikely(ret == -EPIPE))
		return tls_handoff_broken_pipe(ctx, msg->msg_flags);
	return ret;
}

/* Under tx_mutex: one chunk, nobody waits for anything, and the key is far from its limit */
static bool tls_handoff_tx_plain(const struct tls_handoff_ctx *ctx, size_t size)
{
	const struct tls_context *tls = tls_get_ctx(ctx->inner.sk);

	return !(READ_ONCE(ctx->flags) & TLS_HANDOFF_TX_MARKED) &&
	       size <= TLS_HANDOFF_CHUNK_RECORDS * (size_t)tls->tx_max_payload_len &&
	       tls_handoff_tx_sequence(ctx) < ctx->limit_near;
}

/**
 * tls_handoff_sendmsg() - proto_ops.sendmsg of a taken-over socket
 * @app: the program's socket
 * @msg: data; a control message of level SOL_TLS is refused
 * @size: bytes
 *
 * A plain send() is what throughput depends on: it takes as few instructions as it
 * can, and leaves everything else to tls_handoff_sendmsg_any().
 *
 * Return: bytes, or as send(2); -EPIPE once failed or after close_notify.
 */
int tls_handoff_sendmsg(struct socket *app, struct msghdr *msg, size_t size)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct sock *sk = app->sk;
	int ret;

	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED || msg->msg_controllen ||
	    msg->msg_flags & ~TLS_HANDOFF_SEND_FLAGS)
		return tls_handoff_sendmsg_any(app, msg, size);
	if (unlikely(!mutex_trylock(&ctx->tx_mutex)))
		return tls_handoff_sendmsg_any(app, msg, size);
	if (unlikely(!tls_handoff_tx_plain(ctx, size))) {
		tls_handoff_tx_unlock(ctx);
		return tls_handoff_sendmsg_any(app, msg, size);
	}
	sock_rps_record_flow(sk);
	ret = READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, size);
	tls_handoff_tx_unlock(ctx);
	return ret;
}

/**
 * tls_handoff_splice_eof() - proto_ops.splice_eof: close the open record
 * @app: the program's socket
 */
void tls_handoff_splice_eof(struct socket *app)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED) {
		if (tls_handoff_plain_enter(ctx)) {
			if (ctx->inner.ops->splice_eof)
				ctx->inner.ops->splice_eof(&ctx->inner);
			tls_handoff_plain_leave(ctx);
		}
		return;
	}
	mutex_lock(&ctx->tx_mutex);
	if (ctx->inner.ops->splice_eof)
		ctx->inner.ops->splice_eof(&ctx->inner);
	tls_handoff_tx_unlock(ctx);
}

/**
 * tls_handoff_key_expired() - TLS 1.2 cannot update keys: the connection ends in order
 * @ctx: the context, not locked
 */
void tls_handoff_key_expired(struct tls_handoff_ctx *ctx)
{
	mutex_lock(&ctx->tx_mutex);
	tls_handoff_close_notify(ctx);
	tls_handoff_tx_unlock(ctx);
	tls_handoff_fail(ctx, EKEYEXPIRED, "the key reached its limit, which TLS 1.2 cannot renew");
}

/**
 * tls_handoff_send_close() - close_notify at release, when no sender can be there
 * @ctx: the context, established
 */
void tls_handoff_send_close(struct tls_handoff_ctx *ctx)
{
	mutex_lock(&ctx->tx_mutex);
	tls_handoff_close_notify(ctx);
	mutex_unlock(&ctx->tx_mutex);
}

/**
 * tls_handoff_tx_unlock() - let go of tx_mutex and do what others left to do
 * @ctx: the context
 *
 * Others set CLOSE_WANTED and try the lock; who holds it looks again after it let
 * go, so the wish is never lost and nobody waits behind a stuck sender.
 */
void tls_handoff_tx_unlock(struct tls_handoff_ctx *ctx)
{
	for (;;) {
		mutex_unlock(&ctx->tx_mutex);
		/* Pairs with those who set a bit and then failed to get the mutex */
		smp_mb();
		if (likely(!(READ_ONCE(ctx->flags) & (BIT(TLS_HANDOFF_BIT_TX_WAITED) |
						      BIT(TLS_HANDOFF_BIT_TX_BUSY) |
						      BIT(TLS_HANDOFF_BIT_CLOSE_WANTED)))))
			return;
		if (test_and_clear_bit(TLS_HANDOFF_BIT_TX_WAITED, &ctx->flags))
			tls_handoff_session_wake(ctx);
		if (test_and_clear_bit(TLS_HANDOFF_BIT_TX_BUSY, &ctx->flags))
			tls_handoff_wake(ctx);
		if (!test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags) ||
		    !mutex_trylock(&ctx->tx_mutex))
			return;
		if (test_and_clear_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags)) {
			tls_handoff_close_notify(ctx);
			ctx->inner.ops->shutdown(&ctx->inner, SHUT_WR);
		}
	}
}

/**
 * tls_handoff_tx_turn_over() - the session fd has sent what it was turned away with, or
 *	nobody will: senders go on
 * @ctx: the context, locked
 */
void tls_handoff_tx_turn_over(struct tls_handoff_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);
	if (test_and_clear_bit(TLS_HANDOFF_BIT_TX_TURN, &ctx->flags) && ctx->sk)
		tls_handoff_wake(ctx);
}

/**
 * tls_handoff_tx_release() - the new key is there, or will not come: senders go on
 * @ctx: the context, locked
 */
void tls_handoff_tx_release(struct tls_handoff_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);
	clear_bit(TLS_HANDOFF_BIT_TX_ASKED, &ctx->flags);
	clear_bit(TLS_HANDOFF_BIT_TX_OFFERED, &ctx->flags);
	if (test_and_clear_bit(TLS_HANDOFF_BIT_TX_HOLD, &ctx->flags) && ctx->sk)
		tls_handoff_wake(ctx);
}

/**
 * tls_handoff_rekey() - setsockopt(TLS_HANDOFF_REKEY): what is sent from now on gets a new key
 * @ctx: the context, not locked
 *
 * Return: 0; -ENOTCONN, -EOPNOTSUPP in TLS 1.2, -EPIPE after close_notify, -ESRCH
 * without a session handler.
 */
int tls_handoff_rekey(struct tls_handoff_ctx *ctx)
{
	int err = 0;

	mutex_lock(&ctx->lock);
	if (ctx->state != TLS_HANDOFF_STATE_ESTABLISHED)
		err = -ENOTCONN;
	else if (ctx->version != TLS_1_3_VERSION)
		err = -EOPNOTSUPP;
	else if (test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags) ||
		 test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags))
		err = -EPIPE;
	else if (!ctx->session)
		err = -ESRCH;
	if (!err) {
		tls_handoff_hold(ctx, TLS_HANDOFF_BIT_TX_HOLD);
		if (!test_and_set_bit(TLS_HANDOFF_BIT_TX_ASKED, &ctx->flags))
			tls_handoff_session_event(ctx, TLS_HANDOFF_EVENT_REKEY);
	}
	mutex_unlock(&ctx->lock);
	return err;
}
