// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel consumers: what becomes of their requests, with and without the module, and that
 * each gets its answer exactly once.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "attr.h"
#include "consumer.h"
#include "test_kernel.h"
#include "test_relay_rig.h"

#define KEYRING 4711

static struct consumers consumers;

static int setup(void **state)
{
	consumers_init(&consumers);
	return 0;
}

static void accept_request(struct consumer_request *request)
{
	test_request = request;
	assert_false(consumers_accept(&consumers));
	assert_null(test_request);
}

/* The session of @request; what its OPEN says is in @ret_open. */
static struct fixture *open_consumer(void **state, struct consumer_request *request, bool module,
				     struct attr_table *ret_open)
{
	struct fixture *f = relay_new(&request->fd);
	struct handshake handshake;

	*state = f;
	test_module = module;
	accept_request(request);
	assert_int_equal(consumers_next(&consumers, &handshake), 0);
	f->id = handshake.id;
	sessions_open(f->sessions, &f->handler, &handshake);
	assert_null(handshake.consumer);
	settle(f);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->messages[0].type, CHANNEL_OPEN);
	assert_int_equal(attr_parse(CHANNEL_OPEN, f->messages[0].payload, f->messages[0].length,
				    ret_open),
			 0);
	return f;
}

static struct consumer_request request_of(uint32_t type, uint32_t auth)
{
	return (struct consumer_request){
		.fd = -1, .type = type, .auth = auth, .timeout = 5000, .peer_name = "server.test"
	};
}

static size_t calls_of(enum test_call_kind kind, struct test_call *ret_last)
{
	size_t i, count = 0;

	for (i = 0; i < test_call_count; i++) {
		if (test_calls[i].kind != kind)
			continue;
		if (ret_last)
			*ret_last = test_calls[i];
		count++;
	}
	return count;
}

static void expect_answer(uint32_t status, uint64_t peer)
{
	struct test_call call = { 0 };

	assert_int_equal(calls_of(CALL_CONSUMER, &call), 1);
	assert_int_equal(call.number, status);
	assert_int_equal(call.id, peer);
}

static void expect_text(const struct attr_table *open, uint16_t type, const char *text)
{
	assert_int_equal(open->view[type].length, strlen(text));
	assert_memory_equal(open->view[type].value, text, strlen(text));
}

static void nfs_without_a_certificate_shows_none_and_verifies(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_UNAUTH);
	struct attr_table open;

	open_consumer(state, &request, true, &open);
	expect_text(&open, CHANNEL_A_PROFILE, "nfs");
	expect_text(&open, CHANNEL_A_PEER_NAME, "server.test");
	expect_text(&open, CHANNEL_A_ALPN, "\6sunrpc");
	assert_int_equal(attr_u32(&open, CHANNEL_A_ROLE, 0), TLS_HANDOFF_CLIENT);
	assert_int_equal(attr_u32(&open, CHANNEL_A_AUTH, 0), TLS_HANDOFF_AUTH_X509);
	assert_int_equal(attr_u32(&open, CHANNEL_A_CLIENT_CERT, 99), TLS_HANDOFF_CERT_NONE);
	assert_int_equal(attr_u16(&open, CHANNEL_A_MIN_VERSION, 0), TLS_1_3_VERSION);
	assert_int_equal(attr_u32(&open, CHANNEL_A_UID, 99), 0);
	assert_int_equal(attr_u32(&open, CHANNEL_A_KEYRING, 99), 0);
	assert_false(attr_has(&open, CHANNEL_A_RESUME));
}

static void mutual_nfs_must_have_a_certificate(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_X509);
	struct attr_table open;

	request.cert_key = 12;
	request.private_key = 13;
	open_consumer(state, &request, true, &open);
	assert_int_equal(attr_u32(&open, CHANNEL_A_CLIENT_CERT, 99), TLS_HANDOFF_CERT_REQUIRE);
	assert_int_equal(attr_u32(&open, CHANNEL_A_CERT_KEY, 0), 12);
	assert_int_equal(attr_u32(&open, CHANNEL_A_PRIVATE_KEY, 0), 13);
}

static void a_server_asks_for_certificates_as_its_profile_says(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_SERVERHELLO, HANDSHAKE_AUTH_X509);
	struct attr_table open;

	open_consumer(state, &request, true, &open);
	expect_text(&open, CHANNEL_A_PROFILE, "nfsd");
	assert_int_equal(attr_u32(&open, CHANNEL_A_ROLE, 0), TLS_HANDOFF_SERVER);
	assert_false(attr_has(&open, CHANNEL_A_CLIENT_CERT));
}

static void nvme_offers_its_keys_in_their_order(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_PSK);
	uint32_t keys[CHANNEL_MAX_PSK_KEYS];
	struct attr_table open;

	request.keyring = KEYRING;
	request.psk_key_count = 2;
	request.psk_keys[0] = 200;
	request.psk_keys[1] = 100;
	open_consumer(state, &request, true, &open);
	expect_text(&open, CHANNEL_A_PROFILE, "nvme");
	assert_int_equal(attr_u32(&open, CHANNEL_A_AUTH, 0), TLS_HANDOFF_AUTH_PSK);
	assert_int_equal(attr_u32(&open, CHANNEL_A_KEYRING, 0), KEYRING);
	assert_int_equal(attr_u32_array(&open, CHANNEL_A_PSK_KEYS, keys, CHANNEL_MAX_PSK_KEYS), 2);
	assert_int_equal(keys[0], 200);
	assert_int_equal(keys[1], 100);
	assert_false(attr_has(&open, CHANNEL_A_ALPN));
}

static void without_a_profile_of_its_own_a_consumer_has_the_default(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_SERVERHELLO, HANDSHAKE_AUTH_PSK);
	struct attr_table open;

	open_consumer(state, &request, true, &open);
	expect_text(&open, CHANNEL_A_PROFILE, "default");
}

/* DONE of the session handler, with the key that was used or a certificate */
static void finish(struct fixture *f, uint32_t psk_key, bool certificate)
{
	struct attr_builder done = { 0 };

	say_keys(f, CHANNEL_KEYS_TX, 0);
	say_keys(f, CHANNEL_KEYS_RX, 0);
	attr_put_u16(&done, CHANNEL_A_VERSION, TLS_1_3_VERSION);
	attr_put_u16(&done, CHANNEL_A_CIPHER, TLS_CIPHER_AES_GCM_128);
	if (psk_key)
		attr_put_u32(&done, CHANNEL_A_PSK_KEY, psk_key);
	if (certificate)
		attr_put(&done, CHANNEL_A_PEER_CERT, "DER", 3);
	assert_int_equal(attr_builder_error(&done), 0);
	say(f, CHANNEL_DONE, done.data, done.length);
	attr_builder_free(&done);
	settle(f);
}

static void an_adopted_socket_is_ready_before_its_consumer_hears_of_it(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_SERVERHELLO, HANDSHAKE_AUTH_X509);
	struct attr_table open;
	struct test_call adopt;
	struct fixture *f = open_consumer(state, &request, true, &open);

	assert_int_equal(f->id, TEST_ADOPTED_ID);
	assert_int_equal(calls_of(CALL_ADOPT, &adopt), 1);
	assert_int_equal(adopt.number, TLS_HANDOFF_SERVER);
	assert_string_equal((char *)adopt.bytes, "nfsd");
	finish(f, 0, true);
	expect_answer(0, HANDSHAKE_PEER_WITHOUT_KEY);
	assert_int_equal(test_calls[test_call_count - 1].kind, CALL_CONSUMER);
	assert_int_equal(test_calls[test_call_count - 2].kind, CALL_DONE);
	/* and goes on, as a program's */
	assert_int_equal(sessions_count(f->sessions), 1);
	divert(f, 22, "\4\0\0\0", 4);
	settle(f);
	assert_int_equal(last(f)->type, CHANNEL_RECORD);
}

static void without_the_module_the_session_ends_with_the_handshake(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_PSK);
	struct attr_table open;
	struct fixture *f;

	request.keyring = KEYRING;
	request.psk_keys[request.psk_key_count++] = 5;
	f = open_consumer(state, &request, false, &open);
	assert_int_equal(calls_of(CALL_ADOPT, NULL), 0);
	assert_int_equal(calls_of(CALL_ATTACH_TLS, NULL), 1);
	assert_int_equal(calls_of(CALL_TAKE, NULL), 1);
	assert_int_equal(calls_of(CALL_DROP, NULL), 0);
	/* nobody would keep tickets */
	assert_int_equal(attr_u32(&open, CHANNEL_A_RESUME, 99), 0);
	assert_true(f->id >> 63);
	finish(f, 5, false);
	expect_answer(0, 5);
	assert_int_equal(calls_of(CALL_DONE, NULL), 0);
	assert_int_equal(calls_of(CALL_KEYS, NULL), 2);
	assert_int_equal(calls_of(CALL_DROP, NULL), 1);
	assert_int_equal(sessions_count(f->sessions), 0);
	assert_int_equal(last(f)->type, CHANNEL_CLOSE);
}

static void fail_with(void **state, uint32_t status, int alert_received, uint32_t told)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_X509);
	struct attr_builder fail = { 0 };
	struct attr_table open;
	struct fixture *f = open_consumer(state, &request, true, &open);

	attr_put_u32(&fail, CHANNEL_A_STATUS, status);
	if (alert_received >= 0)
		attr_put_u32(&fail, CHANNEL_A_ALERT_RECEIVED, (uint32_t)alert_received);
	say(f, CHANNEL_FAIL, fail.data, fail.length);
	attr_builder_free(&fail);
	settle(f);
	expect_answer(told, 0);
	assert_int_equal(calls_of(CALL_DONE, NULL), 1);
	assert_int_equal(sessions_count(f->sessions), 0);
}

static void a_refused_peer_fails_the_consumer_for_good(void **state)
{
	fail_with(state, EKEYREJECTED, -1, EACCES);
}

static void what_passes_by_itself_makes_the_consumer_try_again(void **state)
{
	fail_with(state, ECONNRESET, -1, ETIMEDOUT);
}

static void an_unknown_key_is_told_as_such(void **state)
{
	fail_with(state, EPROTO, 115, EKEYREJECTED);
}

static void a_consumer_that_gave_up_ends_its_session(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_UNAUTH);
	struct attr_table open;
	struct fixture *f = open_consumer(state, &request, true, &open);

	test_consumer_result = -EBUSY;
	finish(f, 0, true);
	assert_int_equal(sessions_count(f->sessions), 0);
	assert_int_equal(calls_of(CALL_CONSUMER, NULL), 1);
}

static void a_socket_that_cannot_be_had_is_answered(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_PSK);
	struct fixture *f = relay_new(&request.fd);
	struct handshake handshake;

	*state = f;
	test_module = true;
	test_adopt_result = -EOPNOTSUPP;
	request.keyring = KEYRING;
	accept_request(&request);
	assert_int_equal(consumers_next(&consumers, &handshake), -EAGAIN);
	expect_answer(ETIMEDOUT, 0);
	assert_int_equal(calls_of(CALL_TAKE, NULL), calls_of(CALL_DROP, NULL));
}

static void the_end_of_the_agent_is_told_to_those_who_wait(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_CLIENTHELLO, HANDSHAKE_AUTH_X509);
	struct attr_table open;
	struct fixture *f = open_consumer(state, &request, true, &open);

	sessions_free(f->sessions);
	expect_answer(ETIMEDOUT, 0);
	assert_int_equal(sessions_new(f->base, NULL, &f->sessions), 0);
}

static void requests_wait_in_their_order_until_they_can_be_served(void **state)
{
	struct consumer_request request =
		request_of(HANDSHAKE_MSG_TYPE_SERVERHELLO, HANDSHAKE_AUTH_X509);
	struct handshake handshake;
	struct fixture *f = relay_new(&request.fd);

	*state = f;
	test_module = true;
	accept_request(&request);
	request.fd = dup(request.fd);
	request.type = HANDSHAKE_MSG_TYPE_CLIENTHELLO;
	accept_request(&request);
	assert_int_equal(test_call_count, 0);
	assert_int_equal(consumers_next(&consumers, &handshake), 0);
	assert_int_equal(handshake.role, TLS_HANDOFF_SERVER);
	consumer_free(handshake.consumer);
	handshake_clear(&handshake);
	expect_answer(ETIMEDOUT, 0);
	/* the other one, when tlshd ends */
	consumers_free(&consumers);
	assert_int_equal(calls_of(CALL_CONSUMER, NULL), 2);
	assert_int_equal(consumers_next(&consumers, &handshake), -EAGAIN);
}

/* Or the agent would turn for ever */
static void an_accept_that_took_no_request_is_not_tried_again_at_once(void **state)
{
	const int none[] = { EAGAIN, EIO, EPERM, EOPNOTSUPP, EINVAL, ENOMEM };
	size_t i;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		test_accept_result = -none[i];
		assert_false(consumers_accept(&consumers));
	}
	/* Behind one that was refused may be others. */
	test_accept_result = -EBADMSG;
	assert_true(consumers_accept(&consumers));
	test_accept_result = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, relay_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nfs_without_a_certificate_shows_none_and_verifies),
		TEST(mutual_nfs_must_have_a_certificate),
		TEST(a_server_asks_for_certificates_as_its_profile_says),
		TEST(nvme_offers_its_keys_in_their_order),
		TEST(without_a_profile_of_its_own_a_consumer_has_the_default),
		TEST(an_adopted_socket_is_ready_before_its_consumer_hears_of_it),
		TEST(without_the_module_the_session_ends_with_the_handshake),
		TEST(a_refused_peer_fails_the_consumer_for_good),
		TEST(what_passes_by_itself_makes_the_consumer_try_again),
		TEST(an_unknown_key_is_told_as_such),
		TEST(a_consumer_that_gave_up_ends_its_session),
		TEST(a_socket_that_cannot_be_had_is_answered),
		TEST(the_end_of_the_agent_is_told_to_those_who_wait),
		TEST(requests_wait_in_their_order_until_they_can_be_served),
		cmocka_unit_test_setup(an_accept_that_took_no_request_is_not_tried_again_at_once,
				       setup),
	};

	return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
