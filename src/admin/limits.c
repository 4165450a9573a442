/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

/* Unknown and unlimited are null: no number would be true. */
static json_t *number_or_null(uint64_t value)
{
	return value == UINT64_MAX ? json_null() : json_integer((json_int_t)value);
}

static json_t *row(const char *name, uint64_t value, uint64_t connections, uint64_t used,
		   const char *remedy)
{
	return json_pack("{s:s, s:o, s:o, s:I, s:s}", "limit", name, "value", number_or_null(value),
			 "connections", number_or_null(connections), "used", (json_int_t)used,
			 "remedy", remedy);
}

void limits_answer(const struct server *server, struct http_reply *reply)
{
	const struct capacity *plan = &server_options(server)->capacity;
	const struct capacity_row *next = &plan->rows[plan->binding];
	uint64_t used = server_connections(server);
	json_t *rows = json_array();

	json_array_append_new(rows,
			      row("max_connections", plan->max_connections, plan->max_connections,
				  used, "raise server.max_connections"));
	for (unsigned i = 0; i < CAPACITY_LIMITS; i++)
		json_array_append_new(rows,
				      row(plan->rows[i].limit, plan->rows[i].value,
					  plan->rows[i].connections, used, plan->rows[i].remedy));
	admin_reply_json(reply, 200,
			 json_pack("{s:s, s:s, s:o}", "binding", server_binding_limit(server),
				   "next", next->limit, "limits", rows));
}
