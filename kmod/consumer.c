// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that a kernel consumer of TLS uses: sunrpc's and NVMe/TCP's. Their agent has
 * a file descriptor of such a socket from the kernel's handshake family, and adopts the
 * connection with getsockopt(TLS_HANDOFF_SESSION_FD) before the handshake.
 *
 * A consumer is called back where a program waits: readers by sk_data_ready, senders by
 * sk_write_space. Its callbacks are called as TCP calls them, under lock_sock: that is
 * what keeps the consumer there. sk_state_change it takes for a change of TCP's state.
 */

#include <linux/capability.h>
#include <linux/file.h>

#include "tls_handoff.h"

/**
 * tls_handoff_consumer_wake() - as tls_handoff_wake(), for an adopted socket
 * @ctx: the context; @ctx->sk is there. lock_sock is not held
 *
 * kTLS announces a record once, and to the callback that it found at TLS_RX; some
 * consumers set theirs before the handshake and some after it, so both are called.
 */
void tls_handoff_consumer_wake(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	/* Calls of ours that wait; START's eviction */
	wake_up_interruptible_all(&ctx->app->wq.wait);
	/* The consumer waits for its handshake, whose end it is told by DONE of its family */
	if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_HANDSHAKE)
		return;
	lock_sock(sk);
	sk->sk_data_ready(sk);
	if (test_bit(TLS_HANDOFF_BIT_RX_READY, &ctx->flags))
		tls_sw_ctx_rx(tls_get_ctx(sk))->saved_data_ready(sk);
	sk->sk_write_space(sk);
	release_sock(sk);
}

/*
 * close_notify came: some consumers take no note of an end of file, but every one of
 * the end of TCP
 */
static void tls_handoff_consumer_closed(struct tls_handoff_ctx *ctx)
{
	mutex_lock(&ctx->lock);
	if (ctx->sk && ctx->state == TLS_HANDOFF_STATE_ESTABLISHED)
		tls_handoff_close(ctx, SHUT_RDWR);
	mutex_unlock(&ctx->lock);
}

static void tls_handoff_consumer_work(struct work_struct *work)
{
	struct tls_handoff_consumer *consumer =
		container_of(work, struct tls_handoff_consumer, work);
	struct tls_handoff_ctx *ctx = consumer->ctx;
	struct tls_handoff_rx_failure failure;
	bool expired;

	mutex_lock(&ctx->rx_mutex);
	failure = consumer->failure;
	expired = consumer->expired;
	mutex_unlock(&ctx->rx_mutex);
	if (failure.error)
		tls_handoff_fail_record(ctx, failure.error, failure.event, failure.words);
	else if (expired)
		tls_handoff_key_expired(ctx);
	else if (test_bit(TLS_HANDOFF_BIT_CLOSE_RECEIVED, &ctx->flags))
		tls_handoff_consumer_closed(ctx);
	tls_handoff_put(ctx);
}

/**
 * tls_handoff_consumer_defer() - do what a reader found and may not do itself
 * @ctx: the context of an adopted socket; the caller is a call on it
 *
 * It is in @ctx->consumer or @ctx->flags.
 */
void tls_handoff_consumer_defer(struct tls_handoff_ctx *ctx)
{
	tls_handoff_work_start(ctx, &ctx->consumer->work);
}

static struct tls_handoff_consumer *tls_handoff_consumer_new(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_consumer *consumer = kzalloc_obj(*consumer, GFP_KERNEL_ACCOUNT);

	if (consumer) {
		consumer->ctx = ctx;
		INIT_WORK(&consumer->work, tls_handoff_consumer_work);
	}
	return consumer;
}

/* Takes over @file if it succeeds */
static int tls_handoff_adopt(struct tls_handoff_ctx *ctx, u32 role, struct file *file)
{
	struct tls_handoff_consumer *consumer;
	int err;

	consumer = tls_handoff_consumer_new(ctx);
	if (!consumer)
		return -ENOMEM;
	err = tls_handoff_start_adopted(ctx, role, consumer, file);
	if (READ_ONCE(ctx->consumer) != consumer)
		kfree(consumer);
	return err;
}

/**
 * tls_handoff_get_session_fd() - getsockopt(TLS_HANDOFF_SESSION_FD): adopt a connection
 * @ctx: the context, not locked
 * @optval: int: the role, overwritten with the session fd
 * @optlen: its size
 *
 * START and ACCEPT in one, for the agent of a kernel consumer. The netlink family asks
 * for the same capability.
 *
 * Return: 0; -EINVAL, -EPERM, -ENOTCONN, -EALREADY, -EISCONN, -ENOBUFS if too many
 * handshakes are pending, -ENOMEM, -EMFILE, -EFAULT.
 */
int tls_handoff_get_session_fd(struct tls_handoff_ctx *ctx, char __user *optval,
			       int __user *optlen)
{
	int __user *value = (int __user *)optval;
	int len, role, fd, err;
	struct file *file;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len != sizeof(role))
		return -EINVAL;
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (get_user(role, value))
		return -EFAULT;
	if (role != TLS_HANDOFF_CLIENT && role != TLS_HANDOFF_SERVER)
		return -EINVAL;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = tls_handoff_session_alloc(sock_net(ctx->sk));
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	/* Before anything begins, as what began cannot be taken back */
	err = put_user(fd, value) ? -EFAULT : tls_handoff_adopt(ctx, role, file);
	if (err) {
		fput(file);
		put_unused_fd(fd);
		return err;
	}
	fd_install(fd, file);
	return 0;
}
