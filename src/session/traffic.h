/* SPDX-License-Identifier: Apache-2.0
 * traffic.h - what one client has sent and been sent, how fast lately, and what waits for it.
 *
 * Layer: session. Written by the thread of the client's worker alone, without a lock prefix; read
 * by any thread. All of it is relaxed atomics: a moment's picture. Every client has one for as long
 * as it is connected, so it is packed (docs/benchmarks.md).
 *
 * A recent rate is a sum that is halved every 8 ticks of 1.07 s: about the last 13 seconds, of
 * which the newer ones count more. Nothing runs for it: it is brought up to date when something is
 * counted, and by whoever looks. */
#pragma once

#include "base/counter.h"
#include "base/state.h"

enum traffic_way { TRAFFIC_IN, TRAFFIC_OUT };

struct traffic {
	/* By way. The lower 52 bits are [bytes]; above them are the upper 12 of the messages, whose
	 * lower 32 are in `messages`. Once in 2^32 messages, while one of the two is written, who
	 * reads may see that many less. */
	uint64_t bytes[2];
	uint32_t messages[2];
	float recent_messages[2], recent_bytes[2]; /* as they were in `tick` */
	uint32_t tick;
	uint32_t queued; /* [bytes] that wait for the client */
};

#define TRAFFIC_TICK_BITS  30 /* [ns] of a tick */
#define TRAFFIC_BYTES_BITS 52
#define TRAFFIC_BYTES_MAX  ((UINT64_C(1) << TRAFFIC_BYTES_BITS) - 1)

/* Brings the recent sums to this tick. */
void traffic_settle(struct traffic *traffic, uint32_t tick);

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

static inline void traffic_begin(struct traffic *traffic, uint64_t now_ns)
{
	uint32_t tick = (uint32_t)(now_ns >> TRAFFIC_TICK_BITS);

	if (traffic_u32(&traffic->tick) != tick)
		traffic_settle(traffic, tick);
}

/* In the worker's thread, at `now_ns` of clock_now_ns. */
static inline void traffic_add_bytes(struct traffic *traffic, enum traffic_way way, size_t bytes,
				     uint64_t now_ns)
{
	traffic_begin(traffic, now_ns);
	counter_set(&traffic->bytes[way], counter_read(&traffic->bytes[way]) + bytes);
	traffic_float_set(&traffic->recent_bytes[way],
			  traffic_float(&traffic->recent_bytes[way]) + (float)bytes);
}

/* One more; its bytes are counted apart. */
static inline void traffic_add_message(struct traffic *traffic, enum traffic_way way,
				       uint64_t now_ns)
{
	uint32_t lower = traffic_u32(&traffic->messages[way]) + 1;

	traffic_begin(traffic, now_ns);
	if (lower == 0)
		counter_set(&traffic->bytes[way],
			    counter_read(&traffic->bytes[way]) + TRAFFIC_BYTES_MAX + 1);
	__atomic_store_n(&traffic->messages[way], lower, __ATOMIC_RELAXED);
	traffic_float_set(&traffic->recent_messages[way],
			  traffic_float(&traffic->recent_messages[way]) + 1);
}

static inline void traffic_set_queued(struct traffic *traffic, size_t bytes)
{
	__atomic_store_n(&traffic->queued, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes,
			 __ATOMIC_RELAXED);
}

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

/* But for what waits. */
void traffic_export(const struct traffic *traffic, struct state_writer *writer);

/* At `now_ns` of clock_now_ns. 0, -EBADMSG or -ENOTSUP, with nothing written. */
int traffic_import(struct traffic *traffic, struct slice state, uint64_t now_ns);
