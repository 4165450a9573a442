/* SPDX-License-Identifier: Apache-2.0
 * hasher.h - a thread that checks passwords of people, which is slow on purpose.
 *
 * Layer: auth. One thread for the whole process, and a queue before it that takes no more than it
 * is told: what floods in costs one core at most, and those who are refused are told so at once. Of
 * one address no more than HASHER_PER_ADDRESS wait, so that nobody fills the queue alone.
 * Thread-safe but for hasher_create and hasher_destroy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/secret.h"
#include "auth/users.h"
#include "base/net_ip.h"
#include "io/mailbox.h"

#define HASHER_PER_ADDRESS 4

struct hasher;

/* At most `max` wait. NULL: memory or threads are out. */
struct hasher *hasher_create(uint64_t max);

/* What waits is dropped; whose question it is has gone by then. NULL is fine. */
void hasher_destroy(struct hasher **hasher);

/* From any thread. Those that wait already stay, also if they are more. */
void hasher_set_max(struct hasher *hasher, uint64_t max);

/* A question; the asker's, in memory of its own until it is told or has cancelled. */
struct hasher_question {
	/* In the mailbox's thread, once, unless it was cancelled. May free the question. */
	void (*done)(struct hasher_question *question, bool is_good);
	struct hasher_job *job; /* the hasher's; NULL: told */
};

/* Does one of `slow` fit what was sent? Copies what it needs. `address` is of whoever asks. False:
 * too many wait, or memory is out, and nobody is told. */
bool hasher_ask(struct hasher *hasher, struct hasher_question *question,
		const struct users_slow *slow, struct slice sent, const struct net_ip *address,
		struct mailbox *mailbox);

/* In the mailbox's thread: `done` is not called any more. */
void hasher_cancel(struct hasher_question *question);

struct hasher_stats {
	uint64_t max, waiting;  /* now; the one under way is among them */
	uint64_t done, refused; /* so far */
	uint64_t busy_ns;       /* so far */
};

struct hasher_stats hasher_stats(struct hasher *hasher);
