/* SPDX-License-Identifier: Apache-2.0
 * limits_monitor.h - warns when a limit is nearly used up.
 *
 * Layer: admin. Belongs to the main thread, which calls it every
 * LIMITS_MONITOR_INTERVAL_MS; blocks on /proc. */
#pragma once

#include "admin/admin.h"
#include "diag/limits_watch.h"

#define LIMITS_MONITOR_INTERVAL_MS 2000

struct limits_monitor {
	struct admin *admin; /* whose accept_rate it keeps */
	struct limits_watch watch;
	uint64_t accepted; /* connections, at the last tick */
	uint64_t ticked_ns;
};

/* After the start of the server. */
void limits_monitor_init(struct limits_monitor *monitor, struct admin *admin);

/* Logs a line for each mark, 80 and 95 percent, that was passed since the last call. */
void limits_monitor_tick(struct limits_monitor *monitor);
