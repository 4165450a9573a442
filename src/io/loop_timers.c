/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "io/loop_private.h"

void loop_timer_init(struct timer *timer, void (*on_expire)(struct timer *timer))
{
	list_init(&timer->node);
	timer->expires_at = 0;
	timer->on_expire = on_expire;
}

void loop_timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ns)
{
	list_remove(&timer->node);
	/* Rounded up: never early. */
	timer_wheel_add(&loop->wheel, timer, (loop->now + delay_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
	(void)loop;
	list_remove(&timer->node);
}

bool loop_timer_is_running(const struct timer *timer)
{
	return !list_is_empty(&timer->node);
}
