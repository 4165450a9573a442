/* SPDX-License-Identifier: Apache-2.0
 * limits_json.h - the limits table as JSON: /limits, doctor --json, bench --json.
 *
 * Layer: diag. docs/limits.md describes the members. */
#pragma once

#include <jansson.h>

#include "diag/limits.h"

/* {"binding", "next", "connections" (that can be held; null: no cap), "used", "limits":
 * [ {"limit", "scope", "kind", "state", "value", "unit", "used", "connections", "cost",
 * "source", "set_by", "note", "remedies": [{"place", "text"}]} ... in limits->order ]}. Unknown
 * and unlimited numbers are null. `wanted` connections are what the remedies are for; 0:
 * twice what the binding limit allows. The caller owns the reference. NULL without
 * memory. */
json_t *limits_json(const struct limits_input *input, const struct limits *limits, uint64_t wanted);

/* The way back, of what another process sent. False: it is no such table. Rows that it does
 * not have are unknown; texts are printable ASCII. *out_connections: those held now. */
bool limits_json_read(const json_t *table, struct limits *out_limits, uint64_t *out_connections);

/* Names, arguments and paths may hold any bytes, JSON holds UTF-8: else '?' for what is not ASCII.
 */
json_t *limits_json_text(const char *bytes);

/* As limit_remedies(): what the table says of one of its limits. */
size_t limits_json_remedies(const json_t *table, const struct limit *limit, uint64_t connections,
			    struct limit_remedy out[LIMIT_REMEDIES_MAX]);
