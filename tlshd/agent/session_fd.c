// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls on a session fd, as the module's contract has them.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

#include "netlink.h"
#include "protocol.h"
#include "session_fd.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

static int set_option(int socket, int level, int option, const void *value, socklen_t length)
{
	return setsockopt(socket, level, option, value, length) < 0 ? -errno : 0;
}

static int set_parameters(int socket, const struct handshake *h)
{
	int ret;

	ret = set_option(socket, SOL_TLS_HANDOFF, TLS_HANDOFF_PROFILE, h->profile,
			 strlen(h->profile));
	if (ret == 0 && h->peer_name[0])
		ret = set_option(socket, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, h->peer_name,
				 strlen(h->peer_name));
	if (ret == 0)
		ret = set_option(socket, SOL_TLS_HANDOFF, TLS_HANDOFF_TIMEOUT, &h->timeout,
				 sizeof(h->timeout));
	return ret;
}

int session_fd_adopt(int socket, const struct handshake *handshake, int *ret_fd, uint64_t *ret_id)
{
	int fd = (int)handshake->role, ret; /* the role goes in, the descriptor comes out */
	struct tls_handoff_info info = { 0 };
	socklen_t length = sizeof(fd);

	ret = set_option(socket, IPPROTO_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP));
	if (ret == 0)
		ret = set_parameters(socket, handshake);
	if (ret < 0)
		return ret;
	if (getsockopt(socket, SOL_TLS_HANDOFF, TLS_HANDOFF_SESSION_FD, &fd, &length) < 0)
		return -errno;
	length = sizeof(info);
	if (getsockopt(socket, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &length) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	*ret_id = info.session_id;
	return 0;
}

int session_fd_attach_tls(int socket)
{
	return set_option(socket, IPPROTO_TCP, TCP_ULP, "tls", strlen("tls"));
}

ssize_t session_fd_read(int fd, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buffer, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t session_fd_write(int fd, const void *data, size_t length)
{
	ssize_t n;

	do
		n = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int session_fd_set_keys(int fd, uint8_t direction, const void *crypto_info, size_t length)
{
	int option = direction == CHANNEL_KEYS_TX ? TLS_TX : TLS_RX;

	return setsockopt(fd, SOL_TLS, option, crypto_info, length) < 0 ? -errno : 0;
}

int session_fd_set_max_payload(int fd, uint16_t max_payload)
{
	return setsockopt(fd, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &max_payload, sizeof(max_payload)) <
			       0 ?
		       -errno :
		       0;
}

ssize_t session_fd_receive(int fd, uint8_t *ret_type, void *buffer, size_t size)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(uint8_t))];
	} control;
	struct iovec iov = { buffer, size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_TLS || cmsg->cmsg_type != TLS_GET_RECORD_TYPE ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(uint8_t)))
		return -EPROTO;
	*ret_type = *CMSG_DATA(cmsg);
	return n;
}

int session_fd_send(int fd, uint8_t type, const void *record, size_t length)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(uint8_t))];
	} control = { 0 };
	struct iovec iov = { (void *)record, length };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(uint8_t));
	*CMSG_DATA(cmsg) = type;
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* A record is sent whole or not at all. */
	return (size_t)n == length ? 0 : -EIO;
}

int session_fd_tx_update(int fd, uint8_t type, const void *record, size_t record_len,
			 const void *crypto_info, size_t crypto_info_len)
{
	struct tls_handoff_tx_update *update;
	size_t size = sizeof(*update) + crypto_info_len + record_len;
	int ret;

	update = calloc(1, size);
	if (!update)
		return -ENOMEM;
	update->crypto_info_len = crypto_info_len;
	update->record_len = record_len;
	update->record_type = type;
	memcpy(update->data, crypto_info, crypto_info_len);
	memcpy(update->data + crypto_info_len, record, record_len);
	ret = setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_TX_UPDATE, update, size) < 0 ? -errno : 0;
	explicit_bzero(update, size);
	free(update);
	return ret;
}

int session_fd_continue(int fd, uint32_t what)
{
	return setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_CONTINUE, &what, sizeof(what)) < 0 ?
		       -errno :
		       0;
}

int session_fd_exported(int fd, uint32_t request, uint32_t error, const void *data, size_t length)
{
	struct tls_handoff_exported *exported;
	size_t size = sizeof(*exported) + length;
	int ret;

	exported = calloc(1, size);
	if (!exported)
		return -ENOMEM;
	exported->request = request;
	exported->error = error;
	if (length)
		memcpy(exported->data, data, length);
	ret = setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTED, exported, size) < 0 ? -errno :
											  0;
	explicit_bzero(exported, size);
	free(exported);
	return ret;
}
