// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of the counters, as `tls-handoff tickets` and metrics show them.
 */
#include "counts.h"

static const char *const names[COUNT_MAX] = {
	[COUNT_ISSUED] = "TicketsIssued",
	[COUNT_RESUMED_AS_SERVER] = "ResumedAsServer",
	[COUNT_REFUSED_UNKNOWN_KEY] = "RefusedUnknownKey",
	[COUNT_REFUSED_EXPIRED] = "RefusedExpired",
	[COUNT_REFUSED_POLICY] = "RefusedPolicy",
	[COUNT_REFUSED_VERIFICATION] = "RefusedVerification",
	[COUNT_RECEIVED] = "TicketsReceived",
	[COUNT_STORED] = "TicketsStored",
	[COUNT_EVICTED] = "TicketsEvicted",
	[COUNT_EXPIRED] = "TicketsExpired",
	[COUNT_OFFERED] = "TicketsOffered",
	[COUNT_RESUMED_AS_CLIENT] = "ResumedAsClient",
	[COUNT_REFUSED_BY_PEER] = "RefusedByPeer",
};

const char *counts_name(enum count count)
{
	return names[count];
}
