// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pipes for splice(2), see pipes.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipes.h"

#define PIPES_SIZE 524288 /* bytes that are asked for; the kernel's default will do, too */
#define PIPES_FREE 64	  /* kept for the next one who needs one */

static int pipe_new(struct pipe **ret_pipe)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int ends[2], size, error;

	if (!pipe)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		error = errno;
		free(pipe);
		return -error;
	}
	pipe->out = ends[0];
	pipe->in = ends[1];
	/* A user that has many gets no big ones, or such with one slot (pipe(7)) */
	size = fcntl(pipe->in, F_SETPIPE_SZ, PIPES_SIZE);
	if (size < 0)
		size = fcntl(pipe->in, F_GETPIPE_SZ);
	pipe->slots = size > 0 ? (unsigned int)size / (unsigned int)sysconf(_SC_PAGESIZE) : 1;
	*ret_pipe = pipe;
	return 0;
}

int pipes_take(struct pipes *pipes, struct pipe **ret_pipe)
{
	struct pipe *pipe = pipes->free;

	if (!pipe)
		return pipe_new(ret_pipe);
	pipes->free = pipe->next;
	pipes->free_count--;
	*ret_pipe = pipe;
	return 0;
}

void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (pipes->free_count >= PIPES_FREE) {
		pipe_free(pipe);
		return;
	}
	pipe->next = pipes->free;
	pipes->free = pipe;
	pipes->free_count++;
}

void pipe_free(struct pipe *pipe)
{
	if (!pipe)
		return;
	close(pipe->in);
	close(pipe->out);
	free(pipe);
}

void pipes_clear(struct pipes *pipes)
{
	struct pipe *pipe;

	while ((pipe = pipes->free)) {
		pipes->free = pipe->next;
		pipe_free(pipe);
	}
	pipes->free_count = 0;
}
