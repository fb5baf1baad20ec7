// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a connection ends: alerts, a FIN without one, records that fail, a reset,
 * and the close_notify that we send.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "expect.h"
#include "lib.h"
#include "program.h"

enum {
	WARNING = 1, FATAL = 2,
	CLOSE_NOTIFY = 0, BAD_RECORD_MAC = 20, RECORD_OVERFLOW = 22, HANDSHAKE_FAILURE = 40,
	DECODE_ERROR = 50, INTERNAL_ERROR = 80, USER_CANCELED = 90, NO_RENEGOTIATION = 100,
};

FIXTURE(alerts)
{
	struct pair pair;
	char in[20000];
};

FIXTURE_VARIANT(alerts)
{
	int family;
	uint16_t version, cipher;
};

FIXTURE_VARIANT_ADD(alerts, ipv4_tls13)
{
	.family = AF_INET, .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
};

FIXTURE_VARIANT_ADD(alerts, ipv6_tls12)
{
	.family = AF_INET6, .version = TLS_1_2_VERSION, .cipher = TLS_CIPHER_CHACHA20_POLY1305,
};

FIXTURE_SETUP(alerts)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	*p = PAIR_NONE;
	p->version = variant->version;
	p->cipher = variant->cipher;
	ASSERT_EQ(0, pair_start(p, variant->family));
}

FIXTURE_TEARDOWN(alerts)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

/* Ready on our side; the peer stays plain TCP and can send any bytes */
static int finish_raw(struct pair *p, bool truncation_eof)
{
	struct done done = { .id = p->id, .version = p->version, .cipher = p->cipher,
			     .auth = TLS_HANDOFF_AUTH_X509, .truncation_eof = truncation_eof };
	struct keys tx, rx;
	int err;

	keys_fill(&tx, p->version, p->cipher, 0, 0);
	keys_fill(&rx, p->version, p->cipher, 1, 0);
	err = keys_install(p->session, &tx, &rx);
	return err ? err : agent_done(p->agent, &done);
}

static void expect_alert(struct __test_metadata *_metadata, int fd, uint8_t level,
			 uint8_t description)
{
	uint8_t type = 0xff, alert[100] = {};

	EXPECT_EQ(2, next_record(fd, &type, alert, sizeof(alert)));
	EXPECT_EQ(RECORD_ALERT, type);
	EXPECT_EQ(level, alert[0]);
	EXPECT_EQ(description, alert[1]);
}

static void expect_event(struct __test_metadata *_metadata, int fd, uint32_t event, uint32_t error)
{
	struct tls_handoff_event got = {};
	uint8_t type = 0xff;

	EXPECT_EQ(sizeof(got), next_record(fd, &type, &got, sizeof(got)));
	EXPECT_EQ(TLS_HANDOFF_RECORD_EVENT, type);
	EXPECT_EQ(event, got.event);
	EXPECT_EQ(error, got.error);
}

TEST_F(alerts, close_notify_is_end_of_file_and_sending_goes_on)
{
	struct pair *p = &self->pair;
	struct tls_handoff_info info;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(4, send(p->peer, "last", 4, 0));
	ASSERT_EQ(0, send_alert(p->peer, WARNING, CLOSE_NOTIFY));
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, recv(p->app, self->in, 100, MSG_PEEK | MSG_DONTWAIT));
	}
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLOUT, wait_for(p->app, POLLIN | POLLOUT | POLLRDHUP));
	info = get_info(p->app);
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, info.state);
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_RECEIVED, info.flags);
	EXPECT_EQ(CLOSE_NOTIFY, info.alert_received);
	EXPECT_EQ(-1, info.alert_sent);
	EXPECT_EQ(0, info.error);
	expect_alert(_metadata, p->session, WARNING, CLOSE_NOTIFY);
	EXPECT_EQ(1, stat_read("HandoffCloseReceived"));
	/* Half closed */
	ASSERT_EQ(4, send(p->app, "more", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, self->in, 4));
	ASSERT_EQ(0, shutdown(p->app, SHUT_WR));
	expect_alert(_metadata, p->peer, WARNING, CLOSE_NOTIFY);
	info = get_info(p->app);
	EXPECT_EQ(TLS_HANDOFF_STATE_CLOSED, info.state);
	EXPECT_EQ(TLS_HANDOFF_F_CLOSE_RECEIVED | TLS_HANDOFF_F_CLOSE_SENT, info.flags);
	EXPECT_EQ(CLOSE_NOTIFY, info.alert_sent);
}

TEST_F(alerts, close_notify_then_fin_is_no_truncation)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, send_alert(p->peer, WARNING, CLOSE_NOTIFY));
	close(p->peer);
	p->peer = -1;
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, get_info(p->app).error);
	EXPECT_EQ(0, get_info(p->app).flags & TLS_HANDOFF_F_TRUNCATED);
}

TEST_F(alerts, a_fatal_alert_is_econnreset)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(4, send(p->peer, "last", 4, 0));
	ASSERT_EQ(0, send_alert(p->peer, FATAL, HANDSHAKE_FAILURE));
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(HANDSHAKE_FAILURE, get_info(p->app).alert_received);
	expect_alert(_metadata, p->session, FATAL, HANDSHAKE_FAILURE);
	EXPECT_EQ(1, stat_read("HandoffAlertsReceived"));
}

TEST_F(alerts, poll_finds_a_fatal_alert)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, send_alert(p->peer, FATAL, INTERNAL_ERROR));
	EXPECT_TRUE(wait_for(p->app, POLLIN) & POLLERR);
	EXPECT_EQ(ECONNRESET, socket_error(p->app));
	expect_failed(_metadata, p, ECONNRESET);
}

TEST_F(alerts, warnings_go_on_in_tls12_and_are_fatal_in_tls13)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, send_alert(p->peer, WARNING, NO_RENEGOTIATION));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	if (variant->version == TLS_1_3_VERSION) {
		expect_failed(_metadata, p, ECONNRESET);
		EXPECT_EQ(NO_RENEGOTIATION, get_info(p->app).alert_received);
	} else {
		ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
		EXPECT_EQ(0, get_info(p->app).error);
	}
	expect_alert(_metadata, p->session, WARNING, NO_RENEGOTIATION);
}

TEST_F(alerts, user_canceled_goes_on_and_many_of_them_are_bounded)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, send_alert(p->peer, WARNING, USER_CANCELED));
	ASSERT_EQ(4, send(p->peer, "data", 4, 0));
	/* Nobody takes them: reading stops before all are here */
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(-1, recv(p->app, self->in, 100, MSG_DONTWAIT));
		ASSERT_EQ(EAGAIN, errno);
	}
	EXPECT_GT(20, get_info(p->app).records_diverted);
	EXPECT_LT(0, get_info(p->app).records_diverted);
	for (int i = 0; i < 20; i++) {
		recv(p->app, self->in, 100, MSG_DONTWAIT | MSG_PEEK);
		expect_alert(_metadata, p->session, WARNING, USER_CANCELED);
	}
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(20, get_info(p->app).records_diverted);
}

TEST_F(alerts, a_malformed_alert_is_einval)
{
	static const int sizes[] = { 1, 3, 100 };
	struct pair *p = &self->pair;

	for (int i = 0; i < 3; i++) {
		if (i)
			ASSERT_EQ(0, pair_start(p, variant->family));
		ASSERT_EQ(0, pair_finish(p, NULL));
		ASSERT_EQ(sizes[i], send_record(p->peer, RECORD_ALERT, self->in, sizes[i]));
		expect_failed(_metadata, p, EINVAL);
		/* The session handler gets what came, and the word to answer it */
		EXPECT_EQ(sizes[i], next_record(p->session, &(uint8_t){}, self->in, 200));
		expect_event(_metadata, p->session, TLS_HANDOFF_EVENT_FAILED, EINVAL);
		EXPECT_EQ(0, send_alert(p->session, FATAL, DECODE_ERROR));
		expect_alert(_metadata, p->peer, FATAL, DECODE_ERROR);
		EXPECT_EQ(0, recv(p->peer, self->in, 10, 0));
		pair_close_sockets(p);
	}
}

TEST_F(alerts, fin_without_close_notify_is_truncation)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(4, send(p->peer, "last", 4, 0));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	expect_failed(_metadata, p, ECONNABORTED);
	EXPECT_TRUE(get_info(p->app).flags & TLS_HANDOFF_F_TRUNCATED);
	EXPECT_EQ(1, stat_read("HandoffTruncated"));
	expect_event(_metadata, p->session, TLS_HANDOFF_EVENT_TRUNCATED, 0);
}

TEST_F(alerts, a_sleeping_reader_learns_of_truncation)
{
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct task task;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	EXPECT_EQ(-ECONNABORTED, task_end(&task));
}

TEST_F(alerts, with_truncation_eof_a_fin_is_the_end)
{
	struct pair *p = &self->pair;

	ASSERT_EQ(0, finish_raw(p, true));
	ASSERT_EQ(0, peer_tls(p->peer, p->version, p->cipher));
	ASSERT_EQ(4, send(p->peer, "last", 4, 0));
	ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
	ASSERT_EQ(4, recv(p->app, self->in, 100, 0));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, recv(p->app, self->in, 100, 0));
	EXPECT_EQ(0, get_info(p->app).error);
	ASSERT_EQ(4, send(p->app, "more", 4, 0));
	ASSERT_EQ(4, read_all(p->peer, self->in, 4));
}

TEST_F(alerts, a_partial_record_is_truncation_whatever_was_agreed)
{
	/* A part of the header, the header, the header and a part of the record */
	static const uint8_t record[] = { 0x17, 3, 3, 0, 100, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const size_t lengths[] = { 1, 3, 5, 6, sizeof(record) };
	struct pair *p = &self->pair;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
		size_t length = lengths[i / 2];

		if (i)
			ASSERT_EQ(0, pair_start(p, variant->family));
		ASSERT_EQ(0, finish_raw(p, i & 1));
		ASSERT_EQ((long)length, send(p->peer, record, length, 0));
		ASSERT_EQ(0, shutdown(p->peer, SHUT_WR));
		expect_failed(_metadata, p, ECONNABORTED);
		EXPECT_TRUE(get_info(p->app).flags & TLS_HANDOFF_F_TRUNCATED);
		expect_event(_metadata, p->session, TLS_HANDOFF_EVENT_TRUNCATED, 0);
		pair_close_sockets(p);
	}
}

/* The alert of the session handler reaches the wire, encrypted, and then the FIN */
static void expect_alert_then_fin(struct __test_metadata *_metadata, struct pair *p,
				  uint8_t description, char *buffer)
{
	struct pollfd pfd = { .fd = p->peer, .events = POLLIN };
	long ret;

	/* Nothing before it */
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(0, send_alert(p->session, FATAL, description));
	EXPECT_EQ(description, get_info(p->app).alert_sent);
	ret = read_all(p->peer, buffer, 1000);
	EXPECT_LT(5 + 2, ret);
	EXPECT_GT(60, ret);
	EXPECT_EQ(p->version == TLS_1_3_VERSION ? RECORD_DATA : RECORD_ALERT, buffer[0]);
	EXPECT_EQ(-EPIPE, send_alert(p->session, FATAL, description));
}

static void expect_record_failure(struct __test_metadata *_metadata, struct pair *p, int family,
				  const uint8_t *record, size_t length, int error,
				  uint8_t description, char *buffer)
{
	if (p->app < 0)
		ASSERT_EQ(0, pair_start(p, family));
	ASSERT_EQ(0, finish_raw(p, false));
	ASSERT_EQ((long)length, send(p->peer, record, length, 0));
	expect_failed(_metadata, p, error);
	expect_event(_metadata, p->session, TLS_HANDOFF_EVENT_FAILED, error);
	expect_alert_then_fin(_metadata, p, description, buffer);
	pair_close_sockets(p);
}

TEST_F(alerts, a_record_that_fails_tells_the_session_handler_whose_alert_goes_out)
{
	uint8_t record[5 + 64] = { 0x17, 3, 3, 0, 64 };
	struct pair *p = &self->pair;

	/* A wrong tag */
	expect_record_failure(_metadata, p, variant->family, record, sizeof(record), EBADMSG,
			      BAD_RECORD_MAC, self->in);
	/* A length that no record has */
	record[3] = 0x48;
	expect_record_failure(_metadata, p, variant->family, record, sizeof(record), EMSGSIZE,
			      RECORD_OVERFLOW, self->in);
	record[3] = 0xff;
	expect_record_failure(_metadata, p, variant->family, record, 5, EMSGSIZE,
			      RECORD_OVERFLOW, self->in);
	/* Another version */
	record[3] = 0;
	record[2] = 1;
	expect_record_failure(_metadata, p, variant->family, record, sizeof(record), EINVAL,
			      DECODE_ERROR, self->in);
	EXPECT_EQ(4, stat_read("HandoffRecordErrors"));
}

TEST_F(alerts, a_record_too_short_for_its_tag_fails)
{
	static const uint8_t record[] = { 0x17, 3, 3, 0, 3, 1, 2, 3 };
	struct pair *p = &self->pair;
	char byte;

	ASSERT_EQ(0, finish_raw(p, false));
	ASSERT_EQ((long)sizeof(record), send(p->peer, record, sizeof(record), 0));
	EXPECT_EQ(-1, recv(p->app, &byte, 1, 0));
	EXPECT_TRUE(errno == EBADMSG || errno == EINVAL);
	expect_failed(_metadata, p, errno);
}

TEST_F(alerts, without_a_session_handler_a_failed_record_ends_tcp_at_once)
{
	static const uint8_t record[5 + 64] = { 0x17, 3, 3, 0, 64 };
	struct pair *p = &self->pair;

	for (int i = 0; i < 2; i++) {
		if (i)
			ASSERT_EQ(0, pair_start(p, variant->family));
		ASSERT_EQ(0, finish_raw(p, false));
		/* It is gone before, or goes without a word */
		if (!i)
			close(p->session);
		ASSERT_EQ((long)sizeof(record), send(p->peer, record, sizeof(record), 0));
		expect_failed(_metadata, p, EBADMSG);
		if (i)
			close(p->session);
		p->session = -1;
		EXPECT_EQ(0, recv(p->peer, self->in, 100, 0));
		pair_close_sockets(p);
	}
}

TEST_F(alerts, a_reset_is_econnreset)
{
	struct linger linger = { .l_onoff = 1 };
	struct pair *p = &self->pair;
	struct call call = { .fd = p->app, .buffer = self->in, .size = 100 };
	struct task task;

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, task_start(&task, call_recv, &call));
	ASSERT_TRUE(task_sleeps(&task, SYS_recvfrom));
	ASSERT_EQ(0, setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(p->peer);
	p->peer = -1;
	EXPECT_EQ(-ECONNRESET, task_end(&task));
	expect_failed(_metadata, p, ECONNRESET);
	EXPECT_EQ(0, get_info(p->app).flags & TLS_HANDOFF_F_TRUNCATED);
	EXPECT_EQ(-1, get_info(p->app).alert_received);
}

TEST_F(alerts, the_session_handler_may_end_the_connection)
{
	struct pair *p = &self->pair;
	struct done done = { .id = p->id, .status = EPROTO, .error = "unexpected message" };

	ASSERT_EQ(0, pair_finish(p, NULL));
	ASSERT_EQ(0, send_alert(p->session, FATAL, INTERNAL_ERROR));
	EXPECT_EQ(INTERNAL_ERROR, get_info(p->app).alert_sent);
	ASSERT_EQ(0, agent_done(p->agent, &done));
	expect_alert(_metadata, p->peer, FATAL, INTERNAL_ERROR);
	EXPECT_EQ(0, recv(p->peer, self->in, 100, 0));
	expect_failed(_metadata, p, EPROTO);
	EXPECT_STREQ("unexpected message", get_error(p->app));
}

TEST_HARNESS_MAIN
