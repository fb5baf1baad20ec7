// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GnuTLS before 3.8.11 has no function for the limit on what we send, and it wants
 * a server's ticket key before it has read what the client's tickets are under: so
 * both are read from the peer's hello.
 */
#include <stddef.h>
#include <string.h>
#include <linux/tls.h>

#include "hello.h"
#include "names.h"

#define EXTENSION_SERVER_NAME		 0
#define EXTENSION_MAX_FRAGMENT_LENGTH	 1
#define EXTENSION_EXTENDED_MASTER_SECRET 23
#define EXTENSION_RECORD_SIZE_LIMIT	 28
#define EXTENSION_SESSION_TICKET	 35
#define EXTENSION_PRE_SHARED_KEY	 41
#define EXTENSION_SUPPORTED_VERSIONS	 43
#define EXTENSION_PSK_KE_MODES		 45

#define HOST_NAME  0
#define PSK_DHE_KE 1
#define TICKET_AGE 4 /* bytes behind each identity of a pre-shared key */

#define RECORD_SIZE_LIMIT_MIN 64 /* RFC 8449 4 */
#define RECORD_PLAINTEXT      16384
#define HELLO_FIXED	      34 /* legacy version and random */

static size_t number16(const unsigned char *data)
{
	return (size_t)data[0] << 8 | data[1];
}

/* list of (type, name<1..2^16-1>); only one name of a type may be there (RFC 6066 3) */
static void note_server_name(struct hello *hello, const unsigned char *data, size_t size)
{
	char name[sizeof(hello->server_name)];
	size_t length;

	if (size < 5 || data[2] != HOST_NAME)
		return;
	length = number16(data + 3);
	if (length == 0 || length > size - 5 || length >= sizeof(name))
		return;
	memcpy(name, data + 5, length);
	name[length] = 0;
	if (strlen(name) == length && names_is_host(name))
		memcpy(hello->server_name, name, length + 1);
}

static void note_ticket(struct hello_tickets *tickets, const unsigned char *ticket, size_t size)
{
	if (size >= STEK_NAME && tickets->count < HELLO_MAX_TICKETS)
		memcpy(tickets->names[tickets->count++], ticket, STEK_NAME);
}

/* list of (identity<1..2^16-1>, obfuscated age), then binders */
static void note_identities(struct hello *hello, const unsigned char *data, size_t size)
{
	size_t length, end;

	if (size < 2)
		return;
	end = 2 + number16(data);
	if (end > size)
		return;
	for (size_t at = 2; at + 2 < end; at += 2 + length + TICKET_AGE) {
		length = number16(data + at);
		if (length > end - at - 2)
			return;
		note_ticket(&hello->psk, data + at + 2, length);
	}
}

/* A ServerHello has but the number of the one that is taken. */
static void note_psk(struct hello *hello, const unsigned char *data, size_t size)
{
	if (size == 2)
		hello->selects_psk = true;
	else
		note_identities(hello, data, size);
}

static int note_extension(void *arg, unsigned int id, const unsigned char *data, unsigned int size)
{
	struct hello *hello = arg;
	uint16_t limit;

	if (id == EXTENSION_RECORD_SIZE_LIMIT && size == 2) {
		limit = (uint16_t)(data[0] << 8 | data[1]);
		if (limit >= RECORD_SIZE_LIMIT_MIN)
			hello->record_size_limit = limit;
	}
	if (id == EXTENSION_MAX_FRAGMENT_LENGTH && size == 1 && data[0] >= 1 && data[0] <= 4)
		hello->max_fragment = (uint16_t)(256 << data[0]);
	if (id == EXTENSION_EXTENDED_MASTER_SECRET)
		hello->extended_master_secret = true;
	if (id == EXTENSION_SERVER_NAME)
		note_server_name(hello, data, size);
	if (id == EXTENSION_SESSION_TICKET)
		note_ticket(&hello->ticket, data, size);
	if (id == EXTENSION_PRE_SHARED_KEY)
		note_psk(hello, data, size);
	for (unsigned int i = 1; id == EXTENSION_PSK_KE_MODES && i < size; i++)
		hello->psk_dhe_ke |= data[i] == PSK_DHE_KE;
	if (id == EXTENSION_SUPPORTED_VERSIONS && size == 2)
		hello->selects_tls13 = data[0] == 3 && data[1] == 4;
	/* In a ServerHello it is the two bytes of the chosen one, which never get here. */
	for (unsigned int i = 1; id == EXTENSION_SUPPORTED_VERSIONS && i + 1 < size; i += 2)
		hello->offers_tls13 |= data[i] == 3 && data[i + 1] == 4;
	return 0;
}

/* In both hellos behind version and random */
static void note_session_id(struct hello *hello, const gnutls_datum_t *message)
{
	size_t length = message->size > HELLO_FIXED ? message->data[HELLO_FIXED] : 0;

	if (length > HELLO_SESSION_ID || length > message->size - HELLO_FIXED - 1)
		return;
	memcpy(hello->session_id, message->data + HELLO_FIXED + 1, length);
	hello->session_id_length = (uint8_t)length;
}

/* The extensions behind the fixed part of a ServerHello: session id, cipher, compression */
static gnutls_datum_t server_hello_extensions(const gnutls_datum_t *message)
{
	gnutls_datum_t rest = { NULL, 0 };
	size_t skip = HELLO_FIXED;

	if (message->size <= skip)
		return rest;
	skip += (size_t)1 + message->data[skip] + 2 + 1;
	if (message->size > skip)
		rest = (gnutls_datum_t){ message->data + skip, message->size - (unsigned int)skip };
	return rest;
}

void hello_parse(unsigned int type, const gnutls_datum_t *message, struct hello *ret_hello)
{
	struct hello hello = { 0 };
	gnutls_datum_t extensions = *message;
	unsigned int flags = 0;

	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		flags = GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO;
	else if (type == GNUTLS_HANDSHAKE_SERVER_HELLO)
		extensions = server_hello_extensions(message);
	if (extensions.size && gnutls_ext_raw_parse(&hello, note_extension, &extensions, flags) < 0)
		hello = (struct hello){ 0 };
	else if (type != GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS && message->size > HELLO_FIXED)
		note_session_id(&hello, message);
	*ret_hello = hello;
}

uint16_t hello_max_payload(const struct hello *hello, uint16_t version)
{
	uint16_t limit = hello->max_fragment;

	/* RFC 8449 5: it replaces max_fragment_length; in TLS 1.3 the content type counts. */
	if (hello->record_size_limit)
		limit = hello->record_size_limit - (version == TLS_1_3_VERSION ? 1 : 0);
	return limit < RECORD_PLAINTEXT ? limit : 0;
}
