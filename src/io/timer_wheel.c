/* SPDX-License-Identifier: Apache-2.0 */
#include "io/timer_wheel.h"

#include "base/check.h"

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now)
{
	*wheel = (struct timer_wheel){.now = now};
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
}

void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer, uint64_t expires_at)
{
	uint64_t at = MAX(expires_at, wheel->now + 1);
	uint64_t differs = (at ^ wheel->now) | (WHEEL_SLOTS - 1);

	CHECK(at < WHEEL_TICKS);
	unsigned level = (63u - (unsigned)__builtin_clzll(differs)) / WHEEL_SLOT_BITS;
	unsigned slot = (at >> (level * WHEEL_SLOT_BITS)) & (WHEEL_SLOTS - 1);

	timer->expires_at = expires_at;
	list_append(&wheel->slots[level][slot], &timer->node);
	wheel->used[level] |= UINT64_C(1) << slot;
}

/* The first slot in use, and the tick at which its time begins. */
static bool first_slot(const struct timer_wheel *wheel, unsigned *out_level, unsigned *out_slot,
		       uint64_t *out_tick)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		if (wheel->used[level] == 0)
			continue;
		unsigned slot = (unsigned)__builtin_ctzll(wheel->used[level]);
		unsigned shift = level * WHEEL_SLOT_BITS;
		uint64_t round = wheel->now >> (shift + WHEEL_SLOT_BITS)
						       << (shift + WHEEL_SLOT_BITS);

		*out_level = level;
		*out_slot = slot;
		*out_tick = round + ((uint64_t)slot << shift);
		return true;
	}
	return false;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now, struct list_node *due)
{
	unsigned level, slot;
	uint64_t tick;

	CHECK(now >= wheel->now);
	while (first_slot(wheel, &level, &slot, &tick) && tick <= now) {
		struct list_node ready;

		list_init(&ready);
		list_move_all(&wheel->slots[level][slot], &ready);
		wheel->used[level] &= ~(UINT64_C(1) << slot);
		wheel->now = MAX(wheel->now, tick);
		while (!list_is_empty(&ready)) {
			struct timer *timer = CONTAINER_OF(list_pop(&ready), struct timer, node);

			if (timer->expires_at <= wheel->now)
				list_append(due, &timer->node);
			else
				timer_wheel_add(wheel, timer, timer->expires_at);
		}
	}
	wheel->now = now;
}

uint64_t timer_wheel_next(const struct timer_wheel *wheel)
{
	unsigned level, slot;
	uint64_t tick;

	return first_slot(wheel, &level, &slot, &tick) ? tick : UINT64_MAX;
}
