/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "admin/admin.h"
#include "base/clock.h"

const char *health_status_name(enum server_status status)
{
	switch (status) {
	case SERVER_STARTING:
		return "starting";
	case SERVER_READY:
		return "ready";
	case SERVER_DRAINING:
		return "draining";
	}
	return "unknown";
}

/* Why it is not ready, a sentence each. NULL without memory. */
static json_t *reasons(const struct server *server, enum server_status status)
{
	json_t *list = json_array();
	char text[128];

	if (status == SERVER_STARTING)
		snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " workers listen",
			 server_workers_listening(server),
			 server_options(server)->plan->capacity.workers);
	else
		snprintf(text, sizeof(text),
			 "the gateway is shutting down; %" PRIu64 " connections are left",
			 server_connections(server));
	if (status != SERVER_READY)
		json_array_append_new(list, json_string(text));
	return list;
}

void health_answer(const struct server *server, bool is_about_readiness, struct http_reply *reply)
{
	enum server_status status = server_status(server);
	uint64_t uptime_ns = clock_now_ns() - server_started_ns(server);
	json_t *body = json_pack(
		"{s:s, s:o, s:I, s:I, s:I, s:s}", "status", health_status_name(status), "reasons",
		reasons(server, status), "connections", (json_int_t)server_connections(server),
		"max_connections", (json_int_t)server_options(server)->plan->max_connections,
		"uptime_seconds", (json_int_t)(uptime_ns / NS_PER_S), "version", GATEHOUSE_VERSION);

	admin_reply_json(reply, is_about_readiness && status != SERVER_READY ? 503 : 200, body,
			 JSON_INDENT(2));
}
