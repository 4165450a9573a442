/* SPDX-License-Identifier: Apache-2.0
 * live_limits.h - the limits table of the running gateway, read anew.
 *
 * Layer: admin. For the admin thread and the main thread: blocks on /proc. */
#pragma once

#include "admin/admin.h"
#include "diag/limits.h"

/* `input` points into it: not to be copied. */
struct live_limits {
	struct ruleset *ruleset; /* that it was read by */
	struct os_limits os;
	struct limits_input input;
	struct limits limits;
};

/* live_limits_finish lets go of the configuration that `input` points to. */
void live_limits_read(const struct admin *admin, struct live_limits *out_live);
void live_limits_finish(struct live_limits *live);
