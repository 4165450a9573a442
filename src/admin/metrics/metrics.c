/* SPDX-License-Identifier: Apache-2.0
 * metrics.c - /metrics: the numbers of the gateway as a whole, one table row each; what is about
 * back ends, calls, the fleet and the bus has files of its own, behind the same page (admin.h).
 * */
#include <stdio.h>

#include "admin/live_limits.h"
#include "base/metrics_text.h"
#include "admin/metrics/metrics_before.h"
#include "admin/metrics/process_stats.h"
#include "base/check.h"
#include "base/counter.h"

/* clang-format off */

/* Every plain metric of the workers, one line each.
 * X(name, type, field of struct stats, help) */
#define METRIC_TABLE(X)                                                                        \
	X(gatehouse_connections, gauge, connections, "WebSocket connections open now.")        \
	X(gatehouse_sockets, gauge, sockets,                                                   \
	  "Accepted sockets open now: connections, handshakes and plain HTTP.")                \
	X(gatehouse_stalled_connections, gauge, stalled,                                       \
	  "Connections not read now because send_queue_max bytes wait for the client, or "     \
	  "queue_max for the back end, or for its rate.")                                                       \
	X(gatehouse_rate_held_connections, gauge, rate_held,                                   \
	  "Of these, those that sent more than server.message_rate or byte_rate allow.")       \
	X(gatehouse_send_queue_bytes, gauge, send_queue_bytes,                                 \
	  "Bytes that wait for clients to take them. Each client has at most send_queue_max of " \
	  "them; GET /api/v1/clients?sort=queued_bytes tells who has most.")                   \
	X(gatehouse_send_queue_clients, gauge, send_queue_clients,                             \
	  "Clients for whom something waits.")                                                 \
	X(gatehouse_partial_connections, gauge, partial,                                       \
	  "Connections with a request or a message under way, which hold a receive buffer.")   \
	X(gatehouse_sockets_accepted_total, counter, sockets_accepted,                         \
	  "TCP connections accepted.")                                                         \
	X(gatehouse_connections_accepted_total, counter, connections_accepted,                 \
	  "WebSocket handshakes completed.")                                                   \
	X(gatehouse_accept_errors_total, counter, accept_errors,                               \
	  "Failed accepts. Rising: descriptors or memory are out; the log names which.")       \
	X(gatehouse_http_requests_total, counter, http_requests,                               \
	  "Plain HTTP requests answered on the public listener.")                              \
	X(gatehouse_http_kept, gauge, kept,                                                    \
	  "HTTP connections on the public listener that wait for a next request, or are in one.") \
	X(gatehouse_http_kept_refused_total, counter, kept_refused,                            \
	  "HTTP connections there that were closed after their answer, because "               \
	  "server.keep_alive_max were kept.")                                                  \
	X(gatehouse_handshakes_rejected_total, counter, handshakes_rejected,                   \
	  "Requests answered with an error that is no limit's: malformed, unknown path, no good "  \
	  "proof, not wanted by its back end. Of WebSockets on a route "                         \
	  "gatehouse_route_handshake_failures_total tells why.")                                 \
	X(gatehouse_browsers_told_total, counter, browsers_told,                               \
	  "Refusals by a close code (routes[].refuse_browsers: close). Also counted by what "  \
	  "refused.")                                                                          \
	X(gatehouse_browsers_untold_total, counter, browsers_untold,                           \
	  "Refusals over HTTP there, because server.refuse_browsers_max waited to be told.")   \
	X(gatehouse_handshake_timeouts_total, counter, handshake_timeouts,                     \
	  "Sockets that sent no whole request within server.handshake_timeout.")               \
	X(gatehouse_tls_hellos_total, counter, tls_hellos,                                     \
	  "Clients that spoke TLS (wss:) to a port that speaks plain HTTP (ws:). Also in "     \
	  "gatehouse_handshakes_rejected_total.")                                              \
	X(gatehouse_takeovers_total, counter, takeovers,                                       \
	  "Clients that connected again and replaced their older connection. Rising without "  \
	  "end: two devices with one id, or one that comes back after 4001.")                  \
	X(gatehouse_takeovers_repeated_total, counter, takeovers_repeated,                     \
	  "Of these, of a client that had been taken over several times just before: two "     \
	  "devices with one id. The log names it.")                                            \
	X(gatehouse_blocked_total, counter, blocked,                                           \
	  "Clients that were not let in because they, or their addresses, are blocked.")       \
	X(gatehouse_conflicts_total, counter, conflicts,                                       \
	  "Clients refused with 409 because they are connected (takeover: oldest). Also in "   \
	  "gatehouse_handshakes_rejected_total.")                                              \
	X(gatehouse_messages_received_total, counter, messages_received,                       \
	  "Whole messages from clients.")                                                      \
	X(gatehouse_messages_sent_total, counter, messages_sent, "Whole messages to clients.") \
	X(gatehouse_fan_out_delivered_total, counter, fan_out_delivered,                       \
	  "Of these, messages to many (broadcasts and groups), once for each client.")         \
	X(gatehouse_fan_out_cut_total, counter, fan_out_cut,                                   \
	  "Clients closed as slow readers because a message to many did not fit into their "   \
	  "queue.")                                                                            \
	X(gatehouse_fan_out_refused_total, counter, fan_out_refused,                           \
	  "Messages to many that came by the bus and are none: too large, text that is not "   \
	  "UTF-8, an unknown Gatehouse-Type; or memory was out. The log names which.")         \
	X(gatehouse_received_bytes_total, counter, received_bytes,                             \
	  "Bytes from WebSocket clients, frame heads included.")                               \
	X(gatehouse_sent_bytes_total, counter, sent_bytes,                                     \
	  "Bytes queued to WebSocket clients, frame heads included.")                          \
	X(gatehouse_pings_sent_total, counter, pings_sent, "Pings sent to silent clients.")    \
	X(gatehouse_token_renewals_total, counter, renewals,                                   \
	  "New tokens of connected clients that moved the end of what they have proved.")      \
	X(gatehouse_token_renewals_refused_total, counter, renewals_refused,                   \
	  "Those that did not, because they are no good ones, or another client's.")           \
	X(gatehouse_compression_connections, gauge, compressed,                                \
	  "WebSocket connections that agreed on permessage-deflate.")                          \
	X(gatehouse_compression_windows, gauge, windows,                                       \
	  "Windows that are kept between messages (compression: window), one for a direction.") \
	X(gatehouse_compression_windows_refused_total, counter, windows_refused,               \
	  "Clients that got no window because server.compression_memory was used up.")         \
	X(gatehouse_compression_received_bytes_total, counter, inflated_in_bytes,              \
	  "Compressed messages from clients, as they came.")                                   \
	X(gatehouse_compression_received_plain_bytes_total, counter, inflated_out_bytes,       \
	  "The same, decompressed.")                                                           \
	X(gatehouse_compression_sent_bytes_total, counter, deflated_out_bytes,                 \
	  "Compressed messages to clients, as they went.")                                     \
	X(gatehouse_compression_sent_plain_bytes_total, counter, deflated_in_bytes,            \
	  "The same, before.")                                                                 \
	X(gatehouse_compression_saved_bytes_total, counter, compression_saved,                 \
	  "By how much all of these were smaller.")                                            \
	X(gatehouse_compression_not_smaller_total, counter, not_deflated,                      \
	  "Messages that went as they are because compressed they would have been larger. "    \
	  "Many: raise compression_min_size, or switch compression off there.")                \
	X(gatehouse_stalls_total, counter, stalls,                                             \
	  "Times that reading from a client stopped because a queue was full, or memory was "  \
	  "scarce.")                                                                           \
	X(gatehouse_rate_holds_total, counter, rate_holds,                                     \
	  "Of these, because the client sent more than server.message_rate or byte_rate "      \
	  "allow.")                                                                            \
	X(gatehouse_memory_stops_total, counter, memory_stops,                                 \
	  "Of these, because server.payload_memory was nearly used up.")

/* Those that are written by hand below. X(name, type, help) */
#define OTHER_METRICS(X)                                                                       \
	X(gatehouse_connections_refused_total, counter,                                        \
	  "Clients refused before the upgrade, by the limit that did it.")                     \
	X(gatehouse_connections_closed_total, counter,                                         \
	  "WebSocket connections ended, by reason.")                                           \
	X(gatehouse_handshake_duration_seconds, histogram,                                     \
	  "From accept to the 101 of completed handshakes.")                                   \
	X(gatehouse_limit, gauge,                                                              \
	  "Value of each limit of the table (docs/limits.md), in its own unit; unknown or "    \
	  "unlimited: absent.")                                                                \
	X(gatehouse_limit_used, gauge,                                                         \
	  "What is used of each limit now, in the same unit. Over 0.8 of it: look at it.")     \
	X(gatehouse_limit_connections, gauge,                                                  \
	  "Connections that each limit allows in all. The least of them is what can be held.") \
	X(gatehouse_clients, gauge,                                                            \
	  "Connections in the directory, by which clients are found: those that are open and " \
	  "not taken over.")                                                                   \
	X(gatehouse_groups, gauge,                                                             \
	  "Groups with members on this node; at most server.max_groups.")                      \
	X(gatehouse_group_members, gauge,                                                      \
	  "Members of all of them; a client counts once for each of its groups.")              \
	X(gatehouse_groups_refused_total, counter,                                             \
	  "Joins refused because server.max_groups groups have members.")                      \
	X(gatehouse_api_calls, gauge,                                                          \
	  "Requests to the API whose answer is awaited; at most admin.max_calls.")              \
	X(gatehouse_api_calls_refused_total, counter,                                          \
	  "Requests to the API that got 503 because admin.max_calls were under way.")          \
	X(gatehouse_claims_unanswered_total, counter,                                          \
	  "Clients let in although no node said within bus.claim_timeout whether it has "      \
	  "them. Rising: the broker is away or slow.")                                         \
	X(gatehouse_claims_announced_total, counter,                                           \
	  "Times that this node told the others that it has a client.")                        \
	X(gatehouse_claims_lost_total, counter,                                                \
	  "Connections closed because another node has their client.")                         \
	X(gatehouse_build_info, gauge, "Always 1; the labels tell version and engine.")        \
	X(gatehouse_workers, gauge, "Workers that listen now.")                                \
	X(process_cpu_seconds_total, counter, "User and system CPU time of the process.")      \
	X(process_start_time_seconds, gauge, "Start of the process since the epoch.")          \
	X(process_resident_memory_bytes, gauge, "Resident memory.")                            \
	X(process_virtual_memory_bytes, gauge, "Virtual memory.")                              \
	X(process_open_fds, gauge,                                                             \
	  "Descriptors open; the direct descriptors of io_uring are not among them.")          \
	X(process_max_fds, gauge, "Soft limit on descriptors.")
/* clang-format on */

#define METRIC_HEAD(name, type, help) "# HELP " #name " " help "\n# TYPE " #name " " #type "\n"
#define OTHER_HEAD(name, type, help) \
	static const char head_##name[] = METRIC_HEAD(name, type, help);
OTHER_METRICS(OTHER_HEAD)

#define PLAIN "%" PRIu64 "\n"

_Static_assert(METRICS_PAGE_MAX <= HTTP_BODY_MAX, "the page is a body");

static void text(struct buf *out, const char *words)
{
	buf_append(out, words, strlen(words), METRICS_PAGE_MAX);
}

/* One sample; `series` is the name with its labels. */
static void count(struct buf *out, const char *series, uint64_t value)
{
	PRINT(out, "%s " PLAIN, series, value);
}

static void real(struct buf *out, const char *series, double value)
{
	PRINT(out, "%s %.6f\n", series, value);
}

static void labelled(struct buf *out, const char *name, const char *label, const char *label_value,
		     uint64_t value)
{
	PRINT(out, "%s{%s=\"%s\"} " PLAIN, name, label, label_value, value);
}

static void endings(struct buf *out, const struct stats *stats)
{
	text(out, head_gatehouse_connections_refused_total);
	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		labelled(out, "gatehouse_connections_refused_total", "limit",
			 refusal_table[i].label, stats->connections_refused[i]);
	text(out, head_gatehouse_connections_closed_total);
	for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++)
		labelled(out, "gatehouse_connections_closed_total", "reason", close_table[i].label,
			 stats->connections_closed[i]);
}

static void handshakes(struct buf *out, const struct stats *stats)
{
	text(out, head_gatehouse_handshake_duration_seconds);
	metrics_print_durations(out, "gatehouse_handshake_duration_seconds", "", &stats->handshakes,
				durations_short_us);
}

/* All rows under one head, as the format asks. */
static void limit_family(struct buf *out, const char *head, const char *name,
			 const struct limits *limits,
			 bool (*value)(const struct limit *limit, uint64_t *out_value))
{
	uint64_t number;

	text(out, head);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		if (value(&limits->rows[i], &number))
			labelled(out, name, "limit", limit_label(i), number);
}

static bool limit_value(const struct limit *limit, uint64_t *out_value)
{
	*out_value = limit->value;
	return limit->state == LIMIT_KNOWN;
}

static bool limit_used(const struct limit *limit, uint64_t *out_value)
{
	*out_value = limit->used;
	return limit->state == LIMIT_KNOWN && limit->has_used;
}

static bool limit_connections(const struct limit *limit, uint64_t *out_value)
{
	*out_value = limit->connections;
	return limit->connections != LIMIT_NO_CAP;
}

static void limit_values(struct buf *out, const struct admin *admin)
{
	struct live_limits live;

	live_limits_read(admin, &live);
	limit_family(out, head_gatehouse_limit, "gatehouse_limit", &live.limits, limit_value);
	limit_family(out, head_gatehouse_limit_used, "gatehouse_limit_used", &live.limits,
		     limit_used);
	limit_family(out, head_gatehouse_limit_connections, "gatehouse_limit_connections",
		     &live.limits, limit_connections);
	live_limits_finish(&live);
}

static void api_calls(struct buf *out, const struct server *server)
{
	uint64_t calls, refused;

	server_admin_calls(server, &calls, &refused);
	text(out, head_gatehouse_api_calls);
	count(out, "gatehouse_api_calls", calls);
	text(out, head_gatehouse_api_calls_refused_total);
	count(out, "gatehouse_api_calls_refused_total", refused);
}

static void claims(struct buf *out, const struct server *server)
{
	const struct takeover_stats *stats = &server_fleet(server)->takeovers;

	text(out, head_gatehouse_claims_unanswered_total);
	count(out, "gatehouse_claims_unanswered_total", counter_read(&stats->unanswered));
	text(out, head_gatehouse_claims_announced_total);
	count(out, "gatehouse_claims_announced_total", counter_read(&stats->announced));
	text(out, head_gatehouse_claims_lost_total);
	count(out, "gatehouse_claims_lost_total", counter_read(&stats->lost));
}

static void groups(struct buf *out, const struct server *server)
{
	struct group_totals totals;

	group_registry_totals(server_fleet(server)->groups, &totals);
	text(out, head_gatehouse_groups);
	count(out, "gatehouse_groups", totals.groups);
	text(out, head_gatehouse_group_members);
	count(out, "gatehouse_group_members", totals.members);
	text(out, head_gatehouse_groups_refused_total);
	count(out, "gatehouse_groups_refused_total", totals.refused);
}

static void build(struct buf *out, const struct server *server)
{
	text(out, head_gatehouse_build_info);
	PRINT(out, "gatehouse_build_info{version=\"" GATEHOUSE_VERSION "\",engine=\"%s\"} 1\n",
	      loop_engine_name(server_options(server)->plan->input.engine));
	text(out, head_gatehouse_workers);
	count(out, "gatehouse_workers", server_workers_listening(server));
	text(out, head_gatehouse_clients);
	count(out, "gatehouse_clients", server_clients(server));
}

static void process(struct buf *out)
{
	struct process_stats stats;

	process_stats_read(&stats);
	text(out, head_process_cpu_seconds_total);
	real(out, "process_cpu_seconds_total", stats.cpu_seconds);
	text(out, head_process_start_time_seconds);
	real(out, "process_start_time_seconds", stats.start_time_seconds);
	text(out, head_process_resident_memory_bytes);
	count(out, "process_resident_memory_bytes", stats.resident_bytes);
	text(out, head_process_virtual_memory_bytes);
	count(out, "process_virtual_memory_bytes", stats.virtual_bytes);
	text(out, head_process_open_fds);
	count(out, "process_open_fds", stats.open_fds);
	text(out, head_process_max_fds);
	count(out, "process_max_fds", stats.max_fds);
}

void metrics_write(const struct admin *admin, struct buf *out)
{
	const struct server *server = admin->server;
	struct stats stats;

	server_stats(server, &stats);
#define METRIC_LINE(name, type, field, help)      \
	text(out, METRIC_HEAD(name, type, help)); \
	count(out, #name, stats.field);
	METRIC_TABLE(METRIC_LINE)
	endings(out, &stats);
	handshakes(out, &stats);
	limit_values(out, admin);
	api_calls(out, server);
	groups(out, server);
	metrics_routes_write(server, out);
	metrics_listeners_write(server, out);
	metrics_auth_write(admin, out);
	metrics_backends_write(server, out);
	metrics_workers_write(server, out);
	metrics_drain_write(server, out);
	metrics_fleet_write(server, out);
	metrics_calls_write(server, out);
	metrics_proofs_write(server, out);
	metrics_bus_write(server_fleet(server)->bus, out);
	metrics_tls_write(server, out);
	metrics_reload_write(server, out);
	metrics_tracing_write(server, out);
	metrics_access_write(server, out);
	metrics_renewals_write(server_options(server)->renewals, out);
	claims(out, server);
	build(out, server);
	metrics_streams_write(admin, out);
	metrics_upgrades_write(admin->upgrades, out);
	process(out);
	metrics_before_add(admin->before, out);
}

void metrics_answer(const struct admin *admin, struct http_reply *reply)
{
	if (!metrics_before_held(admin->before, &reply->body))
		metrics_write(admin, &reply->body);
	reply->status = 200;
	reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
}

void metrics_print_reference(FILE *to)
{
	fputs("# Metrics\n\n"
	      "Made by `gatehouse config --metrics`. `/metrics` on the admin listener, in the\n"
	      "Prometheus text format. No label carries a client's name. Labels are names of the\n"
	      "configuration and words of the tables below, so there are about 400 series, 8 for\n"
	      "each route and 53 more for each of the first 100, 63 for each back end,\n"
	      "and 8 for each listener.\n"
	      "[deploy.md](deploy.md#what-to-watch) has how to scrape it, alerts and a "
	      "dashboard.\n\n"
	      "| metric | type | meaning |\n| --- | --- | --- |\n",
	      to);
#define METRIC_DOC(name, type, field, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
#define OTHER_DOC(name, type, help)         fputs("| `" #name "` | " #type " | " help " |\n", to);
	METRIC_TABLE(METRIC_DOC)
	OTHER_METRICS(OTHER_DOC)
	metrics_routes_print_reference(to);
	metrics_listeners_print_reference(to);
	metrics_auth_print_reference(to);
	metrics_backends_print_reference(to);
	metrics_workers_print_reference(to);
	metrics_drain_print_reference(to);
	metrics_fleet_print_reference(to);
	metrics_calls_print_reference(to);
	metrics_proofs_print_reference(to);
	metrics_bus_print_reference(to);
	metrics_tls_print_reference(to);
	metrics_reload_print_reference(to);
	metrics_tracing_print_reference(to);
	metrics_access_print_reference(to);
	metrics_renewals_print_reference(to);
	metrics_streams_print_reference(to);
	metrics_upgrades_print_reference(to);
	fputs("\n## Limits that refuse: `gatehouse_connections_refused_total{limit}`\n\n"
	      "| limit | status | what to do |\n| --- | --- | --- |\n",
	      to);
	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		fprintf(to, "| `%s` | %u | %s |\n", refusal_table[i].label, refusal_table[i].status,
			refusal_table[i].remedy);
	metrics_routes_print_failures(to);
	fputs("\n## Ends of connections: `gatehouse_connections_closed_total{reason}`\n\n"
	      "| reason | close code sent | meaning |\n| --- | --- | --- |\n",
	      to);
	for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++) {
		const struct close_entry *entry = &close_table[i];
		char code[16] = "none";

		if (entry->code != 0)
			snprintf(code, sizeof(code), "%u", entry->code);
		fprintf(to, "| `%s` | %s | %s |\n", entry->label, code, entry->help);
	}
	metrics_upgrades_print_outcomes(to);
}
