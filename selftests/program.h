/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program under test does: calls in threads of their own, START, bytes
 * that can be recognised, and what must be left when it is gone: nothing.
 */
#ifndef SELFTESTS_PROGRAM_H
#define SELFTESTS_PROGRAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A call in a thread of its own */
struct task {
	pthread_t thread;
	atomic_int tid;
	long (*run)(void *arg);
	void *arg;
	long result;
};

/* Starts @run; its result is a count or -errno. */
int task_start(struct task *task, long (*run)(void *arg), void *arg);
/* Waits until it sleeps in the system call @number, as SYS_recvfrom. */
bool task_sleeps(struct task *task, long number);
/* Its result; -ETIME if it does not end by the deadline. */
long task_end(struct task *task);

/* One system call as a task */
struct call {
	int fd, to;
	void *buffer;
	size_t size;
	int flags;
	uint32_t role;
};

long call_recv(void *call);
long call_send(void *call);
long call_splice(void *call);	/* fd to @to */
long call_start(void *call);

/* Yields until @condition holds; false at the deadline. */
bool until(bool (*condition)(void *arg), void *arg);
/* Waits until no socket, handshake, connection and session fd is left. */
bool nothing_left(void);
long long now_ms(void);

/* TCP_ULP tls_handoff. 0 or -errno. */
int take_over(int fd);
/* TLS_HANDOFF_START. 0 or -errno. */
int start(int fd, uint32_t role);
int set_string(int fd, int option, const char *value);
int set_u32(int fd, int option, uint32_t value);
int set_u16(int fd, int option, uint16_t value);
/* SO_ERROR, which it clears */
int socket_error(int fd);

/* Sends @byte without waiting until the buffers are full; bytes or -errno. */
long fill(int fd, int byte);
/* Where bytes go that no test looks at */
extern char sink[64];
/* Exactly @size bytes, unless the stream ends: bytes or -errno. */
long read_all(int fd, void *buffer, size_t size);
/* All of it, or -errno. */
long write_all(int fd, const void *buffer, size_t size);
/* Over the UNIX socket @unix_fd by SCM_RIGHTS. 0 or -errno; a descriptor or -1. */
int pass_fd(int unix_fd, int fd);
int take_fd(int unix_fd);
/* Bytes at @offset of a stream that does not repeat by records or pages */
void pattern_fill(void *buffer, size_t size, uint64_t offset);
bool pattern_check(const void *buffer, size_t size, uint64_t offset);

/*
 * A page that comes only when deliver() is called; the fd that tells of the wait, or -1
 * where the kernel has no userfaultfd.
 */
int undelivered_page(void **ret_page, size_t size);
int deliver(int fd, void *page, size_t size);

#endif /* SELFTESTS_PROGRAM_H */
