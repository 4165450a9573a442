/* SPDX-License-Identifier: Apache-2.0
 * limits.c - /limits: the live limits table as JSON (admin.h). */
#include <stdio.h>
#include <string.h>

#include "admin/live_limits.h"
#include "http/http_json.h"
#include "base/units.h"
#include "diag/limits_json.h"

/* "connections=N": what the remedies are for. False: there is something else. */
static bool query_parse(struct slice query, uint64_t *out_wanted)
{
	static const char name[] = "connections=";
	size_t len = strlen(name);

	*out_wanted = 0;
	if (query.len == 0)
		return true;
	if (query.len <= len || memcmp(query.data, name, len) != 0)
		return false;
	return units_parse_count(slice_of(query.data + len, query.len - len), out_wanted) ==
		       UNITS_OK &&
	       *out_wanted > 0 && *out_wanted <= CONFIG_CONNECTIONS_MAX;
}

void limits_answer(const struct admin *admin, struct slice query, struct http_reply *reply)
{
	struct live_limits live;
	uint64_t wanted;
	char problem[128];

	if (!query_parse(query, &wanted)) {
		snprintf(problem, sizeof(problem),
			 "The query is not connections=N with N in 1..%ju.",
			 (uintmax_t)CONFIG_CONNECTIONS_MAX);
		http_reply_problem(reply, 400, problem);
		return;
	}
	live_limits_read(admin, &live);
	http_reply_json(reply, 200, limits_json(&live.input, &live.limits, wanted), JSON_INDENT(2));
	live_limits_finish(&live);
}
