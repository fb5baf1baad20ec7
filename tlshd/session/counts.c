// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of the counters, as `tls-handoff tickets` and metrics show them.
 */
#include <errno.h>
#include <string.h>

#include "counts.h"
#include "resume.h"
#include "session.h"
#include "state.h"

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
	[COUNT_SIGNATURES] = "Signatures",
	[COUNT_SIGNATURES_FAILED] = "SignaturesFailed",
};

const char *counts_name(enum count count)
{
	return names[count];
}

void counts_save(struct room *room, struct state_writer *writer)
{
	state_put(writer, STATE_TICKET_COUNTS, room->resume->counts.value,
		  sizeof(room->resume->counts.value));
}

/* Added to what was counted since; counters that this program does not know are lost. */
int counts_restore(struct room *room, const uint8_t *payload, size_t length)
{
	uint64_t value;

	if (length % sizeof(value))
		return -EPROTO;
	for (size_t i = 0; i < COUNT_MAX && (i + 1) * sizeof(value) <= length; i++) {
		memcpy(&value, payload + i * sizeof(value), sizeof(value));
		room->resume->counts.value[i] += value;
	}
	return 0;
}
