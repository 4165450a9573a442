/* SPDX-License-Identifier: Apache-2.0 */
#include "session/directory_private.h"

#include <stdlib.h>

#include "base/counter.h"
#include "base/random.h"
#include "base/saturate.h"

static bool has_key(const struct presence *presence, const char *route, const char *client_id)
{
	return strcmp(presence->client_id, client_id) == 0 &&
	       strcmp(presence_route_name(presence), route) == 0;
}

/* --- life --- */

static bool shard_init(struct shard *shard)
{
	pthread_mutex_init(&shard->mutex, NULL);
	shard->bucket_bits = 2;
	_Static_assert(BUCKETS_MIN == 1 << 2, "the bits of the least size");
	shard->buckets = calloc(BUCKETS_MIN, sizeof(struct presence *));
	return shard->buckets != NULL;
}

struct directory *directory_create(void)
{
	struct directory *directory = aligned_alloc(64, sizeof(*directory));
	struct random_source random = {0};
	bool is_good = true;

	if (directory == NULL)
		return NULL;
	memset(directory, 0, sizeof(*directory));
	random_fill(&random, &directory->key, sizeof(directory->key));
	for (size_t i = 0; i < SHARDS; i++)
		is_good = shard_init(&directory->shards[i]) && is_good;
	if (!is_good)
		directory_destroy(&directory);
	return directory;
}

void directory_destroy(struct directory **directory)
{
	struct directory *self = *directory;

	if (self == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		CHECK(self->shards[i].count == 0);
		pthread_mutex_destroy(&self->shards[i].mutex);
		free(self->shards[i].buckets);
	}
	free(self);
	*directory = NULL;
}

/* --- the pace of takeovers --- */

void directory_pace_takeovers(struct directory *directory, uint64_t per_minute)
{
	CHECK(per_minute < DIRECTORY_HEAT_MAX);
	counter_set(&directory->takeovers_per_minute, per_minute);
}

/* Without a limit it is told all the same that a client is hot. */
#define COOLING_PER_MINUTE UINT64_C(30)

/* Of the client once `newer` has taken it over. */
static uint64_t heat_after(const struct directory *directory, const struct presence *older,
			   const struct presence *newer)
{
	uint64_t per_minute = counter_read(&directory->takeovers_per_minute);
	uint64_t passed_ms = saturating_sub(newer->connected_at_ms, older->connected_at_ms);
	uint64_t cooled = passed_ms * (per_minute != 0 ? per_minute : COOLING_PER_MINUTE) / 60000;

	return MIN(saturating_sub(older->takeover_heat, cooled) + 1, (uint64_t)DIRECTORY_HEAT_MAX);
}

static uint8_t row_after(const struct presence *older, const struct presence *newer)
{
	uint64_t passed_ms = saturating_sub(newer->connected_at_ms, older->connected_at_ms);

	if (passed_ms > DIRECTORY_ROW_MS)
		return 1;
	return (uint8_t)MIN(older->takeover_row + 1, UINT8_MAX);
}

static bool is_too_hot(const struct directory *directory, const struct presence *older,
		       const struct presence *newer)
{
	uint64_t per_minute = counter_read(&directory->takeovers_per_minute);

	return per_minute != 0 && heat_after(directory, older, newer) > per_minute;
}

/* --- under a shard's lock --- */

/* All presences pass in the order of hashes, so each chain is filled from its start. */
static void resize(const struct directory *directory, struct shard *shard, unsigned bucket_bits)
{
	struct presence **buckets = calloc((size_t)1 << bucket_bits, sizeof(struct presence *));
	struct presence **end = buckets;
	size_t filled = 0;

	if (buckets == NULL)
		return; /* longer chains, or too many buckets, do as well */
	for (size_t i = 0; i < (size_t)1 << shard->bucket_bits; i++)
		for (struct presence *presence = shard->buckets[i], *next; presence != NULL;
		     presence = next) {
			size_t index = bucket_index(hash_of_presence(directory, presence),
						    bucket_bits);

			next = presence->next;
			presence->next = NULL;
			end = index == filled ? end : &buckets[index];
			filled = index;
			*end = presence;
			end = &presence->next;
		}
	free(shard->buckets);
	shard->buckets = buckets;
	shard->bucket_bits = bucket_bits;
}

static void count_change(const struct directory *directory, struct shard *shard, int by)
{
	uint32_t count = shard->count + (uint32_t)by;
	size_t size = (size_t)1 << shard->bucket_bits;

	__atomic_store_n(&shard->count, count, __ATOMIC_RELAXED);
	if (count > 2 * size)
		resize(directory, shard, shard->bucket_bits + 1);
	else if (size > BUCKETS_MIN && count < size / 4)
		resize(directory, shard, shard->bucket_bits - 1);
}

/* Where presences of this hash are, or would be. */
static struct presence **group_find(const struct directory *directory, const struct shard *shard,
				    uint64_t hash)
{
	struct presence **link = &shard->buckets[bucket_index(hash, shard->bucket_bits)];

	while (*link != NULL && hash_of_presence(directory, *link) < hash)
		link = &(*link)->next;
	return link;
}

/* What points to the newest connection of this client; NULL: nothing does. */
static struct presence **key_find(const struct directory *directory, const struct shard *shard,
				  uint64_t hash, const char *route, const char *client_id)
{
	struct presence **link = group_find(directory, shard, hash);

	for (; *link != NULL && hash_of_presence(directory, *link) == hash; link = &(*link)->next)
		if (has_key(*link, route, client_id))
			return link;
	return NULL;
}

static struct presence *unlink_at(struct presence **link)
{
	struct presence *presence = *link;

	*link = presence->next;
	presence->next = NULL;
	return presence;
}

/* Takes out all of this client: the newest first. */
static struct presence *take_all(const struct directory *directory, struct shard *shard,
				 uint64_t hash, const struct presence *client)
{
	struct presence *list = NULL, **end = &list, **link;

	while ((link = key_find(directory, shard, hash, presence_route_name(client),
				client->client_id)) != NULL) {
		*end = unlink_at(link);
		end = &(*end)->next;
		count_change(directory, shard, -1);
	}
	return list;
}

static struct presence *take_over(const struct directory *directory, struct shard *shard,
				  uint64_t hash, struct presence *newer)
{
	struct presence *older = take_all(directory, shard, hash, newer);

	if (older != NULL) {
		newer->takeover_heat = heat_after(directory, older, newer);
		newer->takeover_row = row_after(older, newer);
	}
	return older;
}

static void insert(struct directory *directory, struct shard *shard, uint64_t hash,
		   struct presence *presence, const struct presence *older)
{
	struct presence **link = group_find(directory, shard, hash);

	if (presence->connection_id == 0)
		presence->connection_id = directory_reserve_id(directory);
	/* One with a higher id may have entered before it. */
	while (*link != NULL && (*link)->connection_id > presence->connection_id &&
	       hash_of_presence(directory, *link) == hash)
		link = &(*link)->next;
	presence->generation = MAX(presence->generation, older == NULL ? 1 : older->generation + 1);
	presence->next = *link;
	*link = presence_ref(presence);
	count_change(directory, shard, 1);
}

/* --- entering and leaving --- */

uint64_t directory_reserve_id(struct directory *directory)
{
	return __atomic_add_fetch(&directory->last_connection_id, 1, __ATOMIC_RELAXED);
}

bool directory_enter(struct directory *directory, struct presence *presence,
		     enum directory_policy policy, struct presence **out_older)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);

	pthread_mutex_lock(&shard->mutex);
	struct presence **link = key_find(directory, shard, hash, presence_route_name(presence),
					  presence->client_id);
	struct presence *older = link == NULL ? NULL : *link;
	bool is_refused = older != NULL &&
			  (policy == DIRECTORY_OLDEST ||
			   (policy == DIRECTORY_NEWEST && is_too_hot(directory, older, presence)));

	if (is_refused)
		presence_ref(older);
	else if (policy == DIRECTORY_NEWEST)
		older = take_over(directory, shard, hash, presence);
	if (!is_refused)
		insert(directory, shard, hash, presence, older);
	pthread_mutex_unlock(&shard->mutex);
	*out_older = policy == DIRECTORY_MANY ? NULL : older;
	return !is_refused;
}

bool directory_inherit(struct directory *directory, struct presence *presence,
		       const struct directory_heir *heir, struct presence **out_older)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);

	pthread_mutex_lock(&shard->mutex);
	struct presence **link = key_find(directory, shard, hash, presence_route_name(presence),
					  presence->client_id);
	bool is_heir = link != NULL && !is_too_hot(directory, *link, presence) &&
		       heir->may_inherit(*link, heir->arg);

	if (is_heir) {
		(*link)->lost_places = heir->places;
		*out_older = take_over(directory, shard, hash, presence);
		insert(directory, shard, hash, presence, *out_older);
	}
	pthread_mutex_unlock(&shard->mutex);
	return is_heir;
}

bool directory_may_take_over(struct directory *directory, const struct presence *presence,
			     struct presence **out_older)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);

	pthread_mutex_lock(&shard->mutex);
	struct presence **link = key_find(directory, shard, hash, presence_route_name(presence),
					  presence->client_id);
	bool may = link == NULL || !is_too_hot(directory, *link, presence);

	if (!may)
		*out_older = presence_ref(*link);
	pthread_mutex_unlock(&shard->mutex);
	return may;
}

struct presence *directory_pop(struct presence **list)
{
	return *list == NULL ? NULL : unlink_at(list);
}

uint8_t directory_leave(struct directory *directory, struct presence *presence)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);
	struct presence *left = NULL;

	pthread_mutex_lock(&shard->mutex);
	struct presence **link = group_find(directory, shard, hash);

	while (*link != NULL && *link != presence)
		link = &(*link)->next;
	if (*link != NULL) {
		left = unlink_at(link);
		count_change(directory, shard, -1);
	}
	uint8_t lost_places = presence->lost_places;
	pthread_mutex_unlock(&shard->mutex);
	presence_unref(&left);
	return lost_places;
}

/* --- clients of another process --- */

uint64_t directory_last_id(const struct directory *directory)
{
	return __atomic_load_n(&directory->last_connection_id, __ATOMIC_RELAXED);
}

bool directory_continue_ids(struct directory *directory, uint64_t last_id)
{
	if (last_id > DIRECTORY_ID_MAX - DIRECTORY_ID_GAP)
		return false;
	__atomic_store_n(&directory->last_connection_id, last_id + DIRECTORY_ID_GAP,
			 __ATOMIC_RELAXED);
	return true;
}

/* Under the shard's lock. */
static bool has_id(const struct directory *directory, const struct shard *shard, uint64_t hash,
		   uint64_t connection_id)
{
	struct presence *const *link = group_find(directory, shard, hash);

	while (*link != NULL && (*link)->connection_id != connection_id &&
	       hash_of_presence(directory, *link) == hash)
		link = &(*link)->next;
	return *link != NULL && (*link)->connection_id == connection_id;
}

bool directory_import(struct directory *directory, struct presence *presence)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);

	if (presence->connection_id == 0 || presence->connection_id > directory_last_id(directory))
		return false;
	pthread_mutex_lock(&shard->mutex);
	bool is_new = !has_id(directory, shard, hash, presence->connection_id);

	if (is_new)
		insert(directory, shard, hash, presence, NULL);
	pthread_mutex_unlock(&shard->mutex);
	return is_new;
}

/* --- questions --- */

bool directory_has(struct directory *directory, const struct presence *presence)
{
	uint64_t hash = hash_of_presence(directory, presence);
	struct shard *shard = shard_of(directory, hash);

	pthread_mutex_lock(&shard->mutex);
	const struct presence *at = *group_find(directory, shard, hash);

	while (at != NULL && at != presence)
		at = at->next;
	pthread_mutex_unlock(&shard->mutex);
	return at != NULL;
}

struct presence *directory_find(struct directory *directory, const char *route,
				const char *client_id)
{
	uint64_t hash = hash_of(directory, route, client_id);
	struct shard *shard = shard_of(directory, hash);

	pthread_mutex_lock(&shard->mutex);
	struct presence **link = key_find(directory, shard, hash, route, client_id);
	struct presence *found = link == NULL ? NULL : presence_ref(*link);
	pthread_mutex_unlock(&shard->mutex);
	return found;
}

uint64_t directory_count(const struct directory *directory)
{
	uint64_t count = 0;

	for (size_t i = 0; i < SHARDS; i++)
		count += __atomic_load_n(&directory->shards[i].count, __ATOMIC_RELAXED);
	return count;
}
