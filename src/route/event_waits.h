/* SPDX-License-Identifier: Apache-2.0
 * event_waits.h - the events of a back end that are not done with, of all its clients: so that it
 * is known how old the oldest is.
 *
 * Layer: route. Thread-safe. In shards, of which each thread uses one, so that workers do not wait
 * for one another. Zeroed memory is an empty one. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define EVENT_WAITS_SHARDS 16

struct event_waits {
	struct event_waits_shard {
		_Alignas(64) pthread_mutex_t mutex;
		struct list_node events; /* in the order in which they came; zeros: none yet */
		/* Those that came with their clients from another process, in any order. */
		uint64_t restored, restored_oldest_ns;
	} shards[EVENT_WAITS_SHARDS];
};

/* Lies in the event. */
struct event_wait {
	struct list_node node;
	uint64_t time_ns; /* since the epoch: when the event began to wait */
	uint8_t shard;
	bool is_restored;
};

void event_waits_add(struct event_waits *waits, struct event_wait *wait, uint64_t time_ns,
		     bool is_restored);
void event_waits_remove(struct event_waits *waits, struct event_wait *wait);

/* [ns since the epoch] 0: none waits. While one is left that came from another process: the oldest
 * of those that came. */
uint64_t event_waits_oldest_ns(struct event_waits *waits);
