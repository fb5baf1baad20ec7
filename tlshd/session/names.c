// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names.  GnuTLS's own host name check falls back to the common name, which
 * RFC 9525 2 forbids, and does not tell which name matched: so it is done here.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <gnutls/crypto.h>

#include "log.h"
#include "names.h"

#define MAX_SAN	    1024 /* bytes of one name; longer ones are passed over */
#define MAX_SANS    1024 /* names that are looked at */
#define SHA256_SIZE 32

size_t names_address(const char *name, uint8_t ret_address[16])
{
	if (inet_pton(AF_INET, name, ret_address) == 1)
		return 4;
	if (inet_pton(AF_INET6, name, ret_address) == 1)
		return 16;
	return 0;
}

bool names_is_host(const char *name)
{
	return name[0] && name[0] != '.' && !strstr(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-._") == strlen(name);
}

bool names_match_dns(const char *pattern, size_t pattern_length, const char *name)
{
	size_t length = strlen(name);
	const char *rest;

	/* a NUL inside would let "good\0.evil" pass where C strings are compared */
	if (memchr(pattern, 0, pattern_length))
		return false;
	if (length && name[length - 1] == '.')
		length--;
	if (pattern_length && pattern[pattern_length - 1] == '.')
		pattern_length--;
	if (!length || !pattern_length)
		return false;

	if (pattern_length > 2 && pattern[0] == '*' && pattern[1] == '.') {
		/* the complete left-most label, and never a whole top-level domain */
		rest = memchr(name, '.', length);
		if (!rest || rest == name || !memchr(pattern + 2, '.', pattern_length - 2))
			return false;
		length -= (size_t)(rest - name);
		return length == pattern_length - 1 && strncasecmp(pattern + 1, rest, length) == 0;
	}
	return length == pattern_length && strncasecmp(pattern, name, length) == 0;
}

void names_identity(char *ret_identity, const char *kind, const void *text, size_t length)
{
	int n = snprintf(ret_identity, NAMES_IDENTITY, "%s:", kind);

	log_escape(ret_identity + n, NAMES_IDENTITY - (size_t)n, text, length);
}

static void identity_of_address(char *ret_identity, const void *address, size_t length)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(length == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)))
		names_identity(ret_identity, "ip", text, strlen(text));
}

/* The identity of one subject alternative name; false for a kind that is not ours. */
static bool identity_of_san(int type, const char *san, size_t length, char *ret_identity)
{
	switch (type) {
	case GNUTLS_SAN_DNSNAME:
		names_identity(ret_identity, "dns", san, length);
		return true;
	case GNUTLS_SAN_IPADDRESS:
		if (length != 4 && length != 16)
			return false;
		identity_of_address(ret_identity, san, length);
		return true;
	case GNUTLS_SAN_URI:
		names_identity(ret_identity, "uri", san, length);
		return true;
	case GNUTLS_SAN_RFC822NAME:
		names_identity(ret_identity, "email", san, length);
		return true;
	default:
		return false;
	}
}

/* The type of name @i, *length bytes; -1 when there are no more, 0 is a type of no interest. */
static int get_san(gnutls_x509_crt_t certificate, unsigned int i, char *san, size_t *length)
{
	int r;

	*length = MAX_SAN;
	r = gnutls_x509_crt_get_subject_alt_name(certificate, i, san, length, NULL);
	if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || i >= MAX_SANS)
		return -1;
	return r < 0 ? 0 : r;
}

bool names_match_certificate(gnutls_x509_crt_t certificate, const char *name, char *ret_identity)
{
	char san[MAX_SAN];
	uint8_t address[16];
	size_t address_length = names_address(name, address), length;
	bool match;
	int type;

	for (unsigned int i = 0; (type = get_san(certificate, i, san, &length)) >= 0; i++) {
		if (address_length)
			match = type == GNUTLS_SAN_IPADDRESS && length == address_length &&
				memcmp(san, address, length) == 0;
		else
			match = type == GNUTLS_SAN_DNSNAME && names_match_dns(san, length, name);
		if (match)
			return identity_of_san(type, san, length, ret_identity);
	}
	return false;
}

void names_of_certificate(gnutls_x509_crt_t certificate, char *ret_identity)
{
	gnutls_datum_t dn = { NULL, 0 };
	char san[MAX_SAN];
	size_t length;
	int type;

	for (unsigned int i = 0; (type = get_san(certificate, i, san, &length)) >= 0; i++)
		if (length && identity_of_san(type, san, length, ret_identity))
			return;
	if (gnutls_x509_crt_get_dn3(certificate, &dn, 0) < 0)
		dn = (gnutls_datum_t){ NULL, 0 };
	names_identity(ret_identity, "dn", dn.data ? (const char *)dn.data : "", dn.size);
	gnutls_free(dn.data);
}

void names_of_public_key(const uint8_t *spki, size_t length, char *ret_identity)
{
	uint8_t digest[SHA256_SIZE];
	int n;

	n = snprintf(ret_identity, NAMES_IDENTITY, "rawpk:");
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, spki, length, digest) < 0)
		return;
	for (size_t i = 0; i < sizeof(digest); i++)
		n += snprintf(ret_identity + n, NAMES_IDENTITY - (size_t)n, "%02x", digest[i]);
}
