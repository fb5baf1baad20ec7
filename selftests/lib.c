// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the selftests share; lib.h says what each function promises.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "lib.h"

int net_enter(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd, err = 0;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(fd);
	return err;
}

int tcp_pair(int family, int *ret_app, int *ret_peer)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = family == AF_INET6 ? (void *)&sin6 : (void *)&sin;
	socklen_t length = family == AF_INET6 ? sizeof(sin6) : sizeof(sin);
	int listener, app, peer, one = 1, err = 0;

	listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	app = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	peer = -1;
	if (listener < 0 || app < 0 || bind(listener, addr, length) || listen(listener, 1) ||
	    getsockname(listener, addr, &length) || connect(app, addr, length))
		err = -errno;
	if (!err)
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!err && peer < 0)
		err = -errno;
	close(listener);
	if (err) {
		close(app);
		return err;
	}
	setsockopt(app, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(peer, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	*ret_app = app;
	*ret_peer = peer;
	return 0;
}

int set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) ? -errno : 0;
}

short wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, TEST_DEADLINE_MS) == 1 ? pfd.revents : 0;
}

struct agent {
	struct nl_sock *sk;
	int family;
	struct accepted *accepted;
	int *attach_fd;
	void (*each)(uint64_t id, uint32_t state, void *arg);
	void *each_arg;
	bool answered;		/* the request's ACK or error came */
	int error;
};

static void copy_string(char *to, size_t size, struct nlattr *attr)
{
	if (attr)
		nla_strlcpy(to, attr, size);
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[TLS_HANDOFF_A_SESSION_MAX + 1];
	struct genlmsghdr *header = genlmsg_hdr(nlmsg_hdr(msg));
	struct agent *agent = arg;
	struct accepted *a = agent->accepted;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, TLS_HANDOFF_A_SESSION_MAX, NULL))
		return NL_SKIP;
	if (header->cmd == TLS_HANDOFF_CMD_ATTACH && agent->attach_fd)
		*agent->attach_fd = nla_get_s32(attrs[TLS_HANDOFF_A_SESSION_SESSION_FD]);
	/* Without NLM_F_MULTI a reader takes the first buffer for everything */
	if (header->cmd == TLS_HANDOFF_CMD_GET && agent->each &&
	    nlmsg_hdr(msg)->nlmsg_flags & NLM_F_MULTI)
		agent->each(nla_get_u64(attrs[TLS_HANDOFF_A_SESSION_ID]),
			    nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_STATE]), agent->each_arg);
	if (header->cmd != TLS_HANDOFF_CMD_ACCEPT || !a)
		return NL_OK;
	a->id = nla_get_u64(attrs[TLS_HANDOFF_A_SESSION_ID]);
	a->fd = nla_get_s32(attrs[TLS_HANDOFF_A_SESSION_SESSION_FD]);
	a->role = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_ROLE]);
	a->uid = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_UID]);
	a->gid = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_GID]);
	a->pid = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_PID]);
	a->timeout = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_TIMEOUT]);
	copy_string(a->profile, sizeof(a->profile), attrs[TLS_HANDOFF_A_SESSION_PROFILE]);
	copy_string(a->peer_name, sizeof(a->peer_name), attrs[TLS_HANDOFF_A_SESSION_PEER_NAME]);
	copy_string(a->psk_identity, sizeof(a->psk_identity),
		    attrs[TLS_HANDOFF_A_SESSION_PSK_IDENTITY]);
	copy_string(a->cgroup, sizeof(a->cgroup), attrs[TLS_HANDOFF_A_SESSION_CGROUP]);
	if (attrs[TLS_HANDOFF_A_SESSION_AUTH])
		a->auth = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_AUTH]);
	if (attrs[TLS_HANDOFF_A_SESSION_CLIENT_CERT])
		a->client_cert = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_CLIENT_CERT]);
	if (attrs[TLS_HANDOFF_A_SESSION_RESUME])
		a->resume = nla_get_u32(attrs[TLS_HANDOFF_A_SESSION_RESUME]);
	if (attrs[TLS_HANDOFF_A_SESSION_MIN_VERSION])
		a->min_version = nla_get_u16(attrs[TLS_HANDOFF_A_SESSION_MIN_VERSION]);
	if (attrs[TLS_HANDOFF_A_SESSION_MAX_VERSION])
		a->max_version = nla_get_u16(attrs[TLS_HANDOFF_A_SESSION_MAX_VERSION]);
	if (attrs[TLS_HANDOFF_A_SESSION_ALPN]) {
		a->alpn_len = nla_len(attrs[TLS_HANDOFF_A_SESSION_ALPN]);
		memcpy(a->alpn, nla_data(attrs[TLS_HANDOFF_A_SESSION_ALPN]), a->alpn_len);
	}
	if (attrs[TLS_HANDOFF_A_SESSION_CIPHERS]) {
		a->cipher_count = nla_len(attrs[TLS_HANDOFF_A_SESSION_CIPHERS]) / 2;
		memcpy(a->ciphers, nla_data(attrs[TLS_HANDOFF_A_SESSION_CIPHERS]),
		       a->cipher_count * 2);
	}
	return NL_OK;
}

static struct nl_msg *agent_message(struct agent *agent, int command)
{
	/* The largest certificate and all the rest */
	struct nl_msg *msg = nlmsg_alloc_size(TLS_HANDOFF_MAX_CERT + 8192);

	if (msg)
		genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, agent->family, 0,
			    NLM_F_REQUEST | NLM_F_ACK, command, TLS_HANDOFF_FAMILY_VERSION);
	return msg;
}

/* READY may come in between, so the answer need not be the next message */
static int agent_send(struct agent *agent, struct nl_msg *msg)
{
	struct pollfd pfd = { .fd = nl_socket_get_fd(agent->sk), .events = POLLIN };
	bool lost = false;
	int ret;

	agent->answered = false;
	agent->error = 0;
	ret = nl_send_auto(agent->sk, msg);
	nlmsg_free(msg);
	if (ret < 0)
		return -EIO;
	while (!agent->answered) {
		/* Without memory the kernel may lose the end of an answer, not its beginning */
		if (lost && poll(&pfd, 1, 0) <= 0)
			return -EIO;
		ret = nl_recvmsgs_default(agent->sk);
		lost |= ret < 0;
	}
	return agent->error;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	((struct agent *)arg)->answered = true;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct agent *agent = arg;

	agent->answered = true;
	agent->error = error->error;
	return NL_STOP;
}

static int ignore_sequence(struct nl_msg *msg, void *arg)
{
	return NL_OK;	/* READY comes unasked */
}

int agent_connect(struct agent **ret_agent)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ENOMEM;
	agent->sk = nl_socket_alloc();
	if (!agent->sk || genl_connect(agent->sk)) {
		agent_close(agent);
		return -EIO;
	}
	agent->family = genl_ctrl_resolve(agent->sk, TLS_HANDOFF_FAMILY_NAME);
	if (agent->family < 0) {
		agent_close(agent);
		return -ENOENT;
	}
	nl_socket_modify_cb(agent->sk, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, ignore_sequence, NULL);
	nl_socket_modify_cb(agent->sk, NL_CB_ACK, NL_CB_CUSTOM, on_ack, agent);
	nl_socket_modify_err_cb(agent->sk, NL_CB_CUSTOM, on_error, agent);
	nl_socket_modify_cb(agent->sk, NL_CB_FINISH, NL_CB_CUSTOM, on_ack, agent);
	nl_socket_modify_cb(agent->sk, NL_CB_VALID, NL_CB_CUSTOM, on_message, agent);
	*ret_agent = agent;
	return 0;
}

int agent_open(struct agent **ret_agent)
{
	struct agent *agent;
	int err;

	err = agent_connect(&agent);
	if (err)
		return err;
	err = agent_raw(agent, TLS_HANDOFF_CMD_REGISTER, NULL, 0);
	if (err) {
		agent_close(agent);
		return err;
	}
	*ret_agent = agent;
	return 0;
}

void agent_close(struct agent *agent)
{
	if (!agent)
		return;
	nl_socket_free(agent->sk);
	free(agent);
}

int agent_port(struct agent *agent)
{
	return nl_socket_get_fd(agent->sk);
}

int agent_accept(struct agent *agent, struct accepted *ret_accepted)
{
	struct accepted accepted = { .fd = -1 };
	int err;

	agent->accepted = &accepted;
	err = agent_send(agent, agent_message(agent, TLS_HANDOFF_CMD_ACCEPT));
	agent->accepted = NULL;
	if (!err)
		*ret_accepted = accepted;
	else if (accepted.fd >= 0)
		close(accepted.fd);	/* only the acknowledgment was lost */
	return err;
}

int agent_done(struct agent *agent, const struct done *done)
{
	struct nl_msg *msg = agent_message(agent, TLS_HANDOFF_CMD_DONE);

	nla_put_u64(msg, TLS_HANDOFF_A_SESSION_ID, done->id);
	nla_put_u32(msg, TLS_HANDOFF_A_SESSION_STATUS, done->status);
	if (done->version)
		nla_put_u16(msg, TLS_HANDOFF_A_SESSION_VERSION, done->version);
	if (done->cipher)
		nla_put_u16(msg, TLS_HANDOFF_A_SESSION_CIPHER, done->cipher);
	nla_put_u32(msg, TLS_HANDOFF_A_SESSION_AUTH, done->auth);
	if (done->verify_status)
		nla_put_u32(msg, TLS_HANDOFF_A_SESSION_VERIFY_STATUS, done->verify_status);
	if (done->alpn)
		nla_put(msg, TLS_HANDOFF_A_SESSION_ALPN, strlen(done->alpn), done->alpn);
	if (done->peer_identity)
		nla_put_string(msg, TLS_HANDOFF_A_SESSION_PEER_IDENTITY, done->peer_identity);
	if (done->server_name)
		nla_put_string(msg, TLS_HANDOFF_A_SESSION_SERVER_NAME, done->server_name);
	if (done->error)
		nla_put_string(msg, TLS_HANDOFF_A_SESSION_ERROR, done->error);
	if (done->peer_cert)
		nla_put(msg, TLS_HANDOFF_A_SESSION_PEER_CERT, done->peer_cert_len, done->peer_cert);
	if (done->truncation_eof)
		nla_put_flag(msg, TLS_HANDOFF_A_SESSION_TRUNCATION_EOF);
	if (done->alert_sent)
		nla_put_s32(msg, TLS_HANDOFF_A_SESSION_ALERT_SENT, done->alert_sent);
	if (done->limit_records)
		nla_put_u64(msg, TLS_HANDOFF_A_SESSION_LIMIT_RECORDS, done->limit_records);
	if (done->handler_timeout)
		nla_put_u32(msg, TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT, done->handler_timeout);
	return agent_send(agent, msg);
}

int agent_attach(struct agent *agent, uint64_t id, int *ret_fd)
{
	struct nl_msg *msg = agent_message(agent, TLS_HANDOFF_CMD_ATTACH);
	int fd = -1, err;

	nla_put_u64(msg, TLS_HANDOFF_A_SESSION_ID, id);
	agent->attach_fd = &fd;
	err = agent_send(agent, msg);
	agent->attach_fd = NULL;
	if (!err)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

int agent_adopt(int fd, int role, int *ret_session)
{
	socklen_t length = sizeof(role);

	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_SESSION_FD, &role, &length))
		return -errno;
	*ret_session = role;
	return 0;
}

int agent_dump(struct agent *agent, void (*each)(uint64_t id, uint32_t state, void *arg),
	       void *arg)
{
	struct nl_msg *msg = nlmsg_alloc();
	int err;

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, agent->family, 0,
		    NLM_F_REQUEST | NLM_F_DUMP, TLS_HANDOFF_CMD_GET, TLS_HANDOFF_FAMILY_VERSION);
	agent->each = each;
	agent->each_arg = arg;
	err = agent_send(agent, msg);
	agent->each = NULL;
	return err;
}

int agent_raw(struct agent *agent, int command, const void *attrs, size_t length)
{
	struct nl_msg *msg = agent_message(agent, command);

	if (length)
		nlmsg_append(msg, (void *)attrs, length, NLMSG_ALIGNTO);
	return agent_send(agent, msg);
}

void keys_fill(struct keys *keys, uint16_t version, uint16_t cipher, int direction,
	       unsigned int generation)
{
	size_t sequence = 8;

	memset(keys, 0, sizeof(*keys));
	switch (cipher) {
	case TLS_CIPHER_AES_GCM_256:
		keys->length = sizeof(keys->gcm256);
		break;
	case TLS_CIPHER_CHACHA20_POLY1305:
		keys->length = sizeof(keys->chacha);
		break;
	case TLS_CIPHER_AES_CCM_128:
		keys->length = sizeof(keys->ccm);
		break;
	default:
		keys->length = sizeof(keys->gcm128);
		break;
	}
	/* The same bytes on both sides; the sequence number at the end starts at 0 */
	memset((char *)keys + sizeof(keys->info), 'a' + direction + 2 * (generation % 10),
	       keys->length - sizeof(keys->info) - sequence);
	keys->info.version = version;
	keys->info.cipher_type = cipher;
}

int keys_install(int fd, const struct keys *tx, const struct keys *rx)
{
	if (tx && setsockopt(fd, SOL_TLS, TLS_TX, tx, tx->length))
		return -errno;
	if (rx && setsockopt(fd, SOL_TLS, TLS_RX, rx, rx->length))
		return -errno;
	return 0;
}

static int set_tls(int fd, uint16_t version, uint16_t cipher, int tx_direction)
{
	struct keys tx, rx;

	keys_fill(&tx, version, cipher, tx_direction, 0);
	keys_fill(&rx, version, cipher, !tx_direction, 0);
	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 4))
		return -errno;
	return keys_install(fd, &tx, &rx);
}

int peer_tls(int fd, uint16_t version, uint16_t cipher)
{
	return set_tls(fd, version, cipher, 1);
}

int app_tls(int fd, uint16_t version, uint16_t cipher)
{
	return set_tls(fd, version, cipher, 0);
}

ssize_t send_record(int fd, uint8_t type, const void *data, size_t length)
{
	char control[CMSG_SPACE(1)] = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t ret;

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = type;
	ret = sendmsg(fd, &msg, MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

ssize_t recv_record(int fd, uint8_t *ret_type, void *data, size_t size, int flags)
{
	char control[CMSG_SPACE(1)] = {};
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t ret;

	ret = recvmsg(fd, &msg, flags);
	if (ret < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_TLS && cmsg->cmsg_type == TLS_GET_RECORD_TYPE)
		*ret_type = *CMSG_DATA(cmsg);
	return ret;
}

int send_alert(int fd, uint8_t level, uint8_t description)
{
	uint8_t alert[2] = { level, description };
	ssize_t ret = send_record(fd, RECORD_ALERT, alert, sizeof(alert));

	return ret < 0 ? ret : 0;
}

ssize_t next_record(int session, uint8_t *ret_type, void *data, size_t size)
{
	struct tls_handoff_event event;
	ssize_t ret;

	do {
		if (!(wait_for(session, POLLIN) & POLLIN))
			return -ETIME;
		ret = recv_record(session, ret_type, data, size, MSG_DONTWAIT);
		if (ret == sizeof(event))
			memcpy(&event, data, sizeof(event));
	} while (ret == sizeof(event) && *ret_type == TLS_HANDOFF_RECORD_EVENT &&
		 event.event == TLS_HANDOFF_EVENT_DATA);
	return ret;
}

int tx_update(int session, const struct keys *keys)
{
	char buffer[sizeof(struct tls_handoff_tx_update) + sizeof(*keys) + KEY_UPDATE_LENGTH];
	struct tls_handoff_tx_update update = { .crypto_info_len = keys->length,
						.record_len = KEY_UPDATE_LENGTH,
						.record_type = RECORD_HANDSHAKE };
	size_t length = sizeof(update) + keys->length + KEY_UPDATE_LENGTH;

	memcpy(buffer, &update, sizeof(update));
	memcpy(buffer + sizeof(update), keys, keys->length);
	memcpy(buffer + sizeof(update) + keys->length, KEY_UPDATE, KEY_UPDATE_LENGTH);
	return setsockopt(session, SOL_TLS_HANDOFF, TLS_HANDOFF_TX_UPDATE, buffer, length) ?
	       -errno : 0;
}

long long stat_read(const char *name)
{
	char line[128], key[64];
	long long value, found = -1;
	FILE *file = fopen("/proc/net/tls_handoff_stat", "re");

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lld", key, &value) == 2 && !strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

int pair_prepare(struct pair *pair, int family)
{
	int err;

	pair->app = -1;
	pair->peer = -1;
	pair->session = -1;
	if (!pair->agent) {
		err = agent_open(&pair->agent);
		if (err)
			return err;
	}
	err = tcp_pair(family, &pair->app, &pair->peer);
	if (err)
		return err;
	if (setsockopt(pair->app, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)) ||
	    setsockopt(pair->app, SOL_TLS_HANDOFF, TLS_HANDOFF_PEER_NAME, "peer.test", 9))
		return -errno;
	return 0;
}

int pair_accept(struct pair *pair)
{
	struct accepted accepted;
	int err = agent_accept(pair->agent, &accepted);

	if (err)
		return err;
	pair->session = accepted.fd;
	pair->id = accepted.id;
	return 0;
}

int pair_begin(struct pair *pair, uint32_t role)
{
	set_nonblock(pair->app, true);
	if (!setsockopt(pair->app, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &role, sizeof(role)) ||
	    errno != EINPROGRESS)
		return -EPROTO;
	set_nonblock(pair->app, false);
	return pair_accept(pair);
}

int pair_start(struct pair *pair, int family)
{
	int err = pair_prepare(pair, family);

	return err ? err : pair_begin(pair, TLS_HANDOFF_CLIENT);
}

int pair_adopt(struct pair *pair, int family, int role)
{
	int err = pair_prepare(pair, family);

	if (!err)
		err = agent_adopt(pair->app, role, &pair->session);
	if (!err)
		pair->id = get_info(pair->app).session_id;
	return err;
}

int pair_finish(struct pair *pair, const struct done *done)
{
	struct done plain = { .id = pair->id, .version = pair->version, .cipher = pair->cipher,
			      .auth = TLS_HANDOFF_AUTH_X509 };
	struct keys tx, rx;
	int err;

	keys_fill(&tx, pair->version, pair->cipher, 0, 0);
	keys_fill(&rx, pair->version, pair->cipher, 1, 0);
	err = keys_install(pair->session, &tx, &rx);
	if (!err)
		err = agent_done(pair->agent, done ? done : &plain);
	if (!err)
		err = peer_tls(pair->peer, pair->version, pair->cipher);
	return err;
}

int pair_open(struct pair *pair, int family, uint16_t version, uint16_t cipher)
{
	int err;

	err = pair_start(pair, family);
	if (err)
		return err;
	pair->version = version;
	pair->cipher = cipher;
	return pair_finish(pair, NULL);
}

int pair_open_kind(struct pair *pair, enum kind kind, int family, uint16_t version,
		   uint16_t cipher)
{
	int err;

	if (kind == KIND_HANDOFF)
		return pair_open(pair, family, version, cipher);
	err = tcp_pair(family, &pair->app, &pair->peer);
	if (err || kind == KIND_PLAIN)
		return err;
	err = app_tls(pair->app, version, cipher);
	return err ? err : peer_tls(pair->peer, version, cipher);
}

int peer_end(int peer, enum kind kind)
{
	int err = kind == KIND_HANDOFF ? send_alert(peer, 1, 0) : 0;

	if (!err && shutdown(peer, SHUT_WR))
		err = -errno;
	return err;
}

void pair_close_sockets(struct pair *pair)
{
	if (pair->app >= 0)
		close(pair->app);
	if (pair->peer >= 0)
		close(pair->peer);
	if (pair->session >= 0)
		close(pair->session);
	pair->app = -1;
	pair->peer = -1;
	pair->session = -1;
}

void pair_close(struct pair *pair)
{
	pair_close_sockets(pair);
	agent_close(pair->agent);
	pair->agent = NULL;
}

struct keys pair_keys(const struct pair *pair, int direction, unsigned int generation)
{
	struct keys keys;

	keys_fill(&keys, pair->version, pair->cipher, direction, generation);
	return keys;
}

int peer_updates(struct pair *pair, unsigned int generation)
{
	struct keys keys = pair_keys(pair, FROM_PEER, generation);

	if (send_record(pair->peer, RECORD_HANDSHAKE, KEY_UPDATE, KEY_UPDATE_LENGTH) !=
	    KEY_UPDATE_LENGTH)
		return -EIO;
	return keys_install(pair->peer, &keys, NULL);
}

int agent_follows(struct pair *pair, unsigned int generation)
{
	struct keys keys = pair_keys(pair, FROM_PEER, generation);
	char record[100];
	uint8_t type;
	ssize_t ret;

	ret = next_record(pair->session, &type, record, sizeof(record));
	if (ret < 0)
		return ret;
	if (ret != KEY_UPDATE_LENGTH || type != RECORD_HANDSHAKE ||
	    memcmp(record, KEY_UPDATE, KEY_UPDATE_LENGTH))
		return -EPROTO;
	return keys_install(pair->session, NULL, &keys);
}

int agent_updates(struct pair *pair, unsigned int generation)
{
	struct keys keys = pair_keys(pair, TO_PEER, generation);
	int err;

	while ((err = tx_update(pair->session, &keys)) == -EAGAIN)
		if (!(wait_for(pair->session, POLLOUT) & POLLOUT))
			return -ETIME;
	return err;
}

struct tls_handoff_info get_info(int fd)
{
	struct tls_handoff_info info = {};
	socklen_t length = sizeof(info);

	getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &length);
	return info;
}

const char *get_error(int fd)
{
	static char words[TLS_HANDOFF_MAX_ERROR + 1];
	socklen_t length = sizeof(words) - 1;

	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ERROR, words, &length))
		length = 0;
	words[length] = 0;
	return words;
}
