/* SPDX-License-Identifier: Apache-2.0
 * api_overview.c - what this node is and does, and has done in the last hour. */
#include "admin/admin.h"
#include "admin/api/api_call.h"
#include "admin/history.h"
#include "admin/overview.h"

/* The API is a part of it. */
const struct admin *api_admin(const struct api_call *call)
{
	return (const struct admin *)(const void *)((const char *)call->api -
						    offsetof(struct admin, api));
}

void api_overview(struct api_call *call)
{
	if (api_query(call, NULL, 0))
		api_reply_json(call->reply, 200, overview_json(api_admin(call)));
}

void api_history(struct api_call *call)
{
	if (api_query(call, NULL, 0))
		api_reply_json(call->reply, 200, history_json(api_admin(call)->history));
}
