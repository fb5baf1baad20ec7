// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The GET dump of the netlink family tls_handoff.  What tlshd passes on are the kernel's own
 * messages, so both ways are read alike.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/tls_handoff_netlink.h>

#include "control.h"
#include "sessions.h"

#define PIECE	      65536 /* bytes: more than tlshd passes on at once */
#define PIECE_TIMEOUT 10000 /* milliseconds */

struct dump {
	void (*each)(const struct session *session, void *data);
	void *data;
};

static struct nla_policy policy[TLS_HANDOFF_A_SESSION_MAX + 1] = {
	[TLS_HANDOFF_A_SESSION_ID] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_ROLE] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_UID] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PID] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PROFILE] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_PEER_NAME] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_AUTH] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_STATUS] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_VERSION] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_CIPHER] = { .type = NLA_U16 },
	[TLS_HANDOFF_A_SESSION_RESUMED] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_PEER_IDENTITY] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_SERVER_NAME] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_VERIFY_STATUS] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_ALERT_SENT] = { .type = NLA_S32 },
	[TLS_HANDOFF_A_SESSION_ALERT_RECEIVED] = { .type = NLA_S32 },
	[TLS_HANDOFF_A_SESSION_ERROR] = { .type = NLA_STRING },
	[TLS_HANDOFF_A_SESSION_STATE] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_FLAGS] = { .type = NLA_U32 },
	[TLS_HANDOFF_A_SESSION_TX_GENERATION] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_RX_GENERATION] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_RECORDS_DIVERTED] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_HANDSHAKE_USEC] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_INODE] = { .type = NLA_U64 },
	[TLS_HANDOFF_A_SESSION_AGE] = { .type = NLA_U64 },
};

static uint64_t number(struct nlattr *attribute)
{
	if (!attribute)
		return 0;
	switch (nla_len(attribute)) {
	case 2:
		return nla_get_u16(attribute);
	case 4:
		return nla_get_u32(attribute);
	case 8:
		return nla_get_u64(attribute);
	default:
		return 0;
	}
}

static const char *string(struct nlattr *attribute)
{
	return attribute ? nla_get_string(attribute) : "";
}

static int alert(struct nlattr *attribute)
{
	return attribute ? nla_get_s32(attribute) : -1;
}

static void copy(struct nlattr *attribute, void *target, size_t size)
{
	if (attribute && (size_t)nla_len(attribute) <= size)
		memcpy(target, nla_data(attribute), nla_len(attribute));
}

/* What is not understood is left alone. */
static void take_session(struct nlmsghdr *header, struct dump *dump)
{
	struct nlattr *a[TLS_HANDOFF_A_SESSION_MAX + 1];
	struct session session = {};

	if (!genlmsg_valid_hdr(header, 0) ||
	    genlmsg_parse(header, 0, a, TLS_HANDOFF_A_SESSION_MAX, policy) < 0)
		return;
	session.id = number(a[TLS_HANDOFF_A_SESSION_ID]);
	session.inode = number(a[TLS_HANDOFF_A_SESSION_INODE]);
	session.pid = number(a[TLS_HANDOFF_A_SESSION_PID]);
	session.uid = number(a[TLS_HANDOFF_A_SESSION_UID]);
	session.state = number(a[TLS_HANDOFF_A_SESSION_STATE]);
	session.role = number(a[TLS_HANDOFF_A_SESSION_ROLE]);
	session.auth = number(a[TLS_HANDOFF_A_SESSION_AUTH]);
	session.resumed = number(a[TLS_HANDOFF_A_SESSION_RESUMED]) != 0;
	session.version = number(a[TLS_HANDOFF_A_SESSION_VERSION]);
	session.cipher = number(a[TLS_HANDOFF_A_SESSION_CIPHER]);
	session.flags = number(a[TLS_HANDOFF_A_SESSION_FLAGS]);
	session.verify_status = number(a[TLS_HANDOFF_A_SESSION_VERIFY_STATUS]);
	session.status = number(a[TLS_HANDOFF_A_SESSION_STATUS]);
	session.alert_sent = alert(a[TLS_HANDOFF_A_SESSION_ALERT_SENT]);
	session.alert_received = alert(a[TLS_HANDOFF_A_SESSION_ALERT_RECEIVED]);
	session.tx_generation = number(a[TLS_HANDOFF_A_SESSION_TX_GENERATION]);
	session.rx_generation = number(a[TLS_HANDOFF_A_SESSION_RX_GENERATION]);
	session.records_diverted = number(a[TLS_HANDOFF_A_SESSION_RECORDS_DIVERTED]);
	session.handshake_usec = number(a[TLS_HANDOFF_A_SESSION_HANDSHAKE_USEC]);
	session.age = number(a[TLS_HANDOFF_A_SESSION_AGE]);
	session.profile = string(a[TLS_HANDOFF_A_SESSION_PROFILE]);
	session.peer_name = string(a[TLS_HANDOFF_A_SESSION_PEER_NAME]);
	session.peer_identity = string(a[TLS_HANDOFF_A_SESSION_PEER_IDENTITY]);
	session.server_name = string(a[TLS_HANDOFF_A_SESSION_SERVER_NAME]);
	session.error = string(a[TLS_HANDOFF_A_SESSION_ERROR]);
	copy(a[TLS_HANDOFF_A_SESSION_ALPN], session.alpn, sizeof(session.alpn) - 1);
	copy(a[TLS_HANDOFF_A_SESSION_LOCAL], &session.local, sizeof(session.local));
	copy(a[TLS_HANDOFF_A_SESSION_REMOTE], &session.remote, sizeof(session.remote));
	dump->each(&session, dump->data);
}

/* 1: go on; 0: it was the last piece; or the dump's -errno. */
static int take_piece(struct nlmsghdr *header, int length, struct dump *dump)
{
	int error = 0;

	for (; nlmsg_ok(header, length); header = nlmsg_next(header, &length)) {
		if (header->nlmsg_type != NLMSG_DONE && header->nlmsg_type != NLMSG_ERROR) {
			take_session(header, dump);
			continue;
		}
		/* Both begin with an errno. */
		if (nlmsg_datalen(header) >= (int)sizeof(error))
			memcpy(&error, nlmsg_data(header), sizeof(error));
		if (error < 0 || header->nlmsg_type == NLMSG_DONE)
			return error < 0 ? error : 0;
	}
	return 1;
}

/* All pieces, up to the last one, which says that it is. */
static int take_pieces(int fd, ssize_t (*read_piece)(int fd, void *buffer, size_t size),
		       struct dump *dump)
{
	struct nlmsghdr *piece = malloc(PIECE);
	ssize_t n;
	int r;

	if (!piece)
		return -ENOMEM;
	do {
		n = read_piece(fd, piece, PIECE);
		r = n > 0 ? take_piece(piece, (int)n, dump) : n < 0 ? (int)n : -ECONNRESET;
	} while (r > 0);
	free(piece);
	return r;
}

static ssize_t read_tlshd(int fd, void *buffer, size_t size)
{
	return control_read(fd, PIECE_TIMEOUT, buffer, size);
}

static int ask_tlshd(struct dump *dump, struct control_answer *answer)
{
	int fd, r;

	r = control_open("sessions", PIECE_TIMEOUT, answer, &fd);
	if (r < 0)
		return r;
	r = take_pieces(fd, read_tlshd, dump);
	close(fd);
	return r;
}

/* libnl would stop at the first piece: the family's dumps are not marked as multipart. */
static ssize_t read_kernel(int fd, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buffer, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n<0 ? -errno : n>(ssize_t) size ? -EMSGSIZE : n;
}

static int ask_kernel(struct nl_sock *netlink, struct dump *dump)
{
	int family;

	if (genl_connect(netlink) < 0)
		return -errno;
	family = genl_ctrl_resolve(netlink, TLS_HANDOFF_FAMILY_NAME);
	if (family < 0)
		return family == -NLE_OBJ_NOTFOUND ? -ENOENT : -EIO;
	if (genl_send_simple(netlink, family, TLS_HANDOFF_CMD_GET, TLS_HANDOFF_FAMILY_VERSION,
			     NLM_F_DUMP) < 0)
		return -EIO;
	return take_pieces(nl_socket_get_fd(netlink), read_kernel, dump);
}

int sessions_dump(void (*each)(const struct session *session, void *data), void *data,
		  bool *ret_asked, struct control_answer *answer)
{
	struct dump dump = { .each = each, .data = data };
	struct nl_sock *netlink;
	int r;

	netlink = nl_socket_alloc();
	if (!netlink)
		return -ENOMEM;
	r = ask_kernel(netlink, &dump);
	nl_socket_free(netlink);
	*ret_asked = r == -EPERM;
	if (r == -EPERM)
		r = ask_tlshd(&dump, answer);
	return r;
}
