// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Process 1 of the VM: mounts what everything needs, runs /stage/boot with its
 * output on the virtio ports "stdout" and "stderr", then /stage/finish, and
 * tells the host on the port "status" how it ended. Statically linked.
 * Where the system has an init of its own, one of its services, which does the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_PORT	 0xf4 /* QEMU's isa-debug-exit */
#define PORT_DEADLINE_MS 10000
#define RELAY_CHUNK	 65536

/* One output of the command: pipe in, virtio port out. */
struct relay {
	int pipe;
	int port;
};

static void leave(void)
{
	sync();
	if (ioperm(EXIT_PORT, 1, 1) == 0)
		outb(0, EXIT_PORT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* Anything wrong in here is the VM's failure: no status, the log says why. */
static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "tls-handoff vm: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	leave();
	abort();
}

static void mount_at(const char *type, const char *source, const char *dir, unsigned long flags,
		     const char *data)
{
	mkdir(dir, 0755);
	if (mount(source, dir, type, flags, data) != 0 && errno != EBUSY)
		give_up("mount %s on %s", source, dir);
}

static void mount_basics(void)
{
	mount_at("proc", "proc", "/proc", 0, NULL);
	mount_at("sysfs", "sysfs", "/sys", 0, NULL);
	mount_at("devtmpfs", "devtmpfs", "/dev", 0, NULL);
	mount_at("devpts", "devpts", "/dev/pts", 0, "ptmxmode=0666");
	mount_at("tmpfs", "tmpfs", "/dev/shm", 0, NULL);
	mount_at("tmpfs", "tmpfs", "/run", 0, "mode=0755");
	mount_at("tmpfs", "tmpfs", "/tmp", 0, "mode=1777");
	if (symlink("/proc/self/fd", "/dev/fd") != 0 || symlink("fd/0", "/dev/stdin") != 0 ||
	    symlink("fd/1", "/dev/stdout") != 0 || symlink("fd/2", "/dev/stderr") != 0)
		give_up("links in /dev");
}

/* The first line of DIR/NAME/FILE, empty when there is none. */
static void read_line(char *line, size_t size, const char *dir, const char *name, const char *file)
{
	char path[512];
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, line, size - 1);
		close(fd);
	}
	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

/* The device in DIR whose FILE reads WANTED, as a path in /dev. */
static bool find_device(char *path, size_t size, const char *dir, const char *file,
			const char *wanted)
{
	struct dirent *entry;
	bool found = false;
	char line[128];
	DIR *devices;

	devices = opendir(dir);
	if (!devices)
		return false;
	while (!found && (entry = readdir(devices))) {
		if (entry->d_name[0] == '.')
			continue;
		read_line(line, sizeof(line), dir, entry->d_name, file);
		if (strcmp(line, wanted) == 0) {
			snprintf(path, size, "/dev/%s", entry->d_name);
			found = true;
		}
	}
	closedir(devices);
	return found;
}

static void wait_a_little(void)
{
	struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	nanosleep(&pause, NULL);
}

/* Ports are announced by the host after the driver has started: wait for them. */
static int open_port(const char *name)
{
	char path[300];
	int waited, fd;

	for (waited = 0; waited < PORT_DEADLINE_MS; waited += 5) {
		if (find_device(path, sizeof(path), "/sys/class/virtio-ports", "name", name)) {
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
		wait_a_little();
	}
	errno = ENODEV;
	give_up("virtio port %s", name);
}

static pid_t spawn(char *const argv[], int out, int err)
{
	sigset_t none;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid > 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if ((out >= 0 && dup2(out, STDOUT_FILENO) < 0) ||
	    (err >= 0 && dup2(err, STDERR_FILENO) < 0))
		_exit(125);
	execv(argv[0], argv);
	fprintf(stderr, "tls-handoff vm: %s: %s\n", argv[0], strerror(errno));
	_exit(125);
}

static int run(char *const argv[])
{
	int status = 0;
	pid_t pid;

	pid = spawn(argv, -1, -1);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void write_all(int fd, const char *bytes, size_t length)
{
	ssize_t done;

	while (length > 0) {
		done = write(fd, bytes, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* the host went away: nobody to tell */
		bytes += done;
		length -= done;
	}
}

/* Moves what is in the pipe now; false at its end. */
static bool relay_some(struct relay *relay)
{
	static char chunk[RELAY_CHUNK];
	ssize_t got;

	for (;;) {
		got = read(relay->pipe, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		write_all(relay->port, chunk, got);
	}
}

/* Reaps everything; true when PID was among it, with its wait status. */
static bool reap(pid_t pid, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t got;

	while ((got = waitpid(-1, &status, WNOHANG)) > 0) {
		if (got == pid) {
			*ret_status = status;
			ended = true;
		}
	}
	return ended;
}

/*
 * Relays until the command itself ends. Daemons it left behind may hold the
 * pipes open for ever, so what is in them then is all that counts.
 */
static int run_command(char **argv, int out, int err)
{
	struct relay relays[2] = { { .port = out }, { .port = err } };
	struct signalfd_siginfo info;
	struct pollfd waits[3];
	int ends[2][2], i, status = 0;
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	waits[2].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	waits[2].events = POLLIN;
	if (waits[2].fd < 0)
		give_up("signalfd");
	for (i = 0; i < 2; i++) {
		if (pipe2(ends[i], O_CLOEXEC) != 0)
			give_up("pipe");
		fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
		relays[i].pipe = ends[i][0];
		waits[i].fd = ends[i][0];
		waits[i].events = POLLIN;
	}
	pid = spawn(argv, ends[0][1], ends[1][1]);
	close(ends[0][1]);
	close(ends[1][1]);

	for (;;) {
		if (poll(waits, 3, -1) < 0 && errno != EINTR)
			give_up("poll");
		for (i = 0; i < 2; i++) {
			if (waits[i].fd >= 0 && waits[i].revents && !relay_some(&relays[i]))
				waits[i].fd = -1;
		}
		if (waits[2].revents) {
			while (read(waits[2].fd, &info, sizeof(info)) > 0)
				;
			if (reap(pid, &status))
				break;
		}
	}
	for (i = 0; i < 2; i++)
		relay_some(&relays[i]);
	close(waits[2].fd);
	return status;
}

static void give_results(void)
{
	char *tar[] = { "/bin/tar", "-C", "/results", "-cf", "-", ".", NULL };
	int status, port = open_port("results");
	pid_t pid;

	pid = spawn(tar, port, -1);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(port);
}

static void mount_disk(const char *serial, const char *dir, bool required)
{
	char path[300];

	if (find_device(path, sizeof(path), "/sys/block", "serial", serial))
		mount_at("ext4", path, dir, MS_NOATIME, NULL);
	else if (required)
		give_up("no disk %s", serial);
}

int main(void)
{
	char *modprobe[] = { "/sbin/modprobe", "-q", "virtio_blk", NULL };
	char *finish[] = { "/stage/finish", NULL };
	char *boot[] = { "/stage/boot", NULL };
	int status, out, err, say;
	char line[64];

	if (getpid() == 1)
		mount_basics();
	run(modprobe);
	mount_disk("stage", "/stage", true);
	mount_disk("data", "/data", false);
	mkdir("/results", 0755);
	out = open_port("stdout");
	err = open_port("stderr");

	status = run_command(boot, out, err);
	if (WIFSIGNALED(status))
		status = 128 + WTERMSIG(status);
	else
		status = WEXITSTATUS(status);
	/* A finish that finds something wrong says so in the kernel log. */
	run(finish);
	give_results();

	say = open_port("status");
	snprintf(line, sizeof(line), "exit %d\n", status);
	write_all(say, line, strlen(line));
	leave();
	return 0;
}
