// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing sessions down and reading them again.  What another process wrote is
 * checked like anything that comes from outside.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <linux/tls.h>

#include "../../uapi/linux/tls_handoff.h"
#include "established.h"
#include "returned.h"
#include "saved.h"
#include "session.h"
#include "state.h"

#define MAX_FRAGMENT (64 * 1024) /* bytes */
#define MAX_RATE     1000000

/* Grows at its end; behind it, at @size: the fragment, then what was returned. */
struct saved {
	uint32_t size; /* of this */
	uint32_t fragment_length;
	uint32_t returned_length;
	uint16_t version, cipher;
	uint64_t id;
	uint64_t tx_generation, rx_generation;
	uint64_t rekey_due;
	uint64_t update_time;
	uint32_t rekey_seconds;
	uint32_t update_rate;
	uint16_t max_payload;
	uint8_t role;
	uint8_t updates;
	uint8_t update_again;
	uint8_t exportable;
	uint8_t reserved[2];
	uint8_t secrets[(SESSION_DIRECTIONS + 1) * SECRETS_MAX];
};

static void put(struct session *session, void *arg)
{
	struct saved saved = {
		.size = sizeof(saved),
		.version = session->version,
		.cipher = session->cipher,
		.id = session->id,
		.tx_generation = session->tx_generation,
		.rx_generation = session->rx_generation,
		.rekey_due = session->rekey_due,
		.update_time = session->update_time,
		.rekey_seconds = session->rekey_seconds,
		.update_rate = session->update_rate,
		.max_payload = session->max_payload,
		.role = session->role,
		.updates = session->updates,
		.update_again = session->update_again,
		.exportable = session->exportable,
	};
	struct state_part parts[3] = { { &saved, sizeof(saved) } };

	memcpy(saved.secrets, session->secrets, sizeof(saved.secrets));
	if (session->fragment) {
		parts[1].data = session->fragment->data;
		parts[1].length = session->fragment->length;
	}
	parts[2].data = returned_bytes(session, &parts[2].length);
	saved.fragment_length = (uint32_t)parts[1].length;
	saved.returned_length = (uint32_t)parts[2].length;
	state_put_parts(arg, STATE_SESSION, parts, 3);
	explicit_bzero(&saved, sizeof(saved));
}

void saved_put_all(struct room *room, struct state_writer *writer)
{
	session_each(room, put, writer);
}

static bool is_sound(const struct saved *saved, size_t length)
{
	bool tls13 = saved->version == TLS_1_3_VERSION;

	return (tls13 || saved->version == TLS_1_2_VERSION) && secrets_length(saved->cipher) &&
	       saved->id &&
	       (saved->role == TLS_HANDOFF_CLIENT || saved->role == TLS_HANDOFF_SERVER) &&
	       saved->update_rate <= MAX_RATE && saved->exportable <= 1 &&
	       saved->update_again <= 3 && (tls13 || (!saved->rekey_due && !saved->update_again)) &&
	       saved->fragment_length <= MAX_FRAGMENT && saved->returned_length <= RETURNED_MAX &&
	       length == (size_t)saved->size + saved->fragment_length + saved->returned_length;
}

static int fill(struct session *session, const struct saved *saved, const uint8_t *behind)
{
	int r;

	session->version = saved->version;
	session->cipher = saved->cipher;
	session->max_payload = saved->max_payload;
	session->role = saved->role;
	session->tx_generation = saved->tx_generation;
	session->rx_generation = saved->rx_generation;
	session->rekey_due = saved->rekey_due;
	session->rekey_seconds = saved->rekey_seconds;
	session->update_time = saved->update_time;
	session->update_rate = saved->update_rate;
	session->updates = saved->updates;
	session->update_again = saved->update_again;
	session->exportable = saved->exportable;
	memcpy(session->secrets, saved->secrets, sizeof(session->secrets));
	r = established_restore_fragment(session, behind, saved->fragment_length);
	if (r == 0)
		r = returned_restore(session, behind + saved->fragment_length,
				     saved->returned_length);
	return r;
}

int saved_restore(struct room *room, const uint8_t *payload, size_t length,
		  struct session **ret_session)
{
	struct session *session;
	struct saved saved;
	int r = -EPROTO;

	if (length < sizeof(saved))
		return -EPROTO;
	memcpy(&saved, payload, sizeof(saved));
	if (saved.size >= sizeof(saved) && saved.size <= length && is_sound(&saved, length))
		r = session_adopt(room, saved.id, &session);
	if (r == 0) {
		r = fill(session, &saved, payload + saved.size);
		if (r < 0)
			session_free(session);
		else
			*ret_session = session;
	}
	explicit_bzero(&saved, sizeof(saved));
	return r;
}
