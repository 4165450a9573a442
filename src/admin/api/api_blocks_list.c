/* SPDX-License-Identifier: Apache-2.0
 * api_blocks_list.c - who is kept out: all of them, or what keeps out a certain client, an address,
 * or somebody of a route. The table is looked through in portions, so that no handshake waits long
 * for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/api/api_blocks.h"
#include "base/clock.h"
#include "base/hex.h"
#include "server/block_road.h"

/* [blocks] of a portion. */
#define LOOKS_MAX 256

enum { LIMIT, CURSOR, ROUTE, CLIENT_ID, ADDRESS, PARAM_COUNT };

/* All that is given must be so; of client and address either is enough, since each keeps out. */
struct wanted {
	const char *route;     /* NULL: any */
	const char *client_id; /* NULL: none is asked for; else of the route */
	const struct net_ip *address;
};

struct list_query {
	struct wanted wanted;
	struct net_prefix address;
	uint64_t limit;
	uint64_t after;
};

static bool is_wanted(const struct wanted *wanted, const struct block *block)
{
	const struct block_target *target = &block->target;
	bool is_of_route = wanted->route == NULL || strcmp(target->route, wanted->route) == 0 ||
			   (target->client_id[0] == 0 && target->route[0] == 0);

	if (wanted->client_id == NULL && wanted->address == NULL)
		return is_of_route;
	if (target->client_id[0] != 0)
		return is_of_route && wanted->client_id != NULL &&
		       strcmp(target->client_id, wanted->client_id) == 0;
	return is_of_route && wanted->address != NULL &&
	       net_prefix_has(&target->address, wanted->address);
}

/* --- the query --- */

static bool cursor_read(struct api_call *call, const struct api_param *param, uint64_t *out_after)
{
	struct slice text = slice_of(param->value.text, param->value.len);

	*out_after = 0;
	return !param->is_given || (text.len == 16 && hex_read(text, out_after)) ||
	       api_query_refuse(call, param, "The parameter 'cursor' is none of ours.",
				"next_cursor of the page before");
}

static bool client_read(struct api_call *call, const struct api_param *params,
			struct wanted *wanted)
{
	if (params[ROUTE].is_given &&
	    !api_route_find(call, slice_from_text(params[ROUTE].value.text), &call->route))
		return false;
	wanted->route = params[ROUTE].is_given ? call->route->name : NULL;
	if (!params[CLIENT_ID].is_given)
		return true;
	if (wanted->route == NULL)
		return api_query_refuse(call, &params[CLIENT_ID],
					"A client is blocked by its route and its id.",
					"'route' beside 'client_id'");
	if (params[CLIENT_ID].value.len == 0)
		return api_query_refuse(call, &params[CLIENT_ID],
					"The parameter 'client_id' is empty.",
					"1..255 bytes of UTF-8 without control characters");
	wanted->client_id = params[CLIENT_ID].value.text;
	return true;
}

/* Of one that comes, so it is no prefix of many. */
static bool address_read(struct api_call *call, const struct api_param *param,
			 struct list_query *query)
{
	if (param->is_given)
		query->wanted.address = &query->address.ip;
	return api_address_read(call, param, API_ADDRESS_ONE, &query->address);
}

/* `params` hold the texts. */
static bool query_read(struct api_call *call, struct api_param *params, struct list_query *query)
{
	return api_query(call, params, PARAM_COUNT) &&
	       api_limit_read(call, &params[LIMIT], &query->limit) &&
	       cursor_read(call, &params[CURSOR], &query->after) &&
	       client_read(call, params, &query->wanted) &&
	       address_read(call, &params[ADDRESS], query);
}

/* --- the page --- */

struct page {
	json_t *items;
	uint64_t last; /* the number of the last one */
	bool is_full;  /* and there was one more */
};

static void take(struct page *page, const struct list_query *query, const struct block *block,
		 uint64_t now_ms)
{
	if (page->is_full || !is_wanted(&query->wanted, block))
		return;
	page->is_full = json_array_size(page->items) == query->limit;
	if (page->is_full)
		return;
	json_array_append_new(page->items, api_block_json(block, now_ms));
	page->last = block->id;
}

static void page_fill(struct blocks *blocks, const struct list_query *query, struct block *looks,
		      struct page *page)
{
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS, after = query->after;
	bool is_end = false;

	while (!is_end && !page->is_full) {
		size_t count = blocks_list(blocks, after, now_ms, false, looks, LOOKS_MAX, &is_end);

		for (size_t i = 0; i < count; i++)
			take(page, query, &looks[i], now_ms);
		after = count > 0 ? looks[count - 1].id : after;
	}
}

void api_blocks_list(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {[LIMIT] = {.name = "limit"},
						[CURSOR] = {.name = "cursor"},
						[ROUTE] = {.name = "route"},
						[CLIENT_ID] = {.name = "client_id"},
						[ADDRESS] = {.name = "address"}};
	struct list_query query = {.limit = 0};

	if (!query_read(call, params, &query))
		return;
	struct block *looks = malloc(LOOKS_MAX * sizeof(*looks));
	struct page page = {.items = json_array()};

	if (looks == NULL || page.items == NULL) {
		json_decref(page.items);
		api_problem_no_memory(call->reply);
	} else {
		page_fill(server_block_road(call->api->server)->blocks, &query, looks, &page);
		api_reply_json(call->reply, 200,
			       json_pack("{s:o, s:o}", "blocks", page.items, "next_cursor",
					 page.is_full ? json_sprintf("%016" PRIx64, page.last)
						      : json_null()));
	}
	free(looks);
}
