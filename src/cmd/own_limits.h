/* SPDX-License-Identifier: Apache-2.0
 * own_limits.h - asks a gateway that runs for its limits table: it alone knows what it was
 * configured to.
 *
 * Layer: cmd. Blocks, for two seconds and each listener at most. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "diag/process.h"

/* Is it a gateway of ours, as far as its name and its listeners tell? */
bool own_limits_expected(const struct process *process);

#define OWN_LIMITS_PROBLEM_MAX 384

/* What its admin listener answers at /limits, found among those of the process, in its own
 * network namespace; the caller's. `wanted` connections are what the remedies are for, 0: as
 * it likes. *out_listener is the number of the listener that answered. NULL: `problem` says why
 * not. */
json_t *own_limits_ask(const struct process *process, uint64_t wanted, size_t *out_listener,
		       char problem[OWN_LIMITS_PROBLEM_MAX]);
