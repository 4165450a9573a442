/* SPDX-License-Identifier: Apache-2.0
 * backend_webhook.h - a back end that is told of events by HTTP requests.
 *
 * Layer: route. webhook/ delivers one event; here is the order of those of a client: its
 * uplink has one event under way, and the others wait. */
#pragma once

#include "config/config.h"
#include "route/backend.h"
#include "route/event.h"

/* How an event ends. X(NAME, label) */
#define EVENT_OUTCOME_TABLE(X)                                                   \
	X(DELIVERED, "delivered")           /* answered 2xx */                   \
	X(REFUSED, "refused")               /* answered 4xx: not wanted */       \
	X(ANSWER_TOO_BIG, "answer_too_big") /* over answer_max: not passed on */ \
	X(DROPPED, "dropped")               /* given up: on_failure: close, or at the end */

#define EVENT_OUTCOME_ENUM(NAME, label) EVENT_##NAME,
enum event_outcome { EVENT_OUTCOME_TABLE(EVENT_OUTCOME_ENUM) EVENT_OUTCOME_COUNT };

const char *event_outcome_label(enum event_outcome outcome);

/* Relaxed atomics. */
struct backend_stats {
	uint64_t events[EVENT_TYPE_COUNT][EVENT_OUTCOME_COUNT];
	uint64_t waiting; /* gauge: events not yet delivered, those under way included */
};

struct backend_webhook {
	struct backend base;
	const struct config_backend *config;
	const struct event_source *source;
	struct webhook *webhook;
	struct backend_stats stats;
};

/* What could not be done, in the user's words. */
struct backend_error {
	char text[512];
};

/* `config`, `index` of an entry of its backends, and `source` outlive it. Reads the secrets.
 * Returns 0, or a negative errno with *out_error. */
int backend_webhook_create(const struct config *config, size_t index,
			   const struct event_source *source, struct backend_webhook **out_backend,
			   struct backend_error *out_error);

/* When no uplink is left. NULL is fine. */
void backend_webhook_destroy(struct backend_webhook **backend);

/* uplink_webhook.c */
extern const struct uplink_ops uplink_webhook_ops;
