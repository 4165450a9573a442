/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "diag/limits_json.h"

/* Reads the machine again: the table shows what is used now. */
void limits_answer(const struct server *server, struct http_reply *reply)
{
	const struct plan *plan = server_options(server)->plan;
	struct limits_input input = plan->input;
	struct os_limits os;
	struct limits limits;

	os_limits_read(&(struct os_source){0}, &os);
	input.os = &os;
	input.is_running = true;
	input.max_connections = plan->max_connections;
	input.connections = server_connections(server);
	limits_build(&input, &limits);
	admin_reply_json(reply, 200, limits_json(&input, &limits, 0));
}
