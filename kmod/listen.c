// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets. After START each connection that accept() returns is taken
 * over, with the options of the listening socket and its handshake under way. With
 * ACCEPT_READY a worker accepts and starts instead, and accept() hands out what
 * became ready: until then a socket of ours, without a file, stands in for the
 * program's.
 */

#include <linux/module.h>
#include <net/inet_common.h>

#include "tls_handoff.h"

/* Connections that the worker takes from TCP before other work has its turn */
#define TLS_HANDOFF_ACCEPT_BATCH	64
/* When it tries again after there was no memory for one: nobody may come to wake it */
#define TLS_HANDOFF_ACCEPT_AGAIN	max(HZ / 10, 1)

/**
 * struct tls_handoff_listener - what START makes of a listening socket
 * @ctx: of that socket, which owns this
 * @cgroup: of START's caller
 * @accept_ready: accept() hands out what @work prepared
 * @wait: on the program's wait queue, where TCP announces connections; @accept_ready
 * @work: accepts and starts, and closes what failed; @accept_ready
 * @lock: protects what follows, and the links of children
 * @running: in the handshake, oldest first
 * @ready: established, oldest first
 * @failed: to be closed by @work
 * @ready_count: length of @ready; also read without the lock
 * @closing: @work and the program's socket are not to be woken any more
 */
struct tls_handoff_listener {
	struct tls_handoff_ctx *ctx;
	struct cgroup *cgroup;
	bool accept_ready;
	wait_queue_entry_t wait;
	struct delayed_work work;

	spinlock_t lock;	/* protects the fields below, and the links of children */
	struct list_head running;
	struct list_head ready;
	struct list_head failed;
	unsigned int ready_count;
	bool closing;
};

/**
 * struct tls_handoff_child - a connection that no program has yet
 * @link: on a list of the listener; who takes it off owns the child from then on
 * @listener: drops its children before it goes
 * @ctx: its context; ctx->child is this until the owner clears it, under ctx->lock
 * @app: stands in for the program's socket, and holds @ctx
 * @ready: it is, or was, on listener->ready
 */
struct tls_handoff_child {
	struct list_head link;
	struct tls_handoff_listener *listener;
	struct tls_handoff_ctx *ctx;
	struct socket *app;
	bool ready;
};

/* What waits for its time comes at once with 0 */
static void tls_handoff_listener_queue(struct tls_handoff_listener *listener, unsigned long delay)
{
	mod_delayed_work(system_dfl_wq, &listener->work, delay);
}

/**
 * tls_handoff_child_done() - a handshake is over, or a connection failed afterwards
 * @ctx: the context, locked, with its new state
 *
 * Does nothing if a program has the connection. One that fails when it is ready
 * already stays where it is: accept() looks.
 */
void tls_handoff_child_done(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_child *child = ctx->child;
	struct tls_handoff_listener *listener;
	struct sock *sk;

	lockdep_assert_held(&ctx->lock);
	if (!child)
		return;
	listener = child->listener;
	sk = listener->ctx->sk;
	spin_lock(&listener->lock);
	if (listener->closing || list_empty(&child->link) || child->ready)
		goto unlock;
	if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED) {
		child->ready = true;
		list_move_tail(&child->link, &listener->ready);
		WRITE_ONCE(listener->ready_count, listener->ready_count + 1);
		/* Whoever waits in accept() or poll(), as TCP does it */
		read_lock_bh(&sk->sk_callback_lock);
		sk->sk_data_ready(sk);
		read_unlock_bh(&sk->sk_callback_lock);
	} else {
		list_move_tail(&child->link, &listener->failed);
		tls_handoff_listener_queue(listener, 0);
	}
unlock:
	spin_unlock(&listener->lock);
}

/* Takes the oldest child off a list of the listener */
static struct tls_handoff_child *tls_handoff_child_pop(struct tls_handoff_listener *listener,
						       struct list_head *list)
{
	struct tls_handoff_child *child;

	spin_lock(&listener->lock);
	child = list_first_entry_or_null(list, struct tls_handoff_child, link);
	if (child) {
		list_del_init(&child->link);
		if (child->ready)
			WRITE_ONCE(listener->ready_count, listener->ready_count - 1);
	}
	spin_unlock(&listener->lock);
	return child;
}

/* Closes the connection of a child that is on no list */
static void tls_handoff_child_drop(struct tls_handoff_child *child)
{
	struct tls_handoff_ctx *ctx = child->ctx;

	mutex_lock(&ctx->lock);
	ctx->child = NULL;
	mutex_unlock(&ctx->lock);
	sock_release(child->app);
	kfree(child);
}

static void tls_handoff_children_drop(struct tls_handoff_listener *listener,
				      struct list_head *list)
{
	struct tls_handoff_child *child;

	while ((child = tls_handoff_child_pop(listener, list))) {
		tls_handoff_stat_inc(listener->ctx->net, TLS_HANDOFF_STAT_ACCEPT_DROPPED);
		tls_handoff_child_drop(child);
	}
}

/* The oldest handshake makes room: whoever stalls must not keep others out */
static void tls_handoff_make_room(struct tls_handoff_listener *listener)
{
	struct tls_handoff_ctx *ctx = NULL;
	struct tls_handoff_child *child;

	spin_lock(&listener->lock);
	child = list_first_entry_or_null(&listener->running, struct tls_handoff_child, link);
	if (child)
		ctx = tls_handoff_get(child->ctx);
	spin_unlock(&listener->lock);
	if (!ctx)
		return;
	tls_handoff_fail(ctx, ETIMEDOUT, "too many handshakes are pending, this was the oldest");
	tls_handoff_put(ctx);
}

/* A child without a connection, or NULL */
static struct tls_handoff_child *tls_handoff_child_new(struct tls_handoff_listener *listener)
{
	const struct proto_ops *ops = listener->ctx->inner.ops;
	struct tls_handoff_child *child;

	child = kzalloc_obj(*child, GFP_KERNEL_ACCOUNT);
	if (!child)
		return NULL;
	child->app = sock_alloc();
	if (!child->app) {
		kfree(child);
		return NULL;
	}
	INIT_LIST_HEAD(&child->link);
	child->listener = listener;
	/* The connection is the listening socket's until a program has it */
	SOCK_INODE(child->app)->i_uid = READ_ONCE(listener->ctx->sk->sk_uid);
	child->app->type = SOCK_STREAM;
	child->app->state = SS_CONNECTED;
	child->app->ops = ops;
	__module_get(ops->owner);
	return child;
}

/* Takes a connection from TCP and starts its handshake: 0, -EAGAIN if there is none, -ENOMEM */
static int tls_handoff_child_start(struct tls_handoff_listener *listener)
{
	struct tls_handoff_ctx *ctx, *listening = listener->ctx;
	struct proto_accept_arg arg = { .flags = O_NONBLOCK };
	struct tls_handoff_child *child;
	struct sock *sk;

	child = tls_handoff_child_new(listener);
	if (!child)
		return -ENOMEM;
	sk = READ_ONCE(listening->sk->sk_prot)->accept(listening->sk, &arg);
	if (!sk)
		goto free;
	lock_sock(sk);
	sock_graft(sk, child->app);
	ctx = tls_handoff_take_over(sk, child->app);
	release_sock(sk);
	if (IS_ERR(ctx))
		goto drop;

	child->ctx = ctx;
	ctx->child = child;
	spin_lock(&listener->lock);
	list_add_tail(&child->link, &listener->running);
	spin_unlock(&listener->lock);
	if (tls_handoff_start_accepted(ctx, listening, listener->cgroup) &&
	    tls_handoff_state(ctx) == TLS_HANDOFF_STATE_IDLE) {
		/* Nothing began, so nobody else has moved it */
		spin_lock(&listener->lock);
		list_move_tail(&child->link, &listener->failed);
		spin_unlock(&listener->lock);
	}
	return 0;

drop:
	tls_handoff_stat_inc(listening->net, TLS_HANDOFF_STAT_ACCEPT_DROPPED);
free:
	sock_release(child->app);
	kfree(child);
	return sk ? 0 : -EAGAIN;
}

/* Ready connections are as many as the backlog allows, and so are TCP's behind them */
static bool tls_handoff_wants_more(const struct tls_handoff_listener *listener)
{
	struct sock *sk = listener->ctx->sk;

	return !reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue) &&
	       READ_ONCE(listener->ready_count) <= READ_ONCE(sk->sk_max_ack_backlog);
}

static void tls_handoff_listener_work(struct work_struct *work)
{
	struct tls_handoff_listener *listener =
		container_of(to_delayed_work(work), struct tls_handoff_listener, work);
	int batch = TLS_HANDOFF_ACCEPT_BATCH;
	int err = 0;

	while (batch-- && tls_handoff_wants_more(listener)) {
		if (tls_handoff_pending_full(listener->ctx->net, listener->ctx->uid))
			tls_handoff_make_room(listener);
		err = tls_handoff_child_start(listener);
		if (err)
			break;
	}
	tls_handoff_children_drop(listener, &listener->failed);
	if (batch < 0)
		tls_handoff_listener_queue(listener, 0);
	else if (err == -ENOMEM)
		tls_handoff_listener_queue(listener, TLS_HANDOFF_ACCEPT_AGAIN);
}

/* In TCP's wake-up, by a new connection or by a ready one */
static int tls_handoff_listener_woken(wait_queue_entry_t *wait, unsigned int mode, int sync,
				      void *key)
{
	struct tls_handoff_listener *listener =
		container_of(wait, struct tls_handoff_listener, wait);

	if (tls_handoff_wants_more(listener))
		tls_handoff_listener_queue(listener, 0);
	return 0;
}

/**
 * tls_handoff_listener_start() - START on a listening socket
 * @ctx: its context, locked, idle
 *
 * Return: 0, -EALREADY, -EINVAL, -EOPNOTSUPP (with TCP_FASTOPEN, whose connections come
 * before they are established), -ENOMEM.
 */
int tls_handoff_listener_start(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_listener *listener;
	int err;

	lockdep_assert_held(&ctx->lock);
	if (ctx->listener)
		return -EALREADY;
	if (READ_ONCE(inet_csk(ctx->sk)->icsk_accept_queue.fastopenq.max_qlen))
		return -EOPNOTSUPP;
	err = tls_handoff_check_params(ctx->params, TLS_HANDOFF_SERVER);
	if (err)
		return err;
	listener = kzalloc_obj(*listener, GFP_KERNEL_ACCOUNT);
	if (!listener)
		return -ENOMEM;
	listener->ctx = ctx;
	listener->cgroup = tls_handoff_caller(ctx);
	listener->accept_ready = ctx->params && ctx->params->accept_ready;
	INIT_DELAYED_WORK(&listener->work, tls_handoff_listener_work);
	spin_lock_init(&listener->lock);
	INIT_LIST_HEAD(&listener->running);
	INIT_LIST_HEAD(&listener->ready);
	INIT_LIST_HEAD(&listener->failed);
	ctx->role = TLS_HANDOFF_SERVER;
	/* Pairs with tls_handoff_listener() */
	smp_store_release(&ctx->listener, listener);
	if (listener->accept_ready) {
		init_waitqueue_func_entry(&listener->wait, tls_handoff_listener_woken);
		add_wait_queue(&ctx->app->wq.wait, &listener->wait);
		/* For those that came before */
		tls_handoff_listener_queue(listener, 0);
	}
	return 0;
}

/**
 * tls_handoff_listener_stop() - a socket is closed; if it listens, so are its children
 * @ctx: its context, not locked; no call on the program's socket is under way
 */
void tls_handoff_listener_stop(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_listener *listener = ctx->listener;

	if (!listener)
		return;
	if (listener->accept_ready)
		remove_wait_queue(&ctx->app->wq.wait, &listener->wait);
	spin_lock(&listener->lock);
	listener->closing = true;
	spin_unlock(&listener->lock);
	cancel_delayed_work_sync(&listener->work);
	/* Nobody moves them any more */
	tls_handoff_children_drop(listener, &listener->failed);
	tls_handoff_children_drop(listener, &listener->ready);
	tls_handoff_children_drop(listener, &listener->running);
	cgroup_put(listener->cgroup);
	ctx->listener = NULL;
	kfree(listener);
}

/* NULL before START, and for a connection */
static struct tls_handoff_listener *tls_handoff_listener(struct tls_handoff_ctx *ctx)
{
	/* Pairs with tls_handoff_listener_start() */
	return smp_load_acquire(&ctx->listener);
}

/**
 * tls_handoff_accept_poll() - what poll() says of a listening socket
 * @ctx: the context, idle; the caller waits on the program's wait queue
 * @mask: what TCP says
 *
 * Return: the same, but with ACCEPT_READY it is ready connections that count.
 */
__poll_t tls_handoff_accept_poll(struct tls_handoff_ctx *ctx, __poll_t mask)
{
	struct tls_handoff_listener *listener = tls_handoff_listener(ctx);

	if (!listener || !listener->accept_ready || ctx->sk->sk_state != TCP_LISTEN)
		return mask;
	mask &= ~(EPOLLIN | EPOLLRDNORM);
	if (READ_ONCE(listener->ready_count))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* One of several that wait is woken, as inet_csk_wait_for_connect() does it */
static int tls_handoff_wait_child(struct tls_handoff_listener *listener, struct sock *sk,
				  long timeo)
{
	wait_queue_head_t *queue = &listener->ctx->app->wq.wait;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue_exclusive(queue, &wait);
	while (!READ_ONCE(listener->ready_count)) {
		err = READ_ONCE(sk->sk_state) != TCP_LISTEN ? -EINVAL :
		      !timeo ? -EAGAIN :
		      signal_pending(current) ? sock_intr_errno(timeo) : 0;
		if (err)
			break;
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(queue, &wait);
	return err;
}

/* The program's socket takes the place of ours; the child is gone afterwards */
static int tls_handoff_hand_out(struct tls_handoff_child *child, struct socket *app,
				struct socket *newsock)
{
	struct tls_handoff_ctx *ctx = child->ctx;
	struct socket *stand_in = child->app;
	struct sock *sk = ctx->sk;

	mutex_lock(&ctx->lock);
	if (ctx->state != TLS_HANDOFF_STATE_ESTABLISHED) {
		mutex_unlock(&ctx->lock);
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_ACCEPT_DROPPED);
		tls_handoff_child_drop(child);
		return -ECONNABORTED;
	}
	lock_sock(sk);
	set_bit(SOCK_CUSTOM_SOCKOPT, &newsock->flags);
	stand_in->sk = NULL;
	/* Charges the program's memory cgroup, and grafts */
	__inet_accept(app, newsock, sk);
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_socket, &ctx->inner);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	ctx->inner.file = newsock->file;
	ctx->app = newsock;
	ctx->child = NULL;
	mutex_unlock(&ctx->lock);

	/* Its ops are ours, as newsock's are, and release() finds no sock */
	sock_release(stand_in);
	kfree(child);
	return 0;
}

static int tls_handoff_accept_ready(struct tls_handoff_listener *listener, struct socket *app,
				    struct socket *newsock, struct proto_accept_arg *arg)
{
	long timeo = sock_rcvtimeo(app->sk, arg->flags & O_NONBLOCK);
	struct tls_handoff_child *child;
	int err;

	do {
		err = tls_handoff_wait_child(listener, app->sk, timeo);
		if (err)
			return err;
		child = tls_handoff_child_pop(listener, &listener->ready);
		err = child ? tls_handoff_hand_out(child, app, newsock) : -EAGAIN;
	} while (err);

	arg->is_empty = !READ_ONCE(listener->ready_count);
	/* There may have been no room for more */
	if (tls_handoff_wants_more(listener))
		tls_handoff_listener_queue(listener, 0);
	return 0;
}

/* From TCP's hand: what could not be started is closed, and the next one is taken */
static int tls_handoff_accept_start(struct tls_handoff_ctx *listening, struct socket *newsock,
				    struct proto_accept_arg *arg)
{
	struct tls_handoff_listener *listener = tls_handoff_listener(listening);
	const struct proto_ops *ops = listening->inner.ops;
	struct tls_handoff_ctx *ctx;
	int err;

	for (;;) {
		/* accept(2) gave it the listening socket's ops, and a reference to their module */
		newsock->ops = ops;
		__module_get(ops->owner);
		module_put(THIS_MODULE);
		err = ops->accept(&listening->inner, newsock, arg);
		if (err || !listener)
			return err;

		lock_sock(newsock->sk);
		ctx = tls_handoff_take_over(newsock->sk, newsock);
		release_sock(newsock->sk);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		err = tls_handoff_start_accepted(ctx, listening, listener->cgroup);
		/* A handshake that failed is what the program gets to know from its socket */
		if (!err || tls_handoff_state(ctx) != TLS_HANDOFF_STATE_IDLE)
			return 0;
		tls_handoff_stat_inc(listening->net, TLS_HANDOFF_STAT_ACCEPT_DROPPED);
		newsock->ops->release(newsock);
		if (err != -ENOTCONN)
			return err;
	}
}

/**
 * tls_handoff_accept() - proto_ops.accept of a listening socket
 * @app: the program's listening socket
 * @newsock: the new socket, with our ops and without a sock
 * @arg: flags; is_empty on return
 *
 * Before START the connection is a plain one, with TCP's ops.
 *
 * Return: 0 or as accept(2); -EOPNOTSUPP for kernel_accept(), whose sockets have no file.
 */
int tls_handoff_accept(struct socket *app, struct socket *newsock, struct proto_accept_arg *arg)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);
	struct tls_handoff_listener *listener;

	if (!newsock->file)
		return -EOPNOTSUPP;
	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_IDLE)
		return -EINVAL;
	listener = tls_handoff_listener(ctx);
	if (listener && listener->accept_ready)
		return tls_handoff_accept_ready(listener, app, newsock, arg);
	return tls_handoff_accept_start(ctx, newsock, arg);
}
