// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Giving up what a room does not need.  Order matters: the account is looked up
 * while there still is a file system, namespaces come while there still are
 * capabilities, and the system call filter is last.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "sandbox.h"

/* Sanitizers read /proc, trace the process and map memory of their own at its end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED true
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED false
#endif

int sandbox_early(int last_fd)
{
	struct rlimit none = { 0, 0 }, locked = { RLIM_INFINITY, RLIM_INFINITY };

	umask(077);
	if (syscall(SYS_close_range, (unsigned int)last_fd + 1, ~0u, 0) < 0)
		return -errno;
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	if (!SANDBOX_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	/* Pages are locked as they are touched: a thread's whole stack would cost 8 MiB. */
	if (!SANDBOX_SANITIZED && setrlimit(RLIMIT_MEMLOCK, &locked) == 0 &&
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	return 0;
}

int sandbox_leave_keyrings(void)
{
	long ret = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

	return ret < 0 && errno != ENOSYS && errno != EPERM ? -errno : 0;
}

/* An empty, read-only file system instead of the system's. */
static int sandbox_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	/* Any folder will do as mount point; these are always there. */
	if (mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=0555") < 0 ||
	    chdir("/proc") < 0)
		return -errno;
	if (mount(NULL, ".", NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return -errno;
	} else if (errno != EINVAL || chroot(".") < 0) {
		/* EINVAL: "/" is the kernel's first root, which cannot be pivoted away. */
		return -errno;
	}
	return chdir("/") < 0 ? -errno : 0;
}

static int sandbox_user(const struct passwd *account)
{
	int cap;

	for (cap = 0; cap_get_bound(cap) >= 0; cap++)
		if (cap_drop_bound(cap) < 0)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(account->pw_gid, account->pw_gid, account->pw_gid) < 0 ||
	    setresuid(account->pw_uid, account->pw_uid, account->pw_uid) < 0)
		return -errno;
	return 0;
}

static int sandbox_capabilities(void)
{
	cap_t none = cap_init();
	int ret = 0;

	if (!none)
		return -ENOMEM;
	if (cap_set_proc(none) < 0)
		ret = -errno;
	cap_free(none);
	return ret;
}

/* What event loop, allocator, GnuTLS's random numbers and clocks, threads that
 * already run and coroutines (which save the signal mask) need. */
static const int common_syscalls[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(getsockopt),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(uname),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(munlock),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Refused, not fatal: libraries look for files that the empty root does not have anyway. */
static const int absent_files[] = {
	SCMP_SYS(open),	      SCMP_SYS(openat),	    SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(stat),	    SCMP_SYS(lstat),  SCMP_SYS(statx),
	SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
};

static int sandbox_allow(scmp_filter_ctx filter, const int *syscalls, size_t count)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, syscalls[i], 0);
	return ret;
}

static int sandbox_allow_operations(scmp_filter_ctx filter, const struct sandbox *sandbox)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sandbox->operation_count; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, sandbox->operations[i].syscall, 1,
				       SCMP_A0(SCMP_CMP_EQ, sandbox->operations[i].value));
	return ret;
}

static int sandbox_refuse_files(scmp_filter_ctx filter)
{
	size_t i;
	int ret;

	for (i = 0; i < sizeof(absent_files) / sizeof(absent_files[0]); i++) {
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), absent_files[i], 0);
		if (ret < 0 && ret != -EEXIST) /* there: the room allows it */
			return ret;
	}
	return 0;
}

/* System calls that depend on an argument */
static int sandbox_allow_some(scmp_filter_ctx filter)
{
	const int fcntl_commands[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_OFD_GETLK };
	size_t i;
	int ret;

	/* No new code: neither written nor mapped */
	ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (ret == 0)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (i = 0; ret == 0 && i < sizeof(fcntl_commands) / sizeof(fcntl_commands[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				       SCMP_A1(SCMP_CMP_EQ, (uint64_t)fcntl_commands[i]));
	/* fstat() of newer C libraries, which name no path */
	if (ret == 0)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	if (ret == 0)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH));
	/* abort() signals its own thread; nobody else can be meant */
	if (ret == 0)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid()));
	return ret;
}

static int sandbox_filter(const struct sandbox *sandbox)
{
	scmp_filter_ctx filter;
	int ret;

	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (ret == 0)
		ret = sandbox_allow(filter, common_syscalls,
				    sizeof(common_syscalls) / sizeof(common_syscalls[0]));
	if (ret == 0)
		ret = sandbox_allow(filter, sandbox->syscalls, sandbox->syscall_count);
	if (ret == 0)
		ret = sandbox_allow_some(filter);
	if (ret == 0)
		ret = sandbox_allow_operations(filter, sandbox);
	if (ret == 0)
		ret = sandbox_refuse_files(filter);
	if (ret == 0)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

int sandbox_enter(const struct sandbox *sandbox)
{
	struct passwd *account;
	int ret;

	if (geteuid() == 0) {
		errno = 0;
		account = getpwnam(sandbox->user);
		if (!account)
			return errno ? -errno : -ENOENT;
		if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) < 0)
			return -errno;
		ret = sandbox_root();
		if (ret == 0)
			ret = sandbox_user(account);
		if (ret < 0)
			return ret;
	}
	ret = sandbox_capabilities();
	if (ret < 0)
		return ret;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* A change of user sets it back to what the system's policy is. */
	if (!SANDBOX_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return SANDBOX_SANITIZED ? 0 : sandbox_filter(sandbox);
}
