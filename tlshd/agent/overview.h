/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control socket tells about the agent as a whole: lines "Name value", which
 * tls-handoff(1) makes a page or metrics of.
 */
#ifndef TLSHD_AGENT_OVERVIEW_H
#define TLSHD_AGENT_OVERVIEW_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "generation.h"

struct overview {
	bool registered; /* with the kernel */
	time_t since;
	const struct sessions *sessions;
	const struct generation *current, *predecessor; /* NULL: there is none */
	const char *reason;				/* why there is no usable one */
	/* of the configuration */
	unsigned int reloads, failed_reloads;
	time_t last_reload;  /* 0: none yet */
	const char *mistake; /* of the last one; empty: it went well */
};

/* As @uid may see it: mistakes in the configuration and others' failures are root's. */
void overview_status(const struct overview *overview, uid_t uid, FILE *lines);
void overview_metrics(const struct overview *overview, FILE *lines);

#endif /* TLSHD_AGENT_OVERVIEW_H */
