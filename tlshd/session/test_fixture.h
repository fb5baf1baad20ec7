/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What most test programs here have: one rig in a folder of its own, both kinds of
 * peers, and connections that are ready.
 */
#ifndef TLSHD_SESSION_TEST_FIXTURE_H
#define TLSHD_SESSION_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_rig.h"

/* KeyUpdate, and one that asks for ours */
#define UPDATE	      "\x18\0\0\1\0"
#define UPDATE_ASKING "\x18\0\0\1\1"
#define SIZE(text)    (sizeof(text) - 1)

/* OpenSSL and GnuTLS */
#define PEERS  2
#define SUITES 8

struct suite {
	int version; /* 12 or 13 */
	uint16_t cipher;
	const char *openssl, *gnutls; /* peer_setup.ciphers */
};

extern struct rig rig;
extern const make_peer peers[PEERS];
extern const struct suite suites[SUITES];
/* For whom the profiles "client" and "server" will do */
extern const char client_and_server[];

/* cmocka's group set-up: the folder, and the rig on @config. */
CMFixtureFunction fixture_set_up(const char *config);
/* The same, with a clock, see rig_use_clock() */
CMFixtureFunction fixture_set_up_clock(const char *config);
int fixture_tear_down(void **state);
/* For each test: both programs anew */
int fixture_restart(void **state);
/* For each test: nothing is kept for resumption, and the clock shows the present. */
int fixture_forget(void **state);

/* A peer for our @role, without a wish, which a client of ours believes */
struct peer_setup peer_for(uint32_t role, int version);
/* A connection that is ready.  @profile is NULL for "client" or "server". */
void establish(struct connection *c, uint32_t role, const char *profile, int version,
	       make_peer make);
void establish_with(struct connection *c, uint32_t role, const char *profile,
		    const struct peer_setup *setup, make_peer make);
/* Of the profile of that name, with OpenSSL */
void establish_client(struct connection *c, int version);
void establish_server(struct connection *c, int version);
/* One record that the peer could send, and what follows from it */
void feed(struct connection *c, uint8_t type, const void *data, size_t length);
/* The peer asks for an update and gets it; ours follows. */
void update_both(struct connection *c);

/* What the session handler counts under @name */
unsigned long long counted(const char *name);

#endif /* TLSHD_SESSION_TEST_FIXTURE_H */
