/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent's unit tests have instead of the kernel: session_fd.h over a socket
 * pair, netlink_done(), keyrings and the answers to kernel consumers, all writing down
 * what was asked of them.
 */
#ifndef TLSHD_AGENT_TEST_KERNEL_H
#define TLSHD_AGENT_TEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_KERNEL_CALLS 64

enum test_call_kind {
	CALL_KEYS,	  /* number: direction; bytes: crypto_info */
	CALL_MAX_PAYLOAD, /* number */
	CALL_SEND,	  /* number: record type; bytes: record */
	CALL_TX_UPDATE,	  /* number: record type; bytes: record, crypto_info */
	CALL_CONTINUE,	  /* number */
	CALL_EXPORTED,	  /* number: request; bytes: u32 errno, material */
	CALL_DONE,	  /* number: status; bytes: error words or identity */
	CALL_ADOPT,	  /* number: role; bytes: profile */
	CALL_ATTACH_TLS,
	CALL_CONSUMER, /* number: status; id: peer */
	CALL_TAKE,     /* number: keyring */
	CALL_DROP,     /* number: keyring */
};

struct test_call {
	enum test_call_kind kind;
	uint32_t number;
	uint64_t id;
	size_t length;
	uint8_t bytes[512];
	size_t on_wire; /* bytes the peer could read at that moment */
};

/* The calls so far; reset by test_kernel_reset(). */
extern struct test_call test_calls[TEST_KERNEL_CALLS];
extern size_t test_call_count;
/* What the next calls of a kind return; 0. */
extern int test_keys_result, test_done_result, test_send_result;
extern int test_adopt_result, test_accept_result, test_consumer_result;
/* The one that ACCEPT of the `handshake` family takes next */
extern struct consumer_request *test_request;
/* There is every profile but "nvmet".  tls_handoff.ko is loaded; false after test_kernel_reset(). */
extern bool test_module;
/* What adopting a socket gives: its session id. */
#define TEST_ADOPTED_ID 77

/* What GET tells of; ATTACH gives the wires' ends, -1: -EBUSY. */
struct netlink_session;
extern struct netlink_session *test_sessions;
extern int *test_wires;
extern size_t test_session_count;

/* @peer: the wire's other end, to see how much is on the wire. */
void test_kernel_reset(int peer);
/* A record as the kernel would divert it: write() this to the peer's end. */
size_t test_kernel_record(uint8_t *buffer, uint8_t type, const void *payload, size_t length);

#endif /* TLSHD_AGENT_TEST_KERNEL_H */
