// SPDX-License-Identifier: GPL-2.0-only
/*
 * The upcall: generic netlink family "tls_handoff" between the module and the
 * agents of a network namespace. Commands and attributes come from
 * Documentation/netlink/specs/tls_handoff.yaml.
 */

#include <linux/file.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"
#include "tls_handoff.h"

static atomic64_t tls_handoff_last_id;
static struct genl_family tls_handoff_family;

static int tls_handoff_put_address(struct sk_buff *skb, int attr, const struct sock *sk,
				   bool remote)
{
	const struct inet_sock *inet = inet_sk(sk);

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		struct sockaddr_in6 sin6 = {
			.sin6_family = AF_INET6,
			.sin6_port = remote ? inet->inet_dport : inet->inet_sport,
			.sin6_addr = remote ? sk->sk_v6_daddr : sk->sk_v6_rcv_saddr,
		};

		return nla_put(skb, attr, sizeof(sin6), &sin6);
	}
#endif
	{
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_port = remote ? inet->inet_dport : inet->inet_sport,
			.sin_addr.s_addr = remote ? inet->inet_daddr : inet->inet_rcv_saddr,
		};

		return nla_put(skb, attr, sizeof(sin), &sin);
	}
}

static int tls_handoff_put_string(struct sk_buff *skb, int attr, const char *string)
{
	return string ? nla_put_string(skb, attr, string) : 0;
}

/* READY tells a port to ACCEPT; one that is on its way or does not fit changes nothing */
static int tls_handoff_send_ready(struct tls_handoff_agent *agent, u64 id)
{
	struct sk_buff *skb;
	void *header;

	skb = genlmsg_new(nla_total_size_64bit(sizeof(id)), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	header = genlmsg_put(skb, 0, 0, &tls_handoff_family, 0, TLS_HANDOFF_CMD_READY);
	if (!header || nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_ID, id,
					 TLS_HANDOFF_A_SESSION_PAD)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return genlmsg_unicast(agent->net, skb, agent->portid);
}

/* The session gets its id and counts as pending; net->lock is held */
static int tls_handoff_session_add(struct tls_handoff_ctx *ctx)
{
	u64 id = atomic64_inc_return(&tls_handoff_last_id);
	struct tls_handoff_net *tnet = ctx->net;
	int err;

	err = tls_handoff_pending_add(tnet, ctx->uid);
	if (err)
		return err;
	err = xa_insert(&tnet->sessions, id, ctx, GFP_KERNEL_ACCOUNT);
	if (err) {
		tls_handoff_pending_sub(tnet, ctx->uid);
		return err;
	}
	ctx->id = id;
	return 0;
}

/**
 * tls_handoff_upcall_add() - announce a handshake to the least recently used agent
 * @ctx: the context, locked, in a handshake; gets its id
 *
 * Return: 0, -ESRCH without an agent, -ENOBUFS if too many are pending, -ENOMEM.
 */
int tls_handoff_upcall_add(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_handshake *handshake = ctx->handshake;
	struct tls_handoff_net *tnet = ctx->net;
	struct tls_handoff_agent *agent;
	bool first;
	int err;

	lockdep_assert_held(&ctx->lock);
	mutex_lock(&tnet->lock);
	agent = list_first_entry_or_null(&tnet->agents, struct tls_handoff_agent, link);
	if (!agent) {
		err = -ESRCH;
		goto unlock;
	}
	err = tls_handoff_session_add(ctx);
	if (err)
		goto unlock;
	first = list_empty(&agent->waiting);
	list_add_tail(&handshake->link, &agent->waiting);
	list_move_tail(&agent->link, &tnet->agents);
	/*
	 * One READY until there is nothing to ACCEPT: thousands would leave no room in the
	 * receive buffer for the answers. What fills it now wakes the agent as well.
	 */
	err = first ? tls_handoff_send_ready(agent, ctx->id) : 0;
	if (err == -ENOBUFS || err == -EAGAIN)
		err = 0;
unlock:
	mutex_unlock(&tnet->lock);
	return err == -ECONNREFUSED ? -ESRCH : err;
}

/**
 * tls_handoff_upcall_adopt() - a handshake whose agent brought the connection itself
 * @ctx: the context, locked, in a handshake; gets its id
 *
 * Return: 0, -ENOBUFS if too many are pending, -ENOMEM.
 */
int tls_handoff_upcall_adopt(struct tls_handoff_ctx *ctx)
{
	int err;

	lockdep_assert_held(&ctx->lock);
	mutex_lock(&ctx->net->lock);
	err = tls_handoff_session_add(ctx);
	mutex_unlock(&ctx->net->lock);
	return err;
}

/**
 * tls_handoff_upcall_remove() - a handshake is over, accepted or not
 * @ctx: the context, locked, in a handshake
 */
void tls_handoff_upcall_remove(struct tls_handoff_ctx *ctx)
{
	struct tls_handoff_handshake *handshake = ctx->handshake;

	lockdep_assert_held(&ctx->lock);
	if (!ctx->id)
		return;
	mutex_lock(&ctx->net->lock);
	list_del_init(&handshake->link);
	tls_handoff_pending_sub(ctx->net, ctx->uid);
	mutex_unlock(&ctx->net->lock);
}

static struct tls_handoff_agent *tls_handoff_agent_find(struct tls_handoff_net *tnet, u32 portid)
{
	struct tls_handoff_agent *agent;

	lockdep_assert_held(&tnet->lock);
	list_for_each_entry(agent, &tnet->agents, link)
		if (agent->portid == portid)
			return agent;
	return NULL;
}

/* What waits for an agent that is gone fails now, not by a time-out */
static void tls_handoff_agent_gone(struct tls_handoff_net *tnet, u32 portid)
{
	struct tls_handoff_handshake *handshake;
	struct tls_handoff_agent *agent;
	struct tls_handoff_ctx *ctx;

	mutex_lock(&tnet->lock);
	agent = tls_handoff_agent_find(tnet, portid);
	if (!agent)
		goto unlock;
	/* Off the list nobody finds it, so its own list only gets shorter */
	list_del(&agent->link);
	while ((handshake = list_first_entry_or_null(&agent->waiting,
						     struct tls_handoff_handshake, link))) {
		list_del_init(&handshake->link);
		ctx = tls_handoff_get(handshake->ctx);
		mutex_unlock(&tnet->lock);
		tls_handoff_stat_inc(tnet, TLS_HANDOFF_STAT_AGENT_LOST);
		tls_handoff_fail(ctx, ESRCH, "tlshd ended before it took the handshake");
		tls_handoff_put(ctx);
		mutex_lock(&tnet->lock);
	}
	kfree(agent);
unlock:
	mutex_unlock(&tnet->lock);
}

static int tls_handoff_netlink_event(struct notifier_block *block, unsigned long event, void *ptr)
{
	struct netlink_notify *notify = ptr;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC)
		tls_handoff_agent_gone(tls_handoff_net(notify->net), notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block tls_handoff_netlink_notifier = {
	.notifier_call = tls_handoff_netlink_event,
};

/**
 * tls_handoff_nl_register_doit() - REGISTER: this port takes handshakes
 * @skb: the request
 * @info: its attributes
 *
 * Return: 0, -EALREADY or -ENOMEM.
 */
int tls_handoff_nl_register_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct tls_handoff_net *tnet = tls_handoff_net(net);
	struct tls_handoff_agent *agent;
	int err = 0;

	agent = kzalloc_obj(*agent, GFP_KERNEL_ACCOUNT);
	if (!agent)
		return -ENOMEM;
	INIT_LIST_HEAD(&agent->waiting);
	agent->net = net;
	agent->portid = info->snd_portid;

	mutex_lock(&tnet->lock);
	if (tls_handoff_agent_find(tnet, info->snd_portid))
		err = -EALREADY;
	else
		list_add(&agent->link, &tnet->agents);
	mutex_unlock(&tnet->lock);
	if (err)
		kfree(agent);
	return err;
}

/* The oldest handshake that waits for this port, with a reference */
static struct tls_handoff_ctx *tls_handoff_take(struct tls_handoff_net *tnet, u32 portid)
{
	struct tls_handoff_handshake *handshake;
	struct tls_handoff_agent *agent;
	struct tls_handoff_ctx *ctx;

	mutex_lock(&tnet->lock);
	agent = tls_handoff_agent_find(tnet, portid);
	if (!agent) {
		ctx = ERR_PTR(-ENOTCONN);
	} else if (list_empty(&agent->waiting)) {
		ctx = ERR_PTR(-EAGAIN);
	} else {
		handshake = list_first_entry(&agent->waiting, struct tls_handoff_handshake, link);
		list_del_init(&handshake->link);
		ctx = tls_handoff_get(handshake->ctx);
	}
	mutex_unlock(&tnet->lock);
	return ctx;
}

static int tls_handoff_put_cgroup(struct sk_buff *skb, struct cgroup *cgroup)
{
	char *path;
	int err;

	path = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	err = cgroup_path_ns(cgroup, path, PATH_MAX, current->nsproxy->cgroup_ns);
	/* A path that is cut would match a rule for its parent */
	if (err >= 0 && err < PATH_MAX)
		err = nla_put_string(skb, TLS_HANDOFF_A_SESSION_CGROUP, path);
	else
		err = 0;
	kfree(path);
	return err;
}

static int tls_handoff_put_params(struct sk_buff *skb, const struct tls_handoff_params *params)
{
	if (!params)
		return nla_put_string(skb, TLS_HANDOFF_A_SESSION_PROFILE, "default");

	if (nla_put_string(skb, TLS_HANDOFF_A_SESSION_PROFILE,
			   params->profile ? params->profile : "default") ||
	    tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_PEER_NAME, params->peer_name) ||
	    tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_PSK_IDENTITY,
				   params->psk_identity))
		return -EMSGSIZE;
	if (params->alpn_len &&
	    nla_put(skb, TLS_HANDOFF_A_SESSION_ALPN, params->alpn_len, params->alpn))
		return -EMSGSIZE;
	if (params->cipher_count &&
	    nla_put(skb, TLS_HANDOFF_A_SESSION_CIPHERS,
		    params->cipher_count * sizeof(params->ciphers[0]), params->ciphers))
		return -EMSGSIZE;
	if (params->auth && nla_put_u32(skb, TLS_HANDOFF_A_SESSION_AUTH, params->auth))
		return -EMSGSIZE;
	if (params->client_cert >= 0 &&
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_CLIENT_CERT, params->client_cert))
		return -EMSGSIZE;
	if (params->resume >= 0 &&
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_RESUME, params->resume))
		return -EMSGSIZE;
	if (params->min_version &&
	    nla_put_u16(skb, TLS_HANDOFF_A_SESSION_MIN_VERSION, params->min_version))
		return -EMSGSIZE;
	if (params->max_version &&
	    nla_put_u16(skb, TLS_HANDOFF_A_SESSION_MAX_VERSION, params->max_version))
		return -EMSGSIZE;
	return 0;
}

/* Locked, in a handshake */
static int tls_handoff_put_accept(struct sk_buff *skb, struct tls_handoff_ctx *ctx, int fd)
{
	const struct tls_handoff_params *params = ctx->params;
	struct user_namespace *user_ns = current_user_ns();
	u32 timeout = params && params->timeout ? params->timeout : TLS_HANDOFF_DEFAULT_TIMEOUT;
	/* Process ids of another namespace mean nothing to the agent */
	pid_t pid = task_active_pid_ns(current) == &init_pid_ns ? ctx->pid : 0;

	if (nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_ID, ctx->id,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_s32(skb, TLS_HANDOFF_A_SESSION_SESSION_FD, fd) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_ROLE, ctx->role) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_UID, from_kuid_munged(user_ns, ctx->uid)) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_GID, from_kgid_munged(user_ns, ctx->gid)) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_PID, pid) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_TIMEOUT, timeout) ||
	    tls_handoff_put_address(skb, TLS_HANDOFF_A_SESSION_LOCAL, ctx->sk, false) ||
	    tls_handoff_put_address(skb, TLS_HANDOFF_A_SESSION_REMOTE, ctx->sk, true) ||
	    tls_handoff_put_params(skb, params))
		return -EMSGSIZE;
	return tls_handoff_put_cgroup(skb, ctx->handshake->cgroup);
}

/* The reply to ACCEPT for a connection whose session fd is to be @fd */
static int tls_handoff_reply_accept(struct tls_handoff_ctx *ctx, struct genl_info *info, int fd)
{
	struct sk_buff *skb;
	void *header;
	int err;

	skb = genlmsg_new(SZ_8K, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	header = genlmsg_put_reply(skb, info, &tls_handoff_family, 0, TLS_HANDOFF_CMD_ACCEPT);
	if (!header) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	mutex_lock(&ctx->lock);
	/* The program may have closed, or TIMEOUT passed, since it was taken */
	if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE) {
		ctx->handshake->portid = info->snd_portid;
		err = tls_handoff_put_accept(skb, ctx, fd);
	} else {
		err = -ENOENT;
	}
	mutex_unlock(&ctx->lock);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

static int tls_handoff_accept_one(struct tls_handoff_ctx *ctx, struct genl_info *info)
{
	struct file *file;
	int err, fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		tls_handoff_fail(ctx, ENOBUFS, "tlshd has too many files open");
		return fd;
	}
	file = tls_handoff_session_file(ctx, genl_info_net(info));
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		tls_handoff_fail(ctx, ENOBUFS, "there is no memory for a session fd");
		return PTR_ERR(file);
	}
	err = tls_handoff_reply_accept(ctx, info, fd);
	if (err) {
		/* Its release fails the handshake */
		put_unused_fd(fd);
		fput(file);
		return err;
	}
	fd_install(fd, file);
	return 0;
}

/**
 * tls_handoff_nl_accept_doit() - ACCEPT: the oldest handshake that waits for this port
 * @skb: the request
 * @info: its attributes
 *
 * Return: 0 and a reply with the session fd, or -EAGAIN if none waits, -ENOTCONN if
 * the port did not REGISTER, -EMFILE and others if the handshake had to be failed.
 */
int tls_handoff_nl_accept_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct tls_handoff_net *tnet = tls_handoff_net(genl_info_net(info));
	struct tls_handoff_ctx *ctx;
	int err;

	do {
		ctx = tls_handoff_take(tnet, info->snd_portid);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		err = tls_handoff_accept_one(ctx, info);
		tls_handoff_put(ctx);
		/* The program gave up in the meantime: the next one */
	} while (err == -ENOENT);
	return err;
}

static struct tls_handoff_ctx *tls_handoff_find(struct genl_info *info)
{
	struct tls_handoff_net *tnet = tls_handoff_net(genl_info_net(info));
	struct tls_handoff_ctx *ctx;

	if (GENL_REQ_ATTR_CHECK(info, TLS_HANDOFF_A_SESSION_ID))
		return ERR_PTR(-EINVAL);
	/* An entry is erased before the last reference goes */
	xa_lock(&tnet->sessions);
	ctx = xa_load(&tnet->sessions, nla_get_u64(info->attrs[TLS_HANDOFF_A_SESSION_ID]));
	if (ctx)
		tls_handoff_get(ctx);
	xa_unlock(&tnet->sessions);
	return ctx ? ctx : ERR_PTR(-ENOENT);
}

static int tls_handoff_done_string(char **slot, struct nlattr *attr)
{
	if (!attr || !nla_len(attr))
		return 0;
	kfree(*slot);
	*slot = kmemdup_nul(nla_data(attr), nla_len(attr), GFP_KERNEL_ACCOUNT);
	return *slot ? 0 : -ENOMEM;
}

static int tls_handoff_done_results(struct tls_handoff_ctx *ctx, struct nlattr **attrs)
{
	struct nlattr *cert = attrs[TLS_HANDOFF_A_SESSION_PEER_CERT];
	struct tls_handoff_results *results;

	if (!attrs[TLS_HANDOFF_A_SESSION_ALPN] && !attrs[TLS_HANDOFF_A_SESSION_PEER_IDENTITY] &&
	    !attrs[TLS_HANDOFF_A_SESSION_SERVER_NAME] && !attrs[TLS_HANDOFF_A_SESSION_ERROR] &&
	    !cert)
		return 0;
	results = tls_handoff_results(ctx);
	if (!results ||
	    tls_handoff_done_string(&results->alpn, attrs[TLS_HANDOFF_A_SESSION_ALPN]) ||
	    tls_handoff_done_string(&results->peer_identity,
				    attrs[TLS_HANDOFF_A_SESSION_PEER_IDENTITY]) ||
	    tls_handoff_done_string(&results->server_name,
				    attrs[TLS_HANDOFF_A_SESSION_SERVER_NAME]) ||
	    tls_handoff_done_string(&results->error, attrs[TLS_HANDOFF_A_SESSION_ERROR]))
		return -ENOMEM;
	if (cert && nla_len(cert) && !results->peer_cert) {
		results->peer_cert = kmemdup(nla_data(cert), nla_len(cert), GFP_KERNEL_ACCOUNT);
		if (!results->peer_cert)
			return -ENOMEM;
		results->peer_cert_len = nla_len(cert);
		set_bit(TLS_HANDOFF_BIT_PEER_CERT, &ctx->flags);
	}
	return 0;
}

static s16 tls_handoff_done_alert(struct nlattr *attr, s16 absent)
{
	int value = attr ? nla_get_s32(attr) : absent;

	return value < -1 || value > U8_MAX ? absent : value;
}

static int tls_handoff_done_locked(struct tls_handoff_ctx *ctx, struct nlattr **attrs)
{
	u16 version = nla_get_u16_default(attrs[TLS_HANDOFF_A_SESSION_VERSION], 0);
	u16 cipher = nla_get_u16_default(attrs[TLS_HANDOFF_A_SESSION_CIPHER], 0);
	u32 status = nla_get_u32_default(attrs[TLS_HANDOFF_A_SESSION_STATUS], 0);
	u32 timeout;
	int err;

	ctx->verify_status = nla_get_u32_default(attrs[TLS_HANDOFF_A_SESSION_VERIFY_STATUS], 0);
	ctx->alert_sent = tls_handoff_done_alert(attrs[TLS_HANDOFF_A_SESSION_ALERT_SENT],
						 ctx->alert_sent);
	ctx->alert_received = tls_handoff_done_alert(attrs[TLS_HANDOFF_A_SESSION_ALERT_RECEIVED],
						     ctx->alert_received);
	err = tls_handoff_done_results(ctx, attrs);
	if (status || err)
		return err;

	if (version != TLS_1_2_VERSION && version != TLS_1_3_VERSION)
		return -EINVAL;
	ctx->auth = nla_get_u32_default(attrs[TLS_HANDOFF_A_SESSION_AUTH], 0);
	ctx->resumed = !!nla_get_u32_default(attrs[TLS_HANDOFF_A_SESSION_RESUMED], 0);
	ctx->limit = nla_get_u64_default(attrs[TLS_HANDOFF_A_SESSION_LIMIT_RECORDS], 0);
	if (!ctx->limit)
		ctx->limit = cipher == TLS_CIPHER_AES_CCM_128 ? TLS_HANDOFF_LIMIT_CCM :
								   TLS_HANDOFF_LIMIT;
	ctx->limit_near = ctx->limit - ctx->limit / 8;
	timeout = nla_get_u32_default(attrs[TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT], 0);
	if (timeout)
		ctx->hold_limit = msecs_to_jiffies(timeout);
	if (nla_get_flag(attrs[TLS_HANDOFF_A_SESSION_TRUNCATION_EOF]))
		set_bit(TLS_HANDOFF_BIT_TRUNCATION_EOF, &ctx->flags);
	ctx->version = version;
	ctx->cipher = cipher;
	return tls_handoff_ready(ctx);
}

/**
 * tls_handoff_nl_done_doit() - DONE: how a handshake ended
 * @skb: the request
 * @info: its attributes
 *
 * With a status other than 0 an established connection can be ended as well.
 *
 * Return: 0, -ENOENT (no such session, or over already), -EPERM (another port's
 * handshake), -EINVAL (keys or attributes missing: the handshake fails with EPROTO).
 */
int tls_handoff_nl_done_doit(struct sk_buff *skb, struct genl_info *info)
{
	u32 status = nla_get_u32_default(info->attrs[TLS_HANDOFF_A_SESSION_STATUS], 0);
	struct tls_handoff_ctx *ctx;
	int err = 0;

	ctx = tls_handoff_find(info);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	mutex_lock(&ctx->lock);
	if (ctx->state == TLS_HANDOFF_STATE_HANDSHAKE) {
		/* Of an adopted one there is no port: its agent knows it by its session fd */
		if (!ctx->consumer && ctx->handshake->portid != info->snd_portid) {
			err = -EPERM;
			goto unlock;
		}
		err = tls_handoff_done_locked(ctx, info->attrs);
	} else if (ctx->state == TLS_HANDOFF_STATE_ESTABLISHED && status) {
		err = tls_handoff_done_locked(ctx, info->attrs);
	} else {
		err = -ENOENT;
		goto unlock;
	}
	if (err && !status)
		status = EPROTO;
	mutex_unlock(&ctx->lock);
	if (status)
		tls_handoff_fail(ctx, status, err ? "tlshd gave a wrong answer" : NULL);
	tls_handoff_put(ctx);
	return err;

unlock:
	mutex_unlock(&ctx->lock);
	tls_handoff_put(ctx);
	return err;
}

/**
 * tls_handoff_nl_attach_doit() - ATTACH: a new session fd for an established session
 * @skb: the request
 * @info: its attributes
 *
 * Return: 0 and a reply with the fd, -ENOENT, -EBUSY if there is one.
 */
int tls_handoff_nl_attach_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct tls_handoff_ctx *ctx;
	struct sk_buff *reply = NULL;
	struct file *file;
	void *header;
	int err, fd;

	ctx = tls_handoff_find(info);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (tls_handoff_state(ctx) != TLS_HANDOFF_STATE_ESTABLISHED) {
		tls_handoff_put(ctx);
		return -ENOENT;
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		tls_handoff_put(ctx);
		return fd;
	}
	file = tls_handoff_session_file(ctx, genl_info_net(info));
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_fd;
	}
	err = -ENOMEM;
	reply = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		goto err_file;
	err = -EMSGSIZE;
	header = genlmsg_put_reply(reply, info, &tls_handoff_family, 0, TLS_HANDOFF_CMD_ATTACH);
	if (!header ||
	    nla_put_u64_64bit(reply, TLS_HANDOFF_A_SESSION_ID, ctx->id,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_s32(reply, TLS_HANDOFF_A_SESSION_SESSION_FD, fd)) {
		nlmsg_free(reply);
		goto err_file;
	}
	genlmsg_end(reply, header);
	err = genlmsg_reply(reply, info);
	if (err)
		goto err_file;
	fd_install(fd, file);
	tls_handoff_put(ctx);
	return 0;

err_file:
	fput(file);
err_fd:
	put_unused_fd(fd);
	tls_handoff_put(ctx);
	return err;
}

static int tls_handoff_put_session(struct sk_buff *skb, struct tls_handoff_ctx *ctx)
{
	const struct tls_handoff_results *results = ctx->results;
	const struct tls_handoff_params *params = ctx->params;
	struct user_namespace *user_ns = current_user_ns();
	struct tls_handoff_info info;

	tls_handoff_fill_info(ctx, &info);
	if (nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_ID, info.session_id,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_STATE, info.state) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_ROLE, info.role) ||
	    nla_put_u16(skb, TLS_HANDOFF_A_SESSION_VERSION, info.version) ||
	    nla_put_u16(skb, TLS_HANDOFF_A_SESSION_CIPHER, info.cipher) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_AUTH, info.auth) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_RESUMED, info.resumed) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_FLAGS, info.flags) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_STATUS, info.error) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_VERIFY_STATUS, info.verify_status) ||
	    nla_put_s32(skb, TLS_HANDOFF_A_SESSION_ALERT_SENT, info.alert_sent) ||
	    nla_put_s32(skb, TLS_HANDOFF_A_SESSION_ALERT_RECEIVED, info.alert_received) ||
	    nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_TX_GENERATION, info.tx_generation,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_RX_GENERATION, info.rx_generation,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_RECORDS_DIVERTED, info.records_diverted,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_HANDSHAKE_USEC, info.handshake_usec,
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_AGE,
			      ktime_ms_delta(ktime_get(), ctx->started),
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_UID, from_kuid_munged(user_ns, ctx->uid)) ||
	    nla_put_u32(skb, TLS_HANDOFF_A_SESSION_PID,
			task_active_pid_ns(current) == &init_pid_ns ? ctx->pid : 0) ||
	    nla_put_string(skb, TLS_HANDOFF_A_SESSION_PROFILE,
			   params && params->profile ? params->profile : "default") ||
	    tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_PEER_NAME,
				   params ? params->peer_name : NULL))
		return -EMSGSIZE;
	if (results &&
	    (tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_ALPN, results->alpn) ||
	     tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_PEER_IDENTITY,
				    results->peer_identity) ||
	     tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_SERVER_NAME,
				    results->server_name) ||
	     tls_handoff_put_string(skb, TLS_HANDOFF_A_SESSION_ERROR, results->error)))
		return -EMSGSIZE;
	if (!ctx->sk)
		return 0;
	if (nla_put_u64_64bit(skb, TLS_HANDOFF_A_SESSION_INODE, sock_i_ino(ctx->sk),
			      TLS_HANDOFF_A_SESSION_PAD) ||
	    tls_handoff_put_address(skb, TLS_HANDOFF_A_SESSION_LOCAL, ctx->sk, false) ||
	    tls_handoff_put_address(skb, TLS_HANDOFF_A_SESSION_REMOTE, ctx->sk, true))
		return -EMSGSIZE;
	return 0;
}

static int tls_handoff_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
				struct tls_handoff_ctx *ctx)
{
	void *header;
	int err;

	header = __genlmsg_iput(skb, genl_info_dump(cb), NLM_F_MULTI);
	if (!header)
		return -EMSGSIZE;
	mutex_lock(&ctx->lock);
	err = tls_handoff_put_session(skb, ctx);
	mutex_unlock(&ctx->lock);
	if (err) {
		genlmsg_cancel(skb, header);
		return err;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * tls_handoff_nl_get_dumpit() - GET: the sessions of the namespace, by id
 * @skb: the answer
 * @cb: cb->args[0] is the last id that was written
 *
 * Return: bytes, 0 at the end, or a negative errno.
 */
int tls_handoff_nl_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct tls_handoff_net *tnet = tls_handoff_net(sock_net(skb->sk));
	unsigned long id = cb->args[0];
	struct tls_handoff_ctx *ctx;
	int err = 0;

	for (;;) {
		xa_lock(&tnet->sessions);
		ctx = xa_find_after(&tnet->sessions, &id, ULONG_MAX, XA_PRESENT);
		if (ctx)
			tls_handoff_get(ctx);
		xa_unlock(&tnet->sessions);
		if (!ctx)
			break;
		err = tls_handoff_dump_one(skb, cb, ctx);
		tls_handoff_put(ctx);
		if (err)
			break;
		cb->args[0] = id;
	}
	return err == -EMSGSIZE && skb->len ? skb->len : err ? err : skb->len;
}

static struct genl_family tls_handoff_family __ro_after_init = {
	.name = TLS_HANDOFF_FAMILY_NAME,
	.version = TLS_HANDOFF_FAMILY_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.split_ops = tls_handoff_nl_ops,
	.n_split_ops = ARRAY_SIZE(tls_handoff_nl_ops),
};

/**
 * tls_handoff_upcall_init() - registers the family
 *
 * Return: 0 or a negative errno.
 */
int __init tls_handoff_upcall_init(void)
{
	int err;

	err = netlink_register_notifier(&tls_handoff_netlink_notifier);
	if (err)
		return err;
	err = genl_register_family(&tls_handoff_family);
	if (err)
		netlink_unregister_notifier(&tls_handoff_netlink_notifier);
	return err;
}

/**
 * tls_handoff_upcall_exit() - unregisters the family; agents that are left go
 */
void tls_handoff_upcall_exit(void)
{
	struct tls_handoff_agent *agent, *next;
	struct tls_handoff_net *tnet;
	struct net *net;

	genl_unregister_family(&tls_handoff_family);
	netlink_unregister_notifier(&tls_handoff_netlink_notifier);
	/* No socket uses the module, so nothing waits for them */
	down_read(&net_rwsem);
	for_each_net(net) {
		tnet = tls_handoff_net(net);
		list_for_each_entry_safe(agent, next, &tnet->agents, link)
			kfree(agent);
		INIT_LIST_HEAD(&tnet->agents);
	}
	up_read(&net_rwsem);
}
