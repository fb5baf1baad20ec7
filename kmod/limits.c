// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many handshakes may be pending: in a network namespace, and of one user
 * there. Sysctls net.tls_handoff.*; what is pending already is not ended by them.
 */

#include <linux/sysctl.h>

#include "tls_handoff.h"

/* A pending handshake costs tlshd-session some tens of KiB */
static unsigned int tls_handoff_pending_most = 65536;

static unsigned long tls_handoff_pending_of(struct tls_handoff_net *tnet, kuid_t uid)
{
	void *entry = xa_load(&tnet->pending_users, __kuid_val(uid));

	return entry ? xa_to_value(entry) : 0;
}

/**
 * tls_handoff_pending_full() - is there room for one more
 * @tnet: the namespace
 * @uid: of START's caller
 *
 * Return: true if tls_handoff_pending_add() would refuse it now.
 */
bool tls_handoff_pending_full(struct tls_handoff_net *tnet, kuid_t uid)
{
	return READ_ONCE(tnet->pending) >= READ_ONCE(tnet->max_pending) ||
	       tls_handoff_pending_of(tnet, uid) >= READ_ONCE(tnet->max_pending_per_user);
}

/**
 * tls_handoff_pending_add() - a handshake begins
 * @tnet: the namespace, locked
 * @uid: of START's caller
 *
 * Return: 0, -ENOBUFS if too many are pending, -ENOMEM.
 */
int tls_handoff_pending_add(struct tls_handoff_net *tnet, kuid_t uid)
{
	unsigned long count = tls_handoff_pending_of(tnet, uid);
	int err;

	lockdep_assert_held(&tnet->lock);
	if (tls_handoff_pending_full(tnet, uid))
		return -ENOBUFS;
	err = xa_err(xa_store(&tnet->pending_users, __kuid_val(uid), xa_mk_value(count + 1),
			      GFP_KERNEL));
	if (!err)
		WRITE_ONCE(tnet->pending, tnet->pending + 1);
	return err;
}

/**
 * tls_handoff_pending_sub() - a handshake is over
 * @tnet: the namespace, locked
 * @uid: as for tls_handoff_pending_add()
 */
void tls_handoff_pending_sub(struct tls_handoff_net *tnet, kuid_t uid)
{
	unsigned long count = tls_handoff_pending_of(tnet, uid);

	lockdep_assert_held(&tnet->lock);
	WRITE_ONCE(tnet->pending, tnet->pending - 1);
	/* Replacing a value needs no memory */
	if (count > 1)
		xa_store(&tnet->pending_users, __kuid_val(uid), xa_mk_value(count - 1), 0);
	else
		xa_erase(&tnet->pending_users, __kuid_val(uid));
}

/**
 * tls_handoff_limits_init() - limits of a new namespace
 * @net: the namespace
 * @tnet: its state
 *
 * Return: 0 or -ENOMEM.
 */
int tls_handoff_limits_init(struct net *net, struct tls_handoff_net *tnet)
{
	const struct ctl_table sysctls[] = {
		{
			.procname = "max_pending",
			.data = &tnet->max_pending,
			.maxlen = sizeof(tnet->max_pending),
			.mode = 0644,
			.proc_handler = proc_douintvec_minmax,
			.extra1 = SYSCTL_ONE,
			.extra2 = &tls_handoff_pending_most,
		},
		{
			.procname = "max_pending_per_user",
			.data = &tnet->max_pending_per_user,
			.maxlen = sizeof(tnet->max_pending_per_user),
			.mode = 0644,
			.proc_handler = proc_douintvec_minmax,
			.extra1 = SYSCTL_ONE,
			.extra2 = &tls_handoff_pending_most,
		},
	};
	const struct ctl_table *table;

	xa_init(&tnet->pending_users);
	tnet->max_pending = TLS_HANDOFF_MAX_PENDING;
	tnet->max_pending_per_user = TLS_HANDOFF_MAX_PENDING_USER;
	table = kmemdup(sysctls, sizeof(sysctls), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	tnet->sysctls = register_net_sysctl_sz(net, "net/tls_handoff", table,
					       ARRAY_SIZE(sysctls));
	if (!tnet->sysctls) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

/**
 * tls_handoff_limits_exit() - undoes tls_handoff_limits_init()
 * @tnet: its state; nothing is pending
 */
void tls_handoff_limits_exit(struct tls_handoff_net *tnet)
{
	const struct ctl_table *table = tnet->sysctls->ctl_table_arg;

	unregister_net_sysctl_table(tnet->sysctls);
	kfree(table);
	xa_destroy(&tnet->pending_users);
}
