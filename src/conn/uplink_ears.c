/* SPDX-License-Identifier: Apache-2.0
 * uplink_ears.c - what a back end tells: its decision whether the client may come in, messages
 * for the client, its troubles. */
#include "conn/uplink_ears.h"

#include <errno.h>
#include <stdio.h>

#include "base/media_type.h"
#include "base/unicode.h"
#include "base/units.h"
#include "conn/act.h"
#include "conn/admit_groups.h"
#include "conn/assigned.h"
#include "conn/conn.h"
#include "conn/conn_log.h"
#include "conn/phase_asking.h"
#include "conn/phase_closing.h"
#include "conn/phase_open.h"
#include "conn/uplink_road.h"
#include "fleet/actions/actions.h"
#include "fleet/rpc/rpc_gate.h"
#include "proto/utf8.h"
#include "proto/ws_frame.h"

/* [bytes] of a back end's answer to a client that it does not want (docs/backend-contract.md). */
#define REFUSAL_BODY_MAX 1048576

static struct conn *conn_of(const struct uplink *uplink)
{
	CHECK(uplink->owner !=
	      NULL); /* but for its troubles it is told nothing once it has closed */
	return uplink->owner;
}

/* Also of one whose connection has ended, its last event not. */
static void on_trouble(const struct uplink *uplink, const char *what, const char *detail)
{
	struct conn_home *home = uplink->home;
	uint64_t suppressed;

	if (!log_gate_pass(&home->service->backend_gate, loop_now(home->loop), &suppressed) ||
	    !log_is_on(LOG_LEVEL_WARN))
		return;
	const struct log_field fields[] = {F_TEXT("backend", uplink->backend->name),
					   F_TEXT("error", detail),
					   F_UINT("suppressed", suppressed)};

	if (uplink->owner != NULL)
		conn_log_write(LOG_LEVEL_WARN, uplink->owner, what, fields, ARRAY_LEN(fields));
	else
		conn_log_warn_of(uplink->backend->ops->presence(uplink), what, fields,
				 ARRAY_LEN(fields));
}

/* What was made of the client does not say yet what the back end has said; nobody else knows it
 * yet. NULL: memory is out. */
static struct presence *presence_again(struct conn *conn, struct slice subprotocol,
				       const struct assigned *assigned)
{
	const struct presence *old = conn_presence(conn);
	const char *chosen = presence_subprotocol(old);
	struct presence_proof proof;
	bool has_proof = presence_proof(old, &proof);
	struct trace_context trace = {0};

	presence_trace(old, &trace);
	if (subprotocol.data == NULL && chosen != NULL)
		subprotocol = slice_from_text(chosen);
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = old->route,
		.client_id = assigned->client_id[0] != 0 ? assigned->client_id : old->client_id,
		.subprotocol = subprotocol,
		.remote = presence_remote(old),
		.remote_port = (uint16_t)old->remote_port,
		.mailbox = old->mailbox,
		.session = conn_session(conn),
		.proof = has_proof ? &proof : NULL,
		.attributes = slice_of(assigned->attributes, assigned->attributes_len),
		.trace = &trace,
		.note = presence_note(old),
	});

	if (presence != NULL)
		presence->connection_id = old->connection_id;
	return presence;
}

/* NULL, or what is wrong, and in `problem` more of it for the log: "". */
static const char *acceptance_check(struct conn *conn, const struct uplink_acceptance *accepted,
				    struct assigned *assigned, struct actions **out_actions,
				    char *problem, size_t size)
{
	if (accepted->subprotocol.data != NULL && !conn_asking_offers(conn, accepted->subprotocol))
		return "chose a subprotocol that the client did not offer";
	if (!conn_groups_check(conn, accepted->groups, "Gatehouse-Groups", problem, size))
		return "put the client in groups that cannot be";
	if (accepted->client_id.data != NULL &&
	    !assigned_id_read(accepted->client_id, assigned, problem, size))
		return "gave the client an id that is none";
	if (accepted->client_id.data != NULL && !conn_asking_may_be(conn, assigned->client_id)) {
		snprintf(
			problem, size,
			"Gatehouse-Client-Id is '%.100s'; allowed: none, or '%.100s', as which the "
			"client has proved itself",
			assigned->client_id, conn_presence(conn)->client_id);
		return "gave the client another id than it has proved";
	}
	if (!assigned_attributes_read(accepted->attributes, conn_limits(conn)->attributes_max,
				      assigned, problem, size))
		return "gave the client attributes that cannot be";
	if (accepted->actions.data == NULL)
		return NULL;
	*out_actions = conn_actions_read(conn, accepted->actions, problem, size);
	return *out_actions == NULL ? "wants things done that cannot be" : NULL;
}

/* False: the client is answered. */
static bool is_good(struct conn *conn, const struct uplink_acceptance *accepted,
		    struct assigned *assigned, struct actions **out_actions)
{
	const struct uplink *uplink = conn_uplink(conn);
	char detail[256], problem[512] = "";
	const char *wrong = acceptance_check(conn, accepted, assigned, out_actions, problem,
					     sizeof(problem));

	if (wrong == NULL)
		return true;
	snprintf(detail, sizeof(detail), "The back end '%s' %s.", uplink->backend->name, wrong);
	if (problem[0] != 0)
		on_trouble(uplink, "a back end's decision cannot be carried out", problem);
	conn_asking_reject(conn, 502, "backend_failed", detail);
	return false;
}

static bool adopt(struct conn *conn, const struct uplink_acceptance *accepted,
		  const struct assigned *assigned)
{
	struct presence *old = conn_presence(conn);

	if (accepted->subprotocol.data != NULL || assigned->client_id[0] != 0 ||
	    assigned->attributes_len > 0) {
		struct presence *presence = presence_again(conn, accepted->subprotocol, assigned);

		if (presence == NULL)
			return false;
		conn_session(conn)->presence = presence;
		conn_asking_choose(conn, presence_subprotocol(presence));
		presence_unref(&old);
	}
	if (assigned->client_id[0] != 0)
		conn_asking_named(conn);
	return conn_asking_add_groups(conn, accepted->groups) == 0;
}

static void on_accepted(struct uplink *uplink, const struct uplink_acceptance *accepted)
{
	struct conn *conn = conn_of(uplink);
	struct assigned assigned = {.client_id = ""};
	struct actions *actions = NULL;

	if (!is_good(conn, accepted, &assigned, &actions))
		return;
	conn_asking_set_actions(conn, actions);
	if (adopt(conn, accepted, &assigned))
		conn_asking_decided(conn);
	else
		conn_asking_no_memory(conn);
}

static bool is_field_value(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return text.len > 0;
}

/* A field of the back end's for the client. What might be more than a value, or is longer than
 * one should be, is left out. */
static void pass_field(struct http_reply *reply, const char *name, struct slice value, size_t max)
{
	if (is_field_value(value) && value.len <= max)
		http_reply_header(reply, "%s: %.*s", name, SLICE_ARG(value));
}

#define CHALLENGE_MAX   384 /* [bytes] */
#define RETRY_AFTER_MAX 40

#define RETRY_AFTER_LONGEST 86400 /* [s] that a page is told */

/* Words of a back end for a page that gets a close frame: the first line of a plain text. "": none.
 */
static void words_write(const struct uplink_refusal *refusal, char out[WS_CONTROL_MAX + 1])
{
	struct slice rest = refusal->body, line = {0};

	out[0] = 0;
	if (!media_type_is(refusal->content_type, "text/plain") || !slice_next_line(&rest, &line))
		return;
	line = slice_trim(line);
	snprintf(out, WS_CONTROL_MAX + 1, "%.*s", (int)MIN(line.len, (size_t)WS_CONTROL_MAX),
		 line.len == 0 ? "" : (const char *)line.data);
	unicode_make_plain(out, strlen(out), '?');
}

/* 0: it is no number of seconds, or none that anybody waits for. */
static unsigned retry_after_s(struct slice text)
{
	uint64_t seconds = 0;

	return units_parse_count(text, &seconds) == UNITS_OK && seconds <= RETRY_AFTER_LONGEST
		       ? (unsigned)seconds
		       : 0;
}

static void on_refused(struct uplink *uplink, const struct uplink_refusal *refusal)
{
	struct conn *conn = conn_of(uplink);
	struct http_reply reply = {.status = refusal->status, .is_of_backend = true};
	char words[WS_CONTROL_MAX + 1];
	char content_type[128] = "application/octet-stream";

	conn_uplink_forget(conn);
	if (is_field_value(refusal->content_type) &&
	    refusal->content_type.len < sizeof(content_type))
		snprintf(content_type, sizeof(content_type), "%.*s",
			 SLICE_ARG(refusal->content_type));
	if (refusal->body.len > 0 &&
	    buf_append(&reply.body, refusal->body.data, refusal->body.len, REFUSAL_BODY_MAX) == 0)
		reply.content_type = content_type;
	pass_field(&reply, "WWW-Authenticate", refusal->www_authenticate, CHALLENGE_MAX);
	pass_field(&reply, "Retry-After", refusal->retry_after, RETRY_AFTER_MAX);
	words_write(refusal, words);
	reply.detail = words[0] == 0 ? NULL : words;
	reply.retry_after_s = retry_after_s(refusal->retry_after);
	conn_asking_answer(conn, &reply);
}

/* The details, which may tell addresses of ours, are for the log. */
static void on_undecided(struct uplink *uplink, enum uplink_failure failure, const char *detail)
{
	static const struct {
		unsigned status;
		const char *reason, *text;
	} answers[] = {
		[UPLINK_DOWN] = {503, "backend_down", "cannot be reached"},
		[UPLINK_BROKEN] = {502, "backend_failed", "gave no usable answer"},
		[UPLINK_LATE] = {504, "backend_late", "did not answer in time"},
		[UPLINK_NO_SOCKET] = {503, "backend_sockets",
				      "could not be asked: the gateway has no free socket"},
	};
	struct conn *conn = conn_of(uplink);
	char text[160];

	on_trouble(uplink, "a back end did not decide", detail);
	snprintf(text, sizeof(text), "The back end '%s' %s.", uplink->backend->name,
		 answers[failure].text);
	conn_uplink_forget(conn);
	conn_asking_reject(conn, answers[failure].status, answers[failure].reason, text);
}

/* --- the open connection --- */

static void on_message(struct uplink *uplink, const struct message *message)
{
	struct conn *conn = conn_of(uplink);
	struct message checked = *message;

	checked.is_text = message->is_text &&
			  utf8_is_valid(message->bytes.data, message->bytes.len);
	int r = rpc_gate_down(conn_session(conn), &checked, session_send);

	if (r == -EPERM)
		on_trouble(uplink, "a back end's call was not sent",
			   "on a route with rpc clients are called by the API");
	else if (r == -ENOMEM)
		conn_ws_fail(conn, CLOSE_NO_MEMORY);
}

static struct actions *read_actions(const struct uplink *uplink, struct slice json, char *problem,
				    size_t size)
{
	return conn_actions_read(conn_of(uplink), json, problem, size);
}

static void on_actions(struct uplink *uplink, struct actions *actions)
{
	conn_act(conn_of(uplink), actions);
	actions_destroy(&actions);
}

static bool may_send(const struct uplink *uplink)
{
	const struct conn *conn = conn_of(uplink);

	return tcp_queued(&conn->tcp) < conn_limits(conn)->send_queue_max;
}

static void on_room(struct uplink *uplink)
{
	conn_open_resume(conn_of(uplink));
}

static void on_down(struct uplink *uplink)
{
	conn_ws_close(conn_of(uplink), CLOSE_BACKEND_DOWN);
}

static void on_gone(struct uplink *uplink)
{
	struct conn_home *home = uplink->home;

	struct ruleset *ruleset = uplink->route->client.ruleset;

	list_remove(&uplink->node);
	ruleset_unref(&ruleset);
	home->on_gone(home);
}

const struct uplink_handler uplink_ears = {
	.on_accepted = on_accepted,
	.on_refused = on_refused,
	.on_undecided = on_undecided,
	.on_message = on_message,
	.read_actions = read_actions,
	.on_actions = on_actions,
	.may_send = may_send,
	.on_room = on_room,
	.on_down = on_down,
	.on_trouble = on_trouble,
	.on_gone = on_gone,
};
