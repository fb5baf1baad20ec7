// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key updates, in both directions, while data flows: RFC 8446 4.6.3. The agent
 * installs fixed keys, one generation after the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib.h"
#include "program.h"

FIXTURE(key_update)
{
	struct pair pair;
	char in[20000];
};

FIXTURE_VARIANT(key_update)
{
	int family;
	uint16_t cipher;
};

FIXTURE_VARIANT_ADD(key_update, ipv4_aes_128_gcm)
{
	.family = AF_INET, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(key_update, ipv6_chacha20_poly1305)
{
	.family = AF_INET6, .cipher = TLS_CIPHER_CHACHA20_POLY1305,
};

FIXTURE_SETUP(key_update)
{
	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	self->pair = PAIR_NONE;
	ASSERT_EQ(0, pair_open(&self->pair, variant->family, TLS_1_3_VERSION, variant->cipher));
}

FIXTURE_TEARDOWN(key_update)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(key_update, of_the_peer_holds_readers_until_the_new_key)
{
	struct pollfd pfd = { .events = POLLIN };
	struct pair *p = &self->pair;

	pfd.fd = p->app;
	for (int generation = 1; generation <= 5; generation++) {
		ASSERT_EQ(3, send(p->peer, "old", 3, 0));
		ASSERT_EQ(0, peer_updates(p, generation));
		ASSERT_EQ(3, send(p->peer, "new", 3, 0));
		ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("old", self->in, 3));
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		EXPECT_EQ(0, poll(&pfd, 1, 0));
		ASSERT_EQ(0, agent_follows(p, generation));
		EXPECT_EQ(POLLIN, wait_for(p->app, POLLIN));
		ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("new", self->in, 3));
		EXPECT_EQ(generation, get_info(p->app).rx_generation);
		EXPECT_EQ(0, get_info(p->app).tx_generation);
	}
	EXPECT_EQ(5, stat_read("HandoffRxRekeys"));
}

TEST_F(key_update, of_the_peer_wakes_a_sleeping_reader_with_the_data_after_it)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct task task;

	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(3, send(p->peer, "new", 3, 0));
	EXPECT_TRUE(wait_for(p->session, POLLIN) & POLLIN);
	EXPECT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, agent_follows(p, 1));
	EXPECT_EQ(3, task_end(&task));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
}

TEST_F(key_update, behind_a_ticket_in_the_same_record)
{
	static const char both[] = "\x04\x00\x00\x04tick" KEY_UPDATE;
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, FROM_PEER, 1);
	uint8_t type;

	ASSERT_EQ(13, send_record(p->peer, RECORD_HANDSHAKE, both, 13));
	ASSERT_EQ(0, keys_install(p->peer, &keys, NULL));
	ASSERT_EQ(3, send(p->peer, "new", 3, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(13, next_record(p->session, &type, self->in, 100));
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
}

TEST_F(key_update, in_fragments_over_several_records)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, FROM_PEER, 1);
	uint8_t type;

	for (int i = 0; i < KEY_UPDATE_LENGTH; i++)
		ASSERT_EQ(1, send_record(p->peer, RECORD_HANDSHAKE, &KEY_UPDATE[i], 1));
	ASSERT_EQ(0, keys_install(p->peer, &keys, NULL));
	ASSERT_EQ(3, send(p->peer, "new", 3, 0));
	for (int i = 0; i < KEY_UPDATE_LENGTH; i++) {
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(1, next_record(p->session, &type, self->in, 100));
		EXPECT_EQ(KEY_UPDATE[i], self->in[0]);
		if (i < KEY_UPDATE_LENGTH - 1)
			ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE,
					     TLS_HANDOFF_CONTINUE_MORE));
	}
	ASSERT_EQ(0, keys_install(p->session, NULL, &keys));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
}

TEST_F(key_update, whose_fragments_are_not_together_breaks_the_protocol)
{
	struct tls_handoff_event event = {};
	struct pair *p = &self->pair;
	uint8_t type;

	ASSERT_EQ(2, send_record(p->peer, RECORD_HANDSHAKE, KEY_UPDATE, 2));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(2, next_record(p->session, &type, self->in, 100));
	ASSERT_EQ(0, set_u32(p->session, TLS_HANDOFF_CONTINUE, TLS_HANDOFF_CONTINUE_MORE));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(EPROTO, errno);
	EXPECT_EQ(TLS_HANDOFF_STATE_FAILED, get_info(p->app).state);
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_EVENT_FAILED, event.event);
	EXPECT_EQ(EPROTO, event.error);
}

TEST_F(key_update, of_ours_comes_before_all_that_is_sent_after_it)
{
	struct pair *p = &self->pair;
	uint8_t type = 0;

	for (int generation = 1; generation <= 5; generation++) {
		struct keys keys = pair_keys(p, TO_PEER, generation);

		ASSERT_EQ(3, send(p->app, "old", 3, 0));
		ASSERT_EQ(0, agent_updates(p, generation));
		ASSERT_EQ(3, send(p->app, "new", 3, 0));
		ASSERT_EQ(3, recv_record(p->peer, &type, self->in, 100, 0));
		EXPECT_EQ(0, memcmp("old", self->in, 3));
		ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, self->in, 100, 0));
		EXPECT_EQ(RECORD_HANDSHAKE, type);
		EXPECT_EQ(0, memcmp(KEY_UPDATE, self->in, KEY_UPDATE_LENGTH));
		ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
		ASSERT_EQ(3, read_all(p->peer, self->in, 3));
		EXPECT_EQ(0, memcmp("new", self->in, 3));
		EXPECT_EQ(generation, get_info(p->app).tx_generation);
		EXPECT_EQ(0, get_info(p->app).rx_generation);
	}
	EXPECT_EQ(5, stat_read("HandoffTxRekeys"));
}

TEST_F(key_update, closes_a_record_that_msg_more_left_open)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, TO_PEER, 1);
	uint8_t type = 0;

	ASSERT_EQ(3, send(p->app, "old", 3, MSG_MORE));
	ASSERT_EQ(0, agent_updates(p, 1));
	ASSERT_EQ(3, send(p->app, "new", 3, 0));
	ASSERT_EQ(3, recv_record(p->peer, &type, self->in, 100, 0));
	EXPECT_EQ(RECORD_DATA, type);
	ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, self->in, 100, 0));
	EXPECT_EQ(RECORD_HANDSHAKE, type);
	ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
	ASSERT_EQ(3, read_all(p->peer, self->in, 3));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
}

#define UPDATES 20
#define STREAM (2 << 20)

static long write_stream(void *arg)
{
	char piece[30000];
	long done = 0;
	int fd = *(int *)arg;

	while (done < STREAM) {
		long n = STREAM - done < (long)sizeof(piece) ? STREAM - done : sizeof(piece);

		pattern_fill(piece, n, done);
		if (write_all(fd, piece, n) != n)
			return -errno;
		done += n;
	}
	return done;
}

static long read_stream(void *arg)
{
	char piece[30000];
	long done = 0, ret;
	int fd = *(int *)arg;

	while (done < STREAM) {
		ret = recv(fd, piece, sizeof(piece), 0);
		if (ret <= 0)
			return ret ? -errno : done;
		if (!pattern_check(piece, ret, done))
			return -EILSEQ;
		done += ret;
	}
	return done;
}

/* The peer on raw kTLS, which must change the key itself */
static long peer_read_stream(void *arg)
{
	struct pair *p = arg;
	unsigned int generation = 0;
	char piece[30000];
	long done = 0, ret;
	uint8_t type = 0;

	while (done < STREAM || generation < UPDATES) {
		ret = recv_record(p->peer, &type, piece, sizeof(piece), 0);
		if (ret <= 0)
			return ret ? ret : done;
		if (type == RECORD_HANDSHAKE) {
			struct keys keys = pair_keys(p, TO_PEER, ++generation);

			if (ret != KEY_UPDATE_LENGTH || keys_install(p->peer, NULL, &keys))
				return -EPROTO;
			continue;
		}
		if (!pattern_check(piece, ret, done))
			return -EILSEQ;
		done += ret;
	}
	return done;
}

static long peer_write_stream(void *arg)
{
	struct pair *p = arg;
	char piece[30000];
	long done = 0;

	for (unsigned int generation = 1; done < STREAM; generation++) {
		long part = STREAM / (UPDATES + 1) + 1;

		while (part && done < STREAM) {
			long n = part < (long)sizeof(piece) ? part : sizeof(piece);

			n = n < STREAM - done ? n : STREAM - done;
			pattern_fill(piece, n, done);
			if (write_all(p->peer, piece, n) != n)
				return -errno;
			done += n;
			part -= n;
		}
		if (generation <= UPDATES && peer_updates(p, generation))
			return -EPROTO;
	}
	return done;
}

TEST_F_TIMEOUT(key_update, of_both_sides_while_megabytes_flow_both_ways, 60)
{
	struct pair *p = &self->pair;
	struct task writer, reader, peer_writer, peer_reader;

	ASSERT_EQ(0, task_start(&peer_reader, peer_read_stream, p));
	ASSERT_EQ(0, task_start(&reader, read_stream, &p->app));
	ASSERT_EQ(0, task_start(&writer, write_stream, &p->app));
	ASSERT_EQ(0, task_start(&peer_writer, peer_write_stream, p));
	for (int generation = 1; generation <= UPDATES; generation++) {
		ASSERT_EQ(0, agent_follows(p, generation));
		ASSERT_EQ(0, agent_updates(p, generation));
	}
	EXPECT_EQ(STREAM, task_end(&writer));
	EXPECT_EQ(STREAM, task_end(&reader));
	EXPECT_EQ(STREAM, task_end(&peer_writer));
	EXPECT_EQ(STREAM, task_end(&peer_reader));
	EXPECT_EQ(UPDATES, get_info(p->app).tx_generation);
	EXPECT_EQ(UPDATES, get_info(p->app).rx_generation);
}

TEST_F(key_update, reading_never_waits_for_the_sending_side)
{
	static char big[8 << 20];
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	struct keys keys = pair_keys(p, TO_PEER, 1);
	struct pollfd pfd = { .fd = p->peer, .events = POLLIN };
	bool updated = false;
	struct task task;
	long got = 0, ret;
	uint8_t type = RECORD_DATA;

	/* Our window is full, so our own update cannot go out now */
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	EXPECT_EQ(-EAGAIN, tx_update(p->session, &keys));
	ASSERT_EQ(0, peer_updates(p, 1));
	ASSERT_EQ(3, send(p->peer, "new", 3, 0));
	EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
	ASSERT_EQ(0, agent_follows(p, 1));
	ASSERT_EQ(3, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
	/* Senders are held from the refusal on; when the stuck one has had its turn, it comes */
	while (got < (long)sizeof(big)) {
		if (!updated && poll(&pfd, 1, 0) == 0 &&
		    wait_for(p->session, POLLOUT) & POLLOUT)
			updated = !tx_update(p->session, &keys);
		ret = recv_record(p->peer, &type, self->in, sizeof(self->in), 0);
		ASSERT_LT(0, ret);
		if (type == RECORD_DATA) {
			got += ret;
		} else {
			ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
			type = RECORD_DATA;
		}
	}
	EXPECT_TRUE(updated);
	EXPECT_EQ(sizeof(big), task_end(&task));
}

TEST_F(key_update, that_never_comes_because_the_session_handler_went_lets_senders_go)
{
	static char big[8 << 20];
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = big, .size = sizeof(big) };
	struct keys keys = pair_keys(p, TO_PEER, 1);
	struct task task;
	long got = 0, ret;

	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	EXPECT_EQ(-EAGAIN, tx_update(p->session, &keys));
	close(p->session);
	p->session = -1;
	while (got < (long)sizeof(big)) {
		ret = recv(p->peer, self->in, sizeof(self->in), 0);
		ASSERT_LT(0, ret);
		got += ret;
	}
	EXPECT_EQ(sizeof(big), task_end(&task));
}

TEST_F(key_update, that_is_malformed_is_refused_and_sends_nothing)
{
	struct pair *p = &self->pair;
	struct keys keys = pair_keys(p, TO_PEER, 1), other;
	char buffer[1000];
	struct tls_handoff_tx_update *update = (void *)buffer;
	size_t length = sizeof(*update) + keys.length + KEY_UPDATE_LENGTH;

#define TRY(statement, size) ({								\
	memset(buffer, 0, sizeof(buffer));						\
	*update = (struct tls_handoff_tx_update){ .crypto_info_len = keys.length,	\
		.record_len = KEY_UPDATE_LENGTH, .record_type = RECORD_HANDSHAKE };	\
	memcpy(update->data, &keys, keys.length);					\
	memcpy(update->data + keys.length, KEY_UPDATE, KEY_UPDATE_LENGTH);		\
	statement;									\
	setsockopt(p->session, SOL_TLS_HANDOFF, TLS_HANDOFF_TX_UPDATE, buffer, size) ?	\
		-errno : 0; })
	EXPECT_EQ(-EINVAL, TRY(, 0));
	EXPECT_EQ(-EINVAL, TRY(, sizeof(*update)));
	EXPECT_EQ(-EINVAL, TRY(, length - 1));
	EXPECT_EQ(-EINVAL, TRY(, length + 1));
	EXPECT_EQ(-EINVAL, TRY(update->crypto_info_len = 0, length));
	EXPECT_EQ(-EINVAL, TRY(update->crypto_info_len = 0xffff, length));
	EXPECT_EQ(-EINVAL, TRY(update->crypto_info_len--, length - 1));
	EXPECT_EQ(-EINVAL, TRY(update->record_len = 0, length - KEY_UPDATE_LENGTH));
	EXPECT_EQ(-EINVAL, TRY(update->record_len = 0xffff, length));
	EXPECT_EQ(-EINVAL, TRY(update->record_type = RECORD_DATA, length));
	EXPECT_EQ(-EINVAL, TRY(update->reserved[1] = 1, length));
	/* Another version or cipher than the connection has */
	keys_fill(&other, TLS_1_2_VERSION, p->cipher, 0, 1);
	EXPECT_EQ(-EINVAL, TRY(memcpy(update->data, &other, other.length), length));
	other.info.version = TLS_1_3_VERSION;
	other.info.cipher_type = TLS_CIPHER_AES_CCM_128;
	EXPECT_EQ(-EINVAL, TRY(memcpy(update->data, &other, other.length), length));
#undef TRY
	EXPECT_EQ(-1, setsockopt(p->session, SOL_TLS_HANDOFF, TLS_HANDOFF_TX_UPDATE, NULL,
				 length));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, get_info(p->app).tx_generation);
	ASSERT_EQ(3, send(p->app, "old", 3, 0));
	ASSERT_EQ(3, recv(p->peer, self->in, 100, 0));
}

TEST_F(key_update, that_the_program_asks_for_holds_its_senders)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = "new", .size = 3 };
	struct keys keys = pair_keys(p, TO_PEER, 1);
	struct pollfd pfd = { .fd = p->app, .events = POLLOUT };
	struct tls_handoff_event event = {};
	struct task task;
	uint8_t type;

	EXPECT_EQ(-EINVAL, set_u32(p->app, TLS_HANDOFF_REKEY, 1));
	ASSERT_EQ(0, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, send(p->app, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, task_start(&task, call_send, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_sendto));
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_EVENT_REKEY, event.event);
	ASSERT_EQ(0, agent_updates(p, 1));
	EXPECT_EQ(3, task_end(&task));
	EXPECT_EQ(POLLOUT, wait_for(p->app, POLLOUT));
	ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, self->in, 100, 0));
	ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
	ASSERT_EQ(3, read_all(p->peer, self->in, 3));
	EXPECT_EQ(0, memcmp("new", self->in, 3));
}

TEST_F(key_update, is_asked_for_when_the_limit_of_a_key_is_near)
{
	struct pair *p = &self->pair;
	struct done done = { .version = TLS_1_3_VERSION, .cipher = variant->cipher,
			     .auth = TLS_HANDOFF_AUTH_X509, .limit_records = 16 };
	struct keys keys = pair_keys(p, TO_PEER, 1);
	struct tls_handoff_event event = {};
	uint8_t type;
	int sent = 0;

	pair_close_sockets(p);
	ASSERT_EQ(0, pair_start(p, variant->family));
	done.id = p->id;
	ASSERT_EQ(0, pair_finish(p, &done));
	while (sent < 100 && send(p->app, "x", 1, MSG_DONTWAIT) == 1)
		sent++;
	EXPECT_EQ(16, sent);
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(sizeof(event), next_record(p->session, &type, &event, sizeof(event)));
	EXPECT_EQ(TLS_HANDOFF_EVENT_REKEY, event.event);
	ASSERT_EQ(0, agent_updates(p, 1));
	EXPECT_EQ(1, send(p->app, "y", 1, MSG_DONTWAIT));
	ASSERT_EQ(16, read_all(p->peer, self->in, 16));
	ASSERT_EQ(KEY_UPDATE_LENGTH, recv_record(p->peer, &type, self->in, 100, 0));
	ASSERT_EQ(0, keys_install(p->peer, NULL, &keys));
	ASSERT_EQ(1, read_all(p->peer, self->in, 1));
}

TEST(key_update_is_not_in_tls12)
{
	struct done done = { .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
			     .auth = TLS_HANDOFF_AUTH_X509, .limit_records = 16 };
	struct pair pair = PAIR_NONE, *p = &pair;
	uint8_t type = 0, buffer[100];
	struct keys keys;
	int sent = 1;

	ASSERT_EQ(0, net_enter());
	p->version = TLS_1_2_VERSION;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, pair_start(p, AF_INET));
	done.id = p->id;
	ASSERT_EQ(0, pair_finish(p, &done));
	keys = pair_keys(p, TO_PEER, 1);
	EXPECT_GT(0, tx_update(p->session, &keys));
	EXPECT_EQ(-EOPNOTSUPP, set_u32(p->app, TLS_HANDOFF_REKEY, 0));
	ASSERT_EQ(1, send(p->app, "x", 1, MSG_NOSIGNAL));
	/* Not a word of what was refused is on the wire */
	EXPECT_EQ(1, recv_record(p->peer, &type, buffer, sizeof(buffer), 0));
	EXPECT_EQ(RECORD_DATA, type);
	/* At the limit of its key such a connection ends, in order */
	while (sent < 100 && send(p->app, "x", 1, MSG_NOSIGNAL) == 1)
		sent++;
	EXPECT_EQ(EKEYEXPIRED, errno);
	EXPECT_GE(16, sent);
	EXPECT_EQ(sent - 1, read_all(p->peer, buffer, sent - 1));
	EXPECT_EQ(2, recv_record(p->peer, &type, buffer, sizeof(buffer), 0));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(0, buffer[1]);
	EXPECT_EQ(EKEYEXPIRED, get_info(p->app).error);
	pair_close(p);
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
