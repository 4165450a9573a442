/* SPDX-License-Identifier: Apache-2.0
 * command_client.c - inspect, send and close. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/net_ip.h"
#include "base/units.h"
#include "fleet/client.h"
#include "fleet/command/command.h"
#include "fleet/expiry.h"
#include "fleet/fleet.h"
#include "fleet/message.h"
#include "fleet/rpc/rpc_gate.h"
#include "proto/ws_close.h"

/* NULL, which json_pack takes for null: it has proved nothing. */
static json_t *proof_json(const struct presence *presence)
{
	struct presence_proof proof;

	if (!presence_proof(presence, &proof))
		return NULL;
	return json_pack("{s:s, s:s}", "way", proof.way, "subject", proof.subject);
}

/* NULL: memory is out. */
static json_t *attributes_json(const struct presence *presence)
{
	struct slice block = presence_attributes(presence);
	struct attribute given;
	json_t *attributes = json_object();

	while (attributes_next(&block, &given)) /* each ends in a NUL there */
		json_object_set_new(attributes, (const char *)given.name.data,
				    json_stringn((const char *)given.value.data, given.value.len));
	return attributes;
}

/* To two decimals: it is not known better. */
static json_t *rate_json(double per_s)
{
	return json_real((double)(uint64_t)(per_s * 100 + 0.5) / 100);
}

static void add_traffic(json_t *body, const struct traffic_picture *picture)
{
	json_object_set_new(body, "counters",
			    json_pack("{s:I, s:I, s:I, s:I}", "messages_received",
				      (json_int_t)picture->messages[TRAFFIC_IN], "messages_sent",
				      (json_int_t)picture->messages[TRAFFIC_OUT], "received_bytes",
				      (json_int_t)picture->bytes[TRAFFIC_IN], "sent_bytes",
				      (json_int_t)picture->bytes[TRAFFIC_OUT]));
	json_object_set_new(
		body, "rates",
		json_pack("{s:o, s:o, s:o, s:o}", "messages_received_per_second",
			  rate_json(picture->message_rate[TRAFFIC_IN]), "messages_sent_per_second",
			  rate_json(picture->message_rate[TRAFFIC_OUT]),
			  "received_bytes_per_second", rate_json(picture->byte_rate[TRAFFIC_IN]),
			  "sent_bytes_per_second", rate_json(picture->byte_rate[TRAFFIC_OUT])));
	json_object_set_new(body, "queued_bytes", json_integer(picture->queued));
}

json_t *command_client_json(const struct presence *presence, const struct traffic_picture *picture)
{
	char at[CLOCK_TEXT_MAX], ip[NET_IP_TEXT_MAX];

	clock_wall_format(presence->connected_at_ms * NS_PER_MS, at);
	struct net_ip remote = presence_remote(presence);

	net_ip_format(&remote, ip, sizeof(ip));
	json_t *body = json_pack(
		"{s:s, s:s, s:I, s:I, s:s, s:s?, s:{s:s, s:i}, s:o?, s:o}", "route",
		presence_route_name(presence), "client_id", presence->client_id, "connection_id",
		(json_int_t)presence->connection_id, "generation", (json_int_t)presence->generation,
		"connected_at", at, "subprotocol", presence_subprotocol(presence), "remote",
		"address", ip, "port", (int)presence->remote_port, "auth", proof_json(presence),
		"attributes", attributes_json(presence));

	if (body != NULL)
		add_traffic(body, picture);
	return body;
}

/* --- inspect --- */

/* When what it has proved ends; nothing if it does not. */
static void add_expiry(json_t *body, const struct session *session, uint64_t now_s)
{
	uint64_t at_s = expiry_at_s(session);

	if (at_s == 0)
		return;
	json_object_set_new(body, "expires_at", json_integer((json_int_t)at_s));
	json_object_set_new(body, "expires_in",
			    json_integer((json_int_t)(at_s > now_s ? at_s - now_s : 0)));
}

/* null: none. */
static json_t *compression_json(const struct session *session)
{
	struct session_compression terms;

	if (!session->ops->compression(session, &terms))
		return json_null();
	return json_pack("{s:s, s:{s:i, s:b}, s:{s:i, s:b}}", "extension", "permessage-deflate",
			 "to_client", "window_bits", (int)terms.out_bits, "keeps_window",
			 terms.keeps_out, "from_client", "window_bits", (int)terms.in_bits,
			 "keeps_window", terms.keeps_in);
}

/* null: in clear. */
static json_t *tls_json(const struct session *session)
{
	struct session_tls tls;

	if (!session->ops->tls(session, &tls))
		return json_null();
	return json_pack("{s:s, s:s}", "version", tls.version, "suite", tls.suite);
}

static void inspect_run(struct command *command, struct session *session)
{
	const struct presence *presence = session->presence;
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS;
	uint64_t since_ms = now_ms > presence->connected_at_ms ? now_ms - presence->connected_at_ms
							       : 0;
	struct traffic_picture picture;

	presence_look(presence, clock_now_ns(), now_ms, &picture);
	json_t *body = command_client_json(presence, &picture);

	if (body != NULL) {
		json_object_set_new(body, "node", json_string(command->fleet->node));
		json_object_set_new(body, "connected_seconds",
				    json_integer((json_int_t)(since_ms / 1000)));
		json_object_set_new(body, "queued_bytes",
				    json_integer((json_int_t)session_queued(session)));
		json_object_set_new(body, "held_back",
				    json_boolean(session->ops->is_held_back(session)));
		json_object_set_new(body, "compression", compression_json(session));
		json_object_set_new(body, "tls", tls_json(session));
		json_object_set_new(body, "groups", groups_of_session(session));
		add_expiry(body, session, now_ms / 1000);
	}
	command_done(command, 200, body);
}

const struct command_kind command_inspect = {
	.id = COMMAND_ID_INSPECT,
	.name = "inspect",
	.members = "",
	.example = "{}",
	.run = inspect_run,
};

/* --- send --- */

bool command_read_message(struct command *command, const struct message *message)
{
	struct message *sent = command_args(command);
	struct message_fault fault;

	*sent = *message;
	if (message_check(command->fleet, message, &fault))
		return true;
	command_problem(command, &fault.problem);
	return false;
}

static void send_slow(struct command *command, size_t queued)
{
	char seen[32], allowed[32];

	snprintf(seen, sizeof(seen), "%zu", queued);
	command_problem(
		command,
		&(struct problem){
			.status = 409,
			.reason = "slow_reader",
			.detail = "The message was not sent: with it more than "
				  "server.send_queue_max bytes would wait for this client. As a "
				  "slow reader it was closed.",
			.seen = slice_from_text(seen),
			.allowed = units_format_size(
				counter_read(&command->fleet->limits.send_queue_max), allowed,
				sizeof(allowed)),
		});
}

static json_t *sent_json(const struct presence *presence, const struct message *message)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "result", "delivered", "route",
			 presence_route_name(presence), "client_id", presence->client_id,
			 "connection_id", (json_int_t)presence->connection_id, "type",
			 message->is_text ? "text" : "binary", "bytes",
			 (json_int_t)message->bytes.len);
}

static void send_refuse(struct command *command)
{
	command_problem(
		command,
		&(struct problem){
			.status = 409,
			.reason = "use_call",
			.detail = "The message is a call, and on this route the gateway makes "
				  "those, so that their answers find back. Ask it for one.",
			.allowed = "the command 'call'; any other message",
		});
}

static void send_run(struct command *command, struct session *session)
{
	struct message *message = command_args(command);
	const struct presence *presence = session->presence;
	size_t queued = session_queued(session);

	switch (rpc_gate_down(session, message, session_push)) {
	case 0:
		command_done(command, 200, sent_json(presence, message));
		break;
	case -EPIPE:
		command_not_connected(command, slice_from_text(presence->client_id));
		break;
	case -ENOBUFS:
		send_slow(command, queued);
		break;
	case -EPERM:
		send_refuse(command);
		break;
	default:
		command_done(command, 503, NULL);
		break;
	}
}

const struct command_kind command_send = {
	.id = COMMAND_ID_SEND,
	.name = "send",
	.args_size = sizeof(struct message),
	.run = send_run,
};

/* --- close --- */

struct close_args {
	uint16_t code;
	const char *reason; /* in the command's JSON */
};

static bool code_read(struct command *command, const json_t *code, uint16_t *out_code)
{
	char seen[32] = "not an integer";

	if (code == NULL)
		return true;
	if (json_is_integer(code))
		snprintf(seen, sizeof(seen), "%" JSON_INTEGER_FORMAT, json_integer_value(code));
	if (json_is_integer(code) && ws_close_code_is_for_servers(json_integer_value(code))) {
		*out_code = (uint16_t)json_integer_value(code);
		return true;
	}
	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = "close_code",
					 .detail = "'code' is no code that a server may send.",
					 .seen = slice_from_text(seen),
					 .allowed = WS_CLOSE_CODES_FOR_SERVERS,
				 });
	return false;
}

static bool reason_read(struct command *command, const json_t *reason, const char **out_reason)
{
	const char *text = json_string_value(reason);

	if (reason == NULL)
		return true;
	if (text != NULL && strlen(text) <= WS_CLOSE_REASON_MAX) {
		*out_reason = text;
		return true;
	}
	command_problem(command,
			&(struct problem){
				.status = 400,
				.reason = "close_reason",
				.detail = "'reason' is not a string that fits into a close frame.",
				.seen = slice_from_text(text == NULL ? "not a string" : text),
				.allowed = "a string of at most 123 bytes",
			});
	return false;
}

static bool close_parse(struct command *command, const json_t *members)
{
	struct close_args *args = command_args(command);

	*args = (struct close_args){.code = WS_CLOSE_NORMAL, .reason = ""};
	return code_read(command, json_object_get(members, "code"), &args->code) &&
	       reason_read(command, json_object_get(members, "reason"), &args->reason);
}

static void close_run(struct command *command, struct session *session)
{
	const struct close_args *args = command_args(command);
	const struct presence *presence = session->presence;

	if (session_close(session, args->code, args->reason) < 0)
		command_not_connected(command, slice_from_text(presence->client_id));
	else
		command_done(command, 200,
			     json_pack("{s:s, s:s, s:s, s:I, s:i, s:s}", "result", "closing",
				       "route", presence_route_name(presence), "client_id",
				       presence->client_id, "connection_id",
				       (json_int_t)presence->connection_id, "code", (int)args->code,
				       "reason", args->reason));
}

const struct command_kind command_close = {
	.id = COMMAND_ID_CLOSE,
	.name = "close",
	.members = "code, reason",
	.example = "{\"code\": 1000, \"reason\": \"text\"}, both optional",
	.args_size = sizeof(struct close_args),
	.parse = close_parse,
	.run = close_run,
};
