/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the running tlshd over its control socket, and what its answers hold.
 * Nothing here prints or exits.
 */
#ifndef TLS_HANDOFF_CONTROL_H
#define TLS_HANDOFF_CONTROL_H

#include <stddef.h>
#include <sys/types.h>

#define CONTROL_MAX_ANSWER 32768 /* bytes, more than tlshd says */
#define CONTROL_MAX_NAME   64	 /* bytes of a line's name */
#define CONTROL_MAX_VALUE  1536	 /* bytes of a line's value */

struct control_answer {
	char text[CONTROL_MAX_ANSWER + 1]; /* the words of its first line; escape() them */
	const char *lines;		   /* the rest: "Name value", one a line */
};

/*
 * Sends @request and waits for the answer, at most @timeout milliseconds in all.  0: done as
 * asked.  -EREMOTEIO: tlshd refused, @answer->text says why.  -ESRCH: no tlshd.  -EACCES: only
 * root may ask.  -EPERM: who answers is not root and so no tlshd.  -ETIMEDOUT, -EBADMSG (not
 * understood), -ECONNRESET (closed without one) and other -errno.  @answer is good with 0 and -EREMOTEIO only.
 */
int control_request(const char *request, unsigned int timeout, struct control_answer *answer);

/* The same, and on success *ret_fd is left open for what follows the answer. */
int control_open(const char *request, unsigned int timeout, struct control_answer *answer,
		 int *ret_fd);
/* The next packet, of at most @size bytes: its length, 0 at the end, -ETIMEDOUT, -errno. */
ssize_t control_read(int fd, unsigned int timeout, void *buffer, size_t size);

/* Shows each line to @each.  0, or -EBADMSG at the first that is no "Name value"; what @each
 * gets is NUL-terminated printable ASCII. */
int control_lines(const struct control_answer *answer,
		  void (*each)(const char *name, const char *value, void *data), void *data);

#endif /* TLS_HANDOFF_CONTROL_H */
