/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's side for tests: the real tlshd-session with the real tlshd-keys
 * behind it, and connections through them to peers in this process.
 */
#ifndef TLSHD_SESSION_TEST_RIG_H
#define TLSHD_SESSION_TEST_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "protocol.h"
#include "test_peer.h"
#include "test_record.h"
#include "../../uapi/linux/tls_handoff.h"

#define RIG_MAX_CONNECTIONS 1024
#define RIG_DEADLINE	    60000 /* ms for whatever is waited for */

struct rig {
	pid_t session, keys;
	int fd;	    /* the agent's end of the channel */
	int memory; /* that came with HELLO, or -1 */
	uint64_t last_id;
	struct connection *connections[RIG_MAX_CONNECTIONS];
	char log[64]; /* file with both programs' lines */
	bool counted; /* COUNTS came */
	char counts[CHANNEL_MAX_COUNTS + 1];
	bool retiring;	   /* RETIRE came */
	bool restored_all; /* the last RESTORED came: */
	uint32_t restored; /* with this number */
};

/* A message to the agent, kept until it is looked at */
struct rig_message {
	uint16_t type;
	size_t length;
	uint8_t payload[CHANNEL_MAX_PAYLOAD];
};

struct connection {
	struct rig *rig;
	uint64_t id;
	struct peer *peer; /* or NULL: the test plays it */
	size_t want;	   /* bytes that READ asked for and did not get */
	bool peer_ready;
	bool have_tx, have_rx, done, failed;
	uint16_t max_payload;
	struct record_keys tx, rx; /* as the kernel holds them */

	/* DONE and FAIL */
	uint32_t status, verify, auth;
	int alert_sent, alert_received; /* -1 none */
	uint16_t version, cipher;
	uint32_t psk_key;
	uint64_t limit_records;
	bool truncation_eof, resumed;
	char identity[TLS_HANDOFF_MAX_IDENTITY + 1];
	char alpn[TLS_HANDOFF_MAX_ALPN_NAME + 1];
	char server_name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	char words[TLS_HANDOFF_MAX_ERROR + 1];
	size_t certificate_length;

	/* after DONE */
	unsigned int continues; /* CONTINUE messages seen */
	uint32_t last_continue;
	unsigned int tx_updates, rx_updates;
	bool stuck;	  /* the socket has no room: no SENT for new sending keys */
	int alert_record; /* description of the last alert RECORD, or -1 */
	int alert_level;
	unsigned int records;  /* RECORD messages seen */
	unsigned int exported; /* EXPORTED messages seen */
	uint32_t export_error; /* of the last */
	size_t export_length;
	uint8_t export[255];
	unsigned int restored;		       /* RESTORED messages seen */
	uint64_t tx_generation, rx_generation; /* as the last said */
};

/* Makes a folder with the test PKI and enters it, as an unprivileged user. */
void rig_enter_folder(void);
void rig_leave_folder(void);

/* Starts both programs on @config (the text of tlshd.conf) and exchanges HELLO. */
void rig_start(struct rig *rig, const char *config);
/* Closes the channel; both must end by themselves with status 0. */
void rig_stop(struct rig *rig);
/* Closes the channel without a word; both have to end as above, and what the session handler
 * leaves is kept. */
void rig_drop(struct rig *rig);
/* The agent's last word, what is still said to it, the session handler's end with status 0, and
 * then both programs anew on @config (NULL: the one there is), with what the old one left. */
void rig_end_session(struct rig *rig);
void rig_start_successor(struct rig *rig, const char *config);
/* RESTORE, until all is restored */
void rig_restore(struct rig *rig);
/* All three */
void rig_succeed(struct rig *rig);
/* Waits for a process that was killed; rig_stop() passes over it then. */
void rig_expect_killed(pid_t *pid);
/* tlshd-session -t: exit status; standard error in @output. */
int rig_check(const char *config, char *output, size_t size);
/* Whether a line of the log has @text. */
bool rig_log_has(const struct rig *rig, const char *text);

void rig_send(struct rig *rig, uint16_t type, uint64_t id, const void *payload, size_t length);
/* Waits for one message and gives it to its connection; false at the end of the channel. */
bool rig_step(struct rig *rig);

/* Gives the programs that are started from now on clocks of their own.  They show the time at
 * rig_start(), and never go back under a program that runs: its event loop handles many messages
 * by the time that it found before the first of them, and what it arms would lie too late. */
void rig_use_clock(void);
/* Moves them ahead. */
void rig_pass(int64_t seconds);
/* From now on they stand still, but for rig_pass(). */
void rig_hold_clock(void);
/* Whether they show anything but the time. */
bool rig_clock_moved(void);
/* Ours, of no certain beginning */
int64_t rig_milliseconds(void);
/* How many lines of the log have @text. */
unsigned int rig_log_count(const struct rig *rig, const char *text);
/* TICKETS, and waits for COUNTS. */
void rig_tickets(struct rig *rig, uint32_t action);
/* The number behind @name in the last COUNTS */
unsigned long long rig_count(const struct rig *rig, const char *name);
/* Asks until it is @value: a question wakes the loop, which then looks at its timers. */
void rig_count_becomes(struct rig *rig, const char *name, unsigned long long value);

/* Options of OPEN with the required ones; add others, then connection_open(). */
struct attr_builder rig_options(uint32_t role, const char *profile);

/* Sends OPEN (and frees @options). @peer may be NULL; it is owned by the connection then. */
void connection_open(struct connection *c, struct rig *rig, struct attr_builder *options,
		     struct peer *peer);
/* Relays until DONE or FAIL, and until the peer has seen all of it. */
void connection_run(struct connection *c);
/* Gives the handler what it wants of the peer's bytes; whether there was something to do. */
bool connection_relay(struct connection *c);
/* One record of data in each direction through the keys that were handed out; what the peer
 * sends before it is diverted. */
void connection_exchange(struct connection *c);
/* The peer's next record, which is not data, goes to the handler as RECORD; after a handshake
 * record its answer is awaited. */
void connection_divert(struct connection *c);
/* Until the session handler has ended it; until it made @number new sending keys in all */
void connection_await_failure(struct connection *c);
void connection_await_updates(struct connection *c, unsigned int number);
/* RECORD of the agent */
void connection_record(struct connection *c, uint8_t type, const void *data, size_t length);
/* EXPORT and its answer; @context is NULL if absent. */
void connection_export(struct connection *c, const char *label, const uint8_t *context,
		       size_t context_length, size_t length);
/* CLOSE and forget, freeing the peer */
void connection_close(struct connection *c);

#endif /* TLSHD_SESSION_TEST_RIG_H */
