/* SPDX-License-Identifier: Apache-2.0
 * blocks.h - clients and addresses that are kept out for a time.
 *
 * Layer: session. Thread-safe: one lock, taken for one handshake's look-up only while there are
 * blocks. Grows with what the API's users ask for, to a maximum. In memory only.
 *
 * What is blocked has one number, which follows from it: so a block that is there already is
 * replaced, and all nodes of a fleet call it the same. Each change has the time at which it was
 * made, and of two the later one holds, whichever is heard first; so what was removed is remembered
 * until it would have ended. Times are ms since the epoch: nodes need clocks that agree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net_ip.h"
#include "session/presence.h"

#define BLOCK_REASON_MAX 200 /* [bytes] */

/* An address block that is shorter would keep out so many that it is no misbehaving client. Of an
 * IPv4 prefix in its own bits. */
#define BLOCK_PREFIX_MIN_V4 8
#define BLOCK_PREFIX_MIN_V6 16

struct block_target {
	char route[PRESENCE_ROUTE_MAX + 1];         /* of a client; of an address "": all routes */
	char client_id[PRESENCE_CLIENT_ID_MAX + 1]; /* "": it is an address */
	struct net_prefix address;
};

struct block {
	struct block_target target;
	uint64_t id;
	uint64_t changed_at_ms; /* made, made anew or removed */
	uint64_t expires_at_ms;
	bool is_removed;
	char reason[BLOCK_REASON_MAX + 1]; /* for people here; "": none was given */
};

/* Which number has it. */
uint64_t block_id_of(const struct block_target *target);

bool block_has(const struct block_target *target, const char *route, const char *client_id,
	       const struct net_ip *remote);

/* [s] until it ends; at least 1. */
unsigned block_seconds_left(const struct block *block, uint64_t now_ms);

struct blocks;

/* NULL: memory is out. */
struct blocks *blocks_create(size_t max);

/* NULL is fine; the pointer is cleared. */
void blocks_destroy(struct blocks **blocks);

/* From any thread. Those that are there stay. */
void blocks_set_max(struct blocks *blocks, size_t max);

enum block_result {
	BLOCK_CHANGED,
	BLOCK_STALE, /* a later change is known already, or it is over: nothing changed */
	BLOCK_FULL,  /* as many are there as may be */
	BLOCK_NO_MEMORY,
	BLOCK_MOVED, /* another process has them, or is about to: nothing changed */
};

/* What is heard of somebody else: makes, replaces or removes. The id is set here. */
enum block_result blocks_put(struct blocks *blocks, const struct block *block, uint64_t now_ms);

/* The same for what somebody wants here and now: sets changed_at_ms too, to later than that of what
 * is known, also if the clock of whoever made that goes before, or ours was set back. */
enum block_result blocks_change(struct blocks *blocks, struct block *block, uint64_t now_ms);

/* False: there is none of this number, or it was removed. */
bool blocks_get(struct blocks *blocks, uint64_t id, uint64_t now_ms, struct block *out_block);

/* Is this client kept out? client_id NULL: it is not known yet, or was made here. False at once
 * while nothing is blocked. */
bool blocks_find(struct blocks *blocks, const char *route, const char *client_id,
		 const struct net_ip *remote, uint64_t now_ms, struct block *out_block);

/* Could blocks_find find any? */
bool blocks_are_any(const struct blocks *blocks);

/* Fills `out` with up to `limit` (> 0) blocks behind the number `after`, in the order of their
 * numbers; with those that were removed, if `has_removed`. *out_is_end: there are no more. */
size_t blocks_list(struct blocks *blocks, uint64_t after, uint64_t now_ms, bool has_removed,
		   struct block *out, size_t limit, bool *out_is_end);

struct blocks_stats {
	uint64_t count;
	uint64_t max;
	uint64_t made; /* here or on another node; those that were made anew included */
	uint64_t removed;
	uint64_t expired;
	uint64_t refused; /* because `max` were there */
};

void blocks_stats(struct blocks *blocks, uint64_t now_ms, struct blocks_stats *out_stats);

/* The same for two tables with the same changes. */
uint64_t blocks_digest(struct blocks *blocks, uint64_t now_ms);

/* --- from process to process (base/state.h) --- */

struct state_reader;
struct state_writer;

/* From now on nobody's wish is taken here, which would be lost (blocks_change). */
void blocks_export(struct blocks *blocks, uint64_t now_ms, struct state_writer *writer);

/* It is, again: nothing came of it. */
void blocks_take_back(struct blocks *blocks);

/* Into one that is empty. 0; -EBADMSG, -ENOTSUP or -ENOMEM, with some of them. */
int blocks_import(struct blocks *blocks, uint64_t now_ms, struct state_reader *reader);
