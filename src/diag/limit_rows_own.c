/* SPDX-License-Identifier: Apache-2.0
 * limit_rows_own.c - the rows of the gateway's own limits, and what all rows are made with. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/saturate.h"
#include "diag/limit_rows.h"

/* --- making a row --- */

void limit_note(struct limit *row, const char *format, ...)
{
	size_t at = strlen(row->note);
	va_list args;

	if (at > 0 && at + 2 < sizeof(row->note))
		at += (size_t)snprintf(row->note + at, sizeof(row->note) - at, "; ");
	va_start(args, format);
	vsnprintf(row->note + at, sizeof(row->note) - at, format, args);
	va_end(args);
}

void limit_row_off(struct limit *row, const char *why)
{
	row->state = LIMIT_OFF;
	limit_note(row, "%s", why);
}

bool limit_row_take(struct limit *row, const struct os_value *fact)
{
	memcpy(row->source, fact->source, sizeof(row->source));
	if (!fact->is_known) {
		row->state = LIMIT_UNKNOWN;
		row->value = 0;
		limit_note(row, "%s", fact->problem);
	} else if (fact->value == OS_UNLIMITED) {
		row->state = LIMIT_UNLIMITED;
	} else {
		row->state = LIMIT_KNOWN;
		row->value = fact->value;
	}
	return row->state == LIMIT_KNOWN;
}

void limit_row_use(struct limit *row, uint64_t used)
{
	row->has_used = true;
	row->used = used;
}

bool limit_row_take_used(struct limit *row, const struct os_value *fact)
{
	if (fact->is_known)
		limit_row_use(row, fact->value);
	else
		limit_note(row, "use unknown: %s", fact->problem);
	return fact->is_known;
}

void limit_row_allow_more(struct limit *row, const struct limits_input *input, uint64_t more)
{
	row->connections = saturating_add(input->connections, more);
}

/* --- the gateway's own limits --- */

#define NO_GATEHOUSE "no Gatehouse: look into its own configuration"

bool limit_row_begin(const struct limits_input *input, struct limit *row, const char *source)
{
	snprintf(row->source, sizeof(row->source), "%s", source);
	if (input->config == NULL)
		limit_row_off(row, NO_GATEHOUSE);
	return input->config != NULL;
}

bool limit_row_begin_option(const struct limits_input *input, struct limit *row, const char *source,
			    enum config_option_number option)
{
	if (!limit_row_begin(input, row, source))
		return false;
	config_set_by(input->config, option, row->set_by);
	return true;
}

void limit_build_per_ip(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, max_connections_per_ip)))
		return;
	if (config->server.max_connections_per_ip == 0) {
		limit_row_off(row, "0: an address may have any number");
	} else {
		row->value = config->server.max_connections_per_ip;
		limit_row_use(row, input->fullest_ip);
		limit_note(row, "used: by the address that has most; it does not cap the total");
	}
}

void limit_build_accept_rate(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, accept_rate)))
		return;
	limit_row_use(row, input->accept_rate_now);
	if (config->server.accept_rate == 0) {
		limit_row_off(row, "0: connections are taken as fast as they come");
		return;
	}
	row->value = config->server.accept_rate;
	limit_note(row, "after %" PRIu64 " at once (accept_burst)",
		   config->server.accept_burst != 0 ? config->server.accept_burst : row->value);
}

void limit_build_takeover_rate(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, takeover_rate)))
		return;
	if (config->server.takeover_rate == 0) {
		limit_row_off(row, "0: a client may be taken over any number of times");
	} else {
		row->value = config->server.takeover_rate;
		limit_note(row, "after as many in a row; it does not cap the total");
	}
}

static bool has_auth(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].auth.count > 0)
			return true;
	return false;
}

void limit_build_auth_failures(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, auth_failures)))
		return;
	if (!has_auth(config)) {
		limit_row_off(row, "no route has auth: nobody proves anything");
	} else if (config->server.auth_failures == 0) {
		limit_row_off(row, "0: whoever is wrong may try again at once");
	} else {
		row->value = config->server.auth_failures;
		limit_row_use(row, input->auth_failures);
		limit_note(row, "used: the most of one address or name since the start; it does "
				"not cap the total");
	}
}

void limit_build_password_queue(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, password_queue)))
		return;
	if (!has_auth(config)) {
		limit_row_off(row, "no route has auth: nobody proves anything");
	} else {
		row->value = config->server.password_queue;
		limit_row_use(row, input->passwords_waiting);
		limit_note(row, "of one address at most 4; it does not cap the total");
	}
}

void limit_build_backend_pending(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;
	const struct config_backend *backend = input->fullest_backend;

	if (!limit_row_begin(input, row, "backends[].pending_max"))
		return;
	if (backend == NULL && config->backend_count > 0)
		backend = &config->backends[0];
	if (backend == NULL) {
		limit_row_off(row, "no back ends: nothing waits for one");
		return;
	}
	config_entry_set_by(config, &backend->given[CONFIG_OPTION_backends_pending_max],
			    row->set_by);
	row->value = backend->pending_max;
	limit_row_use(row, input->backend_pending);
	limit_note(row, "of the back end '%s'%s; it does not cap the total", backend->name,
		   input->fullest_backend != NULL ? ", the fullest" : "");
}

void limit_build_tickets(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(admin, tickets_max)))
		return;
	row->value = config->admin.tickets_max;
	limit_row_use(row, input->tickets);
	limit_note(row, "beyond it the API makes none; it does not cap the total");
}

void limit_build_blocks(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(admin, blocks_max)))
		return;
	row->value = config->admin.blocks_max;
	limit_row_use(row, input->blocks);
	limit_note(row, "beyond it the API blocks nobody; it does not cap the total");
}

void limit_build_streams(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(admin, streams_max)))
		return;
	row->value = config->admin.streams_max;
	limit_row_use(row, input->streams);
	limit_note(row, "those beyond get 503; it does not cap the total");
}

void limit_build_payload_memory(const struct limits_input *input, struct limit *row)
{
	const struct config *config = input->config;

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, payload_memory)))
		return;
	if (input->payload_max == 0) {
		limit_row_off(row, NO_GATEHOUSE);
		return;
	}
	row->value = input->payload_max;
	limit_row_use(row, input->payload_used);
	if (config->server.payload_memory == 0)
		limit_note(row, "auto: a share of the memory that was free at the start");
	if (config->server.max_message_size != 0)
		limit_note(row, "room for %" PRIu64 " messages of max_message_size at a time",
			   row->value / config->server.max_message_size);
	limit_note(row, "near it the connections that hold most are not read, beyond it they are "
			"closed; it does not cap the total");
}

/* After the others: what is `auto` is taken from them. */
void limit_build_max_connections(const struct limits_input *input, struct limits *limits)
{
	struct limit *row = &limits->rows[LIMIT_ID_MAX_CONNECTIONS];
	const struct limit *from = limits_binding(limits);
	uint64_t allowed = limits_allowed(limits);

	if (!limit_row_begin_option(input, row, LIMIT_OPTION(server, max_connections)))
		return;
	limit_row_use(row, input->connections);
	if (!limits->is_auto) {
		row->value = input->config->server.max_connections;
	} else if (input->max_connections == 0 || input->max_connections == allowed) {
		row->value = allowed;
		limit_note(row, "auto: taken from %s",
			   from == NULL ? "nothing, no limit is known" : limit_label(from->id));
	} else {
		row->value = input->max_connections;
		limit_note(row, "auto: worked out at start; now %s allows %" PRIu64,
			   from == NULL ? "nothing known caps, which" : limit_label(from->id),
			   allowed);
	}
	row->state = row->value == LIMIT_NO_CAP ? LIMIT_UNLIMITED : LIMIT_KNOWN;
	row->connections = row->value;
	snprintf(row->cost, sizeof(row->cost), "1 place");
}
