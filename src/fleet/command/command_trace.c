/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/command/command_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "fleet/client.h"
#include "trace/trace_span.h"
#include "trace/tracer.h"

#define TRACEPARENT "traceparent"

/* Nodes ask each other of whom nobody has asked: only with a trace that is there already. */
static bool is_between_nodes(enum command_id id)
{
	return id == COMMAND_ID_HOLDER || id == COMMAND_ID_CLAIM || id == COMMAND_ID_INSPECT;
}

static struct trace_context parent_read(const struct bus_message *question)
{
	struct trace_context parent = {0};
	struct slice value = bus_message_header(question, TRACEPARENT);

	if (value.data != NULL)
		trace_parent_read(value, &parent);
	return parent;
}

static void add_client(struct trace_span *span, const struct presence *presence)
{
	trace_span_text(span, "gatehouse.route", slice_from_text(presence_route_name(presence)));
	trace_span_text(span, "gatehouse.client_id", slice_from_text(presence->client_id));
	trace_span_number(span, "gatehouse.connection_id", presence->connection_id);
}

void command_trace_arrived(struct command *command, const struct session *session,
			   const struct bus_message *question)
{
	struct tracer *tracer = command->fleet->tracer;
	struct trace_context parent = parent_read(question);
	struct trace_span span = {0};

	if (!tracer_is_on(tracer) ||
	    (is_between_nodes(command->kind->id) && !trace_context_is_set(&parent)))
		return;
	trace_span_begin(&span, tracer, TRACE_SERVER, &parent,
			 session->ops->home((struct session *)session)->random);
	command->trace = span.context;
	command->span = trace_span_is_recorded(&span) ? malloc(sizeof(span)) : NULL;
	if (command->span == NULL)
		return;
	*command->span = span;
	add_client(command->span, session->presence);
	trace_span_text(command->span, "messaging.system", SLICE_LITERAL("nats"));
	trace_span_text(command->span, "messaging.destination.name", question->subject);
}

void command_trace_end(struct command *command)
{
	struct trace_span *span = command->span;
	unsigned status = command->result.status;
	char name[64], text[16];

	if (span == NULL)
		return;
	snprintf(name, sizeof(name), "process %s", command->kind->name);
	snprintf(text, sizeof(text), "%u", status);
	trace_span_number(span, "gatehouse.status", status);
	if (status >= 500)
		trace_span_text(span, "error.type", slice_from_text(text));
	trace_span_end(span, name, status >= 500 ? text : NULL);
	free(span);
	command->span = NULL;
}

void command_trace_leave(struct command *command)
{
	char name[64];

	if (command->span == NULL)
		return;
	snprintf(name, sizeof(name), "process %s", command->kind->name);
	trace_span_text(command->span, "gatehouse.outcome", SLICE_LITERAL("moved"));
	trace_span_end(command->span, name, NULL);
	free(command->span);
	command->span = NULL;
}

size_t command_trace_headers(const struct command *command, struct bus_header *out_header,
			     char text[TRACE_PARENT_LEN + 1])
{
	if (!trace_context_is_set(&command->trace))
		return 0;
	trace_parent_write(&command->trace, text);
	*out_header = (struct bus_header){SLICE_LITERAL(TRACEPARENT),
					  slice_of(text, TRACE_PARENT_LEN)};
	return 1;
}
