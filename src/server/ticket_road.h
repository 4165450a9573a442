/* SPDX-License-Identifier: Apache-2.0
 * ticket_road.h - tickets of other nodes: asking the one that made it, and being asked.
 *
 * Layer: server. The subject gatehouse.ticket.ORIGIN is the process ORIGIN's; what is asked and
 * answered is JSON. A ticket travels over the bus in clear, as everything else does there. */
#pragma once

#include "auth/way_ticket.h"
#include "bus/bus.h"

struct fleet_home;
struct worker;

struct ticket_ear {
	struct tickets *tickets;
	struct fleet *fleet;
	struct fleet_home *home; /* of the worker in whose thread it is; NULL: it is closed */
	struct bus_subscription subscription;
};

/* For ways: asks by the bus of the worker that has the client. */
extern const struct ticket_road ticket_road;

/* Both in the thread of `home`, which does not end before the ear is closed. */
void ticket_ear_open(struct ticket_ear *ear, struct fleet_home *home);
void ticket_ear_close(struct ticket_ear *ear);
