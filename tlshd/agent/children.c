// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting the other two programs, and passing on what they log: they have no
 * syslog of their own in their sandboxes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>

#include "children.h"
#include "log.h"

#define CHILD_LOG_LINE	2048 /* bytes; longer lines are cut in parts */
#define CHILD_LOG_READS 16   /* per event */

static const char *libexec_folder(void)
{
	const char *folder = secure_getenv("TLSHD_LIBEXECDIR");

	return folder ? folder : TLSHD_LIBEXECDIR;
}

/* In the child: nothing here may allocate or log. */
static void __attribute__((noreturn)) child_run(const char *path, const char *const argv[],
						const int *fds, size_t fd_count, int log_fd)
{
	int high[CHILD_MAX_FDS], first_free = CHILD_FIRST_FD + CHILD_MAX_FDS;
	sigset_t none;
	size_t i;

	if (log_fd >= 0 && dup2(log_fd, STDERR_FILENO) < 0)
		_exit(126);
	/* Out of the way first: a source may be another one's target. */
	for (i = 0; i < fd_count; i++) {
		high[i] = fcntl(fds[i], F_DUPFD, first_free);
		if (high[i] < 0)
			_exit(126);
	}
	for (i = 0; i < fd_count; i++)
		if (dup2(high[i], CHILD_FIRST_FD + i) < 0)
			_exit(126);
	if (close_range(CHILD_FIRST_FD + fd_count, ~0u, 0) < 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, (char *const *)argv);
	_exit(127);
}

int child_start(const char *program, const char *const argv[], const int *fds, size_t fd_count,
		int log_fd, pid_t *ret_pid)
{
	char *path;
	pid_t pid;

	if (asprintf(&path, "%s/%s", libexec_folder(), program) < 0)
		return -ENOMEM;
	if (access(path, X_OK) < 0) {
		log_message(LOG_ERR, "cannot start %s: %s", path, strerror(errno));
		free(path);
		return -ENOENT;
	}
	pid = fork();
	if (pid == 0) {
		/* GnuTLS would write every secret to the file that this names. */
		unsetenv("SSLKEYLOGFILE");
		if (log_fd >= 0)
			setenv("TLSHD_LOG_PRIORITY", "1", 1);
		child_run(path, argv, fds, fd_count, log_fd);
	}
	free(path);
	if (pid < 0)
		return -errno;
	*ret_pid = pid;
	return 0;
}

void child_describe(int wait_status, char *buffer, size_t size)
{
	if (WIFSIGNALED(wait_status))
		snprintf(buffer, size, "signal %d, %s", WTERMSIG(wait_status),
			 strsignal(WTERMSIG(wait_status)));
	else if (WEXITSTATUS(wait_status) == 127)
		snprintf(buffer, size, "it could not be executed");
	else
		snprintf(buffer, size, "exit status %d", WEXITSTATUS(wait_status));
}

struct child_log {
	int fd;
	struct event *event;
	char program[32];
	bool to_stderr;
	char error[256];
	size_t used;
	char line[CHILD_LOG_LINE];
};

/* As if it had written the line itself; the journal wants the priority. */
static void pass_to_stderr(const struct child_log *log, int priority, const char *line, bool own)
{
	char number[8] = "";

	if (getenv("JOURNAL_STREAM"))
		snprintf(number, sizeof(number), "<%d>", priority);
	(void)!dprintf(STDERR_FILENO, "%s%s%s%s\n", number, own ? "" : log->program,
		       own ? "" : ": ", line);
}

/* "<N>program: words" as log_message() writes it; anything else is a library's. */
static void pass_line(struct child_log *log, char *line, size_t length)
{
	size_t name = strlen(log->program), i;
	char shown[CHILD_LOG_LINE];
	int priority = LOG_WARNING;
	bool own;

	if (length >= 3 && line[0] == '<' && line[1] >= '3' && line[1] <= '7' && line[2] == '>') {
		priority = line[1] - '0';
		line += 3;
		length -= 3;
	}
	/* What it says was escaped where it came from; a room that lies gets no control characters. */
	for (i = 0; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (length >= sizeof(shown))
		length = sizeof(shown) - 1;
	memcpy(shown, line, length);
	shown[length] = '\0';
	own = strncmp(shown, log->program, name) == 0;
	if (priority <= LOG_ERR)
		snprintf(log->error, sizeof(log->error), "%.*s", (int)sizeof(log->error) - 1,
			 own && strncmp(shown + name, ": ", 2) == 0 ? shown + name + 2 : shown);
	if (log->to_stderr)
		pass_to_stderr(log, priority, shown, own);
	else if (own)
		log_message(priority, "%s", shown);
	else
		log_message(priority, "%s: %s", log->program, shown);
}

static void on_log(evutil_socket_t fd, short what, void *arg)
{
	struct child_log *log = arg;
	char *end, *start;
	ssize_t n;
	int i;

	for (i = 0; i < CHILD_LOG_READS; i++) {
		n = read(log->fd, log->line + log->used, sizeof(log->line) - log->used);
		if (n <= 0) {
			if (n == 0)
				event_del(log->event);
			return;
		}
		log->used += n;
		start = log->line;
		while ((end = memchr(start, '\n', log->line + log->used - start))) {
			pass_line(log, start, end - start);
			start = end + 1;
		}
		log->used -= start - log->line;
		if (start == log->line && log->used == sizeof(log->line)) {
			pass_line(log, log->line, log->used);
			log->used = 0;
		}
		memmove(log->line, start, log->used);
	}
}

int child_log_new(struct event_base *base, int fd, const char *program, bool to_stderr,
		  struct child_log **ret_log)
{
	struct child_log *log;

	log = calloc(1, sizeof(*log));
	if (!log)
		return -ENOMEM;
	log->event = event_new(base, fd, EV_READ | EV_PERSIST, on_log, log);
	if (!log->event || evutil_make_socket_nonblocking(fd) || event_add(log->event, NULL)) {
		if (log->event)
			event_free(log->event);
		free(log);
		return -ENOMEM;
	}
	snprintf(log->program, sizeof(log->program), "%s", program);
	log->fd = fd;
	log->to_stderr = to_stderr;
	*ret_log = log;
	return 0;
}

/* Passes on what is still there: the reason of an end is in the last lines. */
void child_log_free(struct child_log *log)
{
	if (!log)
		return;
	on_log(log->fd, EV_READ, log);
	event_free(log->event);
	close(log->fd);
	free(log);
}

const char *child_log_error(struct child_log *log)
{
	if (!log)
		return NULL;
	on_log(log->fd, EV_READ, log);
	return log->error[0] ? log->error : NULL;
}
