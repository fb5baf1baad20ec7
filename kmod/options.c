// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options: level SOL_TLS_HANDOFF, and what other levels are not allowed
 * once a socket is taken over.
 */

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/uaccess.h>

#include "tls_handoff.h"

/**
 * tls_handoff_params_put() - one context less has them; the last one frees
 * @params: or %NULL
 */
void tls_handoff_params_put(struct tls_handoff_params *params)
{
	if (!params || !refcount_dec_and_test(&params->refcnt))
		return;
	kfree(params->profile);
	kfree(params->peer_name);
	kfree(params->psk_identity);
	kfree(params->alpn);
	kfree(params);
}

/**
 * tls_handoff_results_free() - frees what DONE brought
 * @results: or %NULL
 */
void tls_handoff_results_free(struct tls_handoff_results *results)
{
	if (!results)
		return;
	kfree(results->alpn);
	kfree(results->peer_identity);
	kfree(results->server_name);
	kfree(results->error);
	kfree(results->peer_cert);
	kfree(results);
}

/**
 * tls_handoff_results() - the results, made at their first use
 * @ctx: the context, locked
 *
 * Return: %NULL if there is no memory.
 */
struct tls_handoff_results *tls_handoff_results(struct tls_handoff_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);
	if (!ctx->results)
		ctx->results = kzalloc_obj(*ctx->results, GFP_KERNEL_ACCOUNT);
	return ctx->results;
}

static struct tls_handoff_params *tls_handoff_params(struct tls_handoff_ctx *ctx)
{
	if (!ctx->params) {
		ctx->params = kzalloc_obj(*ctx->params, GFP_KERNEL_ACCOUNT);
		if (ctx->params) {
			refcount_set(&ctx->params->refcnt, 1);
			ctx->params->client_cert = -1;
			ctx->params->resume = -1;
		}
	}
	return ctx->params;
}

static int tls_handoff_set_string(char **slot, sockptr_t optval, unsigned int optlen,
				  unsigned int max)
{
	char *string;

	/* One trailing NUL is dropped, so it may be there on top of the longest string */
	if (optlen > max + 1)
		return -EINVAL;
	string = kzalloc(optlen + 1, GFP_KERNEL_ACCOUNT);
	if (!string)
		return -ENOMEM;
	if (copy_from_sockptr(string, optval, optlen)) {
		kfree(string);
		return -EFAULT;
	}
	if (optlen && !string[optlen - 1])
		optlen--;
	if (optlen > max || strlen(string) != optlen) {
		kfree(string);
		return -EINVAL;
	}
	if (!optlen) {
		kfree(string);
		string = NULL;
	}
	kfree(*slot);
	*slot = string;
	return 0;
}

/* RFC 7301 3.1: names of 1 to 255 bytes; ours have at most 32 */
static bool tls_handoff_alpn_valid(const u8 *names, unsigned int len)
{
	unsigned int count = 0;

	while (len) {
		unsigned int n = names[0];

		if (!n || n > TLS_HANDOFF_MAX_ALPN_NAME || n + 1 > len ||
		    ++count > TLS_HANDOFF_MAX_ALPN_NAMES)
			return false;
		names += n + 1;
		len -= n + 1;
	}
	return true;
}

static int tls_handoff_set_alpn(struct tls_handoff_params *params, sockptr_t optval,
				unsigned int optlen)
{
	u8 *names = NULL;

	if (optlen > TLS_HANDOFF_MAX_ALPN)
		return -EINVAL;
	if (optlen) {
		names = kmalloc(optlen, GFP_KERNEL_ACCOUNT);
		if (!names)
			return -ENOMEM;
		if (copy_from_sockptr(names, optval, optlen)) {
			kfree(names);
			return -EFAULT;
		}
		if (!tls_handoff_alpn_valid(names, optlen)) {
			kfree(names);
			return -EINVAL;
		}
	}
	kfree(params->alpn);
	params->alpn = names;
	params->alpn_len = optlen;
	return 0;
}

static int tls_handoff_set_ciphers(struct tls_handoff_params *params, sockptr_t optval,
				   unsigned int optlen)
{
	u16 ciphers[TLS_HANDOFF_MAX_CIPHERS];
	unsigned int i;

	if (optlen > sizeof(ciphers) || optlen % sizeof(ciphers[0]))
		return -EINVAL;
	if (copy_from_sockptr(ciphers, optval, optlen))
		return -EFAULT;
	for (i = 0; i < optlen / sizeof(ciphers[0]); i++)
		switch (ciphers[i]) {
		case TLS_CIPHER_AES_GCM_128:
		case TLS_CIPHER_AES_GCM_256:
		case TLS_CIPHER_CHACHA20_POLY1305:
		case TLS_CIPHER_AES_CCM_128:
			break;
		default:
			return -EINVAL;
		}
	memcpy(params->ciphers, ciphers, optlen);
	params->cipher_count = optlen / sizeof(ciphers[0]);
	return 0;
}

static int tls_handoff_get_u32(sockptr_t optval, unsigned int optlen, u32 max, u32 *value)
{
	if (optlen != sizeof(*value))
		return -EINVAL;
	if (copy_from_sockptr(value, optval, sizeof(*value)))
		return -EFAULT;
	return *value > max ? -EINVAL : 0;
}

static int tls_handoff_set_version(u16 *version, sockptr_t optval, unsigned int optlen)
{
	u16 value;

	if (optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;
	if (value != TLS_1_2_VERSION && value != TLS_1_3_VERSION)
		return -EINVAL;
	*version = value;
	return 0;
}

/* Under ctx->lock, before START */
static int tls_handoff_set_param(struct tls_handoff_ctx *ctx, int optname, sockptr_t optval,
				 unsigned int optlen)
{
	struct tls_handoff_params *params = tls_handoff_params(ctx);
	u32 value;
	int err;

	if (!params)
		return -ENOMEM;
	switch (optname) {
	case TLS_HANDOFF_PROFILE:
		return tls_handoff_set_string(&params->profile, optval, optlen,
					      TLS_HANDOFF_MAX_PROFILE);
	case TLS_HANDOFF_PEER_NAME:
		return tls_handoff_set_string(&params->peer_name, optval, optlen,
					      TLS_HANDOFF_MAX_PEER_NAME);
	case TLS_HANDOFF_PSK_IDENTITY:
		return tls_handoff_set_string(&params->psk_identity, optval, optlen,
					      TLS_HANDOFF_MAX_PSK_IDENTITY);
	case TLS_HANDOFF_ALPN:
		return tls_handoff_set_alpn(params, optval, optlen);
	case TLS_HANDOFF_CIPHERS:
		return tls_handoff_set_ciphers(params, optval, optlen);
	case TLS_HANDOFF_MIN_VERSION:
		return tls_handoff_set_version(&params->min_version, optval, optlen);
	case TLS_HANDOFF_MAX_VERSION:
		return tls_handoff_set_version(&params->max_version, optval, optlen);
	case TLS_HANDOFF_AUTH:
		err = tls_handoff_get_u32(optval, optlen, TLS_HANDOFF_AUTH_RAWPK, &value);
		if (!err && !value)
			err = -EINVAL;
		if (!err)
			params->auth = value;
		return err;
	case TLS_HANDOFF_CLIENT_CERT:
		err = tls_handoff_get_u32(optval, optlen, TLS_HANDOFF_CERT_REQUIRE, &value);
		if (!err)
			params->client_cert = value;
		return err;
	case TLS_HANDOFF_TIMEOUT:
		err = tls_handoff_get_u32(optval, optlen, INT_MAX, &value);
		if (!err && !value)
			err = -EINVAL;
		if (!err)
			params->timeout = value;
		return err;
	case TLS_HANDOFF_RESUME:
		err = tls_handoff_get_u32(optval, optlen, 1, &value);
		if (!err)
			params->resume = value;
		return err;
	case TLS_HANDOFF_ACCEPT_READY:
		if (ctx->sk->sk_state != TCP_LISTEN)
			return -EOPNOTSUPP;
		err = tls_handoff_get_u32(optval, optlen, 1, &value);
		if (!err)
			params->accept_ready = value;
		return err;
	default:
		return -ENOPROTOOPT;
	}
}

static int tls_handoff_set_own(struct tls_handoff_ctx *ctx, int optname, sockptr_t optval,
			       unsigned int optlen)
{
	u32 value;
	int err;

	switch (optname) {
	case TLS_HANDOFF_START:
		err = tls_handoff_get_u32(optval, optlen, TLS_HANDOFF_SERVER, &value);
		return err ? err : tls_handoff_start(ctx, value);
	case TLS_HANDOFF_REKEY:
		err = tls_handoff_get_u32(optval, optlen, 0, &value);
		return err ? err : tls_handoff_rekey(ctx);
	}
	if (optname < TLS_HANDOFF_PROFILE || optname > TLS_HANDOFF_ACCEPT_READY)
		return -ENOPROTOOPT;

	err = mutex_lock_interruptible(&ctx->lock);
	if (err)
		return err;
	if (ctx->state != TLS_HANDOFF_STATE_IDLE || ctx->listener)
		err = -EBUSY;
	else
		err = tls_handoff_set_param(ctx, optname, optval, optlen);
	mutex_unlock(&ctx->lock);
	return err;
}

/* The ULP of the program's socket is ours, and nobody takes it from us */
static int tls_handoff_set_ulp(sockptr_t optval, unsigned int optlen)
{
	char name[TCP_ULP_NAME_MAX] = {};
	int len;

	if (!optlen)
		return -EINVAL;
	len = strncpy_from_sockptr(name, optval, min_t(unsigned int, optlen, sizeof(name) - 1));
	if (len < 0)
		return -EFAULT;
	return strcmp(name, "tls") ? -EEXIST : -EPERM;
}

/**
 * tls_handoff_setsockopt() - proto_ops.setsockopt of a taken-over socket
 * @app: the program's socket
 * @level: SOL_TLS_HANDOFF is ours, SOL_TLS refused, others go on to TCP; SOL_SOCKET
 *	comes here because of SOCK_CUSTOM_SOCKOPT
 * @optname: option
 * @optval: value
 * @optlen: bytes
 *
 * Return: 0 or a negative errno as tls_handoff(7) lists them.
 */
int tls_handoff_setsockopt(struct socket *app, int level, int optname, sockptr_t optval,
			   unsigned int optlen)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	switch (level) {
	case SOL_TLS_HANDOFF:
		return tls_handoff_set_own(ctx, optname, optval, optlen);
	case SOL_TLS:
		return -EPERM;
	case SOL_SOCKET:
		/* kTLS peeks from the start, whatever was set */
		if (optname == SO_PEEK_OFF)
			return -EOPNOTSUPP;
		return sock_setsockopt(app, level, optname, optval, optlen);
	case SOL_TCP:
		if (optname == TCP_ULP)
			return tls_handoff_set_ulp(optval, optlen);
		/* The one counts ciphertext, the other lets a connection come too early */
		if (optname == TCP_INQ || optname == TCP_FASTOPEN)
			return -EOPNOTSUPP;
		if (optname == TCP_REPAIR || optname == TCP_REPAIR_QUEUE ||
		    optname == TCP_QUEUE_SEQ || optname == TCP_REPAIR_OPTIONS ||
		    optname == TCP_REPAIR_WINDOW)
			return -EOPNOTSUPP;
		break;
	case SOL_IPV6:
		/* It would turn the socket into one of the other family, with other ops */
		if (optname == IPV6_ADDRFORM)
			return -EOPNOTSUPP;
		break;
	}
	return ctx->inner.ops->setsockopt(&ctx->inner, level, optname, optval, optlen);
}

/*
 * A value on its way to the program. It is collected under ctx->lock and copied
 * after that: a page that the program does not deliver must not hold up the agent,
 * whose calls take the same lock.
 */
struct tls_handoff_value {
	u8 small[TLS_HANDOFF_MAX_ALPN];
	void *large;
	int size;
};

static int tls_handoff_value_put(struct tls_handoff_value *value, const void *data, int size)
{
	void *to = value->small;

	if (size > sizeof(value->small)) {
		value->large = kmalloc(size, GFP_KERNEL_ACCOUNT);
		if (!value->large)
			return -ENOMEM;
		to = value->large;
	}
	if (size)
		memcpy(to, data, size);
	value->size = size;
	return 0;
}

static int tls_handoff_value_string(struct tls_handoff_value *value, const char *string)
{
	return tls_handoff_value_put(value, string, string ? strlen(string) : 0);
}

static int tls_handoff_value_u32(struct tls_handoff_value *value, u32 number)
{
	return tls_handoff_value_put(value, &number, sizeof(number));
}

static int tls_handoff_value_u16(struct tls_handoff_value *value, u16 number)
{
	return tls_handoff_value_put(value, &number, sizeof(number));
}

/* Too small a buffer learns the length it needs */
static int tls_handoff_copy_out(const struct tls_handoff_value *value, char __user *optval,
				int __user *optlen, int len)
{
	if (put_user(value->size, optlen))
		return -EFAULT;
	if (len < value->size)
		return -ERANGE;
	if (value->size && copy_to_user(optval, value->large ? value->large : value->small,
					value->size))
		return -EFAULT;
	return 0;
}

static u32 tls_handoff_info_flags(const struct tls_handoff_ctx *ctx)
{
	u32 flags = 0;

	if (test_bit(TLS_HANDOFF_BIT_PEER_CERT, &ctx->flags))
		flags |= TLS_HANDOFF_F_PEER_CERT;
	if (test_bit(TLS_HANDOFF_BIT_CLOSE_SENT, &ctx->flags))
		flags |= TLS_HANDOFF_F_CLOSE_SENT;
	if (test_bit(TLS_HANDOFF_BIT_CLOSE_RECEIVED, &ctx->flags))
		flags |= TLS_HANDOFF_F_CLOSE_RECEIVED;
	if (test_bit(TLS_HANDOFF_BIT_TRUNCATED, &ctx->flags))
		flags |= TLS_HANDOFF_F_TRUNCATED;
	if (test_bit(TLS_HANDOFF_BIT_PARTIAL, &ctx->flags))
		flags |= TLS_HANDOFF_F_PARTIAL;
	return flags;
}

/**
 * tls_handoff_fill_info() - what is known of a connection
 * @ctx: the context, locked
 * @info: filled whole
 *
 * A connection with close_notify in both directions is CLOSED.
 */
void tls_handoff_fill_info(struct tls_handoff_ctx *ctx, struct tls_handoff_info *info)
{
	u32 closed = TLS_HANDOFF_F_CLOSE_SENT | TLS_HANDOFF_F_CLOSE_RECEIVED;

	lockdep_assert_held(&ctx->lock);
	memset(info, 0, sizeof(*info));
	info->session_id = ctx->id;
	info->version = ctx->version;
	info->cipher = ctx->cipher;
	info->state = ctx->state;
	info->role = ctx->role;
	info->auth = ctx->auth;
	info->resumed = ctx->resumed;
	info->flags = tls_handoff_info_flags(ctx);
	if (info->state == TLS_HANDOFF_STATE_ESTABLISHED && (info->flags & closed) == closed)
		info->state = TLS_HANDOFF_STATE_CLOSED;
	info->verify_status = ctx->verify_status;
	info->error = ctx->error;
	info->alert_sent = ctx->alert_sent;
	info->alert_received = ctx->alert_received;
	info->tx_generation = ctx->tx_generation;
	info->rx_generation = ctx->rx_generation;
	info->records_diverted = atomic64_read(&ctx->records_diverted);
	info->handshake_usec = ctx->handshake_usec;
}

/* Under ctx->lock: what was set, or the default */
static int tls_handoff_get_param(struct tls_handoff_ctx *ctx, int optname,
				 struct tls_handoff_value *value)
{
	static const struct tls_handoff_params unset = { .client_cert = -1, .resume = -1 };
	const struct tls_handoff_params *params = ctx->params ? ctx->params : &unset;

	switch (optname) {
	case TLS_HANDOFF_PROFILE:
		return tls_handoff_value_string(value,
						params->profile ? params->profile : "default");
	case TLS_HANDOFF_PEER_NAME:
		return tls_handoff_value_string(value, params->peer_name);
	case TLS_HANDOFF_PSK_IDENTITY:
		return tls_handoff_value_string(value, params->psk_identity);
	case TLS_HANDOFF_ALPN:
		if (ctx->version)
			return tls_handoff_value_string(value,
						      ctx->results ? ctx->results->alpn : NULL);
		return tls_handoff_value_put(value, params->alpn, params->alpn_len);
	case TLS_HANDOFF_CIPHERS:
		return tls_handoff_value_put(value, params->ciphers,
				       params->cipher_count * sizeof(params->ciphers[0]));
	case TLS_HANDOFF_MIN_VERSION:
		return tls_handoff_value_u16(value, params->min_version ? params->min_version :
									TLS_1_2_VERSION);
	case TLS_HANDOFF_MAX_VERSION:
		return tls_handoff_value_u16(value, params->max_version ? params->max_version :
									TLS_1_3_VERSION);
	case TLS_HANDOFF_AUTH:
		return tls_handoff_value_u32(value, params->auth ? params->auth :
								 TLS_HANDOFF_AUTH_X509);
	case TLS_HANDOFF_CLIENT_CERT:
		return tls_handoff_value_u32(value, max_t(int, params->client_cert, 0));
	case TLS_HANDOFF_TIMEOUT:
		return tls_handoff_value_u32(value, params->timeout ? params->timeout :
								    TLS_HANDOFF_DEFAULT_TIMEOUT);
	case TLS_HANDOFF_RESUME:
		return tls_handoff_value_u32(value, params->resume != 0);
	case TLS_HANDOFF_ACCEPT_READY:
		return tls_handoff_value_u32(value, params->accept_ready);
	default:
		return -ENOPROTOOPT;
	}
}

/* Under ctx->lock; @len is the size of the program's buffer */
static int tls_handoff_get_result(struct tls_handoff_ctx *ctx, int optname, int len,
				  struct tls_handoff_value *value)
{
	const struct tls_handoff_results *results = ctx->results;
	struct tls_handoff_info info;

	if (optname == TLS_HANDOFF_INFO) {
		tls_handoff_fill_info(ctx, &info);
		return tls_handoff_value_put(value, &info, min_t(int, len, sizeof(info)));
	}
	if (optname == TLS_HANDOFF_ERROR)
		return tls_handoff_value_string(value, results ? results->error : NULL);
	/* What was agreed stays known when the connection ends */
	if (!ctx->version)
		return -ENOTCONN;

	switch (optname) {
	case TLS_HANDOFF_PEER_CERT:
		if (!results || !results->peer_cert)
			return -ENODATA;
		return tls_handoff_value_put(value, results->peer_cert, results->peer_cert_len);
	case TLS_HANDOFF_PEER_IDENTITY:
		if (!results || !results->peer_identity)
			return -ENODATA;
		return tls_handoff_value_string(value, results->peer_identity);
	case TLS_HANDOFF_SERVER_NAME:
		return tls_handoff_value_string(value, results ? results->server_name : NULL);
	default:
		return -EOPNOTSUPP;
	}
}

static int tls_handoff_get_own(struct tls_handoff_ctx *ctx, int optname, char __user *optval,
			       int __user *optlen)
{
	struct tls_handoff_value value = {};
	int len, err;

	switch (optname) {
	case TLS_HANDOFF_PROFILE ... TLS_HANDOFF_ACCEPT_READY:
	case TLS_HANDOFF_INFO ... TLS_HANDOFF_ERROR:
		break;
	case TLS_HANDOFF_EXPORTER:
		return tls_handoff_get_exporter(ctx, optval, optlen);
	case TLS_HANDOFF_SESSION_FD:
		return tls_handoff_get_session_fd(ctx, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	err = mutex_lock_interruptible(&ctx->lock);
	if (err)
		return err;
	if (optname <= TLS_HANDOFF_ACCEPT_READY)
		err = tls_handoff_get_param(ctx, optname, &value);
	else
		err = tls_handoff_get_result(ctx, optname, len, &value);
	mutex_unlock(&ctx->lock);
	if (!err)
		err = tls_handoff_copy_out(&value, optval, optlen, len);
	kfree(value.large);
	return err;
}

static int tls_handoff_get_ulp(char __user *optval, int __user *optlen)
{
	struct tls_handoff_value value = {};
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	/* As TCP does: NUL-terminated, cut to the buffer */
	len = min_t(int, len, sizeof(TLS_HANDOFF_ULP));
	tls_handoff_value_put(&value, TLS_HANDOFF_ULP, len);
	return tls_handoff_copy_out(&value, optval, optlen, len);
}

/**
 * tls_handoff_getsockopt() - proto_ops.getsockopt of a taken-over socket
 * @app: the program's socket
 * @level: SOL_TLS_HANDOFF is ours, SOL_TLS refused (keys), others go on to TCP
 * @optname: option
 * @optval: buffer
 * @optlen: its size; the needed or copied length on return
 *
 * Return: 0 or a negative errno as tls_handoff(7) lists them.
 */
int tls_handoff_getsockopt(struct socket *app, int level, int optname, char __user *optval,
			   int __user *optlen)
{
	struct tls_handoff_ctx *ctx = tls_handoff_ctx(app);

	switch (level) {
	case SOL_TLS_HANDOFF:
		return tls_handoff_get_own(ctx, optname, optval, optlen);
	case SOL_TLS:
		return -EPERM;
	case SOL_TCP:
		if (optname == TCP_ULP)
			return tls_handoff_get_ulp(optval, optlen);
		if (optname == TCP_ZEROCOPY_RECEIVE || optname == TCP_REPAIR_WINDOW)
			return -EOPNOTSUPP;
		break;
	}
	return ctx->inner.ops->getsockopt(&ctx->inner, level, optname, optval, optlen);
}
