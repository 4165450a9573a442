/* SPDX-License-Identifier: Apache-2.0
 * backend_nats.h - a back end that is told of events by messages on the bus.
 *
 * Layer: route. Events go to gatehouse.up.<route>.<client_id>. A plain one counts as taken
 * when the bus has it, a durable one when a stream has stored it. */
#pragma once

#include "bus/bus.h"
#include "route/event_uplink.h"

struct backend_nats {
	struct event_backend base;
	struct bus *bus;
};

/* `config` (an entry of the list), `source` and `bus` outlive it. 0 or -ENOMEM. */
int backend_nats_create(const struct config_backend *config, const struct event_source *source,
			struct bus *bus, struct event_backend **out_backend);

/* carrier_nats.c */
extern const struct event_carrier carrier_nats;
