/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was negotiated on a connection, for people and for scripts.
 */
#ifndef TLS_HANDOFF_INFO_PRINT_H
#define TLS_HANDOFF_INFO_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#include <linux/tls_handoff.h>

/* Prints what TLS_HANDOFF_INFO and its neighbours say of @fd, and @binding, a channel binding
 * in hexadecimal, unless that is NULL.  0 or -errno. */
int info_print(FILE *stream, int fd, bool json, const char *binding);

/* The bits of verify_status as an array of words. */
struct json_object *info_verify_json(__u32 verify_status);

#endif /* TLS_HANDOFF_INFO_PRINT_H */
