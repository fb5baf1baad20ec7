// SPDX-License-Identifier: GPL-2.0-only
/*
 * getsockopt(TLS_HANDOFF_EXPORTER): keying material for the program (RFC 8446
 * 7.5, RFC 5705). The exporter secret is the session handler's, so the question
 * goes through the session fd, and the program waits for the answer.
 */

#include <linux/completion.h>
#include <linux/wait_bit.h>

#include "tls_handoff.h"

/**
 * struct tls_handoff_export - one question of a program
 * @done: the answer is there
 * @request: its number
 * @error: positive errno, or 0
 * @size: bytes of @question
 * @out_len: bytes that are wanted
 * @answered: @error and @out are set; under ctx->lock
 * @out: the answer
 * @question: struct tls_handoff_exporter with label and context
 *
 * Owned by the call that asks; ctx->exporter points to it under ctx->lock.
 */
struct tls_handoff_export {
	struct completion done;
	u32 request;
	u32 error;
	u16 size;
	u16 out_len;
	bool answered;
	u8 out[TLS_HANDOFF_MAX_EXPORT];
	u8 question[];
};

static int tls_handoff_export_check(const struct tls_handoff_exporter *header, int len)
{
	if (!header->label_len || header->label_len > TLS_HANDOFF_MAX_EXPORT ||
	    header->context_len > TLS_HANDOFF_MAX_EXPORT || !header->out_len ||
	    header->out_len > TLS_HANDOFF_MAX_EXPORT || header->flags & ~1 ||
	    (header->context_len && !header->flags))
		return -EINVAL;
	if (len < (int)sizeof(*header) + header->label_len + header->context_len)
		return -EINVAL;
	return 0;
}

/* The question as the program gave it; free with kfree_sensitive() */
static struct tls_handoff_export *tls_handoff_export_new(char __user *optval, int len)
{
	struct tls_handoff_exporter header;
	struct tls_handoff_export *export;
	size_t size;
	int err;

	if (len < (int)sizeof(header))
		return ERR_PTR(-EINVAL);
	if (copy_from_user(&header, optval, sizeof(header)))
		return ERR_PTR(-EFAULT);
	err = tls_handoff_export_check(&header, len);
	if (err)
		return ERR_PTR(err);
	size = sizeof(header) + header.label_len + header.context_len;
	export = kzalloc(sizeof(*export) + size, GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);
	init_completion(&export->done);
	export->size = size;
	export->out_len = header.out_len;
	memcpy(export->question, &header, sizeof(header));
	if (copy_from_user(export->question + sizeof(header), optval + sizeof(header),
			   size - sizeof(header))) {
		kfree_sensitive(export);
		return ERR_PTR(-EFAULT);
	}
	return export;
}

/* One question at a time: others wait in line. 0 with ctx->lock held, or a negative errno */
static int tls_handoff_export_turn(struct tls_handoff_ctx *ctx)
{
	int err;

	for (;;) {
		err = mutex_lock_interruptible(&ctx->lock);
		if (err)
			return err;
		if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED && !ctx->exporter)
			return 0;
		err = ctx->state == TLS_HANDOFF_STATE_ESTABLISHED ? 0 : -ENOTCONN;
		mutex_unlock(&ctx->lock);
		if (!err)
			err = wait_var_event_interruptible(&ctx->exporter,
							   !READ_ONCE(ctx->exporter));
		if (err)
			return err;
	}
}

static int tls_handoff_export_ask(struct tls_handoff_ctx *ctx, struct tls_handoff_export *export)
{
	long left;
	int err;

	err = tls_handoff_export_turn(ctx);
	if (err)
		return err;
	export->request = ++ctx->export_request;
	WRITE_ONCE(ctx->exporter, export);
	tls_handoff_session_event(ctx, TLS_HANDOFF_EVENT_EXPORT);
	mutex_unlock(&ctx->lock);

	left = wait_for_completion_interruptible_timeout(&export->done, ctx->hold_limit);

	mutex_lock(&ctx->lock);
	if (export->answered)
		err = -(int)export->error;
	else
		err = left < 0 ? left : -ETIMEDOUT;
	WRITE_ONCE(ctx->exporter, NULL);
	clear_bit(TLS_HANDOFF_EVENT_EXPORT, &ctx->events);
	mutex_unlock(&ctx->lock);
	wake_up_var(&ctx->exporter);
	return err;
}

/**
 * tls_handoff_get_exporter() - getsockopt(TLS_HANDOFF_EXPORTER)
 * @ctx: the context, not locked
 * @optval: struct tls_handoff_exporter, overwritten with the answer
 * @optlen: its size; the answer's length on return
 *
 * Return: 0; -EINVAL, -ERANGE if the answer does not fit, -ENOTCONN, -EOPNOTSUPP in
 * TLS 1.2 without extended master secret, -ESRCH without a session handler,
 * -ETIMEDOUT if it does not answer, -EINTR.
 */
int tls_handoff_get_exporter(struct tls_handoff_ctx *ctx, char __user *optval, int __user *optlen)
{
	struct tls_handoff_export *export;
	int len, err;

	if (get_user(len, optlen))
		return -EFAULT;
	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED)
		return -ENOTCONN;
	export = tls_handoff_export_new(optval, len);
	if (IS_ERR(export))
		return PTR_ERR(export);
	if (len < export->out_len) {
		err = put_user(export->out_len, optlen) ? -EFAULT : -ERANGE;
		goto out;
	}
	err = tls_handoff_export_ask(ctx, export);
	/* An interrupted question is asked anew */
	if (!err && (copy_to_user(optval, export->out, export->out_len) ||
		     put_user(export->out_len, optlen)))
		err = -EFAULT;
out:
	kfree_sensitive(export);
	return err;
}

/**
 * tls_handoff_export_question() - what EVENT_EXPORT carries behind the event
 * @ctx: the context, locked
 * @ret_request: the question's number
 * @ret_size: bytes
 *
 * With EVENT_EXPORT set there is one.
 *
 * Return: the question, valid while @ctx is locked.
 */
const void *tls_handoff_export_question(struct tls_handoff_ctx *ctx, u32 *ret_request,
					size_t *ret_size)
{
	const struct tls_handoff_export *export = ctx->exporter;

	lockdep_assert_held(&ctx->lock);
	*ret_request = export->request;
	*ret_size = export->size;
	return export->question;
}

/**
 * tls_handoff_export_end() - nobody will answer
 * @ctx: the context, locked
 * @error: positive errno for the program
 */
void tls_handoff_export_end(struct tls_handoff_ctx *ctx, int error)
{
	struct tls_handoff_export *export = ctx->exporter;

	lockdep_assert_held(&ctx->lock);
	if (!export || export->answered)
		return;
	export->error = error;
	export->answered = true;
	clear_bit(TLS_HANDOFF_EVENT_EXPORT, &ctx->events);
	complete(&export->done);
}

/**
 * tls_handoff_export_again() - a new session fd: who had the last one may have taken
 *	the question along
 * @ctx: the context, locked
 */
void tls_handoff_export_again(struct tls_handoff_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);
	if (ctx->exporter && !ctx->exporter->answered)
		set_bit(TLS_HANDOFF_EVENT_EXPORT, &ctx->events);
}

/**
 * tls_handoff_exported() - setsockopt(TLS_HANDOFF_EXPORTED) on the session fd
 * @ctx: the context, locked
 * @optval: struct tls_handoff_exported
 * @optlen: bytes
 *
 * Return: 0; -ENOENT if nobody asks that any more, -EINVAL, -EFAULT.
 */
int tls_handoff_exported(struct tls_handoff_ctx *ctx, sockptr_t optval, unsigned int optlen)
{
	struct tls_handoff_export *export = ctx->exporter;
	struct tls_handoff_exported answer;

	lockdep_assert_held(&ctx->lock);
	if (optlen < sizeof(answer))
		return -EINVAL;
	if (copy_from_sockptr(&answer, optval, sizeof(answer)))
		return -EFAULT;
	if (!export || export->answered || export->request != answer.request)
		return -ENOENT;
	if (answer.error > MAX_ERRNO ||
	    optlen != sizeof(answer) + (answer.error ? 0 : export->out_len))
		return -EINVAL;
	if (!answer.error && copy_from_sockptr_offset(export->out, optval, sizeof(answer),
						      export->out_len))
		return -EFAULT;
	tls_handoff_export_end(ctx, answer.error);
	return 0;
}
