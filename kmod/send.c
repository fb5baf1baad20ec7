// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data from the program into kTLS, and the records that are not data: those of
 * the session fd, and close_notify, which the module sends itself.
 */

#include <linux/sched/signal.h>
#include <net/tls_prot.h>

#include "tls_handoff.h"
#include "trace.h"

/* One turn of a sender: a multiple of the record size, so that the split is never seen */
#define TLS_HANDOFF_CHUNK_RECORDS	64

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

static int tls_handoff_send_data(struct tls_handoff_ctx *ctx, struct msghdr *msg, size_t size)
{
	size_t chunk = TLS_HANDOFF_CHUNK_RECORDS *
		       (size_t)tls_get_ctx(ctx->inner.sk)->tx_max_payload_len;
	int flags = msg->msg_flags;
	size_t sent = 0, rest, n;
	int ret;

	if (likely(size <= chunk))
		return ctx->inner.ops->sendmsg(&ctx->inner, msg, size);

	while (sent < size) {
		n = min(size - sent, chunk);
		rest = iov_iter_count(&msg->msg_iter) - n;
		iov_iter_truncate(&msg->msg_iter, n);
		ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, n);
		iov_iter_reexpand(&msg->msg_iter, iov_iter_count(&msg->msg_iter) + rest);
		msg->msg_flags = flags;
		if (ret <= 0)
			return sent ? sent : ret;
		sent += ret;
		if (ret < n || test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags) ||
		    signal_pending(current))
			break;
	}
	return sent;
}

/* Always EPIPE: what sk_err holds is for SO_ERROR, which is how poll()ers learn the reason */
static int tls_handoff_broken_pipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return -EPIPE;
}

/**
 * tls_handoff_sendmsg() - proto_ops.sendmsg of a taken-over socket
 * @app: the program's socket
 * @msg: data; a control message of level SOL_TLS is refused
 * @size: bytes
 *
 * Return: bytes, or as send(2); -EPIPE once failed or after close_notify.
 */
int tls_handoff_sendmsg(struct socket *app, struct msghdr *msg, size_t size)
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
		ret = tls_handoff_wait_ready(ctx, sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT));
		if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED)
			return tls_handoff_broken_pipe(msg->msg_flags);
		if (ret)
			return ret;
	}

	if (unlikely(msg->msg_flags & (MSG_OOB | MSG_ZEROCOPY)))
		return -EOPNOTSUPP;
	ret = tls_handoff_check_control(msg);
	if (ret)
		return ret;

	ret = mutex_lock_interruptible(&ctx->tx_mutex);
	if (ret)
		return ret;
	if (unlikely(test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags) ||
		     test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags))) {
		ret = sk_stream_error(sk, msg->msg_flags, -EPIPE);
	} else {
		controllen = msg->msg_controllen;
		msg->msg_controllen = 0;
		ret = tls_handoff_send_data(ctx, msg, size);
		msg->msg_controllen = controllen;
	}
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
	do {
		if (test_and_clear_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags)) {
			tls_handoff_close_notify(ctx);
			ctx->inner.ops->shutdown(&ctx->inner, SHUT_WR);
		}
		mutex_unlock(&ctx->tx_mutex);
		if (test_and_clear_bit(TLS_HANDOFF_BIT_TX_WAITED, &ctx->flags))
			tls_handoff_session_wake(ctx);
	} while (test_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags) &&
		 mutex_trylock(&ctx->tx_mutex));
}
