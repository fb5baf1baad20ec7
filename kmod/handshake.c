// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a connection: START, the end of the handshake, and every failure.
 * Every change of state is made here, under ctx->lock.
 */

#include <linux/sched/mm.h>
#include <linux/wait_bit.h>

#include "tls_handoff.h"
#include "trace.h"

/* How long START waits before it evicts again; a call may be between its check and its sleep */
#define TLS_HANDOFF_EVICT_JIFFIES	max(HZ / 100, 1)

/**
 * tls_handoff_set_state() - the only writer of ctx->state
 * @ctx: the context, locked
 * @state: TLS_HANDOFF_STATE_*
 *
 * What was written before is seen by whoever sees the state.
 */
void tls_handoff_set_state(struct tls_handoff_ctx *ctx, u8 state)
{
	lockdep_assert_held(&ctx->lock);
	/* Pairs with tls_handoff_state() */
	smp_store_release(&ctx->state, state);
}

/* Memory must not wait for a disk that may be behind this very connection */
static void tls_handoff_set_words(struct tls_handoff_ctx *ctx, const char *words)
{
	unsigned int noio = memalloc_noio_save();
	struct tls_handoff_results *results = tls_handoff_results(ctx);

	if (results && !results->error && words)
		results->error = kstrdup(words, GFP_KERNEL);
	memalloc_noio_restore(noio);
}

/**
 * tls_handoff_shutdown_tcp() - the last step of a failure: FIN, and SO_ERROR
 * @ctx: the context, locked, failed, with @ctx->sk
 *
 * sk_err is set last, as TCP refuses to send once it is there.
 */
void tls_handoff_shutdown_tcp(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	lockdep_assert_held(&ctx->lock);
	if (test_and_set_bit(TLS_HANDOFF_BIT_SHUTDOWN, &ctx->flags))
		return;
	ctx->inner.ops->shutdown(&ctx->inner, SHUT_WR);
	/*
	 * As TCP reports one. A consumer that waits for its handshake is told by DONE of its
	 * family alone: sunrpc keeps both results in one place, and what xs_wake_error() does
	 * with this one turns the other into success.
	 */
	lock_sock(sk);
	WRITE_ONCE(sk->sk_err, ctx->error);
	if (!ctx->consumer || ctx->state != TLS_HANDOFF_STATE_HANDSHAKE)
		sk_error_report(sk);
	release_sock(sk);
}

/*
 * With @now TCP is shut down before anybody sees the state: who is woken by it may ask
 * for SO_ERROR at once.
 */
static void tls_handoff_fail_locked(struct tls_handoff_ctx *ctx, int error, const char *words,
				    bool now)
{
	bool in_handshake = ctx->state == TLS_HANDOFF_STATE_HANDSHAKE;

	trace_tls_handoff_fail(ctx, error, words);
	cmpxchg(&ctx->error, 0, error);
	tls_handoff_set_words(ctx, words);
	if (in_handshake)
		tls_handoff_handshake_end(ctx);
	else if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED)
		tls_handoff_stat_dec(ctx->net, TLS_HANDOFF_STAT_CURR_ESTABLISHED);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_FAILED);
	set_bit(TLS_HANDOFF_BIT_RX_FAILED, &ctx->flags);
	tls_handoff_export_end(ctx, ENOTCONN);
	if (now)
		tls_handoff_shutdown_tcp(ctx);
	tls_handoff_set_state(ctx, TLS_HANDOFF_STATE_FAILED);
	tls_handoff_wake(ctx);
	tls_handoff_child_done(ctx);
}

/**
 * tls_handoff_fail() - end a handshake or a connection; nothing more is sent
 * @ctx: the context, not locked
 * @error: positive errno
 * @words: one sentence, or %NULL if DONE brought its own
 *
 * Does nothing if the connection ended before.
 */
void tls_handoff_fail(struct tls_handoff_ctx *ctx, int error, const char *words)
{
	mutex_lock(&ctx->lock);
	if (ctx->sk && (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE ||
			ctx->state == TLS_HANDOFF_STATE_ESTABLISHED)) {
		tls_handoff_fail_locked(ctx, error, words, true);
		tls_handoff_session_wake(ctx);
	}
	mutex_unlock(&ctx->lock);
}

/**
 * tls_handoff_fail_record() - an established connection ends by what was received
 * @ctx: the context, not locked
 * @error: positive errno
 * @event: TLS_HANDOFF_EVENT_* for the session handler, which may answer with an
 *	alert: TCP is shut down after that or when the session fd is closed. 0: at once
 * @words: one sentence; %NULL if the alert that was received says it all
 */
void tls_handoff_fail_record(struct tls_handoff_ctx *ctx, int error, unsigned int event,
			     const char *words)
{
	char alert[96];
	bool tell;

	if (!words) {
		snprintf(alert, sizeof(alert),
			 "the peer ended the connection with the alert %s (%d)",
			 tls_handoff_alert_name(ctx->alert_received), ctx->alert_received);
		words = alert;
	}
	mutex_lock(&ctx->lock);
	if (!ctx->sk || ctx->state != TLS_HANDOFF_STATE_ESTABLISHED) {
		mutex_unlock(&ctx->lock);
		return;
	}
	if (event == TLS_HANDOFF_EVENT_TRUNCATED)
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_TRUNCATED);
	else if (event == TLS_HANDOFF_EVENT_FAILED)
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_RECORD_ERRORS);
	ctx->event_error = error;
	/* kTLS left its errno there, and TCP would refuse to send the alert */
	sock_error(ctx->sk);
	spin_lock_bh(&ctx->session_lock);
	tell = event && ctx->session;
	spin_unlock_bh(&ctx->session_lock);
	tls_handoff_fail_locked(ctx, error, words, !tell);
	if (tell)
		tls_handoff_session_event(ctx, event);
	mutex_unlock(&ctx->lock);
}

static void tls_handoff_timeout(struct work_struct *work)
{
	struct tls_handoff_handshake *handshake =
		container_of(to_delayed_work(work), struct tls_handoff_handshake, timeout);
	struct tls_handoff_ctx *ctx = handshake->ctx;

	mutex_lock(&ctx->lock);
	/* The handshake may have ended while this waited for the lock */
	if (ctx->handshake == handshake) {
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_TIMED_OUT);
		tls_handoff_fail_locked(ctx, ETIMEDOUT, "the handshake took longer than TIMEOUT",
					true);
		tls_handoff_session_wake(ctx);
	}
	mutex_unlock(&ctx->lock);
	kfree(handshake);
	tls_handoff_put(ctx);
}

/**
 * tls_handoff_handshake_end() - give up what only a handshake needs
 * @ctx: the context, locked, in a handshake
 */
void tls_handoff_handshake_end(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_handshake *handshake = ctx->handshake;

	lockdep_assert_held(&ctx->lock);
	tls_handoff_upcall_remove(ctx);
	tls_handoff_session_quiet(ctx);
	tls_handoff_stat_dec(ctx->net, TLS_HANDOFF_STAT_CURR_PENDING);
	ctx->handshake = NULL;
	cgroup_put(handshake->cgroup);
	/* If the timeout runs already, it frees */
	if (tls_handoff_timer_stop(ctx, &handshake->timeout))
		kfree(handshake);
}

/**
 * tls_handoff_ready() - the handshake succeeded and both directions have keys
 * @ctx: the context, locked, in a handshake
 *
 * Return: 0, or -EINVAL if a key is missing.
 */
int tls_handoff_ready(struct tls_handoff_ctx *ctx)
{
	u32 on = 1;

	if (!test_bit(TLS_HANDOFF_BIT_TX_READY, &ctx->flags) ||
	    !test_bit(TLS_HANDOFF_BIT_RX_READY, &ctx->flags))
		return -EINVAL;

	/*
	 * A quarter fewer instructions per byte; a record with padding is decrypted twice. Not
	 * for a consumer: kTLS then decrypts where the data shall go, and sunrpc has an iterator
	 * that goes nowhere for what it throws away, which kTLS takes for a bad record
	 */
	if (ctx->version == TLS_1_3_VERSION && !ctx->consumer)
		ctx->inner.ops->setsockopt(&ctx->inner, SOL_TLS, TLS_RX_EXPECT_NO_PAD,
					   KERNEL_SOCKPTR(&on), sizeof(on));

	ctx->handshake_usec = ktime_us_delta(ktime_get(), ctx->started);
	tls_handoff_handshake_end(ctx);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_ESTABLISHED);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CURR_ESTABLISHED);
	trace_tls_handoff_ready(ctx);
	tls_handoff_set_state(ctx, TLS_HANDOFF_STATE_ESTABLISHED);
	tls_handoff_wake(ctx);
	tls_handoff_child_done(ctx);
	return 0;
}

/*
 * Nobody may be left in a call on the plain socket: a sender would go on in
 * plaintext after keys are there, a reader would take the handshake's bytes. Sleeping
 * ones end with EPIPE, the others finish by themselves.
 */
static int tls_handoff_evict(struct tls_handoff_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	do {
		lock_sock(sk);
		sk->sk_disconnects++;
		release_sock(sk);
		tls_handoff_wake(ctx);
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (!wait_var_event_timeout(&ctx->passthrough, !atomic_read(&ctx->passthrough),
					 TLS_HANDOFF_EVICT_JIFFIES));
	return 0;
}

/**
 * tls_handoff_caller() - who calls START: the agent judges by that
 * @ctx: the context, locked; gets the caller's ids
 *
 * Return: the caller's cgroup, with a reference.
 */
struct cgroup *tls_handoff_caller(struct tls_handoff_ctx *ctx)
{
	struct cgroup *cgroup;

	lockdep_assert_held(&ctx->lock);
	current_uid_gid(&ctx->uid, &ctx->gid);
	ctx->pid = task_tgid_nr(current);
	rcu_read_lock();
	cgroup = task_dfl_cgroup(current);
	cgroup_get(cgroup);
	rcu_read_unlock();
	return cgroup;
}

/* Takes over the reference to @cgroup if there is memory */
static struct tls_handoff_handshake *tls_handoff_handshake_new(struct tls_handoff_ctx *ctx,
							       struct cgroup *cgroup)
{
	struct tls_handoff_handshake *handshake;

	handshake = kzalloc_obj(*handshake, GFP_KERNEL_ACCOUNT);
	if (!handshake)
		return NULL;
	INIT_LIST_HEAD(&handshake->link);
	INIT_DELAYED_WORK(&handshake->timeout, tls_handoff_timeout);
	handshake->ctx = ctx;
	handshake->cgroup = cgroup;
	return handshake;
}

/**
 * tls_handoff_check_params() - may START go on with these options
 * @params: or %NULL
 * @role: TLS_HANDOFF_CLIENT or TLS_HANDOFF_SERVER
 *
 * RFC 9525: a client that checks a certificate must know the name it wants.
 *
 * Return: 0 or -EINVAL.
 */
int tls_handoff_check_params(const struct tls_handoff_params *params, u32 role)
{
	u32 auth = params && params->auth ? params->auth : TLS_HANDOFF_AUTH_X509;

	if (role == TLS_HANDOFF_CLIENT && auth == TLS_HANDOFF_AUTH_X509 &&
	    !(params && params->peer_name))
		return -EINVAL;
	if (params && params->min_version && params->max_version &&
	    params->min_version > params->max_version)
		return -EINVAL;
	return 0;
}

static const char *tls_handoff_refusal(int err)
{
	switch (err) {
	case -ESRCH:
		return "no tlshd is registered in this network namespace";
	case -ENOBUFS:
		return "too many handshakes are pending";
	case -ENOENT:
		return "the kernel's tls module is not loaded";
	case -ECONNRESET:
		return "the peer closed the connection";
	default:
		return "the handshake could not be started";
	}
}

/*
 * The ULP slot becomes kTLS's, which passes everything through until it has keys.
 * Not later: kTLS wants an ESTABLISHED socket, and a peer may send its Finished, all
 * its data and a FIN at once. The module reference that came with the slot is
 * dropped; that of the ops stays.
 */
static int tls_handoff_attach_tls(struct tls_handoff_ctx *ctx)
{
	struct inet_connection_sock *icsk = inet_csk(ctx->sk);
	char name[] = "tls";
	bool ours;

	lock_sock(ctx->sk);
	/* An accepted connection never had it */
	ours = icsk->icsk_ulp_ops;
	icsk->icsk_ulp_ops = NULL;
	release_sock(ctx->sk);
	if (ours)
		module_put(THIS_MODULE);
	return ctx->inner.ops->setsockopt(&ctx->inner, SOL_TCP, TCP_ULP, KERNEL_SOCKPTR(name),
					  strlen(name));
}

/* Takes over the reference to @cgroup. If the state is still IDLE after an error, nothing began */
static int tls_handoff_begin(struct tls_handoff_ctx *ctx, u32 role, struct cgroup *cgroup)
{
	struct tls_handoff_handshake *handshake = NULL;
	u32 timeout;
	int err;

	/* What a consumer wants, its agent knows from elsewhere */
	err = ctx->consumer ? 0 : tls_handoff_check_params(ctx->params, role);
	if (!err && ctx->sk->sk_state != TCP_ESTABLISHED)
		err = -ENOTCONN;
	if (!err) {
		handshake = tls_handoff_handshake_new(ctx, cgroup);
		err = handshake ? 0 : -ENOMEM;
	}
	if (err) {
		cgroup_put(cgroup);
		return err;
	}

	ctx->role = role;
	ctx->handshake = handshake;
	ctx->started = ktime_get();
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_STARTED);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CURR_PENDING);
	timeout = ctx->params && ctx->params->timeout ? ctx->params->timeout :
							TLS_HANDOFF_DEFAULT_TIMEOUT;
	tls_handoff_timer_start(ctx, &handshake->timeout, msecs_to_jiffies(timeout));

	/* From here on every new call waits */
	tls_handoff_set_state(ctx, TLS_HANDOFF_STATE_HANDSHAKE);
	/* Pairs with tls_handoff_plain_enter() */
	smp_mb();
	err = tls_handoff_evict(ctx);
	if (err)
		goto fail;

	err = tls_handoff_attach_tls(ctx);
	/* The peer closed meanwhile. ENOTCONN would say that nothing began */
	if (err == -ENOTCONN)
		err = -ECONNRESET;
	if (err)
		goto fail;
	err = ctx->consumer ? tls_handoff_upcall_adopt(ctx) : tls_handoff_upcall_add(ctx);
	if (err)
		goto fail;
	trace_tls_handoff_start(ctx);
	return 0;

fail:
	if (err == -ESRCH)
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_NO_AGENT);
	tls_handoff_fail_locked(ctx, -err, tls_handoff_refusal(err), true);
	return err;
}

/**
 * tls_handoff_start_accepted() - START for a connection whose listening socket had it
 * @ctx: the context, not locked, idle
 * @listening: that of the listening socket, whose options and credentials count
 * @cgroup: of the caller of its START
 *
 * Return: 0, or a negative errno: if the state is FAILED, then with that errno; if it is
 * still IDLE, the connection must be closed: what comes is not plaintext.
 */
int tls_handoff_start_accepted(struct tls_handoff_ctx *ctx, struct tls_handoff_ctx *listening,
			       struct cgroup *cgroup)
{
	int err;

	mutex_lock(&ctx->lock);
	ctx->uid = listening->uid;
	ctx->gid = listening->gid;
	ctx->pid = listening->pid;
	if (listening->params) {
		refcount_inc(&listening->params->refcnt);
		ctx->params = listening->params;
	}
	cgroup_get(cgroup);
	err = tls_handoff_begin(ctx, TLS_HANDOFF_SERVER, cgroup);
	mutex_unlock(&ctx->lock);
	return err;
}

/**
 * tls_handoff_start_adopted() - START by the agent of a kernel consumer, and ACCEPT in one
 * @ctx: the context, not locked
 * @role: TLS_HANDOFF_CLIENT or TLS_HANDOFF_SERVER
 * @consumer: becomes @ctx->consumer as soon as something begins
 * @file: becomes the session fd if this succeeds
 *
 * Return: 0 with the handshake under way; -ENOTCONN, -EALREADY, -EISCONN, or why the
 * connection failed, or could not begin.
 */
int tls_handoff_start_adopted(struct tls_handoff_ctx *ctx, u32 role,
			      struct tls_handoff_consumer *consumer, struct file *file)
{
	int err;

	err = mutex_lock_interruptible(&ctx->lock);
	if (err)
		return err;
	switch (ctx->state) {
	case TLS_HANDOFF_STATE_IDLE:
		WRITE_ONCE(ctx->consumer, consumer);
		err = tls_handoff_begin(ctx, role, tls_handoff_caller(ctx));
		if (err && ctx->state == TLS_HANDOFF_STATE_IDLE)
			WRITE_ONCE(ctx->consumer, NULL);
		if (!err)
			err = tls_handoff_session_attach(ctx, file);
		break;
	case TLS_HANDOFF_STATE_HANDSHAKE:
		err = -EALREADY;
		break;
	case TLS_HANDOFF_STATE_ESTABLISHED:
		err = -EISCONN;
		break;
	default:
		err = -ctx->error;
		break;
	}
	mutex_unlock(&ctx->lock);
	return err;
}

/**
 * tls_handoff_start() - setsockopt(TLS_HANDOFF_START): like connect(2)
 * @ctx: the context, not locked
 * @role: TLS_HANDOFF_CLIENT or TLS_HANDOFF_SERVER
 *
 * Return: 0 once established; -EINPROGRESS on a non-blocking socket; -EALREADY,
 * -EISCONN; a signal or SO_SNDTIMEO leave the handshake running; else why it failed.
 */
int tls_handoff_start(struct tls_handoff_ctx *ctx, u32 role)
{
	bool nonblock = ctx->app->file->f_flags & O_NONBLOCK;
	struct sock *sk = ctx->sk;
	int err;

	if (role != TLS_HANDOFF_CLIENT && role != TLS_HANDOFF_SERVER)
		return -EINVAL;

	err = mutex_lock_interruptible(&ctx->lock);
	if (err)
		return err;
	switch (ctx->state) {
	case TLS_HANDOFF_STATE_IDLE:
		if (ctx->listener || sk->sk_state == TCP_LISTEN) {
			err = role == TLS_HANDOFF_SERVER ? tls_handoff_listener_start(ctx) :
							   -EINVAL;
			mutex_unlock(&ctx->lock);
			return err;
		}
		err = tls_handoff_begin(ctx, role, tls_handoff_caller(ctx));
		if (!err && nonblock)
			err = -EINPROGRESS;
		/* The caller has the errno; SO_ERROR is for those that did not wait */
		if (ctx->state == TLS_HANDOFF_STATE_FAILED)
			sock_error(sk);
		break;
	case TLS_HANDOFF_STATE_HANDSHAKE:
		/* A restarted call waits again, as connect(2) does */
		if (nonblock || role != ctx->role)
			err = -EALREADY;
		break;
	case TLS_HANDOFF_STATE_ESTABLISHED:
		err = -EISCONN;
		break;
	default:
		err = -ctx->error;
		break;
	}
	mutex_unlock(&ctx->lock);
	if (err)
		return err;

	err = tls_handoff_wait_ready(ctx, sock_sndtimeo(sk, false));
	if (err && tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED)
		sock_error(sk);
	/* SO_SNDTIMEO ran out: as connect(2) says it */
	return err == -EAGAIN ? -EINPROGRESS : err;
}
