/* SPDX-License-Identifier: Apache-2.0
 * recent.h - how long things took lately: of durations that are counted since the start, the part
 * of the last minute.
 *
 * Layer: admin. Thread-safe. */
#pragma once

#include <stdint.h>

#include "base/durations.h"

/* Of the last 30 to 60 s. */
#define RECENT_STEP_NS UINT64_C(30000000000)

struct recent;

/* NULL: memory is out. */
struct recent *recent_create(void);
/* NULL is fine; clears the pointer. */
void recent_destroy(struct recent **recent);

/* Now and then, at `now_ns` of clock_now_ns: what is counted of this name so far. What is not told
 * of for several steps is forgotten, at the next recent_tick. Without memory nothing happens. */
void recent_note(struct recent *recent, const char *name, const struct durations *counted,
		 uint64_t now_ns);
void recent_tick(struct recent *recent, uint64_t now_ns);

/* Takes away what was counted before; all of it stays if it has not been told of for so long. */
void recent_cut(struct recent *recent, const char *name, struct durations *counted);
