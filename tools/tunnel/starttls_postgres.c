// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PostgreSQL before TLS (its documentation, "Message Flow", "SSL Session Encryption"), on
 * either side.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "starttls_internal.h"

#define POSTGRES_SSL_REQUEST	80877103
#define POSTGRES_GSSENC_REQUEST 80877104

struct postgres_request {
	uint32_t length, code;
};

/* ErrorResponse: what psql shows to its user */
static const char postgres_refusal[] = "SFATAL\0VFATAL\0C28000\0Mthis port takes only TLS\0";

static int postgres_begin(struct starttls *starttls)
{
	const struct postgres_request request = {
		.length = htonl(sizeof(request)),
		.code = htonl(POSTGRES_SSL_REQUEST),
	};

	if (starttls->part == STARTTLS_ASK)
		return starttls_send(starttls, &request, sizeof(request));
	/* A server waits for its client to speak */
	starttls->done = starttls->part == STARTTLS_GREET;
	return 0;
}

static int postgres_refuse(struct starttls *starttls)
{
	const uint32_t length = htonl(sizeof(length) + sizeof(postgres_refusal));
	int r;

	starttls->over = true;
	starttls->error = "the PostgreSQL client does not ask for TLS";
	r = starttls_send(starttls, "E", 1);
	if (r == 0)
		r = starttls_send(starttls, &length, sizeof(length));
	if (r == 0)
		r = starttls_send(starttls, postgres_refusal, sizeof(postgres_refusal));
	return r;
}

static int postgres_request(struct starttls *starttls)
{
	struct postgres_request request;

	if (starttls->in_length < sizeof(request))
		return 0;
	memcpy(&request, starttls->in, sizeof(request));
	if (ntohl(request.length) != sizeof(request))
		return postgres_refuse(starttls);
	starttls_took(starttls, sizeof(request));
	switch (ntohl(request.code)) {
	case POSTGRES_GSSENC_REQUEST:
		if (starttls->step++)
			return postgres_refuse(starttls);
		return starttls_send(starttls, "N", 1);
	case POSTGRES_SSL_REQUEST:
		starttls->done = true;
		return starttls_send(starttls, "S", 1);
	default:
		return postgres_refuse(starttls);
	}
}

static int postgres_raw(struct starttls *starttls)
{
	char answer = *starttls->in;

	if (starttls->part == STARTTLS_OFFER)
		return postgres_request(starttls);
	starttls_took(starttls, 1);
	if (answer != 'S')
		return starttls_refuse(starttls, "the PostgreSQL server does not talk TLS");
	starttls->done = true;
	return 0;
}

const struct starttls_ops starttls_postgres = { .begin = postgres_begin, .raw = postgres_raw };
