/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/takeover/claim.h"

#include <string.h>

#include "base/clock.h"
#include "session/presence.h"

/* To the year 2527: as ns it fits 64 bits, as ms it fits a presence. What another node says beyond
 * that is no time, and would come out as another one here. */
#define SINCE_MAX_MS PRESENCE_TIME_MAX
_Static_assert(SINCE_MAX_MS <= UINT64_MAX / NS_PER_MS, "no time wraps");

static int number_compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int claim_compare(const struct client_claim *a, const struct client_claim *b)
{
	int r = number_compare(a->since_ms, b->since_ms);

	if (r == 0)
		r = strcmp(a->node, b->node);
	return r != 0 ? r : number_compare(a->connection_id, b->connection_id);
}

enum claim_verdict claim_judge(enum directory_policy policy, const struct client_claim *own,
			       const struct client_claim *other)
{
	int order = claim_compare(own, other);

	if (order == 0 || policy == DIRECTORY_MANY)
		return CLAIM_COEXISTS;
	if (policy == DIRECTORY_OLDEST)
		order = -order;
	return order > 0 ? CLAIM_STAYS : CLAIM_YIELDS;
}

void claim_succeed(struct client_claim *own, const struct client_claim *holder)
{
	if (own->since_ms <= holder->since_ms && holder->since_ms < SINCE_MAX_MS)
		own->since_ms = holder->since_ms + 1;
	own->generation = holder->generation + 1;
}

json_t *claim_json(const struct client_claim *claim)
{
	return json_pack("{s:s, s:I, s:I, s:I}", "node", claim->node, "since",
			 (json_int_t)claim->since_ms, "connection_id",
			 (json_int_t)claim->connection_id, "generation",
			 (json_int_t)claim->generation);
}

static bool number_read(const json_t *json, const char *key, uint64_t max, uint64_t *out_number)
{
	const json_t *value = json_object_get(json, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number > max)
		return false;
	*out_number = (uint64_t)number;
	return true;
}

bool claim_read(const json_t *json, struct client_claim *out_claim)
{
	struct client_claim claim = {.node = json_string_value(json_object_get(json, "node"))};

	if (claim.node == NULL || !number_read(json, "since", SINCE_MAX_MS, &claim.since_ms) ||
	    !number_read(json, "connection_id", INT64_MAX, &claim.connection_id) ||
	    !number_read(json, "generation", UINT32_MAX - 1, &claim.generation))
		return false;
	*out_claim = claim;
	return true;
}
