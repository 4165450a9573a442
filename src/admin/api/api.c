/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api/api_call.h"
#include "admin/api/api_trace.h"

#include <stdio.h>

#include "admin/foreign.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "proto/http_head.h"

#define PREFIX "/api/v1/"

/* "{name}" in one path. */
#define NAMES_MAX 3

static const struct endpoint {
	const char *method;
	const char *path; /* behind the prefix */
	void (*answer)(struct api_call *call);
} endpoints[] = {
	{"GET", "node", api_node},
	{"POST", "reload", api_reload},
	{"GET", "cluster", api_cluster},
	{"GET", "overview", api_overview},
	{"GET", "history", api_history},
	{"GET", "stream", api_stream},
	{"GET", "clients", api_clients_list},
	{"GET", "top", api_top},
	{"GET", "clients/{route}/{client_id}", api_client_inspect},
	{"POST", "clients/{route}/{client_id}/messages", api_client_send},
	{"POST", "clients/{route}/{client_id}/close", api_client_close},
	{"POST", "clients/{route}/{client_id}/call", api_client_call},
	{"POST", "clients/{route}/{client_id}/renew", api_client_renew},
	{"POST", "clients/{route}/{client_id}/actions", api_client_actions},
	{"GET", "groups", api_groups_list},
	{"GET", "groups/{group}/members", api_group_members},
	{"POST", "groups/{group}/messages", api_group_send},
	{"PUT", "groups/{group}/members/{route}/{client_id}", api_group_join},
	{"DELETE", "groups/{group}/members/{route}/{client_id}", api_group_leave},
	{"POST", "broadcast", api_broadcast},
	{"GET", "blocks", api_blocks_list},
	{"POST", "blocks", api_block_make},
	{"DELETE", "blocks/{block}", api_block_remove},
	{"POST", "tickets", api_ticket_make},
	{"GET", "drain", api_drain_look},
	{"POST", "drain", api_drain_begin},
	{"DELETE", "drain", api_drain_cancel},
	{"POST", "upgrade", api_upgrade},
};

/* --- who may ask --- */

void api_init(struct api *api, struct server *server, const struct api_token *token)
{
	*api = (struct api){.server = server, .token = *token};
	pthread_mutex_init(&api->token_mutex, NULL);
}

void api_set_token(struct api *api, const struct api_token *token)
{
	pthread_mutex_lock(&api->token_mutex);
	api->token = *token;
	pthread_mutex_unlock(&api->token_mutex);
}

struct api_token api_token_in_force(const struct api *api)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&api->token_mutex;

	pthread_mutex_lock(mutex);
	struct api_token token = api->token;

	pthread_mutex_unlock(mutex);
	return token;
}

bool api_has_token(const struct api *api)
{
	struct api_token token = api_token_in_force(api);

	return api_token_is_set(&token);
}

/* False: the reply says why not. */
static bool check_peer(const struct http_request *request, struct http_reply *reply)
{
	if (request->is_local && !foreign_page_asks(request))
		return true;
	api_problem(reply, 403, "no_token",
		    "Without a token the API answers only programs on this machine. Set "
		    "admin.token_file or GATEHOUSE_ADMIN_TOKEN, restart, and send the token as "
		    "'Authorization: Bearer TOKEN'.",
		    (struct slice){0}, "a request from loopback, by no proxy and no web page");
	return false;
}

/* Somebody may be trying many. */
static void log_wrong_token(const struct http_request *request)
{
	static struct log_gate gate;
	uint64_t suppressed;
	char path[96 + 1];

	if (!log_gate_pass(&gate, clock_now_ns(), &suppressed))
		return;
	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(request->path));
	log_warn("API request with a wrong token", F_TEXT("path", path),
		 F_UINT("suppressed", suppressed));
}

static bool check_access(const struct api *api, const struct http_request *request,
			 struct http_reply *reply)
{
	struct api_token token = api_token_in_force(api);
	struct slice field = {0};

	if (!api_token_is_set(&token))
		return check_peer(request, reply);
	http_field_find(request->head, request->data, "Authorization", &field);
	switch (api_token_check(&token, field)) {
	case API_TOKEN_GOOD:
		return true;
	case API_TOKEN_MISSING:
		http_reply_header(reply, "WWW-Authenticate: Bearer realm=\"gatehouse\"");
		break;
	case API_TOKEN_WRONG:
		log_wrong_token(request);
		http_reply_header(
			reply,
			"WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"invalid_token\"");
		break;
	}
	api_problem(reply, 401, "token", "The API wants its token.", (struct slice){0},
		    "Authorization: Bearer TOKEN");
	return false;
}

/* --- which endpoint --- */

static bool serves(const struct endpoint *endpoint, const struct http_request *request,
		   struct slice path, struct slice raw[NAMES_MAX])
{
	return api_path_matches(slice_from_text(endpoint->path), path, raw, NAMES_MAX) &&
	       (slice_equals(request->method, slice_from_text(endpoint->method)) ||
		(strcmp(endpoint->method, "GET") == 0 && http_request_is_read(request)));
}

static struct slice path_behind_prefix(const struct http_request *request)
{
	const size_t skip = strlen(PREFIX);

	if (request->path.len <= skip || memcmp(request->path.data, PREFIX, skip) != 0)
		return SLICE_LITERAL("");
	return slice_of(request->path.data + skip, request->path.len - skip);
}

static const struct endpoint *endpoint_find(const struct http_request *request,
					    struct slice raw[NAMES_MAX])
{
	struct slice path = path_behind_prefix(request);

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		if (serves(&endpoints[i], request, path, raw))
			return &endpoints[i];
	}
	return NULL;
}

static bool method_is_of(const char *method, struct slice path)
{
	struct slice raw[NAMES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
		if (strcmp(endpoints[i].method, method) == 0 &&
		    api_path_matches(slice_from_text(endpoints[i].path), path, raw, NAMES_MAX))
			return true;
	return false;
}

/* "GET, HEAD, OPTIONS"; empty: there is nothing at this path. */
static void allow_write(struct slice path, char *out, size_t size)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
	size_t len = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (method_is_of(methods[i], path))
			len += (size_t)snprintf(out + len, size - len, "%s%s, ", methods[i],
						i == 0 ? ", HEAD" : "");
	if (len > 0)
		snprintf(out + len, size - len, "OPTIONS");
}

/* The path is wrong, or only the method. */
static void refuse(const struct http_request *request, struct http_reply *reply)
{
	char allow[64];

	allow_write(path_behind_prefix(request), allow, sizeof(allow));
	if (allow[0] == 0)
		api_problem(reply, 404, "no_such_path",
			    "The API has nothing at this path; docs/api.md lists what it has.",
			    request->path, NULL);
	else if (http_request_is_options(request))
		http_reply_options(reply, allow);
	else
		http_reply_method(reply, request->method, allow);
}

static bool take_group(struct api_call *call, struct slice raw)
{
	if (api_value_decode(raw, API_IN_PATH, &call->group) == NULL &&
	    group_name_is_good(slice_of(call->group.text, call->group.len)))
		return true;
	api_problem(call->reply, 400, "group", "The path has no good name of a group.", raw,
		    GROUP_NAME_ALLOWED);
	return false;
}

static bool take_block(struct api_call *call, struct slice raw)
{
	if (raw.len == 16 && hex_read(raw, &call->block_id))
		return true;
	api_problem(call->reply, 400, "block", "The path has no number of a block.", raw,
		    "16 hexadecimal digits, as 'id' has them");
	return false;
}

static bool take_client_id(struct api_call *call, struct slice raw_id)
{
	char detail[128];
	const char *wrong = api_value_decode(raw_id, API_IN_PATH, &call->client_id);

	if (wrong == NULL)
		return true;
	snprintf(detail, sizeof(detail), "The client id %s.", wrong);
	api_problem(call->reply, 400, "client_id", detail, raw_id,
		    "1..255 bytes of UTF-8 without control characters, percent-encoded");
	return false;
}

/* False: the reply says what is wrong. */
static bool take_names(struct api_call *call, const struct endpoint *endpoint,
		       const struct slice *raw)
{
	if (strstr(endpoint->path, "{group}") != NULL && !take_group(call, *raw++))
		return false;
	if (strstr(endpoint->path, "{block}") != NULL && !take_block(call, *raw++))
		return false;
	if (strstr(endpoint->path, "{route}") == NULL)
		return true;
	return api_route_find(call, raw[0], &call->route) && take_client_id(call, raw[1]);
}

/* --- from the admin listener --- */

bool api_has_path(struct slice path)
{
	static const struct slice root = {(const uint8_t *)"/api", 4};

	return path.len >= root.len && slice_equals(slice_of(path.data, root.len), root) &&
	       (path.len == root.len || path.data[root.len] == '/');
}

bool api_wants_body(const struct api *api, const struct http_request *request)
{
	struct http_reply reply = {0};
	struct slice raw[NAMES_MAX];
	const struct endpoint *endpoint = endpoint_find(request, raw);
	bool wants = endpoint != NULL && strcmp(endpoint->method, "POST") == 0 &&
		     check_access(api, request, &reply);

	buf_finish(&reply.body);
	return wants;
}

void api_answer(const struct api *api, const struct http_request *request, struct http_reply *reply)
{
	struct slice raw[NAMES_MAX];

	if (!check_access(api, request, reply))
		return;
	const struct endpoint *endpoint = endpoint_find(request, raw);
	struct ruleset *ruleset = server_ruleset(api->server);
	struct api_call call = {
		.api = api, .config = &ruleset->config, .request = request, .reply = reply};

	call.path = endpoint == NULL ? NULL : endpoint->path;
	api_trace_begin(&call);
	if (endpoint == NULL)
		refuse(request, reply);
	else if (take_names(&call, endpoint, raw))
		endpoint->answer(&call);
	api_trace_end(&call, call.path);
	ruleset_unref(&ruleset);
}
