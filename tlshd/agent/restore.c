// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sessions of an agent that is gone: taken up with the state that its session
 * handler left, or without.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "log.h"
#include "restore.h"

#define RESTORE_MAX CHANNEL_MAX_SESSIONS

/* What GET told of an established session; less than struct handshake, there may be many */
struct known {
	uint64_t id;
	uint64_t tx_generation, rx_generation;
	struct sockaddr_in6 remote; /* or in, which is smaller */
	uint32_t role, uid;
	uint16_t version, cipher;
	char *profile, *peer_name;
};

struct restore {
	struct netlink *netlink;
	struct sessions *sessions;
	GHashTable *known; /* by id; those that were not taken up yet */
};

static void known_free(gpointer data)
{
	struct known *known = data;

	g_free(known->profile);
	g_free(known->peer_name);
	g_free(known);
}

static void on_session(void *arg, const struct netlink_session *session)
{
	const struct handshake *h = &session->handshake;
	struct restore *restore = arg;
	struct known *known;

	if (session->state != TLS_HANDOFF_STATE_ESTABLISHED ||
	    sessions_has(restore->sessions, h->id) ||
	    g_hash_table_size(restore->known) >= RESTORE_MAX)
		return;
	known = g_new0(struct known, 1);
	known->id = h->id;
	known->tx_generation = session->tx_generation;
	known->rx_generation = session->rx_generation;
	memcpy(&known->remote, &h->remote, sizeof(known->remote));
	known->role = h->role;
	known->uid = h->uid;
	known->version = h->version;
	known->cipher = h->cipher;
	known->profile = g_strdup(h->profile);
	known->peer_name = g_strdup(h->peer_name);
	g_hash_table_replace(restore->known, &known->id, known);
}

int restore_new(struct netlink *netlink, struct sessions *sessions, struct restore **ret_restore)
{
	struct restore *restore = g_new0(struct restore, 1);
	int ret;

	restore->netlink = netlink;
	restore->sessions = sessions;
	restore->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, known_free);
	ret = netlink_get(netlink, on_session, restore);
	if (ret < 0) {
		restore_free(restore);
		return ret;
	}
	*ret_restore = restore;
	return 0;
}

void restore_free(struct restore *restore)
{
	if (!restore)
		return;
	g_hash_table_unref(restore->known);
	g_free(restore);
}

/* With its session fd it is a session again; @handler NULL: an orphan. */
static int take_up(struct restore *restore, struct handler *handler, const struct known *known)
{
	struct handshake handshake = {
		.id = known->id,
		.role = known->role,
		.uid = known->uid,
		.version = known->version,
		.cipher = known->cipher,
	};
	int ret;

	memcpy(&handshake.remote, &known->remote, sizeof(known->remote));
	g_strlcpy(handshake.profile, known->profile, sizeof(handshake.profile));
	g_strlcpy(handshake.peer_name, known->peer_name, sizeof(handshake.peer_name));
	handshake.fd = -1;
	ret = netlink_attach(restore->netlink, known->id, &handshake.fd);
	if (ret == 0)
		ret = sessions_adopt(restore->sessions, handler, &handshake);
	if (ret < 0 && ret != -ENOENT)
		log_message(ret == -EBUSY ? LOG_DEBUG : LOG_WARNING,
			    "session %" PRIu64 " cannot be taken up: %s", known->id,
			    strerror(-ret));
	handshake_clear(&handshake);
	return ret;
}

/* Keys that an agent was killed with are sent again; there is one in each direction at most,
 * for the next waits for SENT, or for the kernel's next record. */
static bool can_be_sent_again(uint64_t left, uint64_t kernel)
{
	return left == kernel || left == kernel + 1;
}

int restore_session(struct restore *restore, struct handler *handler, uint64_t id,
		    const struct channel_restored *restored)
{
	struct known *known = g_hash_table_lookup(restore->known, &id);
	uint64_t tx = le64toh(restored->tx_generation), rx = le64toh(restored->rx_generation);
	struct channel_restored kernels;
	int ret;

	if (!known)
		return -ENOENT;
	if (!can_be_sent_again(tx, known->tx_generation) ||
	    !can_be_sent_again(rx, known->rx_generation)) {
		log_message(LOG_WARNING,
			    "session %" PRIu64
			    ": the state that was left is of key updates %" PRIu64 " and %" PRIu64
			    ", not %" PRIu64 " and %" PRIu64,
			    id, tx, rx, known->tx_generation, known->rx_generation);
		return -ESTALE;
	}
	kernels.tx_generation = htole64(known->tx_generation);
	kernels.rx_generation = htole64(known->rx_generation);
	ret = take_up(restore, handler, known);
	if (ret == 0 && (tx != known->tx_generation || rx != known->rx_generation))
		(void)!channel_send(handler->channel, CHANNEL_RESYNC, id, false, &kernels,
				    sizeof(kernels));
	g_hash_table_remove(restore->known, &id);
	return ret;
}

void restore_rest(struct restore *restore)
{
	GHashTableIter iter;
	gpointer value;
	size_t count = 0;

	g_hash_table_iter_init(&iter, restore->known);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		if (take_up(restore, NULL, value) == 0)
			count++;
		g_hash_table_iter_remove(&iter);
	}
	if (count)
		log_message(LOG_WARNING,
			    "%zu established sessions of a tlshd before this go on without a "
			    "session handler, until they need one",
			    count);
}
