/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the native benchmarks share: batches of connections through the real
 * tlshd-session and tlshd-keys, a software TPM, and looks at the daemons from outside.
 * What goes wrong fails the cmocka test.
 */
#ifndef BENCH_NATIVE_H
#define BENCH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "party.h"
#include "test_rig.h"

#define BATCH_SIZE 50 /* connections whose handshakes run at the same time */

/* cmocka's group fixtures: a folder with certificates, without root */
int native_set_up(void **state);
int native_tear_down(void **state);

double native_now(void); /* seconds */
/* Processor time of all threads of a process, in seconds: unlike a rate it does not depend on
 * what else the machine does. */
double native_processor_time(pid_t pid);
/* How often the threads of a process stopped running */
unsigned long long native_context_switches(pid_t pid);
/* Private memory of a process in bytes, once it gave back what handshakes needed */
size_t native_settled_memory(pid_t pid);

/* A software TPM at the UNIX socket "tpm" of the folder, which ends with us; TCTI says so. */
void native_tpm_start(void);
void native_tpm_stop(void);
/* NAME.tss, made in the TPM, and NAME-tpm.pem, which verifies itself */
void native_tpm_key(const char *name, const char *kind);

/**
 * struct batch - handshakes that run at the same time
 * @role: of the handed-off side
 * @mutual: the party shows a certificate, or as a server asks for one
 * @sessions: what the party's clients resume and get anew; NULL for full handshakes only
 * @keep: the connections stay open in the session handler
 */
struct batch {
	struct rig *rig;
	struct party *party;
	uint32_t role;
	unsigned int first_remote; /* client: numbers the servers, for what is kept by server */
	bool keep;
	struct connection connections[BATCH_SIZE];
	SSL_SESSION *sessions[BATCH_SIZE];
	unsigned int resumed; /* of the last run */
};

/* BATCH_SIZE handshakes, with all tickets that belong to them */
void batch_run(struct batch *batch);
void batch_forget_sessions(struct batch *batch);

#endif /* BENCH_NATIVE_H */
