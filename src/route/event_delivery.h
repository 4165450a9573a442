/* SPDX-License-Identifier: Apache-2.0
 * event_delivery.h - what those of event_uplink.h's files that act for the owner need of the one
 * that delivers.
 *
 * Layer: route. In the thread of the uplink's loop. */
#pragma once

#include "route/event_uplink.h"

/* Queues an event for the back end. 0, or a negative errno of event_queue_append. */
int event_uplink_append(struct event_uplink *uplink, enum event_type type,
			const struct message *message);

/* The owner has asked for something, and looks for itself what has changed. Begins what can begin.
 * The uplink may be freed. */
void event_uplink_next(struct event_uplink *uplink);

/* Ends the event under way; the flight, which may hold an answer, is the caller's. `detail` is for
 * people, NULL: there is nothing to say. */
struct event_flight *event_uplink_land(struct event_uplink *uplink, enum event_outcome outcome,
				       const char *detail);

/* True: the event is there already. */
bool event_flight_launch(struct event_flight *flight);
