/* SPDX-License-Identifier: Apache-2.0
 * timer_wheel.h - a hierarchical wheel: seven levels of 64 slots, 1 ms to 139 years.
 *
 * Layer: io. Pure data structure, no clock: time is a tick count that only grows.
 * A timer lies on the level of the highest bit in which its tick differs from
 * now, so within a level slots never wrap and lower levels always come first. */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "io/loop.h"

#define WHEEL_LEVELS    7
#define WHEEL_SLOT_BITS 6
#define WHEEL_SLOTS     (1 << WHEEL_SLOT_BITS)
#define WHEEL_TICKS     (UINT64_C(1) << (WHEEL_LEVELS * WHEEL_SLOT_BITS))

struct timer_wheel {
	uint64_t now;                /* [tick] */
	uint64_t used[WHEEL_LEVELS]; /* a bit per slot; may be set for an emptied one */
	struct list_node slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now);

/* Adds a timer that is in no list. A tick that is not in the future becomes the
 * next one; `expires_at` is below WHEEL_TICKS. */
void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer, uint64_t expires_at);

/* Moves time to `now` and appends every timer that is due to `due`. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now, struct list_node *due);

/* The tick at which to advance next, at or before the first expiry; UINT64_MAX if
 * the wheel is empty. */
uint64_t timer_wheel_next(const struct timer_wheel *wheel);
