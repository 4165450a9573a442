/* SPDX-License-Identifier: Apache-2.0
 * metrics_listeners.c - numbers of each listener; the label is its address in the configuration, as
 * in gatehouse_certificate_expiry_timestamp_seconds. */
#include "admin/admin.h"
#include "base/metrics_text.h"
#include "conn/listener_stats.h"

/* Of struct listener_stats. */
static const struct metrics_number numbers[] = {
	{"gatehouse_listener_connections", "gauge",
	 "WebSocket connections open now; gatehouse_connections by listener. Those of one that was "
	 "taken out stay counted to it. Of those that an older program brought in a live upgrade "
	 "it is not known, and their label is empty.",
	 offsetof(struct listener_stats, connections)},
	{"gatehouse_listener_sockets_accepted_total", "counter",
	 "Sockets accepted; gatehouse_sockets_accepted_total by listener.",
	 offsetof(struct listener_stats, sockets_accepted)},
	{"gatehouse_listener_accept_errors_total", "counter",
	 "Accepts that failed; gatehouse_accept_errors_total by listener.",
	 offsetof(struct listener_stats, accept_errors)},
	{"gatehouse_listener_connections_accepted_total", "counter",
	 "WebSocket handshakes completed; gatehouse_connections_accepted_total by listener.",
	 offsetof(struct listener_stats, connections_accepted)},
	{"gatehouse_listener_handshakes_rejected_total", "counter",
	 "gatehouse_handshakes_rejected_total by listener.",
	 offsetof(struct listener_stats, handshakes_rejected)},
	{"gatehouse_listener_handshake_timeouts_total", "counter",
	 "gatehouse_handshake_timeouts_total by listener.",
	 offsetof(struct listener_stats, handshake_timeouts)},
	{"gatehouse_listener_connections_refused_total", "counter",
	 "Clients refused for the sake of any limit; gatehouse_connections_refused_total, which "
	 "names the limit, by listener.",
	 offsetof(struct listener_stats, connections_refused)},
	{"gatehouse_listener_tls_failures_total", "counter",
	 "TLS connections that failed, in the handshake or later; gatehouse_tls_failures_total, "
	 "which names the cause, by listener.",
	 offsetof(struct listener_stats, tls_failures)},
};

void metrics_listeners_write(const struct server *server, struct buf *out)
{
	char name[CONFIG_PLACE_TEXT_MAX];
	struct listener_stats stats;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		metrics_print_number_head(out, &numbers[i]);
		for (size_t k = 0; server_listener(server, k, name, sizeof(name), &stats); k++)
			metrics_print_number(out, &numbers[i], "listener", name, &stats);
	}
}

void metrics_listeners_print_reference(FILE *to)
{
	metrics_print_number_rows(to, numbers, ARRAY_LEN(numbers));
}
