/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections one after the other with a peer that remembers tickets.
 */
#ifndef TLSHD_SESSION_TEST_RESUME_H
#define TLSHD_SESSION_TEST_RESUME_H

#include "test_rig.h"

typedef struct peer *(*make_peer)(const struct peer_setup *setup);

struct resume_test {
	struct rig *rig;
	uint32_t role; /* ours */
	const char *profile;
	make_peer make;
	const struct peer_setup *setup;		    /* with a memory */
	const char *remote;			    /* or NULL: 192.0.2.1:443 */
	const char *peer_name;			    /* client; or NULL: localhost */
	uint32_t uid;				    /* or 0: 1000 */
	void (*more)(struct attr_builder *options); /* or NULL */
};

/* One handshake, which ends well. */
void resume_connect(const struct resume_test *test, struct connection *c);
/* One handshake, however it ends. */
void resume_try(const struct resume_test *test, struct connection *c);
/* One record of data each way, so that all tickets are there; then the peer of a client's role
 * remembers the last, and both forget the connection. */
void resume_close(const struct resume_test *test, struct connection *c);

#endif /* TLSHD_SESSION_TEST_RESUME_H */
