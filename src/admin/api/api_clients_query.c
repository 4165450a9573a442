/* SPDX-License-Identifier: Apache-2.0
 * api_clients_query.c - the parameters of a list of clients, and its cursors. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/api/api_clients.h"
#include "base/hex.h"
#include "base/timestamp.h"
#include "base/units.h"

#define LIMIT_DEFAULT     100
#define TOP_LIMIT_DEFAULT 20

/* The first three are of GET /top, too. */
enum {
	ROUTE,
	LIMIT,
	SORT,
	PREFIX,
	CONTAINS,
	ADDRESS,
	SINCE,
	UNTIL,
	MIN_RATE,
	ORDER,
	CURSOR,
	PARAM_COUNT,
	TOP_PARAM_COUNT = SORT + 1,
};

static struct slice text_of(const struct api_param *param)
{
	return slice_of(param->value.text, param->value.len);
}

static bool limit_read(struct api_call *call, const struct api_param *param, uint64_t *limit)
{
	if (param->is_given && (units_parse_count(text_of(param), limit) != UNITS_OK ||
				*limit == 0 || *limit > API_PAGE_MAX))
		return api_query_refuse(call, param,
					"The parameter 'limit' is not a number in its range.",
					"1..1000");
	return true;
}

bool api_limit_read(struct api_call *call, const struct api_param *param, uint64_t *out_limit)
{
	uint64_t limit = LIMIT_DEFAULT;

	if (!limit_read(call, param, &limit))
		return false;
	*out_limit = limit;
	return true;
}

bool api_address_read(struct api_call *call, const struct api_param *param,
		      enum api_address_kind kind, struct net_prefix *out)
{
	char detail[192];

	if (!param->is_given)
		return true;
	const char *wrong = net_prefix_parse(text_of(param), out);

	if (wrong == NULL && kind == API_ADDRESS_ONE && out->bits != NET_IP_BITS)
		wrong = "is of more than one client";
	if (wrong == NULL)
		return true;
	snprintf(detail, sizeof(detail), "The parameter 'address' %s.", wrong);
	return api_query_refuse(call, param, detail,
				kind == API_ADDRESS_ONE
					? "192.0.2.7, 2001:db8::7, unix:"
					: "192.0.2.7, 192.0.2.0/24, 2001:db8::/32, unix:");
}

/* --- the filter --- */

static bool route_read(struct api_call *call, const struct api_param *param,
		       struct client_filter *filter)
{
	const struct config_route *route;

	if (!param->is_given)
		return true;
	if (!api_route_find(call, text_of(param), &route))
		return false;
	snprintf(filter->route, sizeof(filter->route), "%s", route->name);
	return true;
}

static bool address_read(struct api_call *call, const struct api_param *param,
			 struct client_filter *filter)
{
	filter->has_address = param->is_given;
	return api_address_read(call, param, API_ADDRESS_PREFIX, &filter->address);
}

static bool time_read(struct api_call *call, const struct api_param *param, uint64_t *out_ms)
{
	char detail[80];

	if (!param->is_given || timestamp_parse(text_of(param), out_ms))
		return true;
	snprintf(detail, sizeof(detail), "The parameter '%s' is no point in time.", param->name);
	return api_query_refuse(call, param, detail, TIMESTAMP_ALLOWED);
}

static bool times_read(struct api_call *call, const struct api_param *params,
		       struct client_filter *filter)
{
	if (!time_read(call, &params[SINCE], &filter->since_ms) ||
	    !time_read(call, &params[UNTIL], &filter->until_ms))
		return false;
	if (filter->since_ms <= filter->until_ms)
		return true;
	return api_query_refuse(call, &params[UNTIL], "'until' is before 'since'.",
				"a time that is not before 'since'");
}

/* "12", "0.5": without sign and exponent. */
static bool decimal_parse(struct slice text, double *out)
{
	double value = 0, unit = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];

		if (byte == '.' && unit == 0 && i > 0 && i + 1 < text.len) {
			unit = 1;
		} else if (byte >= '0' && byte <= '9') {
			unit /= 10;
			value = unit == 0 ? value * 10 + (byte - '0') : value + (byte - '0') * unit;
		} else {
			return false;
		}
	}
	*out = value;
	return text.len > 0 && value <= 1e12;
}

static bool rate_read(struct api_call *call, const struct api_param *param,
		      struct client_filter *filter)
{
	if (!param->is_given || decimal_parse(text_of(param), &filter->min_rate))
		return true;
	return api_query_refuse(call, param,
				"The parameter 'min_rate' is no number of messages per second.",
				"0..1000000000000, as 10 or 0.5");
}

static bool filter_read(struct api_call *call, const struct api_param *params,
			struct client_filter *filter)
{
	*filter = CLIENT_FILTER_ALL;
	memcpy(filter->prefix, params[PREFIX].value.text, params[PREFIX].value.len);
	memcpy(filter->contains, params[CONTAINS].value.text, params[CONTAINS].value.len);
	return route_read(call, &params[ROUTE], filter) &&
	       address_read(call, &params[ADDRESS], filter) && times_read(call, params, filter) &&
	       rate_read(call, &params[MIN_RATE], filter);
}

/* --- the order --- */

static bool sort_read(struct api_call *call, const struct api_param *param,
		      struct client_order *order)
{
	char detail[80];

	if (!param->is_given)
		return true;
	order->sort = client_sort_find(param->value.text);
	if (order->sort != CLIENT_SORT_COUNT)
		return true;
	snprintf(detail, sizeof(detail), "The parameter '%s' names nothing to sort by.",
		 param->name);
	return api_query_refuse(call, param, detail, client_sort_labels());
}

static bool order_read(struct api_call *call, const struct api_param *param,
		       struct client_order *order)
{
	if (!param->is_given)
		return true;
	order->is_ascending = strcmp(param->value.text, "asc") == 0;
	if (!order->is_ascending && strcmp(param->value.text, "desc") != 0)
		return api_query_refuse(call, param, "The parameter 'order' is neither of two.",
					"desc (as without it), asc");
	if (order->sort == CLIENT_SORT_NONE)
		return api_query_refuse(call, param, "The parameter 'order' wants 'sort'.",
					"sort=connected_at&order=asc, for instance");
	return true;
}

/* --- cursors --- */

/* Of a sorted list they begin with what it is sorted by, and which way. */
static unsigned order_code(const struct client_order *order)
{
	return (unsigned)order->sort * 2 + order->is_ascending;
}

json_t *api_cursor_json(const struct directory_cursor *cursor)
{
	return json_sprintf("%016" PRIx64 "%016" PRIx64, cursor->hash, cursor->connection_id);
}

json_t *api_rank_json(const struct client_order *order, struct client_rank last)
{
	return json_sprintf("%02x%016" PRIx64 "%016" PRIx64, order_code(order), last.key,
			    last.connection_id);
}

static bool numbers_read(struct slice text, uint64_t *first, uint64_t *second)
{
	return text.len == 32 && hex_read(slice_of(text.data, 16), first) &&
	       hex_read(slice_of(text.data + 16, 16), second);
}

static bool rank_read(struct api_call *call, const struct api_param *param,
		      struct client_order *order)
{
	struct slice text = text_of(param);
	uint64_t code;

	order->has_after = true;
	if (text.len != 34 || !hex_read(slice_of(text.data, 2), &code) ||
	    !numbers_read(slice_of(text.data + 2, 32), &order->after.key,
			  &order->after.connection_id))
		return api_query_refuse(call, param, "The parameter 'cursor' is none of ours.",
					"next_cursor of the page before");
	if (code == order_code(order))
		return true;
	return api_query_refuse(call, param,
				"The parameter 'cursor' is of a list in another order.",
				"next_cursor of the page before, with the same 'sort' and 'order'");
}

static bool cursor_read(struct api_call *call, const struct api_param *param,
			struct client_query *query)
{
	query->cursor = DIRECTORY_START;
	if (!param->is_given)
		return true;
	if (query->order.sort != CLIENT_SORT_NONE)
		return rank_read(call, param, &query->order);
	if (numbers_read(text_of(param), &query->cursor.hash, &query->cursor.connection_id))
		return true;
	return api_query_refuse(
		call, param,
		param->value.len == 34
			? "The parameter 'cursor' is of a sorted list, and 'sort' is missing."
			: "The parameter 'cursor' is none of ours.",
		"next_cursor of the page before");
}

/* --- all of it --- */

bool api_client_query_read(struct api_call *call, struct client_query *out_query)
{
	struct api_param params[PARAM_COUNT] = {
		[ROUTE] = {.name = "route"},       [LIMIT] = {.name = "limit"},
		[SORT] = {.name = "sort"},         [PREFIX] = {.name = "prefix"},
		[CONTAINS] = {.name = "contains"}, [ADDRESS] = {.name = "address"},
		[SINCE] = {.name = "since"},       [UNTIL] = {.name = "until"},
		[MIN_RATE] = {.name = "min_rate"}, [ORDER] = {.name = "order"},
		[CURSOR] = {.name = "cursor"}};
	uint64_t limit = LIMIT_DEFAULT;

	out_query->order = (struct client_order){.sort = CLIENT_SORT_NONE};
	if (!api_query(call, params, PARAM_COUNT) || !limit_read(call, &params[LIMIT], &limit) ||
	    !filter_read(call, params, &out_query->filter) ||
	    !sort_read(call, &params[SORT], &out_query->order) ||
	    !order_read(call, &params[ORDER], &out_query->order) ||
	    !cursor_read(call, &params[CURSOR], out_query))
		return false;
	out_query->order.limit = limit;
	return true;
}

bool api_top_query_read(struct api_call *call, struct client_query *out_query)
{
	struct api_param params[TOP_PARAM_COUNT] = {
		[ROUTE] = {.name = "route"}, [LIMIT] = {.name = "limit"}, [SORT] = {.name = "by"}};
	uint64_t limit = TOP_LIMIT_DEFAULT;

	*out_query = (struct client_query){.filter = CLIENT_FILTER_ALL,
					   .order = {.sort = CLIENT_SORT_RATE}};
	if (!api_query(call, params, TOP_PARAM_COUNT) ||
	    !limit_read(call, &params[LIMIT], &limit) ||
	    !route_read(call, &params[ROUTE], &out_query->filter) ||
	    !sort_read(call, &params[SORT], &out_query->order))
		return false;
	out_query->order.limit = limit;
	return true;
}
