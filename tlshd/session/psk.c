// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * External PSKs of TLS 1.3.  GnuTLS needs the raw key: it comes from the key
 * holder when the handshake needs it, GnuTLS wipes its copies, and ours is wiped
 * at once.
 */
#include <errno.h>
#include <string.h>
#include <gnutls/gnutls.h>

#include "handshake.h"
#include "keyclient.h"
#include "log.h"
#include "profile.h"
#include "psk.h"

#define SHOWN_IDENTITY 100 /* bytes of an escaped identity in a sentence */

static int unseal(struct handshake *handshake, uint32_t number, const char *shown,
		  gnutls_datum_t *ret_key)
{
	const struct keyclient_user user = { handshake->parameters.uid, handshake->session->id,
					     &handshake->closed };
	char words[KEYCLIENT_MAX_WORDS] = "";
	gnutls_datum_t secret = { NULL, 0 };
	int r;

	r = keyclient_unseal(handshake->session->room->keys, &user, number, &secret, words);
	if (r < 0) {
		failure_set(&handshake->failure, EIO, ALERT_INTERNAL_ERROR,
			    "The pre-shared key \"%s\" of profile \"%s\" cannot be used: %s.",
			    shown, handshake->session->profile->name,
			    words[0] ? words : strerror(-r));
		return -1;
	}
	ret_key->data = gnutls_malloc(secret.size);
	if (ret_key->data) {
		memcpy(ret_key->data, secret.data, secret.size);
		ret_key->size = secret.size;
	}
	keyclient_answer_free(&secret);
	handshake->psk_used = ret_key->data != NULL;
	return ret_key->data ? 0 : GNUTLS_E_MEMORY_ERROR;
}

/* Client: our identity and its key */
static int client_key(gnutls_session_t tls, gnutls_datum_t *username, gnutls_datum_t *key)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	const char *identity = handshake->parameters.psk_identity;
	size_t length = strlen(identity);
	char shown[SHOWN_IDENTITY];
	uint32_t number;
	int r;

	if (keyclient_find_psk(handshake->session->room->keys, handshake->session->profile->name,
			       identity, length, &number) < 0)
		return -1;
	log_escape(shown, sizeof(shown), identity, length);
	r = unseal(handshake, number, shown, key);
	if (r < 0)
		return r;
	username->data = gnutls_malloc(length + 1);
	if (!username->data) {
		explicit_bzero(key->data, key->size);
		gnutls_free(key->data);
		key->data = NULL;
		return GNUTLS_E_MEMORY_ERROR;
	}
	memcpy(username->data, identity, length + 1);
	username->size = (unsigned int)length;
	names_identity(handshake->identity, "psk", identity, length);
	return 0;
}

/* Server: the key of the identity that the client named */
static int server_key(gnutls_session_t tls, const gnutls_datum_t *username, gnutls_datum_t *key)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	const struct profile *profile = handshake->session->profile;
	const char *only = handshake->parameters.psk_identity;
	char shown[SHOWN_IDENTITY];
	uint32_t number;

	log_escape(shown, sizeof(shown), (const char *)username->data, username->size);
	if ((only[0] && (strlen(only) != username->size ||
			 memcmp(only, username->data, username->size) != 0)) ||
	    keyclient_find_psk(handshake->session->room->keys, profile->name, username->data,
			       username->size, &number) < 0) {
		handshake->failure.verify = TLS_HANDOFF_VERIFY_PSK;
		failure_set(
			&handshake->failure, EKEYREJECTED, ALERT_UNKNOWN_PSK_IDENTITY,
			"The peer's pre-shared key identity \"%s\" is not one of profile \"%s\".",
			shown, profile->name);
		return -1;
	}
	names_identity(handshake->identity, "psk", username->data, username->size);
	return unseal(handshake, number, shown, key);
}

/* Our own configuration, before a byte is sent */
static int check_identity(struct handshake *handshake)
{
	const struct session *session = handshake->session;
	const char *identity = handshake->parameters.psk_identity;
	char shown[SHOWN_IDENTITY];
	uint32_t number;

	if (!identity[0] || keyclient_find_psk(session->room->keys, session->profile->name,
					       identity, strlen(identity), &number) == 0)
		return 0;
	log_escape(shown, sizeof(shown), identity, strlen(identity));
	failure_set(&handshake->failure, EACCES, ALERT_NONE,
		    "TLS_HANDOFF_PSK_IDENTITY \"%s\" is no psk of profile \"%s\".", shown,
		    session->profile->name);
	return -1;
}

int psk_attach(struct handshake *handshake)
{
	int r;

	if (check_identity(handshake) < 0)
		return -1;
	if (handshake->parameters.role == TLS_HANDOFF_SERVER) {
		r = gnutls_psk_allocate_server_credentials(&handshake->psk_server);
		if (r == 0) {
			gnutls_psk_set_server_credentials_function2(handshake->psk_server,
								    server_key);
			r = gnutls_credentials_set(handshake->tls, GNUTLS_CRD_PSK,
						   handshake->psk_server);
		}
	} else {
		r = gnutls_psk_allocate_client_credentials(&handshake->psk_client);
		if (r == 0) {
			gnutls_psk_set_client_credentials_function2(handshake->psk_client,
								    client_key);
			r = gnutls_credentials_set(handshake->tls, GNUTLS_CRD_PSK,
						   handshake->psk_client);
		}
	}
	if (r < 0)
		failure_gnutls(&handshake->failure, r, ALERT_NONE);
	return r < 0 ? -1 : 0;
}

void psk_free(struct handshake *handshake)
{
	if (handshake->psk_server)
		gnutls_psk_free_server_credentials(handshake->psk_server);
	if (handshake->psk_client)
		gnutls_psk_free_client_credentials(handshake->psk_client);
}
