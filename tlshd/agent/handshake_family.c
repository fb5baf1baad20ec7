// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's netlink family `handshake`, see handshake_family.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "genl.h"
#include "handshake_family.h"
#include "log.h"

struct handshake_family {
	struct genl *genl;
	const struct handshake_family_ops *ops;
	void *arg;
	bool joined;
	struct consumer_request *request; /* where the answer to ACCEPT goes */
};

static struct nla_policy policy[HANDSHAKE_A_ACCEPT_MAX + 1] = {
	[HANDSHAKE_A_ACCEPT_SOCKFD] = { .type = NLA_S32 },
	[HANDSHAKE_A_ACCEPT_HANDLER_CLASS] = { .type = NLA_U32 },
	[HANDSHAKE_A_ACCEPT_MESSAGE_TYPE] = { .type = NLA_U32 },
	[HANDSHAKE_A_ACCEPT_TIMEOUT] = { .type = NLA_U32 },
	[HANDSHAKE_A_ACCEPT_AUTH_MODE] = { .type = NLA_U32 },
	[HANDSHAKE_A_ACCEPT_PEER_IDENTITY] = { .type = NLA_U32 },
	[HANDSHAKE_A_ACCEPT_CERTIFICATE] = { .type = NLA_NESTED },
	[HANDSHAKE_A_ACCEPT_PEERNAME] = { .type = NLA_STRING },
	[HANDSHAKE_A_ACCEPT_KEYRING] = { .type = NLA_U32 },
};

static struct nla_policy x509_policy[HANDSHAKE_A_X509_MAX + 1] = {
	[HANDSHAKE_A_X509_CERT] = { .type = NLA_S32 },
	[HANDSHAKE_A_X509_PRIVKEY] = { .type = NLA_S32 },
};

static uint32_t get_u32(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u32(attrs[type]) : 0;
}

static int parse_certificate(struct nlattr *nested, struct consumer_request *request)
{
	struct nlattr *attrs[HANDSHAKE_A_X509_MAX + 1];

	if (nla_parse_nested(attrs, HANDSHAKE_A_X509_MAX, nested, x509_policy) < 0)
		return -EBADMSG;
	request->cert_key = get_u32(attrs, HANDSHAKE_A_X509_CERT);
	request->private_key = get_u32(attrs, HANDSHAKE_A_X509_PRIVKEY);
	return 0;
}

/* Several attributes of one kind: the parser only shows the last. */
static void parse_identities(struct nlmsghdr *header, struct consumer_request *request)
{
	struct nlattr *attr;
	int rest;

	nlmsg_for_each_attr(attr, header, GENL_HDRLEN,
			    rest) if (nla_type(attr) == HANDSHAKE_A_ACCEPT_PEER_IDENTITY &&
				      request->psk_key_count < CHANNEL_MAX_PSK_KEYS)
		request->psk_keys[request->psk_key_count++] = nla_get_u32(attr);
}

/* The socket is ours from here on, also if the rest is refused. */
static int parse_accept(struct nlmsghdr *header, struct consumer_request *request)
{
	struct nlattr *attrs[HANDSHAKE_A_ACCEPT_MAX + 1];
	struct nlattr *name;

	if (genlmsg_parse(header, 0, attrs, HANDSHAKE_A_ACCEPT_MAX, policy) < 0 ||
	    !attrs[HANDSHAKE_A_ACCEPT_SOCKFD])
		return -EPROTO;
	request->fd = nla_get_s32(attrs[HANDSHAKE_A_ACCEPT_SOCKFD]);
	request->type = get_u32(attrs, HANDSHAKE_A_ACCEPT_MESSAGE_TYPE);
	request->auth = get_u32(attrs, HANDSHAKE_A_ACCEPT_AUTH_MODE);
	request->timeout = get_u32(attrs, HANDSHAKE_A_ACCEPT_TIMEOUT);
	request->keyring = get_u32(attrs, HANDSHAKE_A_ACCEPT_KEYRING);
	parse_identities(header, request);
	name = attrs[HANDSHAKE_A_ACCEPT_PEERNAME];
	if (name && strnlen(nla_data(name), nla_len(name)) > TLS_HANDOFF_MAX_PEER_NAME)
		return -EBADMSG;
	if (name)
		nla_strlcpy(request->peer_name, name, sizeof(request->peer_name));
	if (attrs[HANDSHAKE_A_ACCEPT_CERTIFICATE])
		return parse_certificate(attrs[HANDSHAKE_A_ACCEPT_CERTIFICATE], request);
	return 0;
}

static int on_answer(void *arg, struct nlmsghdr *header)
{
	struct handshake_family *family = arg;
	struct consumer_request *request = family->request;

	family->request = NULL;
	return request ? parse_accept(header, request) : 0;
}

static void on_event(void *arg, struct nlmsghdr *header)
{
	struct handshake_family *family = arg;

	if (genlmsg_hdr(header)->cmd == HANDSHAKE_CMD_READY)
		genl_kick(family->genl);
}

static void on_kick(void *arg)
{
	struct handshake_family *family = arg;

	if (family->joined)
		family->ops->ready(family->arg);
}

static const struct genl_ops genl_ops = {
	.answer = on_answer,
	.event = on_event,
	.kick = on_kick,
};

/* The family is per network namespace, and so is the socket. */
static bool is_ours(int fd)
{
	int space = ioctl(fd, SIOCGSKNS);
	struct stat theirs, ours;
	bool same;

	if (space < 0)
		return false;
	same = fstat(space, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
	close(space);
	return same;
}

int handshake_family_open(struct event_base *base, const struct handshake_family_ops *ops,
			  void *arg, int inherited, struct handshake_family **ret_family)
{
	struct handshake_family *family = calloc(1, sizeof(*family));
	int ret;

	if (!family) {
		if (inherited >= 0)
			close(inherited);
		return -ENOMEM;
	}
	family->ops = ops;
	family->arg = arg;
	if (inherited >= 0 && !is_ours(inherited)) {
		close(inherited);
		inherited = -1;
	}
	ret = genl_open(base, HANDSHAKE_FAMILY_NAME, &genl_ops, family, inherited, &family->genl);
	if (ret == 0 && !genl_family(family->genl))
		ret = -ENOENT;
	if (ret < 0) {
		handshake_family_close(family);
		return ret;
	}
	*ret_family = family;
	return 0;
}

void handshake_family_close(struct handshake_family *family)
{
	if (!family)
		return;
	genl_close(family->genl);
	free(family);
}

int handshake_family_fd(const struct handshake_family *family)
{
	return genl_fd(family->genl);
}

int handshake_family_join(struct handshake_family *family)
{
	int ret = genl_join(family->genl, HANDSHAKE_MCGRP_TLSHD);

	if (ret == 0) {
		family->joined = true;
		/* Requests may have come while nobody read the inherited socket. */
		genl_kick(family->genl);
	}
	return ret;
}

int handshake_family_accept(struct handshake_family *family, struct consumer_request *ret_request)
{
	struct nl_msg *msg =
		genl_message(family->genl, HANDSHAKE_CMD_ACCEPT, HANDSHAKE_FAMILY_VERSION, 0);
	struct consumer_request request = { .fd = -1 };
	int ret;

	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, HANDSHAKE_A_ACCEPT_HANDLER_CLASS, HANDSHAKE_HANDLER_CLASS_TLSHD)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	family->request = &request;
	ret = genl_request(family->genl, msg);
	family->request = NULL;
	if (ret == 0 && request.fd < 0)
		ret = -EPROTO;
	if (ret < 0 && request.fd >= 0) {
		(void)!handshake_family_done(family, request.fd, EACCES, 0);
		close(request.fd);
	}
	if (ret == 0)
		*ret_request = request;
	return ret;
}

int handshake_family_done(struct handshake_family *family, int fd, uint32_t status, uint32_t peer)
{
	struct nl_msg *msg =
		genl_message(family->genl, HANDSHAKE_CMD_DONE, HANDSHAKE_FAMILY_VERSION, 0);
	int ret = 0;

	if (!msg)
		return -ENOMEM;
	ret |= nla_put_u32(msg, HANDSHAKE_A_DONE_STATUS, status);
	ret |= nla_put_s32(msg, HANDSHAKE_A_DONE_SOCKFD, fd);
	if (!status && peer)
		ret |= nla_put_u32(msg, HANDSHAKE_A_DONE_REMOTE_AUTH, peer);
	if (ret) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	return genl_request(family->genl, msg);
}
