// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether a library can be preloaded into a program: it must be a dynamic executable of our
 * own kind that runs without privileges of its own, or a script for such a one.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <link.h>

#include "program.h"

#define SCRIPTS_MAX  4	 /* interpreters that are scripts themselves, as the kernel has it */
#define LINE_MAX_LEN 256 /* bytes of a script that the kernel looks at */
#define HEADERS_MAX  4096

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* "folder/name" to @path; false if that is too long. An empty folder is the current one. */
static bool join(const char *folder, size_t length, const char *name, char path[PATH_MAX])
{
	int size = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, folder, length ? "/" : "./",
			    name);

	return size > 0 && size < PATH_MAX;
}

int program_find(const char *name, char ret_path[PATH_MAX])
{
	const char *folders = getenv("PATH");
	char path[PATH_MAX];

	if (strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (strchr(name, '/')) {
		if (access(name, F_OK) < 0)
			return -errno;
		if (!is_program(name))
			return -EACCES;
		memcpy(ret_path, name, strlen(name) + 1);
		return 0;
	}
	if (!folders)
		folders = "/bin:/usr/bin";
	while (*name) {
		size_t length = strcspn(folders, ":");

		if (join(folders, length, name, path) && is_program(path)) {
			memcpy(ret_path, path, PATH_MAX);
			return 0;
		}
		folders += length;
		if (!*folders++)
			break;
	}
	return -ENOENT;
}

static bool read_at(int fd, void *buffer, size_t size, off_t offset)
{
	return pread(fd, buffer, size, offset) == (ssize_t)size;
}

/* The loader ignores LD_PRELOAD for what runs with more rights than its caller. */
static bool gains_privileges(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return true;
	if (status.st_mode & S_ISUID && status.st_uid != getuid())
		return true;
	if (status.st_mode & S_ISGID && status.st_gid != getgid())
		return true;
	return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static bool has_loader(int fd, const ElfW(Ehdr) * header)
{
	ElfW(Phdr) segment;

	for (unsigned int i = 0; i < header->e_phnum && i < HEADERS_MAX; i++) {
		if (!read_at(fd, &segment, sizeof(segment), header->e_phoff + i * sizeof(segment)))
			return false;
		if (segment.p_type == PT_INTERP)
			return true;
	}
	return false;
}

/* Go makes its system calls itself, even in a dynamic executable. */
static bool is_go(int fd, const ElfW(Ehdr) * header)
{
	static const char wanted[] = ".go.buildinfo";
	ElfW(Shdr) section, names;
	char name[sizeof(wanted)];

	if (!header->e_shoff || !read_at(fd, &names, sizeof(names),
					 header->e_shoff + header->e_shstrndx * sizeof(names)))
		return false;
	for (unsigned int i = 0; i < header->e_shnum && i < HEADERS_MAX; i++)
		if (read_at(fd, &section, sizeof(section), header->e_shoff + i * sizeof(section)) &&
		    read_at(fd, name, sizeof(name), names.sh_offset + section.sh_name) &&
		    !memcmp(name, wanted, sizeof(wanted)))
			return true;
	return false;
}

static const char *elf_refusal(int fd)
{
	ElfW(Ehdr) own, header;
	int self;

	if (!read_at(fd, &header, sizeof(header), 0) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return "is neither an ELF executable nor a script";
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self >= 0) {
		bool alike = read_at(self, &own, sizeof(own), 0) &&
			     own.e_ident[EI_CLASS] == header.e_ident[EI_CLASS] &&
			     own.e_machine == header.e_machine;

		close(self);
		if (!alike)
			return "is for another kind of processor than tls-handoff is";
	}
	if (header.e_phentsize != sizeof(ElfW(Phdr)) || !has_loader(fd, &header))
		return "is statically linked";
	if (header.e_shentsize == sizeof(ElfW(Shdr)) && is_go(fd, &header))
		return "is a Go program, which does not use the C library's sockets";
	return NULL;
}

/* The interpreter that the script's first line names, in @line itself; NULL if none. */
static char *script_interpreter(char *line)
{
	char *name = line + 2;

	if (strncmp(line, "#!", 2) != 0)
		return NULL;
	name += strspn(name, " \t");
	name[strcspn(name, " \t\n")] = '\0';
	return *name ? name : NULL;
}

const char *program_refusal(const char *path)
{
	char line[LINE_MAX_LEN + 1], *interpreter;
	char name[sizeof(line)];

	for (int scripts = 0; scripts <= SCRIPTS_MAX; scripts++) {
		const char *why;
		ssize_t length;
		int fd;

		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return "cannot be read, so nobody knows whether it would";
		length = pread(fd, line, LINE_MAX_LEN, 0);
		line[length > 0 ? length : 0] = '\0';
		interpreter = script_interpreter(line);
		if (!interpreter) {
			why = gains_privileges(fd) ? "has privileges of its own (setuid)" :
						     elf_refusal(fd);
			close(fd);
			return why;
		}
		close(fd);
		memcpy(name, interpreter, strlen(interpreter) + 1);
		path = name;
	}
	return "is a script of scripts of scripts";
}
