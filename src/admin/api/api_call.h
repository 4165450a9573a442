/* SPDX-License-Identifier: Apache-2.0
 * api_call.h - one request to the API, and the endpoints that answer it.
 *
 * Layer: admin, for api_*.c only. */
#pragma once

#include "admin/api/api.h"
#include "admin/api/api_url.h"
#include "base/net_ip.h"
#include "http/http_later.h"
#include "trace/trace_context.h"

struct api_call {
	const struct api *api;
	const struct config *config; /* in force; lent for the call, and not longer */
	const struct http_request *request;
	struct http_reply *reply;
	const struct config_route *route; /* if the path has {route} */
	struct api_value client_id;       /* if the path has {client_id} */
	struct api_value group;           /* if the path has {group} */
	const char *path;                 /* the endpoint's; NULL: there is none */
	struct trace_context trace;       /* what it belongs to; not set: nothing is traced */
	struct trace_span *span;          /* its own; NULL: none, or the request was taken */
	uint64_t block_id;                /* if the path has {block} */
};

/* Of which the API is a part. */
struct admin;
const struct admin *api_admin(const struct api_call *call);

/* Each fills call->reply, or takes the request with http_later_take. */
void api_clients_list(struct api_call *call);
void api_top(struct api_call *call);
void api_client_inspect(struct api_call *call);
void api_client_send(struct api_call *call);
void api_client_close(struct api_call *call);
void api_client_call(struct api_call *call);
void api_client_renew(struct api_call *call);
void api_client_actions(struct api_call *call);
void api_groups_list(struct api_call *call);
void api_group_members(struct api_call *call);
void api_group_send(struct api_call *call);
void api_group_join(struct api_call *call);
void api_group_leave(struct api_call *call);
void api_broadcast(struct api_call *call);
void api_block_make(struct api_call *call);
void api_blocks_list(struct api_call *call);
void api_block_remove(struct api_call *call);
void api_ticket_make(struct api_call *call);
void api_drain_begin(struct api_call *call);
void api_drain_cancel(struct api_call *call);
void api_drain_look(struct api_call *call);
void api_stream(struct api_call *call);
void api_upgrade(struct api_call *call);
void api_node(struct api_call *call);
void api_reload(struct api_call *call);
void api_cluster(struct api_call *call);
void api_overview(struct api_call *call);
void api_history(struct api_call *call);

/* --- for them --- */

/* The reply becomes a problem document. `seen` is shortened if it is long, and left out
 * if it is not UTF-8. */
void api_problem(struct http_reply *reply, unsigned status, const char *reason, const char *detail,
		 struct slice seen, const char *allowed);

void api_problem_no_memory(struct http_reply *reply);

/* What was asked for would be lost in a live upgrade that is under way. */
void api_problem_moved(struct http_reply *reply);

/* http_reply_json, without indentation. */
void api_reply_json(struct http_reply *reply, unsigned status, json_t *body);

/* False: the reply says what is wrong with the query. */
bool api_query(struct api_call *call, struct api_param *params, size_t count);

/* 400 for the sake of this parameter, and false to return. */
bool api_query_refuse(struct api_call *call, const struct api_param *param, const char *detail,
		      const char *allowed);

/* A page's length; `param` is the parameter `limit`. At most API_PAGE_MAX. False: the reply
 * says what is wrong. */
#define API_PAGE_MAX 1000
bool api_limit_read(struct api_call *call, const struct api_param *param, uint64_t *out_limit);

/* `param` is the parameter `address`: of one client, or of all that a prefix has; *out stays if it
 * is not given. False: the reply says what is wrong, and *out is of no use. */
enum api_address_kind { API_ADDRESS_ONE, API_ADDRESS_PREFIX };
bool api_address_read(struct api_call *call, const struct api_param *param,
		      enum api_address_kind kind, struct net_prefix *out);

/* False: no route has this name; the reply says so. */
bool api_route_find(struct api_call *call, struct slice name,
		    const struct config_route **out_route);

/* Of the request's body as a message. False: the reply says what is wrong. `type` is the
 * parameter of that name. */
bool api_message_check(struct api_call *call, const struct api_param *type,
		       struct message *out_message);

/* The body as a JSON object, the caller's reference; one that is left out is an empty one, if
 * `may_be_empty`. False: the reply says what is wrong; `example` is what is allowed. */
bool api_body_load(struct api_call *call, const char *example, bool may_be_empty,
		   json_t **out_body);

/* Has it members of `known` only, which ends with NULL? False: the reply says which it has. */
bool api_members_check(struct api_call *call, json_t *body, const char *const known[],
		       const char *allowed);

/* A string's, for problems and to be read on; else "not a string". */
struct slice api_text(const json_t *value);

struct command;
struct command_kind;

/* Brings the command to the client that the path names, and its result to who asked. Takes
 * over the command; NULL: memory is out. One that has ended is answered at once. */
void api_ask(struct api_call *call, struct command *command);

/* The same with one whose arguments are the body. */
void api_ask_kind(struct api_call *call, const struct command_kind *kind);

/* NULL: as many wait as may, and the reply says so. */
struct http_later *api_take(struct api_call *call);
