/* SPDX-License-Identifier: Apache-2.0
 * live_plan.h - what the running gateway can be with another configuration: the plan of a start
 * (diag/plan.h), with the workers, the engine and the connections that there are.
 *
 * Layer: admin. For the main thread: blocks on /proc. */
#pragma once

#include "admin/live_limits.h"
#include "diag/plan.h"

struct live_plan {
	struct live_limits live; /* that the plan points to */
	struct plan plan;
};

/* `next` lives as long. What is `auto` and was so before stays as it is in force, and what is not
 * changed fits: a gateway that is full can be told anything else. live_plan_finish. */
void live_plan_make(const struct admin *admin, const struct config *next,
		    struct live_plan *out_plan);
void live_plan_finish(struct live_plan *plan);
