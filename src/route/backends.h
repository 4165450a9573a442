/* SPDX-License-Identifier: Apache-2.0
 * backends.h - the back ends of the configuration, and the built-in one.
 *
 * Layer: route. Made once at the start; read by any thread. */
#pragma once

#include "route/backend_type.h"

struct backends;
struct event_road;

/* Of the ruleset's configuration; holds it. `bus` outlives it; `node` is this node's name. Starts
 * the threads that back ends have. Returns 0, or a negative errno with *out_error. */
int backends_create(struct ruleset *ruleset, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error);

/* Whether this one could be made; nothing is started. Returns 0, or a negative errno with what
 * backends_create would say. */
int backends_check_one(const struct config *config, size_t index, struct backend_error *out_error);

/* When no uplink is left. NULL is fine. */
void backends_destroy(struct backends **backends);

/* --- from process to process --- */

/* Before the first uplink comes by it, or goes; it outlives them. Returns the one before, NULL:
 * there was none. From any thread. */
struct event_road *backends_take_road(struct backends *backends, struct event_road *road);

/* What ids of events begin with (event.h). */
const char *backends_run_id(const struct backends *backends);

/* Before the first client: the ids go on as those of the process that had this one. False: it is
 * none. */
bool backends_keep_run_id(struct backends *backends, struct slice run_id);

/* Of a name in the configuration: never NULL. */
const struct backend *backends_find(const struct backends *backends, const char *name);

/* For numbers about them: those of the configuration. */
size_t backends_count(const struct backends *backends);
struct event_backend *backends_at(const struct backends *backends, size_t index);
