// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls_handoff: kernel TLS for any socket program.
 *
 * A program's TCP socket is taken over (socket.c), its handshake is handed to
 * an agent (upcall.c, session.c) and bulk data stays with kTLS (send.c,
 * receive.c). This file only lists what starts and unwinds it in reverse.
 */

#include <linux/module.h>
#include <net/netns/generic.h>

#include "tls_handoff.h"

static unsigned int tls_handoff_net_id;

/**
 * tls_handoff_net() - the module's state of a network namespace
 * @net: the namespace, which the caller keeps alive
 *
 * Return: never %NULL.
 */
struct tls_handoff_net *tls_handoff_net(const struct net *net)
{
	return net_generic(net, tls_handoff_net_id);
}

static int __net_init tls_handoff_net_init(struct net *net)
{
	struct tls_handoff_net *tnet = tls_handoff_net(net);
	int err;

	mutex_init(&tnet->lock);
	INIT_LIST_HEAD(&tnet->agents);
	xa_init(&tnet->sessions);
	err = tls_handoff_limits_init(net, tnet);
	if (err)
		return err;
	err = tls_handoff_stats_init(net, tnet);
	if (err)
		tls_handoff_limits_exit(tnet);
	return err;
}

/* Sockets and agents hold the namespace, so there are none left */
static void __net_exit tls_handoff_net_exit(struct net *net)
{
	struct tls_handoff_net *tnet = tls_handoff_net(net);

	WARN_ON_ONCE(!list_empty(&tnet->agents) || tnet->pending);
	tls_handoff_stats_exit(net, tnet);
	tls_handoff_limits_exit(tnet);
	xa_destroy(&tnet->sessions);
}

static struct pernet_operations tls_handoff_net_ops = {
	.init = tls_handoff_net_init,
	.exit = tls_handoff_net_exit,
	.id = &tls_handoff_net_id,
	.size = sizeof(struct tls_handoff_net),
};

static int __init tls_handoff_init(void)
{
	int err;

	err = register_pernet_subsys(&tls_handoff_net_ops);
	if (err)
		return err;
	err = tls_handoff_cache_init();
	if (err)
		goto err_net;
	err = tls_handoff_timers_init();
	if (err)
		goto err_cache;
	err = tls_handoff_session_init();
	if (err)
		goto err_timers;
	err = tls_handoff_upcall_init();
	if (err)
		goto err_session;
	err = tls_handoff_socket_init();
	if (err)
		goto err_upcall;
	return 0;

err_upcall:
	tls_handoff_upcall_exit();
err_session:
	tls_handoff_session_exit();
err_timers:
	tls_handoff_timers_exit();
err_cache:
	tls_handoff_cache_exit();
err_net:
	unregister_pernet_subsys(&tls_handoff_net_ops);
	return err;
}

static void __exit tls_handoff_exit(void)
{
	tls_handoff_socket_exit();
	tls_handoff_upcall_exit();
	tls_handoff_session_exit();
	tls_handoff_timers_exit();
	tls_handoff_cache_exit();
	unregister_pernet_subsys(&tls_handoff_net_ops);
}

module_init(tls_handoff_init);
module_exit(tls_handoff_exit);

MODULE_DESCRIPTION("Kernel TLS for any socket program: handshakes handed to an agent");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
MODULE_ALIAS_TCP_ULP(TLS_HANDOFF_ULP);
/* kTLS is attached by name, so the dependency is not in the symbols */
MODULE_SOFTDEP("pre: tls");
