/* SPDX-License-Identifier: Apache-2.0
 * fleet_handover.h - the fleet of a process that hands its clients over, and of the one that takes
 * them: what comes for them meanwhile, from the broker and from those who ask.
 *
 * Layer: fleet. Functions are called by the main thread, unless they say otherwise; what the road
 * tells comes in its thread.
 *
 * In their order, older and newer:
 *
 *	fleet_succeed            newer: before fleet_bus_open
 *	fleet_handover_create    both: before the first client goes, or comes
 *	fleet_handover_pause     older: before its workers stand still
 *	(clients are exported and imported)
 *	fleet_handover_commit    older: the clients are the newer one's; then conn_forget for each
 *	fleet_handover_has_left  older: it may end
 *
 * or fleet_handover_abandon in the older one instead of commit. The newer one begins by what the
 * road tells, which is to be heard once the clients are its own. docs/decisions/0025 says why. */
#pragma once

#include "fleet/client.h"
#include "session/handover_road.h"

struct fleet_handover;

/* Newer: goes on under the random name by which others know the older one, and holds the bus still
 * until it is told. False: it is no such name. */
bool fleet_succeed(struct fleet *fleet, struct slice origin);

struct fleet_handover_options {
	struct fleet *fleet;
	struct handover_road *road; /* outlives it */
	struct fleet_home *home; /* of a worker that ends after the road is silent: the admin's */
	bool is_newer;
};

/* 0 or -ENOMEM. */
int fleet_handover_create(const struct fleet_handover_options *options,
			  struct fleet_handover **out_handover);

/* When `home` has ended, and the bus is closed; or after fleet_handover_abandon. NULL is fine; the
 * pointer is cleared. */
void fleet_handover_destroy(struct fleet_handover **handover);

/* --- older --- */

/* What comes from the broker from now on waits. What was there before is on its way to the workers,
 * ahead of whatever is posted to them after this. */
void fleet_handover_pause(struct fleet_handover *handover);

/* Nothing comes of it: all is as before. Harmless if there was no pause. */
void fleet_handover_abandon(struct fleet_handover *handover);

/* What has waited, and what comes, goes to the newer process. Cannot fail. */
void fleet_handover_commit(struct fleet_handover *handover);

/* The newer one is subscribed, and has all that came here: this process may end. It is true soon
 * after the commit if the broker is there; with none it never may be. From any thread. */
bool fleet_handover_has_left(const struct fleet_handover *handover);

/* --- what is told of messages, for tests --- */

/* 0 or -ENOMEM. */
int bus_message_write(struct buf *out, const struct bus_message *message);

/* False: it is none. `headers` has BUS_HEADERS_MAX; all texts lie in `bytes`. */
bool bus_message_read(struct slice bytes, struct bus_header *headers,
		      struct bus_message *out_message);
