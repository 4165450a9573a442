/* SPDX-License-Identifier: Apache-2.0
 * pace.h - how often somebody may guess.
 *
 * Layer: auth. Thread-safe. Remembers wrong proofs, of an address (of IPv6 its /64) and of a name
 * on a route, in a table of fixed size; each count runs out over a minute. Who is over the limit is
 * not looked at, until it has run out so far that there is room for one more.
 *
 * Nobody is locked out by a stranger:
 * - What cannot be guessed (a key of 128 bits, a signature, a certificate) is looked at always.
 * - A name that strangers guess at is closed to addresses that have shown something wrong lately,
 *   and to no others.
 * - A name that was proved from an address is open to that address, whoever else guesses there;
 *   until somebody guesses wrong at it from there.
 *
 * Whoever comes by a unix socket, and of whom no trusted proxy says where from, has no address:
 * there the names alone are counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/net_ip.h"
#include "base/slice.h"

struct pace;
struct state_reader;
struct state_writer;

/* `max` wrong proofs a minute; 0: no limit, and nothing is remembered. NULL: memory is out. */
struct pace *pace_create(uint64_t max);
void pace_destroy(struct pace **pace);

/* From any thread. What is remembered counts on, and runs out at the new rate. */
void pace_set_max(struct pace *pace, uint64_t max);

/* Whose proofs are counted. `now_ms` of a monotonic clock. */
struct pace_who {
	struct net_ip address;
	const char *route;
	struct slice name;
	uint64_t now_ms;
};

/* May this one guess at this name? NULL for a pace: always. */
bool pace_may_guess(struct pace *pace, const struct pace_who *who);

/* It guessed wrong at this name. */
void pace_wrong_name(struct pace *pace, const struct pace_who *who);

/* This address showed something wrong, of whatever kind. False: it is over the limit already. */
bool pace_wrong_address(struct pace *pace, const struct pace_who *who);

/* It was right. */
void pace_right(struct pace *pace, const struct pace_who *who);

/* For the next process on this machine, whose clock is the same: all that has not run out, with the
 * key of its hash, which is a secret. Into one that was not asked yet; NULL: nothing is wanted. 0,
 * or -EBADMSG: no process has written that. */
void pace_export(struct pace *pace, uint64_t now_ms, struct state_writer *writer);
int pace_import(struct pace *pace, struct state_reader *reader);

struct pace_stats {
	uint64_t max;     /* a minute */
	uint64_t places;  /* of the table */
	uint64_t used;    /* about */
	uint64_t highest; /* count of an address or a name since the start, rounded up */
	uint64_t dropped; /* that had not run out, for want of a place */
	uint64_t refused; /* not looked at */
};

struct pace_stats pace_stats(struct pace *pace);
uint64_t pace_max(const struct pace *pace);
