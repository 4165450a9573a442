/* SPDX-License-Identifier: Apache-2.0
 * api_client.c - what is asked of one client, wherever it is connected. */
#include "admin/api/api_call.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/media_type.h"
#include "fleet/command/ask.h"
#include "proto/http_head.h"

/* Appends the newline that people expect; without memory the answer goes without a body. */
static void reply_fill(struct http_reply *reply, const struct command_result *result)
{
	reply->status = result->status;
	if (buf_append(&reply->body, result->body.data, result->body.len, SIZE_MAX) < 0 ||
	    buf_append(&reply->body, "\n", 1, SIZE_MAX) < 0)
		buf_finish(&reply->body);
	else
		reply->content_type = result->status < 400 ? "application/json"
							   : "application/problem+json";
}

/* Who sent whom away, whatever became of it. The worker that has the client tells of its end. */
static void log_close(const struct command *command, const struct http_request *request)
{
	struct slice field;
	bool has_token = http_field_find(request->head, request->data, "Authorization", &field) > 0;

	const struct trace_context *trace = &command->trace;
	char trace_id[TRACE_ID_TEXT];

	log_info("the API closes a client", F_TEXT("route", command->ask.route),
		 F_TEXT("client_id", command->ask.client_id),
		 F_TEXT("trace_id", trace_context_is_set(trace)
					    ? trace_id_write(trace->trace_id, trace_id)
					    : NULL),
		 F_UINT("status", command->result.status), F_TEXT("asked_by", request->client),
		 F_TEXT("access", has_token ? "token" : "loopback"));
}

static void on_done(struct command *command, void *arg)
{
	struct http_later *later = arg;
	struct http_reply reply = {0};

	if (command->kind == &command_close)
		log_close(command, &later->request);

	reply_fill(&reply, &command->result);
	command_destroy(&command);
	http_later_reply(later, &reply);
}

/* The reply says what is wrong with the command. */
static void refuse(struct api_call *call, struct command *command)
{
	if (command != NULL)
		reply_fill(call->reply, &command->result);
	else
		api_problem_no_memory(call->reply);
	command_destroy(&command);
}

void api_ask(struct api_call *call, struct command *command)
{
	CHECK(call->route != NULL && call->client_id.len > 0); /* the path has them */
	if (command == NULL || command_has_ended(command)) {
		refuse(call, command);
		return;
	}
	struct http_later *later = api_take(call);

	if (later == NULL) {
		command_destroy(&command);
		return;
	}
	command->trace = call->trace;
	fleet_ask(later->home, call->route->name, call->client_id.text, command,
		  call->config->admin.call_timeout * NS_PER_MS, on_done, later);
}

static bool is_json(const struct http_request *request)
{
	struct slice type = {0};

	http_field_find(request->head, request->data, "Content-Type", &type);
	return media_type_is_json(type);
}

void api_ask_kind(struct api_call *call, const struct command_kind *kind)
{
	struct slice body = call->request->body;

	if (!api_query(call, NULL, 0))
		return;
	if (body.len > 0 && !is_json(call->request)) {
		api_problem(call->reply, 415, "content_type", "The body must be JSON, and say so.",
			    (struct slice){0}, "Content-Type: application/json");
		return;
	}
	struct command *command = command_create(server_fleet(call->api->server), kind);

	if (command != NULL)
		command_read(command, body);
	api_ask(call, command);
}

void api_client_inspect(struct api_call *call)
{
	api_ask_kind(call, &command_inspect);
}

void api_client_close(struct api_call *call)
{
	api_ask_kind(call, &command_close);
}

void api_client_call(struct api_call *call)
{
	api_ask_kind(call, &command_call);
}

void api_client_actions(struct api_call *call)
{
	api_ask_kind(call, &command_actions);
}

void api_client_renew(struct api_call *call)
{
	api_ask_kind(call, &command_renew);
}

void api_client_send(struct api_call *call)
{
	struct api_param type = {.name = "type"};
	struct message message = {0};

	if (!api_query(call, &type, 1) || !api_message_check(call, &type, &message))
		return;
	struct command *command = command_create(server_fleet(call->api->server), &command_send);

	message.bytes = call->request->body;
	if (command != NULL)
		command_read_message(command, &message);
	api_ask(call, command);
}
