// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes, channel and connections for tests, see test_rig.h.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "channel.h"
#include "test_clock.h"
#include "test_pki.h"
#include "test_rig.h"

#define NOBODY	       65534
#define EXPORT_REQUEST 0x12345678

static char folder[64];

static struct test_clock *test_clock; /* the programs have it, too */

void rig_use_clock(void)
{
	int fd = open("clock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && ftruncate(fd, sizeof(*test_clock)) == 0);
	test_clock = mmap(NULL, sizeof(*test_clock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(test_clock != MAP_FAILED);
	close(fd);
	setenv("TEST_CLOCK", "clock", 1);
}

void rig_pass(int64_t seconds)
{
	assert_true(seconds >= 0);
	test_clock->ahead += seconds;
}

bool rig_clock_moved(void)
{
	return test_clock->ahead || test_clock->held;
}

void rig_hold_clock(void)
{
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &test_clock->real), 0);
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &test_clock->boot), 0);
	test_clock->held = true;
}

void rig_enter_folder(void)
{
	if (getuid() == 0)
		assert_true(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	strcpy(folder, "/tmp/tlshd-session-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	pki_make();
}

void rig_leave_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void write_config(const char *text)
{
	int fd = open("tlshd.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static const char *program(const char *variable)
{
	const char *path = getenv(variable);

	assert_non_null(path);
	return path;
}

/* Descriptors from 3 on are @fds; each is moved out of the way of the others first. */
static pid_t spawn(const char *path, int log, const int *fds, int count)
{
	pid_t pid = fork();
	int moved[3];

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	for (int i = 0; i < count; i++)
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
	for (int i = 0; i < count; i++)
		dup2(moved[i], 3 + i);
	if (getenv("TEST_CLOCK")) {
		setenv("LD_PRELOAD", program("TEST_CLOCK_LIBRARY"), 1);
		/* a sanitizer wants to be the first, and need not be */
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	}
	execl(path, path, "-c", "tlshd.conf", "-s", "-v", count > 2 ? "-r" : NULL, "5",
	      (char *)NULL);
	_exit(127);
}

static void start(struct rig *rig)
{
	uint32_t version = htole32(CHANNEL_VERSION);
	int agent[2], keys[2], log;
	int session_fds[3];

	log = open(rig->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	assert_true(log >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keys), 0);
	session_fds[0] = agent[1];
	session_fds[1] = keys[1];
	rig->keys = spawn(program("TLSHD_KEYS"), log, keys, 1);
	session_fds[2] = rig->memory;
	rig->session = spawn(program("TLSHD_SESSION"), log, session_fds, rig->memory < 0 ? 2 : 3);
	if (rig->memory >= 0)
		close(rig->memory);
	rig->memory = -1;
	close(agent[1]);
	close(keys[0]);
	close(keys[1]);
	close(log);
	rig->fd = agent[0];
	rig_send(rig, CHANNEL_HELLO, 0, &version, sizeof(version));
	assert_true(rig_step(rig)); /* its HELLO */
}

void rig_start(struct rig *rig, const char *config)
{
	memset(rig, 0, sizeof(*rig));
	rig->memory = -1;
	if (test_clock)
		*test_clock = (struct test_clock){ 0 };
	write_config(config);
	strcpy(rig->log, "log");
	start(rig);
}

void rig_expect_killed(pid_t *pid)
{
	int status;

	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	assert_true(WIFSIGNALED(status));
	*pid = 0;
}

static void wait_for_end(pid_t pid)
{
	int status;

	if (!pid)
		return;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void rig_drop(struct rig *rig)
{
	close(rig->fd);
	wait_for_end(rig->session);
	wait_for_end(rig->keys);
}

void rig_stop(struct rig *rig)
{
	rig_drop(rig);
	if (rig->memory >= 0)
		close(rig->memory);
}

void rig_end_session(struct rig *rig)
{
	assert_int_equal(shutdown(rig->fd, SHUT_WR), 0);
	while (rig_step(rig))
		;
	rig_drop(rig);
}

void rig_start_successor(struct rig *rig, const char *config)
{
	if (config)
		write_config(config);
	start(rig);
}

void rig_restore(struct rig *rig)
{
	rig->restored_all = false;
	rig_send(rig, CHANNEL_RESTORE, 0, NULL, 0);
	while (!rig->restored_all)
		assert_true(rig_step(rig));
}

void rig_succeed(struct rig *rig)
{
	rig_end_session(rig);
	rig_start_successor(rig, NULL);
	rig_restore(rig);
}

int rig_check(const char *config, char *output, size_t size)
{
	size_t length = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	write_config(config);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		execl(program("TLSHD_SESSION"), "tlshd-session", "-t", "-c", "tlshd.conf",
		      (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while (length < size - 1 && (n = read(fds[0], output + length, size - 1 - length)) > 0)
		length += (size_t)n;
	output[length] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

bool rig_log_has(const struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->log, "re");
	char line[1024];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

unsigned int rig_log_count(const struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->log, "re");
	unsigned int count = 0;
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	if (file)
		fclose(file);
	return count;
}

void rig_tickets(struct rig *rig, uint32_t action)
{
	const uint32_t wire[] = { htole32((uint32_t)rig->last_id), htole32(action) };

	rig->counted = false;
	rig_send(rig, CHANNEL_TICKETS, 0, wire, sizeof(wire));
	while (!rig->counted)
		assert_true(rig_step(rig));
}

unsigned long long rig_count(const struct rig *rig, const char *name)
{
	size_t length = strlen(name);
	const char *line = rig->counts;

	while (line && (strncmp(line, name, length) != 0 || line[length] != ' ')) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	assert_non_null(line);
	return strtoull(line + length, NULL, 10);
}

int64_t rig_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rig_count_becomes(struct rig *rig, const char *name, unsigned long long value)
{
	int64_t end = rig_milliseconds() + RIG_DEADLINE;

	do
		rig_tickets(rig, CHANNEL_TICKETS_SHOW);
	while (rig_count(rig, name) != value && rig_milliseconds() < end);
	assert_int_equal(rig_count(rig, name), value);
}

static void take_counts(struct rig *rig, const struct rig_message *m)
{
	uint32_t request;

	assert_true(m->length > sizeof(request) &&
		    m->length - sizeof(request) < sizeof(rig->counts));
	memcpy(&request, m->payload, sizeof(request));
	assert_int_equal(le32toh(request), (uint32_t)rig->last_id);
	memcpy(rig->counts, m->payload + sizeof(request), m->length - sizeof(request));
	rig->counts[m->length - sizeof(request)] = 0;
	rig->counted = true;
}

void rig_send(struct rig *rig, uint16_t type, uint64_t id, const void *payload, size_t length)
{
	struct channel_header header = {
		.length = htole32((uint32_t)length),
		.type = htole16(type),
		.session = htole64(id),
	};
	uint8_t packet[sizeof(header) + CHANNEL_MAX_PAYLOAD];

	memcpy(packet, &header, sizeof(header));
	if (length)
		memcpy(packet + sizeof(header), payload, length);
	assert_int_equal(send(rig->fd, packet, sizeof(header) + length, MSG_NOSIGNAL),
			 sizeof(header) + length);
}

static void take_keys(struct connection *c, const uint8_t *payload, size_t length)
{
	struct channel_keys keys;

	assert_true(length > sizeof(keys));
	memcpy(&keys, payload, sizeof(keys));
	assert_int_equal(le32toh(keys.crypto_info_len), length - sizeof(keys));
	if (keys.direction == CHANNEL_KEYS_TX) {
		record_keys_set(&c->tx, payload + sizeof(keys), length - sizeof(keys));
		c->max_payload = le16toh(keys.max_payload);
		c->have_tx = true;
	} else {
		assert_int_equal(keys.direction, CHANNEL_KEYS_RX);
		record_keys_set(&c->rx, payload + sizeof(keys), length - sizeof(keys));
		c->rx_updates += c->have_rx;
		c->have_rx = true;
	}
}

static void copy_text(const struct attr_table *table, uint16_t type, char *text, size_t size)
{
	size_t length = table->view[type].length;

	assert_true(length < size);
	if (table->view[type].value)
		memcpy(text, table->view[type].value, length);
	text[length] = 0;
}

static void take_result(struct connection *c, uint16_t type, const uint8_t *payload, size_t length)
{
	struct attr_table table;

	assert_int_equal(attr_parse(type, payload, length, &table), 0);
	c->verify = attr_u32(&table, CHANNEL_A_VERIFY_STATUS, 0);
	c->alert_sent = (int)attr_u32(&table, CHANNEL_A_ALERT_SENT, UINT32_MAX);
	c->alert_received = (int)attr_u32(&table, CHANNEL_A_ALERT_RECEIVED, UINT32_MAX);
	if (type == CHANNEL_FAIL) {
		c->failed = true;
		c->status = attr_u32(&table, CHANNEL_A_STATUS, 0);
		copy_text(&table, CHANNEL_A_ERROR, c->words, sizeof(c->words));
		return;
	}
	c->done = true;
	c->version = attr_u16(&table, CHANNEL_A_VERSION, 0);
	c->cipher = attr_u16(&table, CHANNEL_A_CIPHER, 0);
	c->auth = attr_u32(&table, CHANNEL_A_AUTH, 0);
	c->psk_key = attr_u32(&table, CHANNEL_A_PSK_KEY, 0);
	c->limit_records = attr_u64(&table, CHANNEL_A_LIMIT_RECORDS, 0);
	c->resumed = attr_u32(&table, CHANNEL_A_RESUMED, 0);
	c->truncation_eof = attr_u32(&table, CHANNEL_A_TRUNCATION_EOF, 0);
	c->certificate_length = table.view[CHANNEL_A_PEER_CERT].length;
	copy_text(&table, CHANNEL_A_PEER_IDENTITY, c->identity, sizeof(c->identity));
	copy_text(&table, CHANNEL_A_ALPN, c->alpn, sizeof(c->alpn));
	copy_text(&table, CHANNEL_A_SERVER_NAME, c->server_name, sizeof(c->server_name));
}

/* A record to be sent: under the current keys, then perhaps new ones */
static void take_record(struct connection *c, const uint8_t *payload, size_t length)
{
	uint8_t wire[RECORD_MAX];
	size_t n, data;

	assert_true(length >= 3);
	data = payload[1] | (size_t)payload[2] << 8;
	assert_true(data > 0 && length >= 3 + data);
	if (payload[0] == 21) {
		assert_int_equal(data, 2);
		c->alert_level = payload[3];
		c->alert_record = payload[4];
	}
	c->records++;
	n = record_seal(&c->tx, payload[0], payload + 3, data, wire);
	if (c->peer)
		peer_put(c->peer, wire, n);
	if (length > 3 + data) {
		take_keys(c, payload + 3 + data, length - 3 - data);
		c->tx_updates++;
		if (!c->stuck)
			rig_send(c->rig, CHANNEL_SENT, c->id, NULL, 0);
	}
}

static void take_exported(struct connection *c, const uint8_t *payload, size_t length)
{
	uint32_t head[2];

	assert_true(length >= sizeof(head) && length <= sizeof(head) + sizeof(c->export));
	memcpy(head, payload, sizeof(head));
	assert_int_equal(le32toh(head[0]), EXPORT_REQUEST);
	c->export_error = le32toh(head[1]);
	c->export_length = length - sizeof(head);
	memcpy(c->export, payload + sizeof(head), c->export_length);
	c->exported++;
}

static void take_restored(struct rig *rig, struct connection *c, const struct rig_message *m)
{
	struct channel_restored restored;

	if (!c) {
		assert_int_equal(m->length, sizeof(rig->restored));
		memcpy(&rig->restored, m->payload, sizeof(rig->restored));
		rig->restored = le32toh(rig->restored);
		rig->restored_all = true;
		return;
	}
	assert_int_equal(m->length, sizeof(restored));
	assert_false(rig->restored_all);
	memcpy(&restored, m->payload, sizeof(restored));
	c->tx_generation = le64toh(restored.tx_generation);
	c->rx_generation = le64toh(restored.rx_generation);
	c->restored++;
}

static void take_message(struct connection *c, const struct rig_message *m)
{
	uint32_t number = 0;

	if (m->length >= sizeof(number))
		memcpy(&number, m->payload, sizeof(number));
	number = le32toh(number);
	assert_true(channel_permitted(CHANNEL_TO_AGENT,
				      c->done ? CHANNEL_STATE_ESTABLISHED : CHANNEL_STATE_HANDSHAKE,
				      m->type));
	switch (m->type) {
	case CHANNEL_READ:
		assert_int_equal(m->length, sizeof(number));
		assert_true(number > 0 && number <= CHANNEL_MAX_READ);
		assert_int_equal(c->want, 0);
		c->want = number;
		break;
	case CHANNEL_BYTES:
		if (c->peer)
			peer_put(c->peer, m->payload, m->length);
		break;
	case CHANNEL_KEYS:
		take_keys(c, m->payload, m->length);
		break;
	case CHANNEL_DONE:
	case CHANNEL_FAIL:
		take_result(c, m->type, m->payload, m->length);
		break;
	case CHANNEL_RECORD:
		take_record(c, m->payload, m->length);
		break;
	case CHANNEL_CONTINUE:
		c->continues++;
		c->last_continue = number;
		break;
	case CHANNEL_EXPORTED:
		take_exported(c, m->payload, m->length);
		break;
	default:
		fail_msg("message %u", m->type);
	}
}

/* HELLO's: ours to pass on. */
static int take_descriptor(struct msghdr *msg)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static bool receive(struct rig *rig, uint64_t *id, struct rig_message *m)
{
	uint8_t packet[sizeof(struct channel_header) + CHANNEL_MAX_PAYLOAD];
	struct pollfd pollfd = { rig->fd, POLLIN, 0 };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { packet, sizeof(packet) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct channel_message parsed;
	ssize_t n;

	assert_int_equal(poll(&pollfd, 1, RIG_DEADLINE), 1);
	n = recvmsg(rig->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return false;
	if (msg.msg_controllen)
		rig->memory = take_descriptor(&msg);
	assert_int_equal(channel_parse(packet, (size_t)n, &parsed), 0);
	*id = parsed.session;
	m->type = parsed.type;
	m->length = parsed.length;
	memcpy(m->payload, parsed.payload, parsed.length);
	return true;
}

bool rig_step(struct rig *rig)
{
	static struct rig_message message;
	uint64_t id;

	if (!receive(rig, &id, &message))
		return false;
	if (message.type == CHANNEL_HELLO)
		return true;
	if (message.type == CHANNEL_COUNTS) {
		take_counts(rig, &message);
		return true;
	}
	if (message.type == CHANNEL_RETIRE) {
		rig->retiring = true;
		return true;
	}
	if (message.type == CHANNEL_RESTORED && id == 0) {
		take_restored(rig, NULL, &message);
		return true;
	}
	for (size_t i = 0; i < RIG_MAX_CONNECTIONS; i++) {
		if (!rig->connections[i] || rig->connections[i]->id != id)
			continue;
		if (message.type == CHANNEL_RESTORED)
			take_restored(rig, rig->connections[i], &message);
		else
			take_message(rig->connections[i], &message);
		return true;
	}
	return true; /* crossed our CLOSE */
}

struct attr_builder rig_options(uint32_t role, const char *profile)
{
	struct attr_builder options = { 0 };

	attr_put_u32(&options, CHANNEL_A_ROLE, role);
	attr_put_string(&options, CHANNEL_A_PROFILE, profile);
	attr_put_u32(&options, CHANNEL_A_UID, 1000);
	return options;
}

void connection_open(struct connection *c, struct rig *rig, struct attr_builder *options,
		     struct peer *peer)
{
	size_t i = 0;

	memset(c, 0, sizeof(*c));
	c->rig = rig;
	c->id = ++rig->last_id;
	c->peer = peer;
	c->alert_sent = c->alert_received = c->alert_record = -1;
	while (i < RIG_MAX_CONNECTIONS && rig->connections[i])
		i++;
	assert_true(i < RIG_MAX_CONNECTIONS);
	rig->connections[i] = c;
	assert_int_equal(attr_builder_error(options), 0);
	rig_send(rig, CHANNEL_OPEN, c->id, options->data, options->length);
	attr_builder_free(options);
}

bool connection_relay(struct connection *c)
{
	uint8_t bytes[CHANNEL_MAX_BYTES];
	size_t n;

	if (!c->peer_ready)
		c->peer_ready = peer_handshake(c->peer);
	if (!c->want || !peer_pending(c->peer))
		return false;
	n = peer_take(c->peer, bytes, c->want < sizeof(bytes) ? c->want : sizeof(bytes));
	c->want -= n;
	rig_send(c->rig, CHANNEL_BYTES, c->id, bytes, n);
	return true;
}

void connection_run(struct connection *c)
{
	while (!c->done && !c->failed)
		if (!connection_relay(c))
			assert_true(rig_step(c->rig));
	/* what was sent last: Finished, or an alert */
	if (!c->peer_ready)
		c->peer_ready = peer_handshake(c->peer);
	if (c->failed && !peer_failed(c->peer)) {
		char byte;

		peer_read(c->peer, &byte, 1);
	}
	if (c->done)
		assert_true(c->have_tx && c->have_rx && c->peer_ready);
}

static void send_data(struct connection *c, const char *data, size_t length)
{
	char got[64] = "";
	uint8_t wire[RECORD_MAX];
	size_t n;

	n = record_seal(&c->tx, 23, data, length, wire);
	peer_put(c->peer, wire, n);
	assert_int_equal(peer_read(c->peer, got, sizeof(got)), length);
	assert_memory_equal(got, data, length);
}

/* The peer's next record in @wire */
static size_t next_record(struct connection *c, uint8_t *wire)
{
	size_t body;

	assert_int_equal(peer_take(c->peer, wire, 5), 5);
	body = (size_t)wire[3] << 8 | wire[4];
	assert_int_equal(peer_take(c->peer, wire + 5, body), body);
	return 5 + body;
}

static uint8_t open_next(struct connection *c, uint8_t *plain, size_t *ret_length)
{
	uint8_t wire[RECORD_MAX], type;
	int n;

	n = record_open(&c->rx, wire, next_record(c, wire), &type, plain);
	assert_true(n >= 0);
	*ret_length = (size_t)n;
	return type;
}

void connection_divert(struct connection *c)
{
	unsigned int answers = c->continues + c->rx_updates;
	uint8_t plain[RECORD_MAX], type;
	size_t length;

	type = open_next(c, plain, &length);
	assert_int_not_equal(type, 23);
	connection_record(c, type, plain, length);
	/* reading stops at a handshake record until it is answered */
	while (type == 22 && !c->failed && c->continues + c->rx_updates == answers)
		assert_true(rig_step(c->rig));
}

static bool next_is_data(struct connection *c)
{
	struct record_keys copy = c->rx;
	uint8_t wire[RECORD_MAX], plain[RECORD_MAX], type;
	size_t length = peer_peek(c->peer, wire, sizeof(wire));

	assert_true(length >= 5);
	assert_true(record_open(&copy, wire, 5 + ((size_t)wire[3] << 8 | wire[4]), &type, plain) >=
		    0);
	return type == 23;
}

void connection_exchange(struct connection *c)
{
	static const char ping[] = "from the host", pong[] = "from the peer";
	uint8_t plain[RECORD_MAX];
	size_t length;

	send_data(c, ping, sizeof(ping));
	peer_write(c->peer, pong, sizeof(pong));
	while (!next_is_data(c))
		connection_divert(c);
	open_next(c, plain, &length);
	assert_int_equal(length, sizeof(pong));
	assert_memory_equal(plain, pong, sizeof(pong));
}

void connection_await_failure(struct connection *c)
{
	while (!c->failed)
		assert_true(rig_step(c->rig));
}

void connection_await_updates(struct connection *c, unsigned int number)
{
	while (!c->failed && c->tx_updates < number)
		assert_true(rig_step(c->rig));
	assert_false(c->failed);
}

void connection_record(struct connection *c, uint8_t type, const void *data, size_t length)
{
	uint8_t payload[1 + 16384];

	assert_true(length <= sizeof(payload) - 1);
	payload[0] = type;
	if (length)
		memcpy(payload + 1, data, length);
	rig_send(c->rig, CHANNEL_RECORD, c->id, payload, 1 + length);
}

void connection_export(struct connection *c, const char *label, const uint8_t *context,
		       size_t context_length, size_t length)
{
	const struct channel_export export = {
		.request = htole32(EXPORT_REQUEST),
		.label_len = htole16((uint16_t)strlen(label)),
		.context_len = htole16((uint16_t)context_length),
		.out_len = htole16((uint16_t)length),
		.flags = htole16(context != NULL),
	};
	uint8_t payload[sizeof(export) + 2 * 512];
	unsigned int before = c->exported;
	size_t at = sizeof(export) + strlen(label);

	assert_true(at + context_length <= sizeof(payload));
	memcpy(payload, &export, sizeof(export));
	memcpy(payload + sizeof(export), label, strlen(label));
	if (context_length)
		memcpy(payload + at, context, context_length);
	rig_send(c->rig, CHANNEL_EXPORT, c->id, payload, at + context_length);
	while (!c->failed && c->exported == before)
		assert_true(rig_step(c->rig));
}

void connection_close(struct connection *c)
{
	uint32_t error = 0;

	if (!c->failed)
		rig_send(c->rig, CHANNEL_CLOSE, c->id, &error, sizeof(error));
	for (size_t i = 0; i < RIG_MAX_CONNECTIONS; i++)
		if (c->rig->connections[i] == c)
			c->rig->connections[i] = NULL;
	peer_free(c->peer);
	c->peer = NULL;
}
