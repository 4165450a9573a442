/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/limits_monitor.h"

#include <stdio.h>

#include "admin/live_limits.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"

static uint64_t accepted_now(const struct admin *admin)
{
	struct stats stats;

	server_stats(admin->server, &stats);
	return stats.connections_accepted;
}

void limits_monitor_init(struct limits_monitor *monitor, struct admin *admin)
{
	*monitor = (struct limits_monitor){
		.admin = admin,
		.accepted = accepted_now(admin),
		.ticked_ns = clock_now_ns(),
	};
}

static void rate_update(struct limits_monitor *monitor)
{
	uint64_t now_ns = clock_now_ns(), accepted = accepted_now(monitor->admin);
	double seconds = (double)(now_ns - monitor->ticked_ns) / (double)NS_PER_S;

	if (seconds <= 0)
		return;
	counter_set(&monitor->admin->accept_rate,
		    (uint64_t)((double)(accepted - monitor->accepted) / seconds));
	monitor->accepted = accepted;
	monitor->ticked_ns = now_ns;
}

static void crossing_log(const struct live_limits *live, const struct limits_crossing *crossing)
{
	const struct limit *limit = &live->limits.rows[crossing->id];
	char remedy[LIMIT_REMEDY_LINE_MAX], message[64];
	uint64_t wanted = limit->connections == LIMIT_NO_CAP ? 0 : 2 * limit->connections;

	if (crossing->mark == 0) {
		log_warn("connections were lost at a listener of this network namespace",
			 F_TEXT("limit", limit_label(limit->id)),
			 F_UINT("lost", crossing->increase), F_UINT("lost_in_all", limit->value),
			 F_TEXT("note", limit->note));
		return;
	}
	snprintf(message, sizeof(message), "a limit is over %u percent used", crossing->mark);
	log_warn(message, F_TEXT("limit", limit_label(limit->id)), F_UINT("used", limit->used),
		 F_UINT("value", limit->value), F_TEXT("unit", limit_unit(limit->id)),
		 F_TEXT("set_by", limit_origin(limit)),
		 F_TEXT("remedy", limit_remedy_line(&live->input, limit, wanted, remedy)));
}

void limits_monitor_tick(struct limits_monitor *monitor)
{
	struct limits_crossing crossings[LIMIT_ID_COUNT];
	struct live_limits live;

	rate_update(monitor);
	live_limits_read(monitor->admin, &live);
	size_t count = limits_watch_update(&monitor->watch, &live.limits, crossings);

	for (size_t i = 0; i < count; i++)
		crossing_log(&live, &crossings[i]);
	live_limits_finish(&live);
}
