// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Narrowing, one function per option.  The agent has checked form and length of
 * every attribute; ranges are checked here again, for the agent is not trusted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "keyinfo.h"
#include "log.h"
#include "names.h"
#include "narrow.h"
#include "protocol.h"

static const char *version_name(uint16_t version)
{
	return version == TLS_1_3_VERSION ? "1.3" : "1.2";
}

static bool version_is_known(uint16_t version)
{
	return version == TLS_1_2_VERSION || version == TLS_1_3_VERSION;
}

static int refuse(struct failure *failure, const struct profile *profile, const char *option,
		  const char *allowed)
{
	failure_set(failure, EACCES, ALERT_NONE, "%s asks for more than profile \"%s\" allows: %s.",
		    option, profile->name, allowed);
	return -1;
}

static int invalid(struct failure *failure, const char *option)
{
	failure_set(failure, EINVAL, ALERT_NONE, "%s has a value that does not exist.", option);
	return -1;
}

static int narrow_auth(const struct profile *profile, const struct attr_table *options,
		       struct parameters *p, struct failure *failure)
{
	p->auth = attr_u32(options, CHANNEL_A_AUTH, TLS_HANDOFF_AUTH_X509);
	if (p->auth < TLS_HANDOFF_AUTH_X509 || p->auth > TLS_HANDOFF_AUTH_RAWPK)
		return invalid(failure, "TLS_HANDOFF_AUTH");
	if (p->auth == TLS_HANDOFF_AUTH_UNAUTH && !profile->unauth)
		return refuse(failure, profile, "TLS_HANDOFF_AUTH",
			      "it has no \"unauth = yes\", so that peers are always verified");
	return 0;
}

static int narrow_versions(const struct profile *profile, const struct attr_table *options,
			   struct parameters *p, struct failure *failure)
{
	p->min_version = attr_u16(options, CHANNEL_A_MIN_VERSION, profile->min_version);
	p->max_version = attr_u16(options, CHANNEL_A_MAX_VERSION, profile->max_version);
	if (!version_is_known(p->min_version))
		return invalid(failure, "TLS_HANDOFF_MIN_VERSION");
	if (!version_is_known(p->max_version))
		return invalid(failure, "TLS_HANDOFF_MAX_VERSION");
	if (p->min_version < profile->min_version || p->max_version < profile->min_version) {
		failure_set(failure, EACCES, ALERT_NONE,
			    "%s asks for TLS %s, and profile \"%s\" allows %s and newer only.",
			    p->min_version < profile->min_version ? "TLS_HANDOFF_MIN_VERSION" :
								    "TLS_HANDOFF_MAX_VERSION",
			    version_name(TLS_1_2_VERSION), profile->name,
			    version_name(profile->min_version));
		return -1;
	}
	/* External PSKs are used with ephemeral key exchange of TLS 1.3 only (RFC 9257). */
	if (p->auth == TLS_HANDOFF_AUTH_PSK && p->max_version >= TLS_1_3_VERSION)
		p->min_version = TLS_1_3_VERSION;
	if (p->min_version > p->max_version) {
		failure_set(failure, EACCES, ALERT_NONE,
			    "No TLS version is left: the lowest allowed is %s, the highest %s.",
			    version_name(p->min_version), version_name(p->max_version));
		return -1;
	}
	if (p->auth == TLS_HANDOFF_AUTH_PSK && p->max_version < TLS_1_3_VERSION) {
		failure_set(
			failure, EACCES, ALERT_NONE,
			"TLS_HANDOFF_MAX_VERSION leaves TLS 1.2, which has no pre-shared keys here.");
		return -1;
	}
	return 0;
}

static bool profile_has_cipher(const struct profile *profile, uint16_t cipher)
{
	for (size_t i = 0; i < profile->cipher_count; i++)
		if (profile->ciphers[i] == cipher)
			return true;
	return false;
}

static int narrow_ciphers(const struct profile *profile, const struct attr_table *options,
			  struct parameters *p, struct failure *failure)
{
	const struct attr_view *view = &options->view[CHANNEL_A_CIPHERS];
	const struct keyinfo_cipher *row;
	uint16_t cipher;

	if (!view->value) {
		memcpy(p->ciphers, profile->ciphers, sizeof(p->ciphers));
		p->cipher_count = profile->cipher_count;
		return 0;
	}
	if (view->length == 0 || view->length % 2 || view->length > sizeof(p->ciphers))
		return invalid(failure, "TLS_HANDOFF_CIPHERS");
	for (size_t i = 0; i < view->length; i += 2) {
		cipher = (uint16_t)(view->value[i] | view->value[i + 1] << 8);
		row = keyinfo_find(cipher);
		if (!row || !profile_has_cipher(profile, cipher)) {
			failure_set(
				failure, EACCES, ALERT_NONE,
				"TLS_HANDOFF_CIPHERS has %s (%u), which profile \"%s\" does not allow.",
				row ? row->name : "a cipher", cipher, profile->name);
			return -1;
		}
		p->ciphers[p->cipher_count++] = cipher;
	}
	return 0;
}

static bool alpn_has(const uint8_t *list, size_t length, const uint8_t *name, size_t name_length)
{
	for (size_t i = 0; i < length; i += (size_t)1 + list[i])
		if (list[i] == name_length && memcmp(list + i + 1, name, name_length) == 0)
			return true;
	return false;
}

static int narrow_alpn(const struct profile *profile, const struct attr_table *options,
		       struct parameters *p, struct failure *failure)
{
	const struct attr_view *view = &options->view[CHANNEL_A_ALPN];
	char shown[4 * TLS_HANDOFF_MAX_ALPN_NAME + 1];
	size_t names = 0;

	if (!view->value || view->length == 0) {
		memcpy(p->alpn, profile->alpn, profile->alpn_length);
		p->alpn_length = profile->alpn_length;
		return 0;
	}
	if (view->length > sizeof(p->alpn))
		return invalid(failure, "TLS_HANDOFF_ALPN");
	for (size_t i = 0; i < view->length; i += (size_t)1 + view->value[i]) {
		const uint8_t *name = view->value + i + 1;
		size_t length = view->value[i];

		if (length == 0 || length > TLS_HANDOFF_MAX_ALPN_NAME ||
		    length > view->length - i - 1 || ++names > TLS_HANDOFF_MAX_ALPN_NAMES)
			return invalid(failure, "TLS_HANDOFF_ALPN");
		if (length > NARROW_MAX_ALPN_NAME) {
			failure_set(failure, EOPNOTSUPP, ALERT_NONE,
				    "TLS_HANDOFF_ALPN has a name of more than %d bytes, "
				    "which GnuTLS cannot offer.",
				    NARROW_MAX_ALPN_NAME);
			return -1;
		}
		if (profile->alpn_length &&
		    !alpn_has(profile->alpn, profile->alpn_length, name, length)) {
			log_escape(shown, sizeof(shown), (const char *)name, length);
			failure_set(
				failure, EACCES, ALERT_NONE,
				"TLS_HANDOFF_ALPN has \"%s\", which profile \"%s\" does not allow.",
				shown, profile->name);
			return -1;
		}
	}
	memcpy(p->alpn, view->value, view->length);
	p->alpn_length = view->length;
	return 0;
}

static int narrow_client_cert(const struct profile *profile, const struct attr_table *options,
			      struct parameters *p, struct failure *failure)
{
	static const char *const names[] = { "none", "request", "require" };
	char allowed[64];

	/* It is the server's profile that asks; a client can show none, or insist on its own. */
	if (p->role == TLS_HANDOFF_CLIENT) {
		p->client_cert = attr_u32(options, CHANNEL_A_CLIENT_CERT, TLS_HANDOFF_CERT_REQUEST);
		return p->client_cert > TLS_HANDOFF_CERT_REQUIRE ?
			       invalid(failure, "TLS_HANDOFF_CLIENT_CERT") :
			       0;
	}
	/* RFC 9289 has mutual authentication decided by the consumer, who needs the certificate */
	if (attr_has(options, CHANNEL_A_KEYRING)) {
		p->client_cert = profile->client_cert > TLS_HANDOFF_CERT_REQUEST ?
					 profile->client_cert :
					 TLS_HANDOFF_CERT_REQUEST;
		return 0;
	}
	/* An unauthenticated server asks nobody for a certificate unless it is told to. */
	p->client_cert = attr_u32(options, CHANNEL_A_CLIENT_CERT,
				  p->auth == TLS_HANDOFF_AUTH_UNAUTH ? TLS_HANDOFF_CERT_NONE :
								       profile->client_cert);
	if (p->client_cert > TLS_HANDOFF_CERT_REQUIRE)
		return invalid(failure, "TLS_HANDOFF_CLIENT_CERT");
	if (p->auth != TLS_HANDOFF_AUTH_UNAUTH && p->client_cert < profile->client_cert) {
		snprintf(allowed, sizeof(allowed), "client_cert = %s", names[profile->client_cert]);
		return refuse(failure, profile, "TLS_HANDOFF_CLIENT_CERT", allowed);
	}
	return 0;
}

/* Pre-shared keys need no tickets, and a raw key is cheap enough to check each time. */
static int narrow_resume(const struct profile *profile, const struct attr_table *options,
			 struct parameters *p, struct failure *failure)
{
	uint32_t resume = attr_u32(options, CHANNEL_A_RESUME, profile->resume);

	if (resume > 1)
		return invalid(failure, "TLS_HANDOFF_RESUME");
	if (resume && !profile->resume)
		return refuse(failure, profile, "TLS_HANDOFF_RESUME", "resume = no");
	p->resume = resume &&
		    (p->auth == TLS_HANDOFF_AUTH_X509 || p->auth == TLS_HANDOFF_AUTH_UNAUTH);
	p->resume_tls12 = p->resume && profile->resume_tls12;
	return 0;
}

/* A copy of a string attribute that fits into @size with its NUL. */
static int copy_string(const struct attr_table *options, uint16_t type, char *ret, size_t size)
{
	const struct attr_view *view = &options->view[type];

	if (!view->value)
		return 0;
	if (view->length >= size || memchr(view->value, 0, view->length))
		return -1;
	memcpy(ret, view->value, view->length);
	ret[view->length] = 0;
	return 0;
}

/* The A-labels of a host name.  Outside of ASCII it is mapped (UTS 46), which would also drop
 * control characters: they are looked for before. */
static int map_host_name(const char *name, size_t length, char *ret_mapped, size_t size)
{
	gnutls_datum_t mapped = { NULL, 0 };
	char host[TLS_HANDOFF_MAX_PEER_NAME + 1] = "";
	int r = -1;

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
			return -1;
	if (gnutls_idna_map(name, (unsigned int)length, &mapped, 0) >= 0 &&
	    mapped.size < sizeof(host) && mapped.size < size) {
		memcpy(host, mapped.data, mapped.size);
		r = names_is_host(host) ? 0 : -1;
	}
	gnutls_free(mapped.data);
	if (r == 0)
		memcpy(ret_mapped, host, strlen(host) + 1);
	return r;
}

static int narrow_peer_name(const struct attr_table *options, struct parameters *p,
			    struct failure *failure)
{
	char given[sizeof(p->peer_name)] = "";
	uint8_t address[16];
	size_t length;

	if (copy_string(options, CHANNEL_A_PEER_NAME, given, sizeof(given)) < 0)
		return invalid(failure, "TLS_HANDOFF_PEER_NAME");
	if (p->role != TLS_HANDOFF_CLIENT)
		return 0;
	length = strlen(given);
	if (length == 0) {
		if (p->auth != TLS_HANDOFF_AUTH_X509)
			return 0;
		failure_set(
			failure, EINVAL, ALERT_NONE,
			"TLS_HANDOFF_PEER_NAME is not set: a client must say whom it wants to reach.");
		return -1;
	}
	if (names_address(given, address)) {
		memcpy(p->peer_name, given, length + 1);
		p->peer_is_address = true;
		return 0;
	}
	/* the dot of an absolute name is in no certificate */
	if (given[length - 1] == '.')
		length--;
	if (map_host_name(given, length, p->peer_name, sizeof(p->peer_name)) < 0) {
		failure_set(failure, EINVAL, ALERT_NONE,
			    "TLS_HANDOFF_PEER_NAME is neither a host name nor an address.");
		return -1;
	}
	return 0;
}

/* What the kernel's handshake family says of keys; a consumer names both of a pair or none. */
static int narrow_kernel_keys(const struct attr_table *options, struct parameters *p,
			      struct failure *failure)
{
	p->kernel = attr_has(options, CHANNEL_A_KEYRING);
	if (!p->kernel)
		return 0;
	p->keyring = attr_u32(options, CHANNEL_A_KEYRING, 0);
	p->psk_key_count =
		attr_u32_array(options, CHANNEL_A_PSK_KEYS, p->psk_keys, CHANNEL_MAX_PSK_KEYS);
	p->cert_key = attr_u32(options, CHANNEL_A_CERT_KEY, 0);
	p->private_key = attr_u32(options, CHANNEL_A_PRIVATE_KEY, 0);
	if (!p->cert_key != !p->private_key)
		return invalid(failure, "The pair of certificate and key of the kernel");
	if (p->cert_key && p->role != TLS_HANDOFF_CLIENT) {
		failure_set(failure, EOPNOTSUPP, ALERT_NONE,
			    "The kernel names a certificate for a server, "
			    "whose certificates are those of its profile.");
		return -1;
	}
	/* a ticket would stand for the certificate that it was got with */
	if (p->cert_key)
		p->resume = p->resume_tls12 = false;
	return 0;
}

static int narrow_psk(const struct attr_table *options, struct parameters *p,
		      struct failure *failure)
{
	if (copy_string(options, CHANNEL_A_PSK_IDENTITY, p->psk_identity, sizeof(p->psk_identity)) <
	    0)
		return invalid(failure, "TLS_HANDOFF_PSK_IDENTITY");
	if (p->auth != TLS_HANDOFF_AUTH_PSK || p->role != TLS_HANDOFF_CLIENT)
		return 0;
	if (p->kernel ? p->psk_key_count > 0 : p->psk_identity[0] != 0)
		return 0;
	failure_set(failure, EINVAL, ALERT_NONE,
		    p->kernel ? "The kernel named no pre-shared key." :
				"TLS_HANDOFF_PSK_IDENTITY is not set, "
				"and TLS_HANDOFF_AUTH asks for it.");
	return -1;
}

int narrow_parameters(const struct profile *profile, const struct attr_table *options,
		      struct parameters *ret_parameters, struct failure *failure)
{
	struct parameters p = { 0 };

	p.role = attr_u32(options, CHANNEL_A_ROLE, 0);
	p.uid = attr_u32(options, CHANNEL_A_UID, 0);
	if (p.role != TLS_HANDOFF_CLIENT && p.role != TLS_HANDOFF_SERVER)
		return invalid(failure, "TLS_HANDOFF_START");
	if (narrow_auth(profile, options, &p, failure) < 0 ||
	    narrow_versions(profile, options, &p, failure) < 0 ||
	    narrow_ciphers(profile, options, &p, failure) < 0 ||
	    narrow_alpn(profile, options, &p, failure) < 0 ||
	    narrow_client_cert(profile, options, &p, failure) < 0 ||
	    narrow_resume(profile, options, &p, failure) < 0 ||
	    narrow_peer_name(options, &p, failure) < 0 ||
	    narrow_kernel_keys(options, &p, failure) < 0 || narrow_psk(options, &p, failure) < 0)
		return -1;
	if (copy_string(options, CHANNEL_A_REMOTE, p.remote, sizeof(p.remote)) < 0)
		return invalid(failure, "The remote address");
	*ret_parameters = p;
	return 0;
}
