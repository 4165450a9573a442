/* SPDX-License-Identifier: Apache-2.0
 * api_client.c - what is asked of one client: done in the thread of its worker. */
#include "admin/api_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/api_call.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "proto/http_head.h"
#include "proto/ws_close.h"
#include "session/directory.h"
#include "session/session.h"

/* A close frame has room for 125 bytes, two of which are the code. */
#define REASON_MAX 123

/* One question on its way: to the client's worker, and back. */
struct errand {
	struct http_later *later;
	struct presence *presence;
	struct presence_task task;   /* there */
	struct loop_task back;       /* and back */
	const struct config *config; /* for what the answer tells */
	void (*run)(struct errand *errand, struct session *session);
	void (*report)(const struct errand *errand, struct http_reply *reply);
	struct message message;
	uint16_t code;
	char reason[REASON_MAX + 1];
	int result;    /* 0 or a negative errno */
	size_t queued; /* [bytes] that wait for the client, before */
};

json_t *api_client_json(const struct presence *presence)
{
	char at[CLOCK_TEXT_MAX], ip[NET_IP_TEXT_MAX];

	clock_wall_format(presence->connected_at_ms * NS_PER_MS, at);
	net_ip_format(&presence->remote, ip, sizeof(ip));
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s?, s:{s:s, s:i}}", "route", presence->route,
			 "client_id", presence->client_id, "connection_id",
			 (json_int_t)presence->connection_id, "generation",
			 (json_int_t)presence->generation, "connected_at", at, "subprotocol",
			 presence->subprotocol, "remote", "address", ip, "port",
			 (int)presence->remote_port);
}

/* --- the way --- */

static void errand_destroy(struct errand *errand)
{
	presence_unref(&errand->presence);
	free(errand);
}

static void problem_not_connected(struct http_reply *reply, const char *client_id)
{
	api_problem(reply, 404, "not_connected", "This client is not connected.",
		    slice_from_text(client_id), NULL);
}

static void problem_slow(const struct errand *errand, struct http_reply *reply)
{
	char seen[32], allowed[32];

	snprintf(seen, sizeof(seen), "%zu", errand->queued);
	api_problem(
		reply, 409, "slow_reader",
		"The message was not sent: with it more than server.send_queue_max bytes would "
		"wait for this client. As a slow reader it was closed.",
		slice_from_text(seen),
		units_format_size(errand->config->server.send_queue_max, allowed, sizeof(allowed)));
}

static void answer(struct errand *errand, struct http_reply *reply)
{
	switch (errand->result) {
	case 0:
		errand->report(errand, reply);
		break;
	case -EPIPE:
		problem_not_connected(reply, errand->presence->client_id);
		break;
	case -ENOBUFS:
		problem_slow(errand, reply);
		break;
	default:
		api_problem_no_memory(reply);
		break;
	}
}

/* In the admin listener's thread. */
static void come_back(struct loop_task *task)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, back);
	struct http_reply reply = {0};

	answer(errand, &reply);
	http_later_reply(errand->later, &reply);
	errand_destroy(errand);
}

/* In the client's thread. */
static void arrive(struct presence_task *task, struct session *session)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, task);

	if (session == NULL)
		errand->result = -EPIPE;
	else
		errand->run(errand, session);
	errand->back.run = come_back;
	loop_post(http_later_loop(errand->later), &errand->back);
}

/* Takes over the request, or fills the reply. */
static void send_out(struct api_call *call, const struct errand *what)
{
	struct directory *directory = server_directory(call->api->server);
	struct presence *presence = directory_find(directory, call->route->name,
						   call->client_id.text);

	if (presence == NULL) {
		problem_not_connected(call->reply, call->client_id.text);
		return;
	}
	struct errand *errand = malloc(sizeof(*errand));
	struct http_later *later = errand == NULL ? NULL : api_take(call);

	if (errand == NULL)
		api_problem_no_memory(call->reply);
	if (later == NULL) {
		presence_unref(&presence);
		free(errand);
		return;
	}
	*errand = *what;
	errand->later = later;
	errand->presence = presence;
	errand->config = call->api->config;
	errand->message.bytes = http_later_request(later)->body;
	errand->task.run = arrive;
	if (presence_post(presence, &errand->task))
		return;
	errand->result = -EPIPE;
	come_back(&errand->back);
}

/* --- inspect --- */

static void run_inspect(struct errand *errand, struct session *session)
{
	errand->queued = session_queued(session);
}

static void report_inspect(const struct errand *errand, struct http_reply *reply)
{
	const struct presence *presence = errand->presence;
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS;
	uint64_t since_ms = now_ms > presence->connected_at_ms ? now_ms - presence->connected_at_ms
							       : 0;
	json_t *body = api_client_json(presence);

	if (body != NULL) {
		json_object_set_new(body, "connected_seconds", json_integer(since_ms / 1000));
		json_object_set_new(body, "queued_bytes", json_integer((json_int_t)errand->queued));
	}
	api_reply_json(reply, 200, body);
}

void api_client_inspect(struct api_call *call)
{
	if (api_query(call, NULL, 0))
		send_out(call, &(struct errand){.run = run_inspect, .report = report_inspect});
}

/* --- messages --- */

static void run_send(struct errand *errand, struct session *session)
{
	errand->queued = session_queued(session);
	errand->result = session_push(session, &errand->message);
}

static void report_send(const struct errand *errand, struct http_reply *reply)
{
	const struct presence *presence = errand->presence;

	api_reply_json(reply, 200,
		       json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "result", "delivered", "route",
				 presence->route, "client_id", presence->client_id, "connection_id",
				 (json_int_t)presence->connection_id, "type",
				 errand->message.is_text ? "text" : "binary", "bytes",
				 (json_int_t)errand->message.bytes.len));
}

void api_client_send(struct api_call *call)
{
	struct api_param type = {.name = "type"};
	struct errand errand = {.run = run_send, .report = report_send};

	if (api_query(call, &type, 1) && api_message_check(call, &type, &errand.message.is_text))
		send_out(call, &errand);
}

/* --- close --- */

static void run_close(struct errand *errand, struct session *session)
{
	errand->result = session_close(session, errand->code, errand->reason);
}

static void report_close(const struct errand *errand, struct http_reply *reply)
{
	const struct presence *presence = errand->presence;

	api_reply_json(reply, 200,
		       json_pack("{s:s, s:s, s:s, s:I, s:i, s:s}", "result", "closing", "route",
				 presence->route, "client_id", presence->client_id, "connection_id",
				 (json_int_t)presence->connection_id, "code", (int)errand->code,
				 "reason", errand->reason));
}

/* 1010 is for clients to send (RFC 6455, 7.4.1). */
static bool may_send_code(json_int_t code)
{
	return code > 0 && code <= UINT16_MAX && code != WS_CLOSE_MISSING_EXTENSION &&
	       ws_close_code_is_valid((uint16_t)code);
}

static bool code_read(struct api_call *call, const json_t *code, struct errand *errand)
{
	char seen[32] = "not an integer";

	if (code == NULL)
		return true;
	if (json_is_integer(code))
		snprintf(seen, sizeof(seen), "%" JSON_INTEGER_FORMAT, json_integer_value(code));
	if (json_is_integer(code) && may_send_code(json_integer_value(code))) {
		errand->code = (uint16_t)json_integer_value(code);
		return true;
	}
	api_problem(call->reply, 400, "close_code", "'code' is no code that a server may send.",
		    slice_from_text(seen), "1000..1003, 1007..1009, 1011..1014, 3000..4999");
	return false;
}

static bool reason_read(struct api_call *call, const json_t *reason, struct errand *errand)
{
	const char *text = json_string_value(reason);

	if (reason == NULL)
		return true;
	if (text != NULL && strlen(text) <= REASON_MAX) {
		memcpy(errand->reason, text, strlen(text) + 1);
		return true;
	}
	api_problem(call->reply, 400, "close_reason",
		    "'reason' is not a string that fits into a close frame.",
		    slice_from_text(text == NULL ? "not a string" : text),
		    "a string of at most 123 bytes");
	return false;
}

static bool members_read(struct api_call *call, json_t *body, struct errand *errand)
{
	const char *key;
	json_t *value;

	json_object_foreach(body, key, value)
	{
		if (strcmp(key, "code") == 0 || strcmp(key, "reason") == 0)
			continue;
		api_problem(call->reply, 400, "member", "The body has an unknown member.",
			    slice_from_text(key), "code, reason");
		return false;
	}
	return code_read(call, json_object_get(body, "code"), errand) &&
	       reason_read(call, json_object_get(body, "reason"), errand);
}

static bool is_json(const struct http_request *request)
{
	struct slice type = {0};
	const struct slice wanted = SLICE_LITERAL("application/json");

	http_field_find(request->head, request->data, "Content-Type", &type);
	return type.len >= wanted.len &&
	       slice_equals_nocase(slice_of(type.data, wanted.len), wanted) &&
	       (type.len == wanted.len || type.data[wanted.len] == ';');
}

static bool close_read(struct api_call *call, struct errand *errand)
{
	struct slice body = call->request->body;
	json_error_t error;
	char detail[256];

	if (body.len == 0)
		return true;
	if (!is_json(call->request)) {
		api_problem(call->reply, 415, "content_type", "The body must be JSON, and say so.",
			    (struct slice){0}, "Content-Type: application/json");
		return false;
	}
	json_t *json = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES,
				  &error);

	if (!json_is_object(json)) {
		snprintf(detail, sizeof(detail), "The body is no JSON object%s%s.",
			 json == NULL ? ": " : "", json == NULL ? error.text : "");
		api_problem(call->reply, 400, "json", detail, body,
			    "{\"code\": 1000, \"reason\": \"text\"}, both optional");
		json_decref(json);
		return false;
	}
	bool is_good = members_read(call, json, errand);

	json_decref(json);
	return is_good;
}

void api_client_close(struct api_call *call)
{
	struct errand errand = {.run = run_close, .report = report_close, .code = WS_CLOSE_NORMAL};

	if (api_query(call, NULL, 0) && close_read(call, &errand))
		send_out(call, &errand);
}
