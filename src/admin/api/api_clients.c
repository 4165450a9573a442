/* SPDX-License-Identifier: Apache-2.0
 * api_clients.c - the clients of this node, a page at a time: as the directory has them, or in an
 * order for which all of them are looked at (client_scan.h). */
#include "admin/api/api_clients.h"

#include <stdlib.h>

#include "base/clock.h"
#include "fleet/command/command.h"

/* --- as the directory has them --- */

struct wanted {
	const struct client_filter *filter;
	struct client_moment moment;
};

static struct client_moment moment_now(void)
{
	return (struct client_moment){clock_now_ns(), clock_wall_ns() / NS_PER_MS};
}

static bool is_wanted(const struct presence *presence, const void *arg)
{
	const struct wanted *wanted = arg;

	return client_filter_wants(wanted->filter, presence, &wanted->moment);
}

/* Takes the references. */
static json_t *page_make(struct presence **page, size_t count, const struct client_moment *moment)
{
	json_t *list = json_array();
	struct traffic_picture picture;

	for (size_t i = 0; i < count; i++) {
		presence_look(page[i], moment->now_ns, moment->wall_ms, &picture);
		json_array_append_new(list, command_client_json(page[i], &picture));
		presence_unref(&page[i]);
	}
	return list;
}

static void list_unsorted(struct api_call *call, struct client_query *query)
{
	struct wanted wanted = {&query->filter, moment_now()};
	const struct directory_filter filter = {is_wanted, &wanted};
	struct presence *page[API_PAGE_MAX];
	bool is_end;
	size_t count = directory_list(server_directory(call->api->server), &filter, &query->cursor,
				      page, query->order.limit, &is_end);
	json_t *clients = page_make(page, count, &wanted.moment);

	api_reply_json(call->reply, 200,
		       json_pack("{s:o, s:o}", "clients", clients, "next_cursor",
				 is_end ? json_null() : api_cursor_json(&query->cursor)));
}

/* --- in an order --- */

struct sorted_list {
	struct http_later *later;
	struct client_order order;
	bool is_top;
};

static json_t *rows_json(const struct client_scan_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(list, command_client_json(result->rows[i].presence,
								&result->rows[i].picture));
	return list;
}

static json_t *next_json(const struct sorted_list *list, const struct client_scan_result *result)
{
	return result->is_end ? json_null()
			      : api_rank_json(&list->order, result->rows[result->count - 1].rank);
}

static void on_done(void *arg, const struct client_scan_result *result)
{
	struct sorted_list *list = arg;
	struct http_reply reply = {0};
	const char *sort = client_sort_label(list->order.sort);
	json_t *body = json_pack("{s:o, s:s, s:I}", "clients", rows_json(result),
				 list->is_top ? "by" : "sort", sort, "matched",
				 (json_int_t)result->matched);

	if (body != NULL && !list->is_top) {
		json_object_set_new(body, "order",
				    json_string(list->order.is_ascending ? "asc" : "desc"));
		json_object_set_new(body, "next_cursor", next_json(list, result));
	}
	api_reply_json(&reply, 200, body);
	http_later_reply(list->later, &reply);
	free(list);
}

static void list_sorted(struct api_call *call, const struct client_query *query, bool is_top)
{
	struct http_later *later = api_take(call);
	struct sorted_list *list;
	struct http_reply reply = {0};

	if (later == NULL)
		return;
	list = malloc(sizeof(*list));
	if (list != NULL)
		*list = (struct sorted_list){later, query->order, is_top};
	if (list != NULL &&
	    client_scan_start(call->api->scans, later->loop, server_directory(call->api->server),
			      &query->filter, &query->order, on_done, list) == 0)
		return;
	free(list);
	api_problem_no_memory(&reply);
	http_later_reply(later, &reply);
}

/* --- endpoints --- */

void api_clients_list(struct api_call *call)
{
	struct client_query query;

	if (!api_client_query_read(call, &query))
		return;
	if (query.order.sort == CLIENT_SORT_NONE)
		list_unsorted(call, &query);
	else
		list_sorted(call, &query, false);
}

void api_top(struct api_call *call)
{
	struct client_query query;

	if (api_top_query_read(call, &query))
		list_sorted(call, &query, true);
}
