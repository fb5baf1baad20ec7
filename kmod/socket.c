// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking a TCP socket over, and the calls that need no file of their own.
 *
 * The TCP_ULP "tls_handoff" gives the connection a second struct socket for the
 * same struct sock: sk->sk_socket points to it, kTLS attaches to it, and the
 * program's socket gets our ops. Nothing of the inner socket but state, type,
 * flags, file, sk and ops is ever used: sk->sk_wq, sk_uid and sk_ino stay those of
 * the program's socket.
 */

#include <linux/module.h>
#include <linux/poll.h>
#include <linux/skmsg.h>

#include <linux/sockios.h>
#include <linux/wait_bit.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/strparser.h>
#include <net/transp_v6.h>

#include <asm/ioctls.h>

#include "tls_handoff.h"

static struct kmem_cache *tls_handoff_cache;

static const struct proto_ops tls_handoff_ops4, tls_handoff_ops6;

/**
 * tls_handoff_get() - one more reference
 * @ctx: a context that the caller holds
 *
 * Return: @ctx.
 */
struct tls_handoff_ctx *tls_handoff_get(struct tls_handoff_ctx *ctx)
{
	refcount_inc(&ctx->refcnt);
	return ctx;
}

/**
 * tls_handoff_put() - one reference less; the last one frees
 * @ctx: the context
 *
 * Whoever calls this is kept alive by a module reference of its own: the ops of
 * a socket, the netlink family, or the work queue that exit drains.
 */
void tls_handoff_put(struct tls_handoff_ctx *ctx)
{
	if (!refcount_dec_and_test(&ctx->refcnt))
		return;
	skb_queue_purge(&ctx->records);
	tls_handoff_params_put(ctx->params);
	tls_handoff_results_free(ctx->results);
	kfree(ctx->consumer);
	mutex_destroy(&ctx->lock);
	mutex_destroy(&ctx->rx_mutex);
	mutex_destroy(&ctx->tx_mutex);
	kmem_cache_free(tls_handoff_cache, ctx);
}

/**
 * tls_handoff_plain_enter() - begin a call on the plain socket
 * @ctx: the context
 *
 * Before START everything passes through. START must know that no such call is
 * under way: it sets the state, evicts the sleeping ones and waits for the count.
 *
 * Return: true if the call may go on; then tls_handoff_plain_leave() ends it.
 */
bool tls_handoff_plain_enter(struct tls_handoff_ctx *ctx)
{
	atomic_inc(&ctx->passthrough);
	/* Pairs with the one in tls_handoff_start(): either START sees the count or we its state */
	smp_mb__after_atomic();
	if (READ_ONCE(ctx->state) == TLS_HANDOFF_STATE_IDLE)
		return true;
	tls_handoff_plain_leave(ctx);
	return false;
}

/**
 * tls_handoff_plain_leave() - end a call on the plain socket
 * @ctx: the context
 */
void tls_handoff_plain_leave(struct tls_handoff_ctx *ctx)
{
	if (atomic_dec_and_test(&ctx->passthrough) &&
	    READ_ONCE(ctx->state) != TLS_HANDOFF_STATE_IDLE)
		wake_up_var(&ctx->passthrough);
}

/**
 * tls_handoff_wait_ready() - wait for the end of the handshake
 * @ctx: the context; the caller is a call on the program's socket
 * @timeo: jiffies, 0 not to wait
 *
 * Return: 0 if established, -EAGAIN, -EINTR or -ERESTARTSYS, or the errno with
 * which the connection failed.
 */
int tls_handoff_wait_ready(struct tls_handoff_ctx *ctx, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_HANDSHAKE) {
		add_wait_queue(&ctx->app->wq.wait, &wait);
		while (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_HANDSHAKE) {
			if (!timeo) {
				err = -EAGAIN;
				break;
			}
			if (signal_pending(current)) {
				err = sock_intr_errno(timeo);
				break;
			}
			timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
		}
		remove_wait_queue(&ctx->app->wq.wait, &wait);
		if (err)
			return err;
	}
	if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED)
		return -READ_ONCE(ctx->error);
	return 0;
}

/**
 * tls_handoff_wake() - wake whoever waits on the program's socket, for whatever
 * @ctx: the context; @ctx->sk is there: locked, or in a call on the program's socket.
 *	Not under lock_sock
 */
void tls_handoff_wake(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (ctx->consumer) {
		tls_handoff_consumer_wake(ctx);
		return;
	}
	read_lock_bh(&sk->sk_callback_lock);
	sk->sk_state_change(sk);
	read_unlock_bh(&sk->sk_callback_lock);
	sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
	/* Not SOCK_WAKE_SPACE: that tells only whom TCP had no room for */
	sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
}

static bool tls_handoff_plain_tcp(struct sock *sk, struct socket *sock)
{
	bool plain;

	if (READ_ONCE(sock->ops) == &inet_stream_ops)
		plain = READ_ONCE(sk->sk_prot) == &tcp_prot;
	else if (IS_ENABLED(CONFIG_IPV6) && READ_ONCE(sock->ops) == &inet6_stream_ops)
		plain = READ_ONCE(sk->sk_prot) == &tcpv6_prot;
	else
		plain = false;

	rcu_read_lock();
	if (sk_psock(sk))
		plain = false;
	rcu_read_unlock();
	return plain;
}

/**
 * tls_handoff_take_over() - give a socket a context
 * @sk: TCP, connected or listening, under lock_sock
 * @app: the socket it is grafted to; gets our ops
 *
 * Return: the new context, idle; -EOPNOTSUPP for MPTCP, SMC and sockmap, -ENOMEM.
 */
struct tls_handoff_ctx *tls_handoff_take_over(struct sock *sk, struct socket *app)
{
	struct tls_handoff_ctx *ctx;

	if (!tls_handoff_plain_tcp(sk, app))
		return ERR_PTR(-EOPNOTSUPP);

	ctx = kmem_cache_zalloc(tls_handoff_cache, GFP_KERNEL);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	refcount_set(&ctx->refcnt, 1);
	mutex_init(&ctx->lock);
	mutex_init(&ctx->rx_mutex);
	mutex_init(&ctx->tx_mutex);
	skb_queue_head_init(&ctx->records);
	spin_lock_init(&ctx->session_lock);
	tls_handoff_timers_ctx(ctx);
	ctx->app = app;
	ctx->sk = sk;
	ctx->net = tls_handoff_net(sock_net(sk));
	ctx->alert_sent = -1;
	ctx->alert_received = -1;

	ctx->inner.state = app->state;
	ctx->inner.type = app->type;
	ctx->inner.flags = app->flags;
	ctx->inner.file = app->file;
	ctx->inner.sk = sk;
	ctx->inner.ops = app->ops;
	init_waitqueue_head(&ctx->inner.wq.wait);

	/* The module reference of the old ops goes with them; ours are held until release */
	ctx->inner_owner = app->ops->owner;
	__module_get(THIS_MODULE);

	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_socket, &ctx->inner);
	write_unlock_bh(&sk->sk_callback_lock);
	/* Whoever sees the new ops sees the inner socket: pairs with smp_rmb() there */
	smp_wmb();
	WRITE_ONCE(app->ops, sk->sk_family == AF_INET6 ? &tls_handoff_ops6 : &tls_handoff_ops4);
	/* Some of level SOL_SOCKET is refused as well */
	set_bit(SOCK_CUSTOM_SOCKOPT, &app->flags);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CURR_SOCKETS);
	return ctx;
}

/* tcp_ulp_ops.init, under lock_sock; not for sockets without a file */
static int tls_handoff_ulp_init(struct sock *sk)
{
	struct socket *app = sk->sk_socket;

	if (sk->sk_state != TCP_ESTABLISHED && sk->sk_state != TCP_LISTEN)
		return -ENOTCONN;
	if (!app || !app->file)
		return -EOPNOTSUPP;
	return PTR_ERR_OR_ZERO(tls_handoff_take_over(sk, app));
}

/* tcp_ulp_ops.clone: what a listening socket's connections become is decided by accept() */
static void tls_handoff_ulp_clone(const struct request_sock *req, struct sock *newsk,
				  const gfp_t priority)
{
	inet_csk(newsk)->icsk_ulp_ops = NULL;
}

/* Unread data at close makes TCP send a reset, and the peer would lose our alert */
static void tls_handoff_drain(struct tls_handoff_ctx *ctx)
{
	struct msghdr msg = {};
	int budget = 64;

	if (test_bit(TLS_HANDOFF_BIT_RX_READY, &ctx->flags))
		return;
	iov_iter_discard(&msg.msg_iter, ITER_DEST, SZ_1M);
	while (budget-- &&
	       ctx->inner.ops->recvmsg(&ctx->inner, &msg, SZ_1M, MSG_DONTWAIT | MSG_TRUNC) > 0)
		iov_iter_discard(&msg.msg_iter, ITER_DEST, SZ_1M);
}

static int tls_handoff_release(struct socket *app)
{
	struct sock *sk = app->sk;
	struct module *inner_owner;
	struct tls_handoff_ctx *ctx;
	u8 state;
	int err;

	if (!sk)
		return 0;
	ctx = tls_handoff_ctx(app);

	tls_handoff_listener_stop(ctx);
	mutex_lock(&ctx->lock);
	state = ctx->state;
	if (state == TLS_HANDOFF_STATE_HANDSHAKE)
		tls_handoff_handshake_end(ctx);
	if (state == TLS_HANDOFF_STATE_ESTABLISHED) {
		tls_handoff_stat_dec(ctx->net, TLS_HANDOFF_STAT_CURR_ESTABLISHED);
		/* SO_LINGER with 0 asks for a reset */
		if (!sock_flag(sk, SOCK_LINGER) || sk->sk_lingertime)
			tls_handoff_send_close(ctx);
	}
	if (state == TLS_HANDOFF_STATE_FAILED)
		tls_handoff_drain(ctx);
	tls_handoff_set_state(ctx, TLS_HANDOFF_STATE_CLOSED);
	tls_handoff_session_quiet(ctx);
	if (ctx->id)
		xa_erase(&ctx->net->sessions, ctx->id);
	ctx->app = NULL;
	ctx->sk = NULL;
	mutex_unlock(&ctx->lock);
	tls_handoff_session_event(ctx, TLS_HANDOFF_EVENT_CLOSED);

	tls_handoff_timer_stop(ctx, &ctx->hold);
	/* Nobody but us reaches the inner socket now; this may linger */
	inner_owner = ctx->inner_owner;
	err = ctx->inner.ops->release(&ctx->inner);
	app->sk = NULL;
	tls_handoff_stat_dec(ctx->net, TLS_HANDOFF_STAT_CURR_SOCKETS);
	tls_handoff_put(ctx);
	module_put(inner_owner);
	return err;
}

/* AF_UNSPEC would disconnect, and leave TLS behind */
static int tls_handoff_connect(struct socket *app, struct sockaddr_unsized *addr, int len,
			       int flags)
{
	if (len >= (int)sizeof(addr->sa_family) && addr->sa_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	return -EISCONN;
}

/* A listening socket may change its backlog */
static int tls_handoff_listen(struct socket *app, int backlog)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_IDLE)
		return -EINVAL;
	return ctx->inner.ops->listen(&ctx->inner, backlog);
}

static __poll_t tls_handoff_poll(struct file *file, struct socket *app, poll_table *wait)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct sock *sk = app->sk;
	__poll_t mask;

	/* Wake-ups come to sk_wq, which is the program's socket's; the inner one has none */
	sock_poll_wait(file, app, wait);

	switch (tls_handoff_state(ctx)) {
	case TLS_HANDOFF_STATE_HANDSHAKE:
		return 0;
	case TLS_HANDOFF_STATE_FAILED:
		return EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLRDNORM | EPOLLOUT |
		       EPOLLWRNORM;
	case TLS_HANDOFF_STATE_ESTABLISHED:
		break;
	default:
		mask = ctx->inner.ops->poll(file, &ctx->inner, NULL);
		return tls_handoff_accept_poll(ctx, mask);
	}

	/* sunrpc asks for itself, and has no file at times */
	tls_handoff_rx_look(ctx, file && file->f_flags & O_NONBLOCK);
	/* What it found may have ended the connection */
	if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED)
		return EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLRDNORM | EPOLLOUT |
		       EPOLLWRNORM;

	mask = ctx->inner.ops->poll(file, &ctx->inner, NULL);
	/* What a reader is at may turn out to be more than it takes */
	if (mutex_is_locked(&ctx->rx_mutex)) {
		set_bit(TLS_HANDOFF_BIT_RX_WAITED, &ctx->flags);
		/* Pairs with tls_handoff_rx_left() */
		smp_mb__after_atomic();
	} else {
		/* What the last one left is seen: pairs with its mutex_unlock() */
		smp_rmb();
	}
	/* kTLS masks EPOLLIN once a KeyUpdate was seen, even with data before it */
	if (!skb_queue_empty_lockless(&tls_sw_ctx_rx(tls_get_ctx(sk))->rx_list))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(ctx->flags) & TLS_HANDOFF_RX_HELD)
		mask &= ~(EPOLLIN | EPOLLRDNORM);
	if (READ_ONCE(ctx->flags) & TLS_HANDOFF_TX_HELD)
		mask &= ~(EPOLLOUT | EPOLLWRNORM);
	if (test_bit(TLS_HANDOFF_BIT_RX_EOF, &ctx->flags))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	return mask;
}

/**
 * tls_handoff_close() - shutdown() of an established connection, with close_notify
 * @ctx: the context, established; locked, or in a call on the program's socket
 * @how: SHUT_RD, SHUT_WR or SHUT_RDWR
 *
 * Return: 0 or -ENOTCONN.
 */
int tls_handoff_close(struct tls_handoff_ctx *ctx, int how)
{
	if (how != SHUT_WR)
		set_bit(TLS_HANDOFF_BIT_RX_SHUT, &ctx->flags);
	if (how == SHUT_RD)
		return ctx->inner.ops->shutdown(&ctx->inner, SHUT_RD);
	/* A sender that is stuck sends close_notify and FIN on its way out */
	set_bit(TLS_HANDOFF_BIT_CLOSE_WANTED, &ctx->flags);
	/* Pairs with tls_handoff_tx_unlock() */
	smp_mb__after_atomic();
	if (mutex_trylock(&ctx->tx_mutex))
		tls_handoff_tx_unlock(ctx);
	else if (ctx->consumer)
		/* Which relies on that to end its senders */
		ctx->inner.ops->shutdown(&ctx->inner, SHUT_WR);
	return how == SHUT_RDWR ? ctx->inner.ops->shutdown(&ctx->inner, SHUT_RD) : 0;
}

/* Without a call to fail, a handshake whose socket was shut down would go on for its TIMEOUT */
static int tls_handoff_shutdown(struct socket *app, int how)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;

	switch (tls_handoff_state(ctx)) {
	case TLS_HANDOFF_STATE_HANDSHAKE:
		tls_handoff_fail(ctx, ECONNABORTED,
				 "the program shut the socket down during the handshake");
		return 0;
	case TLS_HANDOFF_STATE_FAILED:
		return -ENOTCONN;
	case TLS_HANDOFF_STATE_ESTABLISHED:
		break;
	default:
		return ctx->inner.ops->shutdown(&ctx->inner, how);
	}

	return tls_handoff_close(ctx, how);
}

static int tls_handoff_ioctl(struct socket *app, unsigned int cmd, unsigned long arg)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	if (cmd == SIOCINQ && tls_handoff_state(ctx) != TLS_HANDOFF_STATE_IDLE)
		return put_user(tls_handoff_rx_pending(ctx), (int __user *)arg);
	return ctx->inner.ops->ioctl(&ctx->inner, cmd, arg);
}

#ifdef CONFIG_COMPAT
static int tls_handoff_compat_ioctl(struct socket *app, unsigned int cmd, unsigned long arg)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	return ctx->inner.ops->compat_ioctl(&ctx->inner, cmd, arg);
}
#endif

static int tls_handoff_mmap(struct file *file, struct socket *app, struct vm_area_struct *vma)
{
	return -EOPNOTSUPP;
}

static int tls_handoff_bind(struct socket *app, struct sockaddr_unsized *addr, int len)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	return ctx->inner.ops->bind(&ctx->inner, addr, len);
}

static int tls_handoff_getname(struct socket *app, struct sockaddr *addr, int peer)
{
	const struct proto_ops *ops = READ_ONCE(app->ops);
	struct tls_handoff_ctx *ctx;

	/* accept(2) asks the listening socket's ops for the address of a plain connection */
	if (ops->getname != tls_handoff_getname)
		return ops->getname(app, addr, peer);
	ctx = tls_handoff_ctx(app);
	return ctx->inner.ops->getname(&ctx->inner, addr, peer);
}

/* What is not named here would reach data past us, or is not offered by TCP either */
#define TLS_HANDOFF_OPS(_family)				\
	.family = (_family),					\
	.owner = THIS_MODULE,					\
	.release = tls_handoff_release,				\
	.bind = tls_handoff_bind,				\
	.connect = tls_handoff_connect,				\
	.socketpair = sock_no_socketpair,			\
	.accept = tls_handoff_accept,				\
	.getname = tls_handoff_getname,				\
	.poll = tls_handoff_poll,				\
	.ioctl = tls_handoff_ioctl,				\
	.gettstamp = sock_gettstamp,				\
	.listen = tls_handoff_listen,				\
	.shutdown = tls_handoff_shutdown,			\
	.setsockopt = tls_handoff_setsockopt,			\
	.getsockopt = tls_handoff_getsockopt,			\
	.sendmsg = tls_handoff_sendmsg,				\
	.recvmsg = tls_handoff_recvmsg,				\
	.read_sock = tls_handoff_read_sock,			\
	.mmap = tls_handoff_mmap,				\
	.splice_read = tls_handoff_splice_read,			\
	.splice_eof = tls_handoff_splice_eof

static const struct proto_ops tls_handoff_ops4 = {
	TLS_HANDOFF_OPS(PF_INET),
#ifdef CONFIG_COMPAT
	.compat_ioctl = tls_handoff_compat_ioctl,
#endif
};

static const struct proto_ops tls_handoff_ops6 = {
	TLS_HANDOFF_OPS(PF_INET6),
#ifdef CONFIG_COMPAT
	.compat_ioctl = tls_handoff_compat_ioctl,
#endif
};

static struct tcp_ulp_ops tls_handoff_ulp_ops __read_mostly = {
	.name = TLS_HANDOFF_ULP,
	.owner = THIS_MODULE,
	.init = tls_handoff_ulp_init,
	.clone = tls_handoff_ulp_clone,
};

/**
 * tls_handoff_cache_init() - before the first context
 *
 * Return: 0 or -ENOMEM.
 */
int __init tls_handoff_cache_init(void)
{
	/* The next size of kmalloc's would be nearly twice as large */
	tls_handoff_cache = KMEM_CACHE(tls_handoff_ctx, SLAB_ACCOUNT);
	return tls_handoff_cache ? 0 : -ENOMEM;
}

/**
 * tls_handoff_cache_exit() - after the last context
 */
void tls_handoff_cache_exit(void)
{
	kmem_cache_destroy(tls_handoff_cache);
}

/**
 * tls_handoff_socket_init() - offer the ULP; the last step of loading
 *
 * Return: 0 or -EEXIST.
 */
int __init tls_handoff_socket_init(void)
{
	return tcp_register_ulp(&tls_handoff_ulp_ops);
}

/**
 * tls_handoff_socket_exit() - withdraw the ULP; no socket uses it any more
 */
void tls_handoff_socket_exit(void)
{
	tcp_unregister_ulp(&tls_handoff_ulp_ops);
}
