/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/conn_log.h"

#include <stdio.h>

#include "base/check.h"
#include "conn/conn_trace.h"
#include "conn/hull.h"

static void add(struct conn_log_ids *ids, struct log_field field)
{
	ids->fields[ids->count++] = field;
}

static void add_trace(struct conn_log_ids *ids, const struct trace_context *trace)
{
	if (trace_context_is_set(trace))
		add(ids, F_TEXT("trace_id", trace_id_write(trace->trace_id, ids->trace_id)));
}

static struct trace_context trace_of(const struct conn *conn)
{
	const struct conn_request *request = conn->home->request;
	struct trace_context trace = {0};

	if (conn->has_presence)
		presence_trace(conn->session.presence, &trace);
	else if (request != NULL)
		trace = conn_trace_context((struct conn *)(uintptr_t)conn, request);
	return trace;
}

void conn_log_ids(const struct conn *conn, struct conn_log_ids *ids)
{
	const struct presence *presence = conn->has_presence ? conn->session.presence : NULL;
	const struct route *route = conn_route(conn);
	const char *name = presence != NULL ? presence_route_name(presence)
			   : route != NULL  ? route->config->name
					    : NULL;
	struct trace_context trace = trace_of(conn);

	ids->count = 0;
	add(ids, F_UINT("connection_id", presence == NULL ? 0 : presence->connection_id));
	add(ids, F_TEXT("route", name));
	add(ids,
	    F_TEXT("client_id", presence == NULL ? conn->home->claimed_id : presence->client_id));
	add(ids, F_TEXT("remote", conn_client_text(conn, ids->remote)));
	add_trace(ids, &trace);
}

static void write_line(enum log_level level, const char *message, const struct conn_log_ids *ids,
		       const struct log_field *fields, size_t count)
{
	struct log_field all[CONN_LOG_FIELDS_MAX + 5];

	CHECK(count <= CONN_LOG_FIELDS_MAX);
	memcpy(all, ids->fields, ids->count * sizeof(all[0]));
	memcpy(all + ids->count, fields, count * sizeof(all[0]));
	log_write(level, message, all, ids->count + count);
}

void conn_log_write(enum log_level level, const struct conn *conn, const char *message,
		    const struct log_field *fields, size_t count)
{
	struct conn_log_ids ids;

	conn_log_ids(conn, &ids);
	write_line(level, message, &ids, fields, count);
}

void conn_log_warn_of(const struct presence *presence, const char *message,
		      const struct log_field *fields, size_t count)
{
	struct net_ip remote = presence_remote(presence);
	struct trace_context trace = {0};
	struct conn_log_ids ids;

	ids.count = 0;
	presence_trace(presence, &trace);
	net_ip_port_format(&remote, (uint16_t)presence->remote_port, ids.remote,
			   sizeof(ids.remote));
	add(&ids, F_UINT("connection_id", presence->connection_id));
	add(&ids, F_TEXT("route", presence_route_name(presence)));
	add(&ids, F_TEXT("client_id", presence->client_id));
	add(&ids, F_TEXT("remote", ids.remote));
	add_trace(&ids, &trace);
	write_line(LOG_LEVEL_WARN, message, &ids, fields, count);
}
