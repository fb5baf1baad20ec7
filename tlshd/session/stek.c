// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roots and the choice among them.  GnuTLS derives what it encrypts with, and the
 * name at the front of a ticket, from the key it gets and from the time: that
 * derivation is repeated here to see which root a ticket is under.
 */
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <event2/event.h>
#include <gnutls/crypto.h>

#include "boottime.h"
#include "log.h"
#include "profile.h"
#include "resume.h"
#include "session.h"
#include "state.h"
#include "stek.h"

#define PERIOD 3 /* lifetimes that GnuTLS uses one derived key for */

struct root {
	uint8_t secret[STEK_KEY];
	uint64_t created; /* CLOCK_BOOTTIME seconds */
};

/* STATE_STEK: this, the roots as they are, then the profile's name without a NUL */
struct saved_ring {
	uint32_t count;
	uint16_t rotate;
	uint16_t name_length;
};

/* The roots of one profile, the newest first */
struct ring {
	struct root roots[STEK_MAX_ROOTS];
	size_t count;
	bool rotate;		     /* the newest is not to be used for new tickets */
	uint64_t rotation, lifetime; /* seconds, as the profile has them */
};

struct stek {
	GHashTable *rings;   /* name of the profile: ring */
	struct event *timer; /* for the next root that expires */
	bool names_differ;   /* GnuTLS does not name tickets as we think */
};

static uint64_t expiry(const struct ring *ring, const struct root *root)
{
	return root->created + ring->rotation + ring->lifetime;
}

/* The oldest are at the end. */
static void ring_cut(struct ring *ring, size_t count)
{
	if (count >= ring->count)
		return;
	explicit_bzero(&ring->roots[count], (ring->count - count) * sizeof(ring->roots[0]));
	ring->count = count;
}

static void ring_expire(struct ring *ring, uint64_t now)
{
	size_t count = ring->count;

	while (count && expiry(ring, &ring->roots[count - 1]) <= now)
		count--;
	ring_cut(ring, count);
}

static void ring_free(void *arg)
{
	struct ring *ring = arg;

	ring_cut(ring, 0);
	free(ring);
}

/* One event for the root that goes first; none while there is no root. */
static void arm(struct stek *stek)
{
	uint64_t now = boottime_seconds(), first = UINT64_MAX, end;
	struct timeval delay = { 0 };
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, stek->rings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ring *ring = value;

		if (!ring->count)
			continue;
		end = expiry(ring, &ring->roots[ring->count - 1]);
		first = end < first ? end : first;
	}
	event_del(stek->timer);
	if (first == UINT64_MAX)
		return;
	delay.tv_sec = first > now ? (time_t)(first - now) : 1;
	event_add(stek->timer, &delay);
}

static void handle_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stek *stek = arg;
	GHashTableIter iter;
	gpointer ring;

	g_hash_table_iter_init(&iter, stek->rings);
	while (g_hash_table_iter_next(&iter, NULL, &ring))
		ring_expire(ring, boottime_seconds());
	arm(stek);
}

int stek_new(struct event_base *base, struct stek **ret_stek)
{
	struct stek *stek = calloc(1, sizeof(*stek));

	if (!stek)
		return -ENOMEM;
	stek->rings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ring_free);
	stek->timer = event_new(base, -1, 0, handle_timer, stek);
	if (!stek->timer) {
		stek_free(stek);
		return -ENOMEM;
	}
	*ret_stek = stek;
	return 0;
}

void stek_free(struct stek *stek)
{
	if (!stek)
		return;
	g_hash_table_destroy(stek->rings);
	if (stek->timer)
		event_free(stek->timer);
	free(stek);
}

static struct ring *find_ring(struct stek *stek, const struct profile *profile)
{
	struct ring *ring = g_hash_table_lookup(stek->rings, profile->name);

	if (!ring) {
		ring = calloc(1, sizeof(*ring));
		if (!ring)
			return NULL;
		g_hash_table_insert(stek->rings, g_strdup(profile->name), ring);
	}
	/* a reload may have changed them */
	ring->rotation = profile->stek_rotation;
	ring->lifetime = profile->ticket_lifetime;
	return ring;
}

/* Room is there as long as ticket_lifetime is at most eight rotations; only an administrator
 * who rotates by hand makes the oldest go earlier. */
static int ring_add(struct ring *ring, uint64_t now)
{
	struct root root = { .created = now };

	if (gnutls_rnd(GNUTLS_RND_KEY, root.secret, sizeof(root.secret)) < 0)
		return -EIO;
	ring_cut(ring, STEK_MAX_ROOTS - 1);
	memmove(&ring->roots[1], &ring->roots[0], ring->count * sizeof(ring->roots[0]));
	ring->roots[0] = root;
	ring->count++;
	ring->rotate = false;
	explicit_bzero(&root, sizeof(root));
	return 0;
}

/* Drops what is over and makes sure that the newest root is young enough. */
static int ring_refresh(struct stek *stek, struct ring *ring)
{
	uint64_t now = boottime_seconds();
	int r = 0;

	ring_expire(ring, now);
	if (!ring->count || ring->rotate || ring->roots[0].created + ring->rotation <= now) {
		r = ring_add(ring, now);
		arm(stek);
	}
	return r;
}

/* SHA3-512(period as 64-bit big endian || key) starts with the name (lib/stek.c of GnuTLS). */
static int derive_name(uint64_t period, const uint8_t key[STEK_KEY], uint8_t ret_name[STEK_NAME])
{
	uint8_t input[sizeof(uint64_t) + STEK_KEY], output[64];
	uint64_t number = htobe64(period);
	int r;

	memcpy(input, &number, sizeof(number));
	memcpy(input + sizeof(number), key, STEK_KEY);
	r = gnutls_hash_fast(GNUTLS_DIG_SHA3_512, input, sizeof(input), output);
	if (r == 0)
		memcpy(ret_name, output, STEK_NAME);
	explicit_bzero(input, sizeof(input));
	explicit_bzero(output, sizeof(output));
	return r < 0 ? -EIO : 0;
}

static uint64_t current_period(const struct profile *profile)
{
	return (uint64_t)time(NULL) / (PERIOD * profile->ticket_lifetime);
}

static int derive(const struct root *root, uint64_t period, const void *binding,
		  size_t binding_length, struct stek_choice *ret_choice)
{
	int r;

	if (gnutls_hmac_fast(GNUTLS_MAC_SHA512, root->secret, sizeof(root->secret), binding,
			     binding_length, ret_choice->key) < 0)
		return -EIO;
	r = derive_name(period, ret_choice->key, ret_choice->names[0]);
	if (r == 0)
		r = derive_name(period - 1, ret_choice->key, ret_choice->names[1]);
	return r;
}

static bool has_name(const struct stek_choice *choice, const uint8_t name[STEK_NAME])
{
	return memcmp(choice->names[0], name, STEK_NAME) == 0 ||
	       memcmp(choice->names[1], name, STEK_NAME) == 0;
}

static bool has_any_name(const struct stek_choice *choice, const uint8_t (*names)[STEK_NAME],
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has_name(choice, names[i]))
			return true;
	return false;
}

int stek_choose(struct stek *stek, const struct profile *profile, const void *binding,
		size_t binding_length, const uint8_t (*names)[STEK_NAME], size_t name_count,
		struct stek_choice *ret_choice)
{
	/* GnuTLS uses a key of zeros in its first period, which is over since 1970 */
	uint64_t period = current_period(profile);
	struct ring *ring = find_ring(stek, profile);
	struct stek_choice choice = { 0 };
	size_t i = 0;
	int r;

	if (!ring)
		return -ENOMEM;
	if (period < 2)
		return -EAGAIN;
	r = ring_refresh(stek, ring);
	if (r == 0)
		r = derive(&ring->roots[0], period, binding, binding_length, &choice);
	choice.known = r == 0 && has_any_name(&choice, names, name_count);
	while (r == 0 && name_count && !choice.known && !stek->names_differ && ++i < ring->count) {
		r = derive(&ring->roots[i], period, binding, binding_length, &choice);
		choice.known = r == 0 && has_any_name(&choice, names, name_count);
	}
	choice.newest = i == 0;
	if (r == 0 && i && !choice.known) {
		r = derive(&ring->roots[0], period, binding, binding_length, &choice);
		choice.newest = true;
	}
	if (r == 0)
		*ret_choice = choice;
	explicit_bzero(&choice, sizeof(choice));
	return r;
}

/* A period may have begun since the key was chosen: GnuTLS looks when it issues a ticket. */
static bool has_newer_name(const struct profile *profile, const struct stek_choice *choice,
			   const uint8_t name[STEK_NAME])
{
	uint8_t newer[STEK_NAME];

	return derive_name(current_period(profile), choice->key, newer) == 0 &&
	       memcmp(newer, name, STEK_NAME) == 0;
}

void stek_check_name(struct stek *stek, const struct profile *profile,
		     const struct stek_choice *choice, const uint8_t name[STEK_NAME])
{
	if (stek->names_differ || has_name(choice, name) || has_newer_name(profile, choice, name))
		return;
	stek->names_differ = true;
	log_message(LOG_WARNING,
		    "GnuTLS %s names tickets in a new way: they are of use only until the next "
		    "rotation of ticket keys",
		    gnutls_check_version(NULL));
}

void stek_flush(struct stek *stek)
{
	g_hash_table_remove_all(stek->rings);
	arm(stek);
}

void stek_rotate(struct stek *stek)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, stek->rings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ring *ring = value;

		ring_expire(ring, boottime_seconds());
		ring->rotate = true;
	}
	arm(stek);
}

size_t stek_count(const struct stek *stek)
{
	GHashTableIter iter;
	gpointer value;
	size_t count = 0;

	g_hash_table_iter_init(&iter, stek->rings);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		count += ((const struct ring *)value)->count;
	return count;
}

static void save_ring(const char *name, const struct ring *ring, struct state_writer *writer)
{
	const struct saved_ring saved = {
		.count = (uint32_t)ring->count,
		.rotate = ring->rotate,
		.name_length = (uint16_t)strlen(name),
	};
	const struct state_part parts[] = {
		{ &saved, sizeof(saved) },
		{ ring->roots, ring->count * sizeof(ring->roots[0]) },
		{ name, saved.name_length },
	};

	state_put_parts(writer, STATE_STEK, parts, sizeof(parts) / sizeof(parts[0]));
}

void stek_save(struct room *room, struct state_writer *writer)
{
	GHashTableIter iter;
	gpointer name, value;

	g_hash_table_iter_init(&iter, room->resume->stek->rings);
	while (g_hash_table_iter_next(&iter, &name, &value)) {
		struct ring *ring = value;

		ring_expire(ring, boottime_seconds());
		if (ring->count)
			save_ring(name, ring, writer);
	}
}

/* Keeps the order by age; of two predecessors' roots the newest count. */
static void ring_insert(struct ring *ring, const struct root *root)
{
	size_t at = 0;

	while (at < ring->count && ring->roots[at].created >= root->created)
		at++;
	if (at >= STEK_MAX_ROOTS)
		return;
	ring_cut(ring, STEK_MAX_ROOTS - 1);
	memmove(&ring->roots[at + 1], &ring->roots[at],
		(ring->count - at) * sizeof(ring->roots[0]));
	ring->roots[at] = *root;
	ring->count++;
}

static int restore_roots(struct ring *ring, const uint8_t *payload, size_t count)
{
	struct root root;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		memcpy(&root, payload + i * sizeof(root), sizeof(root));
		if (root.created > boottime_seconds())
			r = -EPROTO;
		else
			ring_insert(ring, &root);
	}
	explicit_bzero(&root, sizeof(root));
	return r;
}

int stek_restore(struct room *room, const uint8_t *payload, size_t length)
{
	struct stek *stek = room->resume->stek;
	const struct profile *profile;
	char name[256] = "";
	struct saved_ring saved;
	struct ring *ring;
	size_t roots;
	int r;

	if (length < sizeof(saved))
		return -EPROTO;
	memcpy(&saved, payload, sizeof(saved));
	roots = saved.count * sizeof(struct root);
	if (saved.count > STEK_MAX_ROOTS || saved.name_length >= sizeof(name) ||
	    length - sizeof(saved) < roots + saved.name_length)
		return -EPROTO;
	memcpy(name, payload + sizeof(saved) + roots, saved.name_length);
	profile = profiles_find(room->profiles, name);
	if (!profile)
		return -ENOENT;
	ring = find_ring(stek, profile);
	if (!ring)
		return -ENOMEM;
	r = restore_roots(ring, payload + sizeof(saved), saved.count);
	ring->rotate |= saved.rotate != 0;
	ring_expire(ring, boottime_seconds());
	arm(stek);
	return r;
}
