// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program under test does; program.h says what each function promises.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"
#include "program.h"

char sink[64];

long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

bool until(bool (*condition)(void *arg), void *arg)
{
	long long end = now_ms() + TEST_DEADLINE_MS;

	while (!condition(arg)) {
		if (now_ms() > end)
			return false;
		sched_yield();
	}
	return true;
}

static void *task_main(void *arg)
{
	struct task *task = arg;

	atomic_store(&task->tid, gettid());
	task->result = task->run(task->arg);
	return NULL;
}

int task_start(struct task *task, long (*run)(void *arg), void *arg)
{
	task->run = run;
	task->arg = arg;
	task->result = 0;
	atomic_store(&task->tid, 0);
	return -pthread_create(&task->thread, NULL, task_main, task);
}

struct sleeping {
	struct task *task;
	long number;
};

/* The file says "running" unless the thread sleeps */
static bool sleeps_in(void *arg)
{
	struct sleeping *sleeping = arg;
	int tid = atomic_load(&sleeping->task->tid);
	char path[64];
	long number = -1;
	FILE *file;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number == sleeping->number;
}

bool task_sleeps(struct task *task, long number)
{
	struct sleeping sleeping = { .task = task, .number = number };

	return until(sleeps_in, &sleeping);
}

long task_end(struct task *task)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += TEST_DEADLINE_MS / 1000;
	if (pthread_timedjoin_np(task->thread, NULL, &end))
		return -ETIME;
	return task->result;
}

long call_recv(void *arg)
{
	struct call *call = arg;
	long ret = recv(call->fd, call->buffer, call->size, call->flags);

	return ret < 0 ? -errno : ret;
}

long call_send(void *arg)
{
	struct call *call = arg;
	long ret = send(call->fd, call->buffer, call->size, call->flags | MSG_NOSIGNAL);

	return ret < 0 ? -errno : ret;
}

long call_splice(void *arg)
{
	struct call *call = arg;
	long ret = splice(call->fd, NULL, call->to, NULL, call->size, call->flags);

	return ret < 0 ? -errno : ret;
}

long call_start(void *arg)
{
	struct call *call = arg;

	return start(call->fd, call->role);
}

static bool gauges_are_zero(void *arg)
{
	return !stat_read("HandoffCurrSockets") && !stat_read("HandoffCurrPending") &&
	       !stat_read("HandoffCurrEstablished") && !stat_read("HandoffCurrSessionFds");
}

bool nothing_left(void)
{
	return until(gauges_are_zero, NULL);
}

int take_over(int fd)
{
	return setsockopt(fd, SOL_TCP, TCP_ULP, TLS_HANDOFF_ULP, strlen(TLS_HANDOFF_ULP)) ?
	       -errno : 0;
}

int start(int fd, uint32_t role)
{
	return set_u32(fd, TLS_HANDOFF_START, role);
}

int set_string(int fd, int option, const char *value)
{
	return setsockopt(fd, SOL_TLS_HANDOFF, option, value, strlen(value)) ? -errno : 0;
}

int set_u32(int fd, int option, uint32_t value)
{
	return setsockopt(fd, SOL_TLS_HANDOFF, option, &value, sizeof(value)) ? -errno : 0;
}

int set_u16(int fd, int option, uint16_t value)
{
	return setsockopt(fd, SOL_TLS_HANDOFF, option, &value, sizeof(value)) ? -errno : 0;
}

int socket_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? -errno : error;
}

long fill(int fd, int byte)
{
	char buffer[16384];
	long total = 0, ret;

	memset(buffer, byte, sizeof(buffer));
	while ((ret = send(fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += ret;
	return errno == EAGAIN ? total : -errno;
}

long read_all(int fd, void *buffer, size_t size)
{
	size_t done = 0;
	long ret;

	while (done < size) {
		ret = recv(fd, (char *)buffer + done, size - done, 0);
		if (ret < 0)
			return -errno;
		if (!ret)
			break;
		done += ret;
	}
	return done;
}

long write_all(int fd, const void *buffer, size_t size)
{
	size_t done = 0;
	long ret;

	while (done < size) {
		ret = send(fd, (const char *)buffer + done, size - done, MSG_NOSIGNAL);
		if (ret < 0)
			return -errno;
		done += ret;
	}
	return done;
}

int pass_fd(int unix_fd, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 'f';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(unix_fd, &msg, 0) == 1 ? 0 : -errno;
}

int take_fd(int unix_fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(unix_fd, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static uint8_t pattern_byte(uint64_t offset)
{
	return (offset * 2654435761u) >> 24 ^ offset >> 16;
}

void pattern_fill(void *buffer, size_t size, uint64_t offset)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)buffer)[i] = pattern_byte(offset + i);
}

bool pattern_check(const void *buffer, size_t size, uint64_t offset)
{
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)buffer)[i] != pattern_byte(offset + i))
			return false;
	return true;
}

int undelivered_page(void **ret_page, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	void *page;

	if (fd < 0)
		return -1;
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (unsigned long)page;
	range.range.len = size;
	if (page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range)) {
		close(fd);
		return -1;
	}
	*ret_page = page;
	return fd;
}

int deliver(int fd, void *page, size_t size)
{
	struct uffdio_zeropage zero = { .range = { (unsigned long)page, size } };

	return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}
