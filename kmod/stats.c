// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters per network namespace: /proc/net/tls_handoff_stat, in the manner of
 * /proc/net/tls_stat. The first ones are gauges.
 */

#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "tls_handoff.h"

static const char *const tls_handoff_stat_names[TLS_HANDOFF_STAT_NUM] = {
	[TLS_HANDOFF_STAT_CURR_SOCKETS] = "HandoffCurrSockets",
	[TLS_HANDOFF_STAT_CURR_PENDING] = "HandoffCurrPending",
	[TLS_HANDOFF_STAT_CURR_ESTABLISHED] = "HandoffCurrEstablished",
	[TLS_HANDOFF_STAT_CURR_SESSION_FDS] = "HandoffCurrSessionFds",
	[TLS_HANDOFF_STAT_STARTED] = "HandoffStarted",
	[TLS_HANDOFF_STAT_ESTABLISHED] = "HandoffEstablished",
	[TLS_HANDOFF_STAT_FAILED] = "HandoffFailed",
	[TLS_HANDOFF_STAT_TIMED_OUT] = "HandoffTimedOut",
	[TLS_HANDOFF_STAT_NO_AGENT] = "HandoffNoAgent",
	[TLS_HANDOFF_STAT_AGENT_LOST] = "HandoffAgentLost",
	[TLS_HANDOFF_STAT_RECORDS_DIVERTED] = "HandoffRecordsDiverted",
	[TLS_HANDOFF_STAT_CLOSE_SENT] = "HandoffCloseSent",
	[TLS_HANDOFF_STAT_CLOSE_RECEIVED] = "HandoffCloseReceived",
	[TLS_HANDOFF_STAT_ALERTS_RECEIVED] = "HandoffAlertsReceived",
	[TLS_HANDOFF_STAT_RECORD_ERRORS] = "HandoffRecordErrors",
	[TLS_HANDOFF_STAT_TRUNCATED] = "HandoffTruncated",
	[TLS_HANDOFF_STAT_RX_REKEYS] = "HandoffRxRekeys",
	[TLS_HANDOFF_STAT_TX_REKEYS] = "HandoffTxRekeys",
	[TLS_HANDOFF_STAT_HANDLER_TIMEOUTS] = "HandoffHandlerTimeouts",
	[TLS_HANDOFF_STAT_ACCEPT_DROPPED] = "HandoffAcceptDropped",
};

static int tls_handoff_stat_show(struct seq_file *seq, void *v)
{
	struct net *net = seq->private;
	u64 __percpu *stats = tls_handoff_net(net)->stats;
	int i, cpu;

	for (i = 0; i < TLS_HANDOFF_STAT_NUM; i++) {
		u64 sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu_ptr(stats, cpu)[i]);
		seq_printf(seq, "%-32s\t%llu\n", tls_handoff_stat_names[i], sum);
	}
	return 0;
}

/**
 * tls_handoff_stats_init() - counters of a new namespace
 * @net: the namespace
 * @tnet: its state
 *
 * Return: 0 or -ENOMEM.
 */
int tls_handoff_stats_init(struct net *net, struct tls_handoff_net *tnet)
{
	tnet->stats = __alloc_percpu(sizeof(u64) * TLS_HANDOFF_STAT_NUM, __alignof__(u64));
	if (!tnet->stats)
		return -ENOMEM;
	if (!proc_create_net_single("tls_handoff_stat", 0444, net->proc_net,
				    tls_handoff_stat_show, NULL)) {
		free_percpu(tnet->stats);
		return -ENOMEM;
	}
	return 0;
}

/**
 * tls_handoff_stats_exit() - undoes tls_handoff_stats_init()
 * @net: the namespace
 * @tnet: its state
 */
void tls_handoff_stats_exit(struct net *net, struct tls_handoff_net *tnet)
{
	remove_proc_entry("tls_handoff_stat", net->proc_net);
	free_percpu(tnet->stats);
}
