/* SPDX-License-Identifier: Apache-2.0
 * auth.h - who is this client? The ways in which one may prove it on a route, and one question to
 * all of them.
 *
 * Layer: auth. A list belongs to a ruleset, and lives as long as somebody holds that; it is made
 * before anybody else sees it and then read by every worker at once. A question lives in one
 * worker's thread.
 *
 * All ways that are configured for a route are asked, in the order of their cost, and any that is
 * satisfied lets the client in. What it proves, if it proves an id, must be the id of the path
 * (docs/auth.md). No way does I/O, or anything slow, in the thread that asks: it says AUTH_LATER.
 */
#pragma once

#include "auth/auth_way.h"

struct auth;

struct pace;

/* Without ways. `route` is its name, which must outlive it, as `pace` must (NULL: whoever is wrong
 * may try again at once). NULL: memory is out. */
struct auth *auth_create(const char *route, struct pace *pace);

/* NULL is fine. Destroys its ways. */
void auth_destroy(struct auth **auth);

/* Takes over the way; at most AUTH_WAYS_MAX of them. */
#define AUTH_WAYS_MAX 8
void auth_add(struct auth *auth, struct auth_way *way);

/* Whoever proves nothing is left to the back end, which is asked with the connect event. */
void auth_leave_to_backend(struct auth *auth);
bool auth_is_left_to_backend(const struct auth *auth);

/* Before anybody asks: goes on with what `older` has counted, the list of a route of the same name.
 * From then on both count in one place. */
void auth_continue(struct auth *auth, struct auth *older);

/* The ways in the order in which they are asked; NULL behind the last. */
const struct auth_way *auth_way_at(const struct auth *auth, size_t index);

/* --- the question --- */

struct auth_inquiry; /* a question that waits for its answer */

/* Told once, in the thread that asked, never from inside auth_ask. The inquiry has ended; what is
 * in `result` the callee may take. */
typedef void (*auth_done_fn)(void *owner, enum auth_verdict verdict, struct auth_result *result);

/* Asks all ways. AUTH_LATER: `done` will be called with the verdict, unless auth_cancel is called
 * before, and *out_inquiry is written. Otherwise *out_result is: what was proved, or why not; the
 * caller's to finish. Never AUTH_NO_PROOF if a way found a proof that is wrong. */
enum auth_verdict auth_ask(struct auth *auth, const struct auth_request *request, auth_done_fn done,
			   void *owner, struct auth_result *out_result,
			   struct auth_inquiry **out_inquiry);

/* Nobody waits any more. NULL in it is fine; clears the pointer. */
void auth_cancel(struct auth_inquiry **inquiry);

/* Writes '*' over all that its ways could take for a proof. `data`, a copy of the request, goes to
 * a back end, which needs to know nobody's secrets. */
void auth_hide(const struct auth *auth, const struct http_head *head, uint8_t *data);

/* --- what was found, for metrics --- */

/* Of the way at `index` of auth_way_at; from any thread. */
uint64_t auth_count(const struct auth *auth, size_t index, enum auth_verdict verdict);

/* Nobody showed anything: of no way. And let through to the back end. */
uint64_t auth_count_no_proof(const struct auth *auth);
uint64_t auth_count_left(const struct auth *auth);

/* --- of all routes --- */

struct auth_table;

/* For `route_count` routes, by their number in the configuration; without any list. */
struct auth_table *auth_table_create(size_t route_count);
void auth_table_destroy(struct auth_table **table);

/* Takes over the list. */
void auth_table_set(struct auth_table *table, size_t route, struct auth *auth);

/* NULL: on this route nobody needs to prove anything. NULL for a table is fine. */
struct auth *auth_table_at(const struct auth_table *table, size_t route);
