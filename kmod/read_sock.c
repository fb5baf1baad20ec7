// SPDX-License-Identifier: GPL-2.0-only
/*
 * proto_ops.read_sock of adopted sockets: NVMe/TCP's host takes its data out of kTLS's
 * records where they lie, under lock_sock.
 */

#include <net/tls_prot.h>

#include "tls_handoff.h"

/* What read_sock() of a consumer passes through kTLS */
struct tls_handoff_read {
	read_descriptor_t *desc;
	sk_read_actor_t actor;
	bool between;	/* data may not come now */
	bool stopped;	/* @actor took nothing */
};

static int tls_handoff_read_actor(read_descriptor_t *desc, struct sk_buff *skb,
				  unsigned int offset, size_t len)
{
	struct tls_handoff_read *read = desc->arg.data;
	int used = 0;

	if (!read->between)
		used = read->actor(read->desc, skb, offset, len);
	read->stopped = used <= 0;
	desc->count = read->desc->count;
	return used;
}

/* Under rx_mutex and lock_sock */
static int tls_handoff_read_try(struct tls_handoff_ctx *ctx, struct tls_handoff_read *read,
				struct tls_handoff_rx_failure *failure)
{
	read_descriptor_t desc = { .arg.data = read, .count = read->desc->count };
	bool other;
	int ret;

	do {
		ret = tls_handoff_rx_stopped(ctx);
		if (ret <= 0)
			return ret;
		read->between = test_bit(TLS_HANDOFF_BIT_RX_FRAGMENT, &ctx->flags);
		ret = ctx->inner.ops->read_sock(ctx->inner.sk, &desc, tls_handoff_read_actor);
		if (read->between && read->stopped)
			return tls_handoff_rx_between(ctx, failure);
		/* An error of the actor is its own affair */
		if (ret <= 0 && (read->stopped || !desc.count))
			return ret;
		other = ret == -EINVAL;
		ret = tls_handoff_rx_result(ctx, ret, -EINVAL, failure);
	} while (ret == -EAGAIN && other);
	if (ret > 0 && !skb_queue_empty_lockless(&tls_handoff_rx_ctx(ctx)->rx_list))
		tls_handoff_rx_divert(ctx, failure);
	return ret;
}

/**
 * tls_handoff_read_sock() - proto_ops.read_sock, for a consumer on its adopted socket
 * @sk: the TCP socket, under lock_sock
 * @desc: the consumer's
 * @actor: gets the data where it lies
 *
 * The caller, as nvme_tcp_try_recv(), has lock_sock, which rx_mutex goes before: so it is
 * only tried, and whoever has it calls back. What would need a lock that goes before
 * lock_sock is left to the consumer's work: the reader has its errno at once.
 *
 * Return: bytes, 0 at the end, -EAGAIN, the actor's errno, or why the connection failed.
 */
int tls_handoff_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor)
{
	struct tls_handoff_ctx *ctx = container_of(READ_ONCE(sk->sk_socket),
						   struct tls_handoff_ctx, inner);
	struct tls_handoff_read read = { .desc = desc, .actor = actor };
	struct tls_handoff_consumer *consumer = READ_ONCE(ctx->consumer);
	struct tls_handoff_rx_failure failure = {};
	u64 sequence;
	int ret;

	sock_owned_by_me(sk);
	if (!consumer)
		return -EOPNOTSUPP;
	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)
		return tls_handoff_state(ctx) == TLS_HANDOFF_STATE_FAILED ?
		       -READ_ONCE(ctx->error) : -EAGAIN;
	if (!mutex_trylock(&ctx->rx_mutex)) {
		set_bit(TLS_HANDOFF_BIT_RX_BUSY, &ctx->flags);
		/* Pairs with tls_handoff_rx_left() */
		smp_mb__after_atomic();
		if (!mutex_trylock(&ctx->rx_mutex))
			return -EAGAIN;
	}
	consumer->reading = true;
	ret = tls_handoff_read_try(ctx, &read, &failure);
	sequence = tls_handoff_rx_sequence(ctx);
	if (unlikely(failure.error))
		consumer->failure = failure;
	else if (unlikely(ctx->version != TLS_1_3_VERSION && sequence >= ctx->limit))
		consumer->expired = true;
	consumer->reading = false;
	mutex_unlock(&ctx->rx_mutex);

	if (unlikely(failure.error || consumer->expired))
		tls_handoff_consumer_defer(ctx);
	else if (unlikely(sequence >= ctx->limit_near))
		tls_handoff_rx_limit(ctx, sequence);
	return ret;
}
