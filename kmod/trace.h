/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: who is in control of a connection, and why it ended.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tls_handoff

#if !defined(_TLS_HANDOFF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TLS_HANDOFF_TRACE_H

#include <linux/tracepoint.h>

#include "tls_handoff.h"

TRACE_EVENT(tls_handoff_start,
	TP_PROTO(const struct tls_handoff_ctx *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u8, role)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->role = ctx->role;
	),
	TP_printk("session=%llu role=%s", __entry->id,
		  __entry->role == TLS_HANDOFF_CLIENT ? "client" : "server")
);

TRACE_EVENT(tls_handoff_ready,
	TP_PROTO(const struct tls_handoff_ctx *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, usec)
		__field(u16, version)
		__field(u16, cipher)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->usec = ctx->handshake_usec;
		__entry->version = ctx->version;
		__entry->cipher = ctx->cipher;
	),
	TP_printk("session=%llu version=%#x cipher=%u usec=%llu", __entry->id,
		  __entry->version, __entry->cipher, __entry->usec)
);

TRACE_EVENT(tls_handoff_divert,
	TP_PROTO(const struct tls_handoff_ctx *ctx, u8 type, int length),
	TP_ARGS(ctx, type, length),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u8, type)
		__field(int, length)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->type = type;
		__entry->length = length;
	),
	TP_printk("session=%llu type=%u length=%d", __entry->id, __entry->type, __entry->length)
);

TRACE_EVENT(tls_handoff_handback,
	TP_PROTO(const struct tls_handoff_ctx *ctx, bool new_key),
	TP_ARGS(ctx, new_key),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(bool, new_key)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->new_key = new_key;
	),
	TP_printk("session=%llu new_key=%d", __entry->id, __entry->new_key)
);

TRACE_EVENT(tls_handoff_fail,
	TP_PROTO(const struct tls_handoff_ctx *ctx, int error, const char *words),
	TP_ARGS(ctx, error, words),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(int, error)
		__string(words, words)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->error = error;
		__assign_str(words);
	),
	TP_printk("session=%llu error=%d %s", __entry->id, __entry->error, __get_str(words))
);

#endif /* _TLS_HANDOFF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
