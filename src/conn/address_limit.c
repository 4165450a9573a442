/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/address_limit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/siphash.h"

#define SHARDS     64
#define PLACES_MIN 16

struct entry {
	struct net_ip ip;
	uint64_t count; /* 0: the place is free */
};

/* Open addressing: an address lies at the place its hash names or behind it, with no
 * free place between. At most half of the places are taken. */
struct shard {
	pthread_mutex_t mutex;
	struct entry *places; /* NULL until the first one comes */
	size_t size;          /* a power of two */
	size_t used;
} __attribute__((aligned(64)));

struct address_limit {
	struct shard shards[SHARDS];
	uint64_t max; /* atomic */
	unsigned ipv6_bits;
	struct siphash_key key; /* drawn at random */
};

static uint64_t hash(const struct address_limit *limit, const struct net_ip *ip)
{
	return siphash(&limit->key, slice_of(ip->bytes, sizeof(ip->bytes)));
}

struct address_limit *address_limit_create(uint64_t max, unsigned ipv6_bits)
{
	struct address_limit *limit = aligned_alloc(64, sizeof(*limit));
	struct random_source random = {0};

	if (limit == NULL)
		return NULL;
	memset(limit, 0, sizeof(*limit));
	limit->max = max;
	limit->ipv6_bits = ipv6_bits;
	random_fill(&random, &limit->key, sizeof(limit->key));
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&limit->shards[i].mutex, NULL);
	return limit;
}

void address_limit_destroy(struct address_limit **limit)
{
	struct address_limit *self = *limit;

	if (self == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		CHECK(self->shards[i].used == 0);
		pthread_mutex_destroy(&self->shards[i].mutex);
		free(self->shards[i].places);
	}
	free(self);
	*limit = NULL;
}

uint64_t address_limit_max(const struct address_limit *limit)
{
	return counter_read(&limit->max);
}

void address_limit_set_max(struct address_limit *limit, uint64_t max)
{
	counter_set(&limit->max, max);
}

unsigned address_limit_ipv6_bits(const struct address_limit *limit)
{
	return limit->ipv6_bits;
}

/* The bits above those that choose the shard. */
static size_t home(const struct shard *shard, uint64_t hashed)
{
	return (size_t)(hashed / SHARDS) & (shard->size - 1);
}

/* The place of the address, or the free one where it would be. */
static struct entry *find(const struct shard *shard, const struct net_ip *ip, uint64_t hashed)
{
	size_t at = home(shard, hashed);

	while (shard->places[at].count != 0 && !net_ip_equals(&shard->places[at].ip, ip))
		at = (at + 1) & (shard->size - 1);
	return &shard->places[at];
}

static int resize(const struct address_limit *limit, struct shard *shard, size_t size)
{
	struct shard larger = {.size = size, .places = calloc(size, sizeof(struct entry))};

	if (larger.places == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < shard->size; i++)
		if (shard->places[i].count != 0)
			*find(&larger, &shard->places[i].ip,
			      hash(limit, &shard->places[i].ip)) = shard->places[i];
	free(shard->places);
	shard->places = larger.places;
	shard->size = size;
	return 0;
}

/* What counts as one address, and where it is counted. */
struct key {
	struct net_ip ip;
	uint64_t hashed;
	struct shard *shard;
};

static struct net_ip counted_as(const struct address_limit *limit, const struct net_ip *ip)
{
	return net_ip_is_v4(ip) ? *ip : net_ip_cut(ip, limit->ipv6_bits);
}

bool address_limit_is_same(const struct address_limit *limit, const struct net_ip *a,
			   const struct net_ip *b)
{
	struct net_ip left = counted_as(limit, a), right = counted_as(limit, b);

	return net_ip_equals(&left, &right);
}

static struct key key_of(struct address_limit *limit, const struct net_ip *ip)
{
	struct key key = {.ip = counted_as(limit, ip)};

	key.hashed = hash(limit, &key.ip);
	key.shard = &limit->shards[key.hashed % SHARDS];
	return key;
}

static int enter(const struct address_limit *limit, const struct key *key, uint64_t max)
{
	struct shard *shard = key->shard;

	if (2 * (shard->used + 1) > shard->size) {
		int r = resize(limit, shard, shard->size == 0 ? PLACES_MIN : 2 * shard->size);

		if (r < 0)
			return r;
	}
	struct entry *entry = find(shard, &key->ip, key->hashed);

	if (entry->count >= max)
		return -EUSERS;
	if (entry->count++ == 0) {
		entry->ip = key->ip;
		shard->used++;
	}
	return 0;
}

/* Frees a place and closes the gap: what lies behind it and would no longer be found
 * moves forward. */
static void erase(const struct address_limit *limit, struct shard *shard, struct entry *entry)
{
	size_t mask = shard->size - 1;
	size_t gap = (size_t)(entry - shard->places);

	for (size_t at = (gap + 1) & mask; shard->places[at].count != 0; at = (at + 1) & mask) {
		size_t from = home(shard, hash(limit, &shard->places[at].ip));

		if (((at - from) & mask) < ((at - gap) & mask))
			continue; /* it begins its search behind the gap */
		shard->places[gap] = shard->places[at];
		gap = at;
	}
	shard->places[gap].count = 0;
	shard->used--;
}

/* A fleet that has left gives its memory back. Keeping the larger table is fine if there
 * is none for a smaller one. */
static void shrink(const struct address_limit *limit, struct shard *shard)
{
	if (shard->size > PLACES_MIN && 16 * shard->used < shard->size)
		(void)resize(limit, shard, shard->size / 4);
}

static void leave(const struct address_limit *limit, const struct key *key)
{
	struct entry *entry = find(key->shard, &key->ip, key->hashed);

	CHECK(entry->count > 0);
	if (--entry->count > 0)
		return;
	erase(limit, key->shard, entry);
	shrink(limit, key->shard);
}

static int enter_locked(struct address_limit *limit, const struct net_ip *ip, uint64_t max)
{
	struct key key = key_of(limit, ip);

	pthread_mutex_lock(&key.shard->mutex);
	int r = enter(limit, &key, max);
	pthread_mutex_unlock(&key.shard->mutex);
	return r;
}

int address_limit_enter(struct address_limit *limit, const struct net_ip *ip)
{
	return enter_locked(limit, ip, address_limit_max(limit));
}

int address_limit_import(struct address_limit *limit, const struct net_ip *ip)
{
	return enter_locked(limit, ip, UINT64_MAX);
}

void address_limit_leave(struct address_limit *limit, const struct net_ip *ip)
{
	struct key key = key_of(limit, ip);

	pthread_mutex_lock(&key.shard->mutex);
	leave(limit, &key);
	pthread_mutex_unlock(&key.shard->mutex);
}

uint64_t address_limit_fullest(struct address_limit *limit)
{
	uint64_t most = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &limit->shards[i];

		pthread_mutex_lock(&shard->mutex);
		for (size_t at = 0; at < shard->size; at++)
			most = MAX(most, shard->places[at].count);
		pthread_mutex_unlock(&shard->mutex);
	}
	return most;
}
