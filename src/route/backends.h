/* SPDX-License-Identifier: Apache-2.0
 * backends.h - the back ends of the configuration, and the built-in one.
 *
 * Layer: route. Made once at the start; read by any thread. */
#pragma once

#include "route/backend_type.h"

struct backends;

/* Of the ruleset's configuration; holds it. `bus` outlives it; `node` is this node's name. Starts
 * the threads that back ends have. Returns 0, or a negative errno with *out_error. */
int backends_create(struct ruleset *ruleset, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error);

/* Whether this one could be made; nothing is started. Returns 0, or a negative errno with what
 * backends_create would say. */
int backends_check_one(const struct config *config, size_t index, struct backend_error *out_error);

/* When no uplink is left. NULL is fine. */
void backends_destroy(struct backends **backends);

/* Of a name in the configuration: never NULL. */
const struct backend *backends_find(const struct backends *backends, const char *name);

/* For numbers about them: those of the configuration. */
size_t backends_count(const struct backends *backends);
struct event_backend *backends_at(const struct backends *backends, size_t index);
