// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exporters of both versions over GnuTLS's HKDF and HMAC: GnuTLS's own need its
 * session, which is gone by now.
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <linux/tls.h>

#include "exporter.h"
#include "session.h"

#define MAX_HASH 48 /* bytes: SHA-384 */

static gnutls_digest_algorithm_t digest_of(const struct session *session)
{
	return session->cipher == TLS_CIPHER_AES_GCM_256 ? GNUTLS_DIG_SHA384 : GNUTLS_DIG_SHA256;
}

static gnutls_mac_algorithm_t mac_of(const struct session *session)
{
	return session->cipher == TLS_CIPHER_AES_GCM_256 ? GNUTLS_MAC_SHA384 : GNUTLS_MAC_SHA256;
}

/* RFC 8446 7.5: of a secret of this exporter alone, which the label names */
static int export_1_3(const struct session *session, const struct exporter_request *request,
		      uint8_t *ret)
{
	uint8_t secret[MAX_HASH], hash[MAX_HASH];
	size_t size = secrets_length(session->cipher);
	int r = -EIO;

	if (request->label_length > SECRETS_MAX_LABEL)
		return -EINVAL;
	if (gnutls_hash_fast(digest_of(session), "", 0, hash) == 0)
		r = secrets_expand(session->cipher, session->exporter_secret, request->label,
				   request->label_length, hash, secret, size);
	if (r == 0 && gnutls_hash_fast(digest_of(session), request->context ?: hash,
				       request->context_length, hash) < 0)
		r = -EIO;
	if (r == 0)
		r = secrets_expand(session->cipher, secret, (const uint8_t *)"exporter", 8, hash,
				   ret, request->length);
	explicit_bzero(secret, sizeof(secret));
	return r;
}

/* P_hash of RFC 5246 5 */
static int p_hash(gnutls_mac_algorithm_t mac, size_t hash_size, const uint8_t *key,
		  const uint8_t *seed, size_t seed_length, uint8_t *ret, size_t length)
{
	uint8_t block[MAX_HASH], a[MAX_HASH];
	gnutls_hmac_hd_t hmac;
	size_t part;
	int r;

	if (gnutls_hmac_init(&hmac, mac, key, SECRETS_MAX) < 0)
		return -EIO;
	r = gnutls_hmac(hmac, seed, seed_length);
	gnutls_hmac_output(hmac, a);
	while (r >= 0 && length) {
		r = gnutls_hmac(hmac, a, hash_size);
		if (r >= 0)
			r = gnutls_hmac(hmac, seed, seed_length);
		gnutls_hmac_output(hmac, block);
		part = length < hash_size ? length : hash_size;
		memcpy(ret, block, part);
		ret += part;
		length -= part;
		if (r >= 0)
			r = gnutls_hmac(hmac, a, hash_size);
		gnutls_hmac_output(hmac, a);
	}
	gnutls_hmac_deinit(hmac, NULL);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(a, sizeof(a));
	return r < 0 ? -EIO : 0;
}

/* Labels of TLS 1.2 itself (RFC 5705 4) */
static bool is_reserved(const struct exporter_request *request)
{
	static const char *const labels[] = { "client finished", "server finished", "master secret",
					      "extended master secret", "key expansion" };

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strlen(labels[i]) == request->label_length &&
		    memcmp(labels[i], request->label, request->label_length) == 0)
			return true;
	return false;
}

static int export_1_2(const struct session *session, const struct exporter_request *request,
		      uint8_t *ret)
{
	uint8_t seed[EXPORTER_MAX + sizeof(session->randoms) + 2 + EXPORTER_MAX];
	size_t at = request->label_length;

	if (is_reserved(request))
		return -EINVAL;
	memcpy(seed, request->label, at);
	memcpy(seed + at, session->randoms, sizeof(session->randoms));
	at += sizeof(session->randoms);
	if (request->context) {
		seed[at++] = 0;
		seed[at++] = (uint8_t)request->context_length;
		memcpy(seed + at, request->context, request->context_length);
		at += request->context_length;
	}
	return p_hash(mac_of(session), secrets_length(session->cipher), session->master_secret,
		      seed, at, ret, request->length);
}

int exporter_export(const struct session *session, const struct exporter_request *request,
		    uint8_t *ret)
{
	if (!request->label_length || request->label_length > EXPORTER_MAX || !request->length ||
	    request->length > EXPORTER_MAX || request->context_length > EXPORTER_MAX ||
	    (!request->context && request->context_length))
		return -EINVAL;
	if (!session->exportable)
		return -EOPNOTSUPP;
	return session->version == TLS_1_3_VERSION ? export_1_3(session, request, ret) :
						     export_1_2(session, request, ret);
}

static int answer(struct session *session, uint32_t number, int r, const uint8_t *data,
		  size_t length)
{
	uint8_t payload[2 * sizeof(uint32_t) + EXPORTER_MAX];
	const uint32_t head[] = { number, htole32((uint32_t)-r) };

	memcpy(payload, head, sizeof(head));
	if (r == 0)
		memcpy(payload + sizeof(head), data, length);
	r = session_send(session, CHANNEL_EXPORTED, payload, sizeof(head) + (r == 0 ? length : 0));
	explicit_bzero(payload, sizeof(payload));
	/* -EPIPE: nobody is left who asks */
	return r == -EPIPE ? 0 : r;
}

int exporter_message(struct session *session, const uint8_t *payload, size_t length)
{
	struct exporter_request request = { 0 };
	struct channel_export export;
	uint8_t data[EXPORTER_MAX];
	bool context;
	int r;

	if (length < sizeof(export))
		return -EPROTO;
	memcpy(&export, payload, sizeof(export));
	request.label = payload + sizeof(export);
	request.label_length = le16toh(export.label_len);
	request.context_length = le16toh(export.context_len);
	request.length = le16toh(export.out_len);
	context = le16toh(export.flags) == 1;
	if (le16toh(export.flags) > 1 ||
	    length != sizeof(export) + request.label_length + request.context_length)
		return -EPROTO;
	if (context)
		request.context = request.label + request.label_length;
	r = exporter_export(session, &request, data);
	r = answer(session, export.request, r, data, request.length);
	explicit_bzero(data, sizeof(data));
	return r < 0 ? -EPROTO : 0;
}
