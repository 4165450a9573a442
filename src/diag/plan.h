/* SPDX-License-Identifier: Apache-2.0
 * plan.h - what a gateway can be with a configuration on a machine: its workers, its
 * max_connections, and the limits table that says so.
 *
 * Layer: diag. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "diag/capacity.h"
#include "diag/limits.h"

/* What a plan is made from. */
struct plan_facts {
	struct os_limits os;
	uint64_t cores; /* that this process may run on */
	enum loop_engine engine;
	const char *engine_reason;
	bool can_io_uring;
	int64_t certificate_expires_at; /* as limits_input has it; the caller's to fill */
	int64_t wall_s;
};

/* Of this process and this machine. `engine` and `reason` are loop_engine_choose's.
 * Blocks on /proc, and may make a trial ring. */
void plan_facts_read(enum loop_engine engine, const char *reason, struct plan_facts *out_facts);

struct plan {
	bool fits;                /* max_connections can be held */
	uint64_t max_connections; /* in effect; if it does not fit: what was asked for */
	uint64_t payload_memory;  /* [bytes] in effect */
	struct capacity capacity;
	struct limits_input input; /* that the table was made from: no connections, the cost
				    * assumed. Points to config and facts. */
	struct limits limits;
};

/* If it does not fit, limits_binding is what is in the way. `config` and `facts`
 * outlive the plan. Pure. */
void plan_make(const struct config *config, const struct plan_facts *facts, struct plan *out_plan);

/* What is in the way if it does not fit, for log and terminal: "limit nofile is 1024
 * and allows 942 connections; <how to raise it>". */
#define PLAN_EXPLAIN_MAX 768
char *plan_explain(const struct plan *plan, char out[PLAN_EXPLAIN_MAX]);
