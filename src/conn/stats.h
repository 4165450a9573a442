/* SPDX-License-Identifier: Apache-2.0
 * stats.h - what a worker counts, and how others read it.
 *
 * Layer: conn. Each worker has its own struct stats, which only its thread writes;
 * any thread may read it. All fields are relaxed atomics: a sum over workers is a
 * moment's picture, not a transaction. */
#pragma once

#include <stdint.h>

#include "base/counter.h"
#include "base/durations.h"
#include "conn/close_table.h"
#include "conn/refusal_table.h"

struct stats {
	/* gauges */
	uint64_t connections; /* WebSocket connections: from the 101 to the end of the socket */
	uint64_t sockets;     /* all accepted sockets, those in handshakes included */
	uint64_t stalled;     /* connections that are not read because their queue is full */
	uint64_t rate_held;   /* of them, because of message_rate or byte_rate */
	uint64_t send_queue_bytes;   /* that wait for clients; as of the last look at each */
	uint64_t send_queue_clients; /* for whom something waits */
	uint64_t kept;               /* HTTP connections that go on to a next request */
	uint64_t partial;            /* connections with a message or a head under way */
	uint64_t compressed;         /* connections that agreed on permessage-deflate */
	uint64_t windows;            /* that they keep, a direction each */
	/* counters */
	uint64_t sockets_accepted;
	uint64_t connections_accepted;
	uint64_t accept_errors;
	uint64_t connections_refused[REFUSAL_COUNT];
	uint64_t connections_closed[CLOSE_REASON_COUNT];
	uint64_t http_requests;       /* answered without an upgrade */
	uint64_t handshakes_rejected; /* with a status of 4xx or 5xx that is no limit's */
	uint64_t handshake_timeouts;
	uint64_t browsers_told;      /* refused by a close code (phase_refusing.h) */
	uint64_t browsers_untold;    /* by HTTP, because refuse_browsers_max were */
	uint64_t kept_refused;       /* connections not kept, because keep_alive_max were */
	uint64_t tls_hellos;         /* among the rejected: TLS, spoken to this plain port */
	uint64_t takeovers;          /* connections that replaced an older one of their client */
	uint64_t takeovers_repeated; /* of them, of a client that was taken over just before */
	uint64_t conflicts; /* refused because their client is connected; among the rejected */
	uint64_t blocked;   /* refused because they are blocked (blocked.h); likewise */
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t fan_out_delivered; /* of the messages sent: to each of many */
	uint64_t fan_out_cut;
	uint64_t fan_out_refused; /* of the bus, and no good ones */
	uint64_t received_bytes;  /* on WebSocket connections, frame heads included */
	uint64_t sent_bytes;
	uint64_t pings_sent;
	uint64_t stalls;
	uint64_t
		windows_refused; /* clients that got none, because compression_memory was used up */
	/* Of messages that came or went compressed: as they were on the wire, and plain. */
	uint64_t inflated_in_bytes;
	uint64_t inflated_out_bytes;
	uint64_t deflated_in_bytes;
	uint64_t deflated_out_bytes;
	uint64_t compression_saved; /* [bytes] of both */
	uint64_t not_deflated;      /* messages that compression would have made no smaller */
	uint64_t renewals;          /* ends of proofs that a new token moved */
	uint64_t renewals_refused;
	uint64_t rate_holds;         /* of them, because of message_rate or byte_rate */
	uint64_t memory_stops;       /* of them, because payload memory was scarce */
	struct durations handshakes; /* in buckets of durations_short_us */
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

/* Adds every field of `from` to `into`, which is the caller's own. */
void stats_merge(struct stats *into, const struct stats *from);
