/* SPDX-License-Identifier: Apache-2.0
 * limit_rows_clients.c - the rows of the gateway's own limits on what clients may do. */
#include <inttypes.h>

#include "base/check.h"
#include "diag/limit_rows.h"

void limit_build_route_connections(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;
	const struct config_route *route = input->fullest_route;

	if (!limit_row_begin(input, row, "routes[].max_connections"))
		return;
	for (size_t i = 0; route == NULL && i < config->route_count; i++)
		if (config->routes[i].max_connections != 0)
			route = &config->routes[i];
	if (route == NULL) {
		limit_row_off(row, "0: no route has a limit of its own");
		return;
	}
	config_entry_set_by(config, &route->given[CONFIG_OPTION_routes_max_connections],
			    row->set_by);
	row->value = route->max_connections;
	limit_row_use(row, input->route_connections);
	limit_note(row, "of the route '%s'%s; it does not cap the total", route->name,
		   input->fullest_route != NULL ? ", the fullest" : "");
}

void limit_build_keep_alive_max(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, keep_alive_max)))
		return;
	if (config->server.keep_alive_max == 0) {
		limit_row_off(row, "0: none is kept");
	} else {
		row->value = config->server.keep_alive_max;
		if (input->is_running && input->kept_max < row->value) {
			row->value = input->kept_max;
			limit_note(row,
				   "configured: %" PRIu64
				   ", but more would take the descriptors for handshakes",
				   config->server.keep_alive_max);
		}
		limit_row_use(row, input->kept);
		limit_note(row, "those beyond close after their answer; it does not cap the total");
	}
}

static bool has_browser_route(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].refuse_browsers == CONFIG_REFUSE_BROWSERS_CLOSE)
			return true;
	return false;
}

void limit_build_refuse_browsers_max(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, refuse_browsers_max)))
		return;
	if (!has_browser_route(config)) {
		limit_row_off(row, "no route has refuse_browsers: close");
	} else {
		row->value = config->server.refuse_browsers_max;
		limit_row_use(row, input->refused_browsers);
		limit_note(row, "those beyond are refused over HTTP; it does not cap the total");
	}
}

static void note_rate(const struct limits_input *input, struct limit *row)
{
	bool is_closing = input->config->server.message_rate_action == CONFIG_RATE_ACTION_CLOSE;

	limit_note(row, is_closing ? "beyond it a client is closed with 1008; it does not cap the "
				     "total"
				   : "beyond it a client is not read until it may go on; it does "
				     "not cap the total");
	if (input->is_running && !is_closing)
		limit_note(row, "clients held back now, for their messages or bytes: %" PRIu64,
			   input->rate_held);
}

void limit_build_message_rate(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, message_rate)))
		return;
	if (config->server.message_rate == 0) {
		limit_row_off(row, "0: a client may send any number");
	} else {
		row->value = config->server.message_rate;
		limit_note(row, "after %" PRIu64 " at once (message_burst)",
			   config->server.message_burst != 0 ? config->server.message_burst
							     : row->value);
		note_rate(input, row);
	}
}

void limit_build_byte_rate(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, byte_rate)))
		return;
	if (config->server.byte_rate == 0) {
		limit_row_off(row, "0: a client may send as fast as it can");
	} else {
		row->value = config->server.byte_rate;
		limit_note(row, "after as many at once");
		note_rate(input, row);
	}
}

/* Of the routes whose clients may have windows, the largest; 0: there is none. */
static uint64_t window_bits(const struct config *config)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].compression == CONFIG_COMPRESSION_WINDOW)
			bits = MAX(bits, config->routes[i].compression_window_bits);
	return bits;
}

void limit_build_compression_memory(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, compression_memory)))
		return;
	uint64_t bits = window_bits(config);

	if (bits == 0) {
		limit_row_off(row, "no route has compression: window");
	} else if (config->server.compression_memory == 0) {
		limit_row_off(row, "0: no client gets a window");
	} else {
		uint64_t client = UINT64_C(2) << bits;

		row->value = config->server.compression_memory;
		limit_row_use(row, input->windows_used);
		limit_note(row,
			   "enough for %" PRIu64 " clients with a window of %" PRIu64
			   " bytes each way (compression_window_bits: %" PRIu64
			   "); those beyond get none; it does not cap the total",
			   row->value / client, client / 2, bits);
	}
}
