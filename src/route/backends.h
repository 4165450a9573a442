/* SPDX-License-Identifier: Apache-2.0
 * backends.h - the back ends of the configuration, and the built-in one; from one configuration to
 * the next.
 *
 * Layer: route. A back end of a name and a type stays when the configuration is read again, and
 * takes over what its entry says then: so its clients, their events that wait, its connections and
 * its numbers go on. One that is taken out of the configuration, or has another type there, is held
 * by the routes that name it, which are held by their clients; it ends when it has none of them
 * left, and all that it passed on has been counted.
 *
 * All is the main thread's but what is marked. */
#pragma once

#include "route/backend_type.h"

struct backends;
struct event_road;
struct backend_set;

/* Those of the configuration, of which nothing is kept. `bus` outlives them; `node` is this node's
 * name. Starts the threads that back ends have. Returns 0, or a negative errno with *out_error. */
int backends_create(const struct config *config, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error);

/* Whether this one could be made; nothing is started. Returns 0, or a negative errno with what
 * backends_create would say. */
int backends_check_one(const struct config *config, size_t index, struct backend_error *out_error);

/* When no uplink is left, and no route of a ruleset. NULL is fine. */
void backends_destroy(struct backends **backends);

/* Before the first client. `tracer` outlives all uplinks. */
void backends_trace_to(struct backends *backends, struct tracer *tracer);

/* --- from process to process --- */

/* Before the first uplink comes by it, or goes; it outlives them. Returns the one before, NULL:
 * there was none. From any thread. */
struct event_road *backends_take_road(struct backends *backends, struct event_road *road);

/* What ids of events begin with (event.h). */
const char *backends_run_id(const struct backends *backends);

/* Before the first client: the ids go on as those of the process that had this one. False: it is
 * none. */
bool backends_keep_run_id(struct backends *backends, struct slice run_id);

/* --- another configuration --- */

/* All that can fail: new ones are made, changes of the others are prepared. The set is lent to
 * route_table_create; then it is put in force, or discarded. 0, or a negative errno with
 * *out_error. `config` is lent until then. */
int backends_prepare(struct backends *backends, const struct config *config,
		     struct backend_set **out_set, struct backend_error *out_error);

/* Clears the pointer. */
void backends_put_in_force(struct backends *backends, struct backend_set **set);

/* NULL is fine; clears the pointer. */
void backend_set_discard(struct backend_set **set);

/* Those in force. */
const struct backend_set *backends_in_force(const struct backends *backends);

/* What the files of one hold now, and nothing else, is taken over. `config` is the one in force. 0,
 * or a negative errno with *out_error, and nothing has changed. */
int backends_read_again(struct backends *backends, const struct config *config, size_t index,
			struct backend_error *out_error);

/* Now and then: ends those that have nothing left. */
void backends_tick(struct backends *backends);

/* Of a name in the configuration: never NULL. */
const struct backend *backend_set_find(const struct backend_set *set, const char *name);

/* By a route that names it. */
const struct backend *backend_hold(const struct backend *backend);
void backend_let_go(const struct backend *backend);

/* --- for numbers about them; from any thread, under a lock that the main thread takes for
 * moments only --- */

/* Those in force, and those that are on their way out, but of one name only the newest. */
void backends_each(struct backends *backends,
		   void (*each)(void *arg, const struct event_backend *backend), void *arg);
