// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fields go into the hash with their lengths, so that no two sets of them are the
 * same bytes.
 */
#include <errno.h>
#include <string.h>
#include <gnutls/crypto.h>

#include "binding.h"

static void add(gnutls_hash_hd_t hash, const void *data, size_t length)
{
	uint64_t number = length;

	gnutls_hash(hash, &number, sizeof(number));
	gnutls_hash(hash, data, length);
}

static void add_policy(gnutls_hash_hd_t hash, const struct profile *profile,
		       const struct parameters *p)
{
	const uint32_t numbers[] = {
		p->role, p->auth, p->client_cert, p->min_version, p->max_version, p->resume_tls12,
	};

	add(hash, profile->name, strlen(profile->name));
	add(hash, profile->content, sizeof(profile->content));
	add(hash, numbers, sizeof(numbers));
	add(hash, p->ciphers, p->cipher_count * sizeof(p->ciphers[0]));
	add(hash, p->alpn, p->alpn_length);
}

int binding_of_server(const struct profile *profile, const struct parameters *p, bool tls13,
		      const char *server_name, uint8_t ret_binding[BINDING_MAX])
{
	size_t length = strlen(server_name);
	gnutls_hash_hd_t hash;

	if (length > TLS_HANDOFF_MAX_PEER_NAME || gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return -EIO;
	add_policy(hash, profile, p);
	add(hash, &tls13, sizeof(tls13));
	gnutls_hash_deinit(hash, ret_binding);
	ret_binding[BINDING_HASH] = (uint8_t)(length >> 8);
	ret_binding[BINDING_HASH + 1] = (uint8_t)length;
	memcpy(ret_binding + BINDING_HASH + 2, server_name, length);
	return (int)(BINDING_HASH + 2 + length);
}

int binding_of_client(const struct profile *profile, const struct parameters *p,
		      uint8_t ret_key[BINDING_HASH])
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return -EIO;
	add_policy(hash, profile, p);
	add(hash, &p->uid, sizeof(p->uid));
	add(hash, p->peer_name, strlen(p->peer_name));
	add(hash, p->remote, strlen(p->remote));
	gnutls_hash_deinit(hash, ret_key);
	return 0;
}
