// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The handshake itself: setting GnuTLS up as the parameters say, running it on a
 * coroutine, and turning its end into KEYS and DONE, or into an alert and FAIL.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>

#include "attr.h"
#include "coroutine.h"
#include "credentials.h"
#include "handshake.h"
#include "keyclient.h"
#include "priority.h"
#include "profile.h"
#include "psk.h"
#include "transport.h"
#include "verify.h"

#define SHOWN_IDENTITY 100 /* bytes of a peer's identity in a sentence */

struct handshake *handshake_current(void)
{
	return coroutine_argument();
}

static int gnutls_failed(struct handshake *handshake, int code)
{
	failure_gnutls(&handshake->failure, code, (int)gnutls_alert_get(handshake->tls));
	return -1;
}

static bool has_certificate(const struct handshake *handshake)
{
	const struct profile *profile = handshake->session->profile;

	if (handshake->parameters.cert_key)
		return true;
	for (size_t i = 0; i < profile->chain_count; i++)
		if (profile->chains[i].key)
			return true;
	return false;
}

/* A server, or a client that must show one, can without anything to show only say so. */
static int check_own_credentials(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	const struct profile *profile = handshake->session->profile;

	if (p->auth == TLS_HANDOFF_AUTH_RAWPK && !profile->raw_key_count &&
	    p->role == TLS_HANDOFF_SERVER) {
		failure_set(&handshake->failure, ENOKEY, ALERT_INTERNAL_ERROR,
			    "Profile \"%s\" has no usable private key for a raw public key: "
			    "check its private_key.",
			    profile->name);
		return -1;
	}
	if (p->auth != TLS_HANDOFF_AUTH_RAWPK &&
	    (p->role == TLS_HANDOFF_SERVER || p->client_cert == TLS_HANDOFF_CERT_REQUIRE) &&
	    !has_certificate(handshake)) {
		failure_set(&handshake->failure, ENOKEY, ALERT_INTERNAL_ERROR,
			    "Profile \"%s\" has no certificate with a usable private key: "
			    "check its certificate and private_key.",
			    profile->name);
		return -1;
	}
	return 0;
}

static int set_alpn(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	gnutls_datum_t names[TLS_HANDOFF_MAX_ALPN_NAMES];
	unsigned int count = 0;
	int r;

	for (size_t i = 0; i < p->alpn_length; i += (size_t)1 + p->alpn[i])
		names[count++] = (gnutls_datum_t){ (void *)(uintptr_t)&p->alpn[i + 1], p->alpn[i] };
	if (!count)
		return 0;
	r = gnutls_alpn_set_protocols(handshake->tls, names, count,
				      GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
	return r < 0 ? gnutls_failed(handshake, r) : 0;
}

static int set_server_name(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	int r;

	if (p->role != TLS_HANDOFF_CLIENT || !p->peer_name[0] || p->peer_is_address)
		return 0;
	r = gnutls_server_name_set(handshake->tls, GNUTLS_NAME_DNS, p->peer_name,
				   strlen(p->peer_name));
	return r < 0 ? gnutls_failed(handshake, r) : 0;
}

/* The SNI received, NUL-terminated; false if there is none that is a name */
static bool get_server_name(gnutls_session_t tls, char *ret_name, size_t size)
{
	size_t length = size;
	unsigned int type;

	return gnutls_server_name_get(tls, ret_name, &length, &type, 0) == 0 &&
	       type == GNUTLS_NAME_DNS && length && strlen(ret_name) == length;
}

/* GnuTLS chooses the cipher suite of TLS 1.2 first and then a certificate that fits it; the
 * certificate for the name comes first here, so only its key exchange is left to choose. */
static int after_client_hello(gnutls_session_t tls)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	unsigned int types;

	if (gnutls_protocol_get_version(tls) != GNUTLS_TLS1_2 ||
	    !get_server_name(tls, name, sizeof(name)))
		return 0;
	types = credentials_key_types(handshake->session->profile, name);
	if (types != CREDENTIALS_RSA && types != CREDENTIALS_ECDSA)
		return 0;
	return priority_set(handshake, types) < 0 ? GNUTLS_E_INTERNAL_ERROR : 0;
}

/* Traffic secrets as GnuTLS derives them; those of the handshake itself are of no use to us. */
static int note_secret(gnutls_session_t tls, gnutls_record_encryption_level_t level,
		       const void *secret_read, const void *secret_write, size_t size)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);

	if (level != GNUTLS_ENCRYPTION_LEVEL_APPLICATION)
		return 0;
	if (size > SECRETS_MAX)
		return GNUTLS_E_INTERNAL_ERROR;
	if (secret_read) {
		memcpy(handshake->secret[SESSION_RX], secret_read, size);
		handshake->secret_length[SESSION_RX] = size;
	}
	if (secret_write) {
		memcpy(handshake->secret[SESSION_TX], secret_write, size);
		handshake->secret_length[SESSION_TX] = size;
	}
	return 0;
}

/* The exporter secret is told nowhere else; called for every secret, keys log or not. */
static int note_key_log(gnutls_session_t tls, const char *label, const gnutls_datum_t *secret)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);

	if (strcmp(label, "EXPORTER_SECRET") == 0 && secret->size <= SECRETS_MAX) {
		memcpy(handshake->exporter_secret, secret->data, secret->size);
		handshake->exporter_length = secret->size;
	}
	return 0;
}

static int note_message(gnutls_session_t tls, unsigned int type, unsigned int when,
			unsigned int incoming, const gnutls_datum_t *message)
{
	struct handshake *handshake = gnutls_session_get_ptr(tls);
	struct hello hello;

	if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET)
		resume_ticket(handshake, incoming, message);
	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && !incoming)
		resume_client_hello_sent(handshake, message);
	if (type == GNUTLS_HANDSHAKE_SERVER_HELLO && resume_server_hello(handshake, message) < 0)
		return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
	if (!incoming ||
	    (type != GNUTLS_HANDSHAKE_CLIENT_HELLO && type != GNUTLS_HANDSHAKE_SERVER_HELLO &&
	     type != GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS))
		return 0;
	hello_parse(type, message, &hello);
	/* TLS 1.3 servers say it in EncryptedExtensions; that comes last */
	handshake->hello = hello;
	return type == GNUTLS_HANDSHAKE_CLIENT_HELLO ? resume_client_hello(handshake) : 0;
}

static int set_certificates(struct handshake *handshake)
{
	static const gnutls_certificate_request_t requests[] = { GNUTLS_CERT_IGNORE,
								 GNUTLS_CERT_REQUEST,
								 GNUTLS_CERT_REQUIRE };
	const struct parameters *p = &handshake->parameters;
	const struct profile *profile = handshake->session->profile;
	gnutls_certificate_credentials_t credentials = profile->server;
	int r;

	if (check_own_credentials(handshake) < 0)
		return -1;
	if (p->cert_key && p->auth != TLS_HANDOFF_AUTH_RAWPK &&
	    credentials_open_kernel(handshake) < 0)
		return -1;
	if (p->auth == TLS_HANDOFF_AUTH_RAWPK)
		credentials = profile->raw;
	else if (p->role == TLS_HANDOFF_CLIENT)
		credentials = profile->client;
	r = gnutls_credentials_set(handshake->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	if (r < 0)
		return gnutls_failed(handshake, r);
	if (p->role == TLS_HANDOFF_SERVER) {
		gnutls_certificate_server_set_request(handshake->tls, requests[p->client_cert]);
		if (p->auth != TLS_HANDOFF_AUTH_RAWPK && p->min_version <= TLS_1_2_VERSION)
			gnutls_handshake_set_post_client_hello_function(handshake->tls,
									after_client_hello);
	}
	gnutls_session_set_verify_function(handshake->tls, verify_peer);
	return 0;
}

static int setup(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	unsigned int flags = GNUTLS_NO_STATUS_REQUEST | GNUTLS_NO_AUTO_REKEY | GNUTLS_NO_SIGNAL;
	int r;

	flags |= p->role == TLS_HANDOFF_CLIENT ? GNUTLS_CLIENT : GNUTLS_SERVER;
	flags |= resume_flags(p);
	if (p->auth == TLS_HANDOFF_AUTH_RAWPK)
		flags |= GNUTLS_ENABLE_RAWPK;
	r = gnutls_init(&handshake->tls, flags);
	if (r < 0) {
		handshake->tls = NULL;
		failure_gnutls(&handshake->failure, r, ALERT_NONE);
		return -1;
	}
	gnutls_session_set_ptr(handshake->tls, handshake);
	/* the kernel's timer ends a handshake, and we are told */
	gnutls_handshake_set_timeout(handshake->tls, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_handshake_set_secret_function(handshake->tls, note_secret);
	gnutls_session_set_keylog_function(handshake->tls, note_key_log);
	gnutls_handshake_set_hook_function(handshake->tls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   note_message);
	transport_attach(handshake);
	if (priority_set(handshake, 0) < 0 || set_alpn(handshake) < 0 ||
	    set_server_name(handshake) < 0)
		return -1;
	resume_prepare(handshake);
	return p->auth == TLS_HANDOFF_AUTH_PSK ? psk_attach(handshake) :
						 set_certificates(handshake);
}

/* A binder that does not fit looks like any other illegal parameter to GnuTLS. */
static bool is_wrong_psk(const struct handshake *handshake, int code)
{
	return code == GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER && handshake->psk_used &&
	       handshake->parameters.role == TLS_HANDOFF_SERVER &&
	       gnutls_handshake_get_last_in(handshake->tls) == GNUTLS_HANDSHAKE_CLIENT_HELLO;
}

/* So does a client of TLS 1.2 only, to a server of TLS 1.3 only, like one without our ciphers. */
static bool is_too_old(const struct handshake *handshake, int code)
{
	return code == GNUTLS_E_NO_CIPHER_SUITES &&
	       handshake->parameters.role == TLS_HANDOFF_SERVER &&
	       handshake->parameters.min_version >= TLS_1_3_VERSION &&
	       !handshake->hello.offers_tls13;
}

/* What GnuTLS passes over, or says something else of: RFC 8446 5, 5.1 */
static int check_wire(struct handshake *handshake)
{
	if (!handshake->wire.violation ||
	    gnutls_protocol_get_version(handshake->tls) != GNUTLS_TLS1_3)
		return 0;
	failure_set(&handshake->failure, EPROTO, ALERT_UNEXPECTED_MESSAGE,
		    "The peer sent more beside its hello than TLS 1.3 allows.");
	return -1;
}

static int explain(struct handshake *handshake, int code)
{
	if (check_wire(handshake) < 0)
		return -1;
	if (is_wrong_psk(handshake, code)) {
		handshake->failure.verify = TLS_HANDOFF_VERIFY_PSK;
		failure_set(&handshake->failure, EKEYREJECTED, ALERT_DECRYPT_ERROR,
			    "The peer has another pre-shared key for \"%.*s\" than %s.",
			    failure_cut(handshake->identity, SHOWN_IDENTITY), handshake->identity,
			    handshake->psk_key ? "the kernel's keyring" : "its profile here");
		return -1;
	}
	if (code == GNUTLS_E_INSUFFICIENT_CREDENTIALS &&
	    handshake->parameters.auth == TLS_HANDOFF_AUTH_PSK) {
		handshake->failure.verify = TLS_HANDOFF_VERIFY_MISSING;
		failure_set(&handshake->failure, EKEYREJECTED, ALERT_HANDSHAKE_FAILURE,
			    "The peer does not use a pre-shared key, and one is required.");
		return -1;
	}
	if (is_too_old(handshake, code))
		code = GNUTLS_E_UNSUPPORTED_VERSION_PACKET;
	if ((code == GNUTLS_E_DECRYPTION_FAILED || code == GNUTLS_E_UNEXPECTED_PACKET) &&
	    handshake->wire.alert != ALERT_NONE) {
		/* OpenSSL's clients refuse a server's certificate so; GnuTLS cannot read it,
		 * nor does it expect one before ClientHello */
		failure_gnutls(&handshake->failure, GNUTLS_E_FATAL_ALERT_RECEIVED,
			       handshake->wire.alert);
		return -1;
	}
	return gnutls_failed(handshake, code);
}

static int run(struct handshake *handshake)
{
	int r;

	do {
		r = gnutls_handshake(handshake->tls);
	} while (r < 0 && !gnutls_error_is_fatal(r) && !handshake->closed);
	return r == 0 ? 0 : explain(handshake, r);
}

/* GnuTLS has checked all this; a mistake here would be an unverified peer. */
static int check_result(struct handshake *handshake)
{
	const struct parameters *p = &handshake->parameters;
	bool proven;

	if (resume_judge(handshake) < 0)
		return -1;
	proven = handshake->verified;
	if (p->auth == TLS_HANDOFF_AUTH_PSK)
		proven = handshake->psk_used &&
			 gnutls_auth_get_type(handshake->tls) == GNUTLS_CRD_PSK;
	else if (p->role == TLS_HANDOFF_SERVER && p->client_cert != TLS_HANDOFF_CERT_REQUIRE)
		proven = true;
	if (!proven) {
		handshake->failure.verify = p->auth == TLS_HANDOFF_AUTH_PSK ?
						    TLS_HANDOFF_VERIFY_PSK :
						    TLS_HANDOFF_VERIFY_MISSING;
		failure_set(&handshake->failure, EKEYREJECTED, ALERT_HANDSHAKE_FAILURE,
			    "The peer did not prove who it is.");
		return -1;
	}
	if (gnutls_record_check_pending(handshake->tls) > 0) {
		failure_set(&handshake->failure, EPROTO, ALERT_UNEXPECTED_MESSAGE,
			    "The peer sent data before the handshake was over.");
		return -1;
	}
	return check_wire(handshake);
}

static int internal_error(struct handshake *handshake, const char *what)
{
	failure_set(&handshake->failure, EIO, ALERT_INTERNAL_ERROR,
		    "The record keys of this connection cannot be used: %s.", what);
	return -1;
}

/* TLS 1.2: only an extended master secret belongs to this session alone (RFC 7627). */
static void take_master_secret(struct handshake *handshake)
{
	struct session *session = handshake->session;
	gnutls_datum_t master, client, server;

	if (!gnutls_session_ext_master_secret_status(handshake->tls))
		return;
	gnutls_session_get_master_secret(handshake->tls, &master);
	gnutls_session_get_random(handshake->tls, &client, &server);
	if (master.size != sizeof(session->master_secret) || client.size != SESSION_RANDOM ||
	    server.size != SESSION_RANDOM)
		return;
	memcpy(session->master_secret, master.data, master.size);
	memcpy(session->randoms, client.data, client.size);
	memcpy(session->randoms + SESSION_RANDOM, server.data, server.size);
	session->exportable = true;
}

/* Version and cipher, and that the secrets kept for key updates are the ones in use. */
static int take_secrets(struct handshake *handshake)
{
	struct session *session = handshake->session;
	const struct keyinfo_cipher *row;

	row = keyinfo_find_gnutls((int)gnutls_cipher_get(handshake->tls));
	if (!row)
		return internal_error(handshake, "the kernel does not have the cipher");
	session->cipher = row->cipher;
	session->version = gnutls_protocol_get_version(handshake->tls) == GNUTLS_TLS1_3 ?
				   TLS_1_3_VERSION :
				   TLS_1_2_VERSION;
	session->role = (uint8_t)handshake->parameters.role;
	session->max_payload = hello_max_payload(&handshake->hello, session->version);
	if (session->version == TLS_1_2_VERSION) {
		take_master_secret(handshake);
		return 0;
	}
	session->exportable = handshake->exporter_length == secrets_length(session->cipher);
	memcpy(session->exporter_secret, handshake->exporter_secret, handshake->exporter_length);
	for (int i = 0; i < SESSION_DIRECTIONS; i++) {
		if (handshake->secret_length[i] != secrets_length(session->cipher))
			return internal_error(handshake, "a traffic secret is missing");
		memcpy(session->secret[i], handshake->secret[i], handshake->secret_length[i]);
	}
	return 0;
}

static int check_secret(const struct session *session, enum session_direction direction,
			const gnutls_datum_t *key, const gnutls_datum_t *iv)
{
	uint8_t derived_key[SECRETS_MAX_KEY], derived_iv[SECRETS_IV];
	int r;

	r = secrets_record_key(session->cipher, session->secret[direction], derived_key,
			       derived_iv);
	if (r == 0 && (key->size != keyinfo_key_length(session->cipher) || iv->size != SECRETS_IV ||
		       gnutls_memcmp(derived_key, key->data, key->size) ||
		       gnutls_memcmp(derived_iv, iv->data, iv->size)))
		r = -EINVAL;
	explicit_bzero(derived_key, sizeof(derived_key));
	explicit_bzero(derived_iv, sizeof(derived_iv));
	return r;
}

static int send_keys(struct handshake *handshake, enum session_direction direction)
{
	struct session *session = handshake->session;
	gnutls_datum_t mac = { NULL, 0 }, iv = { NULL, 0 }, key = { NULL, 0 };
	unsigned char sequence[8];
	uint64_t number;
	union keyinfo info;
	size_t length;
	int r;

	r = gnutls_record_get_state(handshake->tls, direction == SESSION_RX, &mac, &iv, &key,
				    sequence);
	if (r < 0)
		return gnutls_failed(handshake, r);
	if (session->version == TLS_1_3_VERSION && check_secret(session, direction, &key, &iv) < 0)
		return internal_error(handshake, "they do not follow from the traffic secret");
	if (key.size != keyinfo_key_length(session->cipher))
		return internal_error(handshake, "a key has the wrong length");
	memcpy(&number, sequence, sizeof(number));
	r = keyinfo_build(session->version, session->cipher, key.data, iv.data, iv.size,
			  be64toh(number), &info, &length);
	if (r < 0)
		return internal_error(handshake, "the kernel does not take their form");
	r = session_send_keys(session, direction, &info, length);
	explicit_bzero(&info, sizeof(info));
	return r < 0 ? internal_error(handshake, "the agent does not take them") : 0;
}

static void put_alpn(struct handshake *handshake, struct attr_builder *done)
{
	gnutls_datum_t chosen;

	if (gnutls_alpn_get_selected_protocol(handshake->tls, &chosen) == 0 && chosen.size)
		attr_put(done, CHANNEL_A_ALPN, chosen.data, chosen.size);
}

static void put_server_name(struct handshake *handshake, struct attr_builder *done)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];

	if (handshake->parameters.role == TLS_HANDOFF_SERVER &&
	    get_server_name(handshake->tls, name, sizeof(name)))
		attr_put_string(done, CHANNEL_A_SERVER_NAME, name);
}

static int send_done(struct handshake *handshake)
{
	const struct session *session = handshake->session;
	const struct profile *profile = session->profile;
	struct attr_builder done = { 0 };
	int r;

	attr_put_u16(&done, CHANNEL_A_VERSION, session->version);
	attr_put_u16(&done, CHANNEL_A_CIPHER, session->cipher);
	attr_put_u32(&done, CHANNEL_A_AUTH, handshake->parameters.auth);
	attr_put_u32(&done, CHANNEL_A_RESUMED, handshake->resume.resumed);
	put_alpn(handshake, &done);
	put_server_name(handshake, &done);
	if (handshake->identity[0])
		attr_put_string(&done, CHANNEL_A_PEER_IDENTITY, handshake->identity);
	if (handshake->peer_certificate)
		attr_put(&done, CHANNEL_A_PEER_CERT, handshake->peer_certificate,
			 handshake->peer_certificate_length);
	if (handshake->psk_key)
		attr_put_u32(&done, CHANNEL_A_PSK_KEY, handshake->psk_key);
	if (handshake->failure.verify)
		attr_put_u32(&done, CHANNEL_A_VERIFY_STATUS, handshake->failure.verify);
	if (profile->rekey_records)
		attr_put_u64(&done, CHANNEL_A_LIMIT_RECORDS, profile->rekey_records);
	if (profile->handler_timeout)
		attr_put_u32(&done, CHANNEL_A_HANDLER_TIMEOUT,
			     (uint32_t)profile->handler_timeout * 1000);
	if (profile->truncation_eof)
		attr_put_u32(&done, CHANNEL_A_TRUNCATION_EOF, 1);
	r = attr_builder_error(&done);
	if (r == 0)
		r = session_send(handshake->session, CHANNEL_DONE, done.data, done.length);
	attr_builder_free(&done);
	return r < 0 ? internal_error(handshake, "the agent does not take the result") : 0;
}

/* A TLS 1.3 server that fails before its first flight went out has keys that the client knows
 * nothing of; GnuTLS would use them. */
static bool alert_must_be_plain(const struct handshake *handshake)
{
	return handshake->parameters.role == TLS_HANDOFF_SERVER && !handshake->encrypted_sent &&
	       gnutls_protocol_get_version(handshake->tls) == GNUTLS_TLS1_3;
}

static void send_alert(struct handshake *handshake)
{
	struct failure *failure = &handshake->failure;
	const uint8_t plain[] = { 21, 3, 3, 0, 2, GNUTLS_AL_FATAL, (uint8_t)failure->alert };
	int r = -1;

	if (handshake->tls && failure->alert != ALERT_NONE)
		r = alert_must_be_plain(handshake) ?
			    session_send(handshake->session, CHANNEL_BYTES, plain, sizeof(plain)) :
			    gnutls_alert_send(handshake->tls, GNUTLS_AL_FATAL,
					      (gnutls_alert_description_t)failure->alert);
	if (r < 0)
		failure->alert = ALERT_NONE;
}

static void handshake_free(struct handshake *handshake)
{
	if (handshake->tls)
		gnutls_deinit(handshake->tls);
	psk_free(handshake);
	credentials_free_chain(&handshake->kernel_chain);
	keyclient_close_kernel(handshake->kernel_key);
	free(handshake->peer_certificate);
	explicit_bzero(handshake, sizeof(*handshake));
	free(handshake);
}

static void handshake_main(void *arg)
{
	struct handshake *handshake = arg;
	struct session *session = handshake->session;
	struct failure failure;
	bool good;

	good = setup(handshake) == 0 && run(handshake) == 0 && check_result(handshake) == 0 &&
	       take_secrets(handshake) == 0 && resume_issue(handshake) == 0 &&
	       send_keys(handshake, SESSION_TX) == 0 && send_keys(handshake, SESSION_RX) == 0 &&
	       send_done(handshake) == 0;
	if (handshake->closed) {
		handshake_free(handshake); /* whoever closed it frees the session */
		return;
	}
	if (!good)
		send_alert(handshake);
	else
		resume_keep(handshake);
	failure = handshake->failure;
	session->handshake = NULL;
	handshake_free(handshake);
	if (good)
		session_established(session);
	else
		session_fail(session, &failure);
}

int handshake_start(struct session *session, const struct parameters *parameters)
{
	struct handshake *handshake = calloc(1, sizeof(*handshake));

	if (!handshake)
		return -ENOMEM;
	handshake->session = session;
	handshake->parameters = *parameters;
	failure_init(&handshake->failure);
	session->handshake = handshake;
	if (coroutine_start(handshake_main, handshake, &handshake->coroutine) == 0)
		return 0;
	session->handshake = NULL;
	free(handshake);
	return -ENOMEM;
}

void handshake_abort(struct handshake *handshake)
{
	handshake->closed = true;
	coroutine_resume(handshake->coroutine);
}
