/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of sessions (GET), passed on in pieces to one user: all that user may
 * see, and nothing besides.
 */
#ifndef TLSHD_AGENT_LISTING_H
#define TLSHD_AGENT_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTING_PIECE 32768 /* bytes at most; the kernel gives no more at once */

struct listing;

/* Asks the kernel, whose family @family is: of all sessions, or only of @uid's.  Each piece
 * is made when it is taken.  0 or -errno. */
int listing_new(uint16_t family, bool all, uid_t uid, struct listing **ret_listing);
void listing_free(struct listing *listing);

/*
 * The next netlink messages; NLMSG_DONE is the last one.  Their length, *ret_piece is good
 * until the next call.  0: it was the end.  -EAGAIN: nothing in this piece is for that user,
 * go on.  Else -errno.
 */
ssize_t listing_next(struct listing *listing, const void **ret_piece)
	__attribute__((warn_unused_result));

#endif /* TLSHD_AGENT_LISTING_H */
