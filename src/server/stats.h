/* SPDX-License-Identifier: Apache-2.0
 * stats.h - what a worker counts, and how others read it.
 *
 * Layer: server. Each worker has its own struct stats, which only its thread writes;
 * any thread may read it. All fields are relaxed atomics: a sum over workers is a
 * moment's picture, not a transaction. */
#pragma once

#include <stdint.h>

#include "base/counter.h"
#include "server/close_table.h"
#include "server/refusal_table.h"

/* Upper edges in microseconds; the last bucket has none. */
#define STATS_HANDSHAKE_EDGES_US                                                              \
	{                                                                                     \
		100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, \
			1000000, 2500000, 5000000, 10000000                                   \
	}
#define STATS_HANDSHAKE_BUCKETS 17

struct stats {
	/* gauges */
	uint64_t connections; /* WebSocket connections: from the 101 to the end of the socket */
	uint64_t sockets;     /* all accepted sockets, those in handshakes included */
	uint64_t stalled;     /* connections that are not read because their queue is full */
	uint64_t partial;     /* connections with a message or a head under way */
	/* counters */
	uint64_t sockets_accepted;
	uint64_t connections_accepted;
	uint64_t accept_errors;
	uint64_t connections_refused[REFUSAL_COUNT];
	uint64_t connections_closed[CLOSE_REASON_COUNT];
	uint64_t http_requests;       /* answered without an upgrade */
	uint64_t handshakes_rejected; /* with a status of 4xx or 5xx that is no limit's */
	uint64_t handshake_timeouts;
	uint64_t takeovers; /* connections that replaced an older one of their client */
	uint64_t conflicts; /* refused because their client is connected; among the rejected */
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t fan_out_delivered; /* of the messages sent: to each of many */
	uint64_t fan_out_cut;
	uint64_t fan_out_refused; /* of the bus, and no good ones */
	uint64_t received_bytes;  /* on WebSocket connections, frame heads included */
	uint64_t sent_bytes;
	uint64_t pings_sent;
	uint64_t stalls;
	uint64_t handshake_count[STATS_HANDSHAKE_BUCKETS];
	uint64_t handshake_sum_us;
};

/* For the owning thread: no lock prefix, since nobody else writes. */
static inline void stat_add(uint64_t *counter, uint64_t count)
{
	counter_set(counter, counter_read(counter) + count);
}

static inline void stat_sub(uint64_t *gauge, uint64_t count)
{
	stat_add(gauge, -count);
}

/* One accepted handshake that took this long. */
void stats_record_handshake(struct stats *stats, uint64_t duration_ns);

/* Adds every field of `from` to `into`, which is the caller's own. */
void stats_merge(struct stats *into, const struct stats *from);
