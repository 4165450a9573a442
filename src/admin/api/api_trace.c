/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api/api_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/http_head.h"
#include "trace/trace_span.h"
#include "trace/tracer.h"

static struct trace_context parent_of(const struct http_request *request)
{
	struct trace_context parent = {0};
	struct slice value;

	if (http_field_find(request->head, request->data, "traceparent", &value) == 1)
		trace_parent_read(value, &parent);
	return parent;
}

static void add_request(struct trace_span *span, const struct http_request *request)
{
	struct slice agent = {0}, state = {0};

	http_field_find(request->head, request->data, "User-Agent", &agent);
	if (http_field_find(request->head, request->data, "tracestate", &state) == 1)
		trace_span_state(span, state);
	trace_span_text(span, "http.request.method", request->method);
	trace_span_text(span, "url.path", request->path);
	if (request->client != NULL)
		trace_span_text(span, "gatehouse.remote", slice_from_text(request->client));
	trace_span_text(span, "user_agent.original", agent);
}

void api_trace_begin(struct api_call *call)
{
	struct tracer *tracer = server_fleet(call->api->server)->tracer;
	/* Of the thread, in which all of this runs, and of nobody else. */
	struct random_source *random = (struct random_source *)&call->api->random;
	struct trace_span span = {0};

	if (!tracer_is_on(tracer))
		return;
	struct trace_context parent = parent_of(call->request);

	trace_span_begin(&span, tracer, TRACE_SERVER, &parent, random);
	call->trace = span.context;
	call->span = trace_span_is_recorded(&span) ? malloc(sizeof(span)) : NULL;
	if (call->span == NULL)
		return;
	*call->span = span;
	add_request(call->span, call->request);
}

/* "POST /api/v1/clients/{route}/{client_id}/call" */
static void end(struct trace_span *span, struct slice method, const char *path, unsigned status)
{
	char route[128] = "", name[160], text[16];

	if (path != NULL)
		snprintf(route, sizeof(route), "/api/v1/%s", path);
	snprintf(name, sizeof(name), "%.*s%s%s", (int)MIN(method.len, (size_t)16),
		 (const char *)method.data, path == NULL ? "" : " ", route);
	snprintf(text, sizeof(text), "%u", status);
	trace_span_text(span, "http.route", slice_from_text(route));
	trace_span_number(span, "http.response.status_code", status);
	if (status >= 500)
		trace_span_text(span, "error.type", slice_from_text(text));
	trace_span_end(span, name, status >= 500 ? text : NULL);
	free(span);
}

static void on_reply(struct http_later *later, const struct http_reply *reply)
{
	end(later->span, later->request.method, later->span_path, reply->status);
}

void api_trace_take(struct api_call *call, struct http_later *later)
{
	if (call->span == NULL)
		return;
	later->span = call->span;
	later->span_path = call->path;
	later->on_reply = on_reply;
	call->span = NULL;
}

void api_trace_end(struct api_call *call, const char *path)
{
	if (call->span != NULL)
		end(call->span, call->request->method, path, call->reply->status);
	call->span = NULL;
}
