/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/live_limits.h"
#include "diag/limits_json.h"

void limits_answer(const struct admin *admin, struct http_reply *reply)
{
	struct live_limits live;

	live_limits_read(admin, &live);
	admin_reply_json(reply, 200, limits_json(&live.input, &live.limits, 0));
}
