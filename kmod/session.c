// SPDX-License-Identifier: GPL-2.0-only
/*
 * The session fd: what the agent holds of a connection. During the handshake a
 * byte stream over the plain TCP socket, afterwards one record that is not data
 * per call. Keys are installed through it.
 *
 * It is a socket with a small struct sock of its own. It never waits on the
 * program's wait queue: during the handshake one entry there wakes ours.
 */

#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <net/strparser.h>
#include <net/tls_prot.h>

#include "tls_handoff.h"
#include "trace.h"

/* Of a struct tls12_crypto_info_*: the largest is AES-256-GCM's */
#define TLS_HANDOFF_MAX_CRYPTO_INFO	sizeof(struct tls12_crypto_info_aes_gcm_256)

/**
 * struct tls_handoff_session - the struct sock of a session fd
 * @sk: must be first
 * @ctx: holds a reference; set once, before the fd is in a table
 * @wait: on the program's wait queue while @waiting; ctx->lock
 * @waiting: @wait is queued
 */
struct tls_handoff_session {
	struct sock sk;
	struct tls_handoff_ctx *ctx;
	wait_queue_entry_t wait;
	bool waiting;
};

static struct proto tls_handoff_session_proto = {
	.name = "TLS_HANDOFF",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct tls_handoff_session),
};

/* Ours is taken inside the program's, and both were initialised in the same line */
static struct lock_class_key tls_handoff_session_wq_key;

static struct tls_handoff_session *tls_handoff_session(struct sock *sk)
{
	return container_of(sk, struct tls_handoff_session, sk);
}

static int tls_handoff_session_woken(wait_queue_entry_t *wait, unsigned int mode, int sync,
				     void *key)
{
	struct tls_handoff_session *session = container_of(wait, struct tls_handoff_session, wait);

	wake_up_interruptible_poll(&session->sk.sk_socket->wq.wait, key_to_poll(key));
	return 0;
}

/**
 * tls_handoff_session_quiet() - stop waking the session fd by the TCP socket
 * @ctx: the context, locked, with @ctx->app
 */
void tls_handoff_session_quiet(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_session *session;

	lockdep_assert_held(&ctx->lock);
	/* Only ctx->lock's holders change it, so reading needs no more */
	if (!ctx->session)
		return;
	session = tls_handoff_session(ctx->session);
	if (session->waiting)
		remove_wait_queue(&ctx->app->wq.wait, &session->wait);
	session->waiting = false;
}

/**
 * tls_handoff_session_wake() - the session fd may have something new
 * @ctx: the context
 */
void tls_handoff_session_wake(struct tls_handoff_ctx *ctx)
{
	spin_lock_bh(&ctx->session_lock);
	if (ctx->session)
		ctx->session->sk_state_change(ctx->session);
	spin_unlock_bh(&ctx->session_lock);
}

/**
 * tls_handoff_session_event() - queue a pseudo record
 * @ctx: the context
 * @event: TLS_HANDOFF_EVENT_*; one that waits already is not doubled
 */
void tls_handoff_session_event(struct tls_handoff_ctx *ctx, unsigned int event)
{
	set_bit(event, &ctx->events);
	tls_handoff_session_wake(ctx);
}

static int tls_handoff_session_release(struct socket *sock)
{
	struct tls_handoff_session *session;
	struct tls_handoff_ctx *ctx;
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	session = tls_handoff_session(sk);
	ctx = session->ctx;
	if (ctx) {
		mutex_lock(&ctx->lock);
		tls_handoff_session_quiet(ctx);
		spin_lock_bh(&ctx->session_lock);
		ctx->session = NULL;
		spin_unlock_bh(&ctx->session_lock);
		tls_handoff_tx_release(ctx);
		tls_handoff_tx_turn_over(ctx);
		/* The alert that a failure waited for will not come any more */
		if (ctx->sk && ctx->state == TLS_HANDOFF_STATE_FAILED)
			tls_handoff_shutdown_tcp(ctx);
		mutex_unlock(&ctx->lock);
		if (tls_handoff_state(ctx) == TLS_HANDOFF_STATE_HANDSHAKE)
			tls_handoff_fail(ctx, ECONNRESET,
					 "tlshd gave the handshake up: it ended or was restarted");
		tls_handoff_stat_dec(ctx->net, TLS_HANDOFF_STAT_CURR_SESSION_FDS);
		tls_handoff_put(ctx);
	}
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

/* Locked. The connection is over and there was never, or is no longer, anything to say */
static bool tls_handoff_session_over(struct tls_handoff_ctx *ctx)
{
	return !ctx->sk || ctx->state == TLS_HANDOFF_STATE_FAILED ||
	       ctx->state == TLS_HANDOFF_STATE_CLOSED;
}

static __poll_t tls_handoff_session_poll(struct file *file, struct socket *sock,
					 poll_table *wait)
{
	struct tls_handoff_ctx *ctx = tls_handoff_session(sock->sk)->ctx;
	__poll_t mask = 0;

	sock_poll_wait(file, sock, wait);

	mutex_lock(&ctx->lock);
	if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE) {
		mask = ctx->inner.ops->poll(file, &ctx->inner, NULL);
		if (test_bit(TLS_HANDOFF_BIT_RX_READY, &ctx->flags))
			mask &= ~(EPOLLIN | EPOLLRDNORM);
	} else {
		if (!skb_queue_empty(&ctx->records) || (ctx->version && READ_ONCE(ctx->events)))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (tls_handoff_session_over(ctx))
			mask |= EPOLLHUP | EPOLLIN | EPOLLRDNORM;
		else if (!mutex_is_locked(&ctx->tx_mutex))
			mask |= EPOLLOUT | EPOLLWRNORM;
	}
	mutex_unlock(&ctx->lock);
	return mask;
}

static int tls_handoff_session_put_record(struct msghdr *msg, u8 type)
{
	if (!msg->msg_control)
		return -EINVAL;
	return put_cmsg(msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type), &type);
}

static int tls_handoff_session_recv_event(struct tls_handoff_ctx *ctx, struct msghdr *msg,
					  size_t size)
{
	struct tls_handoff_event event = {};
	const void *question = NULL;
	size_t extra = 0;
	int err;

	/* Before the first record there is nobody who knows what a pseudo record is */
	if (!ctx->version || !READ_ONCE(ctx->events))
		return tls_handoff_session_over(ctx) ? 0 : -EAGAIN;
	event.event = test_bit(TLS_HANDOFF_EVENT_DATA, &ctx->events) ? TLS_HANDOFF_EVENT_DATA :
		      __ffs(READ_ONCE(ctx->events));
	if (event.event == TLS_HANDOFF_EVENT_FAILED)
		event.error = ctx->event_error;
	if (event.event == TLS_HANDOFF_EVENT_EXPORT)
		question = tls_handoff_export_question(ctx, &event.error, &extra);
	if (size < sizeof(event) + extra)
		return -EMSGSIZE;
	err = tls_handoff_session_put_record(msg, TLS_HANDOFF_RECORD_EVENT);
	if (err)
		return err;
	if (copy_to_iter(&event, sizeof(event), &msg->msg_iter) != sizeof(event) ||
	    copy_to_iter(question, extra, &msg->msg_iter) != extra)
		return -EFAULT;
	clear_bit(event.event, &ctx->events);
	return sizeof(event) + extra;
}

/* One whole record per call; one that does not fit, or could not be copied, stays */
static int tls_handoff_session_recv_record(struct tls_handoff_ctx *ctx, struct msghdr *msg,
					   size_t size)
{
	struct strp_msg *rxm;
	struct sk_buff *skb;
	int err;

	skb = skb_peek(&ctx->records);
	/* That data was read comes before the handshake record that it preceded */
	if (!skb || test_bit(TLS_HANDOFF_EVENT_DATA, &ctx->events))
		return tls_handoff_session_recv_event(ctx, msg, size);
	rxm = strp_msg(skb);
	if (size < rxm->full_len)
		return -EMSGSIZE;
	err = tls_handoff_session_put_record(msg, ((struct sk_skb_cb *)skb->cb)->tls.control);
	if (!err)
		err = skb_copy_datagram_msg(skb, rxm->offset, msg, rxm->full_len);
	if (err)
		return err;
	skb_unlink(skb, &ctx->records);
	err = rxm->full_len;
	consume_skb(skb);
	if (test_and_clear_bit(TLS_HANDOFF_BIT_RX_FULL, &ctx->flags) && ctx->sk)
		tls_handoff_wake(ctx);
	return err;
}

static bool tls_handoff_session_readable(struct socket *sock)
{
	return tls_handoff_session_poll(NULL, sock, NULL) & (EPOLLIN | EPOLLHUP | EPOLLERR);
}

static int tls_handoff_session_recv_bytes(struct tls_handoff_ctx *ctx, struct msghdr *msg,
					  size_t size)
{
	int ret;

	/* With its key there what comes is data, which is the program's alone */
	if (test_bit(TLS_HANDOFF_BIT_RX_READY, &ctx->flags))
		return -EAGAIN;
	ret = ctx->inner.ops->recvmsg(&ctx->inner, msg, size, MSG_DONTWAIT);
	if (ret > 0)
		set_bit(TLS_HANDOFF_BIT_TALKED, &ctx->flags);
	return ret;
}

static int tls_handoff_session_recvmsg(struct socket *sock, struct msghdr *msg, size_t size,
				       int flags)
{
	struct tls_handoff_ctx *ctx = tls_handoff_session(sock->sk)->ctx;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = sock_rcvtimeo(sock->sk, flags & MSG_DONTWAIT);
	int ret;

	if (flags & ~(MSG_DONTWAIT | MSG_CMSG_COMPAT | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL))
		return -EOPNOTSUPP;

	add_wait_queue(&sock->wq.wait, &wait);
	for (;;) {
		mutex_lock(&ctx->lock);
		if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE)
			ret = tls_handoff_session_recv_bytes(ctx, msg, size);
		else
			ret = tls_handoff_session_recv_record(ctx, msg, size);
		mutex_unlock(&ctx->lock);
		if (ret != -EAGAIN || !timeo)
			break;
		if (signal_pending(current)) {
			ret = sock_intr_errno(timeo);
			break;
		}
		if (!tls_handoff_session_readable(sock))
			timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(&sock->wq.wait, &wait);
	return ret;
}

/**
 * tls_handoff_session_type() - the record type that a message is to have
 * @msg: with control messages from kernel memory
 * @type: set if there is one
 *
 * Return: 0, or -EINVAL if there is none, or something else.
 */
int tls_handoff_session_type(struct msghdr *msg, u8 *type)
{
	struct cmsghdr *cmsg;
	bool found = false;

	if (!msg->msg_controllen)
		return -EINVAL;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg) || cmsg->cmsg_level != SOL_TLS ||
		    cmsg->cmsg_type != TLS_SET_RECORD_TYPE ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(*type)))
			return -EINVAL;
		*type = *(u8 *)CMSG_DATA(cmsg);
		found = true;
	}
	return found ? 0 : -EINVAL;
}

/* Never waits: if a sender is there, poll() says when it is gone */
static int tls_handoff_session_tx_lock(struct tls_handoff_ctx *ctx)
{
	if (mutex_trylock(&ctx->tx_mutex))
		return 0;
	set_bit(TLS_HANDOFF_BIT_TX_WAITED, &ctx->flags);
	/* It may have let go before it could see the bit */
	smp_mb__after_atomic();
	return mutex_trylock(&ctx->tx_mutex) ? 0 : -EAGAIN;
}

static int tls_handoff_session_send_record(struct tls_handoff_ctx *ctx, struct msghdr *msg,
					   size_t size)
{
	struct kvec iov;
	u8 alert[2];
	u8 type;
	int ret;

	ret = tls_handoff_session_type(msg, &type);
	if (ret)
		return ret;
	/* Data is the program's alone */
	if (type == TLS_RECORD_TYPE_DATA)
		return -EPERM;
	if (!size || size > TLS_HANDOFF_MAX_RECORD)
		return -EMSGSIZE;
	if (!test_bit(TLS_HANDOFF_BIT_TX_READY, &ctx->flags))
		return -ENOTCONN;
	if (test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags)) {
		tls_handoff_tx_turn_over(ctx);
		return -EPIPE;
	}
	if (type == TLS_RECORD_TYPE_ALERT) {
		if (size != sizeof(alert))
			return -EINVAL;
		if (copy_from_iter(alert, sizeof(alert), &msg->msg_iter) != sizeof(alert))
			return -EFAULT;
		iov.iov_base = alert;
		iov.iov_len = sizeof(alert);
		iov_iter_kvec(&msg->msg_iter, ITER_SOURCE, &iov, 1, sizeof(alert));
	}

	ret = tls_handoff_session_tx_lock(ctx);
	if (ret) {
		/* Many busy senders must not starve an alert */
		tls_handoff_hold(ctx, TLS_HANDOFF_BIT_TX_TURN);
		return ret;
	}
	ret = tls_handoff_send_record(ctx, type, msg, size);
	tls_handoff_tx_unlock(ctx);
	tls_handoff_tx_turn_over(ctx);

	if (type == TLS_RECORD_TYPE_ALERT) {
		if (ret > 0)
			ctx->alert_sent = alert[1];
		if (ctx->state == TLS_HANDOFF_STATE_FAILED)
			tls_handoff_shutdown_tcp(ctx);
	}
	return ret;
}

static int tls_handoff_session_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	struct tls_handoff_ctx *ctx = tls_handoff_session(sock->sk)->ctx;
	int ret;

	mutex_lock(&ctx->lock);
	if (!ctx->sk || ctx->state == TLS_HANDOFF_STATE_CLOSED ||
	    test_bit(TLS_HANDOFF_BIT_SHUTDOWN, &ctx->flags)) {
		ret = -EPIPE;
	} else if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE &&
		   !test_bit(TLS_HANDOFF_BIT_TX_READY, &ctx->flags)) {
		msg->msg_controllen = 0;
		msg->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
		set_bit(TLS_HANDOFF_BIT_TALKED, &ctx->flags);
		ret = ctx->inner.ops->sendmsg(&ctx->inner, msg, size);
	} else {
		ret = tls_handoff_session_send_record(ctx, msg, size);
	}
	mutex_unlock(&ctx->lock);
	return ret;
}

/* Readers go on: kTLS announces a record that it has already parsed only once */
static void tls_handoff_session_resume(struct tls_handoff_ctx *ctx, bool new_key)
{
	clear_bit(TLS_HANDOFF_BIT_RX_HOLD, &ctx->flags);
	trace_tls_handoff_handback(ctx, new_key);
	tls_handoff_wake(ctx);
}

static int tls_handoff_session_new_rx(struct tls_handoff_ctx *ctx, sockptr_t optval,
				      unsigned int optlen)
{
	int err;

	if (!test_bit(TLS_HANDOFF_BIT_RX_HOLD, &ctx->flags))
		return -EINVAL;
	mutex_lock(&ctx->rx_mutex);
	err = ctx->inner.ops->setsockopt(&ctx->inner, SOL_TLS, TLS_RX, optval, optlen);
	mutex_unlock(&ctx->rx_mutex);
	if (err)
		return err;
	ctx->rx_generation++;
	clear_bit(TLS_HANDOFF_BIT_RX_ASKED, &ctx->flags);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_RX_REKEYS);
	tls_handoff_session_resume(ctx, true);
	return 0;
}

static int tls_handoff_session_set_tls(struct tls_handoff_ctx *ctx, int optname, sockptr_t optval,
				       unsigned int optlen)
{
	int bit, err;

	if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED && optname == TLS_RX)
		return tls_handoff_session_new_rx(ctx, optval, optlen);
	/* A new sending key comes with its record: TLS_HANDOFF_TX_UPDATE */
	if (ctx->state != TLS_HANDOFF_STATE_HANDSHAKE)
		return -EINVAL;

	switch (optname) {
	case TLS_TX:
		bit = TLS_HANDOFF_BIT_TX_READY;
		break;
	case TLS_RX:
		bit = TLS_HANDOFF_BIT_RX_READY;
		break;
	case TLS_TX_MAX_PAYLOAD_LEN:
		if (!test_bit(TLS_HANDOFF_BIT_TX_READY, &ctx->flags))
			return -EINVAL;
		return ctx->inner.ops->setsockopt(&ctx->inner, SOL_TLS, optname, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
	/* The kernel does not check for reuse of a key with its sequence numbers: we do */
	if (test_bit(bit, &ctx->flags))
		return -EBUSY;
	err = ctx->inner.ops->setsockopt(&ctx->inner, SOL_TLS, optname, optval, optlen);
	if (!err)
		set_bit(bit, &ctx->flags);
	return err;
}

/*
 * The message goes on in the next record, which must be a handshake record again.
 * kTLS looks at a record's first byte alone: the first part of a KeyUpdate made it
 * wait for a key that belongs behind the last one.
 */
static void tls_handoff_session_fragment(struct tls_handoff_ctx *ctx)
{
	struct tls_sw_context_rx *rx = tls_sw_ctx_rx(tls_get_ctx(ctx->sk));

	lock_sock(ctx->sk);
	WRITE_ONCE(rx->key_update_pending, false);
	release_sock(ctx->sk);
	set_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags);
}

static int tls_handoff_session_continue(struct tls_handoff_ctx *ctx, sockptr_t optval,
					unsigned int optlen)
{
	u32 value;

	if (optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;
	if (value > TLS_HANDOFF_CONTINUE_MORE || ctx->state != TLS_HANDOFF_STATE_ESTABLISHED ||
	    !test_bit(TLS_HANDOFF_BIT_RX_HOLD, &ctx->flags))
		return -EINVAL;
	if (value == TLS_HANDOFF_CONTINUE_MORE)
		tls_handoff_session_fragment(ctx);
	tls_handoff_session_resume(ctx, false);
	return 0;
}

/* RFC 8446 4.6.3: the record under the old key, then the new one; tx_mutex is held */
static int tls_handoff_session_switch_tx(struct tls_handoff_ctx *ctx,
					 const struct tls_handoff_tx_update *update,
					 sockptr_t crypto_info, void *record)
{
	struct kvec iov = { .iov_base = record, .iov_len = update->record_len };
	struct msghdr msg = {};
	int ret;

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &iov, 1, iov.iov_len);
	ret = tls_handoff_send_record(ctx, update->record_type, &msg, iov.iov_len);
	if (ret < 0)
		return ret;
	return ctx->inner.ops->setsockopt(&ctx->inner, SOL_TLS, TLS_TX, crypto_info,
					  update->crypto_info_len);
}

static size_t tls_handoff_session_info_size(u16 cipher)
{
	switch (cipher) {
	case TLS_CIPHER_AES_GCM_128:
		return sizeof(struct tls12_crypto_info_aes_gcm_128);
	case TLS_CIPHER_AES_GCM_256:
		return sizeof(struct tls12_crypto_info_aes_gcm_256);
	case TLS_CIPHER_AES_CCM_128:
		return sizeof(struct tls12_crypto_info_aes_ccm_128);
	case TLS_CIPHER_CHACHA20_POLY1305:
		return sizeof(struct tls12_crypto_info_chacha20_poly1305);
	default:
		return 0;
	}
}

static int tls_handoff_session_tx_update(struct tls_handoff_ctx *ctx, sockptr_t optval,
					 unsigned int optlen)
{
	struct tls_handoff_tx_update update;
	struct tls_crypto_info info;
	void *record;
	int err;

	if (optval.is_kernel)
		return -EINVAL;
	if (optlen < sizeof(update))
		return -EINVAL;
	if (copy_from_sockptr(&update, optval, sizeof(update)))
		return -EFAULT;
	if (update.crypto_info_len < sizeof(info) ||
	    update.crypto_info_len > TLS_HANDOFF_MAX_CRYPTO_INFO || !update.record_len ||
	    update.record_len > TLS_HANDOFF_MAX_RECORD ||
	    update.record_type == TLS_RECORD_TYPE_DATA ||
	    memchr_inv(update.reserved, 0, sizeof(update.reserved)) ||
	    optlen != sizeof(update) + update.crypto_info_len + update.record_len)
		return -EINVAL;
	if (ctx->state != TLS_HANDOFF_STATE_ESTABLISHED)
		return -EINVAL;
	optval.user += sizeof(update);
	if (copy_from_sockptr(&info, optval, sizeof(info)))
		return -EFAULT;
	/* What kTLS would refuse must be refused before the record is sent */
	if (info.version != TLS_1_3_VERSION || ctx->version != TLS_1_3_VERSION ||
	    info.cipher_type != ctx->cipher ||
	    update.crypto_info_len != tls_handoff_session_info_size(ctx->cipher))
		return -EINVAL;
	record = memdup_user(optval.user + update.crypto_info_len, update.record_len);
	if (IS_ERR(record))
		return PTR_ERR(record);

	/* Senders that come now wait, so that many of them cannot starve the new key */
	set_bit(TLS_HANDOFF_BIT_TX_OFFERED, &ctx->flags);
	tls_handoff_hold(ctx, TLS_HANDOFF_BIT_TX_HOLD);
	err = tls_handoff_session_tx_lock(ctx);
	if (err)
		goto out;
	if (test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags))
		err = -EPIPE;
	else
		err = tls_handoff_session_switch_tx(ctx, &update, optval, record);
	tls_handoff_tx_unlock(ctx);
	if (!err) {
		ctx->tx_generation++;
		tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_TX_REKEYS);
	}
	tls_handoff_tx_release(ctx);
out:
	kfree(record);
	return err;
}

static int tls_handoff_session_setsockopt(struct socket *sock, int level, int optname,
					  sockptr_t optval, unsigned int optlen)
{
	struct tls_handoff_ctx *ctx = tls_handoff_session(sock->sk)->ctx;
	int err = -ENOPROTOOPT;

	mutex_lock(&ctx->lock);
	if (!ctx->sk)
		err = -EPIPE;
	else if (level == SOL_TLS)
		err = tls_handoff_session_set_tls(ctx, optname, optval, optlen);
	else if (level == SOL_TLS_HANDOFF && optname == TLS_HANDOFF_CONTINUE)
		err = tls_handoff_session_continue(ctx, optval, optlen);
	else if (level == SOL_TLS_HANDOFF && optname == TLS_HANDOFF_TX_UPDATE)
		err = tls_handoff_session_tx_update(ctx, optval, optlen);
	else if (level == SOL_TLS_HANDOFF && optname == TLS_HANDOFF_EXPORTED)
		err = tls_handoff_exported(ctx, optval, optlen);
	mutex_unlock(&ctx->lock);
	return err;
}

static const struct proto_ops tls_handoff_session_ops = {
	.family = PF_UNSPEC,
	.owner = THIS_MODULE,
	.release = tls_handoff_session_release,
	.bind = sock_no_bind,
	.connect = sock_no_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = sock_no_getname,
	.poll = tls_handoff_session_poll,
	.ioctl = sock_no_ioctl,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.setsockopt = tls_handoff_session_setsockopt,
	.sendmsg = tls_handoff_session_sendmsg,
	.recvmsg = tls_handoff_session_recvmsg,
	.mmap = sock_no_mmap,
};

/**
 * tls_handoff_session_alloc() - a session fd without a connection
 * @net: the agent's namespace, which the fd holds
 *
 * Until tls_handoff_session_attach() its release does nothing but free.
 *
 * Return: the file, or -ENOMEM, -ENFILE.
 */
struct file *tls_handoff_session_alloc(struct net *net)
{
	struct socket *sock;
	struct sock *sk;

	sock = sock_alloc();
	if (!sock)
		return ERR_PTR(-ENOMEM);
	sock->type = SOCK_SEQPACKET;
	sock->state = SS_CONNECTED;
	lockdep_set_class(&sock->wq.wait.lock, &tls_handoff_session_wq_key);
	sk = sk_alloc(net, PF_UNSPEC, GFP_KERNEL, &tls_handoff_session_proto, 0);
	if (!sk) {
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	sock_init_data(sock, sk);
	__module_get(THIS_MODULE);
	sock->ops = &tls_handoff_session_ops;
	return sock_alloc_file(sock, 0, NULL);
}

/**
 * tls_handoff_session_attach() - a connection gets its session fd
 * @ctx: the context, locked
 * @file: from tls_handoff_session_alloc(); gets a reference to @ctx
 *
 * Return: 0, -EBUSY if there is a session fd, -ENOENT if the connection is over.
 */
int tls_handoff_session_attach(struct tls_handoff_ctx *ctx, struct file *file)
{
	struct tls_handoff_session *session = tls_handoff_session(sock_from_file(file)->sk);

	lockdep_assert_held(&ctx->lock);
	if (tls_handoff_session_over(ctx))
		return -ENOENT;
	if (ctx->session)
		return -EBUSY;
	session->ctx = tls_handoff_get(ctx);
	spin_lock_bh(&ctx->session_lock);
	ctx->session = &session->sk;
	spin_unlock_bh(&ctx->session_lock);
	tls_handoff_stat_inc(ctx->net, TLS_HANDOFF_STAT_CURR_SESSION_FDS);
	tls_handoff_export_again(ctx);
	if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE) {
		init_waitqueue_func_entry(&session->wait, tls_handoff_session_woken);
		add_wait_queue(&ctx->app->wq.wait, &session->wait);
		session->waiting = true;
	}
	return 0;
}

/**
 * tls_handoff_session_file() - a new session fd for a connection that has none
 * @ctx: the context, not locked
 * @net: the agent's namespace, which the fd holds
 *
 * Return: the file, or -EBUSY if there is a session fd, -ENOENT if the connection is
 * over, -ENOMEM, -ENFILE.
 */
struct file *tls_handoff_session_file(struct tls_handoff_ctx *ctx, struct net *net)
{
	struct file *file;
	int err;

	file = tls_handoff_session_alloc(net);
	if (IS_ERR(file))
		return file;
	mutex_lock(&ctx->lock);
	err = tls_handoff_session_attach(ctx, file);
	mutex_unlock(&ctx->lock);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

/**
 * tls_handoff_session_init() - before the first session fd
 *
 * Return: 0 or -ENOMEM.
 */
int __init tls_handoff_session_init(void)
{
	return proto_register(&tls_handoff_session_proto, 1);
}

/**
 * tls_handoff_session_exit() - after the last session fd
 */
void tls_handoff_session_exit(void)
{
	proto_unregister(&tls_handoff_session_proto);
}
