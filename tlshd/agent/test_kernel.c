// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session_fd.h and netlink_done() for unit tests, see test_kernel.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake_family.h"
#include "keyrings.h"
#include "netlink.h"
#include "policy.h"
#include "session_fd.h"
#include "test_kernel.h"

struct test_call test_calls[TEST_KERNEL_CALLS];
size_t test_call_count;
int test_keys_result, test_done_result, test_send_result;
int test_adopt_result, test_accept_result, test_consumer_result;
struct consumer_request *test_request;
bool test_module;

struct netlink_session *test_sessions;
int *test_wires;
size_t test_session_count;

static int wire_peer = -1;

void test_kernel_reset(int peer)
{
	memset(test_calls, 0, sizeof(test_calls));
	test_call_count = 0;
	test_keys_result = test_done_result = test_send_result = 0;
	test_adopt_result = test_accept_result = test_consumer_result = 0;
	test_request = NULL;
	test_module = false;
	wire_peer = peer;
}

size_t test_kernel_record(uint8_t *buffer, uint8_t type, const void *payload, size_t length)
{
	buffer[0] = type;
	buffer[1] = length & 0xff;
	buffer[2] = length >> 8;
	memcpy(buffer + 3, payload, length);
	return length + 3;
}

static struct test_call *note(enum test_call_kind kind, uint32_t number)
{
	struct test_call *call = &test_calls[test_call_count % TEST_KERNEL_CALLS];
	int on_wire = 0;

	test_call_count++;
	memset(call, 0, sizeof(*call));
	call->kind = kind;
	call->number = number;
	if (wire_peer >= 0 && ioctl(wire_peer, FIONREAD, &on_wire) == 0)
		call->on_wire = on_wire;
	return call;
}

static void note_bytes(struct test_call *call, const void *bytes, size_t length)
{
	if (length > sizeof(call->bytes) - call->length)
		length = sizeof(call->bytes) - call->length;
	memcpy(call->bytes + call->length, bytes, length);
	call->length += length;
}

ssize_t session_fd_read(int fd, void *buffer, size_t size)
{
	ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

ssize_t session_fd_write(int fd, const void *data, size_t length)
{
	ssize_t n = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

int session_fd_set_keys(int fd, uint8_t direction, const void *crypto_info, size_t length)
{
	note_bytes(note(CALL_KEYS, direction), crypto_info, length);
	return test_keys_result;
}

int session_fd_set_max_payload(int fd, uint16_t max_payload)
{
	note(CALL_MAX_PAYLOAD, max_payload);
	return 0;
}

ssize_t session_fd_receive(int fd, uint8_t *ret_type, void *buffer, size_t size)
{
	uint8_t header[3];
	ssize_t n = recv(fd, header, sizeof(header), MSG_DONTWAIT);
	size_t length;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	length = header[1] | header[2] << 8;
	if (length > size)
		return -EMSGSIZE;
	*ret_type = header[0];
	n = recv(fd, buffer, length, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int session_fd_send(int fd, uint8_t type, const void *record, size_t length)
{
	note_bytes(note(CALL_SEND, type), record, length);
	return test_send_result;
}

int session_fd_tx_update(int fd, uint8_t type, const void *record, size_t record_len,
			 const void *crypto_info, size_t crypto_info_len)
{
	struct test_call *call = note(CALL_TX_UPDATE, type);

	note_bytes(call, record, record_len);
	note_bytes(call, crypto_info, crypto_info_len);
	return test_keys_result;
}

int session_fd_continue(int fd, uint32_t what)
{
	note(CALL_CONTINUE, what);
	return 0;
}

int session_fd_exported(int fd, uint32_t request, uint32_t error, const void *data, size_t length)
{
	struct test_call *call = note(CALL_EXPORTED, request);

	note_bytes(call, &error, sizeof(error));
	if (length)
		note_bytes(call, data, length);
	return 0;
}

int netlink_get(struct netlink *netlink,
		void (*each)(void *arg, const struct netlink_session *session), void *arg)
{
	size_t i;

	for (i = 0; i < test_session_count; i++)
		each(arg, &test_sessions[i]);
	return 0;
}

int netlink_attach(struct netlink *netlink, uint64_t id, int *ret_fd)
{
	size_t i;

	for (i = 0; i < test_session_count; i++) {
		if (test_sessions[i].handshake.id != id)
			continue;
		if (test_wires[i] < 0)
			return -EBUSY;
		*ret_fd = test_wires[i];
		test_wires[i] = -1;
		return 0;
	}
	return -ENOENT;
}

void handshake_clear(struct handshake *handshake)
{
	if (handshake->fd >= 0)
		close(handshake->fd);
	handshake->fd = -1;
}

int netlink_done(struct netlink *netlink, const struct handshake_result *result)
{
	struct test_call *call = note(CALL_DONE, result->status);
	const char *words = result->status ? result->error : result->peer_identity;

	call->id = result->id;
	if (words)
		note_bytes(call, words, strlen(words) + 1);
	return test_done_result;
}

bool policy_has_profile(const struct policy *policy, const char *name)
{
	return strcmp(name, "nvmet") != 0;
}

bool netlink_present(const struct netlink *netlink)
{
	return test_module;
}

int session_fd_adopt(int socket, const struct handshake *handshake, int *ret_fd, uint64_t *ret_id)
{
	note_bytes(note(CALL_ADOPT, handshake->role), handshake->profile,
		   strlen(handshake->profile) + 1);
	if (test_adopt_result < 0)
		return test_adopt_result;
	*ret_fd = dup(socket);
	*ret_id = TEST_ADOPTED_ID;
	return 0;
}

int session_fd_attach_tls(int socket)
{
	note(CALL_ATTACH_TLS, 0);
	return test_adopt_result;
}

int handshake_family_accept(struct handshake_family *family, struct consumer_request *ret_request)
{
	if (test_accept_result < 0)
		return test_accept_result;
	if (!test_request)
		return -EAGAIN;
	*ret_request = *test_request;
	test_request = NULL;
	return 0;
}

int handshake_family_done(struct handshake_family *family, int fd, uint32_t status, uint32_t peer)
{
	note(CALL_CONSUMER, status)->id = peer;
	return test_consumer_result;
}

void keyrings_take(struct keyrings *keyrings, uint32_t serial)
{
	if (serial)
		note(CALL_TAKE, serial);
}

void keyrings_drop(struct keyrings *keyrings, uint32_t serial)
{
	if (serial)
		note(CALL_DROP, serial);
}

void keyrings_link_known(struct keyrings *keyrings)
{
}
