// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Generic netlink in an event loop, see genl.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/genetlink.h>

#include "genl.h"

#define GENL_BUFFER    (1024 * 1024) /* bytes: events that may wait */
#define GENL_MESSAGE   (64 * 1024)   /* bytes of one message, either way */
#define GENL_ANSWER_MS 1000	     /* an answer is there at once; this is for the impossible */
#define GENL_TRIES     16	     /* failed receives while an answer is waited for */

struct genl {
	struct nl_sock *sock;
	struct nl_cb *cb;
	const char *name;
	int family; /* 0: not there */
	struct event *event;
	struct event *kick;
	const struct genl_ops *ops;
	void *arg;
	bool appeared; /* the family was announced anew */
	/* The request under way */
	bool waiting;
	uint32_t seq;
	int result;
};

uint16_t genl_family(const struct genl *genl)
{
	return (uint16_t)genl->family;
}

int genl_fd(const struct genl *genl)
{
	return nl_socket_get_fd(genl->sock);
}

void genl_kick(struct genl *genl)
{
	event_active(genl->kick, EV_TIMEOUT, 1);
}

static void on_control(struct genl *genl, struct nlmsghdr *header)
{
	struct nlattr *ctrl[CTRL_ATTR_MAX + 1];

	if (genlmsg_hdr(header)->cmd != CTRL_CMD_NEWFAMILY ||
	    genlmsg_parse(header, 0, ctrl, CTRL_ATTR_MAX, NULL) != 0 ||
	    !ctrl[CTRL_ATTR_FAMILY_NAME] ||
	    nla_strcmp(ctrl[CTRL_ATTR_FAMILY_NAME], genl->name) != 0)
		return;
	genl->appeared = true;
	genl_kick(genl);
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct genl *genl = arg;

	if (!genlmsg_valid_hdr(header, 0))
		return NL_SKIP;
	if (header->nlmsg_type == GENL_ID_CTRL)
		on_control(genl, header);
	else if (genl->waiting && header->nlmsg_seq == genl->seq)
		genl->result = genl->ops->answer ? genl->ops->answer(genl->arg, header) : 0;
	else if (genl->ops->event)
		genl->ops->event(genl->arg, header);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct genl *genl = arg;

	if (nlmsg_hdr(msg)->nlmsg_seq == genl->seq)
		genl->waiting = false;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *error, void *arg)
{
	struct genl *genl = arg;

	if (genl->waiting && error->msg.nlmsg_seq == genl->seq) {
		genl->waiting = false;
		genl->result = error->error;
	}
	return NL_SKIP;
}

/* The end of a dump carries its errno. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct genl *genl = arg;
	int32_t error = 0;

	if (!genl->waiting || header->nlmsg_seq != genl->seq)
		return NL_OK;
	if (nlmsg_datalen(header) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(header), sizeof(error));
	if (error < 0)
		genl->result = error;
	genl->waiting = false;
	return NL_OK;
}

/* Events carry no sequence number of ours. */
static int on_seq_check(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

struct nl_msg *genl_message(struct genl *genl, uint8_t command, uint8_t version, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(GENL_MESSAGE);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, genl->family, 0,
				NLM_F_REQUEST | flags, command, version)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int genl_request(struct genl *genl, struct nl_msg *msg)
{
	struct pollfd poller = { nl_socket_get_fd(genl->sock), POLLIN };
	int ret, tries;

	genl->result = 0;
	ret = nl_send_auto(genl->sock, msg);
	genl->seq = nlmsg_hdr(msg)->nlmsg_seq;
	genl->waiting = ret >= 0;
	nlmsg_free(msg);
	if (ret < 0)
		return ret == -NLE_NOMEM ? -ENOMEM : -EIO;
	for (tries = 0; genl->waiting && tries < GENL_TRIES;) {
		ret = nl_recvmsgs(genl->sock, genl->cb);
		if (ret == -NLE_AGAIN && poll(&poller, 1, GENL_ANSWER_MS) == 0)
			break;
		if (ret < 0 && ret != -NLE_AGAIN && genl->waiting) {
			tries++;
			genl_kick(genl); /* an event may be lost */
		}
	}
	if (genl->waiting) {
		genl->waiting = false;
		return -EIO;
	}
	return genl->result;
}

/* On a socket of its own: events may wait on ours. */
static int resolve(struct genl *genl)
{
	struct nl_sock *sock = nl_socket_alloc();
	int family = -1;

	if (!sock)
		return -ENOMEM;
	if (genl_connect(sock) == 0)
		family = genl_ctrl_resolve(sock, genl->name);
	nl_socket_free(sock);
	genl->family = family < 0 ? 0 : family;
	return 0;
}

static int join(struct genl *genl, const char *family, const char *group)
{
	struct nl_sock *sock = nl_socket_alloc();
	int number = -1, ret;

	if (!sock)
		return -ENOMEM;
	if (genl_connect(sock) == 0)
		number = genl_ctrl_resolve_grp(sock, family, group);
	nl_socket_free(sock);
	if (number < 0)
		return -ENOENT;
	ret = nl_socket_add_membership(genl->sock, number);
	return ret == 0 ? 0 : ret == -NLE_PERM ? -EPERM : -EIO;
}

int genl_join(struct genl *genl, const char *group)
{
	return join(genl, genl->name, group);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct genl *genl = arg;
	int ret;

	ret = nl_recvmsgs(genl->sock, genl->cb);
	if (ret < 0 && ret != -NLE_AGAIN && ret != -NLE_INTR)
		genl_kick(genl); /* an event may be lost */
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct genl *genl = arg;

	if (genl->appeared) {
		genl->appeared = false;
		if (resolve(genl) == 0 && genl->family && genl->ops->appeared)
			genl->ops->appeared(genl->arg);
	}
	if (genl->ops->kick)
		genl->ops->kick(genl->arg);
}

static int setup(struct genl *genl, struct event_base *base, int inherited)
{
	int ret;

	genl->sock = nl_socket_alloc();
	genl->cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!genl->sock || !genl->cb)
		return -ENOMEM;
	if (inherited >= 0) {
		if (nl_socket_set_fd(genl->sock, NETLINK_GENERIC, inherited) < 0)
			return -EBADF;
	} else if (genl_connect(genl->sock) < 0) {
		return -EPROTONOSUPPORT;
	}
	ret = resolve(genl);
	if (ret < 0)
		return ret;
	/* Tells when the family comes back; without it a reloaded module needs a restart. */
	(void)join(genl, "nlctrl", "notify");
	(void)nl_socket_set_buffer_size(genl->sock, GENL_BUFFER, 0);
	if (nl_socket_set_msg_buf_size(genl->sock, GENL_MESSAGE) < 0 ||
	    nl_socket_set_nonblocking(genl->sock) < 0)
		return -ENOMEM;
	nl_cb_set(genl->cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, genl);
	nl_cb_set(genl->cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, genl);
	nl_cb_set(genl->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, genl);
	nl_cb_set(genl->cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_seq_check, genl);
	nl_cb_err(genl->cb, NL_CB_CUSTOM, on_error, genl);
	genl->event = event_new(base, nl_socket_get_fd(genl->sock), EV_READ | EV_PERSIST,
				on_readable, genl);
	genl->kick = event_new(base, -1, 0, on_kick, genl);
	if (!genl->event || !genl->kick || event_add(genl->event, NULL))
		return -ENOMEM;
	return 0;
}

int genl_open(struct event_base *base, const char *family, const struct genl_ops *ops, void *arg,
	      int inherited, struct genl **ret_genl)
{
	struct genl *genl;
	int ret;

	genl = calloc(1, sizeof(*genl));
	if (!genl) {
		if (inherited >= 0)
			close(inherited);
		return -ENOMEM;
	}
	genl->name = family;
	genl->ops = ops;
	genl->arg = arg;
	ret = setup(genl, base, inherited);
	if (ret < 0) {
		genl_close(genl);
		return ret;
	}
	*ret_genl = genl;
	return 0;
}

void genl_close(struct genl *genl)
{
	if (!genl)
		return;
	if (genl->event)
		event_free(genl->event);
	if (genl->kick)
		event_free(genl->kick);
	nl_cb_put(genl->cb);
	nl_socket_free(genl->sock);
	free(genl);
}
