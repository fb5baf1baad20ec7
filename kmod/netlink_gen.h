/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/tls_handoff.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_TLS_HANDOFF_GEN_H
#define _LINUX_TLS_HANDOFF_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/tls_handoff_netlink.h>
#include <linux/tls_handoff.h>

/* Ops table for tls_handoff */
extern const struct genl_split_ops tls_handoff_nl_ops[5];

int tls_handoff_nl_register_doit(struct sk_buff *skb, struct genl_info *info);
int tls_handoff_nl_accept_doit(struct sk_buff *skb, struct genl_info *info);
int tls_handoff_nl_done_doit(struct sk_buff *skb, struct genl_info *info);
int tls_handoff_nl_attach_doit(struct sk_buff *skb, struct genl_info *info);
int tls_handoff_nl_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _LINUX_TLS_HANDOFF_GEN_H */
