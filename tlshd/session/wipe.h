/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GnuTLS wipes its keys, but not every copy it made on the way.
 */
#ifndef TLSHD_SESSION_WIPE_H
#define TLSHD_SESSION_WIPE_H

/* From now on GnuTLS's memory is wiped when it is freed.  Once, before any session exists. */
void wipe_freed_memory(void);

#endif /* TLSHD_SESSION_WIPE_H */
