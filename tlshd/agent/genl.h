/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generic netlink socket in an event loop: one family, requests that the kernel
 * answers before they return, and events that come between.
 */
#ifndef TLSHD_AGENT_GENL_H
#define TLSHD_AGENT_GENL_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

struct genl;

/**
 * struct genl_ops - what the owner is told
 * @answer: a message that belongs to the request under way; 0, or -errno as its result
 * @event: a message of the family that nobody asked for
 * @kick: from the event loop, after genl_kick(), or where an event may have been lost
 * @appeared: the family came back, as after loading its module; with its new number
 */
struct genl_ops {
	int (*answer)(void *arg, struct nlmsghdr *header);
	void (*event)(void *arg, struct nlmsghdr *header);
	void (*kick)(void *arg);
	void (*appeared)(void *arg);
};

/*
 * Opens a socket for @family, which need not be there: genl_family() is 0 then.  @inherited is
 * a socket of an earlier process that is to be used on, or -1; it is taken over.  0 or -errno.
 */
int genl_open(struct event_base *base, const char *family, const struct genl_ops *ops, void *arg,
	      int inherited, struct genl **ret_genl);
void genl_close(struct genl *genl);

uint16_t genl_family(const struct genl *genl);
int genl_fd(const struct genl *genl);

/* Joins the family's multicast group.  0, -ENOENT: there is none, -errno. */
int genl_join(struct genl *genl, const char *group) __attribute__((warn_unused_result));

/* A message to fill in, @flags besides NLM_F_REQUEST; NULL: no memory. */
struct nl_msg *genl_message(struct genl *genl, uint8_t command, uint8_t version, int flags);

/* Sends @msg, frees it, and reads until its acknowledgement or a dump's end.  0 or the kernel's
 * -errno. */
int genl_request(struct genl *genl, struct nl_msg *msg) __attribute__((warn_unused_result));

/* Runs ops->kick() from the event loop. */
void genl_kick(struct genl *genl);

#endif /* TLSHD_AGENT_GENL_H */
