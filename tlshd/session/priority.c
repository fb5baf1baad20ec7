// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Priority strings.  GnuTLS takes a twentieth of a handshake's time to read one,
 * and there are few different ones: what was read is kept.
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <gnutls/gnutls.h>

#include "credentials.h"
#include "handshake.h"
#include "priority.h"

#define MAX_TEXT 1024 /* bytes of a priority string */
#define MAX_KEPT 64   /* strings; programs can ask for more different ones than that */

/* The first group of the server's that the client knows is taken, with a HelloRetryRequest and so
 * a round trip more if the client sent no key share of it: X25519 is what most send. */
static const char base[] =
	"NORMAL:-VERS-ALL:-CIPHER-ALL:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:"
	"-CTYPE-ALL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-X448:+GROUP-SECP384R1:"
	"+GROUP-SECP521R1:%SERVER_PRECEDENCE";

static GHashTable *kept; /* text: gnutls_priority_t */

/* GnuTLS's PSK binder is SHA-256: ciphers with another hash cannot be used with it. */
static bool cipher_fits(const struct parameters *p, uint16_t cipher)
{
	return p->auth != TLS_HANDOFF_AUTH_PSK || secrets_length(cipher) == 32;
}

/* Key exchange exists in TLS 1.2 only; in TLS 1.3 the list says that certificates are used, and
 * for a client how it resumes: never without a fresh key exchange. */
static const char *key_exchange(const struct parameters *p, unsigned int types)
{
	if (p->auth == TLS_HANDOFF_AUTH_PSK)
		return ":-KX-ALL:+ECDHE-PSK";
	if (types == CREDENTIALS_RSA)
		return ":-KX-ALL:+ECDHE-RSA";
	if (types == CREDENTIALS_ECDSA)
		return ":-KX-ALL:+ECDHE-ECDSA";
	return ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA";
}

static const char *resumption(const struct parameters *p)
{
	bool tls13 = p->resume && p->role == TLS_HANDOFF_CLIENT &&
		     p->max_version >= TLS_1_3_VERSION;

	if (p->resume_tls12)
		return tls13 ? ":+ECDHE-PSK" : "";
	return tls13 ? ":+ECDHE-PSK:%NO_TICKETS_TLS12" : ":%NO_TICKETS_TLS12";
}

static const char *certificate_types(const struct parameters *p)
{
	return p->auth == TLS_HANDOFF_AUTH_RAWPK ? ":+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK" :
						   ":+CTYPE-X509";
}

/* Whether a cipher is in it */
static bool write_text(const struct parameters *p, unsigned int types, char *text, size_t size)
{
	bool ciphers = false;
	size_t n;

	n = (size_t)snprintf(text, size, "%s%s%s%s%s%s", base,
			     p->max_version >= TLS_1_3_VERSION ? ":+VERS-TLS1.3" : "",
			     p->min_version <= TLS_1_2_VERSION ? ":+VERS-TLS1.2" : "",
			     key_exchange(p, types), resumption(p), certificate_types(p));
	for (size_t i = 0; i < p->cipher_count; i++) {
		if (!cipher_fits(p, p->ciphers[i]))
			continue;
		n += (size_t)snprintf(text + n, size - n, ":+%s",
				      keyinfo_find(p->ciphers[i])->name);
		ciphers = true;
	}
	return ciphers;
}

static void free_priority(void *priority)
{
	gnutls_priority_deinit(priority);
}

static int set_text(gnutls_session_t tls, const char *text)
{
	gnutls_priority_t priority;
	int r;

	if (!kept)
		kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_priority);
	priority = g_hash_table_lookup(kept, text);
	if (!priority) {
		if (g_hash_table_size(kept) >= MAX_KEPT)
			return gnutls_priority_set_direct(tls, text, NULL);
		r = gnutls_priority_init(&priority, text, NULL);
		if (r < 0)
			return r;
		g_hash_table_insert(kept, g_strdup(text), priority);
	}
	return gnutls_priority_set(tls, priority);
}

int priority_set(struct handshake *handshake, unsigned int types)
{
	char text[MAX_TEXT];
	int r;

	if (!write_text(&handshake->parameters, types, text, sizeof(text))) {
		failure_set(&handshake->failure, EACCES, ALERT_NONE,
			    "No cipher is left: pre-shared keys need one with SHA-256, "
			    "as AES-128-GCM.");
		return -1;
	}
	r = set_text(handshake->tls, text);
	if (r < 0)
		failure_gnutls(&handshake->failure, r, ALERT_NONE);
	return r < 0 ? -1 : 0;
}

void priority_forget(void)
{
	if (kept)
		g_hash_table_destroy(kept);
	kept = NULL;
}
