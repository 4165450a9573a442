/* SPDX-License-Identifier: Apache-2.0
 * blocks.c - a list of blocks, sorted by their numbers. An address is looked for under each length
 * of prefix that there is: as a rule one or two. */
#include "session/blocks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/siphash.h"
#include "session/blocks_private.h"

/* Strangers choose no blocks. */
static const struct siphash_key key = {
	{UINT64_C(0x676174656f757365), UINT64_C(0x626c6f636b733030)}};

/* --- targets --- */

uint64_t block_id_of(const struct block_target *target)
{
	uint8_t text[1 + PRESENCE_ROUTE_MAX + 1 + PRESENCE_CLIENT_ID_MAX + 1 + NET_IP_BITS / 8];
	size_t route_len = strlen(target->route) + 1, len = 1;

	text[0] = target->client_id[0] != 0 ? 'c' : 'a';
	memcpy(text + len, target->route, route_len);
	len += route_len;
	if (text[0] == 'c') {
		memcpy(text + len, target->client_id, strlen(target->client_id));
		len += strlen(target->client_id);
	} else {
		memcpy(text + len, target->address.ip.bytes, sizeof(target->address.ip.bytes));
		len += sizeof(target->address.ip.bytes);
		text[len++] = target->address.bits;
	}
	return siphash(&key, slice_of(text, len));
}

bool block_has(const struct block_target *target, const char *route, const char *client_id,
	       const struct net_ip *remote)
{
	if (target->client_id[0] != 0)
		return client_id != NULL && strcmp(target->client_id, client_id) == 0 &&
		       strcmp(target->route, route) == 0;
	return net_prefix_has(&target->address, remote) &&
	       (target->route[0] == 0 || strcmp(target->route, route) == 0);
}

unsigned block_seconds_left(const struct block *block, uint64_t now_ms)
{
	uint64_t left_ms = block->expires_at_ms > now_ms ? block->expires_at_ms - now_ms : 1;

	return (unsigned)MIN((left_ms + 999) / 1000, (uint64_t)UINT32_MAX);
}

/* --- the list; under the mutex --- */

/* Where it is, or would be. */
static size_t place_of(const struct blocks *blocks, uint64_t id)
{
	size_t low = 0, high = blocks->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (blocks->items[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct block *at(const struct blocks *blocks, uint64_t id)
{
	size_t place = place_of(blocks, id);

	return place < blocks->used && blocks->items[place]->id == id ? blocks->items[place] : NULL;
}

/* Among those that keep somebody out. */
static void count(struct blocks *blocks, const struct block *block, int change)
{
	if (block->is_removed)
		return;
	counter_set(&blocks->count, blocks->count + (uint64_t)change);
	if (block->target.client_id[0] == 0)
		blocks->lengths[block->target.address.bits] += (uint32_t)change;
}

static void drop(struct blocks *blocks, size_t place)
{
	count(blocks, blocks->items[place], -1);
	free(blocks->items[place]);
	blocks->used--;
	memmove(&blocks->items[place], &blocks->items[place + 1],
		(blocks->used - place) * sizeof(struct block *));
}

/* All that are over. Nothing to do but look, as a rule. */
static void purge(struct blocks *blocks, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;

	if (now_ms < blocks->next_end_ms)
		return;
	for (size_t i = blocks->used; i-- > 0;) {
		if (blocks->items[i]->expires_at_ms > now_ms) {
			next_ms = MIN(next_ms, blocks->items[i]->expires_at_ms);
			continue;
		}
		if (!blocks->items[i]->is_removed)
			blocks->stats.expired++;
		drop(blocks, i);
	}
	blocks->next_end_ms = next_ms;
}

/* Which was removed first; blocks->used: none was. */
static size_t first_removed(const struct blocks *blocks)
{
	size_t first = blocks->used;

	for (size_t i = 0; i < blocks->used; i++)
		if (blocks->items[i]->is_removed &&
		    (first == blocks->used ||
		     blocks->items[i]->changed_at_ms < blocks->items[first]->changed_at_ms))
			first = i;
	return first;
}

/* Of what was removed there is no more than of what may be there, and those that were removed last:
 * so nodes that have heard the same remember the same, in whichever order they heard it. */
static void forget_removed(struct blocks *blocks)
{
	while (blocks->used - blocks->count > blocks->max)
		drop(blocks, first_removed(blocks));
}

static bool is_to_be_remembered(const struct blocks *blocks, const struct block *block)
{
	return blocks->used - blocks->count < blocks->max ||
	       (blocks->max > 0 &&
		blocks->items[first_removed(blocks)]->changed_at_ms < block->changed_at_ms);
}

static bool grow(struct blocks *blocks)
{
	size_t room = blocks->room == 0 ? 16 : blocks->room * 2;
	struct block **items = realloc(blocks->items, room * sizeof(struct block *));

	if (items == NULL)
		return false;
	blocks->items = items;
	blocks->room = room;
	return true;
}

static enum block_result insert(struct blocks *blocks, const struct block *block)
{
	if (!block->is_removed && blocks->count >= blocks->max) {
		blocks->stats.refused++;
		return BLOCK_FULL;
	}
	if (block->is_removed && !is_to_be_remembered(blocks, block))
		return BLOCK_STALE;
	if (blocks->used == blocks->room && !grow(blocks))
		return BLOCK_NO_MEMORY;
	struct block *made = malloc(sizeof(*made));
	size_t place = place_of(blocks, block->id);

	if (made == NULL)
		return BLOCK_NO_MEMORY;
	*made = *block;
	memmove(&blocks->items[place + 1], &blocks->items[place],
		(blocks->used - place) * sizeof(struct block *));
	blocks->items[place] = made;
	blocks->used++;
	count(blocks, made, 1);
	forget_removed(blocks);
	return BLOCK_CHANGED;
}

static enum block_result replace(struct blocks *blocks, struct block *old,
				 const struct block *block)
{
	if (block->changed_at_ms <= old->changed_at_ms)
		return BLOCK_STALE;
	if (old->is_removed && !block->is_removed && blocks->count >= blocks->max) {
		blocks->stats.refused++;
		return BLOCK_FULL;
	}
	count(blocks, old, -1);
	*old = *block;
	count(blocks, old, 1);
	forget_removed(blocks); /* perhaps `old` */
	return BLOCK_CHANGED;
}

enum block_result blocks_apply(struct blocks *blocks, const struct block *block, uint64_t now_ms)
{
	struct block change = *block;
	enum block_result result;

	purge(blocks, now_ms);
	if (block->expires_at_ms <= now_ms)
		return BLOCK_STALE;
	change.id = block_id_of(&change.target);
	struct block *old = at(blocks, change.id);

	result = old == NULL ? insert(blocks, &change) : replace(blocks, old, &change);
	if (result == BLOCK_CHANGED)
		blocks->next_end_ms = MIN(blocks->next_end_ms, change.expires_at_ms);
	return result;
}

/* --- life --- */

struct blocks *blocks_create(size_t max)
{
	struct blocks *blocks = calloc(1, sizeof(*blocks));

	if (blocks == NULL)
		return NULL;
	pthread_mutex_init(&blocks->mutex, NULL);
	blocks->max = max;
	blocks->next_end_ms = UINT64_MAX;
	return blocks;
}

void blocks_destroy(struct blocks **blocks)
{
	struct blocks *self = *blocks;

	*blocks = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->used; i++)
		free(self->items[i]);
	free(self->items);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

void blocks_set_max(struct blocks *blocks, size_t max)
{
	pthread_mutex_lock(&blocks->mutex);
	blocks->max = max;
	pthread_mutex_unlock(&blocks->mutex);
}

/* --- changes --- */

/* Under the mutex. */
static enum block_result put(struct blocks *blocks, const struct block *block, uint64_t now_ms)
{
	enum block_result result = blocks_apply(blocks, block, now_ms);

	if (result == BLOCK_CHANGED && block->is_removed)
		blocks->stats.removed++;
	else if (result == BLOCK_CHANGED)
		blocks->stats.made++;
	return result;
}

static bool is_of_somebody(const struct block *block)
{
	return block->target.client_id[0] == 0 || block->target.route[0] != 0;
}

enum block_result blocks_put(struct blocks *blocks, const struct block *block, uint64_t now_ms)
{
	CHECK(is_of_somebody(block));
	pthread_mutex_lock(&blocks->mutex);
	enum block_result result = put(blocks, block, now_ms);

	pthread_mutex_unlock(&blocks->mutex);
	return result;
}

enum block_result blocks_change(struct blocks *blocks, struct block *block, uint64_t now_ms)
{
	CHECK(is_of_somebody(block));
	pthread_mutex_lock(&blocks->mutex);
	const struct block *old = at(blocks, block_id_of(&block->target));

	block->changed_at_ms = old == NULL ? now_ms : MAX(now_ms, old->changed_at_ms + 1);
	enum block_result result = blocks->has_moved ? BLOCK_MOVED : put(blocks, block, now_ms);

	pthread_mutex_unlock(&blocks->mutex);
	return result;
}

/* --- questions --- */

static bool is_in_force(const struct block *block, uint64_t now_ms)
{
	return block != NULL && !block->is_removed && block->expires_at_ms > now_ms;
}

bool blocks_are_any(const struct blocks *blocks)
{
	return counter_read(&blocks->count) > 0;
}

bool blocks_get(struct blocks *blocks, uint64_t id, uint64_t now_ms, struct block *out_block)
{
	pthread_mutex_lock(&blocks->mutex);
	const struct block *found = at(blocks, id);
	bool is_there = is_in_force(found, now_ms);

	if (is_there)
		*out_block = *found;
	pthread_mutex_unlock(&blocks->mutex);
	return is_there;
}

static const struct block *find_target(const struct blocks *blocks,
				       const struct block_target *target, uint64_t now_ms)
{
	const struct block *found = at(blocks, block_id_of(target));

	return is_in_force(found, now_ms) ? found : NULL;
}

/* On this route, and on all. */
static const struct block *find_prefix(const struct blocks *blocks, const char *route,
				       const struct net_ip *remote, unsigned bits, uint64_t now_ms)
{
	struct block_target target = {
		.address = {.ip = net_ip_cut(remote, bits), .bits = (uint8_t)bits}};
	const struct block *found = find_target(blocks, &target, now_ms);

	if (found != NULL)
		return found;
	memcpy(target.route, route, strlen(route) + 1);
	return find_target(blocks, &target, now_ms);
}

/* "::/16" has no IPv4 address in it, and no client of a unix socket. */
static const struct block *find_address(const struct blocks *blocks, const char *route,
					const struct net_ip *remote, uint64_t now_ms)
{
	unsigned from = net_ip_is_unix(remote) ? NET_IP_BITS
			: net_ip_is_v4(remote) ? NET_IP_V4_BITS
					       : 0;

	for (unsigned bits = NET_IP_BITS + 1; bits-- > from;) {
		const struct block *found = blocks->lengths[bits] == 0
						    ? NULL
						    : find_prefix(blocks, route, remote, bits,
								  now_ms);

		if (found != NULL)
			return found;
	}
	return NULL;
}

static const struct block *find_client(const struct blocks *blocks, const char *route,
				       const char *client_id, uint64_t now_ms)
{
	struct block_target target = {.route = ""};

	if (client_id == NULL || client_id[0] == 0)
		return NULL;
	CHECK(strlen(client_id) <= PRESENCE_CLIENT_ID_MAX);
	memcpy(target.route, route, strlen(route) + 1);
	memcpy(target.client_id, client_id, strlen(client_id) + 1);
	return find_target(blocks, &target, now_ms);
}

bool blocks_find(struct blocks *blocks, const char *route, const char *client_id,
		 const struct net_ip *remote, uint64_t now_ms, struct block *out_block)
{
	if (!blocks_are_any(blocks))
		return false;
	CHECK(strlen(route) <= PRESENCE_ROUTE_MAX);
	pthread_mutex_lock(&blocks->mutex);
	const struct block *found = find_client(blocks, route, client_id, now_ms);

	if (found == NULL)
		found = find_address(blocks, route, remote, now_ms);
	if (found != NULL)
		*out_block = *found;
	pthread_mutex_unlock(&blocks->mutex);
	return found != NULL;
}

size_t blocks_list(struct blocks *blocks, uint64_t after, uint64_t now_ms, bool has_removed,
		   struct block *out, size_t limit, bool *out_is_end)
{
	size_t found = 0;

	CHECK(limit > 0);
	pthread_mutex_lock(&blocks->mutex);
	purge(blocks, now_ms);
	size_t i = after == UINT64_MAX ? blocks->used : place_of(blocks, after + 1);

	if (after == 0)
		i = 0;
	for (; i < blocks->used && found < limit; i++)
		if (has_removed || !blocks->items[i]->is_removed)
			out[found++] = *blocks->items[i];
	while (i < blocks->used && !has_removed && blocks->items[i]->is_removed)
		i++;
	*out_is_end = i == blocks->used;
	pthread_mutex_unlock(&blocks->mutex);
	return found;
}

void blocks_stats(struct blocks *blocks, uint64_t now_ms, struct blocks_stats *out_stats)
{
	pthread_mutex_lock(&blocks->mutex);
	purge(blocks, now_ms);
	*out_stats = blocks->stats;
	out_stats->count = blocks->count;
	out_stats->max = blocks->max;
	pthread_mutex_unlock(&blocks->mutex);
}

uint64_t blocks_digest(struct blocks *blocks, uint64_t now_ms)
{
	uint64_t digest = 0;

	pthread_mutex_lock(&blocks->mutex);
	purge(blocks, now_ms);
	for (size_t i = 0; i < blocks->used; i++) {
		const uint64_t words[] = {blocks->items[i]->id, blocks->items[i]->changed_at_ms};

		digest ^= siphash(&key, slice_of((const uint8_t *)words, sizeof(words)));
	}
	pthread_mutex_unlock(&blocks->mutex);
	return digest;
}
