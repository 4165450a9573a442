/* SPDX-License-Identifier: Apache-2.0
 * backend_nats.h - a back end that is told of events by messages on the bus.
 *
 * Layer: route. Events go to gatehouse.up.<route>.<client_id>. A plain one counts as taken
 * when the bus has it, a durable one when a stream has stored it. */
#pragma once

#include <pthread.h>

#include "route/backend_type.h"

#define BACKEND_NATS_STREAM_MAX 255 /* [bytes] */

struct backend_nats {
	struct event_backend base;
	struct bus *bus;
	uint64_t is_durable;                      /* atomic */
	pthread_mutex_t mutex;                    /* guards the next */
	char stream[BACKEND_NATS_STREAM_MAX + 1]; /* "" = any */
};

extern const struct backend_type backend_nats;

/* carrier_nats.c */
extern const struct event_carrier carrier_nats;
