/* SPDX-License-Identifier: Apache-2.0
 * command_call.c - a call to a client, and its answer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/clock.h"
#include "base/units.h"
#include "fleet/client.h"
#include "fleet/command/command_call.h"
#include "fleet/message.h"
#include "proto/json_text.h"
#include "trace/tracer.h"

/* A call ends so long before who asked for it stops waiting, so that its outcome gets there. */
#define HEAD_START_MAX_NS (500 * NS_PER_MS)

/* --- arguments --- */

static bool refuse(struct command *command, const char *reason, const char *detail,
		   const char *seen, const char *allowed)
{
	command_problem(command,
			&(struct problem){
				.status = 400,
				.reason = reason,
				.detail = detail,
				.seen = seen == NULL ? (struct slice){0} : slice_from_text(seen),
				.allowed = allowed,
			});
	return false;
}

static const char *kind_text(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "null",
	};

	return value == NULL ? "nothing" : names[json_typeof(value)];
}

/* Either "action" with "payload", as OCPP-J calls them, or "method" with "params". */
static bool method_read(struct command *command, const json_t *members, struct call_args *args)
{
	const json_t *action = json_object_get(members, "action");
	const json_t *method = json_object_get(members, "method");

	args->is_ocpp_j = method == NULL;
	if (action != NULL && method != NULL)
		return refuse(command, "call", "A call has an action or a method, not both.", NULL,
			      command->kind->example);
	const json_t *name = args->is_ocpp_j ? action : method;

	args->method = json_string_value(name);
	if (args->method != NULL && args->method[0] != 0)
		return true;
	return refuse(command, "call",
		      "A call needs a name, as a string that is not empty: 'action' for OCPP-J, "
		      "'method' for JSON-RPC.",
		      args->method == NULL ? kind_text(name) : "an empty string",
		      command->kind->example);
}

static bool params_read(struct command *command, const json_t *members, struct call_args *args)
{
	const json_t *payload = json_object_get(members, "payload");
	const json_t *params = json_object_get(members, "params");

	if (args->is_ocpp_j ? params != NULL : payload != NULL)
		return refuse(command, "call",
			      "'payload' belongs to 'action', and 'params' to 'method'.", NULL,
			      command->kind->example);
	args->params = args->is_ocpp_j ? payload : params;
	if (args->params == NULL || json_is_object(args->params) ||
	    (!args->is_ocpp_j && json_is_array(args->params)))
		return true;
	return args->is_ocpp_j ? refuse(command, "call", "'payload' must be an object.",
					kind_text(payload), "an object; left out: {}")
			       : refuse(command, "call", "'params' must be an object or an array.",
					kind_text(params), "an object or an array, or nothing");
}

static bool timeout_read(struct command *command, const json_t *timeout, struct call_args *args)
{
	uint64_t max_ms = counter_read(&command->fleet->limits.call_timeout_ns) / NS_PER_MS;
	uint64_t ms = 0;
	const char *text = json_string_value(timeout);
	char max[32], allowed[96];

	if (timeout == NULL)
		return true;
	if (text != NULL && units_parse_duration_ms(slice_from_text(text), &ms) == UNITS_OK &&
	    ms > 0 && ms <= max_ms) {
		args->timeout_ns = ms * NS_PER_MS;
		return true;
	}
	snprintf(allowed, sizeof(allowed), "a string, \"1ms\"..\"%s\" (admin.call_timeout)",
		 units_format_duration_ms(max_ms, max, sizeof(max)));
	return refuse(command, "timeout", "'timeout' is no time that a call may wait.",
		      text == NULL ? kind_text(timeout) : text, allowed);
}

static bool call_parse(struct command *command, const json_t *members)
{
	struct call_args *args = command_args(command);

	return method_read(command, members, args) && params_read(command, members, args) &&
	       timeout_read(command, json_object_get(members, "timeout"), args);
}

/* --- the end --- */

static json_t *answered_json(const struct call_args *args)
{
	const struct presence *presence = args->presence;
	uint64_t now_ns = clock_now_ns();

	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "result", "answered", "route",
			 presence_route_name(presence), "client_id", presence->client_id,
			 "connection_id", (json_int_t)presence->connection_id, "duration_ms",
			 (json_int_t)((now_ns - args->started_ns) / NS_PER_MS));
}

static void end_with(struct command *command, unsigned status, json_t *body,
		     const struct json_piece *pieces, size_t count)
{
	struct buf members = {0};

	if (json_write(&members, SIZE_MAX / 2, pieces, count) == 0) {
		command_done_raw(command, status, body, buf_slice(&members));
	} else {
		json_decref(body);
		command_done(command, 503, NULL);
	}
	buf_finish(&members);
}

static void end_answered(struct call_args *args, const struct call_result *result)
{
	const struct json_piece pieces[] = {JSON_LITERAL("\"payload\":"),
					    JSON_RAW(result->payload)};

	end_with(args->command, 200, answered_json(args), pieces, ARRAY_LEN(pieces));
}

static void end_client_error(struct call_args *args, const struct call_result *result)
{
	bool has_details = result->payload.len > 0;
	const struct json_piece pieces[] = {
		JSON_LITERAL("\"code\":"),
		JSON_RAW(result->code),
		JSON_LITERAL(",\"description\":"),
		JSON_RAW(result->description),
		JSON_RAW(has_details ? SLICE_LITERAL(",\"details\":") : (struct slice){0}),
		JSON_RAW(result->payload),
	};
	const struct problem problem = {
		.status = 422,
		.reason = "client_error",
		.detail = "The client answered with an error of its own.",
	};

	end_with(args->command, 422, problem_json(&problem), pieces, ARRAY_LEN(pieces));
}

/* No answer: whether the client has got the call says if it is safe to try again. */
static void end_unanswered(struct command *command, const struct problem *problem, bool was_sent)
{
	json_t *body = problem_json(problem);

	if (body != NULL)
		json_object_set_new(body, "was_sent", json_boolean(was_sent));
	command_done(command, problem->status, body);
}

/* --- its span --- */

static void trace_begin(struct command *command, const struct session *session,
			struct call_args *args)
{
	struct tracer *tracer = command->fleet->tracer;
	const struct presence *presence = session->presence;

	if (!tracer_is_on(tracer) || !trace_context_is_set(&command->trace))
		return;
	trace_span_begin(&args->span, tracer, TRACE_CLIENT, &command->trace,
			 session->ops->home((struct session *)session)->random);
	trace_span_text(&args->span, "rpc.system",
			args->is_ocpp_j ? SLICE_LITERAL("ocpp") : SLICE_LITERAL("jsonrpc"));
	trace_span_text(&args->span, "rpc.method", slice_from_text(args->method));
	trace_span_text(&args->span, "gatehouse.route",
			slice_from_text(presence_route_name(presence)));
	trace_span_text(&args->span, "gatehouse.client_id", slice_from_text(presence->client_id));
	trace_span_number(&args->span, "gatehouse.connection_id", presence->connection_id);
}

/* An error that the client answers with is one of the call's. */
static void trace_end(struct call_args *args, const struct call_result *result)
{
	const char *label = call_outcome_label(result->outcome);
	bool is_good = result->outcome == CALL_ANSWERED;

	trace_span_text(&args->span, "gatehouse.outcome", slice_from_text(label));
	if (!is_good)
		trace_span_text(&args->span, "error.type", slice_from_text(label));
	trace_span_end(&args->span, "call client", is_good ? NULL : label);
}

void command_call_done(struct rpc_call *call, const struct call_result *result)
{
	struct call_args *args = CONTAINER_OF(call, struct call_args, call);
	struct problem problem = {.reason = call_outcome_label(result->outcome)};

	trace_end(args, result);
	switch (result->outcome) {
	case CALL_ANSWERED:
		end_answered(args, result);
		return;
	case CALL_CLIENT_ERROR:
		end_client_error(args, result);
		return;
	case CALL_BAD_ANSWER:
		problem.status = 502;
		problem.detail =
			"What the client answered cannot be read; it went to the back end, "
			"marked as malformed.";
		problem.seen = result->description;
		break;
	case CALL_TIMED_OUT:
		problem.status = 504;
		problem.detail =
			result->was_sent
				? "The client was sent the call and did not answer in time; "
				  "it may still carry it out."
				: "The call was not sent: the client was busy with others "
				  "until its time was over.";
		break;
	default:
		problem.status = 502;
		problem.detail =
			result->was_sent
				? "The connection ended before the client answered; it may "
				  "have carried out the call."
				: "The connection ended before the call was sent.";
		break;
	}
	end_unanswered(args->command, &problem, result->was_sent);
}

/* --- the call --- */

/* False: the command has ended. */
static bool check_route(struct command *command, const struct config_route *route,
			const struct call_args *args)
{
	bool is_ocpp_j = route->rpc == CONFIG_RPC_OCPP_J;

	if (route->rpc == CONFIG_RPC_NONE) {
		command_problem(command,
				&(struct problem){
					.status = 409,
					.reason = "no_rpc",
					.detail = "This route knows no calls. Set routes[].rpc "
						  "to the framing that its clients speak.",
					.seen = slice_from_text(route->name),
					.allowed = "rpc: ocpp-j, json-rpc",
				});
		return false;
	}
	if (is_ocpp_j == args->is_ocpp_j)
		return true;
	return refuse(command, "framing", "The clients of this route speak another framing.",
		      args->is_ocpp_j ? "action" : "method",
		      is_ocpp_j ? "ocpp-j: {\"action\": ..., \"payload\": {...}}"
				: "json-rpc: {\"method\": ..., \"params\": ...}");
}

/* The fewest digits that stand for the same numbers: 0.1 is not 0.10000000000000001 to a
 * reader that counts digits. NULL: memory is out. */
static char *params_write(const json_t *params)
{
	char *text = json_dumps(params, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_t *again = text == NULL ? NULL : json_loads(text, 0, NULL);
	bool is_same = json_equal(params, again);

	json_decref(again);
	if (is_same)
		return text;
	free(text);
	return json_dumps(params, JSON_COMPACT);
}

/* False: the command has ended. */
static bool params_take(struct command *command, struct call_args *args)
{
	struct message_fault fault;

	if (args->params == NULL) {
		args->call.params = args->is_ocpp_j ? SLICE_LITERAL("{}") : (struct slice){0};
		return true;
	}
	args->params_text = params_write(args->params);
	if (args->params_text == NULL) {
		command_done(command, 503, NULL);
		return false;
	}
	args->call.params = slice_from_text(args->params_text);
	if (message_check(command->fleet,
			  &(struct message){.is_text = true, .bytes = args->call.params}, &fault))
		return true;
	command_problem(command, &fault.problem);
	return false;
}

struct rpc *command_call_rpc(struct session *session, const struct config_route *route)
{
	struct fleet_home *home = session->ops->home(session);
	struct client *client = client_of(home, session);

	if (client != NULL && client->rpc == NULL)
		client->rpc = rpc_create(&(struct rpc_options){
			.route = route,
			.session = session,
			.loop = home->loop,
			.stats = home->fleet->rpc,
		});
	return client == NULL ? NULL : client->rpc;
}

static uint64_t timeout_of(const struct command *command, const struct call_args *args)
{
	uint64_t patience_ns = command->timeout_ns != 0
				       ? command->timeout_ns
				       : counter_read(&command->fleet->limits.call_timeout_ns);
	uint64_t max_ns = patience_ns - MIN(patience_ns / 10, HEAD_START_MAX_NS);

	return args->timeout_ns == 0 ? max_ns : MIN(args->timeout_ns, max_ns);
}

static void start(struct command *command, struct rpc *rpc, struct call_args *args,
		  uint64_t queue_max)
{
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "%" PRIu64, queue_max);
	switch (rpc_start(rpc, &args->call, timeout_of(command, args))) {
	case CALL_WAITS:
		break;
	case CALL_QUEUE_FULL:
		command_problem(command,
				&(struct problem){
					.status = 503,
					.reason = call_outcome_label(CALL_QUEUE_FULL),
					.detail = "As many calls wait for this client as "
						  "routes[].call_queue_max allows. Send fewer at a "
						  "time, or raise it.",
					.allowed = allowed,
				});
		break;
	default:
		command_not_connected(command, slice_from_text(args->presence->client_id));
		break;
	}
}

static void call_run(struct command *command, struct session *session)
{
	struct call_args *args = command_args(command);
	const struct config_route *route = session_route(session);

	if (!check_route(command, route, args) || !params_take(command, args))
		return;
	struct rpc *rpc = command_call_rpc(session, route);

	if (rpc == NULL) {
		command_done(command, 503, NULL);
		return;
	}
	args->command = command;
	args->presence = presence_ref(session->presence);
	args->started_ns = clock_now_ns();
	args->call.method = slice_from_text(args->method);
	args->call.on_done = command_call_done;
	trace_begin(command, session, args);
	start(command, rpc, args, route->call_queue_max);
}

static void call_lose(struct command *command)
{
	end_unanswered(
		command,
		&(struct problem){
			.status = 502,
			.reason = call_outcome_label(CALL_CONNECTION_LOST),
			.detail = "The connection, or the node that had it, ended before the "
				  "client answered; it may have carried out the call.",
		},
		true);
}

static void call_finish(struct command *command)
{
	struct call_args *args = command_args(command);

	trace_span_end(&args->span, "call client", "the call was not made, or its client moved");
	free(args->params_text);
	presence_unref(&args->presence);
}

const struct command_kind command_call = {
	.id = COMMAND_ID_CALL,
	.name = "call",
	.members = "action, payload, method, params, timeout",
	.example = "{\"action\": \"Reset\", \"payload\": {\"type\": \"Soft\"}, \"timeout\": "
		   "\"20s\"} for OCPP-J, {\"method\": ..., \"params\": ...} for JSON-RPC",
	.args_size = sizeof(struct call_args),
	.parse = call_parse,
	.run = call_run,
	.lose = call_lose,
	.finish = call_finish,
};
