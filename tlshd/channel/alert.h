/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alert descriptions by name, for log lines and people.
 */
#ifndef TLSHD_CHANNEL_ALERT_H
#define TLSHD_CHANNEL_ALERT_H

/* The registry's name, as "bad_certificate" (RFC 8446 6, RFC 5246 7.2 and extensions),
 * or NULL for a number it does not have. */
const char *alert_name(int alert);

#endif /* TLSHD_CHANNEL_ALERT_H */
