/* SPDX-License-Identifier: Apache-2.0
 * claim.h - which of the connections that one client has on several nodes stays.
 *
 * Layer: fleet. Pure functions. Every node judges by itself, by the same total order of
 * claims, and so all come to the same end, whatever the order in which they hear of them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/directory.h"

/* What a connection says of itself. */
struct client_claim {
	const char *node;       /* lent */
	uint64_t since_ms;      /* since the epoch; see claim_succeed */
	uint64_t connection_id; /* within the node */
	uint64_t generation;
};

enum claim_verdict {
	CLAIM_COEXISTS, /* it is the same connection, or the route lets many in */
	CLAIM_STAYS,
	CLAIM_YIELDS,
};

/* What becomes of `own` beside `other`, which is of the same client. The later one stays, or
 * the earlier if the route keeps the oldest; at the same time node and connection_id decide. */
enum claim_verdict claim_judge(enum directory_policy policy, const struct client_claim *own,
			       const struct client_claim *other);

/* Lets `own`, which is about to begin, come behind `holder`, also if the clock of that node is
 * ahead of ours. */
void claim_succeed(struct client_claim *own, const struct client_claim *holder);

/* The members that every message about a claim has. NULL: memory is out. */
json_t *claim_json(const struct client_claim *claim);

/* False: it is none, and nothing is written. The node's name is that in `json`. */
bool claim_read(const json_t *json, struct client_claim *out_claim);
