// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Certificates for tests, see test_pki.h.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include <cmocka.h>

#include "test_pki.h"

#define DAY  86400
/* type and bits of a wish */
#define P256 GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)

struct authority {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

struct wish {
	const char *name, *common_name;
	gnutls_pk_algorithm_t type;
	unsigned int bits;
	const char *names[6]; /* addresses by their form, "user@" as email */
	const char *purpose;
	time_t from, until; /* relative to now */
};

static const struct wish wishes[] = {
	{ "server",
	  "server",
	  P256,
	  { "localhost", "server.test", "*.wild.test", "127.0.0.1", "::1" },
	  GNUTLS_KP_TLS_WWW_SERVER,
	  -DAY,
	  DAY },
	{ "rsa", "rsa", GNUTLS_PK_RSA, 2048, { "rsa.test" }, GNUTLS_KP_TLS_WWW_SERVER, -DAY, DAY },
	{ "p384",
	  "p384",
	  GNUTLS_PK_ECDSA,
	  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1),
	  { "p384.test" },
	  GNUTLS_KP_TLS_WWW_SERVER,
	  -DAY,
	  DAY },
	{ "client",
	  "client",
	  P256,
	  { "client.test", "user@client.test" },
	  GNUTLS_KP_TLS_WWW_CLIENT,
	  -DAY,
	  DAY },
	{ "hour", "hour", P256, { "localhost" }, NULL, -DAY, 3600 },
	{ "expired", "expired", P256, { "localhost" }, NULL, -2 * DAY, -DAY },
	{ "future", "future", P256, { "localhost" }, NULL, DAY, 2 * DAY },
	{ "revoked", "revoked", P256, { "localhost" }, NULL, -DAY, DAY },
	{ "common", "localhost", P256, { NULL }, NULL, -DAY, DAY },
	{ "purpose", "purpose", P256, { "localhost" }, GNUTLS_KP_TLS_WWW_CLIENT, -DAY, DAY },
	{ "rogue", "rogue", P256, { "localhost" }, NULL, -DAY, DAY },
};

static uint8_t serial;

static void write_file(const char *name, const char *suffix, const void *data, size_t length)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, length), length);
	close(fd);
}

static gnutls_x509_privkey_t make_key(gnutls_pk_algorithm_t type, unsigned int bits)
{
	gnutls_x509_privkey_t key;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, type, bits, 0), 0);
	return key;
}

static gnutls_x509_crt_t make_certificate(const char *common_name, gnutls_x509_privkey_t key,
					  time_t from, time_t until)
{
	gnutls_x509_crt_t certificate;
	time_t now = time(NULL);

	serial++;
	assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
	assert_int_equal(gnutls_x509_crt_set_version(certificate, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(certificate, &serial, 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(certificate, now + from), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(certificate, now + until), 0);
	assert_int_equal(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						       common_name,
						       (unsigned int)strlen(common_name)),
			 0);
	assert_int_equal(gnutls_x509_crt_set_key(certificate, key), 0);
	return certificate;
}

static void write_certificate(const char *name, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(name, ".pem", pem.data, pem.size);
	gnutls_free(pem.data);
}

static void write_key(const char *name, gnutls_x509_privkey_t key)
{
	gnutls_datum_t pem;
	gnutls_privkey_t privkey;
	gnutls_pubkey_t pubkey;

	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &pem),
			 0);
	write_file(name, ".key", pem.data, pem.size);
	gnutls_free(pem.data);

	assert_int_equal(gnutls_privkey_init(&privkey), 0);
	assert_int_equal(gnutls_privkey_import_x509(privkey, key, 0), 0);
	assert_int_equal(gnutls_pubkey_init(&pubkey), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(pubkey, privkey, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(pubkey, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(name, ".pub", pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_pubkey_deinit(pubkey);
	gnutls_privkey_deinit(privkey);
}

static struct authority make_authority(const char *name)
{
	struct authority authority;

	authority.key = make_key(P256);
	authority.certificate = make_certificate(name, authority.key, -2 * DAY, 2 * DAY);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(authority.certificate, 1, -1), 0);
	assert_int_equal(gnutls_x509_crt_set_key_usage(authority.certificate,
						       GNUTLS_KEY_KEY_CERT_SIGN |
							       GNUTLS_KEY_CRL_SIGN),
			 0);
	assert_int_equal(gnutls_x509_crt_sign2(authority.certificate, authority.certificate,
					       authority.key, GNUTLS_DIG_SHA256, 0),
			 0);
	write_certificate(name, authority.certificate);
	return authority;
}

static void add_name(gnutls_x509_crt_t certificate, const char *name)
{
	gnutls_x509_subject_alt_name_t type = GNUTLS_SAN_DNSNAME;
	const void *data = name;
	size_t length = strlen(name);
	uint8_t address[16];

	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
		type = GNUTLS_SAN_IPADDRESS;
		data = address;
		length = strchr(name, ':') ? 16 : 4;
	} else if (strchr(name, '@')) {
		type = GNUTLS_SAN_RFC822NAME;
	}
	assert_int_equal(gnutls_x509_crt_set_subject_alt_name(
				 certificate, type, data, (unsigned int)length, GNUTLS_FSAN_APPEND),
			 0);
}

static void make_crl(const char *name, const struct authority *authority, time_t next, int revoked)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t pem;
	uint8_t number = 1, revoked_serial = (uint8_t)revoked;
	time_t now = time(NULL);

	assert_int_equal(gnutls_x509_crl_init(&crl), 0);
	assert_int_equal(gnutls_x509_crl_set_version(crl, 2), 0);
	assert_int_equal(gnutls_x509_crl_set_this_update(crl, now - 2 * DAY), 0);
	assert_int_equal(gnutls_x509_crl_set_next_update(crl, now + next), 0);
	assert_int_equal(gnutls_x509_crl_set_number(crl, &number, 1), 0);
	assert_int_equal(gnutls_x509_crl_set_crt_serial(crl, &revoked_serial, 1, now - DAY), 0);
	assert_int_equal(gnutls_x509_crl_sign2(crl, authority->certificate, authority->key,
					       GNUTLS_DIG_SHA256, 0),
			 0);
	assert_int_equal(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(name, ".pem", pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crl_deinit(crl);
}

void pki_make(void)
{
	struct authority good = make_authority("ca"), rogue = make_authority("rogue-ca");
	int revoked = 0;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		const struct wish *wish = &wishes[i];
		const struct authority *issuer = strcmp(wish->name, "rogue") ? &good : &rogue;
		gnutls_x509_privkey_t key = make_key(wish->type, wish->bits);
		gnutls_x509_crt_t certificate =
			make_certificate(wish->common_name, key, wish->from, wish->until);

		if (strcmp(wish->name, "revoked") == 0)
			revoked = serial;
		for (size_t j = 0; wish->names[j]; j++)
			add_name(certificate, wish->names[j]);
		if (wish->purpose)
			assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(certificate,
									     wish->purpose, 0),
					 0);
		assert_int_equal(gnutls_x509_crt_set_key_usage(certificate,
							       GNUTLS_KEY_DIGITAL_SIGNATURE),
				 0);
		assert_int_equal(gnutls_x509_crt_sign2(certificate, issuer->certificate,
						       issuer->key, GNUTLS_DIG_SHA256, 0),
				 0);
		write_certificate(wish->name, certificate);
		write_key(wish->name, key);
		gnutls_x509_crt_deinit(certificate);
		gnutls_x509_privkey_deinit(key);
	}
	make_crl("crl", &good, DAY, revoked);
	make_crl("stale-crl", &good, -DAY, revoked);
	write_file("psk", "", PKI_PSK_HEX "\n", strlen(PKI_PSK_HEX) + 1);
	write_file("other-psk", "", PKI_OTHER_PSK_HEX "\n", strlen(PKI_OTHER_PSK_HEX) + 1);

	gnutls_x509_crt_deinit(good.certificate);
	gnutls_x509_privkey_deinit(good.key);
	gnutls_x509_crt_deinit(rogue.certificate);
	gnutls_x509_privkey_deinit(rogue.key);
}
