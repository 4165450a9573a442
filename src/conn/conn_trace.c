/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/conn_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conn/hull.h"
#include "io/tcp_tls.h"
#include "trace/trace_span.h"
#include "trace/tracer.h"

struct handshake_trace {
	struct trace_span handshake;
	struct trace_span proof; /* while it is looked at */
};

/* The client's own; not set: it sent no good one, or several. */
static struct trace_context context_of_client(const struct conn_request *request)
{
	struct trace_context context = {0};
	struct slice value;

	if (http_field_find(request->head, request->data, "traceparent", &value) == 1)
		trace_parent_read(value, &context);
	return context;
}

/* The path without its query, which may have secrets. */
static void add_request(struct conn *conn, struct trace_span *span,
			const struct conn_request *request)
{
	char client[CONN_CLIENT_TEXT_MAX], ip[NET_IP_TEXT_MAX];
	struct net_ip remote = conn_client(conn);
	struct slice agent = {0}, state = {0};

	http_field_find(request->head, request->data, "User-Agent", &agent);
	if (http_field_find(request->head, request->data, "tracestate", &state) == 1)
		trace_span_state(span, state);
	net_ip_format(&remote, ip, sizeof(ip));
	trace_span_text(span, "http.request.method", SLICE_LITERAL("GET"));
	trace_span_text(span, "url.scheme",
			tcp_is_sealed(&conn->tcp) ? SLICE_LITERAL("https") : SLICE_LITERAL("http"));
	trace_span_text(span, "url.path", http_path(request->head, request->data));
	trace_span_text(span, "client.address", slice_from_text(ip));
	if (conn->client_port != 0)
		trace_span_number(span, "client.port", conn->client_port);
	trace_span_text(span, "gatehouse.remote", slice_from_text(conn_client_text(conn, client)));
	trace_span_text(span, "user_agent.original", agent);
}

void conn_trace_begin(struct conn *conn, const struct conn_request *request)
{
	struct tracer *tracer = conn->home->service->tracer;
	struct handshake_trace **slot = conn_trace_slot(conn);

	if (!tracer_is_on(tracer))
		return;
	CHECK(slot != NULL && *slot == NULL);
	struct trace_context parent = context_of_client(request);
	struct trace_span span = {0};

	trace_span_begin(&span, tracer, TRACE_SERVER, &parent, &conn->home->random);
	struct handshake_trace *trace = trace_span_is_recorded(&span) ? calloc(1, sizeof(*trace))
								      : NULL;

	if (trace == NULL)
		return;
	/* As conn_now_us has it: hull.c calls what is here. */
	uint32_t now_us = (uint32_t)(loop_now(conn->home->loop) / NS_PER_US);
	uint64_t passed_us = (uint32_t)(now_us - conn_head(conn)->accepted_us);

	span.start_ns -= passed_us * NS_PER_US;
	trace->handshake = span;
	add_request(conn, &trace->handshake, request);
	*slot = trace;
}

struct trace_context conn_trace_context(struct conn *conn, const struct conn_request *request)
{
	struct handshake_trace **slot = conn_trace_slot(conn);

	return slot != NULL && *slot != NULL ? (*slot)->handshake.context
					     : context_of_client(request);
}

/* --- the proof --- */

void conn_trace_proving(struct conn *conn)
{
	struct handshake_trace **slot = conn_trace_slot(conn);

	if (slot != NULL && *slot != NULL)
		trace_span_begin(&(*slot)->proof, (*slot)->handshake.tracer, TRACE_INTERNAL,
				 &(*slot)->handshake.context, &conn->home->random);
}

void conn_trace_proved(struct conn *conn, enum auth_verdict verdict,
		       const struct auth_result *result)
{
	struct handshake_trace **slot = conn_trace_slot(conn);
	bool is_proved = verdict == AUTH_PROVED;

	if (slot == NULL || *slot == NULL)
		return;
	struct trace_span *span = &(*slot)->proof;

	trace_span_text(span, "gatehouse.auth.verdict",
			slice_from_text(auth_verdict_label(verdict)));
	if (result->way != NULL)
		trace_span_text(span, "gatehouse.auth.way",
				slice_from_text(result->way->ops->name));
	if (!is_proved && result->reason != NULL)
		trace_span_text(span, "gatehouse.reason", slice_from_text(result->reason));
	trace_span_end(span, "authenticate", verdict == AUTH_UNAVAILABLE ? result->detail : NULL);
}

/* --- the end --- */

static void add_client(const struct conn *conn, struct trace_span *span)
{
	const struct presence *presence = conn->has_presence ? conn->session.presence : NULL;

	if (presence == NULL)
		return;
	trace_span_text(span, "gatehouse.client_id", slice_from_text(presence->client_id));
	if (presence->connection_id != 0)
		trace_span_number(span, "gatehouse.connection_id", presence->connection_id);
}

/* "GET /ocpp/{client_id}" */
static void end(struct conn *conn, struct handshake_trace *trace, const char *error)
{
	const struct route *route = conn_route(conn);
	struct trace_span *span = &trace->handshake;
	char name[TRACE_TEXT_MAX];

	snprintf(name, sizeof(name), "GET%s%s", route == NULL ? "" : " ",
		 route == NULL ? "" : route->config->path);
	if (route != NULL) {
		trace_span_text(span, "http.route", slice_from_text(route->config->path));
		trace_span_text(span, "gatehouse.route", slice_from_text(route->config->name));
	}
	add_client(conn, span);
	trace_span_end(&trace->proof, "authenticate", "the handshake ended before it was done");
	trace_span_end(span, name, error);
	free(trace);
}

/* By the rules for servers only 5xx is an error: with 4xx it is the client who made one. */
void conn_trace_answered(struct conn *conn, unsigned status, const char *reason)
{
	struct handshake_trace *trace = conn_trace_lift(conn);
	char text[16];

	if (trace == NULL)
		return;
	trace_span_number(&trace->handshake, "http.response.status_code", status);
	if (reason != NULL)
		trace_span_text(&trace->handshake, "gatehouse.reason", slice_from_text(reason));
	snprintf(text, sizeof(text), "%u", status);
	if (status >= 500)
		trace_span_text(&trace->handshake, "error.type", slice_from_text(text));
	end(conn, trace, status >= 500 ? (reason == NULL ? text : reason) : NULL);
}

void conn_trace_set_down(struct conn *conn, struct handshake_trace *trace)
{
	struct handshake_trace **slot = conn_trace_slot(conn);

	if (slot != NULL) {
		*slot = trace;
		return;
	}
	trace_span_text(&trace->handshake, "error.type", SLICE_LITERAL("unanswered"));
	end(conn, trace, "the connection ended before it was answered");
}
