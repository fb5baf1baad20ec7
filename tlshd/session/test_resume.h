/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections one after the other with a peer that remembers tickets.
 */
#ifndef TLSHD_SESSION_TEST_RESUME_H
#define TLSHD_SESSION_TEST_RESUME_H

#include "test_fixture.h"

struct resume_test {
	uint32_t role; /* ours */
	const char *profile;
	make_peer make;
	const struct peer_setup *setup;		    /* with a memory */
	const char *remote;			    /* or NULL: 192.0.2.1:443 */
	const char *peer_name;			    /* client; or NULL: localhost */
	uint32_t uid;				    /* or 0: 1000 */
	void (*more)(struct attr_builder *options); /* or NULL */
};

/* peer_for() with a memory, which the caller frees; a client asks for localhost. */
struct peer_setup resume_peer(uint32_t role, int version);
/* Runs @body with both kinds of peers, a fresh memory and fixture_forget() for each. */
void resume_with_peers(uint32_t role, const char *profile,
		       void (*body)(struct resume_test *test, struct peer_setup *setup));
/* One handshake, which ends well. */
void resume_connect(const struct resume_test *test, struct connection *c);
/* One handshake, however it ends. */
void resume_try(const struct resume_test *test, struct connection *c);
/* One record of data each way, so that all tickets are there; then the peer of a client's role
 * remembers the last, and both forget the connection. */
void resume_close(const struct resume_test *test, struct connection *c);
/* One connection that must (not) be resumed, for its tickets, too */
void resume_expect(const struct resume_test *test, bool resumed);
/* The same without a look at the tickets that come with it */
void resume_expect_again(const struct resume_test *test, bool resumed);

/* Options for @more */
void resume_never(struct attr_builder *options);

#endif /* TLSHD_SESSION_TEST_RESUME_H */
