// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/tls_handoff.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/tls_handoff_netlink.h>
#include <linux/tls_handoff.h>

/* Integer value ranges */
static const struct netlink_range_validation tls_handoff_a_session_handler_timeout_range = {
	.max	= 3600000ULL,
};

/* TLS_HANDOFF_CMD_DONE - do */
static const struct nla_policy tls_handoff_done_nl_policy[TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT + 1] = {
	[TLS_HANDOFF_A_SESSION_ID] = { .type = NLA_U64, },
	[TLS_HANDOFF_A_SESSION_STATUS] = NLA_POLICY_MAX(NLA_U32, 4095),
	[TLS_HANDOFF_A_SESSION_VERSION] = { .type = NLA_U16, },
	[TLS_HANDOFF_A_SESSION_CIPHER] = { .type = NLA_U16, },
	[TLS_HANDOFF_A_SESSION_AUTH] = { .type = NLA_U32, },
	[TLS_HANDOFF_A_SESSION_RESUMED] = { .type = NLA_U32, },
	[TLS_HANDOFF_A_SESSION_ALPN] = { .type = NLA_BINARY, },
	[TLS_HANDOFF_A_SESSION_PEER_IDENTITY] = { .type = NLA_NUL_STRING, .len = 512, },
	[TLS_HANDOFF_A_SESSION_PEER_CERT] = NLA_POLICY_MAX_LEN(16384),
	[TLS_HANDOFF_A_SESSION_SERVER_NAME] = { .type = NLA_NUL_STRING, .len = 253, },
	[TLS_HANDOFF_A_SESSION_VERIFY_STATUS] = { .type = NLA_U32, },
	[TLS_HANDOFF_A_SESSION_ALERT_SENT] = { .type = NLA_S32, },
	[TLS_HANDOFF_A_SESSION_ALERT_RECEIVED] = { .type = NLA_S32, },
	[TLS_HANDOFF_A_SESSION_ERROR] = { .type = NLA_NUL_STRING, .len = 256, },
	[TLS_HANDOFF_A_SESSION_LIMIT_RECORDS] = { .type = NLA_U64, },
	[TLS_HANDOFF_A_SESSION_TRUNCATION_EOF] = { .type = NLA_FLAG, },
	[TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &tls_handoff_a_session_handler_timeout_range),
};

/* TLS_HANDOFF_CMD_ATTACH - do */
static const struct nla_policy tls_handoff_attach_nl_policy[TLS_HANDOFF_A_SESSION_ID + 1] = {
	[TLS_HANDOFF_A_SESSION_ID] = { .type = NLA_U64, },
};

/* Ops table for tls_handoff */
const struct genl_split_ops tls_handoff_nl_ops[5] = {
	{
		.cmd	= TLS_HANDOFF_CMD_REGISTER,
		.doit	= tls_handoff_nl_register_doit,
		.flags	= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= TLS_HANDOFF_CMD_ACCEPT,
		.doit	= tls_handoff_nl_accept_doit,
		.flags	= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TLS_HANDOFF_CMD_DONE,
		.doit		= tls_handoff_nl_done_doit,
		.policy		= tls_handoff_done_nl_policy,
		.maxattr	= TLS_HANDOFF_A_SESSION_HANDLER_TIMEOUT,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TLS_HANDOFF_CMD_ATTACH,
		.doit		= tls_handoff_nl_attach_doit,
		.policy		= tls_handoff_attach_nl_policy,
		.maxattr	= TLS_HANDOFF_A_SESSION_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= TLS_HANDOFF_CMD_GET,
		.dumpit	= tls_handoff_nl_get_dumpit,
		.flags	= GENL_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};
