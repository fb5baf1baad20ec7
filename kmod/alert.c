// SPDX-License-Identifier: GPL-2.0-only
/*
 * Alert descriptions by name, for the sentence that a program gets.
 * The daemons have the same ones in tlshd/channel/alert.c.
 */

#include "tls_handoff.h"

static const struct {
	u8 description;
	const char *name;
} tls_handoff_alert_names[] = {
	{ 0, "close_notify" },
	{ 10, "unexpected_message" },
	{ 20, "bad_record_mac" },
	{ 21, "decryption_failed" },
	{ 22, "record_overflow" },
	{ 30, "decompression_failure" },
	{ 40, "handshake_failure" },
	{ 41, "no_certificate" },
	{ 42, "bad_certificate" },
	{ 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" },
	{ 45, "certificate_expired" },
	{ 46, "certificate_unknown" },
	{ 47, "illegal_parameter" },
	{ 48, "unknown_ca" },
	{ 49, "access_denied" },
	{ 50, "decode_error" },
	{ 51, "decrypt_error" },
	{ 60, "export_restriction" },
	{ 70, "protocol_version" },
	{ 71, "insufficient_security" },
	{ 80, "internal_error" },
	{ 86, "inappropriate_fallback" },
	{ 90, "user_canceled" },
	{ 100, "no_renegotiation" },
	{ 109, "missing_extension" },
	{ 110, "unsupported_extension" },
	{ 111, "certificate_unobtainable" },
	{ 112, "unrecognized_name" },
	{ 113, "bad_certificate_status_response" },
	{ 114, "bad_certificate_hash_value" },
	{ 115, "unknown_psk_identity" },
	{ 116, "certificate_required" },
	{ 120, "no_application_protocol" },
	{ 121, "ech_required" },
};

/**
 * tls_handoff_alert_name() - the name that the TLS registry has for an alert
 * @description: from the peer
 *
 * Return: a constant string, never %NULL.
 */
const char *tls_handoff_alert_name(int description)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(tls_handoff_alert_names); i++)
		if (tls_handoff_alert_names[i].description == description)
			return tls_handoff_alert_names[i].name;
	return "of unknown meaning";
}
