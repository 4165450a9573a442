/* SPDX-License-Identifier: Apache-2.0
 * overview.h - what this node is and does, in one document: for the console, and for
 * GET /api/v1/overview.
 *
 * Layer: admin. In the admin listener's thread. Counters are totals since the start of the gateway,
 * over live upgrades. */
#pragma once

#include <jansson.h>

struct admin;

/* In the main thread, every few seconds: what took how long until now, so that it can be told what
 * it was lately. */
void overview_tick(const struct admin *admin);

/* The caller's reference. NULL: memory is out. */
json_t *overview_json(const struct admin *admin);
