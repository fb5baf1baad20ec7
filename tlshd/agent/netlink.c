// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink family tls_handoff, seen from the agent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/tls_handoff_netlink.h>

#include "genl.h"
#include "log.h"
#include "netlink.h"

struct netlink {
	struct genl *genl;
	const struct netlink_ops *ops;
	void *arg;
	bool registered; /* wanted; again when the family comes back */
	/* Where the answer to the request under way goes */
	struct handshake *handshake; /* ACCEPT */
	int *attached;		     /* ATTACH */
	void (*each)(void *arg, const struct netlink_session *session);
	void *each_arg;
};

static struct nla_policy policy[TLS_HANDOFF_A_SESSION_MAX + 1] = {
	[TLS_HANDOFF_A_SESSION_ID] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_SESSION_FD] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_ROLE] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_UID] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_GID] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PID] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_CGROUP] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_TIMEOUT] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PROFILE] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_PEER_NAME] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_AUTH] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_CLIENT_CERT] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PSK_IDENTITY] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_MIN_VERSION] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_MAX_VERSION] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_RESUME] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_VERSION] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_CIPHER] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_STATE] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_TX_GENERATION] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_RX_GENERATION] = { .type = NLA_U64 },
};

void handshake_clear(struct handshake *handshake)
{
	if (handshake->fd >= 0)
		close(handshake->fd);
	free(handshake->cgroup);
	memset(handshake, 0, sizeof(*handshake));
	handshake->fd = -1;
}

static uint32_t get_u32(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u32(attrs[type]) : 0;
}

static uint16_t get_u16(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u16(attrs[type]) : 0;
}

/* 0 or -EMSGSIZE: longer than the contract allows. */
static int get_bytes(struct nlattr **attrs, int type, void *buffer, size_t size, size_t *ret_len)
{
	size_t length;

	if (!attrs[type])
		return 0;
	length = nla_len(attrs[type]);
	if (length > size)
		return -EMSGSIZE;
	memcpy(buffer, nla_data(attrs[type]), length);
	*ret_len = length;
	return 0;
}

static int get_string(struct nlattr **attrs, int type, char *buffer, size_t size)
{
	size_t length = 0;
	int ret;

	ret = get_bytes(attrs, type, buffer, size, &length);
	if (ret == 0 && length == size && buffer[size - 1])
		ret = -EMSGSIZE;
	else if (ret == 0 && length < size)
		buffer[length] = '\0';
	return ret;
}

/* The answer to ACCEPT.  The session fd is ours from here on, also if the rest is refused. */
static int parse_accept(struct nlattr **attrs, struct handshake *h)
{
	size_t ciphers_len = 0, remote_len = 0;
	int ret = 0;

	memset(h, 0, sizeof(*h));
	h->fd = -1;
	if (attrs[TLS_HANDOFF_A_SESSION_SESSION_FD])
		h->fd = nla_get_s32(attrs[TLS_HANDOFF_A_SESSION_SESSION_FD]);
	if (h->fd < 0 || !attrs[TLS_HANDOFF_A_SESSION_ID] || !attrs[TLS_HANDOFF_A_SESSION_ROLE] ||
	    !attrs[TLS_HANDOFF_A_SESSION_UID])
		return -EPROTO;
	h->id = nla_get_u64(attrs[TLS_HANDOFF_A_SESSION_ID]);
	h->role = get_u32(attrs, TLS_HANDOFF_A_SESSION_ROLE);
	h->uid = get_u32(attrs, TLS_HANDOFF_A_SESSION_UID);
	h->gid = get_u32(attrs, TLS_HANDOFF_A_SESSION_GID);
	h->pid = get_u32(attrs, TLS_HANDOFF_A_SESSION_PID);
	h->timeout = get_u32(attrs, TLS_HANDOFF_A_SESSION_TIMEOUT);
	h->auth = get_u32(attrs, TLS_HANDOFF_A_SESSION_AUTH);
	h->has_client_cert = attrs[TLS_HANDOFF_A_SESSION_CLIENT_CERT];
	h->client_cert = get_u32(attrs, TLS_HANDOFF_A_SESSION_CLIENT_CERT);
	h->has_resume = attrs[TLS_HANDOFF_A_SESSION_RESUME];
	h->resume = get_u32(attrs, TLS_HANDOFF_A_SESSION_RESUME);
	h->min_version = get_u16(attrs, TLS_HANDOFF_A_SESSION_MIN_VERSION);
	h->max_version = get_u16(attrs, TLS_HANDOFF_A_SESSION_MAX_VERSION);
	if (attrs[TLS_HANDOFF_A_SESSION_CGROUP]) {
		h->cgroup = strndup(nla_data(attrs[TLS_HANDOFF_A_SESSION_CGROUP]),
				    nla_len(attrs[TLS_HANDOFF_A_SESSION_CGROUP]));
		if (!h->cgroup)
			return -ENOMEM;
	}
	if (get_string(attrs, TLS_HANDOFF_A_SESSION_PROFILE, h->profile, sizeof(h->profile)) ||
	    get_string(attrs, TLS_HANDOFF_A_SESSION_PEER_NAME, h->peer_name,
		       sizeof(h->peer_name)) ||
	    get_string(attrs, TLS_HANDOFF_A_SESSION_PSK_IDENTITY, h->psk_identity,
		       sizeof(h->psk_identity)) ||
	    get_bytes(attrs, TLS_HANDOFF_A_SESSION_ALPN, h->alpn, sizeof(h->alpn), &h->alpn_len) ||
	    get_bytes(attrs, TLS_HANDOFF_A_SESSION_CIPHERS, h->ciphers, sizeof(h->ciphers),
		      &ciphers_len) ||
	    get_bytes(attrs, TLS_HANDOFF_A_SESSION_REMOTE, &h->remote, sizeof(h->remote),
		      &remote_len))
		ret = -EMSGSIZE;
	h->cipher_count = ciphers_len / sizeof(h->ciphers[0]);
	return ret;
}

static uint64_t get_u64(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u64(attrs[type]) : 0;
}

/* One session of the answer to GET. */
static int parse_session(struct nlattr **attrs, struct netlink_session *s)
{
	struct handshake *h = &s->handshake;
	size_t remote_len = 0;

	memset(s, 0, sizeof(*s));
	h->fd = -1;
	if (!attrs[TLS_HANDOFF_A_SESSION_ID] || !attrs[TLS_HANDOFF_A_SESSION_STATE])
		return -EPROTO;
	h->id = nla_get_u64(attrs[TLS_HANDOFF_A_SESSION_ID]);
	h->role = get_u32(attrs, TLS_HANDOFF_A_SESSION_ROLE);
	h->uid = get_u32(attrs, TLS_HANDOFF_A_SESSION_UID);
	h->version = get_u16(attrs, TLS_HANDOFF_A_SESSION_VERSION);
	h->cipher = get_u16(attrs, TLS_HANDOFF_A_SESSION_CIPHER);
	s->state = get_u32(attrs, TLS_HANDOFF_A_SESSION_STATE);
	s->tx_generation = get_u64(attrs, TLS_HANDOFF_A_SESSION_TX_GENERATION);
	s->rx_generation = get_u64(attrs, TLS_HANDOFF_A_SESSION_RX_GENERATION);
	if (get_string(attrs, TLS_HANDOFF_A_SESSION_PROFILE, h->profile, sizeof(h->profile)) ||
	    get_string(attrs, TLS_HANDOFF_A_SESSION_PEER_NAME, h->peer_name,
		       sizeof(h->peer_name)) ||
	    get_bytes(attrs, TLS_HANDOFF_A_SESSION_REMOTE, &h->remote, sizeof(h->remote),
		      &remote_len))
		return -EMSGSIZE;
	return 0;
}

static void on_session(struct netlink *netlink, struct nlattr **attrs)
{
	struct netlink_session session;

	/* What cannot be understood is left alone. */
	if (parse_session(attrs, &session) == 0)
		netlink->each(netlink->each_arg, &session);
}

static int parse_attach(struct nlattr **attrs, int *ret_fd)
{
	if (!attrs[TLS_HANDOFF_A_SESSION_SESSION_FD])
		return -EPROTO;
	*ret_fd = nla_get_s32(attrs[TLS_HANDOFF_A_SESSION_SESSION_FD]);
	return 0;
}

/* What answers the request under way. */
static int on_answer(void *arg, struct nlmsghdr *header)
{
	struct nlattr *attrs[TLS_HANDOFF_A_SESSION_MAX + 1];
	uint8_t command = genlmsg_hdr(header)->cmd;
	struct netlink *netlink = arg;
	int ret = genlmsg_parse(header, 0, attrs, TLS_HANDOFF_A_SESSION_MAX, policy);

	if (ret < 0)
		ret = -EPROTO;
	else if (command == TLS_HANDOFF_CMD_ACCEPT && netlink->handshake)
		ret = parse_accept(attrs, netlink->handshake);
	else if (command == TLS_HANDOFF_CMD_ATTACH && netlink->attached)
		ret = parse_attach(attrs, netlink->attached);
	else if (command == TLS_HANDOFF_CMD_GET && netlink->each)
		on_session(netlink, attrs);
	/* One answer, except for GET */
	netlink->handshake = NULL;
	netlink->attached = NULL;
	return ret;
}

static void on_event(void *arg, struct nlmsghdr *header)
{
	struct netlink *netlink = arg;

	if (genlmsg_hdr(header)->cmd == TLS_HANDOFF_CMD_READY)
		genl_kick(netlink->genl);
}

static struct nl_msg *netlink_message(struct netlink *netlink, uint8_t command)
{
	return genl_message(netlink->genl, command, TLS_HANDOFF_FAMILY_VERSION, 0);
}

bool netlink_present(const struct netlink *netlink)
{
	return genl_family(netlink->genl) != 0;
}

int netlink_register(struct netlink *netlink)
{
	struct nl_msg *msg;
	int ret;

	netlink->registered = true;
	if (!netlink_present(netlink))
		return 0;
	msg = netlink_message(netlink, TLS_HANDOFF_CMD_REGISTER);
	if (!msg)
		return -ENOMEM;
	ret = genl_request(netlink->genl, msg);
	if (ret == 0)
		genl_kick(netlink->genl);
	return ret;
}

int netlink_accept(struct netlink *netlink, struct handshake *ret_handshake)
{
	struct handshake handshake = { .fd = -1 };
	struct nl_msg *msg;
	int ret;

	if (!netlink_present(netlink))
		return -EAGAIN;
	msg = netlink_message(netlink, TLS_HANDOFF_CMD_ACCEPT);
	if (!msg)
		return -ENOMEM;
	netlink->handshake = &handshake;
	ret = genl_request(netlink->genl, msg);
	netlink->handshake = NULL;
	if (ret == 0 && handshake.fd < 0)
		ret = -EPROTO;
	if (ret < 0) {
		handshake_clear(&handshake);
		return ret;
	}
	*ret_handshake = handshake;
	return 0;
}

int netlink_done(struct netlink *netlink, const struct handshake_result *r)
{
	struct nl_msg *msg = netlink_message(netlink, TLS_HANDOFF_CMD_DONE);
	int ret = 0;

	if (!msg)
		return -ENOMEM;
	ret |= nla_put_u64(msg, TLS_HANDOFF_A_SESSION_ID, r->id);
	ret |= nla_put_u32(msg, TLS_HANDOFF_A_SESSION_STATUS, r->status);
	if (r->verify_status)
		ret |= nla_put_u32(msg, TLS_HANDOFF_A_SESSION_VERIFY_STATUS, r->verify_status);
	if (r->alert_sent >= 0)
		ret |= nla_put_s32(msg, TLS_HANDOFF_A_SESSION_ALERT_SENT, r->alert_sent);
	if (r->alert_received >= 0)
		ret |= nla_put_s32(msg, TLS_HANDOFF_A_SESSION_ALERT_RECEIVED, r->alert_received);
	if (r->status) {
		if (r->error)
			ret |= nla_put_string(msg, TLS_HANDOFF_A_SESSION_ERROR, r->error);
	} else {
		ret |= nla_put_u16(msg, TLS_HANDOFF_A_SESSION_VERSION, r->version);
		ret |= nla_put_u16(msg, TLS_HANDOFF_A_SESSION_CIPHER, r->cipher);
		if (r->auth)
			ret |= nla_put_u32(msg, TLS_HANDOFF_A_SESSION_AUTH, r->auth);
		ret |= nla_put_u32(msg, TLS_HANDOFF_A_SESSION_RESUMED, r->resumed);
		if (r->alpn_len)
			ret |= nla_put(msg, TLS_HANDOFF_A_SESSION_ALPN, r->alpn_len, r->alpn);
		if (r->peer_identity)
			ret |= nla_put_string(msg, TLS_HANDOFF_A_SESSION_PEER_IDENTITY,
					      r->peer_identity);
		if (r->peer_cert_len)
			ret |= nla_put(msg, TLS_HANDOFF_A_SESSION_PEER_CERT, r->peer_cert_len,
				       r->peer_cert);
		if (r->server_name)
			ret |= nla_put_string(msg, TLS_HANDOFF_A_SESSION_SERVER_NAME,
					      r->server_name);
		if (r->limit_records)
			ret |= nla_put_u64(msg, TLS_HANDOFF_A_SESSION_LIMIT_RECORDS,
					   r->limit_records);
		if (r->handler_timeout)
			ret |= nla_put_u32(msg, TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT,
					   r->handler_timeout);
		if (r->truncation_eof)
			ret |= nla_put_flag(msg, TLS_HANDOFF_A_SESSION_TRUNCATION_EOF);
	}
	if (ret) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	return genl_request(netlink->genl, msg);
}

int netlink_get(struct netlink *netlink,
		void (*each)(void *arg, const struct netlink_session *session), void *arg)
{
	struct nl_msg *msg;
	int ret;

	if (!netlink_present(netlink))
		return 0;
	msg = genl_message(netlink->genl, TLS_HANDOFF_CMD_GET, TLS_HANDOFF_FAMILY_VERSION,
			   NLM_F_DUMP);
	if (!msg)
		return -ENOMEM;
	netlink->each = each;
	netlink->each_arg = arg;
	ret = genl_request(netlink->genl, msg);
	netlink->each = NULL;
	return ret;
}

uint16_t netlink_family(const struct netlink *netlink)
{
	return genl_family(netlink->genl);
}

int netlink_attach(struct netlink *netlink, uint64_t id, int *ret_fd)
{
	struct nl_msg *msg = netlink_message(netlink, TLS_HANDOFF_CMD_ATTACH);
	int fd = -1, ret;

	if (!msg)
		return -ENOMEM;
	if (nla_put_u64(msg, TLS_HANDOFF_A_SESSION_ID, id)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	netlink->attached = &fd;
	ret = genl_request(netlink->genl, msg);
	netlink->attached = NULL;
	if (ret == 0 && fd < 0)
		ret = -EPROTO;
	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

/* The module was loaded anew: what it knew of us is gone. */
static void on_appeared(void *arg)
{
	struct netlink *netlink = arg;
	int ret;

	if (!netlink->registered)
		return;
	ret = netlink_register(netlink);
	if (ret < 0)
		log_message(LOG_ERR, "cannot register with the module that was loaded: %s",
			    strerror(-ret));
	else
		log_message(LOG_NOTICE, "tls_handoff.ko was loaded: registered with it");
}

static void on_kick(void *arg)
{
	struct netlink *netlink = arg;

	if (netlink->registered)
		netlink->ops->ready(netlink->arg);
}

static const struct genl_ops genl_ops = {
	.answer = on_answer,
	.event = on_event,
	.kick = on_kick,
	.appeared = on_appeared,
};

int netlink_open(struct event_base *base, const struct netlink_ops *ops, void *arg,
		 struct netlink **ret_netlink)
{
	struct netlink *netlink;
	int ret;

	netlink = calloc(1, sizeof(*netlink));
	if (!netlink)
		return -ENOMEM;
	netlink->ops = ops;
	netlink->arg = arg;
	ret = genl_open(base, TLS_HANDOFF_FAMILY_NAME, &genl_ops, netlink, -1, &netlink->genl);
	if (ret < 0) {
		free(netlink);
		return ret;
	}
	*ret_netlink = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	genl_close(netlink->genl);
	free(netlink);
}
