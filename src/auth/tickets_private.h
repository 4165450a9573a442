/* SPDX-License-Identifier: Apache-2.0
 * tickets_private.h - what tickets.c and tickets_state.c share.
 *
 * Layer: auth; only these two include it. */
#pragma once

#include <openssl/sha.h>
#include <pthread.h>

#include "auth/tickets.h"
#include "base/list.h"
#include "base/random.h"

struct kept {
	struct list_node node; /* in tickets->all */
	struct kept *next;     /* in its bucket */
	uint64_t number;
	uint64_t ends_ns;
	uint8_t hash[SHA256_DIGEST_LENGTH];
	char *route;
	struct ticket ticket;
};

struct tickets {
	pthread_mutex_t mutex; /* for all below */
	char origin[TICKET_ORIGIN_MAX + 1];
	struct random_source random;
	struct list_node all;
	uint64_t last_number, swept_ns;
	bool has_moved; /* to another process */
	struct tickets_stats stats;
	size_t bucket_count;
	struct kept **buckets;
};

/* NULL is fine. */
void kept_free(struct kept *kept);

/* Both under the lock. One that has its number is in; all of them are freed. */
void tickets_attach(struct tickets *tickets, struct kept *kept);
void tickets_drop_all(struct tickets *tickets);
