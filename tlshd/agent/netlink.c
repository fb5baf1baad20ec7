// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink family tls_handoff, seen from the agent: one socket for requests,
 * their answers and the READY events that come between.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/genetlink.h>
#include <linux/tls_handoff_netlink.h>

#include "log.h"
#include "netlink.h"

#define NETLINK_BUFFER	  (1024 * 1024) /* bytes: READY events that may wait */
#define NETLINK_MESSAGE	  (64 * 1024)	/* bytes of one message, either way */
#define NETLINK_ANSWER_MS 1000		/* an answer is there at once; this is for the impossible */
#define NETLINK_TRIES	  16		/* failed receives while an answer is waited for */

struct netlink {
	struct nl_sock *sock;
	struct nl_cb *cb;
	int family;
	struct event *event;
	struct event *kick; /* runs ops->ready() from the loop */
	const struct netlink_ops *ops;
	void *arg;
	bool registered; /* wanted; again when the family comes back */
	bool appeared;	 /* the family was announced anew */
	/* The request under way */
	bool waiting;
	uint32_t seq;
	int result;
	struct handshake *handshake; /* where the answer to ACCEPT goes */
	int *attached;		     /* where ATTACH's goes */
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
static void on_answer(struct netlink *netlink, uint8_t command, struct nlmsghdr *header)
{
	struct nlattr *attrs[TLS_HANDOFF_A_SESSION_MAX + 1];
	int ret = genlmsg_parse(header, 0, attrs, TLS_HANDOFF_A_SESSION_MAX, policy);

	if (ret < 0)
		netlink->result = -EPROTO;
	else if (command == TLS_HANDOFF_CMD_ACCEPT && netlink->handshake)
		netlink->result = parse_accept(attrs, netlink->handshake);
	else if (command == TLS_HANDOFF_CMD_ATTACH && netlink->attached)
		netlink->result = parse_attach(attrs, netlink->attached);
	else if (command == TLS_HANDOFF_CMD_GET && netlink->each)
		on_session(netlink, attrs);
	/* One answer, except for GET */
	netlink->handshake = NULL;
	netlink->attached = NULL;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct nlattr *ctrl[CTRL_ATTR_MAX + 1];
	struct netlink *netlink = arg;
	struct genlmsghdr *genl;

	if (!genlmsg_valid_hdr(header, 0))
		return NL_SKIP;
	genl = genlmsg_hdr(header);
	if (header->nlmsg_type == GENL_ID_CTRL) {
		if (genl->cmd == CTRL_CMD_NEWFAMILY &&
		    genlmsg_parse(header, 0, ctrl, CTRL_ATTR_MAX, NULL) == 0 &&
		    ctrl[CTRL_ATTR_FAMILY_NAME] &&
		    nla_strcmp(ctrl[CTRL_ATTR_FAMILY_NAME], TLS_HANDOFF_FAMILY_NAME) == 0) {
			netlink->appeared = true;
			event_active(netlink->kick, EV_TIMEOUT, 1);
		}
	} else if (genl->cmd == TLS_HANDOFF_CMD_READY) {
		event_active(netlink->kick, EV_TIMEOUT, 1);
	} else if (netlink->waiting && header->nlmsg_seq == netlink->seq) {
		on_answer(netlink, genl->cmd, header);
	}
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct netlink *netlink = arg;

	if (nlmsg_hdr(msg)->nlmsg_seq == netlink->seq)
		netlink->waiting = false;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *error, void *arg)
{
	struct netlink *netlink = arg;

	if (netlink->waiting && error->msg.nlmsg_seq == netlink->seq) {
		netlink->waiting = false;
		netlink->result = error->error;
	}
	return NL_SKIP;
}

/* The end of a dump carries its errno. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct netlink *netlink = arg;
	int32_t error = 0;

	if (!netlink->waiting || header->nlmsg_seq != netlink->seq)
		return NL_OK;
	if (nlmsg_datalen(header) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(header), sizeof(error));
	if (error < 0)
		netlink->result = error;
	netlink->waiting = false;
	return NL_OK;
}

/* Events of this family carry no sequence number of ours. */
static int on_seq_check(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

/* Sends @msg, frees it, and reads until its acknowledgement or a dump's end.  0 or the kernel's
 * -errno. */
static int netlink_request(struct netlink *netlink, struct nl_msg *msg)
{
	struct pollfd poller = { nl_socket_get_fd(netlink->sock), POLLIN };
	int ret, tries;

	netlink->result = 0;
	ret = nl_send_auto(netlink->sock, msg);
	netlink->seq = nlmsg_hdr(msg)->nlmsg_seq;
	netlink->waiting = ret >= 0;
	nlmsg_free(msg);
	if (ret < 0)
		return ret == -NLE_NOMEM ? -ENOMEM : -EIO;
	for (tries = 0; netlink->waiting && tries < NETLINK_TRIES;) {
		ret = nl_recvmsgs(netlink->sock, netlink->cb);
		if (ret == -NLE_AGAIN && poll(&poller, 1, NETLINK_ANSWER_MS) == 0)
			break;
		if (ret < 0 && ret != -NLE_AGAIN && netlink->waiting) {
			tries++;
			event_active(netlink->kick, EV_TIMEOUT, 1); /* an event may be lost */
		}
	}
	if (netlink->waiting) {
		netlink->waiting = false;
		return -EIO;
	}
	return netlink->result;
}

static struct nl_msg *netlink_message_flags(struct netlink *netlink, uint8_t command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(NETLINK_MESSAGE);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, netlink->family, 0,
				NLM_F_REQUEST | flags, command, TLS_HANDOFF_FAMILY_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *netlink_message(struct netlink *netlink, uint8_t command)
{
	return netlink_message_flags(netlink, command, 0);
}

int netlink_register(struct netlink *netlink)
{
	struct nl_msg *msg = netlink_message(netlink, TLS_HANDOFF_CMD_REGISTER);
	int ret;

	if (!msg)
		return -ENOMEM;
	ret = netlink_request(netlink, msg);
	if (ret == 0) {
		netlink->registered = true;
		event_active(netlink->kick, EV_TIMEOUT, 1);
	}
	return ret;
}

int netlink_accept(struct netlink *netlink, struct handshake *ret_handshake)
{
	struct nl_msg *msg = netlink_message(netlink, TLS_HANDOFF_CMD_ACCEPT);
	struct handshake handshake = { .fd = -1 };
	int ret;

	if (!msg)
		return -ENOMEM;
	netlink->handshake = &handshake;
	ret = netlink_request(netlink, msg);
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
	return netlink_request(netlink, msg);
}

int netlink_get(struct netlink *netlink,
		void (*each)(void *arg, const struct netlink_session *session), void *arg)
{
	struct nl_msg *msg = netlink_message_flags(netlink, TLS_HANDOFF_CMD_GET, NLM_F_DUMP);
	int ret;

	if (!msg)
		return -ENOMEM;
	netlink->each = each;
	netlink->each_arg = arg;
	ret = netlink_request(netlink, msg);
	netlink->each = NULL;
	return ret;
}

uint16_t netlink_family(const struct netlink *netlink)
{
	return (uint16_t)netlink->family;
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
	ret = netlink_request(netlink, msg);
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

/* On a socket of its own: events may wait on ours. */
static int netlink_resolve(struct netlink *netlink)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret = -EPROTONOSUPPORT;

	if (!sock)
		return -ENOMEM;
	if (genl_connect(sock) == 0) {
		netlink->family = genl_ctrl_resolve(sock, TLS_HANDOFF_FAMILY_NAME);
		ret = netlink->family < 0 ? -ENOENT : 0;
	}
	nl_socket_free(sock);
	return ret;
}

/* The module was loaded anew: what it knew of us is gone. */
static void netlink_reappear(struct netlink *netlink)
{
	int ret;

	netlink->appeared = false;
	if (!netlink->registered)
		return;
	ret = netlink_resolve(netlink);
	if (ret == 0)
		ret = netlink_register(netlink);
	if (ret < 0)
		log_message(LOG_ERR, "cannot register with the module that was loaded again: %s",
			    strerror(-ret));
	else
		log_message(LOG_NOTICE, "tls_handoff.ko was loaded again: registered with it");
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *netlink = arg;
	int ret;

	ret = nl_recvmsgs(netlink->sock, netlink->cb);
	if (ret < 0 && ret != -NLE_AGAIN && ret != -NLE_INTR)
		event_active(netlink->kick, EV_TIMEOUT, 1); /* an event may be lost */
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *netlink = arg;

	if (netlink->appeared)
		netlink_reappear(netlink);
	if (netlink->registered)
		netlink->ops->ready(netlink->arg);
}

static int netlink_setup(struct netlink *netlink, struct event_base *base)
{
	int group, ret;

	netlink->sock = nl_socket_alloc();
	netlink->cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!netlink->sock || !netlink->cb)
		return -ENOMEM;
	if (genl_connect(netlink->sock) < 0)
		return -EPROTONOSUPPORT;
	ret = netlink_resolve(netlink);
	if (ret < 0)
		return ret;
	/* Tells when the family comes back; without it a reloaded module needs a restart. */
	group = genl_ctrl_resolve_grp(netlink->sock, "nlctrl", "notify");
	if (group >= 0)
		(void)nl_socket_add_membership(netlink->sock, group);
	(void)nl_socket_set_buffer_size(netlink->sock, NETLINK_BUFFER, 0);
	if (nl_socket_set_msg_buf_size(netlink->sock, NETLINK_MESSAGE) < 0 ||
	    nl_socket_set_nonblocking(netlink->sock) < 0)
		return -ENOMEM;
	nl_cb_set(netlink->cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, netlink);
	nl_cb_set(netlink->cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, netlink);
	nl_cb_set(netlink->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, netlink);
	nl_cb_set(netlink->cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_seq_check, netlink);
	nl_cb_err(netlink->cb, NL_CB_CUSTOM, on_error, netlink);
	netlink->event = event_new(base, nl_socket_get_fd(netlink->sock), EV_READ | EV_PERSIST,
				   on_event, netlink);
	netlink->kick = event_new(base, -1, 0, on_kick, netlink);
	if (!netlink->event || !netlink->kick || event_add(netlink->event, NULL))
		return -ENOMEM;
	return 0;
}

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
	ret = netlink_setup(netlink, base);
	if (ret < 0) {
		netlink_close(netlink);
		return ret;
	}
	*ret_netlink = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->event)
		event_free(netlink->event);
	if (netlink->kick)
		event_free(netlink->kick);
	nl_cb_put(netlink->cb);
	nl_socket_free(netlink->sock);
	free(netlink);
}
