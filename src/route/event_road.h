/* SPDX-License-Identifier: Apache-2.0
 * event_road.h - events whose attempt was under way when their client moved to a newer process of
 * the gateway.
 *
 * Layer: route. The older process ends the attempt and tells how; until then the event is under way
 * elsewhere for the newer one, which tries again if it is not told before the older one has ended.
 * Thread-safe; what is said of a flight is said in the thread of its uplink. */
#pragma once

#include "route/event_uplink.h"
#include "session/handover_road.h"

struct event_road;

/* Listens on `road`, which outlives it. NULL: memory is out. */
struct event_road *event_road_create(struct handover_road *road);

/* When nothing comes by the road any more, and no uplink is left. NULL is fine; the pointer is
 * cleared. */
void event_road_destroy(struct event_road **road);

/* In the older process: the attempt for the flight's event has ended so. */
void event_road_tell(struct event_road *road, const struct event_flight *flight,
		     const struct carry_verdict *verdict);

/* In the newer one: event_flight_told or event_flight_alone is called in this thread, once. 0 or
 * -ENOMEM. */
int event_road_wait(struct event_road *road, struct event_flight *flight);

/* It is not called any more. Harmless if nobody waits. */
void event_road_leave(struct event_road *road, struct event_flight *flight);

/* --- what is told --- */

struct event_told {
	uint64_t connection_id;
	uint64_t sequence;
	struct carry_verdict
		verdict; /* its texts lie in the bytes; CARRY_FAILED: to be tried again */
};

/* 0 or -ENOMEM. */
int event_told_write(struct buf *out, const struct event_told *told);

/* False: it is none. */
bool event_told_read(struct slice bytes, struct event_told *out_told);
