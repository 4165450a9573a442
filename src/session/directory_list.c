/* SPDX-License-Identifier: Apache-2.0
 * directory_list.c - a walk through the directory, page by page. */
#include "session/directory_private.h"

/* Of one call of directory_list: a filter that finds next to nothing among a million
 * must not keep its thread for long. */
#define LIST_LOOKS_MAX 65536

struct listing {
	const struct directory *directory;
	const struct directory_filter *filter;
	struct directory_cursor *cursor;
	struct presence **out;
	size_t limit;
	size_t found;
	size_t looks;
};

static bool is_wanted(const struct directory_filter *filter, const struct presence *presence)
{
	return (filter->route == NULL ||
		strcmp(filter->route, presence_route_name(presence)) == 0) &&
	       slice_equals(filter->id_prefix,
			    slice_of(presence->client_id,
				     strnlen(presence->client_id, filter->id_prefix.len)));
}

/* False: enough for one call. */
static bool list_chain(struct listing *listing, struct presence *presence)
{
	struct directory_cursor *cursor = listing->cursor;

	for (; presence != NULL; presence = presence->next) {
		uint64_t hash = hash_of_presence(listing->directory, presence);

		if (hash < cursor->hash ||
		    (hash == cursor->hash && presence->connection_id >= cursor->connection_id))
			continue;
		*cursor = (struct directory_cursor){hash, presence->connection_id};
		listing->looks++;
		if (is_wanted(listing->filter, presence))
			listing->out[listing->found++] = presence_ref(presence);
		if (listing->found == listing->limit || listing->looks == LIST_LOOKS_MAX)
			return false;
	}
	return true;
}

/* From the bucket on in which `hash` is or would be. */
static bool list_shard(struct listing *listing, struct shard *shard, uint64_t hash)
{
	bool goes_on = true;

	pthread_mutex_lock(&shard->mutex);
	for (size_t i = bucket_index(hash, shard->bucket_bits);
	     goes_on && i < (size_t)1 << shard->bucket_bits; i++)
		goes_on = list_chain(listing, shard->buckets[i]);
	pthread_mutex_unlock(&shard->mutex);
	return goes_on;
}

size_t directory_list(struct directory *directory, const struct directory_filter *filter,
		      struct directory_cursor *cursor, struct presence **out, size_t limit,
		      bool *out_is_end)
{
	struct listing listing = {directory, filter, cursor, out, limit, 0, 0};
	uint64_t hash = cursor->hash;
	bool goes_on = true;

	CHECK(limit > 0);
	for (size_t i = hash >> (64 - SHARD_BITS); goes_on && i < SHARDS; i++) {
		goes_on = list_shard(&listing, &directory->shards[i], hash);
		hash = 0;
	}
	*out_is_end = goes_on;
	return listing.found;
}
