/* SPDX-License-Identifier: Apache-2.0
 * api_clients.h - what a request for a list of clients says.
 *
 * Layer: admin, for api_clients*.c only. */
#pragma once

#include "admin/api/api_call.h"
#include "admin/api/client_scan.h"

struct client_query {
	struct client_filter filter;
	struct client_order order;      /* sort NONE: by the directory */
	struct directory_cursor cursor; /* with NONE */
};

/* False: the reply says what is wrong. */
bool api_client_query_read(struct api_call *call, struct client_query *out_query);

/* The same of GET /top: what it has of it. */
bool api_top_query_read(struct api_call *call, struct client_query *out_query);

/* next_cursor of a page: behind this one. */
json_t *api_cursor_json(const struct directory_cursor *cursor);
json_t *api_rank_json(const struct client_order *order, struct client_rank last);
