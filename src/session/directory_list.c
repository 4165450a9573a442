/* SPDX-License-Identifier: Apache-2.0
 * directory_list.c - a walk through the directory, page by page. */
#include "session/directory_private.h"

/* Of one call of directory_list: a filter that finds next to nothing among a million
 * must not keep its thread for long. */
#define LIST_LOOKS_MAX 65536

struct walk {
	const struct directory *directory;
	struct directory_cursor *cursor;
	size_t looks_left;
	directory_visit_fn *visit;
	void *arg;
};

/* False: enough for one call. */
static bool walk_chain(struct walk *walk, struct presence *presence)
{
	struct directory_cursor *cursor = walk->cursor;

	for (; presence != NULL; presence = presence->next) {
		uint64_t hash = hash_of_presence(walk->directory, presence);

		if (hash < cursor->hash ||
		    (hash == cursor->hash && presence->connection_id >= cursor->connection_id))
			continue;
		*cursor = (struct directory_cursor){hash, presence->connection_id};
		walk->looks_left--;
		if (!walk->visit(presence, walk->arg) || walk->looks_left == 0)
			return false;
	}
	return true;
}

/* From the bucket on in which `hash` is or would be. */
static bool walk_shard(struct walk *walk, struct shard *shard, uint64_t hash)
{
	bool goes_on = true;

	pthread_mutex_lock(&shard->mutex);
	for (size_t i = bucket_index(hash, shard->bucket_bits);
	     goes_on && i < (size_t)1 << shard->bucket_bits; i++)
		goes_on = walk_chain(walk, shard->buckets[i]);
	pthread_mutex_unlock(&shard->mutex);
	return goes_on;
}

bool directory_scan(struct directory *directory, struct directory_cursor *cursor, size_t looks,
		    directory_visit_fn *visit, void *arg)
{
	struct walk walk = {directory, cursor, looks, visit, arg};
	uint64_t hash = cursor->hash;
	bool goes_on = true;

	CHECK(looks > 0);
	for (size_t i = hash >> (64 - SHARD_BITS); goes_on && i < SHARDS; i++) {
		goes_on = walk_shard(&walk, &directory->shards[i], hash);
		hash = 0;
	}
	return goes_on;
}

struct listing {
	const struct directory_filter *filter;
	struct presence **out;
	size_t limit;
	size_t found;
};

static bool list_one(struct presence *presence, void *arg)
{
	struct listing *listing = arg;
	const struct directory_filter *filter = listing->filter;

	if (filter->is_wanted == NULL || filter->is_wanted(presence, filter->arg))
		listing->out[listing->found++] = presence_ref(presence);
	return listing->found < listing->limit;
}

size_t directory_list(struct directory *directory, const struct directory_filter *filter,
		      struct directory_cursor *cursor, struct presence **out, size_t limit,
		      bool *out_is_end)
{
	struct listing listing = {filter, out, limit, 0};

	CHECK(limit > 0);
	*out_is_end = directory_scan(directory, cursor, LIST_LOOKS_MAX, list_one, &listing);
	return listing.found;
}
