/* SPDX-License-Identifier: Apache-2.0
 * api_node.c - what this node is and does. */
#include "admin/api/api_call.h"
#include "admin/admin.h"
#include "admin/metrics/metrics_before.h"
#include "base/clock.h"
#include "config/config_option.h"
#include "io/loop.h"

static json_t *routes(const struct config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		const char *rpc = config_kind_words(CONFIG_RPC)[route->rpc];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s?}", "name", route->name,
						      "path", route->path, "rpc",
						      route->rpc == CONFIG_RPC_NONE ? NULL : rpc));
	}
	return list;
}

/* As /metrics has it: with what the processes before have counted. */
static json_int_t total(const struct api_call *call, uint64_t value, const char *series)
{
	value += metrics_before_count(api_admin(call)->before, series);
	return (json_int_t)value;
}

void api_node(struct api_call *call)
{
	struct server *server = call->api->server;
	const struct plan *plan = server_options(server)->plan;
	uint64_t uptime_ns = clock_now_ns() - server_started_ns(server);
	struct stats stats;
	char started_at[CLOCK_TEXT_MAX];

	if (!api_query(call, NULL, 0))
		return;
	server_stats(server, &stats);
	clock_wall_format(clock_wall_ns() - uptime_ns, started_at);
	struct ruleset *ruleset = server_ruleset(server);

	api_reply_json(
		call->reply, 200,
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, "
			  "s:o}",
			  "name", server_node(server), "version", GATEHOUSE_VERSION, "status",
			  server_status_name(server_status(server)), "started_at", started_at,
			  "uptime_seconds", (json_int_t)(uptime_ns / NS_PER_S), "workers",
			  (json_int_t)server_workers_listening(server), "engine",
			  loop_engine_name(plan->input.engine), "connections",
			  (json_int_t)server_connections(server), "max_connections",
			  (json_int_t)server_max_connections(server), "messages_received",
			  total(call, stats.messages_received, "gatehouse_messages_received_total"),
			  "messages_sent",
			  total(call, stats.messages_sent, "gatehouse_messages_sent_total"),
			  "received_bytes",
			  total(call, stats.received_bytes, "gatehouse_received_bytes_total"),
			  "sent_bytes", total(call, stats.sent_bytes, "gatehouse_sent_bytes_total"),
			  "config_hash", ruleset->hash, "routes", routes(call->config)));
	ruleset_unref(&ruleset);
}
