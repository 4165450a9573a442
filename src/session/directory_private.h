/* SPDX-License-Identifier: Apache-2.0
 * directory_private.h - what directory.c and directory_list.c share.
 *
 * Layer: session; only these two include it. */
#pragma once

#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "base/siphash.h"
#include "session/directory.h"

#define SHARD_BITS  8
#define SHARDS      (1u << SHARD_BITS)
#define BUCKETS_MIN 4 /* per shard */

/* The uppermost bits of a hash choose the shard, the next ones the bucket, and a bucket's
 * chain is sorted: so the whole is sorted by hash, and under one hash from the newest to
 * the oldest connection. At most two for each bucket, on average. */
struct shard {
	pthread_mutex_t mutex;
	struct presence **buckets;
	unsigned bucket_bits;
	uint32_t count; /* atomic; written under the lock */
} __attribute__((aligned(64)));

struct directory {
	struct shard shards[SHARDS];
	struct siphash_key key;
	uint64_t last_connection_id;   /* atomic */
	uint64_t takeovers_per_minute; /* atomic; 0: without limit */
};

/* --- hashes and keys --- */

static inline uint64_t hash_of(const struct directory *directory, const char *route,
			       const char *client_id)
{
	char key[PRESENCE_ROUTE_MAX + 1 + PRESENCE_CLIENT_ID_MAX];
	size_t route_len = strlen(route), id_len = strlen(client_id);

	CHECK(route_len <= PRESENCE_ROUTE_MAX && id_len <= PRESENCE_CLIENT_ID_MAX);
	memcpy(key, route, route_len + 1);
	memcpy(key + route_len + 1, client_id, id_len);
	return siphash(&directory->key, slice_of(key, route_len + 1 + id_len));
}

static inline uint64_t hash_of_presence(const struct directory *directory,
					const struct presence *presence)
{
	return hash_of(directory, presence_route_name(presence), presence->client_id);
}

static inline struct shard *shard_of(struct directory *directory, uint64_t hash)
{
	return &directory->shards[hash >> (64 - SHARD_BITS)];
}

static inline size_t bucket_index(uint64_t hash, unsigned bucket_bits)
{
	return (size_t)(hash << SHARD_BITS >> (64 - bucket_bits));
}
