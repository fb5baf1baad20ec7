/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into a daemon's memory from outside.  The daemons are not dumpable and
 * tests give root up, so a child that keeps it does the looking.
 */
#ifndef TLSHD_SESSION_TEST_LOOKER_H
#define TLSHD_SESSION_TEST_LOOKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOOKER_SECRET 32 /* bytes that are looked for */

/* Before root is given up, once a program. */
void looker_start(void);
/* Private memory of @pid in bytes; 0 if nobody may look. */
size_t looker_memory(pid_t pid);
/* Places where @secret (LOOKER_SECRET bytes) is in @pid's memory; -1 if nobody may look. */
int looker_places(pid_t pid, const uint8_t *secret);

#endif /* TLSHD_SESSION_TEST_LOOKER_H */
