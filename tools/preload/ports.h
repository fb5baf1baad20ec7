/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which ports a rule is for: "6379,8000-8100,imap", or "all".
 */
#ifndef TLS_HANDOFF_PORTS_H
#define TLS_HANDOFF_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 64 /* ranges in one rule */

struct ports {
	unsigned int count; /* protects the next field; 0: the rule was not given */
	struct {
		uint16_t first, last;
	} ranges[PORTS_MAX];
};

/* Replaces *@ports.  NULL, or what is wrong with @text; then *@ports is untouched. */
const char *ports_parse(const char *text, struct ports *ports);

bool ports_match(const struct ports *ports, uint16_t port);

#endif /* TLS_HANDOFF_PORTS_H */
