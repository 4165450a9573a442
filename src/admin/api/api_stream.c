/* SPDX-License-Identifier: Apache-2.0
 * api_stream.c - what happens, while it happens: reads what is wanted, and opens the stream. */
#include <string.h>

#include "admin/api/api_call.h"
#include "admin/stream/streams.h"
#include "base/units.h"
#include "proto/http_head.h"

#define OVERVIEW_MIN_MS 1000
#define OVERVIEW_MAX_MS 60000
#define SAMPLE_DEFAULT  50
#define BODY_DEFAULT    1024 /* [bytes] */

/* [s] Until another stream may have ended. */
#define RETRY_AFTER_S 5

enum { OVERVIEW, LOG, TAIL, SAMPLE, BODY_BYTES, PARAM_COUNT };

/* Always false. */
static bool refuse_query(struct api_call *call, const char *detail, const struct api_param *param,
			 const char *allowed)
{
	api_problem(call->reply, 400, "query", detail, slice_from_text(param->value.text), allowed);
	return false;
}

static bool read_overview(struct api_call *call, const struct api_param *param, uint64_t *out_ms)
{
	struct slice text = slice_from_text(param->value.text);
	uint64_t ms;

	if (!param->is_given)
		return true;
	if (units_parse_duration_ms(text, &ms) != UNITS_OK || ms < OVERVIEW_MIN_MS ||
	    ms > OVERVIEW_MAX_MS)
		return refuse_query(call, "The parameter 'overview' is no time in its range.",
				    param, "1s..60s, as 2s: how often the overview comes");
	*out_ms = ms;
	return true;
}

static bool read_log(struct api_call *call, const struct api_param *param, struct stream_wish *wish)
{
	if (!param->is_given)
		return true;
	for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		if (strcmp(param->value.text, log_level_name(level)) != 0)
			continue;
		wish->has_log = true;
		wish->log_level = level;
		return true;
	}
	return refuse_query(call, "The parameter 'log' is no level.", param,
			    "debug, info, warn, error");
}

static bool read_number(struct api_call *call, const struct api_param *param, const char *detail,
			uint64_t min, uint64_t max, const char *allowed, uint64_t *number)
{
	struct slice text = slice_from_text(param->value.text);
	uint64_t seen;

	if (!param->is_given)
		return true;
	if (units_parse_count(text, &seen) != UNITS_OK || seen < min || seen > max)
		return refuse_query(call, detail, param, allowed);
	*number = seen;
	return true;
}

/* What stands behind the first '/', if any, is the client's id. */
static bool split_tail(struct api_call *call, struct api_param *param, struct tail_options *tail)
{
	char *slash = strchr(param->value.text, '/');
	size_t route_len = slash == NULL ? param->value.len : (size_t)(slash - param->value.text);

	size_t id_len = slash == NULL ? 1 : param->value.len - route_len - 1;

	if (route_len == 0 || route_len > PRESENCE_ROUTE_MAX || id_len == 0 ||
	    id_len > PRESENCE_CLIENT_ID_MAX)
		return refuse_query(call,
				    "The parameter 'tail' names no route, or no client of it.",
				    param, "ROUTE or ROUTE/CLIENT_ID, percent-encoded");
	if (slash != NULL)
		*slash = 0;
	tail->route = param->value.text;
	tail->client_id = slash == NULL ? "" : slash + 1;
	return true;
}

/* `params` hold the texts. */
static bool read_tail(struct api_call *call, struct api_param *params, struct stream_wish *wish)
{
	struct tail_options *tail = &wish->tail;
	uint64_t body_bytes = BODY_DEFAULT;

	tail->sample = SAMPLE_DEFAULT;
	if (!read_number(call, &params[SAMPLE],
			 "The parameter 'sample' is not a number in its range.", 1, TAIL_SAMPLE_MAX,
			 "1..1000 messages a second", &tail->sample) ||
	    !read_number(call, &params[BODY_BYTES],
			 "The parameter 'body_bytes' is not a number in its range.", 0,
			 TAIL_BODY_MAX, "0..4096 bytes of each message", &body_bytes))
		return false;
	tail->body_bytes = body_bytes;
	wish->has_tail = params[TAIL].is_given;
	if (wish->has_tail)
		return split_tail(call, &params[TAIL], tail);
	for (unsigned i = SAMPLE; i <= BODY_BYTES; i++)
		if (params[i].is_given)
			return refuse_query(call,
					    "The parameters 'sample' and 'body_bytes' are about "
					    "messages: name whose, by 'tail'.",
					    &params[i], "tail=ROUTE or tail=ROUTE/CLIENT_ID");
	return true;
}

static bool read_wish(struct api_call *call, struct api_param *params, struct stream_wish *wish)
{
	if (!api_query(call, params, PARAM_COUNT) ||
	    !read_overview(call, &params[OVERVIEW], &wish->overview_ms) ||
	    !read_log(call, &params[LOG], wish) || !read_tail(call, params, wish))
		return false;
	if (wish->overview_ms > 0 || wish->has_log || wish->has_tail)
		return true;
	api_problem(call->reply, 400, "query", "Nothing is wanted of the stream.",
		    (struct slice){0}, "overview=2s, log=info or tail=ROUTE/CLIENT_ID, or several");
	return false;
}

static bool has_place(struct api_call *call)
{
	struct streams *streams = call->api->streams;
	uint64_t max = call->config->admin.streams_max;
	struct streams_stats stats;

	if (streams_have_place(streams, max))
		return true;
	streams_stats(streams, &stats);
	http_reply_limit(call->reply, &(struct limit_refusal){
					      .limit = "streams_max",
					      .title = "As many event streams are open as may be",
					      .remedy = "close one, or raise admin.streams_max",
					      .node = server_node(call->api->server),
					      .current = stats.open,
					      .max = max,
					      .status = 503,
					      .retry_after_s = RETRY_AFTER_S,
				      });
	return false;
}

/* The workers are there, and stay. */
static bool is_served(struct api_call *call)
{
	bool is_late = streams_are_closed(call->api->streams);

	if (!is_late && server_status(call->api->server) != SERVER_STARTING)
		return true;
	http_reply_retry_after(call->reply, 1);
	api_problem(call->reply, 503, is_late ? "stopping" : "starting",
		    is_late ? "This process ends, or another one has taken over. Ask again."
			    : "The gateway is starting. Ask again.",
		    (struct slice){0}, NULL);
	return false;
}

void api_stream(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {{.name = "overview"},
						{.name = "log"},
						{.name = "tail", .is_pair = true},
						{.name = "sample"},
						{.name = "body_bytes"}};
	struct stream_wish wish = {
		.node = server_node(call->api->server),
		.token = api_token_in_force(call->api),
	};

	if (!read_wish(call, params, &wish))
		return;
	if (slice_equals(call->request->method, SLICE_LITERAL("HEAD"))) {
		call->reply->status = 200;
		call->reply->content_type = "text/event-stream";
		return;
	}
	if (!is_served(call) || !has_place(call))
		return;
	struct http_later *later = api_take(call);

	if (later == NULL)
		return;
	wish.access = api_token_is_set(&wish.token) ? "token" : "loopback";
	tail_rules_make(&call->config->admin, &wish.tail.rules);
	if (stream_open(call->api->streams, later, &wish))
		return;
	struct http_reply reply = {0};

	api_problem_no_memory(&reply);
	http_later_reply(later, &reply);
}
