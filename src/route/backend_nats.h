/* SPDX-License-Identifier: Apache-2.0
 * backend_nats.h - a back end that is told of events by messages on the bus.
 *
 * Layer: route. Events go to gatehouse.up.<route>.<client_id>. A plain one counts as taken
 * when the bus has it, a durable one when a stream has stored it. */
#pragma once

#include <pthread.h>

#include "route/backend_type.h"

#define BACKEND_NATS_STREAM_MAX 255 /* [bytes] */

/* Why what was published or asked did not end well. X(NAME, label) */
#define NATS_CAUSE_TABLE(X)                                                                 \
	X(NO_RESPONDERS, "no_responders") /* nobody answers there, or there is no stream */ \
	X(TIMEOUT, "timeout")                                                               \
	X(DISCONNECTED, "disconnected") /* the broker is away, or was lost meanwhile */     \
	X(REFUSED, "refused")           /* by the stream */                                 \
	X(FORBIDDEN, "forbidden")       /* by the broker's permissions */                   \
	X(PENDING_MAX, "pending_max")   /* bus.pending_max is reached */                    \
	X(TOO_BIG, "too_big")           /* for the broker; or it cannot be a message */     \
	X(INTERNAL, "internal")         /* memory is out on our side */

#define NATS_CAUSE_ENUM(NAME, label) NATS_CAUSE_##NAME,
enum nats_cause { NATS_CAUSE_TABLE(NATS_CAUSE_ENUM) NATS_CAUSE_COUNT };

/* Relaxed atomics. */
struct nats_stats {
	uint64_t in_flight; /* gauge: of what is waited for */
	uint64_t attempts;
	uint64_t retries;
	uint64_t failures[NATS_CAUSE_COUNT];
	struct durations durations; /* of what is waited for; in buckets of durations_short_us */
};

struct backend_nats {
	struct event_backend base;
	struct bus *bus;
	uint64_t is_durable;                      /* atomic */
	pthread_mutex_t mutex;                    /* guards the next */
	char stream[BACKEND_NATS_STREAM_MAX + 1]; /* "" = any */
	struct nats_stats stats;
};

extern const struct backend_type backend_nats;

/* carrier_nats.c */
extern const struct event_carrier carrier_nats;
