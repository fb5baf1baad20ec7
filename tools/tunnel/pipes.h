/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pipes for splice(2).  Each costs two file descriptors and pages that the kernel counts per
 * user, so a connection has one only while it holds data that was received and not yet sent.
 */
#ifndef TUNNEL_PIPES_H
#define TUNNEL_PIPES_H

#include <stddef.h>

struct pipe {
	int in, out;	    /* ends to splice into and out of */
	unsigned int slots; /* pieces of data that it has room for */
	struct pipe *next;  /* of those that are free */
};

struct pipes {
	struct pipe *free;
	unsigned int free_count;
};

/* An empty pipe.  0 or -errno. */
int pipes_take(struct pipes *pipes, struct pipe **ret_pipe);
/* @pipe must be empty. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);
/* For one that is not. */
void pipe_free(struct pipe *pipe);
void pipes_clear(struct pipes *pipes);

#endif /* TUNNEL_PIPES_H */
