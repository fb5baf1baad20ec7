// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One table from GnuTLS's error to errno, alert and sentence.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "failure.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Only where the alert differs from gnutls_error_to_alert()'s, errno from EPROTO,
 * or GnuTLS's own sentence tells an administrator too little.
 */
static const struct {
	int code;
	int error;
	int alert; /* ALERT_NONE: gnutls_error_to_alert() */
	uint32_t verify;
	const char *words;
} table[] = {
	{ GNUTLS_E_CERTIFICATE_REQUIRED, EKEYREJECTED, ALERT_CERTIFICATE_REQUIRED,
	  TLS_HANDOFF_VERIFY_MISSING, "The peer showed no certificate, and one is required." },
	/* What GnuTLS says in TLS 1.2 and where the peer has no certificate of a kind we take */
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, EKEYREJECTED, ALERT_HANDSHAKE_FAILURE,
	  TLS_HANDOFF_VERIFY_MISSING, "The peer showed no certificate, and one is required." },
	{ GNUTLS_E_CERTIFICATE_ERROR, EKEYREJECTED, ALERT_BAD_CERTIFICATE, TLS_HANDOFF_VERIFY_OTHER,
	  "The peer's certificate could not be used." },
	{ GNUTLS_E_PK_SIG_VERIFY_FAILED, EKEYREJECTED, ALERT_DECRYPT_ERROR,
	  TLS_HANDOFF_VERIFY_SIGNATURE,
	  "The peer could not prove that it has the key of its certificate." },
	{ GNUTLS_E_UNSUPPORTED_CERTIFICATE_TYPE, EKEYREJECTED, ALERT_UNSUPPORTED_CERTIFICATE,
	  TLS_HANDOFF_VERIFY_OTHER, "The peer's certificate is of a type that was not offered." },
	{ GNUTLS_E_ERROR_IN_FINISHED_PACKET, EPROTO, ALERT_DECRYPT_ERROR, 0,
	  "The peer's Finished message does not match this handshake." },
	{ GNUTLS_E_DECRYPTION_FAILED, EPROTO, ALERT_BAD_RECORD_MAC, 0,
	  "A record of the peer could not be decrypted." },
	{ GNUTLS_E_UNSUPPORTED_VERSION_PACKET, EPROTO, ALERT_PROTOCOL_VERSION, 0,
	  "The peer speaks no TLS version that is allowed here." },
	{ GNUTLS_E_NO_CIPHER_SUITES, EPROTO, ALERT_HANDSHAKE_FAILURE, 0,
	  "The peer offers no cipher, key exchange or signature that is allowed here." },
	{ GNUTLS_E_INSUFFICIENT_CREDENTIALS, EPROTO, ALERT_HANDSHAKE_FAILURE, 0,
	  "The peer accepts none of the certificates or keys that we have." },
	{ GNUTLS_E_NO_COMMON_KEY_SHARE, EPROTO, ALERT_HANDSHAKE_FAILURE, 0,
	  "The peer offers no key exchange group that is allowed here." },
	{ GNUTLS_E_NO_APPLICATION_PROTOCOL, EPROTO, 120, 0,
	  "The peer offers no application protocol (ALPN) that we have." },
	{ GNUTLS_E_UNKNOWN_CIPHER_SUITE, EPROTO, ALERT_ILLEGAL_PARAMETER, 0,
	  "The peer chose a cipher that was not offered." },
	{ GNUTLS_E_UNEXPECTED_PACKET, EPROTO, ALERT_UNEXPECTED_MESSAGE, 0,
	  "The peer sent a record that does not belong here." },
	{ GNUTLS_E_UNEXPECTED_HANDSHAKE_PACKET, EPROTO, ALERT_UNEXPECTED_MESSAGE, 0,
	  "The peer sent a handshake message that does not belong here." },
	{ GNUTLS_E_RECORD_OVERFLOW, EPROTO, ALERT_RECORD_OVERFLOW, 0,
	  "The peer sent a record that is too long." },
	{ GNUTLS_E_UNEXPECTED_PACKET_LENGTH, EPROTO, ALERT_DECODE_ERROR, 0,
	  "The peer sent a message of wrong length, or does not speak TLS." },
	{ GNUTLS_E_PREMATURE_TERMINATION, EPROTO, ALERT_NONE, 0,
	  "The peer ended the connection in the middle of the handshake." },
	{ GNUTLS_E_REHANDSHAKE, EPROTO, ALERT_UNEXPECTED_MESSAGE, 0,
	  "The peer asked for a new handshake in the middle of one." },
	{ GNUTLS_E_MEMORY_ERROR, ENOMEM, ALERT_INTERNAL_ERROR, 0,
	  "There is not enough memory for this handshake." },
	{ GNUTLS_E_RANDOM_FAILED, EIO, ALERT_INTERNAL_ERROR, 0,
	  "The system gives no random numbers." },
};

void failure_init(struct failure *failure)
{
	*failure = (struct failure){ .alert = ALERT_NONE, .alert_received = ALERT_NONE };
}

int failure_cut(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length <= max)
		return (int)length;
	length = max;
	while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return (int)length;
}

void failure_set(struct failure *failure, int error, int alert, const char *format, ...)
{
	va_list args;

	if (failure->error)
		return;
	failure->error = error;
	failure->alert = alert;
	va_start(args, format);
	vsnprintf(failure->words, sizeof(failure->words), format, args);
	va_end(args);
	if (strlen(failure->words) == sizeof(failure->words) - 1)
		failure->words[failure_cut(failure->words, sizeof(failure->words) - 2)] = 0;
}

static void failure_received(struct failure *failure, int received)
{
	const char *name = alert_name(received);
	int error = received == ALERT_CLOSE_NOTIFY ? ECONNRESET : EPROTO;

	if (failure->error)
		return;
	failure->alert_received = received;
	if (name)
		failure_set(failure, error, ALERT_NONE,
			    "The peer ended the handshake with the alert %s (%d).", name, received);
	else
		failure_set(failure, EPROTO, ALERT_NONE,
			    "The peer ended the handshake with the unknown alert %d.", received);
}

void failure_gnutls(struct failure *failure, int code, int received)
{
	const char *words;
	size_t length;
	int alert;

	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED || code == GNUTLS_E_WARNING_ALERT_RECEIVED) {
		failure_received(failure, received);
		return;
	}
	if (code == GNUTLS_E_SESSION_EOF) {
		failure_received(failure, ALERT_CLOSE_NOTIFY);
		return;
	}
	if (failure->error)
		return;
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].code != code)
			continue;
		alert = table[i].alert;
		failure->verify |= table[i].verify;
		failure_set(failure, table[i].error, alert, "%s", table[i].words);
		return;
	}
	alert = gnutls_error_to_alert(code, NULL);
	words = gnutls_strerror(code);
	length = strlen(words);
	if (length && words[length - 1] == '.')
		length--;
	failure_set(failure, alert == ALERT_INTERNAL_ERROR ? EIO : EPROTO, alert,
		    "The handshake failed: %.*s.", (int)length, words);
}
