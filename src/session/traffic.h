/* SPDX-License-Identifier: Apache-2.0
 * traffic.h - what one client has sent and been sent, how fast lately, and what waits for it.
 *
 * Layer: session. Written by the thread of the client's worker alone, without a lock prefix; read
 * by any thread. A moment's picture. Every client has one for as long as it is connected, so it is
 * packed (docs/benchmarks.md), and what is only of interest while something happens is there only
 * then: rates, and what waits.
 *
 * A recent rate is a sum that is halved every 8 ticks of 1.07 s: about the last 13 seconds, of
 * which the newer ones count more. Nothing runs for it: it is brought up to date when something is
 * counted, and by whoever looks. Pings and pongs alone give a client no rate. */
#pragma once

#include "base/counter.h"
#include "base/state.h"

enum traffic_way { TRAFFIC_IN, TRAFFIC_OUT };

/* By way. Relaxed atomics. */
struct traffic_rates {
	float messages[2], bytes[2]; /* recent sums, as they were in `tick` */
	uint32_t tick;
	uint32_t queued; /* [bytes] that wait for the client */
};

struct traffic {
	/* By way. The lower 52 bits are [bytes]; above them are the upper 12 of the messages, whose
	 * lower 32 are in `messages`. Once in 2^32 messages, while one of the two is written, who
	 * reads may see that many less. */
	uint64_t bytes[2];
	uint32_t messages[2];
	/* NULL: nothing has happened lately, or memory was out. Changes under a lock (traffic.c).
	 */
	struct traffic_rates *rates;
};

#define TRAFFIC_TICK_BITS  30 /* [ns] of a tick */
#define TRAFFIC_BYTES_BITS 52
#define TRAFFIC_BYTES_MAX  ((UINT64_C(1) << TRAFFIC_BYTES_BITS) - 1)

/* [bytes] More at once is no control frame (RFC 6455, 5.5). */
#define TRAFFIC_CONTROL_MAX 131

static inline uint32_t traffic_tick(uint64_t now_ns)
{
	return (uint32_t)(now_ns >> TRAFFIC_TICK_BITS);
}

static inline float traffic_float(const float *value)
{
	float read;

	__atomic_load(value, &read, __ATOMIC_RELAXED);
	return read;
}

static inline void traffic_float_set(float *value, float to)
{
	__atomic_store(value, &to, __ATOMIC_RELAXED);
}

static inline uint32_t traffic_u32(const uint32_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* --- in the worker's thread, at `now_ns` of clock_now_ns --- */

/* Has rates from now on, if there is memory. */
void traffic_wake(struct traffic *traffic, uint64_t now_ns);

/* Brings the recent sums to this tick. */
void traffic_settle(struct traffic_rates *rates, uint32_t tick);

/* Nothing has come from the client for a while: if nothing of note has happened lately, and nothing
 * waits, it has no rates any more. */
void traffic_rest(struct traffic *traffic, uint64_t now_ns);

/* Frees what it has; before its memory goes. */
void traffic_finish(struct traffic *traffic);

/* NULL: it has none. */
static inline struct traffic_rates *traffic_begin(struct traffic *traffic, uint64_t now_ns)
{
	if (traffic->rates != NULL && traffic_u32(&traffic->rates->tick) != traffic_tick(now_ns))
		traffic_settle(traffic->rates, traffic_tick(now_ns));
	return traffic->rates;
}

static inline void traffic_add_bytes(struct traffic *traffic, enum traffic_way way, size_t bytes,
				     uint64_t now_ns)
{
	counter_set(&traffic->bytes[way], counter_read(&traffic->bytes[way]) + bytes);
	if (traffic->rates == NULL && bytes > TRAFFIC_CONTROL_MAX)
		traffic_wake(traffic, now_ns);
	struct traffic_rates *rates = traffic_begin(traffic, now_ns);

	if (rates != NULL)
		traffic_float_set(&rates->bytes[way],
				  traffic_float(&rates->bytes[way]) + (float)bytes);
}

/* One more; its bytes are counted apart. */
static inline void traffic_add_message(struct traffic *traffic, enum traffic_way way,
				       uint64_t now_ns)
{
	uint32_t lower = traffic_u32(&traffic->messages[way]) + 1;

	if (lower == 0)
		counter_set(&traffic->bytes[way],
			    counter_read(&traffic->bytes[way]) + TRAFFIC_BYTES_MAX + 1);
	__atomic_store_n(&traffic->messages[way], lower, __ATOMIC_RELAXED);
	if (traffic->rates == NULL)
		traffic_wake(traffic, now_ns);
	struct traffic_rates *rates = traffic_begin(traffic, now_ns);

	if (rates != NULL)
		traffic_float_set(&rates->messages[way], traffic_float(&rates->messages[way]) + 1);
}

/* [bytes] */
static inline uint32_t traffic_queued(const struct traffic *traffic)
{
	return traffic->rates == NULL ? 0 : traffic_u32(&traffic->rates->queued);
}

/* So much waits now. */
void traffic_set_queued(struct traffic *traffic, size_t bytes, uint64_t now_ns);

/* --- for any thread --- */

struct traffic_picture {
	uint64_t messages[2], bytes[2]; /* by way; since the client connected */
	double message_rate[2];         /* [1/s] */
	double byte_rate[2];            /* [bytes/s] */
	uint32_t queued;                /* [bytes] */
};

/* At `now_ns` of clock_now_ns, of a client that has been connected for `age_ns`. */
void traffic_look(const struct traffic *traffic, uint64_t now_ns, uint64_t age_ns,
		  struct traffic_picture *out_picture);

/* --- from process to process (base/state.h) --- */

/* What goes along: all but what waits. */
struct traffic_record {
	uint64_t bytes[2];    /* as in struct traffic */
	uint32_t messages[2]; /* likewise */
	struct traffic_rates rates;
};

void traffic_export(const struct traffic *traffic, struct state_writer *writer);

/* At `now_ns` of clock_now_ns. 0, -EBADMSG or -ENOTSUP, with nothing written. */
int traffic_read(struct traffic_record *out_record, struct slice state, uint64_t now_ns);

/* Into one that is zeroed; without memory without rates. */
void traffic_import(struct traffic *traffic, const struct traffic_record *record);
