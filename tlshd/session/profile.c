// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading profiles from the configuration.  Mistakes are collected, not stopped
 * at: `tlshd -t` shows them all at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/crypto.h>

#include "credentials.h"
#include "file.h"
#include "keyinfo.h"
#include "narrow.h"
#include "profile.h"
#include "stek.h"
#include "trust.h"

#define MAX_CERTIFICATE_FILE (256 * 1024) /* bytes */
#define RECORD_BYTES	     16384	  /* plaintext of the largest record */
#define UPDATE_RATE	     1000	  /* key updates a second */
#define TICKET_LIFETIME	     3600	  /* seconds */
#define STEK_ROTATION	     3600	  /* seconds */
#define WEEK		     (7 * 86400)  /* seconds; RFC 8446 4.6.1 */

struct loader {
	const struct config *config;
	const char *section;
	void (*report)(const char *mistake);
	bool failed;
	struct trust *trusts[CONFIG_MAX_PROFILES]; /* borrowed from the profiles */
	size_t trust_count;
};

/* Reports @mistake and frees it. */
static void loader_report(struct loader *loader, char *mistake)
{
	loader->failed = true;
	loader->report(mistake ? mistake : "out of memory");
	free(mistake);
}

static void loader_mistake(struct loader *loader, const char *key, char *words)
{
	loader_report(loader, config_error(loader->config, loader->section, key, "%s",
					   words ? words : "out of memory"));
	free(words);
}

/* The getters' return, with a bad value reported: whether there is a value. */
static bool loader_got(struct loader *loader, int r, char *error)
{
	if (r < 0)
		loader_report(loader, error);
	return r > 0;
}

static void load_versions(struct loader *loader, struct profile *profile)
{
	static const char *const names[] = { "1.2", "1.3", NULL };
	static const uint16_t versions[] = { TLS_1_2_VERSION, TLS_1_3_VERSION };
	unsigned int i;
	char *error = NULL;
	int r;

	profile->min_version = TLS_1_2_VERSION;
	profile->max_version = TLS_1_3_VERSION;
	r = config_enum(loader->config, loader->section, "min_version", names, &i, &error);
	if (loader_got(loader, r, error))
		profile->min_version = versions[i];
}

static void add_cipher(struct loader *loader, struct profile *profile, const char *name)
{
	const struct keyinfo_cipher *row = keyinfo_find_name(name);
	char *words;

	for (size_t i = 0; row && i < profile->cipher_count; i++)
		if (profile->ciphers[i] == row->cipher)
			return;
	if (row) {
		profile->ciphers[profile->cipher_count++] = row->cipher;
		return;
	}
	if (asprintf(&words,
		     "ciphers: \"%s\" is none of AES-256-GCM, AES-128-GCM, "
		     "CHACHA20-POLY1305, AES-128-CCM",
		     name) < 0)
		words = NULL;
	loader_mistake(loader, "ciphers", words);
}

static void load_ciphers(struct loader *loader, struct profile *profile)
{
	char **names, *error = NULL;
	size_t count;
	int r;

	r = config_list(loader->config, loader->section, "ciphers", &names, &count, &error);
	if (loader_got(loader, r, error)) {
		for (size_t i = 0; i < count; i++)
			add_cipher(loader, profile, names[i]);
		config_list_free(names, count);
		return;
	}
	for (size_t i = 0; i < KEYINFO_CIPHERS; i++)
		profile->ciphers[profile->cipher_count++] = keyinfo_ciphers[i].cipher;
}

static void load_alpn(struct loader *loader, struct profile *profile)
{
	char **names, *error = NULL;
	size_t count, length;
	int r;

	r = config_list(loader->config, loader->section, "alpn", &names, &count, &error);
	if (!loader_got(loader, r, error))
		return;
	if (count > TLS_HANDOFF_MAX_ALPN_NAMES)
		loader_mistake(loader, "alpn", strdup("alpn: more than 8 names"));
	for (size_t i = 0; i < count && i < TLS_HANDOFF_MAX_ALPN_NAMES; i++) {
		length = strlen(names[i]);
		if (!length || length > NARROW_MAX_ALPN_NAME) {
			loader_mistake(loader, "alpn",
				       strdup("alpn: a name has 1 to 31 characters"));
			continue;
		}
		profile->alpn[profile->alpn_length++] = (uint8_t)length;
		memcpy(profile->alpn + profile->alpn_length, names[i], length);
		profile->alpn_length += length;
	}
	config_list_free(names, count);
}

static void load_policy(struct loader *loader, struct profile *profile)
{
	static const char *const client_cert[] = { "none", "request", "require", NULL };
	static const char *const truncation[] = { "error", "eof", NULL };
	const struct config *config = loader->config;
	const char *section = loader->section;
	unsigned int i;
	char *error = NULL;
	int r;

	profile->client_cert = TLS_HANDOFF_CERT_NONE;
	r = config_enum(config, section, "client_cert", client_cert, &i, &error);
	if (loader_got(loader, r, error))
		profile->client_cert = i; /* in the order of TLS_HANDOFF_CERT_* */
	error = NULL;
	r = config_bool(config, section, "unauth", &profile->unauth, &error);
	loader_got(loader, r, error);
	profile->resume = true;
	error = NULL;
	r = config_bool(config, section, "resume", &profile->resume, &error);
	loader_got(loader, r, error);
	error = NULL;
	r = config_bool(config, section, "resume_tls12", &profile->resume_tls12, &error);
	loader_got(loader, r, error);
	error = NULL;
	r = config_enum(config, section, "truncation", truncation, &i, &error);
	if (loader_got(loader, r, error))
		profile->truncation_eof = i == 1;
}

static bool load_number(struct loader *loader, const char *key, uint64_t min, uint64_t max,
			uint64_t *ret)
{
	char *error = NULL;
	int r;

	r = config_u64(loader->config, loader->section, key, min, max, ret, &error);
	return loader_got(loader, r, error);
}

/* Roots of ticket keys live for a rotation and a ticket's lifetime, and there is room for so
 * many at a time. */
static void load_tickets(struct loader *loader, struct profile *profile)
{
	const uint64_t rotations = STEK_MAX_ROOTS - 1;
	uint64_t lifetime = TICKET_LIFETIME;
	bool given;
	char *words;

	load_number(loader, "ticket_lifetime", 1, WEEK, &lifetime);
	given = load_number(loader, "stek_rotation", 1, WEEK, &profile->stek_rotation);
	if (!given)
		profile->stek_rotation = lifetime / rotations > STEK_ROTATION ?
						 lifetime / rotations + 1 :
						 STEK_ROTATION;
	profile->ticket_lifetime = lifetime < PROFILE_MAX_LIFETIME ? lifetime :
								     PROFILE_MAX_LIFETIME;
	if (!given || lifetime <= rotations * profile->stek_rotation)
		return;
	if (asprintf(&words,
		     "stek_rotation: ticket_lifetime is %llu, and tickets may live for %llu "
		     "rotations at most: at least %llu is needed here",
		     (unsigned long long)lifetime, (unsigned long long)rotations,
		     (unsigned long long)((lifetime + rotations - 1) / rotations)) < 0)
		words = NULL;
	loader_mistake(loader, "stek_rotation", words);
}

static void load_limits(struct loader *loader, struct profile *profile)
{
	uint64_t bytes = 0;

	load_number(loader, "rekey_records", 1, UINT64_C(1) << 48, &profile->rekey_records);
	load_number(loader, "rekey_seconds", 1, 365 * 86400, &profile->rekey_seconds);
	profile->update_rate = UPDATE_RATE;
	load_number(loader, "update_rate", 1, 1000000, &profile->update_rate);
	load_number(loader, "handler_timeout", 1, 3600, &profile->handler_timeout);
	/* The kernel counts records: as many as can hold that many bytes. */
	if (load_number(loader, "rekey_bytes", RECORD_BYTES, UINT64_MAX >> 1, &bytes) &&
	    (!profile->rekey_records || bytes / RECORD_BYTES < profile->rekey_records))
		profile->rekey_records = bytes / RECORD_BYTES;
}

static struct trust *loader_find_trust(struct loader *loader, const char *truststore,
				       const char *crl)
{
	for (size_t i = 0; i < loader->trust_count; i++)
		if (trust_is(loader->trusts[i], truststore, crl))
			return loader->trusts[i];
	return NULL;
}

static void load_trust(struct loader *loader, struct profile *profile)
{
	char *truststore = NULL, *crl = NULL, *error = NULL, *mistake = NULL;
	struct trust *shared;
	bool in_crl = false;
	int r;

	r = config_string(loader->config, loader->section, "truststore", &truststore, &error);
	loader_got(loader, r, error);
	error = NULL;
	r = config_string(loader->config, loader->section, "crl", &crl, &error);
	loader_got(loader, r, error);

	shared = loader_find_trust(loader, truststore, crl);
	if (shared) {
		profile->trust = trust_ref(shared);
	} else {
		r = trust_load(truststore, crl, &profile->trust, &mistake, &in_crl);
		if (r < 0)
			loader_mistake(loader, in_crl ? "crl" : "truststore", mistake);
		else
			loader->trusts[loader->trust_count++] = profile->trust;
	}
	free(truststore);
	free(crl);
}

static void load_chains(struct loader *loader, struct profile *profile)
{
	char **paths, *error = NULL, *mistake;
	size_t count;
	int r;

	r = config_list(loader->config, loader->section, "certificate", &paths, &count, &error);
	if (!loader_got(loader, r, error))
		return;
	profile->chains = calloc(count ? count : 1, sizeof(*profile->chains));
	for (size_t i = 0; profile->chains && i < count; i++) {
		gnutls_datum_t data = { NULL, 0 };

		mistake = NULL;
		r = file_read(paths[i], MAX_CERTIFICATE_FILE, &data, &mistake);
		if (r == 0) {
			r = credentials_load_chain(
				paths[i], &data, &profile->chains[profile->chain_count], &mistake);
			free(data.data);
		}
		if (r < 0)
			loader_mistake(loader, "certificate", mistake);
		else
			profile->chain_count++;
	}
	config_list_free(paths, count);
	if (!profile->chains)
		loader_report(loader, NULL);
}

static void hash_datum(gnutls_hash_hd_t hash, const gnutls_datum_t *datum)
{
	uint64_t length = datum->size;

	gnutls_hash(hash, &length, sizeof(length));
	gnutls_hash(hash, datum->data, datum->size);
}

static void make_content(struct loader *loader, struct profile *profile)
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		loader_report(loader, NULL);
		return;
	}
	gnutls_hash(hash, trust_fingerprint(profile->trust), TRUST_FINGERPRINT);
	for (size_t i = 0; i < profile->chain_count; i++)
		for (unsigned int j = 0; j < profile->chains[i].count; j++)
			hash_datum(hash, &profile->chains[i].certificates[j].cert);
	gnutls_hash_deinit(hash, profile->content);
}

static void load_profile(struct loader *loader, const char *name, struct profile *profile)
{
	loader->section = config_profile_section(loader->config, name);
	profile->name = strdup(name);
	if (!profile->name)
		loader_report(loader, NULL);
	load_versions(loader, profile);
	load_ciphers(loader, profile);
	load_alpn(loader, profile);
	load_policy(loader, profile);
	load_limits(loader, profile);
	load_tickets(loader, profile);
	load_trust(loader, profile);
	load_chains(loader, profile);
	if (profile->trust)
		make_content(loader, profile);
}

int profiles_load(const struct config *config, void (*report)(const char *mistake),
		  struct profiles *ret_profiles)
{
	struct loader loader = { .config = config, .report = report };
	const char *const *names = config_profiles(config);
	struct profiles profiles = { NULL, 0 };
	size_t count = 0;

	while (names[count])
		count++;
	profiles.profiles = calloc(count ? count : 1, sizeof(*profiles.profiles));
	if (!profiles.profiles)
		return -ENOMEM;
	for (; profiles.count < count; profiles.count++)
		load_profile(&loader, names[profiles.count], &profiles.profiles[profiles.count]);
	if (loader.failed) {
		profiles_free(&profiles);
		return -EINVAL;
	}
	*ret_profiles = profiles;
	return 0;
}

static void profile_free(struct profile *profile)
{
	if (profile->client)
		gnutls_certificate_free_credentials(profile->client);
	if (profile->server)
		gnutls_certificate_free_credentials(profile->server);
	if (profile->raw)
		gnutls_certificate_free_credentials(profile->raw);
	for (size_t i = 0; i < profile->chain_count; i++)
		credentials_free_chain(&profile->chains[i]);
	free(profile->chains);
	trust_free(profile->trust);
	free(profile->name);
}

void profiles_free(struct profiles *profiles)
{
	for (size_t i = 0; i < profiles->count; i++)
		profile_free(&profiles->profiles[i]);
	free(profiles->profiles);
	*profiles = (struct profiles){ NULL, 0 };
}

const struct profile *profiles_find(const struct profiles *profiles, const char *name)
{
	for (size_t i = 0; i < profiles->count; i++)
		if (strcmp(profiles->profiles[i].name, name) == 0)
			return &profiles->profiles[i];
	return NULL;
}

int profiles_attach_keys(struct profiles *profiles, struct keyclient *keys)
{
	int r;

	for (size_t i = 0; i < profiles->count; i++) {
		r = credentials_attach_keys(&profiles->profiles[i], keys);
		if (r < 0)
			return r;
	}
	return 0;
}
