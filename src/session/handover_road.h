/* SPDX-License-Identifier: Apache-2.0
 * handover_road.h - what two processes of one gateway tell each other from the moment that the
 * newer one has the clients until the older one ends.
 *
 * Layer: session. Server/ makes the road and carries what is told, in order; route/ and fleet/
 * tell and listen. Telling is safe from every thread and never blocks; ears are called in one
 * thread of the road, one after the other, and neither block nor end the road. What they get is a
 * run of fields (base/state.h), from a version that may be older or newer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Who tells it. The numbers are for ever: one that is not known is passed over. */
enum road_kind {
	ROAD_EVENT = 1,   /* older: how an attempt ended that was under way (route/event_road.h) */
	ROAD_MESSAGE = 2, /* older: what the broker has brought for clients that have moved */
	ROAD_BUS = 3,     /* both: how far they have come with the broker (fleet/bus_road.h) */
	ROAD_COMMAND = 4, /* older: is to be brought to a client (fleet/command_road.h) */
	ROAD_RESULT = 5,  /* newer: how such a command ended, or one that moved with its client */
	ROAD_FAN_OUT = 6, /* older: a message to many (server/broadcast_gate.h) */
	ROAD_FAN_OUT_RESULT = 7, /* newer: to how many it went */
	ROAD_KIND_COUNT
};

/* Left out functions are NULL. */
struct road_ear {
	void (*on_told)(void *arg, struct slice bytes); /* lent */
	/* Once, after all that was told: the other process has ended. */
	void (*on_end)(void *arg);
	void *arg;
};

struct handover_road {
	/* Copies. False: the other has ended, or memory is out; then nobody hears it. */
	bool (*tell)(struct handover_road *road, enum road_kind kind, struct slice bytes);
	struct road_ear ears[ROAD_KIND_COUNT];
};

/* Before the first is told. */
static inline void road_listen(struct handover_road *road, enum road_kind kind,
			       const struct road_ear *ear)
{
	road->ears[kind] = *ear;
}

/* For who carries. */
static inline void road_hear(struct handover_road *road, uint64_t kind, struct slice bytes)
{
	if (kind < ROAD_KIND_COUNT && road->ears[kind].on_told != NULL)
		road->ears[kind].on_told(road->ears[kind].arg, bytes);
}

static inline void road_end(struct handover_road *road)
{
	for (unsigned kind = 0; kind < ROAD_KIND_COUNT; kind++)
		if (road->ears[kind].on_end != NULL)
			road->ears[kind].on_end(road->ears[kind].arg);
}
