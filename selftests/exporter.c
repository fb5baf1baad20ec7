// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS_HANDOFF_EXPORTER: a program asks for keying material, the session handler
 * answers through the session fd.
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
#include "lib.h"
#include "program.h"

#define LABEL "EXPORTER-selftest"
#define LIMIT_MS 300

/* A question with room for label, context and the longest answer */
struct question {
	struct tls_handoff_exporter head;
	uint8_t data[600];
};

static struct question question(const char *label, const char *context, uint16_t out_len)
{
	struct question q = { .head = { .label_len = strlen(label), .out_len = out_len } };

	memcpy(q.head.data, label, q.head.label_len);
	if (context) {
		q.head.flags = 1;
		q.head.context_len = strlen(context);
		memcpy(q.head.data + q.head.label_len, context, q.head.context_len);
	}
	return q;
}

/* 0 or -errno; *length as getsockopt() leaves it */
static int ask(int fd, struct question *q, socklen_t *length)
{
	return getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, q, length) ? -errno : 0;
}

struct asker {
	int fd;
	struct question q;
	socklen_t length;
};

static long call_ask(void *arg)
{
	struct asker *asker = arg;

	return ask(asker->fd, &asker->q, &asker->length);
}

static void asker_init(struct asker *asker, int fd, const char *context, uint16_t out_len)
{
	asker->fd = fd;
	asker->q = question(LABEL, context, out_len);
	asker->length = sizeof(asker->q);
}

/* What the session fd tells of a question */
struct told {
	struct tls_handoff_event event;
	struct tls_handoff_exporter head;
	uint8_t data[600];
};

static ssize_t listen_for(int session, struct told *told)
{
	uint8_t type;
	ssize_t n = next_record(session, &type, told, sizeof(*told));

	return n < 0 || type != TLS_HANDOFF_RECORD_EVENT ||
	       told->event.event != TLS_HANDOFF_EVENT_EXPORT ? -EPROTO : n;
}

static int answer(int session, uint32_t request, uint32_t error, const void *data, size_t length)
{
	char buffer[sizeof(struct tls_handoff_exported) + 600] = {};
	struct tls_handoff_exported *exported = (void *)buffer;

	exported->request = request;
	exported->error = error;
	memcpy(exported->data, data, length);
	return setsockopt(session, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTED, buffer,
			  sizeof(*exported) + length) ? -errno : 0;
}

FIXTURE(exporter)
{
	struct pair pair;
	struct told told;
};

FIXTURE_SETUP(exporter)
{
	struct done done = { .version = TLS_1_3_VERSION, .cipher = TLS_CIPHER_AES_GCM_128,
			     .auth = TLS_HANDOFF_AUTH_X509, .handler_timeout = LIMIT_MS };
	struct pair *p = &self->pair;

	ASSERT_EQ(0, net_enter());
	signal(SIGPIPE, SIG_IGN);
	*p = PAIR_NONE;
	p->version = TLS_1_3_VERSION;
	p->cipher = TLS_CIPHER_AES_GCM_128;
	ASSERT_EQ(0, pair_start(p, AF_INET));
	done.id = p->id;
	ASSERT_EQ(0, pair_finish(p, &done));
}

FIXTURE_TEARDOWN(exporter)
{
	pair_close(&self->pair);
	EXPECT_TRUE(nothing_left());
}

TEST_F(exporter, hands_the_question_on_and_the_answer_back)
{
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;

	asker_init(&asker, p->app, "context", 20);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_EQ(sizeof(struct tls_handoff_event) + sizeof(struct tls_handoff_exporter) +
		  strlen(LABEL) + 7, listen_for(p->session, &self->told));
	EXPECT_EQ(strlen(LABEL), self->told.head.label_len);
	EXPECT_EQ(7, self->told.head.context_len);
	EXPECT_EQ(20, self->told.head.out_len);
	EXPECT_EQ(1, self->told.head.flags);
	EXPECT_EQ(0, memcmp(LABEL "context", self->told.head.data, strlen(LABEL) + 7));
	EXPECT_EQ(0, answer(p->session, self->told.event.error, 0, "01234567890123456789", 20));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ(20, asker.length);
	EXPECT_EQ(0, memcmp("01234567890123456789", &asker.q, 20));
}

TEST_F(exporter, tells_an_empty_context_from_none)
{
	static const char *const contexts[] = { NULL, "" };
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;

	for (int i = 0; i < 2; i++) {
		asker_init(&asker, p->app, contexts[i], 1);
		ASSERT_EQ(0, task_start(&task, call_ask, &asker));
		ASSERT_LT(0, listen_for(p->session, &self->told));
		EXPECT_EQ(i, self->told.head.flags);
		EXPECT_EQ(0, self->told.head.context_len);
		EXPECT_EQ(0, answer(p->session, self->told.event.error, 0, "x", 1));
		EXPECT_EQ(0, task_end(&task));
	}
}

TEST_F(exporter, passes_on_why_there_is_no_answer)
{
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;

	asker_init(&asker, p->app, NULL, 32);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	EXPECT_EQ(0, answer(p->session, self->told.event.error, EOPNOTSUPP, "", 0));
	EXPECT_EQ(-EOPNOTSUPP, task_end(&task));
}

TEST_F(exporter, of_several_threads_is_asked_one_by_one)
{
	struct pair *p = &self->pair;
	struct asker askers[4];
	struct task tasks[4];
	char reply[8];

	for (int i = 0; i < 4; i++) {
		asker_init(&askers[i], p->app, NULL, 1 + i);
		ASSERT_EQ(0, task_start(&tasks[i], call_ask, &askers[i]));
	}
	for (int i = 0; i < 4; i++) {
		ASSERT_LT(0, listen_for(p->session, &self->told));
		memset(reply, 'a' + self->told.head.out_len, sizeof(reply));
		EXPECT_EQ(0, answer(p->session, self->told.event.error, 0, reply,
				    self->told.head.out_len));
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(0, task_end(&tasks[i]));
		EXPECT_EQ(1 + i, askers[i].length);
		EXPECT_EQ('a' + 1 + i, *(char *)&askers[i].q);
	}
}

TEST_F(exporter, waits_no_longer_than_the_time_limit_and_leaves_nothing_behind)
{
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;

	asker_init(&asker, p->app, NULL, 32);
	EXPECT_EQ(-ETIMEDOUT, call_ask(&asker));
	EXPECT_EQ(TLS_HANDOFF_STATE_ESTABLISHED, get_info(p->app).state);
	/* The question that nobody waits for is not handed out any more */
	EXPECT_EQ(-1, recv(p->session, &self->told, sizeof(self->told), MSG_DONTWAIT));

	asker_init(&asker, p->app, NULL, 1);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	/* A late answer to the first question is none to the second */
	EXPECT_EQ(-ENOENT, answer(p->session, self->told.event.error - 1, 0, "o", 1));
	EXPECT_EQ(0, answer(p->session, self->told.event.error, 0, "n", 1));
	EXPECT_EQ(0, task_end(&task));
	EXPECT_EQ('n', *(char *)&asker.q);
}

TEST_F(exporter, is_asked_again_through_a_new_session_fd)
{
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;

	asker_init(&asker, p->app, NULL, 1);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	close(p->session);
	ASSERT_EQ(0, agent_attach(p->agent, p->id, &p->session));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	EXPECT_EQ(0, answer(p->session, self->told.event.error, 0, "x", 1));
	EXPECT_EQ(0, task_end(&task));
}

TEST_F(exporter, ends_with_the_connection)
{
	struct pair *p = &self->pair;
	struct done done = { .id = p->id, .status = ECONNRESET, .error = "it is over" };
	struct asker asker;
	struct task task;

	asker_init(&asker, p->app, NULL, 32);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	ASSERT_EQ(0, agent_done(p->agent, &done));
	EXPECT_EQ(-ENOTCONN, task_end(&task));
	EXPECT_EQ(-ENOTCONN, call_ask(&asker));
}

TEST_F(exporter, refuses_what_is_no_question)
{
	struct pair *p = &self->pair;
	struct question q = question(LABEL, NULL, 255), bad;
	socklen_t length = sizeof(q);

	bad = q;
	bad.head.label_len = 0;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad.head.label_len = 256;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad = q;
	bad.head.out_len = 0;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad.head.out_len = 256;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad = q;
	bad.head.flags = 2;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad = q;
	bad.head.context_len = 1;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad.head.flags = 1;
	bad.head.context_len = 256;
	EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	bad = q;
	for (length = 0; length < sizeof(q.head) + strlen(LABEL); length++)
		EXPECT_EQ(-EINVAL, ask(p->app, &bad, &length));
	/* A buffer that is too small for the answer learns what is needed */
	EXPECT_EQ(-ERANGE, ask(p->app, &bad, &length));
	EXPECT_EQ(255, length);
	EXPECT_EQ(-EFAULT, getsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, NULL,
				      &length) ? -errno : 0);
	EXPECT_EQ(-1, setsockopt(p->app, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTER, &q, sizeof(q)));
}

TEST_F(exporter, refuses_answers_that_do_not_fit)
{
	struct pair *p = &self->pair;
	struct asker asker;
	struct task task;
	uint32_t request;

	EXPECT_EQ(-ENOENT, answer(p->session, 1, 0, "x", 1));
	asker_init(&asker, p->app, NULL, 4);
	ASSERT_EQ(0, task_start(&task, call_ask, &asker));
	ASSERT_LT(0, listen_for(p->session, &self->told));
	request = self->told.event.error;
	EXPECT_EQ(-EINVAL, answer(p->session, request, 0, "abc", 3));
	EXPECT_EQ(-EINVAL, answer(p->session, request, 0, "abcde", 5));
	EXPECT_EQ(-EINVAL, answer(p->session, request, EIO, "abcd", 4));
	EXPECT_EQ(-EINVAL, answer(p->session, request, 5000, "", 0));
	EXPECT_EQ(-EINVAL, setsockopt(p->session, SOL_TLS_HANDOFF, TLS_HANDOFF_EXPORTED, "x",
				      1) ? -errno : 0);
	EXPECT_EQ(0, answer(p->session, request, 0, "abcd", 4));
	EXPECT_EQ(-ENOENT, answer(p->session, request, 0, "abcd", 4));
	EXPECT_EQ(0, task_end(&task));
}

TEST(exporter_is_not_there_before_the_connection_is_ready)
{
	struct pair pair = PAIR_NONE;
	struct question q = question(LABEL, NULL, 32);
	socklen_t length = sizeof(q);

	ASSERT_EQ(0, net_enter());
	ASSERT_EQ(0, pair_prepare(&pair, AF_INET));
	EXPECT_EQ(-ENOTCONN, ask(pair.app, &q, &length));
	ASSERT_EQ(0, pair_begin(&pair, TLS_HANDOFF_CLIENT));
	EXPECT_EQ(-ENOTCONN, ask(pair.app, &q, &length));
	pair_close(&pair);
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
