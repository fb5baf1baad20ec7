// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * External PSKs of TLS 1.3.  GnuTLS needs the raw key: it comes from the key
 * holder when the handshake needs it, GnuTLS wipes its copies, and ours is wiped
 * at once.  Which one it is the profile says, or the kernel for its consumers.
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

static struct keyclient_user user_of(const struct handshake *handshake)
{
	return (struct keyclient_user){ handshake->parameters.uid, handshake->session->id,
					&handshake->closed };
}

/* What GnuTLS frees, and wipes before that */
static int hand_over(gnutls_datum_t *ret, const void *data, size_t length)
{
	ret->data = gnutls_malloc(length + 1);
	if (!ret->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(ret->data, data, length);
	ret->data[length] = 0;
	ret->size = (unsigned int)length;
	return 0;
}

static void take_back(gnutls_datum_t *key)
{
	explicit_bzero(key->data, key->size);
	gnutls_free(key->data);
	*key = (gnutls_datum_t){ NULL, 0 };
}

static int unseal(struct handshake *handshake, uint32_t number, const char *shown,
		  gnutls_datum_t *ret_key)
{
	const struct keyclient_user user = user_of(handshake);
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
	r = hand_over(ret_key, secret.data, secret.size);
	keyclient_answer_free(&secret);
	handshake->psk_used = r == 0;
	return r;
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
	r = hand_over(username, identity, length);
	if (r < 0) {
		take_back(key);
		return r;
	}
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

/* "NVMe", version, R or G, hash: 02 is SHA-384, which GnuTLS has no binder of. */
static bool is_sha384(const void *identity, size_t length)
{
	const char *text = identity;

	return length > 9 && memcmp(text, "NVMe", 4) == 0 && text[4] >= '0' && text[4] <= '9' &&
	       (text[5] == 'R' || text[5] == 'G') && memcmp(text + 6, "02 ", 3) == 0;
}

#define SHA384_WORDS                                                 \
	"its identity stands for SHA-384, which GnuTLS has not for " \
	"pre-shared keys; make one with --hmac=1"

static int use_kernel_psk(struct handshake *handshake, const struct keyclient_kernel_psk *psk,
			  gnutls_datum_t *ret_key)
{
	int r = hand_over(ret_key, psk->secret, psk->length);

	if (r < 0)
		return r;
	names_identity(handshake->identity, "psk", psk->identity, psk->identity_length);
	handshake->psk_key = psk->serial;
	handshake->psk_used = true;
	return 0;
}

/* The first that can be used, or -errno with words on the first */
static int first_kernel_psk(struct handshake *handshake, struct keyclient_kernel_psk *ret_psk,
			    char *words)
{
	const struct parameters *p = &handshake->parameters;
	const struct keyclient_user user = user_of(handshake);
	int error = 0;

	for (size_t i = 0; i < p->psk_key_count; i++) {
		char said[KEYCLIENT_MAX_WORDS] = "";
		int r;

		r = keyclient_unseal_kernel(handshake->session->room->keys, &user, p->keyring,
					    p->psk_keys[i], NULL, 0, ret_psk, said);
		if (r == -ECANCELED)
			return r;
		if (r == 0 && is_sha384(ret_psk->identity, ret_psk->identity_length)) {
			r = -EOPNOTSUPP;
			strcpy(said, SHA384_WORDS);
		}
		if (r == 0)
			return 0;
		if (error == 0) {
			error = r;
			memcpy(words, said, sizeof(said));
		}
	}
	return error;
}

/* Client: of the kernel's consumers' keys */
static int kernel_client_key(gnutls_session_t tls, gnutls_datum_t *username, gnutls_datum_t *key)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	char words[KEYCLIENT_MAX_WORDS] = "";
	struct keyclient_kernel_psk psk;
	int r;

	r = first_kernel_psk(handshake, &psk, words);
	if (r == 0) {
		r = use_kernel_psk(handshake, &psk, key);
		if (r == 0 && hand_over(username, psk.identity, psk.identity_length) < 0) {
			take_back(key);
			r = GNUTLS_E_MEMORY_ERROR;
		}
	} else if (r != -ECANCELED) {
		/* the ClientHello is not sent yet */
		failure_set(&handshake->failure, r == -EPIPE ? EIO : -r, ALERT_NONE,
			    "The kernel's pre-shared key %u cannot be used: %s.",
			    handshake->parameters.psk_keys[0], words[0] ? words : strerror(-r));
		r = -1;
	}
	explicit_bzero(&psk, sizeof(psk));
	return r;
}

static void refuse_identity(struct handshake *handshake, int error, const gnutls_datum_t *username,
			    const char *words)
{
	char shown[SHOWN_IDENTITY];

	log_escape(shown, sizeof(shown), (const char *)username->data, username->size);
	handshake->failure.verify = TLS_HANDOFF_VERIFY_PSK;
	failure_set(&handshake->failure, error, ALERT_UNKNOWN_PSK_IDENTITY,
		    "The peer's pre-shared key identity \"%s\" cannot be used: %s.", shown, words);
}

/* Server: the key of that identity in the consumer's keyring */
static int kernel_server_key(gnutls_session_t tls, const gnutls_datum_t *username,
			     gnutls_datum_t *key)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	const struct keyclient_user user = user_of(handshake);
	char words[KEYCLIENT_MAX_WORDS] = "";
	struct keyclient_kernel_psk psk;
	int r;

	if (username->size == 0 || username->size > KEYS_MAX_KERNEL_IDENTITY) {
		refuse_identity(handshake, EKEYREJECTED, username, "it has no usable length");
		return -1;
	}
	if (is_sha384(username->data, username->size)) {
		refuse_identity(handshake, EOPNOTSUPP, username, SHA384_WORDS);
		return -1;
	}
	r = keyclient_unseal_kernel(handshake->session->room->keys, &user,
				    handshake->parameters.keyring, 0, username->data,
				    username->size, &psk, words);
	if (r == 0) {
		r = use_kernel_psk(handshake, &psk, key);
	} else if (r == -ENOKEY) {
		refuse_identity(handshake, EKEYREJECTED, username, words);
	} else if (r != -ECANCELED) {
		failure_set(&handshake->failure, r == -EPIPE ? EIO : -r, ALERT_INTERNAL_ERROR,
			    "No pre-shared key of the kernel can be used: %s.",
			    words[0] ? words : strerror(-r));
	}
	explicit_bzero(&psk, sizeof(psk));
	return r < 0 ? -1 : 0;
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
	bool kernel = handshake->parameters.kernel;
	int r;

	if (!kernel && check_identity(handshake) < 0)
		return -1;
	if (handshake->parameters.role == TLS_HANDOFF_SERVER) {
		r = gnutls_psk_allocate_server_credentials(&handshake->psk_server);
		if (r == 0) {
			gnutls_psk_set_server_credentials_function2(
				handshake->psk_server, kernel ? kernel_server_key : server_key);
			r = gnutls_credentials_set(handshake->tls, GNUTLS_CRD_PSK,
						   handshake->psk_server);
		}
	} else {
		r = gnutls_psk_allocate_client_credentials(&handshake->psk_client);
		if (r == 0) {
			gnutls_psk_set_client_credentials_function2(
				handshake->psk_client, kernel ? kernel_client_key : client_key);
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
