/* SPDX-License-Identifier: Apache-2.0
 * directory.h - which clients are connected to this node: the one shared map.
 *
 * Layer: session. Thread-safe: split by a keyed hash of route and client id into shards
 * with a lock each, held for one look-up or for one shard of a listing. Grows with the
 * clients that are connected now, which max_connections bounds: 4 to 8 bytes each beside
 * the presence, and 28 KiB. Holds a reference of each presence in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "session/presence.h"

struct directory;

/* What happens if a client is there already. */
enum directory_policy {
	DIRECTORY_NEWEST, /* the newer one takes its place */
	DIRECTORY_OLDEST, /* the newer one stays out */
	DIRECTORY_MANY,   /* both are there */
};

/* Each takeover heats its client up by one degree, and with time it cools down again: the heat
 * goes along from presence to presence, so it needs no memory of its own. */
#define DIRECTORY_HEAT_MAX 127

/* Two devices with one id that both wait before they come again do not heat it up. So takeovers
 * of which each comes that soon after the one before are a row, whose length goes along, too. */
#define DIRECTORY_ROW_MS (UINT64_C(5) * 60 * 1000)

/* Of connection ids. */
#define DIRECTORY_ID_MAX ((UINT64_C(1) << 48) - 1)

/* NULL: memory is out. */
struct directory *directory_create(void);

/* From any thread: a client may be taken over so many times in a row, and then as often in each
 * minute. At most DIRECTORY_HEAT_MAX - 1; 0: without limit. */
void directory_pace_takeovers(struct directory *directory, uint64_t per_minute);

/* Must be empty. NULL is fine. */
void directory_destroy(struct directory **directory);

/* The connection_id that a presence takes before it enters, because somebody must know it
 * then: written to presence->connection_id by the caller. */
uint64_t directory_reserve_id(struct directory *directory);

/* Gives the presence its connection_id, unless it has one, and its generation, unless that is
 * higher, and enters it, atomically.
 * NEWEST: true; *out_older is the head of a list of those it replaced, or NULL: take each
 * off with directory_pop, and presence_evict it. Or false, as with OLDEST: the client is taken
 * over too often.
 * OLDEST: true, or false with *out_older the one that is there, referenced.
 * MANY: true. */
bool directory_enter(struct directory *directory, struct presence *presence,
		     enum directory_policy policy, struct presence **out_older);

/* Would NEWEST be let in now? False: it is taken over too often, with *out_older as above. */
bool directory_may_take_over(struct directory *directory, const struct presence *presence,
			     struct presence **out_older);

/* The next of such a list, the caller's reference; NULL at its end. */
struct presence *directory_pop(struct presence **list);

/* Places that a connection has taken of limits: bits whose meaning is the caller's. */
struct directory_heir {
	uint8_t places; /* that the newer one lacks and wants to take over */
	/* Can it take them from this one? Runs under a lock: no call that blocks. */
	bool (*may_inherit)(const struct presence *older, void *arg);
	void *arg;
};

/* As directory_enter with NEWEST, but only in the stead of one that is there and whose
 * places it may have: the newest, which from then on has lost them (directory_leave).
 * False: there is none such, or it is taken over too often; nothing was changed and nothing is
 * written. */
bool directory_inherit(struct directory *directory, struct presence *presence,
		       const struct directory_heir *heir, struct presence **out_older);

/* Removes exactly this presence, whoever has its key by now; harmless if it was replaced.
 * Returns the places that it has lost to a newer one: those are not its own to give
 * back. */
uint8_t directory_leave(struct directory *directory, struct presence *presence);

/* The newest connection of this client, the caller's reference; NULL: not connected. */
struct presence *directory_find(struct directory *directory, const char *route,
				const char *client_id);

/* Is exactly this presence there, and was not replaced? */
bool directory_has(struct directory *directory, const struct presence *presence);

/* --- clients that another process hands over --- */

/* The highest connection_id that was given. */
uint64_t directory_last_id(const struct directory *directory);

/* Before the first one enters: ids here go on so far behind `last_id` of the other process that it
 * may give some more to those that it keeps. False: that is none of another process. */
#define DIRECTORY_ID_GAP (UINT64_C(1) << 24)
bool directory_continue_ids(struct directory *directory, uint64_t last_id);

/* Enters it with the connection_id, the generation and the heat that it has, beside all others.
 * False: such an id was never given, or it is there already. */
bool directory_import(struct directory *directory, struct presence *presence);

/* A moment's picture. */
uint64_t directory_count(const struct directory *directory);

/* --- listing --- */

/* Where a walk stands. The order is by the hash of route and client id, and so does not
 * change while clients come and go: a walk over pages sees each connection that is there
 * from its begin to its end exactly once, and so a client that is taken over meanwhile: its
 * newer connection has the same hash and a higher id. It is two numbers, so that it can be
 * handed out and taken back as text; one from another process starts somewhere else, and
 * that is all. */
struct directory_cursor {
	uint64_t hash;
	uint64_t connection_id; /* falling under one hash */
};

#define DIRECTORY_START ((struct directory_cursor){0, UINT64_MAX})

/* Runs under a lock: no call that blocks, and none to the directory. */
typedef bool directory_wanted_fn(const struct presence *presence, const void *arg);

struct directory_filter {
	directory_wanted_fn *is_wanted; /* NULL: all are */
	const void *arg;
};

/* Likewise. False: that is enough for this call. */
typedef bool directory_visit_fn(struct presence *presence, void *arg);

/* Visits up to `looks` (> 0) presences behind the cursor, and moves it behind the last. True: there
 * are no more. */
bool directory_scan(struct directory *directory, struct directory_cursor *cursor, size_t looks,
		    directory_visit_fn *visit, void *arg);

/* Fills `out` with up to `limit` (> 0) presences behind the cursor, referenced for the
 * caller, and moves the cursor behind the last. Returns how many. *out_is_end: the walk
 * is over; without it a page may be short, because only so many are looked at in one
 * call. */
size_t directory_list(struct directory *directory, const struct directory_filter *filter,
		      struct directory_cursor *cursor, struct presence **out, size_t limit,
		      bool *out_is_end);
